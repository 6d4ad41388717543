package idp_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/samlet-id/samlet/binding"
	"github.com/samlet-id/samlet/certs"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/idp"
	"github.com/samlet-id/samlet/internal/peer"
	"github.com/samlet-id/samlet/internal/xmlsec"
)

const (
	sloURL   = "https://login.example.test/saml/slo"
	soapURL  = "https://login.example.test/saml/slo/soap"
	spSLO    = "https://app.example.test/saml/slo"
	spReply  = "https://app.example.test/saml/slo/answer"
	nsSOAP   = "http://schemas.xmlsoap.org/soap/envelope/"
	asyncExt = `<samlp:Extensions><aslo:Asynchronous xmlns:aslo="urn:oasis:names:tc:SAML:2.0:protocol:ext:async-slo"/></samlp:Extensions>`
)

// offers puts SingleLogoutService endpoints into the service provider's metadata.
func offers(endpoints ...string) func(string) string {
	all := ""
	for _, e := range endpoints {
		all += e
	}
	return func(md string) string {
		return strings.Replace(md, "<md:AssertionConsumerService ", all+"<md:AssertionConsumerService ", 1)
	}
}

var (
	sloRedirect = `<md:SingleLogoutService Binding="` + identity.BindingRedirect + `" Location="` + spSLO + `" ResponseLocation="` + spReply + `"/>`
	sloPOST     = `<md:SingleLogoutService Binding="` + identity.BindingPOST + `" Location="` + spSLO + `" ResponseLocation="` + spReply + `"/>`
)

// logoutRequest is the LogoutRequest that the tests' cases change.
const logoutRequest = `<samlp:LogoutRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"` +
	` ID="_logout1" Version="2.0" IssueInstant="2026-11-23T12:00:00Z" Destination="` + sloURL + `" Reason="urn:oasis:names:tc:SAML:2.0:logout:user">` +
	`<saml:Issuer>` + spID + `</saml:Issuer>` +
	`<saml:NameID Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent" NameQualifier="` + entityID + `" SPNameQualifier="` + spID + `">k7w3xq2n5v4r6t7y2a3b4c5d6e7f2g3h</saml:NameID>` +
	`<samlp:SessionIndex>s-1</samlp:SessionIndex><samlp:SessionIndex>s-2</samlp:SessionIndex></samlp:LogoutRequest>`

func logout(edits ...func(string) string) string {
	xml := logoutRequest
	for _, e := range edits {
		xml = e(xml)
	}
	return xml
}

// at sends a message that was made for another endpoint to this one.
func at(r *http.Request, path string) *http.Request {
	r.URL.Path = path
	return r
}

// inEnvelope wraps a message in an envelope, written here.
func inEnvelope(t testing.TB, xml string) *http.Request {
	t.Helper()
	body := `<?xml version="1.0"?><SOAP-ENV:Envelope xmlns:SOAP-ENV="` + nsSOAP + `"><SOAP-ENV:Body>` + xml + `</SOAP-ENV:Body></SOAP-ENV:Envelope>`
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, soapURL, strings.NewReader(body))
	r.Header.Set("Content-Type", "text/xml")
	r.Header.Set("SOAPAction", "http://www.oasis-open.org/committees/security")
	return r
}

// sentBack is what came of a LogoutRequest, whichever way the answer goes.
func (w *world) sentBack(t testing.TB, r *http.Request) answer {
	t.Helper()
	a := w.send(r)
	if m := onward.FindStringSubmatch(a.page); m != nil && a.location == "" {
		a.location = html.UnescapeString(m[1])
	}
	if strings.HasPrefix(a.location, "https://app.example.test/") {
		a.response, a.relayState = w.inQuery(t, a.location, "SAMLResponse")
		a.action, _, _ = strings.Cut(a.location, "?")
	}
	if strings.Contains(a.page, nsSOAP) {
		env, err := binding.ParseSOAP([]byte(a.page))
		if err != nil {
			t.Fatal(err)
		}
		if env.Body.Local == "LogoutResponse" {
			a.response = env.Body.Raw()
		}
	}
	return a
}

// inQuery reads a message of ours out of a query, whose signature it checks with
// crypto/rsa.
func (w *world) inQuery(t testing.TB, address, param string) (xml []byte, relayState string) {
	t.Helper()
	_, query, _ := strings.Cut(address, "?")
	signed, signature, ok := strings.Cut(query, "&Signature=")
	if !ok {
		t.Fatalf("not signed: %s", address)
	}
	signature, err := url.QueryUnescape(signature)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(signed))
	if err := rsa.VerifyPKCS1v15(w.key.Public().(*rsa.PublicKey), crypto.SHA256, sum[:], decoded(t, signature)); err != nil {
		t.Errorf("the signature of %s: %v", address, err)
	}
	msg, err := binding.Decode(binding.Received{Method: http.MethodGet, RawQuery: query}, param)
	if err != nil {
		t.Fatal(err)
	}
	return msg.XML, msg.RelayState
}

// onward is the link of a page that leads on with GET.
var onward = regexp.MustCompile(`href="(https://app\.example\.test/[^"]*SAMLResponse=[^"]*)"`)

// text is the page without its head, or the fault.
func (a answer) text() string {
	_, main, ok := strings.Cut(a.page, "<main")
	if !ok {
		return a.page
	}
	return main
}

// TestLogoutRequest sends it by each binding: it is put into our own words, and
// the answer goes to the ResponseLocation, signed, with the RelayState as it was.
func TestLogoutRequest(t *testing.T) {
	t.Parallel()
	sp := loadKey(t, "sp")
	want := identity.Logout{
		RelyingParty: "app", Audience: spID,
		Principal: identity.Principal{
			Subject: "k7w3xq2n5v4r6t7y2a3b4c5d6e7f2g3h", Format: identity.FormatPersistent, NameQualifier: entityID, SPNameQualifier: spID,
		},
		Indexes: []identity.SessionID{"s-1", "s-2"}, Message: "saml " + spID + " _logout1", Expires: noon.Add(11 * time.Minute),
	}
	for _, tc := range []struct {
		name    string
		offers  []string
		request func(testing.TB) *http.Request
		action  string
		inXML   bool // the signature is in the XML
	}{
		{"Redirect", []string{sloPOST, sloRedirect}, func(t testing.TB) *http.Request {
			return at(byRedirect(t, logoutRequest, "the state", &sp), "/saml/slo")
		}, spReply, false},
		{"POST", []string{sloRedirect, sloPOST}, func(t testing.TB) *http.Request {
			return at(byPOST(t, signedBy(t, logoutRequest, sp), "the state"), "/saml/slo")
		}, spReply, true},
		{"POST answered by Redirect", []string{sloRedirect}, func(t testing.TB) *http.Request {
			return at(byPOST(t, signedBy(t, logoutRequest, sp), "the state"), "/saml/slo")
		}, spReply, false},
		{"Redirect answered by POST", []string{sloPOST}, func(t testing.TB) *http.Request {
			return at(byRedirect(t, logoutRequest, "the state", &sp), "/saml/slo")
		}, spReply, true},
		{"SOAP", nil, func(t testing.TB) *http.Request {
			return inEnvelope(t, signedBy(t, logout(replace(`Destination="`+sloURL, `Destination="`+soapURL)), sp))
		}, "", true},
		{"SOAP without Destination", nil, func(t testing.TB) *http.Request {
			return inEnvelope(t, signedBy(t, logout(replace(` Destination="`+sloURL+`"`, ``)), sp))
		}, "", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, offers(tc.offers...), nil)
			got := w.sentBack(t, tc.request(t))
			if got.codes() != "Success" {
				t.Fatalf("got %d %q %s\n%s", got.status, got.codes(), got.text(), w.log)
			}
			asked := *w.auth.left
			asked.State = nil
			if diff := cmp.Diff(want, asked); diff != "" {
				t.Errorf("what was asked (-want +got):\n%s", diff)
			}
			if got.action != tc.action || tc.action != "" && got.relayState != "the state" {
				t.Errorf("answered to %q with RelayState %q, want %q", got.action, got.relayState, tc.action)
			}
			peer.ValidateXSD(t, got.response)
			rs := string(got.response)
			if tc.inXML {
				w.verified(t, got.response)
				peer.VerifyXMLSec1(t, got.response, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: w.key.Certificate.Raw}))
			} else if strings.Contains(rs, "ds:Signature") {
				t.Errorf("signed in two ways:\n%s", rs)
			}
			for _, part := range []string{`InResponseTo="_logout1"`, `>` + entityID + `</saml:Issuer>`} {
				if !strings.Contains(rs, part) {
					t.Errorf("no %s in %s", part, rs)
				}
			}
			if got := strings.Contains(rs, `Destination="`+tc.action+`"`); got != (tc.action != "") {
				t.Errorf("the Destination is not %q: %s", tc.action, rs)
			}
		})
	}
}

// TestAttackLogoutRequestForgery sends what nobody whom we know has signed as it
// stands. It is refused on a page, or with a fault, and nothing ends.
func TestAttackLogoutRequestForgery(t *testing.T) {
	t.Parallel()
	sp, other := loadKey(t, "sp"), loadKey(t, "other")
	post := func(edits ...func(string) string) func(testing.TB) *http.Request {
		return func(t testing.TB) *http.Request { return at(byPOST(t, logout(edits...), ""), "/saml/slo") }
	}
	signed := func(key certs.Key, after func(string) string, edits ...func(string) string) func(testing.TB) *http.Request {
		return func(t testing.TB) *http.Request {
			xml := signedBy(t, logout(edits...), key)
			if after != nil {
				xml = after(xml)
			}
			return at(byPOST(t, xml, ""), "/saml/slo")
		}
	}
	for name, tc := range map[string]struct {
		request func(testing.TB) *http.Request
		code    identity.Code
	}{
		"unsigned by POST":     {post(), "sp.unsigned"},
		"unsigned by Redirect": {func(t testing.TB) *http.Request { return at(byRedirect(t, logoutRequest, "", nil), "/saml/slo") }, "sp.unsigned"},
		"unsigned by SOAP":     {func(t testing.TB) *http.Request { return inEnvelope(t, logoutRequest) }, "sp.unsigned"},
		"by Redirect, signed in the XML alone": {func(t testing.TB) *http.Request {
			return at(byRedirect(t, signedBy(t, logoutRequest, sp), "", nil), "/saml/slo")
		}, "sp.unsigned"},
		"another's key by POST":     {signed(other, nil), "sp.signature"},
		"another's key by Redirect": {func(t testing.TB) *http.Request { return at(byRedirect(t, logoutRequest, "", &other), "/saml/slo") }, "sp.signature"},
		"another's key by SOAP":     {func(t testing.TB) *http.Request { return inEnvelope(t, signedBy(t, logoutRequest, other)) }, "sp.signature"},
		"a RelayState that was not signed": {func(t testing.TB) *http.Request {
			r := at(byRedirect(t, logoutRequest, "", &sp), "/saml/slo")
			r.URL.RawQuery += "&RelayState=x"
			return r
		}, "sp.signature"},
		"another NameID after signing":       {signed(sp, replace("k7w3xq2n", "k8w3xq2n")), "sp.signature"},
		"another SessionIndex after signing": {signed(sp, replace(">s-1<", ">s-9<")), "sp.signature"},
		"a SessionIndex dropped":             {signed(sp, replace("<samlp:SessionIndex>s-1</samlp:SessionIndex>", "")), "sp.signature"},
		"a comment in the NameID":            {signed(sp, replace("k7w3xq2n", "k7w3xq2n<!-- -->")), ""},
		"somebody whom we do not know":       {signed(sp, nil, replace(">"+spID+"<", ">https://evil.example.test<")), "sp.unknown"},
		"for another address":                {signed(sp, nil, replace(sloURL, "https://other.example.test/slo")), "sp.destination"},
		"for no address":                     {signed(sp, nil, replace(` Destination="`+sloURL+`"`, "")), "sp.destination"},
		"for the other endpoint":             {func(t testing.TB) *http.Request { return inEnvelope(t, signedBy(t, logoutRequest, sp)) }, "sp.destination"},
		"an AuthnRequest":                    {func(t testing.TB) *http.Request { return at(byPOST(t, signedBy(t, authnRequest, sp), ""), "/saml/slo") }, "sp.logout"},
		"nobody named": {signed(sp, nil, func(s string) string {
			a, b := strings.Index(s, "<saml:NameID"), strings.Index(s, "<samlp:SessionIndex")
			return s[:a] + s[b:]
		}), "sp.logout"},
		"two named":          {signed(sp, nil, replace("<saml:NameID ", `<saml:BaseID xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="x"/><saml:NameID `)), "sp.logout"},
		"an empty NameID":    {signed(sp, nil, replace("k7w3xq2n5v4r6t7y2a3b4c5d6e7f2g3h", "")), "sp.logout"},
		"an SPProvidedID":    {signed(sp, nil, replace(`<saml:NameID `, `<saml:NameID SPProvidedID="x" `)), "sp.logout"},
		"an empty index":     {signed(sp, nil, replace(">s-1<", "><")), "sp.logout"},
		"no ID":              {post(replace(` ID="_logout1"`, "")), "sp.logout"},
		"no Version":         {post(replace(` Version="2.0"`, "")), "sp.logout"},
		"no IssueInstant":    {post(replace(`2026-11-23T12:00:00Z`, "today")), "sp.logout"},
		"no Issuer":          {post(replace(`<saml:Issuer>`+spID+`</saml:Issuer>`, "")), "sp.logout"},
		"out of order":       {post(replace(`</samlp:LogoutRequest>`, asyncExt+`</samlp:LogoutRequest>`)), "sp.logout"},
		"a bad NotOnOrAfter": {post(replace(` ID=`, ` NotOnOrAfter="x" ID=`)), "sp.logout"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, offers(sloRedirect, sloPOST), nil)
			got := w.sentBack(t, tc.request(t))
			if w.auth.left != nil || got.response != nil || got.status < 400 {
				t.Errorf("got %d %s, and %v ended", got.status, got.text(), w.auth.left)
			}
			if !strings.Contains(got.page, string(tc.code)) {
				t.Errorf("want code %s: %s", tc.code, got.text())
			}
		})
	}
}

// TestLogoutRefusals lists requests that are authentic and are not carried out:
// the service provider is told why, signed.
func TestLogoutRefusals(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		edit      func(string) string
		configure func(*world)
		want      string
	}{
		"another version": {edit: replace(`Version="2.0"`, `Version="1.1"`), want: "VersionMismatch/RequestVersionTooLow"},
		"too old":         {edit: replace("12:00:00Z", "11:51:59Z"), want: "Requester/RequestDenied"},
		"of the future":   {edit: replace("12:00:00Z", "12:03:01Z"), want: "Requester/RequestDenied"},
		"expired":         {edit: replace(` ID=`, ` NotOnOrAfter="2026-11-23T11:57:00Z" ID=`), want: "Requester/RequestDenied"},
		"a BaseID": {edit: func(s string) string {
			a, b := strings.Index(s, "<saml:NameID"), strings.Index(s, "<samlp:SessionIndex")
			return s[:a] + `<saml:BaseID xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="x"/>` + s[b:]
		}, want: "Requester/RequestUnsupported"},
		"an EncryptedID that no key opens": {edit: func(s string) string {
			a, b := strings.Index(s, "<saml:NameID"), strings.Index(s, "<samlp:SessionIndex")
			return s[:a] + `<saml:EncryptedID/>` + s[b:]
		}, want: "Requester/RequestDenied"},
		"no session of that name": {configure: func(w *world) {
			w.auth.err = &identity.Error{Kind: identity.KindNotFound, Code: "logout.unknown", Msg: "no"}
		}, want: "Requester/UnknownPrincipal"},
		"a replay": {configure: func(w *world) {
			w.auth.err = &identity.Error{Kind: identity.KindReplayed, Code: "logout.replay", Msg: "no"}
		}, want: "Requester/RequestDenied"},
		"the store is away": {configure: func(w *world) {
			w.auth.err = &identity.Error{Kind: identity.KindUnavailable, Code: "store.busy", Msg: "no"}
		}, want: "Responder"},
		"not allowed": {configure: func(w *world) { w.party.NoLogout = true }, want: "Requester/RequestDenied"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sp := loadKey(t, "sp")
			for by, request := range map[string]func(string) *http.Request{
				"Redirect": func(s string) *http.Request { return at(byRedirect(t, s, "r", &sp), "/saml/slo") },
				"POST":     func(s string) *http.Request { return at(byPOST(t, signedBy(t, s, sp), "r"), "/saml/slo") },
				"SOAP": func(s string) *http.Request {
					return inEnvelope(t, signedBy(t, strings.Replace(s, sloURL, soapURL, 1), sp))
				},
			} {
				w := newWorld(t, offers(sloRedirect, sloPOST), nil)
				if tc.configure != nil {
					tc.configure(w)
				}
				xml := logoutRequest
				if tc.edit != nil {
					xml = tc.edit(xml)
				}
				got := w.sentBack(t, request(xml))
				if got.codes() != tc.want {
					t.Errorf("%s: got %q, want %q: %d %s", by, got.codes(), tc.want, got.status, got.text())
				}
				if w.auth.err == nil && w.auth.left != nil {
					t.Errorf("%s: it was carried out", by)
				}
				if by != "Redirect" && got.response != nil {
					w.verified(t, got.response)
				}
			}
		})
	}
}

// TestLogoutNobodyIsTold holds when there is no answer: the Asynchronous
// extension, and a service provider without an endpoint for it.
func TestLogoutNobodyIsTold(t *testing.T) {
	t.Parallel()
	sp := loadKey(t, "sp")
	async := replace(`<saml:NameID `, asyncExt+`<saml:NameID `)
	for name, tc := range map[string]struct {
		offers []string
		edits  []func(string) string
	}{
		"asynchronous": {[]string{sloRedirect}, []func(string) string{async}},
		"no endpoint":  {nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, offers(tc.offers...), nil)
			w.auth.redirect = "/logout/progress?t=1"
			got := w.sentBack(t, at(byRedirect(t, logout(tc.edits...), "", &sp), "/saml/slo"))
			if got.location != w.auth.redirect || w.auth.left == nil || w.auth.left.State != nil {
				t.Errorf("got %d to %q, kept %+v", got.status, got.location, w.auth.left)
			}
			w.auth.err = &identity.Error{Kind: identity.KindNotFound, Code: "logout.unknown", Msg: "no"}
			if got := w.sentBack(t, at(byRedirect(t, logout(tc.edits...), "", &sp), "/saml/slo")); got.response != nil || !strings.Contains(got.page, "logout.unknown") {
				t.Errorf("a refusal: %d %s", got.status, got.page)
			}
		})
	}
	t.Run("asynchronous by SOAP, where HTTP answers anyhow", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, nil, nil)
		got := w.sentBack(t, inEnvelope(t, signedBy(t, logout(async, replace(` Destination="`+sloURL+`"`, ``)), sp)))
		if got.codes() != "Success" {
			t.Errorf("got %q", got.codes())
		}
	})
}

// TestPartialLogout holds what whoever asked is told when others may still know
// the person (SAML Profiles 4.4.3.5).
func TestPartialLogout(t *testing.T) {
	t.Parallel()
	sp := loadKey(t, "sp")
	w := newWorld(t, offers(sloRedirect), nil)
	w.auth.partial = true
	if got := w.sentBack(t, inEnvelope(t, signedBy(t, logout(replace(` Destination="`+sloURL+`"`, ``)), sp))); got.codes() != "Success/PartialLogout" {
		t.Errorf("SOAP: got %q", got.codes())
	}
	w.auth.redirect = "/logout/progress?t=1"
	if got := w.sentBack(t, at(byRedirect(t, logoutRequest, "r&s", &sp), "/saml/slo")); got.location != w.auth.redirect {
		t.Fatalf("got %d to %q", got.status, got.location)
	}
	for complete, want := range map[bool]string{true: "Success", false: "Success/PartialLogout"} {
		msg, err := w.AnswerLogout(t.Context(), w.auth.left.State, complete)
		if err != nil {
			t.Fatal(err)
		}
		rs, relayState := w.inQuery(t, msg.URL, "SAMLResponse")
		if got := (answer{response: rs}).codes(); got != want || relayState != "r&s" {
			t.Errorf("complete %t: got %q with RelayState %q", complete, got, relayState)
		}
	}
}

// TestEncryptedID decrypts with the active and with the next key (IIP-IDP19).
func TestEncryptedID(t *testing.T) {
	t.Parallel()
	sp := loadKey(t, "sp")
	var keys []certs.Key
	for id, state := range map[string]certs.State{"enc-1": certs.Active, "enc-2": certs.Next} {
		k, _, _, err := certs.Generate(certs.GenerateConfig{ID: id, Use: certs.Encryption, CommonName: "login.example.test", Now: time.Now, Rand: rand.Reader})
		if err != nil {
			t.Fatal(err)
		}
		k.State = state
		keys = append(keys, k)
	}
	w := newWorld(t, offers(sloRedirect), func(cfg *idp.Config) {
		ring, err := certs.NewRing(append([]certs.Key{loadKey(t, "idp")}, keys...))
		if err != nil {
			t.Fatal(err)
		}
		cfg.Keys = ring
	})
	doc, err := w.Metadata()
	if err != nil {
		t.Fatal(err)
	}
	a, b := strings.Index(logoutRequest, "<saml:NameID"), strings.Index(logoutRequest, "<samlp:SessionIndex")
	name := strings.Replace(logoutRequest[a:b], "<saml:NameID", `<saml:NameID xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"`, 1)
	for _, k := range keys {
		if !strings.Contains(string(doc.Body), base64.StdEncoding.EncodeToString(k.Certificate.Raw)) {
			t.Errorf("%s is not published", k.ID)
		}
		x := xmlsec.NewWriter()
		x.Open("saml:EncryptedID")
		x.EncryptedData([]byte(name), xmlsec.EncryptTo{Key: k.Public()}, rand.Reader)
		x.Close()
		id, err := x.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		request := strings.Replace(logoutRequest[:a]+string(id)+logoutRequest[b:], "_logout1", "_"+k.ID, 1)
		peer.ValidateXSD(t, []byte(request))
		got := w.sentBack(t, at(byRedirect(t, request, "", &sp), "/saml/slo"))
		if got.codes() != "Success" || w.auth.left.Principal.Subject != "k7w3xq2n5v4r6t7y2a3b4c5d6e7f2g3h" || w.auth.left.Principal.SPNameQualifier != spID {
			t.Errorf("%s: got %q %s, %+v", k.ID, got.codes(), got.message(), w.auth.left)
		}
	}
}

// FuzzLogout: no message of single logout makes us panic or fail, or ends
// anything without a signature.
func FuzzLogout(f *testing.F) {
	f.Add(logoutRequest, false)
	f.Add(logout(replace(`<saml:NameID `, asyncExt+`<saml:NameID `)), true)
	f.Add(signedBy(f, logoutRequest, loadKey(f, "other")), false)
	f.Add(logoutResponse("_1", "Success"), true)
	w := newWorld(f, offers(sloRedirect, sloPOST), nil)
	f.Fuzz(func(t *testing.T, xml string, answer bool) {
		w.log.Reset()
		form := url.Values{"SAMLRequest": {base64.StdEncoding.EncodeToString([]byte(xml))}}
		if answer {
			form = url.Values{"SAMLResponse": form["SAMLRequest"]}
		}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, sloURL, strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		soap := httptest.NewRequestWithContext(t.Context(), http.MethodPost, soapURL, strings.NewReader(xml))
		soap.Header.Set("Content-Type", "text/xml")
		if got := w.send(r); got.status >= 500 || w.auth.left != nil || w.auth.answered != nil {
			t.Fatalf("%d: %s", got.status, w.log)
		}
		if got := w.send(soap); got.status != http.StatusInternalServerError || !strings.Contains(got.page, "S:Client") && !strings.Contains(got.page, "S:MustUnderstand") && !strings.Contains(got.page, "S:VersionMismatch") || w.auth.left != nil {
			t.Fatalf("SOAP: %d %s: %s", got.status, got.page, w.log)
		}
	})
}

// logoutResponse is a service provider's answer to our LogoutRequest.
func logoutResponse(inResponseTo, status string) string {
	return fmt.Sprintf(`<samlp:LogoutResponse xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"`+
		` ID="_answer1" Version="2.0" IssueInstant="2026-11-23T12:00:00Z" Destination="%s" InResponseTo="%s"><saml:Issuer>%s</saml:Issuer>`+
		`<samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:%s"></samlp:StatusCode></samlp:Status></samlp:LogoutResponse>`,
		sloURL, inResponseTo, spID, status)
}
