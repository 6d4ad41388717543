package main

import (
	"fmt"

	"github.com/samlet-id/samlet/broker/sp"
	"github.com/samlet-id/samlet/identity"
)

// ScopesConfig says for which scopes an upstream may speak.
type ScopesConfig struct {
	Check      *bool    `yaml:"check"` // nil: where there are any scopes
	Allow      []string `yaml:"allow"`
	Attributes []string `yaml:"attributes"`
}

// rule returns the scopes as the connector reads them.
func (c ScopesConfig) rule() sp.Scopes {
	s := sp.Scopes{Check: switchOf(c.Check), Also: c.Allow}
	for _, name := range c.Attributes {
		s.Attributes = append(s.Attributes, identity.Name(name))
	}
	return s
}

// checkScopes judges the scopes of a connection.
func (d *decoder) checkScopes(at string, c ScopesConfig) {
	for i, scope := range c.Allow {
		if !scopePattern.MatchString(scope) {
			d.faultAt(fmt.Sprintf("%s.allow[%d]", at, i), "want a scope such as partner.test, got %q", scope)
		}
	}
	if c.Check != nil && !*c.Check && len(c.Allow)+len(c.Attributes) > 0 {
		d.faultAt(at+".check", "with check: false there is nothing to allow, and no attribute to check")
	}
}
