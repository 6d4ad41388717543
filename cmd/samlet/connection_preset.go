package main

import (
	"fmt"

	"github.com/samlet-id/samlet/identity"
)

// TrustConfig says which context classes of an upstream are believed.
type TrustConfig struct {
	Trust []ClassTrustConfig `yaml:"trust"`
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

// checkTrust judges the authn_context of the connection at.
func (d *decoder) checkTrust(at string, c TrustConfig) {
	for i, t := range c.Trust {
		if t.From == "" || t.To == "" {
			d.faultAt(fmt.Sprintf("%s.authn_context.trust[%d]", at, i), "a rule needs from, the class of the upstream, and to, the class that it is worth here")
		}
	}
}

// allowsUnsignedResponse reports whether a signed assertion is enough of this
// upstream. Where nothing is said it is not (IIP-SP13), but for the presets of
// vendors that sign the assertion alone unless they are told otherwise.
func (c ConnectionConfig) allowsUnsignedResponse() bool {
	if c.Require.SignedResponse != nil {
		return !*c.Require.SignedResponse
	}
	return c.Preset == "auth0" || c.Preset == "google"
}
