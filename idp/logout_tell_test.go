package idp_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/samlet-id/samlet/certs"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/idp"
	"github.com/samlet-id/samlet/internal/peer"
	"github.com/samlet-id/samlet/metadata"
)

// aliceThere is how the service provider knows her.
func aliceThere() identity.Participant {
	return identity.Participant{
		Session: "session", RelyingParty: "app", Audience: spID, Principal: alice().Principal, Index: "s-1", At: noon,
	}
}

func TestReach(t *testing.T) {
	t.Parallel()
	soap := `<md:SingleLogoutService Binding="` + identity.BindingSOAP + `" Location="https://back.example.test/soap"/>`
	for _, tc := range []struct {
		name      string
		offers    []string
		configure func(*world, *identity.Participant)
		want      identity.Reach
	}{
		{"by SOAP and browser", []string{soap, sloRedirect}, nil, identity.Reach{Direct: true, Browser: true, Origins: []string{"https://app.example.test"}}},
		{"by browser, which other origins may see", []string{strings.Replace(sloPOST, spReply, "https://reply.example.test:8443/x", 1)}, nil,
			identity.Reach{Browser: true, Origins: []string{"https://app.example.test", "https://reply.example.test:8443"}}},
		{"no endpoint", nil, nil, identity.Reach{Origins: []string{"https://app.example.test"}}},
		{"not to be told", []string{sloRedirect}, func(w *world, _ *identity.Participant) { w.party.NoLogout = true }, identity.Reach{}},
		{"knows nobody's name", []string{sloRedirect}, func(_ *world, p *identity.Participant) { p.Principal.Subject = "" }, identity.Reach{}},
		{"not known any more", []string{sloRedirect}, func(_ *world, p *identity.Participant) { p.Audience = "https://gone.example.test" }, identity.Reach{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, offers(tc.offers...), func(cfg *idp.Config) { cfg.HTTP = http.DefaultClient })
			who := aliceThere()
			if tc.configure != nil {
				tc.configure(w, &who)
			}
			if diff := cmp.Diff(tc.want, w.Reach(t.Context(), who)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// checkRequest holds what every LogoutRequest of ours says (SAML Core 3.7.1).
func checkRequest(t *testing.T, xml []byte, id, destination string, reason identity.LogoutReason) {
	t.Helper()
	peer.ValidateXSD(t, xml)
	for _, part := range []string{
		`ID="` + id + `"`, `Version="2.0"`, `IssueInstant="2026-11-23T12:00:00Z"`, `NotOnOrAfter="2026-11-23T12:05:00Z"`,
		`Destination="` + destination + `"`, `Reason="` + string(reason) + `"`, `>` + entityID + `</saml:Issuer>`, `<samlp:SessionIndex>s-1</samlp:SessionIndex>`,
		`Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent" NameQualifier="` + entityID + `" SPNameQualifier="` + spID + `">k7w3xq2n5v4r6t7y2a3b4c5d6e7f2g3h</saml:NameID>`,
	} {
		if !strings.Contains(string(xml), part) {
			t.Errorf("no %s in %s", part, xml)
		}
	}
}

// TestLead writes LogoutRequests for the browser, by Redirect where that is
// offered.
func TestLead(t *testing.T) {
	t.Parallel()
	w := newWorld(t, offers(sloPOST, sloRedirect), nil)
	msg, id, err := w.Lead(t.Context(), aliceThere(), identity.LogoutByUser)
	if err != nil || msg.Form != nil {
		t.Fatalf("got %v, %v; want a redirect", msg, err)
	}
	xml, _ := w.inQuery(t, msg.URL, "SAMLRequest")
	checkRequest(t, xml, id, spSLO, identity.LogoutByUser)

	w = newWorld(t, offers(sloPOST), nil)
	msg, id, err = w.Lead(t.Context(), aliceThere(), identity.LogoutByAdmin)
	if err != nil || msg.URL != spSLO {
		t.Fatalf("got %v, %v; want a form", msg, err)
	}
	xml = decoded(t, msg.Form.Get("SAMLRequest"))
	checkRequest(t, xml, id, spSLO, identity.LogoutByAdmin)
	peer.VerifyXMLSec1(t, xml, w.key.PEM())

	// What must not be told in plain text is not.
	crt := certBase64(t, "sp")
	w = newWorld(t, func(md string) string {
		return offers(sloPOST)(strings.Replace(md, "<md:AssertionConsumerService ",
			`<md:KeyDescriptor use="encryption"><ds:KeyInfo><ds:X509Data><ds:X509Certificate>`+crt+`</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor><md:AssertionConsumerService `, 1))
	}, nil)
	w.party.Encrypt.Mode = identity.Required
	msg, _, err = w.Lead(t.Context(), aliceThere(), identity.LogoutByUser)
	if err != nil {
		t.Fatal(err)
	}
	xml = decoded(t, msg.Form.Get("SAMLRequest"))
	peer.ValidateXSD(t, xml)
	if strings.Contains(string(xml), "k7w3xq2n") || !strings.Contains(string(xml), "<saml:EncryptedID") {
		t.Errorf("the NameID is not encrypted: %s", xml)
	}
}

var messageID = regexp.MustCompile(`LogoutRequest [^>]*\bID="([^"]+)"`)

// TestAttackLogoutResponseForgery calls service providers of all sorts by SOAP. Only a signed answer to
// this very request, with Success, counts (threat: forged LogoutResponse).
func TestAttackLogoutResponseForgery(t *testing.T) {
	t.Parallel()
	sp, other := loadKey(t, "sp"), loadKey(t, "other")
	envelope := func(body string) string {
		return `<e:Envelope xmlns:e="` + nsSOAP + `"><e:Body>` + body + `</e:Body></e:Envelope>`
	}
	partial := replace(`status:Success">`, `status:Success"><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:PartialLogout"></samlp:StatusCode>`)
	for _, tc := range []struct {
		name   string
		answer func(t *testing.T, w http.ResponseWriter, id string)
		code   identity.Code // "": confirmed
	}{
		{"good", write(func(t *testing.T, id string) string { return envelope(signedBy(t, logoutResponse(id, "Success"), sp)) }), ""},
		{"unsigned", write(func(_ *testing.T, id string) string { return envelope(logoutResponse(id, "Success")) }), "sp.unsigned"},
		{"another's signature", write(func(t *testing.T, id string) string {
			return envelope(signedBy(t, logoutResponse(id, "Success"), other))
		}), "sp.signature"},
		{"changed after signing", write(func(t *testing.T, id string) string {
			return envelope(strings.Replace(signedBy(t, logoutResponse(id, "Responder"), sp), "status:Responder", "status:Success", 1))
		}), "sp.signature"},
		{"to another request", write(func(t *testing.T, _ string) string { return envelope(signedBy(t, logoutResponse("_x", "Success"), sp)) }), "sp.logout"},
		{"of another service provider", write(func(t *testing.T, id string) string {
			return envelope(signedBy(t, replace(">"+spID+"<", ">https://other.example.test<")(logoutResponse(id, "Success")), other))
		}), "sp.logout"},
		{"a refusal", write(func(t *testing.T, id string) string {
			return envelope(signedBy(t, logoutResponse(id, "Responder"), sp))
		}), "logout.status"},
		{"not for everybody behind it", write(func(t *testing.T, id string) string {
			return envelope(signedBy(t, partial(logoutResponse(id, "Success")), sp))
		}), "logout.status"},
		{"no status", write(func(t *testing.T, id string) string {
			return envelope(signedBy(t, regexp.MustCompile(`<samlp:Status>.*</samlp:Status>`).ReplaceAllString(logoutResponse(id, "x"), ""), sp))
		}), "sp.logout"},
		{"a fault", write(func(*testing.T, string) string { return envelope(`<e:Fault><faultcode>e:Server</faultcode></e:Fault>`) }), "binding.soap"},
		{"a web page", write(func(*testing.T, string) string { return "<html></html>" }), "binding.soap"},
		{"an error of HTTP", func(_ *testing.T, w http.ResponseWriter, _ string) { w.WriteHeader(http.StatusBadRequest) }, "binding.soap"},
		{"a redirect", func(_ *testing.T, w http.ResponseWriter, _ string) {
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(http.StatusTemporaryRedirect)
		}, "binding.soap"},
		{"without end", write(func(*testing.T, string) string { return strings.Repeat("x", 1<<20) }), "binding.soap"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var request []byte
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				if err != nil || r.URL.Path != "/soap" || !strings.HasPrefix(r.Header.Get("Content-Type"), "text/xml") {
					t.Errorf("got %s %s %v", r.URL, r.Header, err)
				}
				request = body
				tc.answer(t, w, string(messageID.FindSubmatch(body)[1]))
			}))
			defer server.Close()
			w := newWorld(t, nil, func(cfg *idp.Config) {
				cfg.HTTP = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
			})
			w.party.Metadata.SP.SLO = append(w.party.Metadata.SP.SLO, endpointAt(server.URL+"/soap"))
			err := w.Tell(t.Context(), aliceThere(), identity.LogoutByUser)
			if got := identity.CodeOf(err); got != tc.code {
				t.Errorf("got %v, want %q", err, tc.code)
			}
			message := regexp.MustCompile(`(?s)<samlp:LogoutRequest.*</samlp:LogoutRequest>`).Find(request)
			checkRequest(t, message, string(messageID.FindSubmatch(request)[1]), server.URL+"/soap", identity.LogoutByUser)
			peer.ValidateXSD(t, request)
			peer.VerifyXMLSec1(t, message, w.key.PEM())
		})
	}
	t.Run("mute", func(t *testing.T) {
		t.Parallel()
		enough := make(chan struct{})
		server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-enough }))
		defer server.Close()
		defer close(enough)
		w := newWorld(t, nil, func(cfg *idp.Config) { cfg.HTTP = server.Client() })
		w.party.Metadata.SP.SLO = append(w.party.Metadata.SP.SLO, endpointAt(server.URL))
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if err := w.Tell(ctx, aliceThere(), identity.LogoutByUser); identity.CodeOf(err) != "binding.soap" {
			t.Errorf("got %v", err)
		}
	})
}

func endpointAt(location string) metadata.Endpoint {
	return metadata.Endpoint{Binding: identity.BindingSOAP, Location: location}
}

func write(text func(*testing.T, string) string) func(*testing.T, http.ResponseWriter, string) {
	return func(t *testing.T, w http.ResponseWriter, id string) {
		w.Header().Set("Content-Type", "text/xml")
		if _, err := io.WriteString(w, text(t, id)); err != nil {
			t.Log(err)
		}
	}
}

// TestLogoutAnswer takes what comes back through the browser: signed by the
// service provider, or it counts for nothing.
func TestLogoutAnswer(t *testing.T) {
	t.Parallel()
	sp, other := loadKey(t, "sp"), loadKey(t, "other")
	redirect := func(xml string, key *certs.Key) func(*testing.T) *http.Request {
		return func(t *testing.T) *http.Request {
			q := strings.Replace(redirectQuery(t, xml, "", nil), "SAMLRequest", "SAMLResponse", 1)
			if key != nil {
				q = signedQuery(t, q, *key)
			}
			return httptest.NewRequestWithContext(t.Context(), http.MethodGet, sloURL+"?"+q, nil)
		}
	}
	post := func(xml string, key *certs.Key) func(*testing.T) *http.Request {
		return func(t *testing.T) *http.Request {
			if key != nil {
				xml = signedBy(t, xml, *key)
			}
			r := at(byPOST(t, xml, ""), "/saml/slo")
			if err := r.ParseForm(); err != nil {
				t.Fatal(err)
			}
			form := url.Values{"SAMLResponse": r.PostForm["SAMLRequest"]}.Encode()
			r = httptest.NewRequestWithContext(t.Context(), http.MethodPost, sloURL, strings.NewReader(form))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("Sec-Fetch-Site", "cross-site")
			return r
		}
	}
	good, bad := logoutResponse("_1", "Success"), logoutResponse("_1", "Responder")
	for _, tc := range []struct {
		name    string
		request func(*testing.T) *http.Request
		want    []string // what Logouts is told
		code    string   // on the page
	}{
		{"by Redirect", redirect(good, &sp), []string{"app _1"}, ""},
		{"by POST", post(good, &sp), []string{"app _1"}, ""},
		{"a refusal", redirect(bad, &sp), []string{"app _1 logout.status"}, ""},
		{"unsigned by Redirect", redirect(good, nil), nil, "sp.unsigned"},
		{"unsigned by POST", post(good, nil), nil, "sp.unsigned"},
		{"another's signature by Redirect", redirect(good, &other), nil, "sp.signature"},
		{"another's signature by POST", post(good, &other), nil, "sp.signature"},
		{"of nobody whom we know", post(replace(">"+spID+"<", ">https://evil.example.test<")(good), &other), nil, "sp.unknown"},
		{"for another address", post(replace(sloURL, "https://evil.example.test")(good), &sp), nil, "sp.destination"},
		{"to nothing", post(replace(` InResponseTo="_1"`, "")(good), &sp), nil, "sp.logout"},
		{"a login's Response", post(replace("LogoutResponse>", "Response>")(replace("<samlp:LogoutResponse", "<samlp:Response")(good)), &sp), nil, "sp.logout"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil, nil)
			rec := httptest.NewRecorder()
			w.handler.ServeHTTP(rec, tc.request(t))
			if diff := cmp.Diff(tc.want, w.auth.answered); diff != "" {
				t.Errorf("Logouts was told (-want +got):\n%s\n%s", diff, rec.Body)
			}
			framed := rec.Header().Get("X-Frame-Options") == "SAMEORIGIN" && strings.Contains(rec.Header().Get("Content-Security-Policy"), "frame-ancestors 'self'")
			if good := tc.code == ""; good != framed || good != (rec.Code == http.StatusOK) || !strings.Contains(rec.Body.String(), tc.code) {
				t.Errorf("got %d %v\n%s", rec.Code, rec.Header(), rec.Body)
			}
		})
	}
	t.Run("out of its frame", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, nil, nil)
		r := redirect(good, &sp)(t)
		r.Header.Set("Sec-Fetch-Dest", "document")
		if got := w.send(r); got.status != http.StatusSeeOther || got.location != "/logout/progress?t=1" {
			t.Errorf("got %d to %q", got.status, got.location)
		}
	})
}
