package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/samlet-id/samlet/broker"
	"github.com/samlet-id/samlet/identity"
)

// TrustConfig says which context classes an upstream is asked for, and which are
// believed.
type TrustConfig struct {
	Request string             `yaml:"request"` // none, demanded
	Require stringList         `yaml:"require"` // classes of the upstream
	Trust   []ClassTrustConfig `yaml:"trust"`
}

// ClassTrustConfig is what one class of an upstream is worth here.
type ClassTrustConfig struct {
	From string `yaml:"from"`
	To   string `yaml:"to"`
}

// trust returns the table as the broker reads it.
func (c TrustConfig) trust() []identity.ClassTrust {
	var table []identity.ClassTrust
	for _, t := range c.Trust {
		table = append(table, identity.ClassTrust{From: identity.ClassRef(t.From), To: identity.ClassRef(t.To)})
	}
	return table
}

// required returns the classes of which every sign-in has to have one.
func (c TrustConfig) required() []identity.ClassRef {
	var classes []identity.ClassRef
	for _, class := range c.Require {
		classes = append(classes, identity.ClassRef(class))
	}
	return classes
}

// checkTrust judges the authn_context of the connection at.
func (d *decoder) checkTrust(at string, c TrustConfig) {
	d.oneOf(at+".authn_context.request", c.Request, "", "none", "demanded")
	if c.Request == "demanded" && len(c.Trust) == 0 {
		d.faultAt(at+".authn_context.request", "what applications demand is translated by trust: list there what the classes of this upstream are worth")
	}
	for i, class := range c.Require {
		if strings.TrimSpace(class) == "" || strings.ContainsAny(class, " \t\r\n") {
			d.faultAt(fmt.Sprintf("%s.authn_context.require[%d]", at, i), "want a context class, as the upstream says it, got %q", class)
		}
	}
	for i, t := range c.Trust {
		if t.From == "" || t.To == "" || strings.ContainsAny(t.From, " \t\r\n") {
			d.faultAt(fmt.Sprintf("%s.authn_context.trust[%d]", at, i), "a rule needs from, the class of the upstream, and to, the class that it is worth here")
		}
	}
}

// samlPreset is what a vendor's SAML identity provider does unless it is told otherwise.
type samlPreset struct {
	guide         string                     // below docs/partners
	assertionOnly bool                       // it signs the assertion, and not the Response
	names         map[identity.Name][]string // its names of attributes, before those that everybody's are looked for under
}

// samlPresets are the presets of type saml.
func samlPresets() map[string]samlPreset {
	const claims = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/"
	return map[string]samlPreset{
		"generic": {guide: "generic.md"},
		"adfs":    {guide: "adfs.md", assertionOnly: true},
		"auth0":   {guide: "auth0.md", assertionOnly: true, names: map[identity.Name][]string{identity.DisplayName: {claims + "name"}}},
		"entra":   {guide: "entra.md", assertionOnly: true, names: map[identity.Name][]string{identity.Username: {claims + "name"}}},
		"google": {guide: "google-workspace.md", assertionOnly: true, names: map[identity.Name][]string{
			identity.GivenName: {"firstName", "first_name"}, identity.FamilyName: {"lastName", "last_name"}, identity.Mail: {"primaryEmail"},
		}},
		"keycloak": {guide: "keycloak.md", names: map[identity.Name][]string{
			identity.Mail: {"urn:oid:1.2.840.113549.1.9.1"}, identity.Groups: {"member"}, identity.Username: {"username"},
		}},
		"okta": {guide: "okta.md", names: map[identity.Name][]string{
			identity.GivenName: {"firstName"}, identity.FamilyName: {"lastName"}, identity.Username: {"login"},
		}},
	}
}

// rules returns the mapping of a connection that has none of its own: that of
// everybody, but for the vendor's names, which come first. It is nil where there are
// none.
func (c ConnectionConfig) rules(cat *identity.Catalogue) []identity.MapRule {
	names := samlPresets()[c.Preset].names
	if c.Type != "saml" || len(c.Map) > 0 || len(names) == 0 {
		return nil
	}
	rules := broker.DefaultRules(cat)
	for i, r := range rules {
		rules[i].From = slices.Concat(names[r.To], r.From)
	}
	return rules
}

// allowsUnsignedResponse reports whether a signed assertion is enough of this
// upstream. Where nothing is said it is not (IIP-SP13), but for the presets of
// vendors that sign the assertion alone unless they are told otherwise.
func (c ConnectionConfig) allowsUnsignedResponse() bool {
	if c.Require.SignedResponse != nil {
		return !*c.Require.SignedResponse
	}
	return samlPresets()[c.Preset].assertionOnly
}
