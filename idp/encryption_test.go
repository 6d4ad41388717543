package idp_test

import (
	"bytes"
	"crypto"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/samlet-id/samlet/certs"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/idp"
	"github.com/samlet-id/samlet/internal/peer"
	"github.com/samlet-id/samlet/internal/xmlsec"
)

// method is an md:EncryptionMethod, with the digest and mask generation that it
// names, if any.
func method(algorithm string, digestAndMGF ...string) string {
	s := `<md:EncryptionMethod Algorithm="` + algorithm + `">`
	for i, a := range digestAndMGF {
		if i == 0 {
			s += `<ds:DigestMethod Algorithm="` + a + `"/>`
		} else {
			s += `<xenc11:MGF xmlns:xenc11="` + xmlsec.NSXEnc11 + `" Algorithm="` + a + `"/>`
		}
	}
	return s + `</md:EncryptionMethod>`
}

// encryptingTo gives the service provider an encryption key with these methods.
func encryptingTo(t testing.TB, methods ...string) func(string) string {
	t.Helper()
	return replace("<md:AssertionConsumerService", `<md:KeyDescriptor use="encryption"><ds:KeyInfo><ds:X509Data><ds:X509Certificate>`+
		certBase64(t, "sp")+`</ds:X509Certificate></ds:X509Data></ds:KeyInfo>`+strings.Join(methods, "")+`</md:KeyDescriptor><md:AssertionConsumerService`)
}

// TestEncryptionRules: what the operator names is used, else what the metadata
// lists, each with the digest and mask generation that it names.
func TestEncryptionRules(t *testing.T) {
	t.Parallel()
	const rsa15 = xmlsec.NSXEnc + "rsa-1_5"
	on := func(s identity.Switch) identity.SignRule {
		return identity.SignRule{Assertion: identity.On, Response: s}
	}
	gcm, cbc, oaep := xmlsec.AlgAES256GCM, xmlsec.AlgAES256CBC, xmlsec.AlgRSAOAEP
	for name, c := range map[string]struct {
		methods []string
		rule    identity.EncryptRule
		sign    identity.SignRule
		want    []string // algorithms in the Response; nil: refused
		warned  bool
	}{
		"the digest of the metadata": {[]string{method(gcm), method(xmlsec.AlgRSAOAEPMGF1P, xmlsec.AlgSHA384)}, identity.EncryptRule{}, on(0),
			[]string{gcm, xmlsec.AlgRSAOAEPMGF1P, xmlsec.AlgSHA384}, false},
		"digest and MGF of the metadata": {[]string{method(oaep, xmlsec.AlgSHA512, xmlsec.AlgMGF1SHA512)}, identity.EncryptRule{}, on(0),
			[]string{gcm, oaep, xmlsec.AlgSHA512, xmlsec.AlgMGF1SHA512}, false},
		"behind a digest that is unknown": {[]string{method(oaep, "urn:md5"), method(oaep, xmlsec.AlgSHA384)}, identity.EncryptRule{}, on(0),
			[]string{gcm, oaep, xmlsec.AlgSHA384}, false},
		"the operator's content": {nil, identity.EncryptRule{Content: xmlsec.AlgAES128GCM}, on(0),
			[]string{xmlsec.AlgAES128GCM, xmlsec.AlgRSAOAEPMGF1P}, false},
		"the operator's transport": {nil, identity.EncryptRule{KeyTransport: oaep, Digest: xmlsec.AlgSHA256}, on(0),
			[]string{gcm, oaep, xmlsec.AlgSHA256, xmlsec.AlgMGF1SHA256}, false},
		"the operator's against theirs": {[]string{method(cbc), method(rsa15)}, identity.EncryptRule{Mode: identity.Required, Content: gcm, KeyTransport: oaep, Digest: xmlsec.AlgSHA256}, on(0),
			[]string{gcm, oaep, xmlsec.AlgSHA256}, false},
		"CBC by the operator": {[]string{method(cbc)}, identity.EncryptRule{Content: cbc, AllowCBC: true}, on(0),
			[]string{cbc, xmlsec.AlgRSAOAEPMGF1P}, true},
		"CBC allowed and listed": {[]string{method(xmlsec.AlgAES128CBC)}, identity.EncryptRule{AllowCBC: true}, on(0),
			[]string{xmlsec.AlgAES128CBC, xmlsec.AlgRSAOAEPMGF1P}, true},
		"CBC allowed and GCM listed": {[]string{method(cbc), method(gcm)}, identity.EncryptRule{AllowCBC: true}, on(0),
			[]string{gcm, xmlsec.AlgRSAOAEPMGF1P}, false},
		"CBC outside a signed Response (padding oracle)": {[]string{method(cbc)}, identity.EncryptRule{Content: cbc, AllowCBC: true}, on(identity.Off), nil, false},
		"CBC named but not allowed":                      {nil, identity.EncryptRule{Mode: identity.Required, Content: cbc}, on(0), nil, false},
		"RSA 1.5 alone and required":                     {[]string{method(gcm), method(rsa15)}, identity.EncryptRule{Mode: identity.Required}, on(0), nil, false},
		"3DES alone and CBC allowed":                     {[]string{method(xmlsec.NSXEnc + "tripledes-cbc")}, identity.EncryptRule{Mode: identity.Required, AllowCBC: true}, on(0), nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, encryptingTo(t, c.methods...), nil)
			w.party.Encrypt, w.party.Sign = c.rule, c.sign
			got := w.send(byRedirect(t, authnRequest, "", nil))
			if warned := strings.Contains(w.log.String(), "weak encryption"); warned != c.warned {
				t.Errorf("warned: %t, want %t\n%s", warned, c.warned, w.log)
			}
			if c.want == nil {
				if !strings.Contains(got.message(), "sp.encryption") || bytes.Contains(got.response, []byte("alice@example.test")) {
					t.Errorf("got %s: %s", got.codes(), got.message())
				}
				return
			}
			peer.ValidateXSD(t, got.response)
			for _, alg := range c.want {
				if !bytes.Contains(got.response, []byte(`Algorithm="`+alg+`"`)) {
					t.Errorf("no %s in\n%s", alg, got.response)
				}
			}
			inner, err := xmlsec.Decrypt(w.verified(t, got.response).Child(xmlsec.NSAssertion, "EncryptedAssertion"),
				[]crypto.Decrypter{loadKey(t, "sp").Signer.(crypto.Decrypter)}, xmlsec.DecryptPolicy{AllowCBC: true}, xmlsec.ResponseLimits())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := inner.Verify(inner.Root(), xmlsec.Trust{Keys: []crypto.PublicKey{w.key.Public()}}); err != nil {
				t.Errorf("the assertion inside: %v", err)
			}
		})
	}
}

// TestWeakness: what protects less than the metadata asks for is told, once when
// the configuration is read and at each use.
func TestWeakness(t *testing.T) {
	t.Parallel()
	ring, err := certs.NewRing([]certs.Key{loadKey(t, "idp")})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		metadata func(string) string
		rule     identity.EncryptRule
		want     string
	}{
		"an algorithm that no key can do": {declaring("SigningMethod", xmlsec.AlgECDSASHA256), identity.EncryptRule{}, "we can sign with none"},
		"no key":                          {nil, identity.EncryptRule{}, ""},
		"a key":                           {encryptingTo(t), identity.EncryptRule{}, ""},
		"CBC listed alone":                {encryptingTo(t, method(xmlsec.AlgAES128CBC)), identity.EncryptRule{}, "plain text"},
		"switched off":                    {encryptingTo(t, method(xmlsec.AlgAES128CBC)), identity.EncryptRule{Mode: identity.Never}, ""},
		"CBC allowed":                     {encryptingTo(t), identity.EncryptRule{Content: xmlsec.AlgAES128CBC, AllowCBC: true}, "AES-CBC"},
		"none but required":               {nil, identity.EncryptRule{Mode: identity.Required}, "must be encrypted"},
		"CBC but required":                {encryptingTo(t, method(xmlsec.AlgAES128CBC)), identity.EncryptRule{Mode: identity.Required}, "must be encrypted"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newParty(t, c.metadata)
			p.Encrypt = c.rule
			if got := p.Weakness(ring); c.want == "" && got != "" || !strings.Contains(got, c.want) {
				t.Errorf("got %q, want %q in it", got, c.want)
			}
		})
	}
}

func wantsEncryptedID(rq string) string {
	return child(`<samlp:NameIDPolicy Format="` + string(identity.FormatEncrypted) + `"/>`)(rq)
}

// TestEncryptedNameID: the Format encrypted gets an EncryptedID (SAML Core 3.4.1.1),
// which xmlsec1 opens, or a refusal.
func TestEncryptedNameID(t *testing.T) {
	t.Parallel()
	w := newWorld(t, encryptingTo(t), nil)
	got := w.send(byRedirect(t, wantsEncryptedID(authnRequest), "", nil))
	peer.ValidateXSD(t, got.response)
	sp := loadKey(t, "sp")
	keys := []crypto.Decrypter{sp.Signer.(crypto.Decrypter)}
	doc, err := xmlsec.Decrypt(w.verified(t, got.response).Child(xmlsec.NSAssertion, "EncryptedAssertion"), keys, xmlsec.DecryptPolicy{}, xmlsec.ResponseLimits())
	if err != nil {
		t.Fatal(err)
	}
	assertion := decryptedByXMLSec1(t, got.response)
	peer.ValidateXSD(t, doc.Root().Raw())
	subject := doc.Root().Child(xmlsec.NSAssertion, "Subject")
	if subject.Child(xmlsec.NSAssertion, "NameID") != nil || bytes.Contains(assertion, []byte(alice().Principal.Subject)) {
		t.Errorf("the NameID is readable in\n%s", assertion)
	}
	id, err := xmlsec.DecryptID(subject.Child(xmlsec.NSAssertion, "EncryptedID"), keys, xmlsec.ResponseLimits())
	if err != nil {
		t.Fatal(err)
	}
	if name, err := id.Root().Text(); err != nil || name != alice().Principal.Subject || id.Root().Attr("Format") != string(identity.FormatPersistent) {
		t.Errorf("got %s, %v", id.Root().Raw(), err)
	}
	if plain := decryptedByXMLSec1(t, assertion); !bytes.Contains(plain, []byte(alice().Principal.Subject)) {
		t.Errorf("xmlsec1 reads no NameID:\n%s", plain)
	}
	for name, edit := range map[string]func(*idp.Party){
		"no key":       func(p *idp.Party) { p.Metadata.SP.Encryption = nil },
		"switched off": func(p *idp.Party) { p.Encrypt.Mode = identity.Never },
	} {
		w := newWorld(t, encryptingTo(t), nil)
		edit(w.party)
		if got := w.send(byRedirect(t, wantsEncryptedID(authnRequest), "", nil)); got.codes() != "Requester/InvalidNameIDPolicy" {
			t.Errorf("%s: got %s", name, got.codes())
		}
	}
}

// decryptedByXMLSec1 returns the document with its first EncryptedData opened.
func decryptedByXMLSec1(t *testing.T, doc []byte) []byte {
	t.Helper()
	file := filepath.Join(t.TempDir(), "doc.xml")
	if err := os.WriteFile(file, doc, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(peer.Need(t, "xmlsec1", "apt-get install xmlsec1"), "--decrypt", "--privkey-pem", "testdata/sp.key", file).Output()
	if err != nil {
		t.Fatalf("xmlsec1: %v: %s", err, out)
	}
	return out
}
