package metadata_test

import (
	"crypto"
	"crypto/rand"
	"encoding/base64"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/samlet-id/samlet/certs"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/peer"
	"github.com/samlet-id/samlet/metadata"
)

func now() time.Time { return time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC) }

// keyring holds keys that are made once for all tests, with the private half of
// "signer" in PEM for xmlsec1.
type keyring struct {
	keys      map[string]certs.Key
	signerPEM []byte
}

var made = sync.OnceValue(func() keyring {
	r := keyring{keys: map[string]certs.Key{}}
	for name, cfg := range map[string]certs.GenerateConfig{
		"signer":     {Use: certs.Signing},
		"next":       {Use: certs.Signing, State: certs.Next, ValidFor: time.Minute}, // an expired certificate
		"encryption": {Use: certs.Encryption},
		"ecdsa":      {Use: certs.Signing, Algorithm: certs.ECDSAP256},
		"ed25519":    {Use: certs.Signing, Algorithm: certs.Ed25519},
	} {
		cfg.ID, cfg.CommonName, cfg.Rand = name, name+".example.test", rand.Reader
		cfg.Now = func() time.Time { return now().AddDate(-1, 0, 0) }
		k, keyPEM, _, err := certs.Generate(cfg)
		if err != nil {
			panic(err)
		}
		r.keys[name] = k
		if name == "signer" {
			r.signerPEM = keyPEM
		}
	}
	return r
})

func key(name string) certs.Key           { return made().keys[name] }
func public(name string) crypto.PublicKey { return key(name).Public() }
func certText(name string) string {
	return base64.StdEncoding.EncodeToString(key(name).Certificate.Raw)
}
func x509Data(names ...string) string { return keyInfo(x509Inner(names...)) }
func keyInfo(inner string) string     { return "<ds:KeyInfo>" + inner + "</ds:KeyInfo>" }
func descriptor(use, keyInfo string) string {
	return "<md:KeyDescriptor" + use + ">" + keyInfo + "</md:KeyDescriptor>"
}

func x509Inner(names ...string) string {
	s := "<ds:X509Data>"
	for _, n := range names {
		s += "<ds:X509Certificate>\n" + certText(n) + "\n</ds:X509Certificate>"
	}
	return s + "</ds:X509Data>"
}

const entityOpen = `<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" xmlns:ds="http://www.w3.org/2000/09/xmldsig#" xmlns:dsig11="http://www.w3.org/2009/xmldsig11#" ID="_e1" entityID="https://peer.example.test/saml"`

// idp is an IdP's file with that KeyDescriptor; change replaces parts of it.
func idp(keys string, change ...string) []byte {
	s := entityOpen + `><md:IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">` + keys +
		`<md:SingleSignOnService Binding="` + identity.BindingRedirect + `" Location="https://peer.example.test/sso"/></md:IDPSSODescriptor></md:EntityDescriptor>`
	return []byte(strings.NewReplacer(change...).Replace(s))
}

// sp is an SP's file with these AssertionConsumerServices.
func sp(acs string, change ...string) []byte {
	s := entityOpen + `><md:SPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">` + acs + `</md:SPSSODescriptor></md:EntityDescriptor>`
	return []byte(strings.NewReplacer(change...).Replace(s))
}

const oneACS = `<md:AssertionConsumerService Binding="` + identity.BindingPOST + `" Location="https://peer.example.test/acs" index="0"/>`

func parse(raw []byte, want metadata.RoleName) (*metadata.Entity, error) {
	return metadata.Parse(raw, metadata.ParseOptions{Want: want, Now: now})
}

// signByXMLSec1 puts an enveloped signature into the root, made by xmlsec1.
func signByXMLSec1(t testing.TB, doc []byte) []byte {
	t.Helper()
	tool := peer.Need(t, "xmlsec1", "apt-get install xmlsec1")
	const template = `<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:SignedInfo><ds:CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/><ds:SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"/><ds:Reference URI="#_e1"><ds:Transforms><ds:Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"/><ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/></ds:Transforms><ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/><ds:DigestValue/></ds:Reference></ds:SignedInfo><ds:SignatureValue/></ds:Signature>`
	end := strings.IndexByte(string(doc), '>') + 1
	dir := t.TempDir()
	in, keyFile, out := filepath.Join(dir, "in.xml"), filepath.Join(dir, "key.pem"), filepath.Join(dir, "out.xml")
	for path, content := range map[string]string{in: string(doc[:end]) + template + string(doc[end:]), keyFile: string(made().signerPEM)} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const ns = "urn:oasis:names:tc:SAML:2.0:metadata:"
	if msg, err := exec.Command(tool, "--sign", "--privkey-pem", keyFile, "--output", out,
		"--id-attr:ID", ns+"EntityDescriptor", "--id-attr:ID", ns+"EntitiesDescriptor", in).CombinedOutput(); err != nil {
		t.Fatalf("xmlsec1: %v: %s", err, msg)
	}
	signed, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}
