package main

import (
	"fmt"
	"strings"

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

// allowsUnsignedResponse reports whether a signed assertion is enough of this
// upstream. Where nothing is said it is not (IIP-SP13), but for the presets of
// vendors that sign the assertion alone unless they are told otherwise.
func (c ConnectionConfig) allowsUnsignedResponse() bool {
	if c.Require.SignedResponse != nil {
		return !*c.Require.SignedResponse
	}
	return c.Preset == "auth0" || c.Preset == "google"
}
