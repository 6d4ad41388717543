package xmlsec_test

import (
	"crypto"
	"fmt"
	"testing"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/xmlsec"
)

// TestDecryptHasOneError compares all that a sender could ever be told: whatever
// fails, it is the same (CBC padding oracle, RSA 1.5 oracle).
func TestDecryptHasOneError(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for name, f := range fixtures(t, "reject") {
		if f.lines["code"] != "xml.decrypt" {
			continue
		}
		_, err := f.run(t)
		told := *identity.AsError(err)
		told.Err = nil
		seen[fmt.Sprintf("%+v", told)] = name
	}
	if len(seen) != 1 {
		t.Errorf("errors differ: %v", seen)
	}
}

// panicking is a key that fails as badly as a key can.
type panicking struct{ crypto.Decrypter }

func (panicking) Public() crypto.PublicKey { panic("no such key") }

func TestDecryptSurvivesPanic(t *testing.T) {
	t.Parallel()
	f := acceptedFixture(t, "aes128-gcm")
	doc, err := xmlsec.Parse(f.raw, f.limits())
	if err != nil {
		t.Fatal(err)
	}
	enc := doc.Root().Child(xmlsec.NSAssertion, "EncryptedAssertion")
	_, err = xmlsec.Decrypt(enc, []crypto.Decrypter{panicking{}}, xmlsec.DecryptPolicy{}, f.limits())
	if got := identity.CodeOf(err); got != "xml.decrypt" {
		t.Errorf("code = %q, want xml.decrypt: %v", got, err)
	}
}
