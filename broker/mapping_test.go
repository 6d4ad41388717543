package broker_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

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
		{"a constant", []identity.MapRule{{To: "groups", Constant: []string{"partner"}}}, identity.Attributes{"groups": {"admins"}}, identity.Attributes{"groups": {"partner"}}},
		{"a constant when nothing came", []identity.MapRule{{To: "locale", From: []string{"lang"}, Constant: []string{"en"}}}, identity.Attributes{}, identity.Attributes{"locale": {"en"}}},
		{"no constant when something came", []identity.MapRule{{To: "locale", From: []string{"lang"}, Constant: []string{"en"}}}, identity.Attributes{"lang": {"de"}}, identity.Attributes{"locale": {"de"}}},
		{"empty and repeated values are dropped", nil, identity.Attributes{"memberOf": {"b", "", "a", "b"}}, identity.Attributes{"groups": {"b", "a"}}},
		{"a part of a value", []identity.MapRule{{To: "groups", From: []string{"memberOf"}, Match: "(?i)cn=([^,]+),.*", Replace: "$1"}},
			identity.Attributes{"memberOf": {"CN=Staff,DC=acme", "ou=x", "cn=Admins,dc=acme"}}, identity.Attributes{"groups": {"Staff", "Admins"}}},
		{"a pattern is of the whole value", []identity.MapRule{{To: "mail", From: []string{"m"}, Match: "[a-z]+@acme[.]test"}},
			identity.Attributes{"m": {"ada@acme.test.evil.test", "eve@evil.test ada@acme.test", "ada@acme.test"}}, identity.Attributes{"mail": {"ada@acme.test"}}},
		{"alternatives do not escape it", []identity.MapRule{{To: "groups", From: []string{"g"}, Match: "a|b"}}, identity.Attributes{"g": {"ax", "xb", "a"}}, identity.Attributes{"groups": {"a"}}},
		{"translated, the others dropped", []identity.MapRule{{To: "groups", From: []string{"g"}, Translate: []identity.Translation{{From: "8a1c", To: "staff"}, {From: "9b2d", To: "staff"}}}},
			identity.Attributes{"g": {"8a1c", "9b2d", "8A1C", "other"}}, identity.Attributes{"groups": {"staff"}}},
		{"translated, the others kept", []identity.MapRule{{To: "groups", From: []string{"g"}, KeepOthers: true, Translate: []identity.Translation{{From: "8a1c", To: "staff"}}}},
			identity.Attributes{"g": {"8a1c", "other", "staff"}}, identity.Attributes{"groups": {"staff", "other"}}},
		{"filtered", []identity.MapRule{{To: "groups", From: []string{"g"}, Only: []string{"acme-*", "all"}}},
			identity.Attributes{"g": {"acme-a", "evil", "all", "xacme-b"}}, identity.Attributes{"groups": {"acme-a", "all"}}},
		{"matched, then translated, then filtered", []identity.MapRule{{To: "groups", From: []string{"g"}, Match: "x:(.*)", Replace: "$1", Translate: []identity.Translation{{From: "1", To: "a1"}, {From: "2", To: "b2"}}, Only: []string{"a*"}}},
			identity.Attributes{"g": {"x:1", "x:2", "1"}}, identity.Attributes{"groups": {"a1"}}},
		{"the first with a value that passes", []identity.MapRule{{To: "mail", From: []string{"a", "b"}, Only: []string{"*@acme.test"}}},
			identity.Attributes{"a": {"x@evil.test"}, "b": {"x@acme.test"}}, identity.Attributes{"mail": {"x@acme.test"}}},
		{"a constant where nothing passes", []identity.MapRule{{To: "locale", From: []string{"l"}, Only: []string{"de"}, Constant: []string{"en"}}},
			identity.Attributes{"l": {"fr"}}, identity.Attributes{"locale": {"en"}}},
		{"what is required and there", []identity.MapRule{{To: "mail", From: []string{"m"}, Required: true}}, identity.Attributes{"m": {"a@b.test"}}, identity.Attributes{"mail": {"a@b.test"}}},
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
			got, err := m.Apply("partner", identity.Assertion{Attributes: tt.said})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got.Attributes); diff != "" {
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
	got, err := m.Apply("partner", said)
	if err != nil {
		t.Fatal(err)
	}
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
		{"no origin", []identity.MapRule{{To: "mail"}}, `"mail": give an upstream name, an expression or a constant`},
		{"an empty name", []identity.MapRule{{To: "mail", From: []string{""}}}, "an upstream name is empty"},
		{"replace without match", []identity.MapRule{{To: "mail", From: []string{"m"}, Replace: "x"}}, "replace needs match"},
		{"no pattern", []identity.MapRule{{To: "mail", From: []string{"m"}, Match: "("}}, "missing closing"},
		{"a pattern that would leave its frame", []identity.MapRule{{To: "mail", From: []string{"m"}, Match: "a)|(b"}}, "unexpected )"},
		{"no glob", []identity.MapRule{{To: "mail", From: []string{"m"}, Only: []string{"["}}}, "only:"},
		{"one value to two", []identity.MapRule{{To: "mail", From: []string{"m"}, Translate: []identity.Translation{{From: "a", To: "b"}, {From: "a", To: "c"}}}}, `each value once, from and to, got "a"`},
		{"a value to nothing", []identity.MapRule{{To: "mail", From: []string{"m"}, Translate: []identity.Translation{{From: "a"}}}}, `got "a"`},
		{"others of nothing", []identity.MapRule{{To: "mail", From: []string{"m"}, KeepOthers: true}}, "keep_others needs translate"},
		{"a constant that is required", []identity.MapRule{{To: "mail", Constant: []string{"a"}, Required: true}}, "leave required out"},
		{"a filtered constant", []identity.MapRule{{To: "mail", Constant: []string{"a"}, Only: []string{"b"}}}, "filters are for what the upstream says"},
		{"an empty constant", []identity.MapRule{{To: "mail", Constant: []string{""}}}, "a constant is empty"},
		{"two rules for one attribute", []identity.MapRule{{To: "mail", Constant: []string{"a"}}, {To: "mail", Constant: []string{"b"}}}, "more than one rule"},
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

// upper is a Derivation as a compiler of expressions makes them.
var upper = identity.Derivation{Names: []identity.Name{"x"}, Compute: func(via identity.ConnectionID, a identity.Assertion) ([]string, error) {
	if a.Attributes.First("x") == "broken" {
		return nil, errors.New("cannot be computed")
	}
	return []string{string(via) + "-" + strings.ToUpper(a.Attributes.First("x"))}, nil
}}

func TestMappingComputes(t *testing.T) {
	t.Parallel()
	m, err := broker.NewMapping([]identity.MapRule{
		{To: "groups", From: []string{"g"}, Value: upper, Only: []string{"*-A"}, Constant: []string{"nobody", "else"}},
	}, catalogue(t))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		said identity.Attributes
		want []string
		step broker.Step
	}{
		"what was sent comes first": {identity.Attributes{"g": {"b-A"}, "x": {"a"}}, []string{"b-A"}, broker.Step{From: "g", Origin: broker.OriginFrom}},
		"else what is computed":     {identity.Attributes{"x": {"a"}}, []string{"partner-A"}, broker.Step{Origin: broker.OriginValue}},
		"if it passes": {identity.Attributes{"g": {"no"}, "x": {"b"}}, []string{"nobody", "else"},
			broker.Step{Origin: broker.OriginConstant, Dropped: []broker.Drop{{From: "g", Value: "no", By: "only"}, {Value: "partner-B", By: "only"}}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			said := identity.Assertion{Attributes: c.said}
			got, err := m.Apply("partner", said)
			if diff := cmp.Diff(c.want, got.Attributes["groups"]); err != nil || diff != "" {
				t.Errorf("got error %v, values (-want +got):\n%s", err, diff)
			}
			c.step.To, c.step.Values = "groups", c.want
			if diff := cmp.Diff([]broker.Step{c.step}, m.Explain("partner", said), cmpopts.IgnoreUnexported(broker.Step{})); diff != "" {
				t.Errorf("steps (-want +got):\n%s", diff)
			}
			if dropped := m.Dropped(said); len(dropped) > 0 {
				t.Errorf("dropped %v, which the rule looks at", dropped)
			}
		})
	}
}

// TestMappingRefusesWhatCannotBeComputed: half a mapping could take a role away,
// or give one by leaving an exception out.
func TestMappingRefusesWhatCannotBeComputed(t *testing.T) {
	t.Parallel()
	m, err := broker.NewMapping([]identity.MapRule{{To: "mail", From: []string{"m"}}, {To: "groups", Value: upper, Constant: []string{"all"}}}, catalogue(t))
	if err != nil {
		t.Fatal(err)
	}
	said := identity.Assertion{Attributes: identity.Attributes{"m": {"a@b.test"}, "x": {"broken"}}}
	_, err = m.Apply("partner", said)
	if e := identity.AsError(err); e == nil || e.Code != "up.mapping" || e.Kind != identity.KindInvalid || e.Who != identity.WhoOperator || strings.Contains(e.Seen, "broken") {
		t.Errorf("got %v", err)
	}
	steps := m.Explain("partner", said)
	if len(steps) != 2 || steps[0].Refused != nil || identity.CodeOf(steps[1].Refused) != "up.mapping" {
		t.Errorf("got steps %+v", steps)
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
		mapped, err := m.Apply("partner", identity.Assertion{Attributes: said})
		if err != nil {
			t.Fatal(err)
		}
		for n, values := range mapped.Attributes {
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

// TestMappingWantsWhatIsRequired refuses a login that lacks an attribute, and tells
// the partner which names came and which would do; no value is in the error.
func TestMappingWantsWhatIsRequired(t *testing.T) {
	t.Parallel()
	m, err := broker.NewMapping([]identity.MapRule{{To: "mail", From: []string{"email", "upn"}, Only: []string{"*@acme.test"}, Required: true}}, catalogue(t))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		said identity.Attributes
		seen string
	}{
		"nothing came":         {nil, "no attributes at all"},
		"others came":          {identity.Attributes{"uid": {"ada"}, "sn": {"Lovelace"}}, "sn uid"},
		"what came is dropped": {identity.Attributes{"email": {"ada@evil.test"}}, "email"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := m.Apply("partner", identity.Assertion{Attributes: c.said})
			e := identity.AsError(err)
			if e == nil || e.Code != "up.missing_attribute" || e.Kind != identity.KindInvalid || e.Who != identity.WhoPartner || got.Attributes != nil {
				t.Fatalf("got %v, %v", got, err)
			}
			if e.Seen != c.seen || e.Expected != "a value for mail, from email or upn" {
				t.Errorf("seen %q, expected %q; want seen %q", e.Seen, e.Expected, c.seen)
			}
		})
	}
}

// BenchmarkMapping is one login through twenty rules.
func BenchmarkMapping(b *testing.B) {
	rows := make([]identity.Attribute, 20)
	rules := make([]identity.MapRule, len(rows))
	said := identity.Attributes{}
	for i := range rows {
		name := fmt.Sprintf("a%d", i)
		rows[i] = identity.Attribute{Name: identity.Name(name)}
		rules[i] = identity.MapRule{To: identity.Name(name), From: []string{"x", "urn:" + name}, Match: "(.*)@acme.test", Replace: "$1", Only: []string{"u*"}}
		said[identity.Name("urn:"+name)] = []string{"user@acme.test", "user@evil.test"}
	}
	m, err := broker.NewMapping(rules, catalogue(b, rows...))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if got, err := m.Apply("partner", identity.Assertion{Attributes: said}); err != nil || len(got.Attributes) != 20 {
			b.Fatal(got, err)
		}
	}
}
