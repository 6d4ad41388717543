package main

import (
	"context"
	"encoding/xml"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/samlet-id/samlet/certs"
)

// TestOwnMetadata reads with the standard library's decoder what samlet tells of itself,
// and knocks at every address in it: nothing is advertised that is not served.
func TestOwnMetadata(t *testing.T) {
	t.Parallel()
	path, err := initialise(t.Context(), filepath.Join(t.TempDir(), "samlet"), "http://127.0.0.1:8080")
	if err != nil {
		t.Fatal(err)
	}
	const settings = "idp:\n  scope: Example.Test\n  metadata: {contact_email: sso@example.test, error_url: \"https://help.example.test/e\", logo: \"https://help.example.test/l.png\", privacy_url: \"https://help.example.test/p\"}\n"
	text := strings.Replace(readAll(t, path), "idp:\n", settings, 1)
	const local = "  - {id: local, type: local, name: Password}\n"
	if err := makeKey(filepath.Dir(path), certs.Signing, "idp", "idp.example.test"); err != nil {
		t.Fatal(err)
	}
	text = strings.Replace(text, local, local+strings.NewReplacer("    require: {weak_algorithms: [WEAK]}\n", "", "IDP", filepath.Join("certs", "idp")).Replace(weakConnection), 1)
	writeFile(t, path, text)
	s := openAt(t, path, io.Discard)

	type entity struct {
		IDP      *role `xml:"IDPSSODescriptor"`
		SP       *role `xml:"SPSSODescriptor"`
		Contacts []struct {
			Type string `xml:"contactType,attr"`
			Mail string `xml:"EmailAddress"`
		} `xml:"ContactPerson"`
	}
	read := func(at string) entity {
		t.Helper()
		var e entity
		if err := xml.Unmarshal(answerTo(t, s, http.MethodGet, at).Body.Bytes(), &e); err != nil {
			t.Fatalf("%s: %v", at, err)
		}
		if len(e.Contacts) != 1 || e.Contacts[0].Type != "technical" || e.Contacts[0].Mail != "mailto:sso@example.test" {
			t.Errorf("%s: contacts: %+v", at, e.Contacts)
		}
		return e
	}
	own := read("/saml/metadata").IDP
	want := role{
		ErrorURL: "https://help.example.test/e", Scopes: []string{"example.test"}, Name: "samlet", Logo: "https://help.example.test/l.png", Privacy: "https://help.example.test/p",
	}
	if diff := cmp.Diff(want, own.told()); diff != "" {
		t.Errorf("as an identity provider (-want +got):\n%s", diff)
	}
	if len(own.SSO) < 2 || len(own.SLO) < 2 || own.uses("signing") != 1 {
		t.Errorf("as an identity provider: %d SSO, %d SLO, %d keys", len(own.SSO), len(own.SLO), own.uses("signing"))
	}
	partner := read("/saml/sp/fed/metadata").SP
	if diff := cmp.Diff(role{Name: "samlet", Privacy: "https://help.example.test/p"}, partner.told()); diff != "" {
		t.Errorf("as a service provider (-want +got):\n%s", diff)
	}
	if len(partner.ACS) == 0 || len(partner.SLO) == 0 || partner.uses("encryption") != 1 {
		t.Errorf("as a service provider: %d ACS, %d SLO, %d keys", len(partner.ACS), len(partner.SLO), partner.uses("encryption"))
	}
	for _, r := range []*role{own, partner} {
		for _, e := range r.endpoints() {
			u, err := url.Parse(e.Location)
			if err != nil {
				t.Fatal(err)
			}
			method := http.MethodPost
			if strings.HasSuffix(e.Binding, "HTTP-Redirect") {
				method = http.MethodGet
			}
			if rec := answerTo(t, s, method, u.Path); rec.Code == http.StatusNotFound || rec.Code == http.StatusMethodNotAllowed {
				t.Errorf("%s by %s is advertised, and answers %s with %d", e.Location, e.Binding, method, rec.Code)
			}
		}
	}
}

// role is what matters of a role descriptor.
type role struct {
	ErrorURL string   `xml:"errorURL,attr"`
	Scopes   []string `xml:"Extensions>Scope"`
	Name     string   `xml:"Extensions>UIInfo>DisplayName"`
	Logo     string   `xml:"Extensions>UIInfo>Logo"`
	Privacy  string   `xml:"Extensions>UIInfo>PrivacyStatementURL"`
	Keys     []struct {
		Use string `xml:"use,attr"`
	} `xml:"KeyDescriptor"`
	SSO       []advertised `xml:"SingleSignOnService"`
	SLO       []advertised `xml:"SingleLogoutService"`
	Artifacts []advertised `xml:"ArtifactResolutionService"`
	ACS       []advertised `xml:"AssertionConsumerService"`
}

type advertised struct {
	Binding  string `xml:",attr"`
	Location string `xml:",attr"`
}

// told is r without keys and endpoints.
func (r *role) told() role {
	return role{ErrorURL: r.ErrorURL, Scopes: r.Scopes, Name: r.Name, Logo: r.Logo, Privacy: r.Privacy}
}

func (r *role) endpoints() []advertised {
	return append(append(append(r.SSO, r.SLO...), r.Artifacts...), r.ACS...)
}

func (r *role) uses(use string) (n int) {
	for _, k := range r.Keys {
		if k.Use == use {
			n++
		}
	}
	return n
}

func answerTo(t *testing.T, s *server, method, path string) *httptest.ResponseRecorder {
	t.Helper()
	rec := httptest.NewRecorder()
	s.ServeHTTP(rec, httptest.NewRequestWithContext(context.WithoutCancel(t.Context()), method, "http://127.0.0.1:8080"+path, http.NoBody))
	return rec
}
