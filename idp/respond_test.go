package idp_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	goflag "flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/beevik/etree"
	"github.com/google/go-cmp/cmp"
	dsig "github.com/russellhaering/goxmldsig"

	"github.com/samlet-id/samlet/certs"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/idp"
	"github.com/samlet-id/samlet/internal/peer"
	"github.com/samlet-id/samlet/internal/xmlsec"
)

var update = goflag.Bool("update", false, "write the golden files anew")

// hostileAttributes are values that break out of templates, or change in
// parsers that normalise.
func hostileAttributes(a *identity.Assertion) {
	a.Released = []identity.Released{{Attribute: identity.Mail, Values: []string{
		`</saml:AttributeValue><saml:AttributeValue>admin`, `alice@example.test<!---->.evil.test`, `]]>`, `"'&amp;`,
		"a\r\nb\rc\td", "   leading", "\U0001F511\U0010FFFD", strings.Repeat("0123456789abcdef", 640), "",
	}}}
	a.Principal.Subject = `</saml:NameID>"'<&` + "\r\n\t"
	a.Session = `"><x/>` + "\r\n\t"
}

// TestGoldenResponses holds whole Responses. A diff of a golden file is a change
// of what service providers see.
func TestGoldenResponses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		metadata func(string) string
		party    func(*idp.Party)
		answer   func(*identity.Assertion)
		err      error
	}{
		"response_signed": {},
		"both_signed":     {metadata: flag("WantAssertionsSigned")},
		"assertion_signed": {party: func(p *idp.Party) {
			p.Sign = identity.SignRule{Assertion: identity.On, Response: identity.Off}
		}},
		"hostile_values": {metadata: flag("WantAssertionsSigned"), answer: hostileAttributes},
		"everything": {answer: func(a *identity.Assertion) {
			a.NotAfter = noon.Add(8 * time.Hour)
			a.Context.Authorities = append(a.Context.Authorities, "https://idp.far.test")
			a.Released = []identity.Released{
				{Attribute: identity.GivenName, As: "urn:given", NameFormat: identity.NameFormatUnspecified, Values: []string{"Alice"}},
				{Attribute: identity.Groups, As: "https://app.example.test/claims/Groups", Values: []string{"staff", "admins"}},
				{Attribute: identity.Mail, Values: []string{"alice@example.test"}},
				{Attribute: identity.Mail, As: "email", Values: []string{"alice@example.test"}},
				{Attribute: "nickname", Values: []string{"Al"}},
				{Attribute: "unlisted", Values: []string{"x"}},
			}
		}},
		"nothing_released": {answer: func(a *identity.Assertion) {
			a.Released = []identity.Released{{Attribute: identity.Mail}}
			a.Principal = identity.Principal{Issuer: entityID}
			a.Context.Authorities = nil
		}},
		"consent":        {answer: func(a *identity.Assertion) { a.Consent = identity.ConsentURIExplicit }},
		"sha512_signed":  {metadata: declaring("SigningMethod", xmlsec.AlgRSASHA512)},
		"another_issuer": {party: func(p *idp.Party) { p.Issuer = "https://alias.example.test/saml" }},
		"refused":        {err: &identity.Error{Kind: identity.KindNeedsInteraction, Code: "sp.passive", Msg: "You are not signed in."}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, c.metadata, nil)
			if c.party != nil {
				c.party(w.party)
			}
			if c.answer != nil {
				c.answer(&w.auth.answer)
			}
			got := w.response(t, c.err)
			golden(t, name, got)
			peer.ValidateXSD(t, got)
			peer.VerifyXMLSec1(t, got, w.key.PEM())
			verifyGoxmldsig(t, got, w.key)
			verifyOurs(t, got, w.key)
		})
	}
}

// response answers the plain request without HTTP, so that there is no request ID.
func (w *world) response(t testing.TB, why error) []byte {
	t.Helper()
	w.auth.redirect = "/elsewhere"
	w.send(byRedirect(t, authnRequest, "", nil))
	msg, err := w.Respond(context.Background(), *w.auth.asked, w.auth.answer)
	if why != nil {
		msg, err = w.Refuse(context.Background(), *w.auth.asked, why)
	}
	if err != nil {
		t.Fatal(err)
	}
	return decoded(t, msg.Form.Get("SAMLResponse"))
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", "golden", name+".xml")
	if *update {
		if err := os.WriteFile(file, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(lines(want), lines(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

// lines breaks a document between its tags, for the reader of a diff.
func lines(doc []byte) []string {
	return strings.Split(strings.ReplaceAll(string(doc), "><", ">\n<"), "\n")
}

func verifyGoxmldsig(t *testing.T, doc []byte, key certs.Key) {
	t.Helper()
	tree := etree.NewDocument()
	if err := tree.ReadFromBytes(doc); err != nil {
		t.Fatal(err)
	}
	verified := 0
	for _, path := range []string{"/Response", "/Response/Assertion"} {
		e := tree.FindElement(path)
		if e == nil || e.SelectElement("Signature") == nil {
			continue
		}
		ctx := dsig.NewDefaultValidationContext(&dsig.MemoryX509CertificateStore{Roots: []*x509.Certificate{key.Certificate}})
		if _, err := ctx.Validate(e); err != nil {
			t.Errorf("goxmldsig, %s: %v", path, err)
		}
		verified++
	}
	if verified == 0 {
		t.Error("nothing is signed")
	}
}

// verifyOurs reads through xmlsec whatever is signed.
func verifyOurs(t *testing.T, raw []byte, key certs.Key) {
	t.Helper()
	doc, err := xmlsec.Parse(raw, xmlsec.ResponseLimits())
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range []*xmlsec.Element{doc.Root(), doc.Root().Child(xmlsec.NSAssertion, "Assertion")} {
		if !doc.HasSignature(e) {
			continue
		}
		if _, err := doc.Verify(e, xmlsec.Trust{Keys: []crypto.PublicKey{key.Public()}}); err != nil {
			t.Errorf("our reader, %s: %v", e.Local, err)
		}
	}
}

// TestXMLInjection: hostile values come back as they were, and as nothing else.
func TestXMLInjection(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, nil)
	hostileAttributes(&w.auth.answer)
	a := w.verified(t, w.response(t, nil)).Child(xmlsec.NSAssertion, "Assertion")
	if got, err := a.Child(xmlsec.NSAssertion, "Subject").Child(xmlsec.NSAssertion, "NameID").Text(); err != nil || got != w.auth.answer.Principal.Subject {
		t.Errorf("NameID %q, %v; want %q", got, err, w.auth.answer.Principal.Subject)
	}
	if got := a.Child(xmlsec.NSAssertion, "AuthnStatement").Attr("SessionIndex"); got != string(w.auth.answer.Session) {
		t.Errorf("SessionIndex %q, want %q", got, w.auth.answer.Session)
	}
	var got []string
	for _, v := range a.Child(xmlsec.NSAssertion, "AttributeStatement").Child(xmlsec.NSAssertion, "Attribute").Elements() {
		s, err := v.Text()
		if err != nil {
			t.Error(err)
		}
		got = append(got, s)
	}
	if diff := cmp.Diff(w.auth.answer.Released[0].Values, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestUnwritableValueIsRefused: what XML cannot carry is an error Response, not
// half an assertion.
func TestUnwritableValueIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, nil)
	w.auth.answer.Released[0].Values = []string{"a\x00b"}
	got := w.send(byRedirect(t, authnRequest, "", nil))
	if got.codes() != "Requester/RequestDenied" || !strings.Contains(got.message(), "xml.character") {
		t.Errorf("got %s: %s", got.codes(), got.message())
	}
}

func TestWhatIsSigned(t *testing.T) {
	t.Parallel()
	type layout struct{ Assertion, Response bool }
	for name, c := range map[string]struct {
		rule     identity.SignRule
		metadata func(string) string
		want     layout
	}{
		"default":              {identity.SignRule{}, nil, layout{false, true}},
		"WantAssertionsSigned": {identity.SignRule{}, flag("WantAssertionsSigned"), layout{true, true}},
		"assertion off":        {identity.SignRule{Assertion: identity.Off}, flag("WantAssertionsSigned"), layout{false, true}},
		"response off":         {identity.SignRule{Response: identity.Off}, flag("WantAssertionsSigned"), layout{true, false}},
		"assertion on":         {identity.SignRule{Assertion: identity.On}, nil, layout{true, true}},
		"both on":              {identity.SignRule{Assertion: identity.On, Response: identity.On}, nil, layout{true, true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, c.metadata, nil)
			w.party.Sign = c.rule
			doc, err := xmlsec.Parse(w.response(t, nil), xmlsec.ResponseLimits())
			if err != nil {
				t.Fatal(err)
			}
			got := layout{doc.HasSignature(doc.Root().Child(xmlsec.NSAssertion, "Assertion")), doc.HasSignature(doc.Root())}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
	t.Run("nothing", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, nil, nil)
		w.party.Sign = identity.SignRule{Assertion: identity.Off, Response: identity.Off}
		if got := w.send(byRedirect(t, authnRequest, "", nil)); got.codes() != "Responder/AuthnFailed" || bytes.Contains(got.response, []byte("Assertion>")) {
			t.Errorf("got %s\n%s", got.codes(), got.response)
		}
	})
}

// ecdsaKey is a new public key in DER, in base64.
func ecdsaKey(t testing.TB) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(der)
}

func TestEncryption(t *testing.T) {
	t.Parallel()
	key := loadKey(t, "sp").Signer.(crypto.Decrypter)
	listing := func(methods ...string) func(string) string {
		kd := `<md:KeyDescriptor use="encryption"><ds:KeyInfo><ds:X509Data><ds:X509Certificate>` + certBase64(t, "sp") + `</ds:X509Certificate></ds:X509Data></ds:KeyInfo>`
		for _, m := range methods {
			kd += `<md:EncryptionMethod Algorithm="` + m + `"/>`
		}
		return replace("<md:AssertionConsumerService", kd+"</md:KeyDescriptor><md:AssertionConsumerService")
	}
	// The first cannot be encrypted to: ECDSA is for signing alone.
	severalKeys := func(md string) string {
		return replace(`<md:KeyDescriptor use="encryption">`, `<md:KeyDescriptor use="encryption"><ds:KeyInfo>`+
			`<dsig11:DEREncodedKeyValue xmlns:dsig11="http://www.w3.org/2009/xmldsig11#">`+ecdsaKey(t)+`</dsig11:DEREncodedKeyValue>`+
			`</ds:KeyInfo></md:KeyDescriptor><md:KeyDescriptor use="encryption">`)(listing()(md))
	}
	const rsa15 = xmlsec.NSXEnc + "rsa-1_5"
	for name, c := range map[string]struct {
		metadata  func(string) string
		mode      identity.Mode
		content   string // empty: not encrypted
		transport string
		want      string
	}{
		"key without methods": {listing(), 0, xmlsec.AlgAES256GCM, xmlsec.AlgRSAOAEPMGF1P, "Success"},
		"several keys":        {severalKeys, 0, xmlsec.AlgAES256GCM, xmlsec.AlgRSAOAEPMGF1P, "Success"},
		"their order":         {listing(xmlsec.AlgAES128CBC, xmlsec.AlgAES128GCM, xmlsec.AlgAES256GCM, rsa15, xmlsec.AlgRSAOAEP), 0, xmlsec.AlgAES128GCM, xmlsec.AlgRSAOAEP, "Success"},
		"transport alone":     {listing(xmlsec.AlgRSAOAEP), 0, xmlsec.AlgAES256GCM, xmlsec.AlgRSAOAEP, "Success"},
		"CBC alone":           {listing(xmlsec.AlgAES128CBC), 0, "", "", "Success"},
		"RSA 1.5 alone":       {listing(rsa15), 0, "", "", "Success"},
		"CBC, but required":   {listing(xmlsec.AlgAES128CBC), identity.Required, "", "", "Responder/AuthnFailed"},
		"switched off":        {listing(), identity.Never, "", "", "Success"},
		"required":            {listing(), identity.Required, xmlsec.AlgAES256GCM, xmlsec.AlgRSAOAEPMGF1P, "Success"},
		"no key":              {nil, 0, "", "", "Success"},
		"no key, required":    {nil, identity.Required, "", "", "Responder/AuthnFailed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, c.metadata, nil)
			w.party.Encrypt.Mode, w.party.Sign.Assertion = c.mode, identity.On
			got := w.send(byRedirect(t, authnRequest, "", nil))
			if got.codes() != c.want {
				t.Fatalf("got %s, want %s\n%s", got.codes(), c.want, w.log)
			}
			plain := bytes.Contains(got.response, []byte("alice@example.test"))
			if c.content == "" {
				if plain != (c.want == "Success") {
					t.Errorf("plain text is %t in\n%s", plain, got.response)
				}
				return
			}
			if plain || !bytes.Contains(got.response, []byte(c.content)) || !bytes.Contains(got.response, []byte(c.transport)) {
				t.Errorf("not encrypted with %s and %s:\n%s", c.content, c.transport, got.response)
			}
			peer.ValidateXSD(t, got.response)
			inner, err := xmlsec.Decrypt(w.verified(t, got.response).Child(xmlsec.NSAssertion, "EncryptedAssertion"),
				[]crypto.Decrypter{key}, xmlsec.DecryptPolicy{}, xmlsec.ResponseLimits())
			if err != nil {
				t.Fatal(err)
			}
			a, err := inner.Verify(inner.Root(), xmlsec.Trust{Keys: []crypto.PublicKey{w.key.Public()}})
			if err != nil || !a.Is(xmlsec.NSAssertion, "Assertion") {
				t.Errorf("the assertion inside: %v", err)
			}
		})
	}
}

// TestAssertionLifetime: five minutes in all, at every place that says so.
func TestAssertionLifetime(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil, nil)
	a := w.verified(t, w.response(t, nil)).Child(xmlsec.NSAssertion, "Assertion")
	conditions := a.Child(xmlsec.NSAssertion, "Conditions")
	data := a.Child(xmlsec.NSAssertion, "Subject").Child(xmlsec.NSAssertion, "SubjectConfirmation").Child(xmlsec.NSAssertion, "SubjectConfirmationData")
	from, err := xmlsec.ParseTime(conditions.Attr("NotBefore"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range []*xmlsec.Element{conditions, data} {
		to, err := xmlsec.ParseTime(e.Attr("NotOnOrAfter"))
		if err != nil || !to.After(noon) || to.Sub(from) > 5*time.Minute {
			t.Errorf("%s: from %s to %s, %v; want at most 5m", e.Local, from, to, err)
		}
	}
	if data.HasAttr("NotBefore") || data.HasAttr("Address") {
		t.Error("SubjectConfirmationData has NotBefore or Address")
	}
}
