package sp

import (
	"fmt"
	"slices"
	"strings"

	"github.com/samlet-id/samlet/identity"
)

// Scopes says for which scopes the IdP may speak: what follows the '@' of a scoped
// attribute (saml2int SDP-SP16). Those of its metadata (shibmd:Scope) always count,
// but for regular expressions (SDP-SP17).
type Scopes struct {
	// Check holds scoped attributes against the scopes. Auto does where there are
	// any; On drops every scoped value where there are none.
	Check identity.Switch
	// Also are scopes beside those of the metadata.
	Also []string
	// Attributes are scoped attributes beside those that are known to be.
	Attributes []identity.Name
}

// scopedAttribute reports whether the values of an attribute have a scope by its
// definition: those of eduPerson and the subject identifiers.
func scopedAttribute(name identity.Name) bool {
	switch string(name) {
	case "urn:oasis:names:tc:SAML:attribute:subject-id", "urn:oasis:names:tc:SAML:attribute:pairwise-id",
		"urn:oid:1.3.6.1.4.1.5923.1.1.1.6", "urn:mace:dir:attribute-def:eduPersonPrincipalName", "eduPersonPrincipalName",
		"urn:oid:1.3.6.1.4.1.5923.1.1.1.9", "urn:mace:dir:attribute-def:eduPersonScopedAffiliation", "eduPersonScopedAffiliation",
		"urn:oid:1.3.6.1.4.1.5923.1.1.1.12", "eduPersonPrincipalNamePrior",
		"urn:oid:1.3.6.1.4.1.5923.1.1.1.13", "eduPersonUniqueId":
		return true
	}
	return false
}

// checkScopes drops from a the values that the IdP may not say, and remarks on it.
// Where one of them names the person the answer is refused.
func (c *Connector) checkScopes(a identity.Attributes) ([]identity.Remark, error) {
	check := c.cfg.Scopes.Check
	if check == identity.Off || check == identity.Auto && len(c.scopes) == 0 {
		return nil, nil
	}
	var remarks []identity.Remark
	for _, name := range a.Names() {
		if !scopedAttribute(name) && !slices.Contains(c.cfg.Scopes.Attributes, name) {
			continue
		}
		var kept []string
		var foreign []string // scopes, no values: nothing of a person is told
		for _, v := range a[name] {
			scope, ok := c.withinScope(v)
			if ok {
				kept = append(kept, v)
			} else if !slices.Contains(foreign, scope) {
				foreign = append(foreign, scope)
			}
		}
		if len(foreign) == 0 {
			continue
		}
		seen := fmt.Sprintf("%s of scope %q", name, foreign[:min(len(foreign), maxForeign)])
		if name == c.cfg.SubjectAttribute {
			return nil, upstream("up.scope", identity.KindInvalid, "Your organization's sign-in service spoke for people of another organization.", seen, c.speaksFor())
		}
		remarks = append(remarks, identity.Remark{Code: "up.scope", Detail: fmt.Sprintf("%d values dropped: %s; it speaks for %s", len(a[name])-len(kept), seen, c.speaksFor())})
		if a[name] = kept; len(kept) == 0 {
			delete(a, name)
		}
	}
	return remarks, nil
}

// maxForeign bounds how many foreign scopes are named.
const maxForeign = 5

// withinScope returns the scope of a value, and whether it is one of the IdP's. A
// value has one '@', with something on either side. Scopes are domains, of which
// ASCII letters alone match in either case.
func (c *Connector) withinScope(value string) (scope string, ok bool) {
	local, scope, found := strings.Cut(value, "@")
	if !found || local == "" || strings.Contains(scope, "@") {
		return "", false
	}
	key, ok := identity.LoginKey(scope)
	return key, ok && len(key) == len(scope) && slices.Contains(c.scopes, key)
}

func (c *Connector) speaksFor() string {
	if len(c.scopes) == 0 {
		return "no scope"
	}
	return strings.Join(c.scopes[:min(len(c.scopes), maxForeign)], ", ")
}

// scopeKeys returns the scopes as withinScope compares them.
func scopeKeys(scopes ...string) []string {
	var keys []string
	for _, s := range scopes {
		if key, ok := identity.LoginKey(s); ok {
			keys = append(keys, key)
		}
	}
	return keys
}
