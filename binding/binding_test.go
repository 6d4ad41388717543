package binding_test

import (
	"bytes"
	"compress/flate"
	"crypto"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/samlet-id/samlet/binding"
	"github.com/samlet-id/samlet/certs"
	"github.com/samlet-id/samlet/identity"
)

const request = `<samlp:AuthnRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="_f0c2b7a6b1" Version="2.0" IssueInstant="2026-11-23T12:00:00Z" Destination="https://login.example.test/saml/sso" AssertionConsumerServiceURL="https://app.example.test/acs"><saml:Issuer>https://app.example.test/metadata</saml:Issuer><samlp:NameIDPolicy AllowCreate="true"></samlp:NameIDPolicy></samlp:AuthnRequest>`

// pack is the sender's side of DEFLATE, written without the code under test.
func pack(t testing.TB, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := flate.NewWriter(&out, flate.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func b64(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

// deflated is a message ready for a query.
func deflated(t testing.TB, b []byte) string { t.Helper(); return url.QueryEscape(b64(pack(t, b))) }

func get(query string) binding.Received {
	return binding.Received{Method: http.MethodGet, Path: "/saml/sso", RawQuery: query}
}

func post(form url.Values) binding.Received {
	return binding.Received{Method: http.MethodPost, Path: "/saml/sso", Form: form}
}

func TestDecodeRedirect(t *testing.T) {
	t.Parallel()
	msg := deflated(t, []byte(request))
	adler := url.QueryEscape(b64(append(pack(t, []byte(request)), 1, 2, 3, 4)))
	for _, tc := range []struct {
		name, query string
		want        binding.SAML
	}{
		{"bare", "SAMLRequest=" + msg, binding.SAML{}},
		{"foreign parameters are ignored", "x=1&&SAMLRequest=" + msg + "&samlrequest=2&y", binding.SAML{}},
		{"RelayState octet for octet", "SAMLRequest=" + msg + "&RelayState=a%2Fb+c%20%C3%A4%00", binding.SAML{RelayState: "a/b c ä\x00", HasRelayState: true}},
		{"empty RelayState is not none", "SAMLRequest=" + msg + "&RelayState=", binding.SAML{HasRelayState: true}},
		{"RelayState over 80 bytes", "RelayState=" + strings.Repeat("x", 1024) + "&SAMLRequest=" + msg, binding.SAML{RelayState: strings.Repeat("x", 1024), HasRelayState: true}},
		{"SAMLEncoding that says so", "SAMLRequest=" + msg + "&SAMLEncoding=urn:oasis:names:tc:SAML:2.0:bindings:URL-Encoding:DEFLATE", binding.SAML{}},
		{"a plus sign that nobody encoded", "SAMLRequest=" + strings.ReplaceAll(msg, "%2B", "+"), binding.SAML{}},
		{"line breaks in base64", "SAMLRequest=" + msg[:20] + "%0D%0A" + msg[20:], binding.SAML{}},
		{"the trailer of zlib", "SAMLRequest=" + adler, binding.SAML{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			tc.want.XML, tc.want.Param, tc.want.Binding = []byte(request), "SAMLRequest", identity.BindingRedirect
			got, err := binding.Decode(get(tc.query), binding.ParamRequest)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestDecodePOST(t *testing.T) {
	t.Parallel()
	lines := ""
	for rest := b64([]byte(request)); rest != ""; {
		n := min(76, len(rest))
		lines, rest = lines+rest[:n]+"\r\n", rest[n:]
	}
	for _, tc := range []struct {
		name string
		form url.Values
		xml  string
	}{
		{"plain", url.Values{"SAMLResponse": {b64([]byte(request))}}, request},
		{"line breaks of RFC 2045", url.Values{"SAMLResponse": {lines}, "x": {"1", "2"}}, request},
		{"tabs and blanks", url.Values{"SAMLResponse": {"\t " + b64([]byte(request)) + " "}}, request},
		{"deflated, as node-saml and ruby-saml send it", url.Values{"SAMLResponse": {b64(pack(t, []byte(request)))}}, request},
		{"an XML declaration", url.Values{"SAMLResponse": {b64([]byte("\n<?xml version=\"1.0\"?>" + request))}}, "\n<?xml version=\"1.0\"?>" + request},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			tc.form.Set("RelayState", "r\x00\"ä")
			got, err := binding.Decode(post(tc.form), "")
			if err != nil {
				t.Fatal(err)
			}
			want := binding.SAML{XML: []byte(tc.xml), Param: "SAMLResponse", Binding: identity.BindingPOST, RelayState: "r\x00\"ä", HasRelayState: true}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	msg := deflated(t, []byte(request))
	packed := pack(t, []byte(request))
	for _, tc := range []struct {
		name string
		in   binding.Received
		want identity.Code
	}{
		{"nothing", get(""), "binding.missing"},
		{"nothing that is ours", get("x=1"), "binding.missing"},
		{"nothing in the form", post(url.Values{}), "binding.missing"},
		{"a response", get("SAMLResponse=" + msg), "binding.unexpected"},
		{"a posted response", post(url.Values{"SAMLResponse": {"x"}}), "binding.unexpected"},
		{"request and response", get("SAMLRequest=" + msg + "&SAMLResponse=" + msg), "binding.duplicate"},
		{"posted request and response", post(url.Values{"SAMLRequest": {"x"}, "SAMLResponse": {"x"}}), "binding.duplicate"},
		{"two posted requests", post(url.Values{"SAMLRequest": {"x", "x"}}), "binding.duplicate"},
		{"two posted RelayStates", post(url.Values{"SAMLRequest": {"x"}, "RelayState": {"x", "x"}}), "binding.duplicate"},
		{"another encoding", get("SAMLRequest=" + msg + "&SAMLEncoding=x"), "binding.encoding"},
		{"broken percent-encoding", get("SAMLRequest=%ZZ"), "binding.encoding"},
		{"broken percent-encoding of RelayState", get("RelayState=%&SAMLRequest=" + msg), "binding.encoding"},
		{"not base64", get("SAMLRequest=!!!"), "binding.base64"},
		{"base64 of URLs", get("SAMLRequest=" + strings.NewReplacer("%2B", "-", "%2F", "_").Replace(msg)), "binding.base64"},
		{"truncated base64", get("SAMLRequest=" + b64(packed)[:41]), "binding.base64"},
		{"posted, not base64", post(url.Values{"SAMLRequest": {"<xml/>"}}), "binding.base64"},
		{"not deflated", get("SAMLRequest=" + url.QueryEscape(b64([]byte(request)))), "binding.deflate"},
		{"truncated", get("SAMLRequest=" + url.QueryEscape(b64(packed[:len(packed)/2]))), "binding.deflate"},
		{"something behind it", get("SAMLRequest=" + url.QueryEscape(b64(append(packed[:len(packed):len(packed)], packed...)))), "binding.deflate"},
		{"posted, neither XML nor deflated", post(url.Values{"SAMLRequest": {b64([]byte("hello, world"))}}), "binding.deflate"},
		{"RelayState too long", get("SAMLRequest=" + msg + "&RelayState=" + strings.Repeat("x", 1025)), "binding.relay_state"},
		{"posted RelayState too long", post(url.Values{"SAMLRequest": {"x"}, "RelayState": {strings.Repeat("x", 1025)}}), "binding.relay_state"},
		{"query too long", get("x=" + strings.Repeat("x", 64<<10) + "&SAMLRequest=" + msg), "binding.too_large"},
		{"posted XML too long", post(url.Values{"SAMLRequest": {b64([]byte("<a>" + strings.Repeat("x", 64<<10)))}}), "binding.too_large"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got, err := binding.Decode(tc.in, binding.ParamRequest)
			if identity.CodeOf(err) != tc.want || identity.KindOf(err) != identity.KindInvalid {
				t.Errorf("got %v, %v; want code %s", got, err, tc.want)
			}
		})
	}
}

// Threat class "deflate bomb" (CVE-2023-28119): 45 MiB of blanks in 60 KiB.
func TestDeflateBomb(t *testing.T) {
	bomb := pack(t, bytes.Repeat([]byte(" "), 45<<20))
	for name, in := range map[string]binding.Received{
		"Redirect": get("SAMLRequest=" + url.QueryEscape(b64(bomb))),
		"POST":     post(url.Values{"SAMLRequest": {b64(bomb)}}),
	} {
		if len(in.RawQuery) > binding.DefaultMaxQuery {
			t.Fatalf("%s: the bomb is caught by the limit of the query already", name)
		}
		var err error
		allocated := testing.Benchmark(func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, err = binding.Decode(in, binding.ParamRequest)
			}
		}).AllocedBytesPerOp()
		if identity.CodeOf(err) != "binding.too_large" {
			t.Errorf("%s: got %v, want binding.too_large", name, err)
		}
		if allocated > 1<<20 {
			t.Errorf("%s: %d bytes were allocated for a message of at most 64 KiB", name, allocated)
		}
	}
}

func TestLimitsAreConfigurable(t *testing.T) {
	t.Parallel()
	in := get("SAMLResponse=" + deflated(t, []byte("<a>"+strings.Repeat("x", 100<<10)+"</a>")))
	if _, err := binding.Decode(in, ""); err != nil {
		t.Errorf("a response of 100 KiB: %v", err)
	}
	if _, err := (binding.Limits{Response: 100 << 10}).Decode(in, ""); identity.CodeOf(err) != "binding.too_large" {
		t.Errorf("with a limit of 100 KiB: got %v, want binding.too_large", err)
	}
	if _, err := (binding.Limits{RelayState: 80}).Decode(get("SAMLRequest=x&RelayState="+strings.Repeat("x", 81)), ""); identity.CodeOf(err) != "binding.relay_state" {
		t.Errorf("with a limit of 80 bytes: got %v, want binding.relay_state", err)
	}
	if _, err := (binding.Limits{Query: 10}).Decode(in, ""); identity.CodeOf(err) != "binding.too_large" {
		t.Errorf("with a limit of 10 bytes: got %v, want binding.too_large", err)
	}
}

var keys = sync.OnceValue(func() map[string]certs.Key {
	all := map[string]certs.Key{}
	for name, alg := range map[string]certs.Algorithm{"rsa": certs.RSA, "ecdsa": certs.ECDSAP256} {
		k, _, _, err := certs.Generate(certs.GenerateConfig{
			ID: name, Use: certs.Signing, Algorithm: alg, CommonName: "app.example.test", Now: time.Now, Rand: rand.Reader,
		})
		if err != nil {
			panic(err)
		}
		all[name] = k
	}
	return all
})

func TestRedirectRoundTrip(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, location, relayState string
		key                        string
	}{
		{"unsigned", "https://idp.example.test/sso", "", ""},
		{"RSA", "https://idp.example.test/sso", "a/b c ä&SAMLRequest=x\x00", "rsa"},
		{"ECDSA", "https://idp.example.test/sso", "", "ecdsa"},
		{"a location with a query and a fragment", "https://idp.example.test/sso?tenant=1&x=%2F#top", "r", "rsa"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var key *certs.Key
			if k, ok := keys()[tc.key]; ok {
				key = &k
			}
			m, err := binding.Redirect(tc.location, binding.ParamRequest, []byte(request), tc.relayState, key)
			if err != nil {
				t.Fatal(err)
			}
			u, err := url.Parse(m.URL)
			if err != nil {
				t.Fatal(err)
			}
			if m.Form != nil || u.Fragment != "" || !strings.HasPrefix(m.URL, strings.TrimSuffix(tc.location, "#top")) {
				t.Errorf("got %v, want a redirect to %s", m, tc.location)
			}
			got, err := binding.Decode(get(u.RawQuery), binding.ParamRequest)
			if err != nil {
				t.Fatal(err)
			}
			if string(got.XML) != request || got.RelayState != tc.relayState || got.HasRelayState != (tc.relayState != "") {
				t.Errorf("got %s with RelayState %q", got.XML, got.RelayState)
			}
			if key == nil {
				if err := got.VerifyQuery([]crypto.PublicKey{keys()["rsa"].Public()}); identity.CodeOf(err) != "sig.missing" {
					t.Errorf("unsigned: got %v, want sig.missing", err)
				}
				return
			}
			if err := got.VerifyQuery([]crypto.PublicKey{key.Public()}); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestRedirectRefusesOtherSchemes(t *testing.T) {
	t.Parallel()
	for _, location := range []string{"", "/sso", "javascript:alert(1)", "data:text/html,x", "javascript://app.example.test/%0aalert(1)", "ftp://app.example.test/", "https:sso", "https://%zz"} {
		if m, err := binding.Redirect(location, binding.ParamRequest, []byte(request), "", nil); err == nil {
			t.Errorf("%q: got %v, want an error", location, m)
		}
	}
}

func TestPost(t *testing.T) {
	t.Parallel()
	got := binding.Post("https://app.example.test/acs", binding.ParamResponse, []byte("<a/>"), "r&\"")
	want := binding.Message{URL: "https://app.example.test/acs", Form: url.Values{"SAMLResponse": {"PGEvPg=="}, "RelayState": {"r&\""}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := binding.Post("https://app.example.test/acs", binding.ParamResponse, []byte("<a/>"), ""); got.Form.Has("RelayState") {
		t.Errorf("an empty RelayState was sent: %v", got)
	}
}

func TestReceive(t *testing.T) {
	t.Parallel()
	form := func(body, kind string) *http.Request {
		r := httptest.NewRequest(http.MethodPost, "/saml/sso?SAMLRequest=query", strings.NewReader(body))
		r.Header.Set("Content-Type", kind)
		return r
	}
	const kind = "application/x-www-form-urlencoded"
	for _, tc := range []struct {
		name string
		r    *http.Request
		want binding.Received
		code identity.Code
	}{
		{"GET keeps the query's octets", httptest.NewRequest(http.MethodGet, "/saml/sso?b=%2f+%2F&a", nil),
			binding.Received{Method: "GET", Path: "/saml/sso", RawQuery: "b=%2f+%2F&a"}, ""},
		{"POST reads the body alone", form("SAMLRequest=a%2Bb&RelayState=", kind+"; charset=UTF-8"),
			binding.Received{Method: "POST", Path: "/saml/sso", Form: url.Values{"SAMLRequest": {"a+b"}, "RelayState": {""}}}, ""},
		{"PUT", httptest.NewRequest(http.MethodPut, "/saml/sso", nil), binding.Received{}, "binding.method"},
		{"POST of JSON", form("{}", "application/json"), binding.Received{}, "binding.content_type"},
		{"POST without a type", form("a=b", ""), binding.Received{}, "binding.content_type"},
		{"POST that is too large", form("a="+strings.Repeat("x", 100), kind), binding.Received{}, "binding.too_large"},
		{"POST that is broken", form("a=%zz", kind), binding.Received{}, "binding.form"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got, err := binding.Receive(httptest.NewRecorder(), tc.r, 100)
			if identity.CodeOf(err) != tc.code {
				t.Fatalf("got %v, want %q", err, tc.code)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			parked, err := json.Marshal(got)
			if err != nil {
				t.Fatal(err)
			}
			var back binding.Received
			if err := json.Unmarshal(parked, &back); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(got, back); diff != "" {
				t.Errorf("parking changed it (-before +after):\n%s", diff)
			}
		})
	}
}

func TestReceiveWithoutALimitTakesTheDefault(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest(http.MethodPost, "/saml/sso", io.MultiReader(strings.NewReader("a="), strings.NewReader(strings.Repeat("x", binding.DefaultMaxBody))))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if _, err := binding.Receive(httptest.NewRecorder(), r, 0); identity.CodeOf(err) != "binding.too_large" {
		t.Errorf("got %v, want binding.too_large", err)
	}
}

func FuzzDecode(f *testing.F) {
	key := keys()["ecdsa"]
	m, err := binding.Redirect("https://idp.example.test/sso", binding.ParamRequest, []byte(request), "relay", &key)
	if err != nil {
		f.Fatal(err)
	}
	_, query, _ := strings.Cut(m.URL, "?")
	f.Add(query, "", "", false)
	f.Add("SAML%52equest=x&SAMLEncoding=x;&=&", "", "", false)
	f.Add("", b64([]byte(request)), "r", true)
	f.Add("", b64(pack(f, []byte(request))), "r", true)
	f.Fuzz(func(t *testing.T, query, message, relayState string, isPost bool) {
		in := get(query)
		if isPost {
			in = post(url.Values{"SAMLRequest": {message}, "RelayState": {relayState}})
		}
		got, err := binding.Decode(in, "")
		if err != nil {
			if identity.KindOf(err) != identity.KindInvalid || identity.CodeOf(err) == "" {
				t.Errorf("got %v, want an error of KindInvalid", err)
			}
			return
		}
		if len(got.XML) > binding.DefaultMaxResponse || len(got.RelayState) > binding.DefaultMaxRelayState {
			t.Errorf("over the limits: %d bytes of XML, %d of RelayState", len(got.XML), len(got.RelayState))
		}
		// Nothing but the very message, RelayState and algorithm that were
		// signed may pass, however the query is bent.
		if got.VerifyQuery([]crypto.PublicKey{key.Public()}) == nil && (string(got.XML) != request || got.RelayState != "relay") {
			t.Errorf("verified %q with RelayState %q", got.XML, got.RelayState)
		}
	})
}

// The goal is 25 µs for a signed AuthnRequest, without the signature's check.
func BenchmarkDecode(b *testing.B) {
	key := keys()["rsa"]
	m, err := binding.Redirect("https://login.example.test/saml/sso", binding.ParamRequest, []byte(request), "relay", &key)
	if err != nil {
		b.Fatal(err)
	}
	_, query, _ := strings.Cut(m.URL, "?")
	in := get(query)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := binding.Decode(in, binding.ParamRequest); err != nil {
			b.Fatal(err)
		}
	}
}

func Example() {
	out, err := binding.Redirect("https://login.example.test/saml/sso", binding.ParamRequest, []byte("<samlp:AuthnRequest/>"), "opaque", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	// The browser follows the redirect, and at the other end:
	r := httptest.NewRequest(http.MethodGet, out.URL, nil)
	in, err := binding.Receive(httptest.NewRecorder(), r, 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	msg, err := binding.Decode(in, binding.ParamRequest)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s by %s, RelayState %q\n", msg.XML, msg.Binding, msg.RelayState)
	// Output: <samlp:AuthnRequest/> by urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect, RelayState "opaque"
}
