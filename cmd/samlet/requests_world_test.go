package main

import (
	"bytes"
	"compress/flate"
	"context"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/store"
	"github.com/samlet-id/samlet/store/sqlstore"
	"github.com/samlet-id/samlet/templates"
)

const (
	matrixBase = "https://login.example.test"
	matrixSSO  = matrixBase + "/saml/sso"
	appID      = "https://app.example.test/saml"
	appACS     = "https://app.example.test/acs"
	laxID      = "https://lax.example.test/saml"
	namedID    = "https://named.example.test/saml"
	sealedID   = "https://sealed.example.test/saml"
	partnerID  = "https://idp.partner.test/saml"
	otherID    = "https://idp.other.test/saml"
	closedID   = "https://idp.closed.test/saml"

	emailFormat = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"
	nameIDOwn   = "urn:example:staff-number"
)

// matrixNow is when the requests of the matrix arrive.
var matrixNow = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// question is an AuthnRequest and how it travels.
type question struct {
	attrs    []string          // name="value", in their order
	children map[string]string // by name
	edits    []func(string) string
	by       string // "GET" or "POST"
	relay    string
	sign     string // "", "query", "xml"
	query    func(string) string
	body     func([]byte) []byte // before base64
	seal     string              // a NameID to name somebody by, encrypted to us
	path     string              // asked for outright, without an AuthnRequest
}

type change func(*question)

func newQuestion(changes []change) *question {
	q := &question{
		attrs: []string{`ID="_q"`, `Version="2.0"`, `IssueInstant="2026-11-23T12:00:00Z"`, `Destination="` + matrixSSO + `"`},
		by:    http.MethodGet, children: map[string]string{"Issuer": "<saml:Issuer>" + appID + "</saml:Issuer>"},
	}
	for _, c := range changes {
		c(q)
	}
	return q
}

// attr sets an attribute; without, drop leaves it out.
func attr(name, value string) change {
	return func(q *question) {
		drop(name)(q)
		q.attrs = append(q.attrs, name+`="`+value+`"`)
	}
}

func drop(name string) change {
	return func(q *question) {
		q.attrs = slices.DeleteFunc(q.attrs, func(a string) bool { return strings.HasPrefix(a, name+"=") })
	}
}

// element sets a child; without text it leaves it out.
func element(name, xml string) change { return func(q *question) { q.children[name] = xml } }

func from(entityID string) change {
	return element("Issuer", "<saml:Issuer>"+entityID+"</saml:Issuer>")
}

func edit(f func(string) string) change {
	return func(q *question) { q.edits = append(q.edits, f) }
}

func (q *question) xml() string {
	var b strings.Builder
	b.WriteString(`<samlp:AuthnRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ` + strings.Join(q.attrs, " ") + ">")
	for _, name := range []string{"Issuer", "Signature", "Extensions", "Subject", "NameIDPolicy", "Conditions", "RequestedAuthnContext", "Scoping"} {
		b.WriteString(q.children[name])
	}
	s := b.String() + "</samlp:AuthnRequest>"
	for _, e := range q.edits {
		s = e(s)
	}
	return s
}

// matrix is a samlet in this process, with four applications and three upstreams,
// one of them switched off.
type matrix struct {
	house *house
	store store.Store
	log   *logBuffer
}

const matrixConfig = `
service_providers:
  - {id: app, metadata: {file: metadata/app.xml}, release_requested: true, encrypt: {mode: off}}
  - {id: lax, metadata: {file: metadata/lax.xml}, release: [{attribute: mail}], encrypt: {mode: off}, authn_context: {exact_as_minimum: true}, session: {idp_initiated: true}}
  - {id: named, metadata: {file: metadata/named.xml}, encrypt: {mode: off}, name_id: {format: "` + nameIDOwn + `", source: username}}
  - {id: sealed, metadata: {file: metadata/sealed.xml}}
`

const matrixConnections = `
  - {id: partner, type: saml, name: Partner, metadata: {inline: {entity_id: "` + partnerID + `", sso: ["https://idp.partner.test/sso"], certificates: ["file:certs/CERT.crt"]}}, authn_context: {request: demanded, trust: [{from: "urn:partner:two", to: "https://refeds.org/profile/mfa"}]}}
  - {id: other, type: saml, name: Other, metadata: {inline: {entity_id: "` + otherID + `", sso: ["https://idp.other.test/sso"], certificates: ["file:certs/CERT.crt"]}}}
  - {id: closed, type: saml, name: Closed, disabled: true, metadata: {inline: {entity_id: "` + closedID + `", sso: ["https://idp.closed.test/sso"], certificates: ["file:certs/CERT.crt"]}}}
`

func matrixMetadata(entityID, acs, crt string) string {
	key := func(use string) string {
		return `<md:KeyDescriptor use="` + use + `"><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Data><ds:X509Certificate>` + crt + `</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>`
	}
	endpoint := func(binding, at, more string) string {
		return `<md:AssertionConsumerService Binding="urn:oasis:names:tc:SAML:2.0:bindings:` + binding + `" Location="` + acs + at + `" ` + more + `/>`
	}
	return `<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="` + entityID + `">` +
		`<md:SPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">` + key("signing") + key("encryption") +
		endpoint("HTTP-POST", "", `index="0" isDefault="true"`) + endpoint("HTTP-POST", "/second", `index="1"`) +
		endpoint("HTTP-Artifact", "/artifact", `index="2"`) + endpoint("PAOS", "/paos", `index="3"`) +
		`<md:AttributeConsumingService index="0" isDefault="true"><md:ServiceName xml:lang="en">App</md:ServiceName>` +
		`<md:RequestedAttribute Name="urn:oid:0.9.2342.19200300.100.1.3" isRequired="true"/></md:AttributeConsumingService>` +
		`<md:AttributeConsumingService index="1"><md:ServiceName xml:lang="en">App</md:ServiceName>` +
		`<md:RequestedAttribute Name="urn:oid:2.5.4.42"/></md:AttributeConsumingService>` +
		`</md:SPSSODescriptor></md:EntityDescriptor>`
}

func newMatrix(t *testing.T) *matrix {
	t.Helper()
	dir := t.TempDir()
	path, err := initialise(t.Context(), dir, matrixBase)
	if err != nil {
		t.Fatal(err)
	}
	crt := strings.TrimSuffix(filepath.Base(one(t, filepath.Join(dir, "certs", "sig-*.crt"))), ".crt")
	text := readAll(t, path)
	text = strings.Replace(text, "{id: local, type: local, name: Password}", "{id: local, type: local, name: Password}"+strings.ReplaceAll(matrixConnections, "CERT", crt), 1)
	text = strings.Replace(text, "service_providers: []", matrixConfig, 1)
	writeFile(t, path, text)
	der := regexp.MustCompile(`-----[A-Z ]+-----|\s`).ReplaceAllString(readAll(t, filepath.Join(dir, "certs", crt+".crt")), "")
	for name, id := range map[string]string{"app": appID, "lax": laxID, "named": namedID, "sealed": sealedID} {
		writeFile(t, filepath.Join(dir, "metadata", name+".xml"), matrixMetadata(id, strings.Replace(appACS, "app", name, 1), der))
	}
	snap, err := loadSnapshot(path)
	if err != nil {
		t.Fatal(err)
	}
	m := &matrix{log: &logBuffer{}}
	db, err := sqlstore.Open(t.Context(), sqlstore.Config{Driver: sqlstore.DriverSQLite, DSN: filepath.Join(dir, "data", "samlet.db")})
	if err != nil {
		t.Fatal(err)
	}
	m.store = db
	pages, err := templates.New(templates.Config{})
	if err != nil {
		t.Fatal(err)
	}
	m.house, err = build(snap, &shared{
		store: db, pages: pages, log: slog.New(slog.NewTextHandler(m.log, nil)), now: func() time.Time { return matrixNow }, rand: rand.Reader,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.house.Close(context.Background()); err != nil {
			t.Error(err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	m.populate(t)
	return m
}

func one(t *testing.T, pattern string) string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) != 1 {
		t.Fatalf("%s: %v, %v", pattern, files, err)
	}
	return files[0]
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// storedID is the persistent NameID that Alice has at the application.
const storedID = "k7w3xq2n5v4r6t7y2a3b4c5d6e7f2g3h"

// populate makes Alice and a session of hers for each way in.
func (m *matrix) populate(t *testing.T) {
	t.Helper()
	typed := func(n identity.Name, v string) identity.Value {
		return identity.Value{Name: n, Value: v, Source: identity.SourceOperator}
	}
	alice := identity.Record{ID: "alice", Logins: []string{"alice"}, Created: matrixNow, Updated: matrixNow, Values: []identity.Value{
		typed(identity.GivenName, "Alice"), typed(identity.Mail, "alice@example.test"), typed(identity.Username, "alice"),
	}}
	id := identity.Principal{Issuer: m.issuer(), Subject: storedID, Format: identity.FormatPersistent, NameQualifier: string(m.issuer()), SPNameQualifier: appID}
	password := identity.AuthnContext{
		Class: identity.ClassPasswordProtectedTransport, Also: []identity.ClassRef{identity.ClassREFEDSSFA},
		Methods: []identity.Method{identity.MethodPassword}, AAL: identity.AAL1, Instant: matrixNow.Add(-time.Hour),
	}
	elsewhere := identity.AuthnContext{
		Class: identity.ClassREFEDSMFA, Instant: matrixNow.Add(-time.Hour), Authorities: []identity.EntityID{partnerID, "https://idp.deep.test/saml"},
	}
	two := 2
	err := m.store.Update(t.Context(), func(tx *store.Tx) error {
		if err := tx.Records.Create(t.Context(), alice); err != nil {
			return err
		}
		if err := tx.NameIDs.Create(t.Context(), identity.NameID{Record: "alice", Principal: id, Created: matrixNow}); err != nil {
			return err
		}
		for token, s := range map[string]identity.Session{
			"password": {ID: "s-password", Record: "alice", Context: password, Connection: identity.LocalConnection, Created: matrixNow.Add(-time.Hour), NotAfter: matrixNow.Add(time.Hour)},
			"bounded":  {ID: "s-bounded", Record: "alice", Context: elsewhere, Connection: "partner", Proxy: identity.ProxyRestriction{Count: &two, Audiences: []identity.EntityID{appID, "urn:x"}}, Created: matrixNow.Add(-time.Hour), NotAfter: matrixNow.Add(time.Hour)},
			"partner":  {ID: "s-partner", Record: "alice", Context: elsewhere, Connection: "partner", Created: matrixNow.Add(-time.Hour), NotAfter: matrixNow.Add(time.Hour)},
		} {
			if err := tx.Sessions.Create(t.Context(), token, s); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (m *matrix) issuer() identity.EntityID {
	return identity.EntityID(m.house.snapshot.Config.IDP.EntityID)
}

// request makes the HTTP request of q, in a browser with a session or "none".
func (m *matrix) request(t *testing.T, q *question, session string) *http.Request {
	t.Helper()
	if q.seal != "" {
		q.children["Subject"] = "<saml:Subject>" + m.encrypt(t, q.seal) + "</saml:Subject>"
	}
	var r *http.Request
	switch {
	case q.path != "":
		r = httptest.NewRequestWithContext(t.Context(), http.MethodGet, matrixBase+q.path, nil)
	case q.by == http.MethodPost:
		octets := []byte(q.xml())
		if q.sign == "xml" {
			octets = m.sign(t, octets)
		}
		if q.body != nil {
			octets = q.body(octets)
		}
		form := url.Values{"SAMLRequest": {base64.StdEncoding.EncodeToString(octets)}}
		if q.relay != "" {
			form.Set("RelayState", q.relay)
		}
		body := form.Encode()
		if q.query != nil {
			body = q.query(body)
		}
		r = httptest.NewRequestWithContext(t.Context(), http.MethodPost, matrixSSO, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "cross-site")
	default:
		r = httptest.NewRequestWithContext(t.Context(), http.MethodGet, matrixSSO+"?"+m.redirect(t, q), nil)
	}
	if session != "none" {
		r.AddCookie(&http.Cookie{Name: "__Host-samlet_session", Value: session})
	}
	return r
}

func (m *matrix) redirect(t *testing.T, q *question) string {
	t.Helper()
	octets := []byte(q.xml())
	if q.sign == "xml" {
		octets = m.sign(t, octets)
	}
	var b bytes.Buffer
	z, err := flate.NewWriter(&b, flate.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := z.Write(octets); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	packed := b.Bytes()
	if q.body != nil {
		packed = q.body(octets)
	}
	s := "SAMLRequest=" + url.QueryEscape(base64.StdEncoding.EncodeToString(packed))
	if q.relay != "" {
		s += "&RelayState=" + url.QueryEscape(q.relay)
	}
	if q.sign == "query" {
		s += "&SigAlg=" + url.QueryEscape("http://www.w3.org/2001/04/xmldsig-more#rsa-sha256")
		sum := sha256.Sum256([]byte(s))
		sig, err := m.key().Sign(rand.Reader, sum[:], crypto.SHA256)
		if err != nil {
			t.Fatal(err)
		}
		s += "&Signature=" + url.QueryEscape(base64.StdEncoding.EncodeToString(sig))
	}
	if q.query != nil {
		s = q.query(s)
	}
	return s
}

// key is the applications' signing key, which is ours, too.
func (m *matrix) key() crypto.Signer { return m.house.snapshot.Keys.Signing().Signer }

// sign puts an enveloped signature after the Issuer, made by goxmldsig.
func (m *matrix) sign(t *testing.T, xml []byte) []byte {
	t.Helper()
	doc := etree.NewDocument()
	if err := doc.ReadFromBytes(xml); err != nil {
		t.Fatal(err)
	}
	ctx, err := dsig.NewSigningContext(m.key(), [][]byte{m.house.snapshot.Keys.Signing().Certificate.Raw})
	if err != nil {
		t.Fatal(err)
	}
	ctx.Canonicalizer = dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("")
	sig, err := ctx.ConstructSignature(doc.Root(), true)
	if err != nil {
		t.Fatal(err)
	}
	doc.Root().InsertChildAt(doc.Root().SelectElement("Issuer").Index()+1, sig)
	out, err := doc.WriteToBytes()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// encrypt makes an EncryptedID for our encryption key with nothing but the
// standard library.
func (m *matrix) encrypt(t *testing.T, nameID string) string {
	t.Helper()
	public, ok := m.house.snapshot.Keys.Encryption()[0].Public().(*rsa.PublicKey)
	if !ok {
		t.Fatal("the encryption key is no RSA key")
	}
	key, nonce := []byte("an AES key of 32 bytes for a test"[:32]), []byte("a nonce of 12"[:12])
	wrapped, err := rsa.EncryptOAEP(sha1.New(), rand.Reader, public, key, nil)
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
	part := func(octets []byte) string {
		return "<xenc:CipherData><xenc:CipherValue>" + base64.StdEncoding.EncodeToString(octets) + "</xenc:CipherValue></xenc:CipherData>"
	}
	return `<saml:EncryptedID><xenc:EncryptedData xmlns:xenc="http://www.w3.org/2001/04/xmlenc#"><xenc:EncryptionMethod Algorithm="http://www.w3.org/2009/xmlenc11#aes256-gcm"/>` +
		`<ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><xenc:EncryptedKey><xenc:EncryptionMethod Algorithm="http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p"/>` +
		part(wrapped) + `</xenc:EncryptedKey></ds:KeyInfo>` + part(gcm.Seal(nonce, nonce, []byte(nameID), nil)) + `</xenc:EncryptedData></saml:EncryptedID>`
}
