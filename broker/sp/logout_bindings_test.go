package sp_test

import (
	"crypto"
	"crypto/rand"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/crewjam/saml"
	"github.com/google/go-cmp/cmp"

	"github.com/samlet-id/samlet/binding"
	"github.com/samlet-id/samlet/broker/sp"
	"github.com/samlet-id/samlet/certs"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/peer"
	"github.com/samlet-id/samlet/internal/xmlsec"
	"github.com/samlet-id/samlet/metadata"
)

const ourSLOSOAP = ourSLO + "/soap"

// chained is a connector whose upstream has single logout by these endpoints.
func chained(t testing.TB, endpoints ...metadata.Endpoint) *sp.Connector {
	t.Helper()
	cfg := config(t, idpID, testKeys(t).idp.signer.Public())
	cfg.SLO, cfg.SLOSOAP, cfg.HTTP = ourSLO, ourSLOSOAP, http.DefaultClient
	cfg.IDP.IDP.SLO = endpoints
	return connect(t, cfg)
}

func theirKey(p party) *certs.Key {
	return &certs.Key{ID: "theirs", Use: certs.Signing, State: certs.Active, Signer: p.signer}
}

// logoutXML writes a message of the upstream, signed inside if there is a key. The
// goal is a Destination, or the status of a LogoutResponse by SOAP.
func logoutXML(t testing.TB, name, goal, inResponseTo, issuer string, key *certs.Key) string {
	t.Helper()
	destination, status := goal, saml.StatusSuccess
	if strings.HasPrefix(goal, "urn:") {
		destination, status = "", goal
	}
	w := xmlsec.NewWriter()
	w.Open("samlp:"+name, "ID", "_theirs", "Version", "2.0", "IssueInstant", stamp(0), "Destination", destination, "InResponseTo", inResponseTo)
	w.Element("saml:Issuer", issuer)
	if key != nil {
		w.SignatureSlot()
	}
	if name == "LogoutRequest" {
		w.Element("saml:NameID", "ada.example", "Format", string(identity.FormatPersistent))
		w.Element("samlp:SessionIndex", "_session")
	} else {
		w.Open("samlp:Status")
		w.Element("samlp:StatusCode", "", "Value", status)
		w.Close()
	}
	w.Close()
	finish := w.Bytes
	if key != nil {
		finish = func() ([]byte, error) { return w.Sign(*key) }
	}
	octets, err := finish()
	if err != nil {
		t.Fatal(err)
	}
	return string(octets)
}

// TestAttackUpstreamLogoutForgeryByPOST reads LogoutRequests by HTTP-POST and by
// SOAP: only what this upstream signed, for this very address, ends anything.
func TestAttackUpstreamLogoutForgeryByPOST(t *testing.T) {
	t.Parallel()
	k := testKeys(t)
	good, bad := theirKey(k.idp), theirKey(k.other)
	for _, tc := range []struct {
		name, issuer, elsewhere string
		key                     *certs.Key
		edit                    func(string) string
		code                    identity.Code
	}{
		{name: "good", issuer: idpID, key: good},
		{name: "unsigned", issuer: idpID, code: "up.unsigned"},
		{name: "another's key", issuer: idpID, key: bad, code: "up.signature"},
		{name: "another upstream", issuer: otherID, key: bad, code: "up.issuer"},
		{name: "changed after signing", issuer: idpID, key: good, edit: func(s string) string { return strings.Replace(s, ">ada.example<", ">bob.example<", 1) }, code: "up.signature"},
		{name: "for another address", issuer: idpID, key: good, elsewhere: "https://x.example.test/slo", code: "up.destination"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			c := chained(t, metadata.Endpoint{Binding: identity.BindingPOST, Location: idpSLO})
			write := func(here string) string {
				if tc.elsewhere != "" {
					here = tc.elsewhere
				}
				xml := logoutXML(t, "LogoutRequest", here, "", tc.issuer, tc.key)
				if tc.edit != nil {
					xml = tc.edit(xml)
				}
				return xml
			}
			msg := binding.Post(ourSLO, binding.ParamRequest, []byte(write(ourSLO)), "r")
			byPOST, err := c.ReadLogout(binding.Received{Method: http.MethodPost, Form: msg.Form})
			if identity.CodeOf(err) != tc.code {
				t.Errorf("by POST: got %v, want %q", err, tc.code)
			}
			env, err := binding.ParseSOAP(binding.SOAP(nil, []byte(write(ourSLOSOAP))))
			if err != nil {
				t.Fatal(err)
			}
			bySOAP, err := c.ReadLogoutSOAP(env)
			if identity.CodeOf(err) != tc.code {
				t.Errorf("by SOAP: got %v, want %q", err, tc.code)
			}
			if tc.code != "" {
				return
			}
			for _, m := range []sp.LogoutMessage{byPOST, bySOAP} {
				if m.Principal.Subject != "ada.example" || m.Principal.Issuer != idpID || len(m.Indexes) != 1 {
					t.Errorf("got %+v", m)
				}
			}
		})
	}
}

// TestLogoutByPOST asks and answers an upstream that has nothing but HTTP-POST.
func TestLogoutByPOST(t *testing.T) {
	t.Parallel()
	c := chained(t, metadata.Endpoint{Binding: identity.BindingPOST, Location: idpSLO, ResponseLocation: idpSLO + "/answer"})
	if diff := cmp.Diff(identity.Reach{Browser: true, Origins: []string{"https://idp.partner.example.test"}}, c.Reach()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	a := upstream{}.Says()
	msg, id, err := c.Lead(t.Context(), identity.UpstreamSession{Principal: a.Principal, Index: a.Session}, identity.LogoutByUser)
	if err != nil || msg.URL != idpSLO {
		t.Fatalf("got %+v, %v", msg, err)
	}
	wantSigned(t, msg, binding.ParamRequest, `ID="`+id+`"`, ">_session<", ">ada.example<", `NotOnOrAfter="2026-11-23T12:05:00Z"`)
	state := []byte(`{"in_response_to":"_asked","binding":"` + identity.BindingPOST + `"}`)
	if msg, err = c.AnswerLogout(t.Context(), state, false); err != nil || msg.URL != idpSLO+"/answer" {
		t.Fatalf("got %+v, %v", msg, err)
	}
	wantSigned(t, msg, binding.ParamResponse, `InResponseTo="_asked"`, saml.StatusSuccess, saml.StatusPartialLogout)
	if msg, err = c.RefuseLogout(state, &identity.Error{Kind: identity.KindNotFound, Code: "logout.unknown"}); err != nil {
		t.Fatal(err)
	}
	wantSigned(t, msg, binding.ParamResponse, saml.StatusRequester, saml.StatusUnknownPrincipal)
}

// wantSigned checks a form of ours: valid, signed with our key, with these parts.
func wantSigned(t *testing.T, msg binding.Message, param string, parts ...string) {
	t.Helper()
	got, err := binding.Decode(binding.Received{Method: http.MethodPost, Form: msg.Form}, param)
	if err != nil {
		t.Fatal(err)
	}
	peer.ValidateXSD(t, got.XML)
	doc, err := xmlsec.Parse(got.XML, xmlsec.RequestLimits())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := doc.Verify(doc.Root(), xmlsec.Trust{Keys: []crypto.PublicKey{testKeys(t).spSigning.signer.Public()}}); err != nil {
		t.Error(err)
	}
	for _, part := range parts {
		if !strings.Contains(string(got.XML), part) {
			t.Errorf("no %s in %s", part, got.XML)
		}
	}
}

var requestID = regexp.MustCompile(`LogoutRequest [^>]*\bID="([^"]+)"`)

// TestLogoutBySOAP calls upstreams of all sorts: only a signed answer to this very
// request, with Success, counts.
func TestLogoutBySOAP(t *testing.T) {
	t.Parallel()
	k := testKeys(t)
	for _, tc := range []struct {
		name, inResponseTo string // "": as it should be
		key                *certs.Key
		status             string
		code               identity.Code
	}{
		{name: "good", key: theirKey(k.idp)},
		{name: "unsigned", code: "up.unsigned"},
		{name: "another's key", key: theirKey(k.other), code: "up.signature"},
		{name: "to another request", key: theirKey(k.idp), inResponseTo: "_x", code: "up.format"},
		{name: "no Success", key: theirKey(k.idp), status: saml.StatusResponder, code: "up.logout"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				m := requestID.FindStringSubmatch(string(body))
				if err != nil || m == nil {
					t.Errorf("no LogoutRequest came: %v %s", err, body)
					return
				}
				to := m[1]
				if tc.inResponseTo != "" {
					to = tc.inResponseTo
				}
				xml := logoutXML(t, "LogoutResponse", tc.status, to, idpID, tc.key)
				binding.WriteSOAP(w, http.StatusOK, binding.SOAP(nil, []byte(xml)))
			}))
			defer server.Close()
			c := chained(t, metadata.Endpoint{Binding: identity.BindingSOAP, Location: server.URL})
			if !c.Reach().Direct {
				t.Error("it cannot be told directly")
			}
			a := upstream{}.Says()
			err := c.Tell(t.Context(), identity.UpstreamSession{Principal: a.Principal, Index: a.Session}, identity.LogoutByUser)
			if identity.CodeOf(err) != tc.code {
				t.Errorf("got %v, want %q", err, tc.code)
			}
		})
	}
	c := chained(t)
	m := sp.LogoutMessage{ID: "_asked"}
	for status, answer := range map[string]func() ([]byte, error){
		saml.StatusPartialLogout: func() ([]byte, error) { return c.AnswerLogoutSOAP(m, false, nil) },
		saml.StatusRequestDenied: func() ([]byte, error) {
			return c.AnswerLogoutSOAP(m, false, &identity.Error{Kind: identity.KindReplayed, Code: "logout.replay"})
		},
	} {
		octets, err := answer()
		if err != nil || !strings.Contains(string(octets), status) || !strings.Contains(string(octets), "<ds:Signature") {
			t.Errorf("no %s in %s: %v", status, octets, err)
		}
	}
}

// FuzzReadLogout reads forms that anybody may send.
func FuzzReadLogout(f *testing.F) {
	c := chained(f, metadata.Endpoint{Binding: identity.BindingPOST, Location: idpSLO})
	for _, key := range []*certs.Key{nil, theirKey(testKeys(f).other)} {
		f.Add(logoutXML(f, "LogoutRequest", ourSLO, "", idpID, key))
		f.Add(logoutXML(f, "LogoutResponse", ourSLO, "_q", idpID, key))
	}
	f.Fuzz(func(t *testing.T, xml string) {
		msg := binding.Post(ourSLO, binding.ParamRequest, []byte(xml), "")
		if m, err := c.ReadLogout(binding.Received{Method: http.MethodPost, Form: msg.Form}); err == nil {
			t.Errorf("believed without the key of the upstream: %+v", m)
		}
	})
}

// TestLogoutOfAnEncryptedID opens the NameID of a LogoutRequest with either of our
// keys (IIP-SP16).
func TestLogoutOfAnEncryptedID(t *testing.T) {
	t.Parallel()
	k := testKeys(t)
	for name, tc := range map[string]struct {
		to   party
		code identity.Code
	}{"our key": {k.spEncryption, ""}, "our next key": {k.spNext, ""}, "another's key": {k.other, "up.encrypted"}} {
		w := xmlsec.NewWriter()
		w.Open("samlp:LogoutRequest", "ID", "_theirs", "Version", "2.0", "IssueInstant", stamp(0), "Destination", ourSLO)
		w.Element("saml:Issuer", idpID)
		w.SignatureSlot()
		w.Open("saml:EncryptedID")
		w.EncryptedData([]byte(`<saml:NameID xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion">ada.example</saml:NameID>`), xmlsec.EncryptTo{
			Key: tc.to.signer.Public(), Content: xmlsec.AlgAES256GCM, KeyTransport: xmlsec.AlgRSAOAEPMGF1P, Digest: xmlsec.AlgSHA1,
		}, rand.Reader)
		w.Close()
		w.Close()
		octets, err := w.Sign(*theirKey(k.idp))
		if err != nil {
			t.Fatal(err)
		}
		msg := binding.Post(ourSLO, binding.ParamRequest, octets, "")
		m, err := chained(t).ReadLogout(binding.Received{Method: http.MethodPost, Form: msg.Form})
		if identity.CodeOf(err) != tc.code || (err == nil && m.Principal.Subject != "ada.example") {
			t.Errorf("%s: got %+v, %v", name, m.Principal, err)
		}
	}
}
