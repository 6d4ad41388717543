package xmlsec_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/beevik/etree"
	"github.com/google/go-cmp/cmp"
	dsig "github.com/russellhaering/goxmldsig"

	"github.com/samlet-id/samlet/certs"
	"github.com/samlet-id/samlet/internal/peer"
	"github.com/samlet-id/samlet/internal/xmlsec"
)

var signingKeys = sync.OnceValue(func() map[string]certs.Key {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	keys := map[string]certs.Key{"RSA": selfSigned(rsaKey)}
	for _, c := range []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		k, err := ecdsa.GenerateKey(c, rand.Reader)
		if err != nil {
			panic(err)
		}
		keys[c.Params().Name] = selfSigned(k)
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	keys["Ed25519"] = selfSigned(ed)
	return keys
})

func selfSigned(s crypto.Signer) certs.Key {
	template := x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, s.Public(), s)
	if err != nil {
		panic(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	return certs.Key{ID: "test", Use: certs.Signing, State: certs.Active, Signer: s, Certificate: cert}
}

// response writes a Response with an Assertion in the layout that is asked for.
func response(signResponse, signAssertion bool, value string) *xmlsec.Writer {
	w := xmlsec.NewWriter()
	w.Open("samlp:Response", "ID", "_r1", "Version", "2.0", "IssueInstant", "2026-11-23T00:00:00Z")
	w.Element("saml:Issuer", "https://login.example.test/saml/metadata")
	if signResponse {
		w.SignatureSlot()
	}
	w.Open("samlp:Status")
	w.Element("samlp:StatusCode", "", "Value", "urn:oasis:names:tc:SAML:2.0:status:Success")
	w.Close()
	w.Open("saml:Assertion", "ID", "_a1", "Version", "2.0", "IssueInstant", "2026-11-23T00:00:00Z")
	w.Element("saml:Issuer", "https://login.example.test/saml/metadata")
	if signAssertion {
		w.SignatureSlot()
	}
	w.Open("saml:Subject")
	w.Element("saml:NameID", value)
	w.Close()
	w.Open("saml:AttributeStatement")
	w.Open("saml:Attribute", "Name", "a")
	w.Element("saml:AttributeValue", value)
	w.Close()
	w.Close()
	w.Close()
	w.Close()
	return w
}

func TestSign(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		key                 string
		hash                crypto.Hash
		response, assertion bool
		alg                 string
	}{
		"assertion":             {"RSA", 0, false, true, xmlsec.AlgRSASHA256},
		"response":              {"RSA", 0, true, false, xmlsec.AlgRSASHA256},
		"both":                  {"RSA", 0, true, true, xmlsec.AlgRSASHA256},
		"both with RSA SHA-384": {"RSA", crypto.SHA384, true, true, xmlsec.AlgRSASHA384},
		"both with RSA SHA-512": {"RSA", crypto.SHA512, true, true, xmlsec.AlgRSASHA512},
		"both with ECDSA P-256": {"P-256", 0, true, true, xmlsec.AlgECDSASHA256},
		"both with ECDSA P-384": {"P-384", 0, true, true, xmlsec.AlgECDSASHA384},
		"both with ECDSA P-521": {"P-521", 0, true, true, xmlsec.AlgECDSASHA512},
		"P-384 with SHA-256":    {"P-384", crypto.SHA256, false, true, xmlsec.AlgECDSASHA256},
		"both with Ed25519":     {"Ed25519", 0, true, true, xmlsec.AlgEd25519},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			key := signingKeys()[c.key]
			key.Hash = c.hash
			for kind, value := range hostile {
				doc, err := response(c.response, c.assertion, value).Sign(key)
				if err != nil {
					t.Fatalf("%s: %v", kind, err)
				}
				if !strings.Contains(string(doc), c.alg) {
					t.Errorf("%s: not signed with %s", kind, c.alg)
				}
				if diff := cmp.Diff(canonical(t, doc), string(doc)); diff != "" {
					t.Errorf("%s: not canonical (-xmllint +ours):\n%s", kind, diff)
				}
				if c.alg == xmlsec.AlgEd25519 { // which xmlsec1 does not know
					verifyOpenSSL(t, doc, "samlp:Response", key)
					verifyOpenSSL(t, doc, "saml:Assertion", key)
					continue
				}
				peer.VerifyXMLSec1(t, doc, key.PEM())
				if c.response {
					verifyGoxmldsig(t, doc, "/Response", key)
				}
				if c.assertion {
					verifyGoxmldsig(t, doc, "/Response/Assertion", key)
				}
			}
		})
	}
}

// verifyGoxmldsig checks the signature of the element at path.
func verifyGoxmldsig(t testing.TB, doc []byte, path string, key certs.Key) {
	t.Helper()
	tree := etree.NewDocument()
	if err := tree.ReadFromBytes(doc); err != nil {
		t.Fatal(err)
	}
	// goxmldsig wants ECDSA signatures in ASN.1, which XML Signature does not
	// have (RFC 9231, section 2.3.6).
	if _, ok := key.Signer.(*rsa.PrivateKey); !ok {
		return
	}
	ctx := dsig.NewDefaultValidationContext(&dsig.MemoryX509CertificateStore{Roots: []*x509.Certificate{key.Certificate}})
	if _, err := ctx.Validate(tree.FindElement(path)); err != nil {
		t.Errorf("goxmldsig does not verify it: %v\n%s", err, doc)
	}
}

func TestSignNeedsASigningKey(t *testing.T) {
	t.Parallel()
	good := signingKeys()["RSA"]
	encryption := good
	encryption.Use = certs.Encryption
	for name, c := range map[string]struct {
		key  certs.Key
		hash crypto.Hash
		want string
	}{
		"no key":         {certs.Key{}, 0, "not a signing key"},
		"encryption key": {encryption, 0, "not a signing key"},
		"SHA-1":          {good, crypto.SHA1, "cannot sign XML with SHA-1"},
		"MD5":            {good, crypto.MD5, "cannot sign XML with MD5"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.key.Hash = c.hash
			doc, err := response(true, true, "a").Sign(c.key)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %q, %v; want an error about %q", doc, err, c.want)
			}
		})
	}
	if _, err := response(false, false, "a").Sign(good); err == nil {
		t.Error("a document without a place for a signature was signed")
	}
}

func TestSignDetached(t *testing.T) {
	t.Parallel()
	octets := []byte("SAMLRequest=a&RelayState=b")
	for name, key := range signingKeys() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			alg, sig, err := xmlsec.SignDetached(key, octets)
			if err != nil {
				t.Fatal(err)
			}
			if want, err := xmlsec.SignatureAlgorithm(key); err != nil || alg != want {
				t.Errorf("signed with %s, announced %s, %v", alg, want, err)
			}
			switch name {
			case "RSA":
				sum := sha256.Sum256(octets)
				err = rsa.VerifyPKCS1v15(key.Public().(*rsa.PublicKey), crypto.SHA256, sum[:], sig)
			case "P-256":
				sum := sha256.Sum256(octets)
				r, s := new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])
				if !ecdsa.Verify(key.Public().(*ecdsa.PublicKey), sum[:], r, s) || len(sig) != 64 {
					t.Error("not r and s of 32 octets each")
				}
			case "Ed25519":
				if !opensslVerifies(t, key, octets, sig) {
					t.Error("OpenSSL does not verify it")
				}
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
}

// BenchmarkSign prints what one signed Response costs in units of the bare RSA
// signature that is in it. The two take turns, and medians are compared, so that
// a busy machine changes little.
func BenchmarkSign(b *testing.B) {
	key := signingKeys()["RSA"]
	sum := sha256.Sum256([]byte("a"))
	for name, layout := range map[string][2]bool{"assertion": {false, true}, "response": {true, false}} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			var whole, bare []time.Duration
			for b.Loop() {
				start := time.Now()
				if _, err := response(layout[0], layout[1], "alice@example.test").Sign(key); err != nil {
					b.Fatal(err)
				}
				whole = append(whole, time.Since(start))
				b.StopTimer()
				start = time.Now()
				if _, err := key.Signer.Sign(rand.Reader, sum[:], crypto.SHA256); err != nil {
					b.Fatal(err)
				}
				bare = append(bare, time.Since(start))
				b.StartTimer()
			}
			b.ReportMetric(median(whole)/median(bare), "x/sig")
		})
	}
}

func median(d []time.Duration) float64 {
	slices.Sort(d)
	return float64(d[len(d)/2])
}
