package broker_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/samlet-id/samlet/broker"
	"github.com/samlet-id/samlet/identity"
)

const (
	oidMail     = "urn:oid:0.9.2342.19200300.100.1.3"
	claimMail   = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress"
	claimName   = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name"
	claimGroups = "http://schemas.microsoft.com/ws/2008/06/identity/claims/groups"
)

func catalogue(t testing.TB, rows ...identity.Attribute) *identity.Catalogue {
	t.Helper()
	c, err := identity.NewCatalogue(rows)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestMappingApply(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		rules []identity.MapRule
		said  identity.Attributes
		want  identity.Attributes
	}{
		{"by default the SAML name", nil, identity.Attributes{oidMail: {"ada@example.test"}}, identity.Attributes{"mail": {"ada@example.test"}}},
		{"by default the claim URIs of Entra ID and AD FS", nil,
			identity.Attributes{claimMail: {"ada@example.test"}, claimGroups: {"g1", "g2"}},
			identity.Attributes{"mail": {"ada@example.test"}, "groups": {"g1", "g2"}}},
		{"by default bare LDAP and OIDC names", nil,
			identity.Attributes{"givenName": {"Ada"}, "family_name": {"Lovelace"}, "uid": {"ada"}},
			identity.Attributes{"given_name": {"Ada"}, "family_name": {"Lovelace"}, "username": {"ada"}}},
		{"the SAML name wins over a bare one", nil,
			identity.Attributes{"mail": {"bare@example.test"}, oidMail: {"ada@example.test"}},
			identity.Attributes{"mail": {"ada@example.test"}}},
		{"the claim .../name is left alone", nil, identity.Attributes{claimName: {"ada"}}, identity.Attributes{}},
		{"names are matched by case", nil, identity.Attributes{"MAIL": {"x@example.test"}, "GIVENNAME": {"Ada"}}, identity.Attributes{}},
		{"undeclared attributes are dropped", nil, identity.Attributes{"shoeSize": {"38"}, oidMail: {"ada@example.test"}}, identity.Attributes{"mail": {"ada@example.test"}}},
		{"rules replace the default", []identity.MapRule{{To: "mail", From: []string{"email"}}},
			identity.Attributes{oidMail: {"no@example.test"}, "email": {"ada@example.test"}, "uid": {"ada"}},
			identity.Attributes{"mail": {"ada@example.test"}}},
		{"the first of several with a value", []identity.MapRule{{To: "mail", From: []string{"primary", "email", "mail"}}},
			identity.Attributes{"primary": {""}, "email": {"ada@example.test"}, "mail": {"later@example.test"}},
			identity.Attributes{"mail": {"ada@example.test"}}},
		{"a constant", []identity.MapRule{{To: "groups", Value: "partner"}}, identity.Attributes{"groups": {"admins"}}, identity.Attributes{"groups": {"partner"}}},
		{"a constant when nothing came", []identity.MapRule{{To: "locale", From: []string{"lang"}, Value: "en"}}, identity.Attributes{}, identity.Attributes{"locale": {"en"}}},
		{"no constant when something came", []identity.MapRule{{To: "locale", From: []string{"lang"}, Value: "en"}}, identity.Attributes{"lang": {"de"}}, identity.Attributes{"locale": {"de"}}},
		{"empty and repeated values are dropped", nil, identity.Attributes{"memberOf": {"b", "", "a", "b"}}, identity.Attributes{"groups": {"b", "a"}}},
		{"one name to two attributes", []identity.MapRule{{To: "mail", From: []string{"upn"}}, {To: "username", From: []string{"upn"}}},
			identity.Attributes{"upn": {"ada@example.test"}}, identity.Attributes{"mail": {"ada@example.test"}, "username": {"ada@example.test"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m, err := broker.NewMapping(tt.rules, catalogue(t))
			if err != nil {
				t.Fatal(err)
			}
			before := tt.said.Clone()
			got := m.Apply(identity.Assertion{Attributes: tt.said}).Attributes
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("attributes (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(before, tt.said); diff != "" {
				t.Errorf("the input was changed (-before +after):\n%s", diff)
			}
		})
	}
}

func TestMappingTouchesAttributesAlone(t *testing.T) {
	t.Parallel()
	m, err := broker.NewMapping(nil, catalogue(t))
	if err != nil {
		t.Fatal(err)
	}
	said := upstreamAssertion("ada")
	got := m.Apply(said)
	got.Attributes = said.Attributes
	if diff := cmp.Diff(said, got); diff != "" {
		t.Errorf("(-said +mapped):\n%s", diff)
	}
}

func TestMappingDefaultsNeverMatchFriendlyNames(t *testing.T) {
	t.Parallel()
	cat := catalogue(t, identity.Attribute{Name: "badge", SAMLName: "urn:example:badge", FriendlyName: "badgeNumber"})
	for _, r := range broker.DefaultRules(cat) {
		if r.To == "badge" && !cmp.Equal(r.From, []string{"urn:example:badge"}) {
			t.Errorf("badge is filled from %q", r.From)
		}
	}
}

func TestNewMappingRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		rules []identity.MapRule
		want  string
	}{
		{"an undeclared attribute", []identity.MapRule{{To: "shoe_size", From: []string{"x"}}}, `"shoe_size": no such attribute`},
		{"no origin", []identity.MapRule{{To: "mail"}}, `"mail": give an upstream name or a constant`},
		{"an empty name", []identity.MapRule{{To: "mail", From: []string{""}}}, "an upstream name is empty"},
		{"two rules for one attribute", []identity.MapRule{{To: "mail", Value: "a"}, {To: "mail", Value: "b"}}, "more than one rule"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := broker.NewMapping(tt.rules, catalogue(t))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
		})
	}
}

// FuzzMapping holds that whatever an upstream sends, only declared names come
// out, with values that it sent.
func FuzzMapping(f *testing.F) {
	f.Add("mail", "ada@example.test", "x", "y")
	f.Add(oidMail, "", "mail", "b")
	cat := catalogue(f)
	m, err := broker.NewMapping(nil, cat)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, n1, v1, n2, v2 string) {
		said := identity.Attributes{identity.Name(n1): {v1}, identity.Name(n2): {v2, v1}}
		for n, values := range m.Apply(identity.Assertion{Attributes: said}).Attributes {
			if _, ok := cat.Lookup(n); !ok {
				t.Errorf("undeclared %q came out", n)
			}
			for _, v := range values {
				if v == "" || v != v1 && v != v2 {
					t.Errorf("value %q of %q was not sent", v, n)
				}
			}
		}
	})
}

// upstreamAssertion is what a partner's IdP says of a person.
func upstreamAssertion(subject string) identity.Assertion {
	return identity.Assertion{
		Principal: identity.Principal{Issuer: partner, Subject: subject, Format: identity.FormatPersistent},
		Context: identity.AuthnContext{
			Class: identity.ClassPasswordProtectedTransport, Instant: noon.Add(-time.Minute),
			Authorities: []identity.EntityID{"https://behind.example.test"},
		},
		Attributes: identity.Attributes{oidMail: {"ada@example.test"}, "shoeSize": {"38"}},
		Session:    "_their-session",
		NotAfter:   noon.Add(8 * time.Hour),
	}
}
