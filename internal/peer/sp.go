package peer

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// Binding is how a SAML message travels, by its URI (SAML Bindings 3).
type Binding string

// The bindings that peers speak.
const (
	Redirect Binding = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
	POST     Binding = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
	SOAP     Binding = "urn:oasis:names:tc:SAML:2.0:bindings:SOAP"
	Artifact Binding = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Artifact"
	PAOS     Binding = "urn:oasis:names:tc:SAML:2.0:bindings:PAOS"
)

// URI is the whole of it, for templates.
func (b Binding) URI() string { return string(b) }

// Short is the last word of the URI without HTTP, for paths.
func (b Binding) Short() string { return strings.TrimPrefix(b.String(), "HTTP-") }

// String is the last word of the URI, for the names of tests.
func (b Binding) String() string {
	return string(b[len("urn:oasis:names:tc:SAML:2.0:bindings:"):])
}

// SPOptions say what a service provider asks of its identity provider. The zero
// value is: unsigned request by HTTP-Redirect, no NameIDPolicy of its own,
// a signed assertion, no encryption, no logout.
type SPOptions struct {
	IdPMetadata        []byte // of the one identity provider that it trusts
	SignRequests       bool
	RequestByPOST      bool
	PlainPOST          bool   // node-saml deflates what it posts unless told so; others never do
	NameIDFormat       string // requested in NameIDPolicy and named in the metadata
	NoCreate           bool   // says AllowCreate="false", as pysaml2 and samlify do on their own
	ForceAuthn         bool
	IsPassive          bool
	AuthnContext       string // the class that it asks for, exactly
	EncryptAssertions  bool   // publishes an encryption key
	WantResponseSigned bool   // refuses a Response that is not itself signed, where the software can
	Artifact           bool   // takes its Response by HTTP-Artifact and by nothing else
	Unsolicited        bool   // takes a Response that it did not ask for
	ECP                bool   // serves clients that are no browsers, too
	Discovery          string // URL of the discovery service that it asks where people sign in; none, if empty

	// Logout lists the SingleLogoutService endpoints that its metadata names.
	// With one in it, the SP signs what it sends there. LogoutBy is how it asks
	// for a logout itself.
	Logout   []Binding
	LogoutBy Binding
	// AsyncLogout says with the extension of that name that nobody waits for an
	// answer (Asynchronous Single Logout Profile Extension).
	AsyncLogout bool
}

// signs tells whether the SP has a signing key in its metadata.
func (o SPOptions) signs() bool { return o.SignRequests || o.Artifact || len(o.Logout) > 0 }

// SP is a running service provider.
type SP struct {
	Name      string // of the software
	EntityID  string
	URL       string // base address
	LoginURL  string // starts a login and ends at a page that ReadLogin reads
	LogoutURL string // starts a logout for whoever is signed in; ends at a page that ReadLogout reads
	WhoURL    string // tells who is signed in, and starts nothing
	SecretURL string // the same for people who are; others it sends to sign in. Only where ECP can be
	Metadata  []byte // as the software itself publishes it
	ACS       string

	end func() // ends the software
}

// Login is what a service provider understood of a login, in its own words: an
// attribute is named as that software names it. Error is set instead when it
// refused the Response, and Status holds the SAML status codes if it tells them.
type Login struct {
	Issuer       string              `json:"issuer"`
	NameID       string              `json:"nameID"`
	NameIDFormat string              `json:"nameIDFormat"`
	SessionIndex string              `json:"sessionIndex"`
	AuthnContext string              `json:"authnContext"`
	Attributes   map[string][]string `json:"attributes"`
	Error        string              `json:"error"`
	Status       []string            `json:"status"`
}

// Values returns the values of the first of the names that is present, because
// one SP calls an attribute by its SAML Name and another by its FriendlyName.
func (l Login) Values(names ...string) []string {
	for _, n := range names {
		if v, ok := l.Attributes[n]; ok {
			return v
		}
	}
	return nil
}

// ReadLogin reads the page at which a login at an SP ends.
func ReadLogin(t testing.TB, p *Page) Login {
	t.Helper()
	var l Login
	if err := json.Unmarshal(p.Body, &l); err != nil {
		t.Fatalf("%s answered %d, and that is not what an SP shows after a login: %v\n%s", p.URL, p.Status, err, p.Text())
	}
	return l
}

// Logout is what a service provider understood of the answer to its
// LogoutRequest. Status is empty where the software tells only that all is well.
type Logout struct {
	LoggedOut bool     `json:"loggedOut"`
	Error     string   `json:"error"`
	Status    []string `json:"status"`
}

// ReadLogout reads the page at which a logout that an SP began ends.
func ReadLogout(t testing.TB, p *Page) Logout {
	t.Helper()
	var l Logout
	if err := json.Unmarshal(p.Body, &l); err != nil {
		t.Fatalf("%s answered %d, and that is not what an SP shows after a logout: %v\n%s", p.URL, p.Status, err, p.Text())
	}
	return l
}

// Knows tells whether the SP has a session for the person at the browser. The
// page that the browser shows stays.
func (sp *SP) Knows(t testing.TB, b *Browser) bool {
	t.Helper()
	shown, sent := b.page, b.Sent
	defer func() { b.page, b.Sent = shown, sent }()
	p := b.Get(sp.WhoURL)
	if p.Status != http.StatusOK {
		return false
	}
	return ReadLogin(t, p).NameID != ""
}

// End ends the software, as a crash does: its port answers nobody.
func (sp *SP) End() { sp.end() }

// StartSP starts a service provider.
type StartSP func(testing.TB, SPOptions) *SP

// SPKind is one row of the table of service providers.
type SPKind struct {
	Name    string
	Version string // that .ci/run installs, as the documentation tells it
	Start   StartSP

	// Whether the software is able to do these at all. What it is not able to
	// do, its Start refuses, so that no test believes to have tried it.
	ForceAuthn, IsPassive, NameIDFormat, RequestByPOST bool
	SignRequests, EncryptAssertions, AuthnContext      bool
	Unsolicited                                        bool // can be told to take a Response that it did not ask for
	WantResponseSigned                                 bool // can refuse a Response that is not itself signed
	Artifact                                           bool // resolves artifacts
	ECP                                                bool // serves clients that are no browsers (SAML ECP 2.0)
	Discovery                                          bool // asks a discovery service (Identity Provider Discovery Service Protocol)
	ECDSA                                              bool // verifies ECDSA with SHA-256 as XML Signature writes it
	OnlyCBC                                            bool // its metadata names no way of encrypting that authenticates

	AsyncLogout   bool      // can ask for a logout whose answer it does not want
	LogoutAsks    []Binding // by which it can send LogoutRequests
	LogoutAnswers []Binding // by which it takes the answers in the front channel
	LogoutTakes   []Binding // by which it takes LogoutRequests, whose signature it verifies itself
}

// SPs lists every service provider there is, for tests that treat them alike.
func SPs() []SPKind {
	front := []Binding{Redirect, POST}
	all := []Binding{Redirect, POST, SOAP}
	return []SPKind{
		{
			Name: "mod_auth_mellon", Version: "0.18.1 (lasso 2.8.1)", Start: Mellon, IsPassive: true, NameIDFormat: true, RequestByPOST: true, SignRequests: true,
			EncryptAssertions: true, AuthnContext: true, Unsolicited: true, Artifact: true, ECP: true, Discovery: true,
			LogoutAsks: []Binding{Redirect}, LogoutAnswers: []Binding{Redirect}, LogoutTakes: []Binding{Redirect, SOAP},
		},
		{
			Name: "pysaml2", Version: "7.0.1", Start: PySAML2, WantResponseSigned: true, ForceAuthn: true, IsPassive: true, NameIDFormat: true, RequestByPOST: true, SignRequests: true,
			EncryptAssertions: true, AuthnContext: true, Unsolicited: true, ECDSA: true, Artifact: true,
			LogoutAsks: all, LogoutAnswers: front, LogoutTakes: all,
		},
		{
			Name: "node-saml", Version: "5.1.0", Start: NodeSAML, WantResponseSigned: true, ForceAuthn: true, IsPassive: true, NameIDFormat: true, RequestByPOST: true, SignRequests: true,
			EncryptAssertions: true, AuthnContext: true, Unsolicited: true,
			LogoutAsks: []Binding{Redirect}, LogoutAnswers: front, LogoutTakes: front,
		},
		{
			Name: "samlify", Version: "2.13.1", Start: Samlify, WantResponseSigned: true, ForceAuthn: true, NameIDFormat: true, RequestByPOST: true, SignRequests: true,
			EncryptAssertions: true, Unsolicited: true,
			LogoutAsks: front, LogoutAnswers: front, LogoutTakes: front,
		},
		{
			Name: "crewjam", Version: "0.5.1", Start: Crewjam, ForceAuthn: true, NameIDFormat: true, RequestByPOST: true, SignRequests: true,
			EncryptAssertions: true, OnlyCBC: true, AuthnContext: true, Unsolicited: true, Artifact: true,
			LogoutAsks: []Binding{POST}, LogoutAnswers: []Binding{POST},
		},
		{
			Name: "gosaml2", Version: "0.12.0", Start: GoSAML2, WantResponseSigned: true, ForceAuthn: true, IsPassive: true, NameIDFormat: true, RequestByPOST: true, SignRequests: true,
			EncryptAssertions: true, AuthnContext: true, Unsolicited: true,
			LogoutAsks: front, LogoutAnswers: []Binding{POST}, LogoutTakes: []Binding{POST},
		},
		{
			Name: "SimpleSAMLphp", Version: "1.19.7", Start: SimpleSAMLphpSP, ForceAuthn: true, IsPassive: true, NameIDFormat: true, RequestByPOST: true,
			SignRequests: true, EncryptAssertions: true, AuthnContext: true, Unsolicited: true, Artifact: true,
			LogoutAsks: front, LogoutAnswers: front, LogoutTakes: front,
		},
		{
			Name: "Shibboleth", Version: "3.4.1", Start: Shibboleth, ForceAuthn: true, IsPassive: true, NameIDFormat: true, RequestByPOST: true,
			SignRequests: true, EncryptAssertions: true, AuthnContext: true, Unsolicited: true, Artifact: true, ECP: true, Discovery: true, ECDSA: true,
			AsyncLogout: true, LogoutAsks: all, LogoutAnswers: front, LogoutTakes: all,
		},
		{
			Name: "python3-saml", Version: "1.12.0", Start: OneLogin, WantResponseSigned: true, ForceAuthn: true, IsPassive: true, NameIDFormat: true, SignRequests: true,
			EncryptAssertions: true, AuthnContext: true, Unsolicited: true, ECDSA: true,
			LogoutAsks: []Binding{Redirect}, LogoutAnswers: []Binding{Redirect}, LogoutTakes: []Binding{Redirect},
		},
		{
			Name: "ruby-saml", Version: "1.13.0", Start: RubySAML, ForceAuthn: true, IsPassive: true, NameIDFormat: true, RequestByPOST: true, SignRequests: true,
			EncryptAssertions: true, AuthnContext: true, Unsolicited: true,
			LogoutAsks: []Binding{Redirect}, LogoutAnswers: []Binding{Redirect}, LogoutTakes: []Binding{Redirect},
		},
	}
}

// CanDo tells what of the options the software is not able to do, or "".
func (k SPKind) CanDo(o SPOptions) string {
	for _, ask := range []struct {
		what       string
		asked, can bool
	}{
		{"ForceAuthn", o.ForceAuthn, k.ForceAuthn},
		{"IsPassive", o.IsPassive, k.IsPassive},
		{"NameIDPolicy", o.NameIDFormat != "", k.NameIDFormat},
		{"requests by HTTP-POST", o.RequestByPOST, k.RequestByPOST},
		{"signed requests", o.SignRequests, k.SignRequests},
		{"encrypted assertions", o.EncryptAssertions, k.EncryptAssertions},
		{"RequestedAuthnContext", o.AuthnContext != "", k.AuthnContext},
		{"unsolicited Responses", o.Unsolicited, k.Unsolicited},
		{"HTTP-Artifact", o.Artifact, k.Artifact},
		{"ECP", o.ECP, k.ECP},
		{"discovery", o.Discovery != "", k.Discovery},
		{"refusing unsigned Responses", o.WantResponseSigned, k.WantResponseSigned},
		{"asynchronous logout", o.AsyncLogout, k.AsyncLogout},
		{"asking for logout by " + string(o.LogoutBy), o.LogoutBy != "", slices.Contains(k.LogoutAsks, o.LogoutBy)},
	} {
		if ask.asked && !ask.can {
			return ask.what
		}
	}
	return ""
}
