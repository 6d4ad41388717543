package xmlsec_test

import (
	"crypto"
	"testing"

	"github.com/samlet-id/samlet/internal/xmlsec"
)

func TestAble(t *testing.T) {
	t.Parallel()
	sha1 := []string{xmlsec.AlgSHA1}
	both := []string{xmlsec.AlgSHA1, xmlsec.AlgSHA512}
	for name, c := range map[string]struct {
		key, algorithm string
		digests        []string
		want           bool
		hash           crypto.Hash
	}{
		"RSA as it is":                 {"RSA", xmlsec.AlgRSASHA256, nil, true, 0},
		"RSA with a longer hash":       {"RSA", xmlsec.AlgRSASHA512, nil, true, crypto.SHA512},
		"RSA with a listed digest":     {"RSA", xmlsec.AlgRSASHA512, both, true, crypto.SHA512},
		"RSA without a listed digest":  {"RSA", xmlsec.AlgRSASHA256, both, false, 0},
		"RSA with SHA-1":               {"RSA", xmlsec.AlgRSASHA1, nil, false, 0},
		"RSA for an ECDSA peer":        {"RSA", xmlsec.AlgECDSASHA256, nil, false, 0},
		"P-384 with a shorter hash":    {"P-384", xmlsec.AlgECDSASHA256, nil, true, crypto.SHA256},
		"P-256 for an Ed25519 peer":    {"P-256", xmlsec.AlgEd25519, nil, false, 0},
		"Ed25519":                      {"Ed25519", xmlsec.AlgEd25519, nil, true, 0},
		"Ed25519 over another digest":  {"Ed25519", xmlsec.AlgEd25519, both, true, crypto.SHA512},
		"Ed25519 over SHA-1 and alone": {"Ed25519", xmlsec.AlgEd25519, sha1, false, 0},
		"an algorithm of no name":      {"RSA", "", nil, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k, ok := xmlsec.Able(signingKeys()[c.key], c.algorithm, c.digests)
			if ok != c.want || k.Hash != c.hash {
				t.Fatalf("got %t with %v, want %t with %v", ok, k.Hash, c.want, c.hash)
			}
			if !ok {
				return
			}
			if alg, err := xmlsec.SignatureAlgorithm(k); err != nil || alg != c.algorithm {
				t.Errorf("it signs with %s, %v; want %s", alg, err, c.algorithm)
			}
		})
	}
}
