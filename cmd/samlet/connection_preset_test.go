package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/samlet-id/samlet/broker"
	"github.com/samlet-id/samlet/identity"
)

// TestUnsignedResponses holds the default against IIP-SP13: whoever wants a
// signed assertion to be enough has to say so, by the key or by a preset.
func TestUnsignedResponses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, yaml string
		want       bool
	}{
		{"nothing said", "", false},
		{"the generic preset", "preset: generic, ", false},
		{"allowed by the key", "require: {signed_response: false}, ", true},
		{"demanded by the key", "require: {signed_response: true}, ", false},
		{"allowed by preset auth0", "preset: auth0, ", true},
		{"allowed by preset entra", "preset: entra, ", true},
		{"allowed by preset adfs", "preset: adfs, ", true},
		{"demanded by preset okta", "preset: okta, ", false},
		{"demanded by preset keycloak", "preset: keycloak, ", false},
		{"allowed by preset google", "preset: google, ", true},
		{"a preset, and the key above it", "preset: google, require: {signed_response: true}, ", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c, _, err := readConfig(write(t, minimal+"connections: [{id: a, type: saml, "+tt.yaml+"metadata: {file: a.xml}}]\n"))
			if err != nil {
				t.Fatal(err)
			}
			if got := c.Connections[0].allowsUnsignedResponse(); got != tt.want {
				t.Errorf("got %t, want %t", got, tt.want)
			}
		})
	}
}

// TestPresetsKnowTheirNames holds what each vendor's attributes become without a map,
// under the names of its own documentation, and that a map is a map.
func TestPresetsKnowTheirNames(t *testing.T) {
	t.Parallel()
	const claims = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/"
	cat, err := identity.NewCatalogue(nil)
	if err != nil {
		t.Fatal(err)
	}
	all := func(mail, given, family, groups, username string) identity.Attributes {
		return identity.Attributes{"mail": {mail}, "given_name": {given}, "family_name": {family}, "groups": {groups}, "username": {username}}
	}
	for preset, said := range map[string]identity.Attributes{
		"entra": {
			claims + "emailaddress": {"m"}, claims + "givenname": {"g"}, claims + "surname": {"f"}, claims + "name": {"u"},
			"http://schemas.microsoft.com/ws/2008/06/identity/claims/groups": {"r"},
		},
		"adfs":     {claims + "emailaddress": {"m"}, claims + "givenname": {"g"}, claims + "surname": {"f"}, claims + "upn": {"u"}, "http://schemas.xmlsoap.org/claims/Group": {"r"}},
		"okta":     {"email": {"m"}, "firstName": {"g"}, "lastName": {"f"}, "login": {"u"}, "groups": {"r"}},
		"keycloak": {"urn:oid:1.2.840.113549.1.9.1": {"m"}, "urn:oid:2.5.4.42": {"g"}, "urn:oid:2.5.4.4": {"f"}, "username": {"u"}, "member": {"r"}},
		"google":   {"primaryEmail": {"m"}, "firstName": {"g"}, "lastName": {"f"}, "groups": {"r"}, "uid": {"u"}},
	} {
		c := ConnectionConfig{Type: "saml", Preset: preset}
		rules := c.rules(cat)
		if rules == nil {
			rules = broker.DefaultRules(cat)
		}
		m, err := broker.NewMapping(rules, cat)
		if err != nil {
			t.Fatal(err)
		}
		got, err := m.Apply("a", identity.Assertion{Attributes: said})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(all("m", "g", "f", "r", "u"), got.Attributes); diff != "" {
			t.Errorf("%s (-want +got):\n%s", preset, diff)
		}
	}
	if got := (ConnectionConfig{Type: "saml", Preset: "okta", Map: []MapConfig{{To: "mail"}}}).rules(cat); got != nil {
		t.Errorf("a connection with a map of its own got %v", got)
	}
}

// TestPresetsHaveGuides holds presets and guides together.
func TestPresetsHaveGuides(t *testing.T) {
	t.Parallel()
	guides := map[string]bool{}
	check := func(preset, guide string) {
		guides[guide] = true
		text, err := os.ReadFile(filepath.Join("..", "..", "docs", "partners", guide))
		if err != nil {
			t.Error(err)
			return
		}
		if preset != "generic" && !strings.Contains(string(text), "preset: "+preset+"\n") {
			t.Errorf("%s shows no connection of preset %s", guide, preset)
		}
	}
	for preset, p := range samlPresets() {
		check(preset, p.guide)
	}
	for preset := range vendorIssuers() {
		if preset != "generic" {
			check(preset, preset+".md")
		}
	}
	files, err := filepath.Glob(filepath.Join("..", "..", "docs", "partners", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !guides[filepath.Base(f)] {
			t.Errorf("%s is of no preset", f)
		}
	}
}
