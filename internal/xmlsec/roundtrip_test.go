package xmlsec_test

import (
	"crypto"
	"regexp"
	"strings"
	"testing"

	"github.com/samlet-id/samlet/certs"
	"github.com/samlet-id/samlet/identity"
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

// TestEncryptedIDIsOpened holds what of it may come from anybody: a NameID alone,
// authenticated encryption, and few keys to try.
func TestEncryptedIDIsOpened(t *testing.T) {
	t.Parallel()
	const nameID = `<saml:NameID xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion">alice</saml:NameID>`
	gcm := xmlsec.EncryptTo{Content: xmlsec.AlgAES256GCM}
	key := regexp.MustCompile(`<xenc:EncryptedKey.*?</xenc:EncryptedKey>`)
	for name, c := range map[string]struct {
		plain string
		to    xmlsec.EncryptTo
		edit  func(string) string
		want  string
	}{
		"a NameID":      {plain: nameID, to: gcm, want: "alice"},
		"an Assertion":  {plain: plainAssertion, to: gcm},
		"CBC":           {plain: nameID, to: xmlsec.EncryptTo{Content: xmlsec.AlgAES128CBC}},
		"keys in a row": {plain: nameID, to: gcm, edit: func(s string) string { return key.ReplaceAllString(s, "$0$0$0") }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			xml := strings.ReplaceAll(string(encrypted(t, c.plain, c.to)), "EncryptedAssertion", "EncryptedID")
			if c.edit != nil {
				xml = c.edit(xml)
			}
			doc, err := xmlsec.Parse([]byte(xml), xmlsec.RequestLimits())
			if err != nil {
				t.Fatal(err)
			}
			inner, err := xmlsec.DecryptID(doc.Root(), []crypto.Decrypter{encryptionKey()}, xmlsec.RequestLimits())
			if c.want == "" {
				if identity.CodeOf(err) != "xml.decrypt" {
					t.Errorf("got %v, want xml.decrypt", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got, err := inner.Root().Text(); err != nil || got != c.want {
				t.Errorf("got %q, %v, want %q", got, err, c.want)
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
