package xmlsec_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/xmlsec"
)

func anyKey(t testing.TB) []crypto.PublicKey {
	t.Helper()
	return []crypto.PublicKey{testCertificate(t, "rsa").PublicKey}
}

func acceptedFixture(t testing.TB, name string) fixture {
	t.Helper()
	return readFixture(t, filepath.Join("testdata", "accept", name+".xml"))
}

// TestVerifyReturnsWhatWasSigned makes sure that the element that comes back is
// not the one that went in, and holds nothing beyond the signed octets.
func TestVerifyReturnsWhatWasSigned(t *testing.T) {
	t.Parallel()
	f := acceptedFixture(t, "assertion-signed")
	doc, err := xmlsec.Parse(f.raw, f.limits())
	if err != nil {
		t.Fatal(err)
	}
	received := doc.Root().Child(xmlsec.NSAssertion, "Assertion")
	signed, err := doc.Verify(received, f.trust(t))
	if err != nil {
		t.Fatal(err)
	}
	if signed == received || signed.Document() == doc || signed.Document().Root() != signed {
		t.Error("the element is not the root of a document of its own")
	}
	if signed.Child(xmlsec.NSDSig, "Signature") != nil || doc.HasSignature(signed) || !doc.HasSignature(received) {
		t.Error("the signature stands in what it signed")
	}
	if _, err := doc.Verify(signed, f.trust(t)); identity.CodeOf(err) != "sig.missing" {
		t.Errorf("an element of another document: %v", err)
	}
}

func TestVerifyIgnoresUnusableKeys(t *testing.T) {
	t.Parallel()
	f := acceptedFixture(t, "assertion-signed")
	f.lines["keys"] = "none"
	unusable := []crypto.PublicKey{nil, (*rsa.PublicKey)(nil), (*ecdsa.PublicKey)(nil), new(ecdsa.PublicKey), ed25519.PublicKey{}, "key", []byte("key")}
	for name, c := range map[string]struct {
		keys []crypto.PublicKey
		code identity.Code
	}{
		"none":           {nil, "sig.no_keys"},
		"unusable":       {unusable, "sig.key"},
		"usable at last": {append(unusable, anyKey(t)...), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			doc, err := xmlsec.Parse(f.raw, f.limits())
			if err != nil {
				t.Fatal(err)
			}
			_, err = doc.Verify(doc.Root().Child(xmlsec.NSAssertion, "Assertion"), xmlsec.Trust{Keys: c.keys})
			if got := identity.CodeOf(err); got != c.code {
				t.Errorf("code = %q, want %q: %v", got, c.code, err)
			}
		})
	}
}

// TestCanonicalFormBomb has a SignedInfo whose canonical form is a thousand
// times longer than itself: each of many siblings declares a long namespace.
func TestCanonicalFormBomb(t *testing.T) {
	t.Parallel()
	bomb := strings.Repeat("<x:b/>", 2000)
	raw := `<Response xmlns="urn:oasis:names:tc:SAML:2.0:protocol" ID="a"><ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#" xmlns:x="urn:` +
		strings.Repeat("x", 30000) + `"><ds:SignedInfo><ds:CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/>` + bomb +
		`</ds:SignedInfo><ds:SignatureValue>AAAA</ds:SignatureValue></ds:Signature></Response>`
	doc := parsed(t, raw)
	start := time.Now()
	_, err := doc.Verify(doc.Root(), xmlsec.Trust{Keys: anyKey(t)})
	if got := identity.CodeOf(err); got != "xml.size" {
		t.Errorf("code = %q, want xml.size: %v", got, err)
	}
	if cost := time.Since(start); cost > time.Second {
		t.Errorf("it took %v", cost)
	}
}

func TestVerifyDetached(t *testing.T) {
	t.Parallel()
	query, err := os.ReadFile("testdata/detached/query")
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"rsa", "p256", "p384", "p521"} {
		for _, bits := range []string{"1", "256", "384", "512"} {
			t.Run(key+"-sha"+bits, func(t *testing.T) {
				t.Parallel()
				sig, err := os.ReadFile("testdata/detached/" + key + "-sha" + bits)
				if err != nil {
					t.Fatal(err)
				}
				family := "ecdsa-sha"
				if key == "rsa" {
					family = "rsa-sha"
				}
				alg := "http://www.w3.org/2001/04/xmldsig-more#" + family + bits
				want := identity.Code("")
				if bits == "1" {
					alg, want = "http://www.w3.org/2000/09/xmldsig#"+family+bits, "sig.algorithm"
				}
				right := testCertificate(t, key).PublicKey
				wrong := testCertificate(t, "other").PublicKey
				check := func(what string, want identity.Code, alg string, keys []crypto.PublicKey, signed, sig []byte) {
					t.Helper()
					if got := identity.CodeOf(xmlsec.VerifyDetached(alg, keys, signed, sig)); got != want {
						t.Errorf("%s: code = %q, want %q", what, got, want)
					}
				}
				check("right", want, alg, []crypto.PublicKey{wrong, right}, query, sig)
				if want != "" {
					return
				}
				check("no keys", "sig.no_keys", alg, nil, query, sig)
				check("wrong key", "sig.key", alg, []crypto.PublicKey{wrong}, query, sig)
				check("changed", "sig.key", alg, []crypto.PublicKey{right}, append([]byte("x"), query...), sig)
				check("cut", "sig.key", alg, []crypto.PublicKey{right}, query, sig[1:])
				check("longer", "sig.key", alg, []crypto.PublicKey{right}, query, append(sig[:len(sig):len(sig)], 0))
				check("empty", "sig.key", alg, []crypto.PublicKey{right}, query, nil)
				check("zero", "sig.key", alg, []crypto.PublicKey{right}, query, make([]byte, len(sig)))
				check("HMAC", "sig.algorithm", "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256", []crypto.PublicKey{right}, query, sig)
				check("no algorithm", "sig.algorithm", "", []crypto.PublicKey{right}, query, sig)
			})
		}
	}
}

func BenchmarkVerifyResponse(b *testing.B) {
	f := acceptedFixture(b, "response-signed")
	trust := f.trust(b)
	b.ReportAllocs()
	for b.Loop() {
		doc, err := xmlsec.Parse(f.raw, f.limits())
		if err != nil {
			b.Fatal(err)
		}
		if _, err := doc.Verify(doc.Root(), trust); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerify2000Groups(b *testing.B) {
	f := acceptedFixture(b, "groups-2000")
	trust := f.trust(b)
	b.ReportAllocs()
	for b.Loop() {
		doc, err := xmlsec.Parse(f.raw, f.limits())
		if err != nil {
			b.Fatal(err)
		}
		if _, err := doc.Verify(doc.Root().Child(xmlsec.NSAssertion, "Assertion"), trust); err != nil {
			b.Fatal(err)
		}
	}
}

// ExampleDocument_Verify reads a signed Response as an SP does.
func ExampleDocument_Verify() {
	raw, _ := base64.StdEncoding.DecodeString("PGEvPg==") // an unsigned <a/>
	doc, err := xmlsec.Parse(raw, xmlsec.ResponseLimits())
	if err != nil {
		fmt.Println(err)
		return
	}
	key := new(rsa.PublicKey) // from the metadata of the IdP
	response, err := doc.Verify(doc.Root(), xmlsec.Trust{Keys: []crypto.PublicKey{key}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(response.Attr("ID"))
	// Output: sig.missing: The element a is not signed.
}
