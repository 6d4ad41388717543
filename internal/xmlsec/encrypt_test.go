package xmlsec_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/samlet-id/samlet/internal/peer"
	"github.com/samlet-id/samlet/internal/xmlsec"
)

var encryptionKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// offered are the combinations that EncryptTo can be given.
var offered = map[string]xmlsec.EncryptTo{
	"defaults":                {},
	"AES-128":                 {Content: xmlsec.AlgAES128GCM},
	"mgf1p with SHA-256":      {KeyTransport: xmlsec.AlgRSAOAEPMGF1P, Digest: xmlsec.AlgSHA256},
	"oaep":                    {KeyTransport: xmlsec.AlgRSAOAEP},
	"oaep with SHA-1 MGF":     {KeyTransport: xmlsec.AlgRSAOAEP, Digest: xmlsec.AlgSHA256, MGF: xmlsec.AlgMGF1SHA1},
	"oaep with SHA-1":         {KeyTransport: xmlsec.AlgRSAOAEP, Digest: xmlsec.AlgSHA1, MGF: xmlsec.AlgMGF1SHA1},
	"oaep with SHA-512":       {KeyTransport: xmlsec.AlgRSAOAEP, Digest: xmlsec.AlgSHA512, MGF: xmlsec.AlgMGF1SHA512},
	"AES-256-CBC":             {Content: xmlsec.AlgAES256CBC},
	"AES-128-CBC":             {Content: xmlsec.AlgAES128CBC},
	"oaep with SHA-384, SHA1": {KeyTransport: xmlsec.AlgRSAOAEP, Digest: xmlsec.AlgSHA384, MGF: xmlsec.AlgMGF1SHA1},
}

const plainAssertion = `<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="_a"><saml:Issuer>🔑 &amp; key</saml:Issuer></saml:Assertion>`

// encrypted writes an EncryptedAssertion.
func encrypted(t testing.TB, plain string, to xmlsec.EncryptTo) []byte {
	t.Helper()
	to.Key = encryptionKey().Public()
	w := xmlsec.NewWriter()
	w.Open("saml:EncryptedAssertion")
	w.EncryptedData([]byte(plain), to, rand.Reader)
	w.Close()
	doc, err := w.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func TestEncryptIsReadByXMLSec1(t *testing.T) {
	t.Parallel()
	xmlsec1 := peer.Need(t, "xmlsec1", "apt-get install xmlsec1")
	dir := t.TempDir()
	der, err := x509.MarshalPKCS8PrivateKey(encryptionKey())
	if err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(dir, "key.pem")
	if err := os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	// Debian's xmlsec1 is older than 1.3 and knows neither rsa-oaep of XML
	// Encryption 1.1 nor digests beyond SHA-1; our reader has to do for those.
	for _, name := range []string{"defaults", "AES-128", "AES-256-CBC", "AES-128-CBC"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			doc := encrypted(t, plainAssertion, offered[name])
			cmd := exec.Command(xmlsec1, "--decrypt", "--privkey-pem", key, "-")
			cmd.Stdin = bytes.NewReader(doc)
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("xmlsec1: %v: %s\n%s", err, out, doc)
			}
			// The declaration that the envelope makes superfluous is gone.
			inner := strings.Replace(plainAssertion, ` xmlns:saml="`+xmlsec.NSAssertion+`"`, "", 1)
			if got := canonical(t, out); !strings.Contains(got, inner) {
				t.Errorf("got %s\nwant %s in it", got, inner)
			}
			if strings.Contains(string(doc), "key</saml") {
				t.Error("the plain text is in the document")
			}
		})
	}
}

func TestEncryptIsSchemaValid(t *testing.T) {
	t.Parallel()
	for name, to := range offered {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			peer.ValidateXSD(t, encrypted(t, plainAssertion, to))
		})
	}
}

func TestEncryptIsCanonicalAndFresh(t *testing.T) {
	t.Parallel()
	a, b := encrypted(t, plainAssertion, xmlsec.EncryptTo{}), encrypted(t, plainAssertion, xmlsec.EncryptTo{})
	if bytes.Equal(a, b) {
		t.Error("two encryptions are the same")
	}
	if got := canonical(t, a); got != string(a) {
		t.Errorf("not canonical:\n%s\nwant\n%s", a, got)
	}
}

func TestEncryptRefuses(t *testing.T) {
	t.Parallel()
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	pub := encryptionKey().Public()
	for name, c := range map[string]struct {
		to   xmlsec.EncryptTo
		want string
	}{
		"no key":        {xmlsec.EncryptTo{}, "cannot encrypt to a <nil>"},
		"EC key":        {xmlsec.EncryptTo{Key: ec.Public()}, "cannot encrypt to a *ecdsa.PublicKey"},
		"3DES":          {xmlsec.EncryptTo{Key: pub, Content: xmlsec.NSXEnc + "tripledes-cbc"}, "cannot encrypt with"},
		"RSA 1.5":       {xmlsec.EncryptTo{Key: pub, KeyTransport: xmlsec.NSXEnc + "rsa-1_5"}, "cannot transport"},
		"MD5":           {xmlsec.EncryptTo{Key: pub, Digest: "http://www.w3.org/2001/04/xmldsig-more#md5"}, "cannot do OAEP"},
		"unknown MGF":   {xmlsec.EncryptTo{Key: pub, KeyTransport: xmlsec.AlgRSAOAEP, MGF: "mgf2"}, "cannot do OAEP"},
		"mgf1p and MGF": {xmlsec.EncryptTo{Key: pub, MGF: xmlsec.AlgMGF1SHA256}, "one mask generation function"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := xmlsec.NewWriter()
			w.EncryptedData([]byte(plainAssertion), c.to, rand.Reader)
			got, err := w.Bytes()
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %q, %v; want an error about %q", got, err, c.want)
			}
			if err := c.to.Supported(); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Supported: got %v, want an error about %q", err, c.want)
			}
		})
	}
	if err := (xmlsec.EncryptTo{Key: pub}).Supported(); err != nil {
		t.Errorf("Supported, by default: %v", err)
	}
	w := xmlsec.NewWriter()
	w.EncryptedData(nil, xmlsec.EncryptTo{Key: pub}, iotest.ErrReader(os.ErrClosed))
	if _, err := w.Bytes(); err == nil {
		t.Error("encrypted without randomness")
	}
}
