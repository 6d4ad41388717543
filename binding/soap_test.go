package binding_test

import (
	"crypto"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/samlet-id/samlet/binding"
	"github.com/samlet-id/samlet/certs"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/peer"
	"github.com/samlet-id/samlet/internal/xmlsec"
)

const (
	soapNS  = "http://schemas.xmlsoap.org/soap/envelope/"
	resolve = `<samlp:ArtifactResolve xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="_resolve1" Version="2.0" IssueInstant="2026-11-23T12:00:00Z"><saml:Issuer>https://app.example.test/metadata</saml:Issuer><samlp:Artifact>AAQAAA==</samlp:Artifact></samlp:ArtifactResolve>`
)

func envelope(parts string) string {
	return `<S:Envelope xmlns:S="` + soapNS + `">` + parts + `</S:Envelope>`
}

func TestParseSOAP(t *testing.T) {
	t.Parallel()
	for name, raw := range map[string]string{
		"as we write it":       string(binding.SOAP([]byte(`<h:One xmlns:h="urn:h"/>`), []byte(resolve))),
		"with a declaration":   `<?xml version="1.0" encoding="UTF-8"?>` + envelope(`<S:Header><h:One xmlns:h="urn:h"/></S:Header><S:Body>`+resolve+`</S:Body>`),
		"with blanks":          envelope("\n <S:Header>\n<h:One xmlns:h=\"urn:h\"/></S:Header>\r\n<S:Body>\n" + resolve + "\n</S:Body> \n"),
		"of the default space": `<Envelope xmlns="` + soapNS + `"><Header><h:One xmlns:h="urn:h"/></Header><Body>` + resolve + `</Body></Envelope>`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env, err := binding.ParseSOAP([]byte(raw))
			if err != nil {
				t.Fatal(err)
			}
			if !env.Body.Is(xmlsec.NSProtocol, "ArtifactResolve") {
				t.Errorf("the Body holds %v", env.Body)
			}
			if len(env.Headers) != 1 || !env.Headers[0].Is("urn:h", "One") {
				t.Errorf("headers %v, want One", env.Headers)
			}
		})
	}
}

func TestParseSOAPRefuses(t *testing.T) {
	t.Parallel()
	body := `<S:Body>` + resolve + `</S:Body>`
	for _, tc := range []struct {
		name, raw string
		want      identity.Code
	}{
		{"no XML", "hello", "xml.trailing"},
		{"no envelope", resolve, "binding.soap"},
		{"SOAP 1.2", strings.Replace(envelope(body), soapNS, "http://www.w3.org/2003/05/soap-envelope", 1), "binding.soap_version"},
		{"nothing in it", envelope(""), "binding.soap"},
		{"no Body", envelope("<S:Header/>"), "binding.soap"},
		{"empty Body", envelope("<S:Body/>"), "binding.soap"},
		{"two in the Body", envelope(`<S:Body><a/><b/></S:Body>`), "binding.soap"},
		{"two Bodies", envelope(body + `<S:Body><a/></S:Body>`), "binding.soap"},
		{"two Headers", envelope(`<S:Header/><S:Header/>` + body), "binding.soap"},
		{"Header behind", envelope(body + `<S:Header/>`), "binding.soap"},
		{"something behind", envelope(body + `<x:y xmlns:x="urn:x"/>`), "binding.soap"},
		{"Body of another namespace", envelope(`<Body>` + resolve + `</Body>`), "binding.soap"},
		{"an ID twice", envelope(`<S:Header><x:y xmlns:x="urn:x" ID="_resolve1"/></S:Header>` + body), "xml.duplicate_id"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			env, err := binding.ParseSOAP([]byte(tc.raw))
			if identity.CodeOf(err) != tc.want || env.Body != nil {
				t.Errorf("got %v and %v, want %s", env.Body, err, tc.want)
			}
		})
	}
}

// SOAP bombs: what is deep, long or defines entities is refused before it costs
// anything.
func TestAttackSOAPBomb(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, raw string
		want      identity.Code
	}{
		{"entities", `<!DOCTYPE a [<!ENTITY b "c"><!ENTITY d "&b;&b;&b;">]>` + envelope(`<S:Body><a>&d;</a></S:Body>`), "xml.dtd"},
		{"an entity of a file", `<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]>` + envelope(`<S:Body><a>&b;</a></S:Body>`), "xml.dtd"},
		{"a processing instruction", `<?xml-stylesheet href="https://evil.test"?>` + envelope(`<S:Body><a/></S:Body>`), "xml.pi"},
		{"depth", envelope(`<S:Body>` + strings.Repeat("<a>", 5000) + strings.Repeat("</a>", 5000) + `</S:Body>`), "xml.depth"},
		{"elements", envelope(`<S:Body><b>` + strings.Repeat("<a/>", 10000) + `</b></S:Body>`), "xml.elements"},
		{"headers", envelope(`<S:Header>` + strings.Repeat("<a/>", 10000) + `</S:Header><S:Body><a/></S:Body>`), "xml.elements"},
		{"attributes", envelope(`<S:Body><a` + attributes(1000) + `/></S:Body>`), "xml.attributes"},
		{"size", envelope(`<S:Body><a>` + strings.Repeat("x", 70_000) + `</a></S:Body>`), "binding.too_large"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, err := binding.ReceiveSOAP(httptest.NewRecorder(), soapRequest(t, tc.raw, "text/xml"), 0)
			if got := identity.CodeOf(err); got != tc.want {
				t.Errorf("got %v, want %s", err, tc.want)
			}
		})
	}
}

func attributes(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, ` a%d=""`, i)
	}
	return b.String()
}

func soapRequest(t testing.TB, body, kind string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/saml/artifact", strings.NewReader(body))
	r.Header.Set("Content-Type", kind)
	return r
}

func TestReceiveSOAP(t *testing.T) {
	t.Parallel()
	whole := string(binding.SOAP(nil, []byte(resolve)))
	get := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/saml/artifact", nil)
	for _, tc := range []struct {
		name string
		r    *http.Request
		want identity.Code
	}{
		{"text/xml", soapRequest(t, whole, "text/xml"), ""},
		{"in UTF-8", soapRequest(t, whole, `text/xml; charset="UTF-8"`), ""},
		{"the type of SOAP 1.2, as pysaml2 sends it", soapRequest(t, whole, "application/soap+xml"), ""},
		{"in Latin-1", soapRequest(t, whole, "text/xml; charset=iso-8859-1"), "binding.content_type"},
		{"a form", soapRequest(t, whole, "application/x-www-form-urlencoded"), "binding.content_type"},
		{"plain text, which any site's form can send", soapRequest(t, whole, "text/plain"), "binding.content_type"},
		{"no type", soapRequest(t, whole, ""), "binding.content_type"},
		{"GET", get, "binding.method"},
		{"too large", soapRequest(t, whole+strings.Repeat(" ", 2000), "text/xml"), "binding.too_large"},
		{"broken", soapRequest(t, whole[:len(whole)-1], "text/xml"), "xml.syntax"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, err := binding.ReceiveSOAP(httptest.NewRecorder(), tc.r, 2000)
			if got := identity.CodeOf(err); got != tc.want {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}

func TestUnderstands(t *testing.T) {
	t.Parallel()
	header := func(attrs string) string {
		return envelope(`<S:Header><e:Request xmlns:e="urn:e" ` + attrs + `/></S:Header><S:Body><a/></S:Body>`)
	}
	for _, tc := range []struct {
		name, raw string
		known     []string
		want      identity.Code
	}{
		{"optional", header(``), nil, ""},
		{"optional outright", header(`S:mustUnderstand="0"`), nil, ""},
		{"known", header(`S:mustUnderstand="1"`), []string{"{urn:e}Request"}, ""},
		{"unknown", header(`S:mustUnderstand="1"`), []string{"{urn:e}Response"}, "binding.must_understand"},
		{"unknown, for the next", header(`S:mustUnderstand="1" S:actor="http://schemas.xmlsoap.org/soap/actor/next"`), nil, "binding.must_understand"},
		{"for somebody else", header(`S:mustUnderstand="1" S:actor="urn:somebody"`), nil, ""},
		{"neither yes nor no", header(`S:mustUnderstand="true"`), nil, "binding.must_understand"},
		{"an attribute of another namespace", header(`mustUnderstand="1"`), nil, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			env, err := binding.ParseSOAP([]byte(tc.raw))
			if err != nil {
				t.Fatal(err)
			}
			if got := identity.CodeOf(env.Understands(tc.known...)); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestFaultOf(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		err  error
		want string
	}{
		"theirs": {&identity.Error{Kind: identity.KindInvalid, Code: "xml.syntax", Msg: "a < b & \"c\"\x00"},
			"<faultcode>S:Client</faultcode><faultstring>a &lt; b &amp; \"c\"\uFFFD (xml.syntax, request r1)</faultstring>"},
		"a header":        {&identity.Error{Kind: identity.KindInvalid, Code: "binding.must_understand", Msg: "No."}, "<faultcode>S:MustUnderstand</faultcode>"},
		"another version": {&identity.Error{Kind: identity.KindInvalid, Code: "binding.soap_version", Msg: "No."}, "<faultcode>S:VersionMismatch</faultcode>"},
		"ours, untold":    {fmt.Errorf("opening /secret"), "<faultcode>S:Server</faultcode><faultstring>Something went wrong on our side. (internal, request r1)</faultstring>"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := binding.FaultOf(tc.err, "r1")
			if !strings.Contains(string(got), tc.want) {
				t.Errorf("got %s, want %s", got, tc.want)
			}
			peer.ValidateXSD(t, got)
		})
	}
}

// A message that others signed verifies within an envelope, whose namespaces
// exclusive canonicalisation leaves out; and what we sign and wrap, xmlsec1
// verifies.
func TestSignatureInsideSOAP(t *testing.T) {
	t.Parallel()
	signed, public := signedByXMLSec1(t, resolve)
	for name, raw := range map[string][]byte{
		"our envelope":     binding.SOAP([]byte(`<h:One xmlns:h="urn:h"/>`), signed),
		"another envelope": []byte(`<soap-env:Envelope xmlns:soap-env="` + soapNS + `" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns="urn:other"><soap-env:Body>` + string(signed) + `</soap-env:Body></soap-env:Envelope>`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env, err := binding.ParseSOAP(raw)
			if err != nil {
				t.Fatal(err)
			}
			e, err := env.Document.Verify(env.Body, xmlsec.Trust{Keys: []crypto.PublicKey{public}})
			if err != nil {
				t.Fatal(err)
			}
			if got, err := e.Child(xmlsec.NSProtocol, "Artifact").Text(); got != "AAQAAA==" {
				t.Errorf("got artifact %q: %v", got, err)
			}
		})
	}
	t.Run("ours", func(t *testing.T) {
		t.Parallel()
		key := keys()["rsa"]
		w := xmlsec.NewWriter()
		w.Open("samlp:ArtifactResolve", "ID", "_1", "Version", "2.0", "IssueInstant", "2026-11-23T12:00:00Z")
		w.Element("saml:Issuer", "https://app.example.test/metadata")
		w.SignatureSlot()
		w.Element("samlp:Artifact", "AAQAAA==")
		w.Close()
		message, err := w.Sign(key)
		if err != nil {
			t.Fatal(err)
		}
		got := binding.SOAP([]byte(`<h:One xmlns:h="urn:h"/>`), message)
		peer.ValidateXSD(t, got)
		peer.VerifyXMLSec1(t, got, key.PEM())
	})
}

// signedByXMLSec1 signs the message with a new key.
func signedByXMLSec1(t testing.TB, message string) ([]byte, crypto.PublicKey) {
	t.Helper()
	tool := peer.Need(t, "xmlsec1", "apt-get install xmlsec1")
	openssl := peer.Need(t, "openssl", "apt-get install openssl")
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	run := func(name string, args ...string) []byte {
		out, err := exec.Command(name, args...).Output()
		if err != nil {
			t.Fatalf("%s %v: %v", name, args, err)
		}
		return out
	}
	run(openssl, "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", path("key.pem"))
	cert := run(openssl, "req", "-x509", "-key", path("key.pem"), "-subj", "/CN=app.example.test", "-days", "1")
	template := `</saml:Issuer><ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:SignedInfo><ds:CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/><ds:SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"/><ds:Reference URI="#_resolve1"><ds:Transforms><ds:Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"/><ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/></ds:Transforms><ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/><ds:DigestValue/></ds:Reference></ds:SignedInfo><ds:SignatureValue/></ds:Signature>`
	if err := os.WriteFile(path("in.xml"), []byte(strings.Replace(message, "</saml:Issuer>", template, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	run(tool, "--sign", "--privkey-pem", path("key.pem"), "--id-attr:ID", "urn:oasis:names:tc:SAML:2.0:protocol:ArtifactResolve", "--output", path("out.xml"), path("in.xml"))
	signed, err := os.ReadFile(path("out.xml"))
	if err != nil {
		t.Fatal(err)
	}
	keyPEM, err := os.ReadFile(path("key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	k, err := certs.Load("peer", certs.Signing, certs.Active, keyPEM, cert)
	if err != nil {
		t.Fatal(err)
	}
	_, message, _ = strings.Cut(string(signed), "?>\n")
	return []byte(message), k.Public()
}

func TestCall(t *testing.T) {
	t.Parallel()
	answer := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			_, err := binding.ReceiveSOAP(w, r, 0)
			if err != nil || r.Header.Get("SOAPAction") != `"http://www.oasis-open.org/committees/security"` {
				t.Errorf("the call is %v %v", r.Header, err)
			}
			binding.WriteSOAP(w, status, []byte(body))
		}
	}
	good := string(binding.SOAP(nil, []byte(resolve)))
	for _, tc := range []struct {
		name    string
		handler http.HandlerFunc
		seen    string // empty: it is answered
	}{
		{"an answer", answer(200, good), ""},
		{"an answer with another status", answer(403, good), "403 Forbidden"},
		{"a fault", answer(500, string(binding.SOAPFault("Client", "no <such> thing"))), "a SOAP fault: S:Client: no <such> thing"},
		{"a fault with status 200", answer(200, string(binding.SOAPFault("Server", ""))), "a SOAP fault: S:Server"},
		{"a long fault", answer(500, string(binding.SOAPFault("Server", strings.Repeat("é ", 1000)))), "a SOAP fault: S:Server: " + strings.Repeat("é ", 58) + "é…"},
		{"a page", answer(200, "<html><br></html>"), "an answer that is no SOAP envelope"},
		{"more than enough", answer(200, good+strings.Repeat(" ", binding.DefaultMaxBody)), "an answer that is no SOAP envelope"},
		{"hangs up", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "no answer"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := httptest.NewServer(tc.handler)
			defer s.Close()
			env, err := binding.Call(t.Context(), s.Client(), s.URL, []byte(resolve))
			if tc.seen == "" {
				if err != nil || !env.Body.Is(xmlsec.NSProtocol, "ArtifactResolve") {
					t.Errorf("got %v, %v", env.Body, err)
				}
				return
			}
			got := identity.AsError(err)
			want := &identity.Error{Kind: identity.KindUnavailable, Code: "binding.soap"}
			if err == nil || got.Kind != want.Kind || got.Code != want.Code || got.Seen != tc.seen {
				t.Errorf("got %v, want %q seen", err, tc.seen)
			}
		})
	}
}

func TestCallToNowhere(t *testing.T) {
	t.Parallel()
	if _, err := binding.Call(t.Context(), http.DefaultClient, "://", nil); identity.CodeOf(err) != "binding.soap" {
		t.Errorf("got %v", err)
	}
}

func TestWriteSOAPIsNotKept(t *testing.T) {
	t.Parallel()
	rec := httptest.NewRecorder()
	binding.WriteSOAP(rec, http.StatusOK, binding.SOAP(nil, []byte(resolve)))
	got := []string{rec.Header().Get("Content-Type"), rec.Header().Get("Cache-Control"), rec.Header().Get("Pragma")}
	want := []string{"text/xml; charset=utf-8", "no-cache, no-store, must-revalidate, private", "no-cache"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func FuzzParseSOAP(f *testing.F) {
	f.Add(binding.SOAP([]byte(`<h:One xmlns:h="urn:h"/>`), []byte(resolve)))
	f.Add(binding.SOAPFault("Client", "x"))
	f.Add([]byte(envelope(`<S:Body/>`)))
	f.Fuzz(func(t *testing.T, raw []byte) {
		env, err := binding.ParseSOAP(raw)
		if err != nil {
			if identity.KindOf(err) != identity.KindInvalid || env.Body != nil {
				t.Errorf("got %v and %v, want an error of KindInvalid alone", env.Body, err)
			}
			return
		}
		// What was read and is wrapped anew reads as the same.
		again, err := binding.ParseSOAP(binding.SOAP(nil, env.Body.Raw()))
		if err != nil && identity.CodeOf(err) != "xml.depth" && identity.CodeOf(err) != "xml.size" && identity.CodeOf(err) != "xml.namespaces" && identity.CodeOf(err) != "xml.attributes" {
			t.Fatalf("wrapped anew: %v", err)
		}
		if err == nil && !again.Body.Is(env.Body.Space, env.Body.Local) {
			t.Errorf("got %s, want %s", again.Body.Local, env.Body.Local)
		}
		if err := env.Understands(); err != nil && identity.CodeOf(err) != "binding.must_understand" {
			t.Error(err)
		}
	})
}

// decode64 is base64 of the standard library, for tests that look inside.
func decode64(t testing.TB, s string) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
