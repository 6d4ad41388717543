package xmlsec_test

import (
	"crypto"
	"testing"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/xmlsec"
)

// An operator can forbid what is accepted by default (IIP-ALG08): of a signature
// its method and its digest, of an encryption content, key transport and digest.
func TestRefused(t *testing.T) {
	t.Parallel()
	signed := acceptedFixture(t, "assertion-signed")
	doc, err := xmlsec.Parse(signed.raw, signed.limits())
	if err != nil {
		t.Fatal(err)
	}
	assertion := doc.Root().Child(xmlsec.NSAssertion, "Assertion")
	for refused, want := range map[string]identity.Code{
		xmlsec.AlgRSASHA512: "", xmlsec.AlgRSASHA256: "sig.algorithm", xmlsec.AlgSHA256: "sig.algorithm",
	} {
		trust := signed.trust(t)
		trust.Refused = []string{refused}
		if _, err := doc.Verify(assertion, trust); identity.CodeOf(err) != want {
			t.Errorf("verifying with %s refused: got %v, want %q", refused, err, want)
		}
	}
	for name, alg := range map[string]string{
		"aes128-gcm": xmlsec.AlgAES128GCM, "oaep-mgf1p-sha1": xmlsec.AlgRSAOAEPMGF1P, "oaep-mgf1p-sha256": xmlsec.AlgSHA256, "oaep11-default": xmlsec.AlgRSAOAEP,
	} {
		f := acceptedFixture(t, name)
		doc, err := xmlsec.Parse(f.raw, f.limits())
		if err != nil {
			t.Fatal(err)
		}
		enc := doc.Root().Child(xmlsec.NSAssertion, "EncryptedAssertion")
		for _, refused := range [][]string{nil, {alg}} {
			_, err := xmlsec.Decrypt(enc, []crypto.Decrypter{decrypter(t, "rsa"), decrypter(t, "encryption")}, xmlsec.DecryptPolicy{Refused: refused}, f.limits())
			if (err == nil) != (refused == nil) {
				t.Errorf("decrypting %s with %v refused: got %v", name, refused, err)
			}
		}
	}
}
