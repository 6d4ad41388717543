package sp_test

import (
	"bytes"
	"compress/flate"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/samlet-id/samlet/binding"
	"github.com/samlet-id/samlet/internal/peer"
)

// party is a key of somebody who takes part, in the files that xmlsec1 reads.
type party struct {
	signer          crypto.Signer
	keyPEM, certPEM []byte
	signatureMethod string
}

// keys are read once for the whole test binary.
var keys = sync.OnceValues(readKeys)

type keyring struct{ idp, other, ecdsa, spSigning, spEncryption, spNext party }

func readKeys() (keyring, error) {
	var k keyring
	for name, p := range map[string]*party{
		"idp": &k.idp, "other": &k.other, "ecdsa": &k.ecdsa, "sp-signing": &k.spSigning, "sp-encryption": &k.spEncryption, "sp-next": &k.spNext,
	} {
		var err error
		if *p, err = readParty(filepath.Join("testdata", "keys", name)); err != nil {
			return k, err
		}
	}
	k.ecdsa.signatureMethod = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"
	return k, nil
}

func readParty(path string) (party, error) {
	p := party{signatureMethod: "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"}
	var err error
	if p.keyPEM, err = os.ReadFile(path + ".key.pem"); err != nil {
		return p, err
	}
	if p.certPEM, err = os.ReadFile(path + ".cert.pem"); err != nil {
		return p, err
	}
	block, _ := pem.Decode(p.keyPEM)
	if block == nil {
		return p, fmt.Errorf("%s: no PEM", path)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return p, err
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return p, fmt.Errorf("%s: a %T cannot sign", path, key)
	}
	p.signer = signer
	return p, nil
}

func testKeys(t testing.TB) keyring {
	t.Helper()
	k, err := keys()
	if err != nil {
		t.Fatalf("reading the keys: %v", err)
	}
	return k
}

// answer is a Response as an upstream of the test writes it. The zero values of
// its fields mean the ordinary thing; edits are made before anything is signed.
type answer struct {
	asked   question
	issuer  string
	signer  party
	sign    string   // "assertion", "response", "both" or "nothing"
	edits   []string // old, new, … for the document before signing
	encrypt *encryption
}

// encryption says how xmlsec1 is to encrypt the assertion.
type encryption struct {
	to         party
	sessionKey string // as xmlsec1 names it
	content    string // algorithm URI
	transport  string // EncryptionMethod of the key, its children included
	// oaepSHA256 encrypts with AES-128-GCM and OAEP with the digest SHA-256,
	// which xmlsec1 1.2 cannot do and the standard library can.
	oaepSHA256 bool
}

// question is what a foreign identity provider reads out of our AuthnRequest.
type question struct {
	id, issuer, acs string
	xml             string
}

// readQuestion takes the AuthnRequest out of msg with nothing of ours.
func readQuestion(t testing.TB, msg binding.Message) question {
	t.Helper()
	encoded, deflated := msg.Form.Get("SAMLRequest"), false
	if msg.Form == nil {
		u, err := url.Parse(msg.URL)
		if err != nil {
			t.Fatal(err)
		}
		encoded, deflated = u.Query().Get("SAMLRequest"), true
	}
	octets, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		t.Fatal(err)
	}
	if deflated {
		if octets, err = io.ReadAll(flate.NewReader(bytes.NewReader(octets))); err != nil {
			t.Fatal(err)
		}
	}
	find := func(pattern string) string {
		m := regexp.MustCompile(pattern).FindSubmatch(octets)
		if m == nil {
			t.Fatalf("no %s in %s", pattern, octets)
		}
		return string(m[1])
	}
	return question{
		id: find(`\bID="([^"]+)"`), acs: find(`AssertionConsumerServiceURL="([^"]+)"`), issuer: find(`Issuer[^>]*>([^<]+)<`), xml: string(octets),
	}
}

const (
	responseXML = `<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="_response" Version="2.0" IssueInstant="{NOW}" Destination="{ACS}" InResponseTo="{ID}"><saml:Issuer>{IDP}</saml:Issuer>{RESPONSE-SIGNATURE}<samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status>{ASSERTION}</samlp:Response>`

	assertionXML = `<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="{ASSERTION-ID}" Version="2.0" IssueInstant="{NOW}"><saml:Issuer>{IDP}</saml:Issuer>{ASSERTION-SIGNATURE}<saml:Subject><saml:NameID Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent" NameQualifier="{IDP}" SPNameQualifier="{SP}">ada.example</saml:NameID>{CONFIRMATION}</saml:Subject><saml:Conditions NotBefore="{NOW}" NotOnOrAfter="{SOON}"><saml:AudienceRestriction><saml:Audience>{SP}</saml:Audience></saml:AudienceRestriction></saml:Conditions><saml:AuthnStatement AuthnInstant="{NOW}" SessionIndex="_session" SessionNotOnOrAfter="{EVENING}"><saml:AuthnContext><saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport</saml:AuthnContextClassRef><saml:AuthenticatingAuthority>https://behind.example.test</saml:AuthenticatingAuthority></saml:AuthnContext></saml:AuthnStatement>{ATTRIBUTES}</saml:Assertion>`

	confirmationXML = `<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"><saml:SubjectConfirmationData NotOnOrAfter="{SOON}" Recipient="{ACS}" InResponseTo="{ID}"/></saml:SubjectConfirmation>`

	attributesXML = `<saml:AttributeStatement><saml:Attribute Name="urn:oid:0.9.2342.19200300.100.1.3"><saml:AttributeValue>ada@example.test</saml:AttributeValue></saml:Attribute></saml:AttributeStatement>`

	signatureXML = `<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:SignedInfo><ds:CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/><ds:SignatureMethod Algorithm="{METHOD}"/><ds:Reference URI="#{REFERENCE}"><ds:Transforms><ds:Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"/><ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/></ds:Transforms><ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/><ds:DigestValue/></ds:Reference></ds:SignedInfo><ds:SignatureValue/></ds:Signature>`
)

// assertionID is that of every answer that does not edit it.
const assertionID = "_assertion"

// build writes the Response and has xmlsec1 sign and encrypt it.
func (a answer) build(t testing.TB) string {
	t.Helper()
	assertion := a.fill(assertionXML)
	if a.sign == "assertion" || a.sign == "both" {
		assertion = a.signed(t, assertion, "{ASSERTION-SIGNATURE}")
	}
	assertion = strings.Replace(assertion, "{ASSERTION-SIGNATURE}", "", 1)
	if a.encrypt != nil {
		assertion = "<saml:EncryptedAssertion>" + a.encrypt.seal(t, assertion) + "</saml:EncryptedAssertion>"
	}
	response := strings.Replace(a.fill(responseXML), "{ASSERTION}", assertion, 1)
	if a.sign == "response" || a.sign == "both" {
		response = a.signed(t, response, "{RESPONSE-SIGNATURE}")
	}
	return strings.Replace(response, "{RESPONSE-SIGNATURE}", "", 1)
}

// fill makes the edits and then fills in what is known of question and time.
func (a answer) fill(text string) string {
	text = strings.NewReplacer("{CONFIRMATION}", confirmationXML, "{ATTRIBUTES}", attributesXML).Replace(text)
	for i := 0; i < len(a.edits); i += 2 {
		text = strings.ReplaceAll(text, a.edits[i], a.edits[i+1])
	}
	return strings.NewReplacer(
		"{ASSERTION-ID}", assertionID, "{ID}", a.asked.id, "{SP}", a.asked.issuer, "{ACS}", a.asked.acs, "{IDP}", a.issuer,
		"{NOW}", stamp(0), "{SOON}", stamp(5*time.Minute), "{EVENING}", stamp(8*time.Hour),
	).Replace(text)
}

// stamp is the test's now plus d, as SAML writes it.
func stamp(d time.Duration) string { return noon.Add(d).Format("2006-01-02T15:04:05Z") }

var idOf = regexp.MustCompile(`^<[^>]* ID="([^"]*)"`)

// signed puts a signature of the document's root in place of slot.
func (a answer) signed(t testing.TB, doc, slot string) string {
	t.Helper()
	id := idOf.FindStringSubmatch(doc)
	if id == nil {
		t.Fatalf("no ID to sign in %.200s", doc)
	}
	signature := strings.NewReplacer("{METHOD}", a.signer.signatureMethod, "{REFERENCE}", id[1]).Replace(signatureXML)
	return xmlsec1(t, strings.Replace(doc, slot, signature, 1), []file{{"key.pem", a.signer.keyPEM}},
		"--sign", "--privkey-pem", "key.pem",
		"--id-attr:ID", "urn:oasis:names:tc:SAML:2.0:assertion:Assertion", "--id-attr:ID", "urn:oasis:names:tc:SAML:2.0:protocol:Response", "--id-attr:ID", "urn:oasis:names:tc:SAML:2.0:protocol:ArtifactResponse",
		"--node-xpath", "/*/*[local-name()='Signature']", "--output", "out.xml", "in.xml")
}

// seal has xmlsec1 encrypt the assertion.
func (e encryption) seal(t testing.TB, assertion string) string {
	t.Helper()
	if e.oaepSHA256 {
		return e.sealOAEPSHA256(t, assertion)
	}
	template := fmt.Sprintf(`<xenc:EncryptedData xmlns:xenc="http://www.w3.org/2001/04/xmlenc#" xmlns:ds="http://www.w3.org/2000/09/xmldsig#" Type="http://www.w3.org/2001/04/xmlenc#Element"><xenc:EncryptionMethod Algorithm="%s"/><ds:KeyInfo><xenc:EncryptedKey>%s<xenc:CipherData><xenc:CipherValue/></xenc:CipherData></xenc:EncryptedKey></ds:KeyInfo><xenc:CipherData><xenc:CipherValue/></xenc:CipherData></xenc:EncryptedData>`, e.content, e.transport)
	return xmlsec1(t, template, []file{{"cert.pem", e.to.certPEM}, {"data.xml", []byte(assertion)}},
		"--encrypt", "--pubkey-cert-pem", "cert.pem", "--session-key", e.sessionKey, "--xml-data", "data.xml", "--output", "out.xml", "in.xml")
}

func (e encryption) sealOAEPSHA256(t testing.TB, assertion string) string {
	t.Helper()
	key, nonce := []byte("sixteen octets!!"), []byte("twelve octet")
	public, ok := e.to.signer.Public().(*rsa.PublicKey)
	if !ok {
		t.Fatal("only RSA keys can be encrypted to")
	}
	wrapped, err := rsa.EncryptOAEPWithOptions(rand.Reader, public, key, &rsa.OAEPOptions{Hash: crypto.SHA256, MGFHash: crypto.SHA1})
	if err != nil {
		t.Fatal(err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	value := base64.StdEncoding.EncodeToString
	return fmt.Sprintf(`<xenc:EncryptedData xmlns:xenc="http://www.w3.org/2001/04/xmlenc#" xmlns:ds="http://www.w3.org/2000/09/xmldsig#" Type="http://www.w3.org/2001/04/xmlenc#Element"><xenc:EncryptionMethod Algorithm="http://www.w3.org/2009/xmlenc11#aes128-gcm"/><ds:KeyInfo><xenc:EncryptedKey><xenc:EncryptionMethod Algorithm="http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p"><ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/></xenc:EncryptionMethod><xenc:CipherData><xenc:CipherValue>%s</xenc:CipherValue></xenc:CipherData></xenc:EncryptedKey></ds:KeyInfo><xenc:CipherData><xenc:CipherValue>%s</xenc:CipherValue></xenc:CipherData></xenc:EncryptedData>`,
		value(wrapped), value(gcm.Seal(nonce, nonce, []byte(assertion), nil)))
}

type file struct {
	name    string
	content []byte
}

var xmlDeclaration = regexp.MustCompile(`^<\?xml[^>]*\?>\s*`)

// xmlsec1 runs the program of that name on in.xml and returns out.xml.
func xmlsec1(t testing.TB, in string, files []file, args ...string) string {
	t.Helper()
	program, dir := peer.Need(t, "xmlsec1", "apt-get install xmlsec1"), t.TempDir()
	for _, f := range append(files, file{"in.xml", []byte(in)}) {
		if err := os.WriteFile(filepath.Join(dir, f.name), f.content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(program, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("xmlsec1 %s: %v\n%s\n%s", args[0], err, out, in)
	}
	out, err := os.ReadFile(filepath.Join(dir, "out.xml"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(xmlDeclaration.ReplaceAllString(string(out), ""))
}

// post is what the browser carries to our AssertionConsumerService.
func post(response string) binding.Received {
	return binding.Received{
		Method: "POST", Path: "/saml/acs/acme",
		Form: url.Values{"SAMLResponse": {base64.StdEncoding.EncodeToString([]byte(response))}, "RelayState": {"a-ticket"}},
	}
}

// decoded is the Response that in carries.
func decoded(t testing.TB, in binding.Received) string {
	t.Helper()
	octets, err := base64.StdEncoding.DecodeString(in.Form.Get("SAMLResponse"))
	if err != nil {
		t.Fatal(err)
	}
	return string(octets)
}
