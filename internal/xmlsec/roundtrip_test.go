package xmlsec_test

import (
	"crypto"
	"strings"
	"testing"

	"github.com/samlet-id/samlet/certs"
	"github.com/samlet-id/samlet/internal/xmlsec"
)

// What one half of the package writes, the other half reads. Neither is proved by
// the other: both are held against others' software beside this.

func TestWrittenIsVerified(t *testing.T) {
	t.Parallel()
	for name, key := range signingKeys() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for kind, value := range hostile {
				doc, err := response(true, true, value).Sign(key)
				if err != nil {
					t.Fatalf("%s: %v", kind, err)
				}
				for _, assertion := range []bool{true, false} {
					if got := readBack(t, doc, assertion, key); got != value {
						t.Errorf("%s: read %q, want %q", kind, got, value)
					}
				}
			}
		})
	}
}

// readBack verifies the Assertion or the Response and returns the NameID.
func readBack(t testing.TB, doc []byte, assertion bool, key certs.Key) string {
	t.Helper()
	d, err := xmlsec.Parse(doc, xmlsec.ResponseLimits())
	if err != nil {
		t.Fatal(err)
	}
	e := d.Root()
	if assertion {
		e = e.Child(xmlsec.NSAssertion, "Assertion")
	}
	if e, err = d.Verify(e, xmlsec.Trust{Keys: []crypto.PublicKey{key.Public()}}); err != nil {
		t.Fatalf("our reader does not verify it: %v", err)
	}
	if !assertion {
		e = e.Child(xmlsec.NSAssertion, "Assertion")
	}
	s, err := e.Child(xmlsec.NSAssertion, "Subject").Child(xmlsec.NSAssertion, "NameID").Text()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestDetachedIsVerified(t *testing.T) {
	t.Parallel()
	octets := []byte("SAMLRequest=a&RelayState=b")
	for name, key := range signingKeys() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			alg, sig, err := xmlsec.SignDetached(key, octets)
			if err != nil {
				t.Fatal(err)
			}
			keys := []crypto.PublicKey{key.Public()}
			if err := xmlsec.VerifyDetached(alg, keys, octets, sig); err != nil {
				t.Errorf("our reader does not verify it: %v", err)
			}
			if err := xmlsec.VerifyDetached(alg, keys, octets[1:], sig); err == nil {
				t.Error("other octets are verified, too")
			}
		})
	}
}

func TestEncryptedIsDecrypted(t *testing.T) {
	t.Parallel()
	for name, to := range offered {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			doc, err := xmlsec.Parse(encrypted(t, plainAssertion, to), xmlsec.ResponseLimits())
			if err != nil {
				t.Fatal(err)
			}
			inner, err := xmlsec.Decrypt(doc.Root(), []crypto.Decrypter{encryptionKey()}, xmlsec.DecryptPolicy{AllowCBC: true}, xmlsec.ResponseLimits())
			if err != nil {
				t.Fatal(err)
			}
			if got, err := inner.Root().Child(xmlsec.NSAssertion, "Issuer").Text(); err != nil || !strings.HasSuffix(got, "& key") {
				t.Errorf("read %q, %v", got, err)
			}
		})
	}
}

// TestCBCPadding walks through every length that the last block can have.
func TestCBCPadding(t *testing.T) {
	t.Parallel()
	for n := range 17 {
		plain := strings.Replace(plainAssertion, "key", strings.Repeat("k", n), 1)
		doc, err := xmlsec.Parse(encrypted(t, plain, xmlsec.EncryptTo{Content: xmlsec.AlgAES128CBC}), xmlsec.ResponseLimits())
		if err != nil {
			t.Fatal(err)
		}
		keys := []crypto.Decrypter{encryptionKey()}
		if _, err := xmlsec.Decrypt(doc.Root(), keys, xmlsec.DecryptPolicy{AllowCBC: true}, xmlsec.ResponseLimits()); err != nil {
			t.Errorf("%d octets more: %v", n, err)
		}
	}
}
