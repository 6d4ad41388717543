package broker

import (
	"fmt"
	"slices"

	"github.com/samlet-id/samlet/identity"
)

// Mapping turns an upstream's attribute names into canonical ones. It is
// immutable; the zero Mapping drops every attribute.
type Mapping struct {
	rules []identity.MapRule
}

// NewMapping returns the mapping of rules: each fills the canonical attribute
// To with the values of the first name in From that has any, else with the
// constant Value. Without rules it is that of DefaultRules. A rule whose To is
// not declared in the catalogue, that names no origin at all, or that fills
// what another rule fills already, is an error.
func NewMapping(rules []identity.MapRule, cat *identity.Catalogue) (Mapping, error) {
	if len(rules) == 0 {
		return Mapping{rules: DefaultRules(cat)}, nil
	}
	filled := map[identity.Name]bool{}
	for _, r := range rules {
		if _, declared := cat.Lookup(r.To); !declared {
			return Mapping{}, fmt.Errorf("mapping to %q: no such attribute is declared", r.To)
		}
		if len(r.From) == 0 && r.Value == "" {
			return Mapping{}, fmt.Errorf("mapping to %q: give an upstream name or a constant", r.To)
		}
		if slices.Contains(r.From, "") {
			return Mapping{}, fmt.Errorf("mapping to %q: an upstream name is empty", r.To)
		}
		if filled[r.To] {
			return Mapping{}, fmt.Errorf("mapping to %q: more than one rule; list the upstream names in one", r.To)
		}
		filled[r.To] = true
	}
	kept := make([]identity.MapRule, len(rules))
	for i, r := range rules {
		kept[i] = identity.MapRule{To: r.To, From: slices.Clone(r.From), Value: r.Value}
	}
	return Mapping{rules: kept}, nil
}

// DefaultRules returns the mapping of a connection that configures none: for
// each attribute of the catalogue its SAML name, then the claim URIs under
// which AD FS and Entra ID send it, then its LDAP name and its OIDC claim as
// bare names, as many identity providers are set up by hand. A FriendlyName is
// never matched (IIP-SP11). The claim URI that ends in /name is left out: one
// vendor sends the user principal name under it, another the display name.
func DefaultRules(cat *identity.Catalogue) []identity.MapRule {
	var rules []identity.MapRule
	for _, a := range cat.All() {
		var from []string
		for _, n := range append([]string{a.SAMLName}, append(claimURIs(a.Name), a.LDAP, a.OIDCClaim)...) {
			if n != "" && !slices.Contains(from, n) {
				from = append(from, n)
			}
		}
		if len(from) > 0 {
			rules = append(rules, identity.MapRule{To: a.Name, From: from})
		}
	}
	return rules
}

// claimURIs returns the claim types of AD FS and Entra ID that hold the
// canonical attribute n (Microsoft, "Customize SAML token claims").
func claimURIs(n identity.Name) []string {
	const claims = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/"
	switch n {
	case identity.Mail:
		return []string{claims + "emailaddress"}
	case identity.GivenName:
		return []string{claims + "givenname"}
	case identity.FamilyName:
		return []string{claims + "surname"}
	case identity.DisplayName:
		return []string{"http://schemas.microsoft.com/identity/claims/displayname"}
	case identity.Username:
		return []string{claims + "upn"}
	case identity.Groups:
		return []string{"http://schemas.microsoft.com/ws/2008/06/identity/claims/groups", "http://schemas.xmlsoap.org/claims/Group"}
	case identity.Phone:
		return []string{claims + "mobilephone"}
	default:
		return nil
	}
}

// Apply returns a with its attributes under canonical names; those that no rule
// takes are dropped, and so are empty values and repetitions. Nothing else of a
// changes, and a itself is not touched.
func (m Mapping) Apply(a identity.Assertion) identity.Assertion {
	out := identity.Attributes{}
	for _, r := range m.rules {
		if values := filledBy(r, a.Attributes); len(values) > 0 {
			out[r.To] = values
		}
	}
	a.Attributes = out
	return a
}

// filledBy returns the values that rule r takes from upstream.
func filledBy(r identity.MapRule, upstream identity.Attributes) []string {
	for _, from := range r.From {
		if values := distinct(upstream[identity.Name(from)]); len(values) > 0 {
			return values
		}
	}
	if r.Value != "" {
		return []string{r.Value}
	}
	return nil
}

// distinct returns the values that are not empty, each once, in their order. A
// set keeps thousands of group values cheap.
func distinct(values []string) []string {
	seen := make(map[string]bool, len(values))
	var out []string
	for _, v := range values {
		if v != "" && !seen[v] {
			seen[v] = true
			out = append(out, v)
		}
	}
	return out
}

// Dropped returns the names of a that no rule takes, sorted.
func (m Mapping) Dropped(a identity.Assertion) []identity.Name {
	return slices.DeleteFunc(a.Attributes.Names(), func(n identity.Name) bool {
		return slices.ContainsFunc(m.rules, func(r identity.MapRule) bool { return slices.Contains(r.From, string(n)) })
	})
}
