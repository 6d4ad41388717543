package idp_test

import (
	"bytes"
	"compress/flate"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"html"
	"io"
	"log/slog"
	mathrand "math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"

	"github.com/samlet-id/samlet/binding"
	"github.com/samlet-id/samlet/certs"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/idp"
	"github.com/samlet-id/samlet/internal/web"
	"github.com/samlet-id/samlet/internal/xmlsec"
	"github.com/samlet-id/samlet/metadata"
	"github.com/samlet-id/samlet/store/sqlstore"
	"github.com/samlet-id/samlet/templates"
)

const (
	entityID = "https://login.example.test/saml/metadata"
	ssoURL   = "https://login.example.test/saml/sso"
	spID     = "https://app.example.test/saml/metadata"
	acsURL   = "https://app.example.test/saml/acs"
)

// noon is when the tests take place.
var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// loadKey reads a key of testdata.
func loadKey(t testing.TB, name string) certs.Key {
	t.Helper()
	key, err := os.ReadFile("testdata/" + name + ".key")
	if err != nil {
		t.Fatal(err)
	}
	crt, err := os.ReadFile("testdata/" + name + ".crt")
	if err != nil {
		t.Fatal(err)
	}
	k, err := certs.Load(name, certs.Signing, certs.Active, key, crt)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// fixed is an Authenticator that knows the answer already.
type fixed struct {
	answer   identity.Assertion
	err      error
	redirect string

	mu    sync.Mutex
	asked *identity.AuthnRequest // the last question

	partial  bool             // not everybody confirms a logout
	left     *identity.Logout // the last wish that sessions end
	answered []string         // answers to LogoutRequests
}

func (f *fixed) Start(_ http.ResponseWriter, _ *http.Request, req identity.AuthnRequest) (identity.Outcome, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = &req
	if f.redirect != "" {
		return identity.Outcome{Redirect: f.redirect}, nil
	}
	return identity.Outcome{Assertion: f.answer}, f.err
}

func (f *fixed) Result(http.ResponseWriter, *http.Request) (identity.AuthnRequest, identity.Assertion, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.asked == nil {
		return identity.AuthnRequest{}, identity.Assertion{}, &identity.Error{Kind: identity.KindExpired, Code: "ui.stale", Msg: "too late"}
	}
	return *f.asked, f.answer, f.err
}

func (f *fixed) Logout(_ context.Context, l identity.Logout) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.left = &l
	return f.redirect, f.err
}

func (f *fixed) LogoutDirectly(_ context.Context, l identity.Logout) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.left = &l
	return !f.partial, f.err
}

func (f *fixed) LogoutAnswered(_ context.Context, message string, rp identity.RelyingPartyID, why error) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answered = append(f.answered, strings.TrimSpace(string(rp)+" "+message+" "+string(identity.CodeOf(why))))
	return "/logout/progress?t=1", f.err
}

// alice is what the tests' Authenticator says unless told otherwise.
func alice() identity.Assertion {
	return identity.Assertion{
		Principal: identity.Principal{
			Issuer: entityID, Subject: "k7w3xq2n5v4r6t7y2a3b4c5d6e7f2g3h", Format: identity.FormatPersistent,
			NameQualifier: entityID, SPNameQualifier: spID,
		},
		Context: identity.AuthnContext{
			Class: identity.ClassPasswordProtectedTransport, Instant: noon.Add(-time.Hour),
			Authorities: []identity.EntityID{"https://idp.partner.test/saml"},
		},
		Released: []identity.Released{
			{Attribute: identity.Groups, Values: []string{"staff", "admins"}},
			{Attribute: identity.Mail, Values: []string{"alice@example.test"}},
		},
		Session: "s-1",
	}
}

// world is an identity provider with one service provider.
type world struct {
	*idp.Provider
	handler http.Handler
	auth    *fixed
	party   *idp.Party
	log     *bytes.Buffer
	key     certs.Key // the identity provider's
}

// newWorld starts it. Edit changes the service provider's metadata, configure
// the identity provider; both may be nil.
func newWorld(t testing.TB, edit func(string) string, configure func(*idp.Config)) *world {
	t.Helper()
	w := &world{auth: &fixed{answer: alice()}, log: &bytes.Buffer{}, key: loadKey(t, "idp")}
	w.party = newParty(t, edit)
	ring, err := certs.NewRing([]certs.Key{w.key})
	if err != nil {
		t.Fatal(err)
	}
	catalogue, err := identity.NewCatalogue([]identity.Attribute{{Name: "nickname"}})
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(w.log, nil))
	pages, err := templates.New(templates.Config{})
	if err != nil {
		t.Fatal(err)
	}
	cfg := idp.Config{
		Store:    newStore(t),
		EntityID: entityID, BaseURL: "https://login.example.test",
		Party: func(_ context.Context, id identity.EntityID) (idp.Party, error) {
			if id != w.party.EntityID {
				return idp.Party{}, &identity.Error{Kind: identity.KindNotFound, Code: "sp.unknown", Expected: string(w.party.EntityID)}
			}
			return *w.party, nil
		},
		PartyByID: func(_ context.Context, id identity.RelyingPartyID) (idp.Party, error) {
			if id != w.party.ID {
				return idp.Party{}, &identity.Error{Kind: identity.KindNotFound, Code: "sp.unknown"}
			}
			return *w.party, nil
		},
		Authenticator: w.auth, Keys: ring, Catalogue: catalogue, Log: log,
		Now: func() time.Time { return noon }, Rand: mathrand.NewChaCha8([32]byte{}),
	}
	if configure != nil {
		configure(&cfg)
	}
	if cfg.Web, err = web.New(web.Config{Pages: pages, Log: log, BaseURL: cfg.BaseURL, Rand: rand.Reader}); err != nil {
		t.Fatal(err)
	}
	if w.Provider, err = idp.New(cfg); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	w.Mount(mux)
	w.handler = cfg.Web.Middleware(mux, w.CrossSitePosts())
	return w
}

// newStore opens a store that lives in memory and as long as the test.
func newStore(t testing.TB) *sqlstore.Store {
	t.Helper()
	s, err := sqlstore.Open(t.Context(), sqlstore.Config{Driver: sqlstore.DriverSQLite, DSN: sqlstore.Memory})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// newParty reads the service provider's metadata after edit.
func newParty(t testing.TB, edit func(string) string) *idp.Party {
	t.Helper()
	crt := certBase64(t, "sp")
	md := `<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" xmlns:ds="http://www.w3.org/2000/09/xmldsig#" entityID="` + spID + `">` +
		`<md:SPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">` +
		`<md:KeyDescriptor use="signing"><ds:KeyInfo><ds:X509Data><ds:X509Certificate>` + crt + `</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>` +
		`<md:AssertionConsumerService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="` + acsURL + `" index="0" isDefault="true"/>` +
		`<md:AssertionConsumerService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="` + acsURL + `2" index="2"/>` +
		`<md:AssertionConsumerService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Artifact" Location="` + acsURL + `/artifact" index="3"/>` +
		`<md:AttributeConsumingService index="1"><md:ServiceName xml:lang="en">App</md:ServiceName>` +
		`<md:RequestedAttribute Name="urn:oid:0.9.2342.19200300.100.1.3" NameFormat="urn:oasis:names:tc:SAML:2.0:attrname-format:uri"/>` +
		`<md:RequestedAttribute Name="urn:oid:1.2.3"/></md:AttributeConsumingService>` +
		`</md:SPSSODescriptor></md:EntityDescriptor>`
	if edit != nil {
		md = edit(md)
	}
	e, err := metadata.Parse([]byte(md), metadata.ParseOptions{Want: metadata.RoleSP, Now: func() time.Time { return noon }})
	if err != nil {
		t.Fatalf("the service provider's metadata: %v\n%s", err, md)
	}
	return &idp.Party{RelyingParty: identity.RelyingParty{ID: "app", EntityID: e.EntityID}, Metadata: e}
}

func certBase64(t testing.TB, name string) string {
	t.Helper()
	return base64.StdEncoding.EncodeToString(loadKey(t, name).Certificate.Raw)
}

// flag sets a boolean of the SPSSODescriptor.
func flag(name string) func(string) string {
	return replace("<md:SPSSODescriptor ", `<md:SPSSODescriptor `+name+`="true" `)
}

func replace(from, to string) func(string) string {
	return func(s string) string {
		if !strings.Contains(s, from) {
			panic(from + " is not in " + s)
		}
		return strings.Replace(s, from, to, 1)
	}
}

// authnRequest is the request that the tests' cases change.
const authnRequest = `<samlp:AuthnRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"` +
	` ID="_request1" Version="2.0" IssueInstant="2026-11-23T12:00:00Z" Destination="` + ssoURL + `"` +
	` AssertionConsumerServiceURL="` + acsURL + `" ProtocolBinding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST">` +
	`<saml:Issuer>` + spID + `</saml:Issuer></samlp:AuthnRequest>`

// child puts a child at the end of the request.
func child(xml string) func(string) string {
	return replace(`</samlp:AuthnRequest>`, xml+`</samlp:AuthnRequest>`)
}

// attribute puts an attribute on the request.
func attribute(nameValue string) func(string) string { return replace(` ID=`, ` `+nameValue+` ID=`) }

// byRedirect sends a message by HTTP-Redirect, its query signed by key if one is
// given: with crypto/rsa, not with our own code.
func byRedirect(t testing.TB, xml, relayState string, key *certs.Key) *http.Request {
	t.Helper()
	return httptest.NewRequestWithContext(t.Context(), http.MethodGet, ssoURL+"?"+redirectQuery(t, xml, relayState, key), nil)
}

func redirectQuery(t testing.TB, xml, relayState string, key *certs.Key) string {
	t.Helper()
	var b bytes.Buffer
	z, err := flate.NewWriter(&b, flate.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(z, xml); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	q := "SAMLRequest=" + url.QueryEscape(base64.StdEncoding.EncodeToString(b.Bytes()))
	if relayState != "" {
		q += "&RelayState=" + url.QueryEscape(relayState)
	}
	if key == nil {
		return q
	}
	return signedQuery(t, q, *key)
}

// signedQuery adds SigAlg and Signature to a query.
func signedQuery(t testing.TB, q string, key certs.Key) string {
	t.Helper()
	q += "&SigAlg=" + url.QueryEscape(xmlsec.AlgRSASHA256)
	sum := sha256.Sum256([]byte(q))
	sig, err := rsa.SignPKCS1v15(nil, key.Signer.(*rsa.PrivateKey), crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return q + "&Signature=" + url.QueryEscape(base64.StdEncoding.EncodeToString(sig))
}

// byPOST sends a message by HTTP-POST from another site.
func byPOST(t testing.TB, xml, relayState string) *http.Request {
	t.Helper()
	form := url.Values{"SAMLRequest": {base64.StdEncoding.EncodeToString([]byte(xml))}}
	if relayState != "" {
		form.Set("RelayState", relayState)
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, ssoURL, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	return r
}

// bySOAP sends a message between servers, with a name and password.
func bySOAP(t testing.TB, xml string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, ecpURL, strings.NewReader(string(binding.SOAP(nil, []byte(xml)))))
	r.Header.Set("Content-Type", "text/xml; charset=utf-8")
	r.SetBasicAuth("alice", "password")
	return r
}

// signedBy puts an enveloped signature after the Issuer, made by goxmldsig.
func signedBy(t testing.TB, xml string, key certs.Key) string {
	t.Helper()
	doc := etree.NewDocument()
	if err := doc.ReadFromString(xml); err != nil {
		t.Fatal(err)
	}
	ctx, err := dsig.NewSigningContext(key.Signer, [][]byte{key.Certificate.Raw})
	if err != nil {
		t.Fatal(err)
	}
	ctx.Canonicalizer = dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("")
	sig, err := ctx.ConstructSignature(doc.Root(), true)
	if err != nil {
		t.Fatal(err)
	}
	doc.Root().InsertChildAt(doc.Root().SelectElement("Issuer").Index()+1, sig)
	out, err := doc.WriteToString()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// answer is what came of a request: a page, a redirect, or a Response.
type answer struct {
	status     int
	page       string
	location   string
	action     string // of the form that carries the Response
	response   []byte
	relayState string
}

func (w *world) send(r *http.Request) answer {
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, r)
	return read(rec)
}

func read(rec *httptest.ResponseRecorder) answer {
	a := answer{status: rec.Code, page: rec.Body.String(), location: rec.Header().Get("Location")}
	if m := formAction.FindStringSubmatch(a.page); m != nil {
		a.action = html.UnescapeString(m[1])
	}
	for _, m := range formField.FindAllStringSubmatch(a.page, -1) {
		switch value := html.UnescapeString(m[2]); m[1] {
		case "SAMLResponse":
			a.response, _ = base64.StdEncoding.DecodeString(value) // damage shows in what is read of it
		case "RelayState":
			a.relayState = value
		}
	}
	return a
}

var (
	formAction = regexp.MustCompile(`<form[^>]* action="([^"]*)"`)
	formField  = regexp.MustCompile(`name="(SAMLResponse|RelayState)" value="([^"]*)"`)
	statusCode = regexp.MustCompile(`StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:(\w+)"`)
	statusText = regexp.MustCompile(`<samlp:StatusMessage>([^<]*)<`)
)

// codes returns the status codes of the Response, top level first.
func (a answer) codes() string {
	var codes []string
	for _, m := range statusCode.FindAllStringSubmatch(string(a.response), -1) {
		codes = append(codes, m[1])
	}
	return strings.Join(codes, "/")
}

func (a answer) message() string {
	if m := statusText.FindStringSubmatch(string(a.response)); m != nil {
		return html.UnescapeString(m[1])
	}
	return ""
}

// verified reads the Response through xmlsec, whose signature it must carry.
func (w *world) verified(t testing.TB, response []byte) *xmlsec.Element {
	t.Helper()
	doc, err := xmlsec.Parse(response, xmlsec.ResponseLimits())
	if err != nil {
		t.Fatalf("the Response: %v\n%s", err, response)
	}
	e, err := doc.Verify(doc.Root(), xmlsec.Trust{Keys: []crypto.PublicKey{w.key.Public()}})
	if err != nil {
		t.Fatalf("the Response's signature: %v\n%s", err, response)
	}
	return e
}

func decoded(t testing.TB, s string) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
