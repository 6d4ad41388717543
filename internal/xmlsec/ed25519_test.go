package xmlsec_test

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/samlet-id/samlet/certs"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/peer"
	"github.com/samlet-id/samlet/internal/xmlsec"
)

// Few libraries for XML signatures know Ed25519. So it is proven in two steps by
// software not ours: xmllint makes the canonical forms, openssl the digests and
// the signatures.

func openssl(t testing.TB, args ...string) ([]byte, error) {
	t.Helper()
	return exec.Command(peer.Need(t, "openssl", "apt-get install openssl"), args...).Output()
}

func inFile(t testing.TB, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func opensslVerifies(t testing.TB, key certs.Key, octets, signature []byte) bool {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	public := inFile(t, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	_, err = openssl(t, "pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", public, "-in", inFile(t, octets), "-sigfile", inFile(t, signature))
	return err == nil
}

func opensslDigest(t testing.TB, octets []byte) string {
	t.Helper()
	sum, err := openssl(t, "dgst", "-sha256", "-binary", inFile(t, octets))
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(sum)
}

// between returns what stands between the first start and the first end after it.
func between(s, start, end string) string {
	_, s, _ = strings.Cut(s, start)
	s, _, _ = strings.Cut(s, end)
	return s
}

// verifyOpenSSL checks the signature of the element of that name in doc.
func verifyOpenSSL(t testing.TB, doc []byte, element string, key certs.Key) {
	t.Helper()
	whole := "<" + element + between(string(doc), "<"+element, "</"+element+">") + "</" + element + ">"
	const open, end = "<ds:Signature ", "</ds:Signature>"
	signature := open + between(whole, open, end) + end
	info := strings.Replace("<ds:SignedInfo"+between(signature, "<ds:SignedInfo", "</ds:SignedInfo>")+"</ds:SignedInfo>",
		"<ds:SignedInfo", `<ds:SignedInfo xmlns:ds="`+xmlsec.NSDSig+`"`, 1)
	value, err := base64.StdEncoding.DecodeString(between(signature, "<ds:SignatureValue>", "<"))
	if err != nil {
		t.Fatal(err)
	}
	if !opensslVerifies(t, key, []byte(canonical(t, []byte(info))), value) {
		t.Errorf("openssl does not verify the signature of %s in %s", element, doc)
	}
	signed := canonical(t, []byte(strings.Replace(whole, signature, "", 1)))
	if got, want := between(signature, "<ds:DigestValue>", "<"), opensslDigest(t, []byte(signed)); got != want {
		t.Errorf("the digest of %s: got %s, want openssl's %s", element, got, want)
	}
}

// signedByOpenSSL is an Assertion with a signature that openssl made, over
// canonical forms of xmllint.
func signedByOpenSSL(t testing.TB) (doc []byte, key ed25519.PublicKey) {
	t.Helper()
	private, err := openssl(t, "genpkey", "-algorithm", "ed25519")
	if err != nil {
		t.Fatal(err)
	}
	keyFile := inFile(t, private)
	der, err := openssl(t, "pkey", "-in", keyFile, "-pubout", "-outform", "DER")
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		t.Fatal(err)
	}
	const assertion = `<saml:Assertion xmlns:saml="` + xmlsec.NSAssertion + `" ID="_a" Version="2.0"><saml:Issuer>https://idp.example.test</saml:Issuer><saml:Advice/></saml:Assertion>`
	info := canonical(t, []byte(`<ds:SignedInfo xmlns:ds="`+xmlsec.NSDSig+`"><ds:CanonicalizationMethod Algorithm="`+xmlsec.AlgExcC14N+`"/><ds:SignatureMethod Algorithm="`+xmlsec.AlgEd25519+`"/>`+
		`<ds:Reference URI="#_a"><ds:Transforms><ds:Transform Algorithm="`+xmlsec.AlgEnveloped+`"/><ds:Transform Algorithm="`+xmlsec.AlgExcC14N+`"/></ds:Transforms>`+
		`<ds:DigestMethod Algorithm="`+xmlsec.AlgSHA256+`"/><ds:DigestValue>`+opensslDigest(t, []byte(canonical(t, []byte(assertion))))+`</ds:DigestValue></ds:Reference></ds:SignedInfo>`))
	signature, err := openssl(t, "pkeyutl", "-sign", "-rawin", "-inkey", keyFile, "-in", inFile(t, []byte(info)))
	if err != nil {
		t.Fatal(err)
	}
	block := `<ds:Signature xmlns:ds="` + xmlsec.NSDSig + `">` + info + `<ds:SignatureValue>` + base64.StdEncoding.EncodeToString(signature) + `</ds:SignatureValue></ds:Signature>`
	return []byte(strings.Replace(assertion, "</saml:Issuer>", "</saml:Issuer>"+block, 1)), public.(ed25519.PublicKey)
}

func TestVerifyEd25519(t *testing.T) {
	t.Parallel()
	doc, key := signedByOpenSSL(t)
	keys := func(k ...crypto.PublicKey) []crypto.PublicKey { return k }
	for name, c := range map[string]struct {
		doc  []byte
		keys []crypto.PublicKey
		want identity.Code
	}{
		"as it is":               {doc, keys(key), ""},
		"behind other keys":      {doc, keys(signingKeys()["RSA"].Public(), signingKeys()["P-256"].Public(), key), ""},
		"changed":                {bytes.Replace(doc, []byte("<saml:Advice/>"), nil, 1), keys(key), "sig.digest"},
		"another digest":         {bytes.Replace(doc, []byte("<ds:DigestValue>"), []byte("<ds:DigestValue>AAAA"), 1), keys(key), "sig.key"},
		"another key":            {doc, keys(signingKeys()["Ed25519"].Public()), "sig.key"},
		"a key of another kind":  {doc, keys(signingKeys()["P-256"].Public()), "sig.key"},
		"a key cut short":        {doc, keys(key[:31]), "sig.key"},
		"said to be ECDSA":       {bytes.Replace(doc, []byte(xmlsec.AlgEd25519), []byte(xmlsec.AlgECDSASHA256), 1), keys(key), "sig.key"},
		"Ed448, which we do not": {bytes.Replace(doc, []byte("eddsa-ed25519"), []byte("eddsa-ed448"), 1), keys(key), "sig.algorithm"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, err := xmlsec.Parse(c.doc, xmlsec.ResponseLimits())
			if err != nil {
				t.Fatal(err)
			}
			_, err = d.Verify(d.Root(), xmlsec.Trust{Keys: c.keys})
			if got := identity.CodeOf(err); got != c.want {
				t.Errorf("got %q (%v), want %q", got, err, c.want)
			}
		})
	}
}
