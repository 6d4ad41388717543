package peer

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"io"
	"net/http"
	"testing"

	"github.com/crewjam/saml"
	"github.com/crewjam/saml/samlsp"
)

// SPOptions say what a service provider asks of its identity provider. The zero
// value is: unsigned request by HTTP-Redirect, no NameIDPolicy of its own,
// a signed assertion, no encryption.
type SPOptions struct {
	IdPMetadata        []byte // of the one identity provider that it trusts
	SignRequests       bool
	RequestByPOST      bool
	PlainPOST          bool   // node-saml deflates what it posts unless told so; others never do
	NameIDFormat       string // requested in NameIDPolicy and named in the metadata
	NoCreate           bool   // says AllowCreate="false", as pysaml2 and samlify do on their own
	ForceAuthn         bool
	IsPassive          bool
	EncryptAssertions  bool // publishes an encryption key
	WantResponseSigned bool // refuses a Response that is not itself signed, where the software can
}

// SP is a running service provider.
type SP struct {
	Name     string // of the software
	EntityID string
	URL      string // base address
	LoginURL string // starts a login and ends at a page that Login reads
	Metadata []byte // as the software itself publishes it
	ACS      string
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

// StartSP starts a service provider.
type StartSP func(testing.TB, SPOptions) *SP

// SPKind is one row of the table of service providers.
type SPKind struct {
	Name  string
	Start StartSP

	// Whether the software is able to do these at all. What it is not able to
	// do, its Start refuses, so that no test believes to have tried it.
	ForceAuthn, IsPassive, NameIDFormat bool
}

// SPs lists every service provider there is, for tests that treat them alike.
func SPs() []SPKind {
	return []SPKind{
		{Name: "mod_auth_mellon", Start: Mellon, IsPassive: true, NameIDFormat: true},
		{Name: "pysaml2", Start: PySAML2, ForceAuthn: true, IsPassive: true, NameIDFormat: true},
		{Name: "node-saml", Start: NodeSAML, ForceAuthn: true, IsPassive: true, NameIDFormat: true},
		{Name: "samlify", Start: Samlify, ForceAuthn: true, NameIDFormat: true},
		{Name: "crewjam", Start: Crewjam, ForceAuthn: true, NameIDFormat: true},
		{Name: "gosaml2", Start: GoSAML2, ForceAuthn: true, IsPassive: true, NameIDFormat: true},
	}
}

// refuse fails the test when it asks a software for what that cannot do.
func refuse(t testing.TB, name, what string, asked bool) {
	t.Helper()
	if asked {
		t.Fatalf("%s cannot do %s; see SPKind", name, what)
	}
}

// fetch reads a document that a peer publishes.
func fetch(t testing.TB, url string) []byte {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("reading %s: %v", url, err)
	}
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %s\n%s", url, resp.Status, b)
	}
	return b
}

// idpFacts are what software that reads no metadata is configured with.
type idpFacts struct {
	EntityID string   `json:"entityID"`
	Redirect string   `json:"redirect"`
	POST     string   `json:"post"`
	Certs    []string `json:"certs"` // base64 of DER, without armour
}

func readIdP(t testing.TB, metadata []byte) idpFacts {
	t.Helper()
	ed, err := samlsp.ParseMetadata(metadata)
	if err != nil {
		t.Fatalf("reading the identity provider's metadata: %v", err)
	}
	f := idpFacts{EntityID: ed.EntityID}
	for _, role := range ed.IDPSSODescriptors {
		for _, s := range role.SingleSignOnServices {
			switch s.Binding {
			case saml.HTTPRedirectBinding:
				f.Redirect = s.Location
			case saml.HTTPPostBinding:
				f.POST = s.Location
			}
		}
		for _, k := range role.KeyDescriptors {
			if k.Use == "encryption" {
				continue
			}
			for _, c := range k.KeyInfo.X509Data.X509Certificates {
				f.Certs = append(f.Certs, string(bytes.Join(bytes.Fields([]byte(c.Data)), nil)))
			}
		}
	}
	return f
}

// onlyPOST leaves the HTTP-POST endpoint for requests alone in a copy of an
// identity provider's metadata. Software that chooses the binding by itself is
// made to use POST that way. The copy is unsigned; none of them looks.
func onlyPOST(t testing.TB, metadata []byte) []byte {
	t.Helper()
	ed, err := samlsp.ParseMetadata(metadata)
	if err != nil {
		t.Fatalf("reading the identity provider's metadata: %v", err)
	}
	for i := range ed.IDPSSODescriptors {
		role := &ed.IDPSSODescriptors[i]
		var posts []saml.Endpoint
		for _, s := range role.SingleSignOnServices {
			if s.Binding == saml.HTTPPostBinding {
				posts = append(posts, s)
			}
		}
		if len(posts) == 0 {
			t.Fatal("the identity provider's metadata has no SingleSignOnService for HTTP-POST")
		}
		role.SingleSignOnServices = posts
	}
	out, err := xml.Marshal(ed)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
