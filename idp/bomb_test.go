package idp_test

import (
	"bytes"
	"compress/flate"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/samlet-id/samlet/certs"
	"github.com/samlet-id/samlet/idp"
)

// What a request of 15 kB may cost at most, be it answered, refused or damaged.
const (
	hostileBytes = 15_000
	mostMemory   = 4 << 20
	mostTime     = 20 * time.Millisecond
)

// repeated is head, as many bodies as make limit octets, and tail.
func repeated(limit int, head, body, tail string) string {
	return head + strings.Repeat(body, (limit-len(head)-len(tail))/len(body)) + tail
}

// numbered is format with 0 to n-1 put in.
func numbered(format string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

// bombs are AuthnRequests that are as dear as their shape allows, of about size
// octets each.
func bombs(t testing.TB, size int) map[string]string {
	head, tail := authnRequest[:strings.LastIndex(authnRequest, "</")], "</samlp:AuthnRequest>"
	within := func(open, body, end string) string { return repeated(size, head+open, body, end+tail) }
	extensions := func(body string) string { return within("<samlp:Extensions>", body, "</samlp:Extensions>") }
	signature := func(info string) string {
		return edited(replace("</saml:Issuer>", `</saml:Issuer><ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#">`+info+`<ds:SignatureValue>AAAA</ds:SignatureValue></ds:Signature>`))
	}
	const (
		c14n      = `<ds:CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/><ds:SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"/>`
		transform = `<ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/>`
		digest    = `<ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/><ds:DigestValue>AAAA</ds:DigestValue>`
	)
	room := size - 1200
	key := loadKey(t, "sp")
	signed := func(body string) string { // by somebody who may
		return signedBy(t, repeated(size*9/10, head+"<samlp:Extensions>", body, "</samlp:Extensions>"+tail), key)
	}
	return map[string]string{
		"nothing odd":          authnRequest,
		"deep nesting":         extensions(strings.Repeat("<x>", 60) + strings.Repeat("</x>", 60)),
		"nesting without end":  repeated(size, head+"<samlp:Extensions>", "<x>", ""),
		"many elements":        extensions("<x/>"),
		"elements that count":  extensions(`<x y="z">uuuu</x>`),
		"many namespaces":      extensions("<x" + numbered(` xmlns:a%d="urn:a"`, 60) + "/>"),
		"namespaces in use":    extensions("<x" + numbered(` xmlns:a%d="urn:a%[1]d"`, 30) + numbered(` a%d:b=""`, 30) + "/>"),
		"attributes":           extensions("<x" + numbered(` a%d=""`, 250) + "/>"),
		"references":           extensions("&lt;"),
		"CDATA":                extensions("<![CDATA[]]>"),
		"comments":             within("", "<!---->", ""),
		"a NameID":             within("<saml:Subject><saml:NameID>", "a", "</saml:NameID></saml:Subject>"),
		"an IDPList":           within("<samlp:Scoping><samlp:IDPList>", `<samlp:IDPEntry ProviderID="a"/>`, "</samlp:IDPList></samlp:Scoping>"),
		"RequesterIDs":         within("<samlp:Scoping>", `<samlp:RequesterID>a</samlp:RequesterID>`, "</samlp:Scoping>"),
		"context classes":      within("<samlp:RequestedAuthnContext>", `<saml:AuthnContextClassRef>a</saml:AuthnContextClassRef>`, "</samlp:RequestedAuthnContext>"),
		"audiences":            within("<saml:Conditions><saml:AudienceRestriction>", `<saml:Audience>a</saml:Audience>`, "</saml:AudienceRestriction></saml:Conditions>"),
		"proxied audiences":    within("<saml:Conditions><saml:ProxyRestriction>", `<saml:Audience>a</saml:Audience>`, "</saml:ProxyRestriction></saml:Conditions>"),
		"an Issuer":            edited(replace(spID, strings.Repeat("a", room))),
		"an ID":                edited(replace("_request1", "_"+strings.Repeat("a", room))),
		"an ACS":               edited(replace(acsURL, strings.Repeat("a", room))),
		"references signed":    signature(repeated(room, "<ds:SignedInfo>"+c14n, `<ds:Reference URI="#_request1">`+digest+`</ds:Reference>`, "</ds:SignedInfo>")),
		"transforms":           signature(repeated(room, "<ds:SignedInfo>"+c14n+`<ds:Reference URI="#_request1"><ds:Transforms>`, transform, "</ds:Transforms>"+digest+"</ds:Reference></ds:SignedInfo>")),
		"signatures":           edited(replace("</saml:Issuer>", "</saml:Issuer>"+strings.Repeat(`<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#"/>`, room/64))),
		"an encrypted subject": edited(child("<saml:Subject>" + encryptedTwice(t, loadKey(t, "other"), room/2) + "</saml:Subject>")),
		"elements signed":      signed(`<x y="z">uuuu</x>`),
		"attributes signed":    signed("<x" + numbered(` a%d=""`, 250) + "/>"),
		"namespaces signed":    signed("<x" + numbered(` xmlns:a%d="urn:a%[1]d"`, 30) + numbered(` a%d:b=""`, 30) + "/>"),
		"nesting signed":       signed(strings.Repeat("<x>", 60) + strings.Repeat("</x>", 60)),
		"text signed":          signed("&#13;"),
	}
}

// encryptedTwice is an EncryptedID whose two keys open nothing, but cost as much
// as if they did.
func encryptedTwice(t testing.TB, key certs.Key, size int) string {
	t.Helper()
	public, ok := key.Public().(*rsa.PublicKey)
	if !ok {
		t.Fatal("the key is no RSA key")
	}
	wrapped, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, public, make([]byte, 31), nil)
	if err != nil {
		t.Fatal(err)
	}
	data := func(b []byte) string {
		return "<xenc:CipherData><xenc:CipherValue>" + base64.StdEncoding.EncodeToString(b) + "</xenc:CipherValue></xenc:CipherData>"
	}
	one := `<xenc:EncryptedKey><xenc:EncryptionMethod Algorithm="http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p"/>` + data(wrapped) + `</xenc:EncryptedKey>`
	return `<saml:EncryptedID><xenc:EncryptedData xmlns:xenc="http://www.w3.org/2001/04/xmlenc#"><xenc:EncryptionMethod Algorithm="http://www.w3.org/2009/xmlenc11#aes256-gcm"/>` +
		`<ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#">` + one + one + `</ds:KeyInfo>` + data(make([]byte, size/2)) + `</xenc:EncryptedData></saml:EncryptedID>`
}

// hostile returns HTTP requests of at most 15 kB each, freshly made by every call.
func hostile(t testing.TB) map[string]func() *http.Request {
	t.Helper()
	requests := map[string]func() *http.Request{}
	get := func(query string) func() *http.Request {
		return func() *http.Request { return httptest.NewRequest(http.MethodGet, ssoURL+"?"+query, nil) }
	}
	post := func(octets []byte) func() *http.Request {
		body := url.Values{"SAMLRequest": {base64.StdEncoding.EncodeToString(octets)}}.Encode()
		if len(body) > hostileBytes {
			return nil
		}
		return func() *http.Request {
			r := httptest.NewRequest(http.MethodPost, ssoURL, strings.NewReader(body))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			return r
		}
	}
	add := func(name string, r func() *http.Request) {
		if r != nil {
			requests[name] = r
		}
	}
	for name, xml := range bombs(t, 64<<10) { // as much as is inflated at most
		packed := deflated(t, xml)
		if query := "SAMLRequest=" + url.QueryEscape(base64.StdEncoding.EncodeToString(packed)); len(query) <= hostileBytes {
			add(name+" by Redirect", get(query))
		}
		add(name+" by POST, deflated", post(packed))
	}
	for name, xml := range bombs(t, 10_000) {
		add(name+" by POST", post([]byte(xml)))
	}
	add("a deflate bomb", get("SAMLRequest="+url.QueryEscape(base64.StdEncoding.EncodeToString(deflated(t, strings.Repeat(" ", 8<<20))))))
	add("base64 that is nothing", get("SAMLRequest="+strings.Repeat("A", hostileBytes-100)))
	add("no base64 at all", get("SAMLRequest="+strings.Repeat("%21", hostileBytes/3-100)))
	add("a query of parameters", get(strings.Repeat("a=b&", hostileBytes/4-10)))
	add("a RelayState", get(redirectQuery(t, authnRequest, strings.Repeat("r", hostileBytes-1000), nil)))
	add("a signature", get(redirectQuery(t, authnRequest, "", nil)+"&SigAlg=a&Signature="+strings.Repeat("A", hostileBytes-2000)))
	return requests
}

func deflated(t testing.TB, s string) []byte {
	t.Helper()
	var b bytes.Buffer
	z, err := flate.NewWriter(&b, flate.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := z.Write([]byte(s)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func hostileWorld(t testing.TB) *world {
	t.Helper()
	return newWorld(t, nil, func(cfg *idp.Config) {
		cfg.Rand = rand.Reader
		encryption, err := certs.LoadFiles("other", certs.Encryption, certs.Active, "testdata/other.key", "testdata/other.crt")
		if err != nil {
			t.Fatal(err)
		}
		ring, err := certs.NewRing([]certs.Key{loadKey(t, "idp"), encryption})
		if err != nil {
			t.Fatal(err)
		}
		cfg.Keys = ring
	})
}

// TestAttackBombs holds every shape against 4 MiB, from the first octet to the
// last of the answer. It does not run beside other tests, since it counts what is
// allocated; the time is what BenchmarkHostileRequest tells.
func TestAttackBombs(t *testing.T) {
	w := hostileWorld(t)
	dearest := uint64(0)
	for name, request := range hostile(t) {
		t.Run(name, func(t *testing.T) {
			least := uint64(1 << 40)
			for range 5 { // the least of several, since the runtime allocates too
				r, rec := request(), httptest.NewRecorder()
				w.log.Reset()
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				w.handler.ServeHTTP(rec, r)
				runtime.ReadMemStats(&after)
				least = min(least, after.TotalAlloc-before.TotalAlloc)
				if rec.Code >= http.StatusInternalServerError {
					t.Fatalf("status %d\n%s", rec.Code, w.log)
				}
			}
			dearest = max(dearest, least)
			if least > mostMemory {
				t.Errorf("%d KiB, want %d KiB at most", least>>10, mostMemory>>10)
			}
		})
	}
	t.Logf("the dearest takes %d KiB", dearest>>10)
}

// BenchmarkHostileRequest tells what the dearest of them costs: its time in ms,
// and in bare RSA signatures of our key, one of which is in every answer. The
// two take turns, so that a busy machine slows both.
func BenchmarkHostileRequest(b *testing.B) {
	w := hostileWorld(b)
	sum := sha256.Sum256([]byte("a"))
	type cost struct{ whole, bare []time.Duration }
	costs := map[string]*cost{}
	requests := hostile(b)
	for b.Loop() {
		for name, request := range requests {
			r, rec := request(), httptest.NewRecorder()
			w.log.Reset()
			start := time.Now()
			w.handler.ServeHTTP(rec, r)
			took := time.Since(start)
			start = time.Now()
			if _, err := w.key.Signer.Sign(rand.Reader, sum[:], crypto.SHA256); err != nil {
				b.Fatal(err)
			}
			if costs[name] == nil {
				costs[name] = &cost{}
			}
			costs[name].whole, costs[name].bare = append(costs[name].whole, took), append(costs[name].bare, time.Since(start))
		}
	}
	dearest, of, ratio := time.Duration(0), "", 0.0
	for name, c := range costs {
		if d := middle(c.whole); d > dearest {
			dearest, of, ratio = d, name, float64(d)/float64(middle(c.bare))
		}
	}
	b.Logf("the dearest is %s", of)
	b.ReportMetric(float64(dearest.Microseconds())/1000, "ms/dearest")
	b.ReportMetric(ratio, "x/signature")
	if dearest > mostTime {
		b.Errorf("%s takes %v, want %v at most", of, dearest, mostTime)
	}
}

func middle(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}
