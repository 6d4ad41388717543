package sp_test

import (
	"crypto"
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"github.com/samlet-id/samlet/binding"
	"github.com/samlet-id/samlet/broker"
	"github.com/samlet-id/samlet/broker/brokertest"
	"github.com/samlet-id/samlet/broker/sp"
	"github.com/samlet-id/samlet/certs"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/metadata"
	"github.com/samlet-id/samlet/store"
	"github.com/samlet-id/samlet/store/sqlstore"
)

const (
	idpID   = "https://idp.partner.example.test/metadata"
	otherID = "https://idp.other.example.test/metadata"
	ourACS  = "https://login.example.test/saml/acs/acme"
	ourID   = "https://login.example.test/saml/sp/acme/metadata"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// upstream is the identity provider of the tests, and brokertest's peer: it
// reads our AuthnRequests with code of its own and signs with xmlsec1. With
// sign it says which of its signatures it makes.
type upstream struct {
	sign   string
	signer party
	other  party
}

func newUpstream(t testing.TB, sign string) upstream {
	t.Helper()
	k := testKeys(t)
	return upstream{sign: sign, signer: k.idp, other: k.other}
}

func (u upstream) Open(t testing.TB) broker.Connector {
	return connect(t, config(t, idpID, u.signer.signer.Public()))
}

func (u upstream) OpenOther(t testing.TB) broker.Connector {
	return connect(t, config(t, otherID, u.other.signer.Public()))
}

func (u upstream) Says() identity.Assertion {
	return identity.Assertion{
		Principal: identity.Principal{
			Issuer: idpID, Subject: "ada.example", Format: identity.FormatPersistent, NameQualifier: idpID, SPNameQualifier: ourID,
		},
		Context: identity.AuthnContext{
			Class: identity.ClassPasswordProtectedTransport, Instant: noon, Authorities: []identity.EntityID{"https://behind.example.test"},
		},
		Attributes: identity.Attributes{"urn:oid:0.9.2342.19200300.100.1.3": {"ada@example.test"}},
		Session:    "_session",
		NotAfter:   noon.Add(8 * time.Hour),
	}
}

// Answer implements brokertest.Peer.
func (u upstream) Answer(t testing.TB, c brokertest.Case, asked binding.Message) (binding.Received, bool) {
	t.Helper()
	a := answer{asked: readQuestion(t, asked), issuer: idpID, signer: u.signer, sign: u.sign}
	if a.edits = edits(c); a.edits != nil || c == brokertest.Good {
		return post(a.build(t)), true
	}
	switch c {
	case brokertest.Unsigned:
		a.sign = "nothing"
	case brokertest.ForeignSignature:
		a.signer = u.other
	case brokertest.MixedUp:
		a.issuer, a.signer = otherID, u.other
	case brokertest.EncryptedUnsigned:
		a.sign, a.encrypt = "nothing", gcm(testKeys(t).spEncryption)
	case brokertest.Tampered:
		return post(strings.Replace(a.build(t), "ada@example.test", "eve@example.test", 1)), true
	case brokertest.CommentTruncation:
		return post(strings.Replace(a.build(t), "ada.example<", "ada<!---->.example<", 1)), true
	case brokertest.SeveralAssertions:
		doc := a.build(t)
		return post(strings.Replace(doc, "</samlp:Response>", forged(doc, "_evil")+"</samlp:Response>", 1)), true
	default:
		return u.wrapped(t, c, a)
	}
	return post(a.build(t)), true
}

// edits returns what is put into the document before it is signed.
func edits(c brokertest.Case) []string {
	switch c {
	case brokertest.Expired:
		return []string{"{SOON}", stamp(-sp.DefaultSkew)}
	case brokertest.Early:
		return []string{`NotBefore="{NOW}"`, `NotBefore="` + stamp(sp.DefaultSkew+time.Second) + `"`}
	case brokertest.Unsolicited:
		return []string{` InResponseTo="{ID}"`, ""}
	case brokertest.WrongAudience:
		return []string{"<saml:Audience>{SP}<", "<saml:Audience>https://login.example.test/saml/sp/other/metadata<"}
	case brokertest.WrongIssuer:
		return []string{`IssueInstant="{NOW}"><saml:Issuer>{IDP}<`, `IssueInstant="{NOW}"><saml:Issuer>` + otherID + "<"}
	case brokertest.WrongInResponseTo:
		return []string{"{ID}", "_another-request"}
	case brokertest.WrongDestination:
		return []string{`Destination="{ACS}"`, `Destination="{ACS}/"`}
	case brokertest.WrongRecipient:
		return []string{`Recipient="{ACS}"`, `Recipient="https://evil.example.test/acs"`}
	case brokertest.Cancelled:
		return []string{
			`<samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/>`,
			`<samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Responder"><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:AuthnFailed"/></samlp:StatusCode>`,
		}
	case brokertest.NoSubject:
		return []string{"<saml:Subject>", "<!--", "</saml:Subject>", "-->"}
	case brokertest.MissingIssuer:
		return []string{"<saml:Issuer>{IDP}</saml:Issuer>{ASSERTION-SIGNATURE}", "{ASSERTION-SIGNATURE}"}
	case brokertest.MissingConditions:
		return []string{`<saml:Conditions NotBefore="{NOW}" NotOnOrAfter="{SOON}">`, "<!--", "</saml:Conditions>", "-->"}
	}
	return nil
}

// forged is the assertion of doc about somebody else: without the signature and
// under another ID.
func forged(doc, id string) string {
	original, signature := assertionOf(doc)
	return strings.NewReplacer(signature, "", "ada.example", "eve.example", assertionID, id).Replace(original)
}

// assertionOf cuts the assertion and its signature, if any, out of doc.
func assertionOf(doc string) (assertion, signature string) {
	assertion = between(doc, "<saml:Assertion", "</saml:Assertion>")
	return assertion, between(assertion, "<ds:Signature", "</ds:Signature>")
}

func between(s, start, end string) string {
	i, j := strings.Index(s, start), strings.LastIndex(s, end)
	if i < 0 || j < 0 {
		return ""
	}
	return s[i : j+len(end)]
}

// wrapped builds the eight signature wrapping attacks of Somorovsky et al., "On
// Breaking SAML" (2012), in the numbering of SAML Raider. The first two need a
// signed Response, the others a signed Assertion, whatever the upstream signs.
func (u upstream) wrapped(t testing.TB, c brokertest.Case, a answer) (binding.Received, bool) {
	t.Helper()
	a.sign = "assertion"
	if c == brokertest.SignatureWrapping1 || c == brokertest.SignatureWrapping2 {
		a.sign = "response"
		return post(wrappedResponse(c, a.build(t))), true
	}
	doc := a.build(t)
	original, signature := assertionOf(doc)
	bare, evil := strings.Replace(original, signature, "", 1), forged(doc, "_evil")
	withSignature := func(s string) string { return strings.Replace(evil, "<saml:Subject>", s+"<saml:Subject>", 1) }
	object := func(s string) string {
		return strings.Replace(signature, "</ds:Signature>", "<ds:Object>"+s+"</ds:Object></ds:Signature>", 1)
	}
	var body string
	switch c {
	case brokertest.SignatureWrapping3:
		body = evil + original
	case brokertest.SignatureWrapping4:
		body = strings.Replace(evil, "</saml:Assertion>", original+"</saml:Assertion>", 1)
	case brokertest.SignatureWrapping5:
		body = withSignature(signature) + bare
	case brokertest.SignatureWrapping6:
		body = withSignature(object(bare))
	case brokertest.SignatureWrapping7:
		body = "<samlp:Extensions>" + evil + "</samlp:Extensions>" + original
	case brokertest.SignatureWrapping8:
		body = strings.Replace(evil, "<saml:Subject>", object(bare)+"<saml:Subject>", 1)
		body = strings.Replace(body, `"_evil"`, `"_evil2"`, 1)
	case brokertest.SignatureWrappingID:
		body = forged(doc, assertionID) + original
	default:
		return binding.Received{}, false
	}
	return post(strings.Replace(doc, original, body, 1)), true
}

// wrappedResponse puts the signed Response into a forged one: inside the
// Signature that the forged one took over, or beside it.
func wrappedResponse(c brokertest.Case, doc string) string {
	signature := between(doc[:strings.Index(doc, "<saml:Assertion")], "<ds:Signature", "</ds:Signature>")
	bare := strings.Replace(doc, signature, "", 1)
	evil := strings.NewReplacer("ada.example", "eve.example", `"_response"`, `"_evil-response"`, `"`+assertionID+`"`, `"_evil"`).Replace(bare)
	carried := strings.Replace(signature, "</ds:Signature>", "<ds:Object>"+bare+"</ds:Object></ds:Signature>", 1)
	if c == brokertest.SignatureWrapping2 {
		carried = signature + bare
	}
	return strings.Replace(evil, "<samlp:Status>", carried+"<samlp:Status>", 1)
}

// gcm encrypts as current identity providers do by default.
func gcm(to party) *encryption {
	return &encryption{
		to: to, sessionKey: "aes-256", content: "http://www.w3.org/2009/xmlenc11#aes256-gcm",
		transport: `<xenc:EncryptionMethod Algorithm="http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p"/>`,
	}
}

// config is an ordinary connection to an IdP that signs with keys, and with
// them the assertion at least.
func config(t testing.TB, entityID identity.EntityID, keys ...crypto.PublicKey) sp.Config {
	t.Helper()
	return sp.Config{
		EntityID: ourID, ACS: ourACS, Keys: ring(t), Store: openStore(t, sqlstore.Memory), AllowUnsignedResponse: true,
		IDP: &metadata.Entity{EntityID: entityID, IDP: &metadata.IDP{
			Role: metadata.Role{Signing: keys},
			SSO:  []metadata.Endpoint{{Binding: identity.BindingPOST, Location: "https://idp.partner.example.test/post"}, {Binding: identity.BindingRedirect, Location: "https://idp.partner.example.test/sso"}},
		}},
		Now: func() time.Time { return noon }, Rand: rand.Reader,
	}
}

func connect(t testing.TB, cfg sp.Config) *sp.Connector {
	t.Helper()
	c, err := sp.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// ring holds our own keys: one to sign, and two to decrypt with.
func ring(t testing.TB) *certs.Ring {
	t.Helper()
	k := testKeys(t)
	var all []certs.Key
	for _, one := range []struct {
		id    string
		use   certs.Use
		state certs.State
		party party
	}{
		{"sign", certs.Signing, certs.Active, k.spSigning},
		{"encrypt", certs.Encryption, certs.Active, k.spEncryption},
		{"encrypt-next", certs.Encryption, certs.Next, k.spNext},
	} {
		key, err := certs.Load(one.id, one.use, one.state, one.party.keyPEM, one.party.certPEM)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, key)
	}
	r, err := certs.NewRing(all)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func openStore(t testing.TB, path string) store.Store {
	t.Helper()
	s, err := sqlstore.Open(t.Context(), sqlstore.Config{Driver: sqlstore.DriverSQLite, DSN: path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("closing the store: %v", err)
		}
	})
	return s
}
