package metadata_test

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/crewjam/saml/samlsp"
	"github.com/google/go-cmp/cmp"

	"github.com/samlet-id/samlet/certs"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/peer"
	"github.com/samlet-id/samlet/metadata"
)

// hostile is what a display name can hold at worst.
const hostile = "A&B <\"Ünïversity\"> ]]>\r\n\t'"

func idpConfig() metadata.IDPConfig {
	sign := key("signer")
	return metadata.IDPConfig{
		EntityID: "https://login.example.test/saml/metadata?a=1&b=2",
		SSO: []metadata.Endpoint{
			{Binding: identity.BindingRedirect, Location: "https://login.example.test/saml/sso"},
			{Binding: identity.BindingPOST, Location: "https://login.example.test/saml/sso"},
		},
		SLO:     []metadata.Endpoint{{Binding: identity.BindingRedirect, Location: "https://login.example.test/saml/slo", ResponseLocation: "https://login.example.test/saml/slo/done"}},
		Signing: []certs.Key{sign, key("next"), key("ecdsa")}, WantAuthnRequestsSigned: true,
		DisplayName: hostile, Logo: "https://login.example.test/logo.png", ErrorURL: "https://login.example.test/help", Scopes: []string{"example.test"},
		PrivacyStatementURL: "https://login.example.test/privacy",
		Contacts:            []metadata.Contact{{Type: "support", Company: "Example", GivenName: "Help", SurName: "Desk", Emails: []string{"sso@example.test"}, Phones: []string{"+1"}}, {Emails: []string{"a@example.test"}}},
		Now:                 now, SignWith: &sign,
	}
}

func spConfig() metadata.SPConfig {
	sign := key("signer")
	return metadata.SPConfig{
		EntityID: "https://login.example.test/saml/sp/acme/metadata",
		ACS:      []metadata.IndexedEndpoint{acs(identity.BindingPOST, "https://login.example.test/saml/acs/acme", 0, identity.On)},
		SLO:      []metadata.Endpoint{{Binding: identity.BindingRedirect, Location: "https://login.example.test/saml/slo"}},
		Signing:  []certs.Key{sign}, Encryption: []certs.Key{key("encryption")},
		AuthnRequestsSigned: true, WantAssertionsSigned: true, DisplayName: hostile,
		PrivacyStatementURL: "https://login.example.test/privacy?a=1&b=2", SubjectIDRequirement: "pairwise-id",
		Requested: []metadata.RequestedAttribute{{Name: "urn:oid:0.9.2342.19200300.100.1.3", NameFormat: identity.NameFormatURI, FriendlyName: "mail", Required: true, Values: []string{hostile}}},
		Contacts:  []metadata.Contact{{Emails: []string{"sso@example.test"}}},
		Now:       now, SignWith: &sign,
	}
}

// What we publish is valid against the OASIS schemas and verifies with xmlsec1,
// with everything in it and with as little as possible.
func TestWriteIsValid(t *testing.T) {
	t.Parallel()
	bareIDP, bareSP := idpConfig(), spConfig()
	bareIDP.PrivacyStatementURL, bareSP.PrivacyStatementURL, bareSP.SubjectIDRequirement = "", "", ""
	bareIDP.SLO, bareIDP.DisplayName, bareIDP.Logo, bareIDP.Scopes, bareIDP.Contacts, bareIDP.ErrorURL = nil, "", "", nil, nil, ""
	logoAlone := idpConfig()
	logoAlone.PrivacyStatementURL = ""
	logoAlone.DisplayName, logoAlone.Scopes, logoAlone.Logo = "", nil, "data:image/png;base64,iVBORw0KGgo="
	bareSP.SLO, bareSP.Signing, bareSP.Encryption, bareSP.Requested, bareSP.DisplayName, bareSP.Contacts = nil, nil, nil, nil, "", nil
	unsigned, ecdsa := idpConfig(), spConfig()
	k := key("ecdsa")
	unsigned.SignWith, ecdsa.SignWith = nil, &k
	withEncryption := idpConfig()
	withEncryption.Encryption = []certs.Key{key("encryption")}
	withoutName := spConfig()
	withoutName.DisplayName = "" // the ServiceName of its attributes has to come from elsewhere
	for _, tc := range []struct {
		name   string
		write  func() ([]byte, error)
		signer string
	}{
		{"IdP", func() ([]byte, error) { return metadata.WriteIDP(idpConfig()) }, "signer"},
		{"IdP with an encryption key", func() ([]byte, error) { return metadata.WriteIDP(withEncryption) }, "signer"},
		{"IdP at its least", func() ([]byte, error) { return metadata.WriteIDP(bareIDP) }, "signer"},
		{"IdP with a logo alone", func() ([]byte, error) { return metadata.WriteIDP(logoAlone) }, "signer"},
		{"IdP unsigned", func() ([]byte, error) { return metadata.WriteIDP(unsigned) }, ""},
		{"SP", func() ([]byte, error) { return metadata.WriteSP(spConfig()) }, "signer"},
		{"SP without a name", func() ([]byte, error) { return metadata.WriteSP(withoutName) }, "signer"},
		{"SP at its least", func() ([]byte, error) { return metadata.WriteSP(bareSP) }, "signer"},
		{"SP signed with ECDSA", func() ([]byte, error) { return metadata.WriteSP(ecdsa) }, "ecdsa"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			doc, err := tc.write()
			if err != nil {
				t.Fatal(err)
			}
			peer.ValidateXSD(t, doc)
			if tc.signer != "" {
				peer.VerifyXMLSec1(t, doc, key(tc.signer).PEM())
			}
		})
	}
}

// Reading our own file gives back what was written: both sides share one model.
func TestWriteRoundTrip(t *testing.T) {
	t.Parallel()
	cfg := idpConfig()
	doc, err := metadata.WriteIDP(cfg)
	if err != nil {
		t.Fatal(err)
	}
	e, err := metadata.Parse(doc, metadata.ParseOptions{Now: now, Want: metadata.RoleIDP, Keys: []crypto.PublicKey{public("signer")}, EntityID: cfg.EntityID})
	if err != nil {
		t.Fatal(err)
	}
	type facts struct {
		Formats   []identity.Format
		SSO, SLO  []metadata.Endpoint
		Want      bool
		Scopes    []string
		Names     []metadata.Localized
		ErrorURL  string
		Signing   []string
		CacheFor  time.Duration
		ValidFor  time.Duration
		Digests   int
		Contacts  []metadata.Contact
		Signature int
	}
	contacts := []metadata.Contact{cfg.Contacts[0], {Type: "technical", Emails: cfg.Contacts[1].Emails}}
	want := facts{
		Formats: []identity.Format{identity.FormatPersistent, identity.FormatTransient, identity.FormatEmail, identity.FormatUnspecified},
		SSO:     cfg.SSO, SLO: cfg.SLO, Want: true, Scopes: cfg.Scopes, Names: []metadata.Localized{{Lang: "en", Text: hostile}}, ErrorURL: cfg.ErrorURL,
		Signing:  der(t, keys(public("signer"), public("next"), public("ecdsa"))), // the active one first
		CacheFor: metadata.DefaultCacheDuration, ValidFor: metadata.DefaultValidFor, Digests: 3, Contacts: contacts, Signature: 7,
	}
	got := facts{
		Formats: e.IDP.NameIDFormats, SSO: e.IDP.SSO, SLO: e.IDP.SLO, Want: e.IDP.WantAuthnRequestsSigned, Scopes: e.IDP.Scopes,
		Names: e.IDP.DisplayNames, ErrorURL: e.IDP.ErrorURL, Signing: der(t, e.IDP.Signing), CacheFor: e.CacheDuration,
		ValidFor: e.ValidUntil.Sub(now().Truncate(metadata.DefaultValidFor / 2)), Digests: len(e.IDP.DigestMethods), Contacts: e.Contacts, Signature: len(e.IDP.SigningMethods),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if want := `<mdui:Logo height="60" width="80">` + cfg.Logo + `</mdui:Logo>`; !strings.Contains(string(doc), want) {
		t.Errorf("no %s in\n%s", want, doc)
	}
	if len(e.IDP.Encryption) != 0 {
		t.Error("an encryption key is published that nobody configured")
	}
}

func TestWriteSPRoundTrip(t *testing.T) {
	t.Parallel()
	cfg := spConfig()
	doc, err := metadata.WriteSP(cfg)
	if err != nil {
		t.Fatal(err)
	}
	e, err := metadata.Parse(doc, metadata.ParseOptions{Now: now, Want: metadata.RoleSP, Keys: []crypto.PublicKey{public("signer")}})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(cfg.ACS, e.SP.ACS); diff != "" {
		t.Errorf("ACS (-want +got):\n%s", diff)
	}
	s, _ := e.SP.AttributeConsumingService(nil)
	if diff := cmp.Diff(cfg.Requested, s.Requested); diff != "" {
		t.Errorf("Requested (-want +got):\n%s", diff)
	}
	if !e.HasAttribute(metadata.AttributeSubjectIDRequirement, "pairwise-id") {
		t.Errorf("the subject identifier that is needed was lost: %v", e.Attributes)
	}
	if !e.SP.AuthnRequestsSigned || !e.SP.WantAssertionsSigned {
		t.Error("the flags were lost")
	}
	if diff := cmp.Diff(der(t, keys(public("encryption"))), der(t, e.SP.Encryption)); diff != "" {
		t.Errorf("Encryption (-want +got):\n%s", diff)
	}
	if len(e.SP.EncryptionMethods) != 5 || e.SP.EncryptionMethods[3].MGF == "" {
		t.Errorf("EncryptionMethods: got %v", e.SP.EncryptionMethods)
	}
}

// The schema wants a ServiceName, and pages show it, so it is never empty.
func TestServiceNameIsNeverEmpty(t *testing.T) {
	t.Parallel()
	cfg := spConfig()
	cfg.DisplayName = ""
	doc, err := metadata.WriteSP(cfg)
	if err != nil {
		t.Fatal(err)
	}
	e, err := parse(doc, metadata.RoleSP)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := e.Name("en"), string(cfg.EntityID); got != want {
		t.Errorf("Name: got %q, want %q", got, want)
	}
	s, _ := e.SP.AttributeConsumingService(nil)
	if diff := cmp.Diff([]metadata.Localized{{Lang: "en", Text: string(cfg.EntityID)}}, s.Names); diff != "" {
		t.Errorf("ServiceName (-want +got):\n%s", diff)
	}
}

// A reader that is not ours: crewjam/saml, and crewjam's own file for us.
func TestCrewjamReadsAndIsRead(t *testing.T) {
	t.Parallel()
	cfg := idpConfig()
	doc, err := metadata.WriteIDP(cfg)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := samlsp.ParseMetadata(doc)
	if err != nil {
		t.Fatal(err)
	}
	if got := theirs.EntityID; got != string(cfg.EntityID) {
		t.Errorf("entityID: got %q", got)
	}
	if got := theirs.IDPSSODescriptors[0].SingleSignOnServices[1].Location; got != cfg.SSO[1].Location {
		t.Errorf("SSO: got %q", got)
	}
	root, err := url.Parse("https://crewjam.example.test")
	if err != nil {
		t.Fatal(err)
	}
	rsaKey, ok := key("signer").Signer.(*rsa.PrivateKey)
	if !ok {
		t.Fatal("the signer is no RSA key")
	}
	m, err := samlsp.New(samlsp.Options{URL: *root, Key: rsaKey, Certificate: key("signer").Certificate, IDPMetadata: theirs, SignRequest: true})
	if err != nil {
		t.Fatal(err)
	}
	rec := httptest.NewRecorder()
	m.ServeMetadata(rec, httptest.NewRequest(http.MethodGet, "/saml/metadata", nil))
	e, err := metadata.Parse(rec.Body.Bytes(), metadata.ParseOptions{Now: time.Now, Want: metadata.RoleSP})
	if err != nil {
		t.Fatal(err)
	}
	to, err := e.SP.AssertionConsumerService("https://crewjam.example.test/saml/acs", nil, "")
	if err != nil || to.Binding != identity.BindingPOST || !e.SP.AuthnRequestsSigned || len(e.SP.Signing) != 1 || len(e.SP.Encryption) != 1 {
		t.Errorf("got %+v with endpoint %v, %v", e.SP, to, err)
	}
}

func TestWriteIsDeterministic(t *testing.T) {
	t.Parallel()
	at := func(d time.Duration) []byte {
		cfg := idpConfig()
		cfg.Now = func() time.Time { return now().Truncate(metadata.DefaultValidFor / 2).Add(d) }
		doc, err := metadata.WriteIDP(cfg)
		if err != nil {
			t.Fatal(err)
		}
		return doc
	}
	first := at(0)
	if !bytes.Equal(first, at(metadata.DefaultValidFor/2-time.Second)) {
		t.Error("the octets changed before half of the validity had passed")
	}
	if bytes.Equal(first, at(metadata.DefaultValidFor/2)) {
		t.Error("the octets stayed when half of the validity had passed")
	}
}

func TestWriteRefuses(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*metadata.IDPConfig){
		"no entityID":      func(c *metadata.IDPConfig) { c.EntityID = "" },
		"no endpoints":     func(c *metadata.IDPConfig) { c.SSO = nil },
		"no keys":          func(c *metadata.IDPConfig) { c.Signing = nil },
		"no clock":         func(c *metadata.IDPConfig) { c.Now = nil },
		"a second's worth": func(c *metadata.IDPConfig) { c.ValidFor = time.Second },
		"a logo by http":   func(c *metadata.IDPConfig) { c.Logo = "http://login.example.test/logo.png" },
		"a logo of script": func(c *metadata.IDPConfig) { c.Logo = "javascript:alert(1)" },
		"help by http":     func(c *metadata.IDPConfig) { c.ErrorURL = "http://login.example.test/help" },
		"help without URL": func(c *metadata.IDPConfig) { c.ErrorURL = "help" },
		"a NUL in a name":  func(c *metadata.IDPConfig) { c.DisplayName = "x\x00" },
		"a key that cannot sign": func(c *metadata.IDPConfig) {
			k := key("encryption")
			c.SignWith = &k
		},
	} {
		cfg := idpConfig()
		change(&cfg)
		if doc, err := metadata.WriteIDP(cfg); err == nil {
			t.Errorf("%s: got %s, want an error", name, doc)
		}
	}
	cfg := spConfig()
	cfg.ACS = nil
	if _, err := metadata.WriteSP(cfg); err == nil {
		t.Error("an SP without endpoints: got no error")
	}
}

// Attributes that configuration left empty do not appear: no schema type of
// metadata admits an empty one.
func TestWriteLeavesOutWhatIsEmpty(t *testing.T) {
	t.Parallel()
	cfg := idpConfig()
	cfg.ErrorURL, cfg.SLO = "", nil
	doc, err := metadata.WriteIDP(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{"errorURL", `=""`, "ResponseLocation", "SingleLogoutService"} {
		if strings.Contains(string(doc), s) {
			t.Errorf("%q is in the file:\n%s", s, doc)
		}
	}
}
