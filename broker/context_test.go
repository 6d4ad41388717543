package broker_test

import (
	"testing"

	"github.com/samlet-id/samlet/identity"
)

// TestDemandsOverTheHop holds what an upstream is asked for when a relying party
// demands something: nothing, unless the connection says so, and then the very
// classes of its own that would be believed to answer.
func TestDemandsOverTheHop(t *testing.T) {
	t.Parallel()
	const ppt, mfa, x509 = identity.ClassPasswordProtectedTransport, identity.ClassREFEDSMFA, identity.ClassX509
	const minimum, maximum, better = identity.ComparisonMinimum, identity.ComparisonMaximum, identity.ComparisonBetter
	table := []identity.ClassTrust{{From: "urn:two", To: mfa}, {From: "urn:key", To: x509}, {From: "urn:secret", To: ppt}, {From: "urn:two", To: ppt}}
	translating := identity.Connection{Trust: table, AskDemanded: true}
	silent := identity.Connection{Trust: table}
	strict := identity.Connection{Trust: table, AskDemanded: true, Require: []identity.ClassRef{"urn:two", "urn:badge"}}
	demand := func(c identity.Comparison, classes ...identity.ClassRef) identity.RequestedContext {
		return identity.RequestedContext{Comparison: c, Classes: classes}
	}
	for name, tt := range map[string]struct {
		connection identity.Connection
		demand     identity.RequestedContext
		want       string
	}{
		"nothing is demanded":                    {translating, identity.RequestedContext{}, "exact []"},
		"nothing is asked by default":            {silent, demand(0, mfa), "exact []"},
		"one class":                              {translating, demand(0, mfa), "exact [urn:two]"},
		"one class that two of theirs are worth": {translating, demand(0, ppt), "exact [urn:secret urn:two]"},
		"several, in the order of the demand":    {translating, demand(0, x509, mfa), "exact [urn:key urn:two]"},
		"several, the other way":                 {translating, demand(0, mfa, x509), "exact [urn:two urn:key]"},
		"one that nothing of theirs is worth":    {translating, demand(0, "urn:unknown"), "exact []"},
		"minimum: that and whatever is stronger": {translating, demand(minimum, ppt), "exact [urn:secret urn:two urn:key]"},
		"minimum, with little above it":          {translating, demand(minimum, x509), "exact [urn:key urn:two]"},
		"maximum":                                {translating, demand(maximum, x509), "exact [urn:key urn:secret urn:two]"},
		"better: not that itself":                {translating, demand(better, ppt), "exact [urn:two urn:key]"},
		"required, whatever is demanded":         {strict, identity.RequestedContext{}, "exact [urn:two urn:badge]"},
		"demanded within what is required":       {strict, demand(0, ppt, x509), "exact [urn:two]"},
		"demanded outside of what is required":   {strict, demand(0, x509), "exact [urn:two urn:badge]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			up := creating("partner", partner)
			up.Trust, up.AskDemanded, up.Require = tt.connection.Trust, tt.connection.AskDemanded, tt.connection.Require
			msg, _, err := open(t, openStore(t), noon, up).Begin(t.Context(), "partner", identity.AuthnRequest{Context: tt.demand}, "ticket")
			if err != nil {
				t.Fatal(err)
			}
			if got := msg.Form.Get("asked"); got != tt.want {
				t.Errorf("asked for %s, want %s", got, tt.want)
			}
		})
	}
}

// TestRequiredClasses holds that a connection that demands one of some classes of
// every sign-in takes no other.
func TestRequiredClasses(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		require []identity.ClassRef
		said    identity.AuthnContext
		want    identity.Code
	}{
		"nothing required, nothing said": {nil, identity.AuthnContext{}, ""},
		"one of them":                    {[]identity.ClassRef{"urn:a", "urn:b"}, identity.AuthnContext{Class: "urn:b"}, ""},
		"a further class that is one":    {[]identity.ClassRef{"urn:a"}, identity.AuthnContext{Class: "urn:b", Also: []identity.ClassRef{"urn:a"}}, ""},
		"another":                        {[]identity.ClassRef{identity.ClassPassword}, identity.AuthnContext{Class: identity.ClassREFEDSMFA}, "up.context"},
		"none":                           {[]identity.ClassRef{identity.ClassPassword}, identity.AuthnContext{}, "up.context"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			up := creating("partner", partner)
			up.Require = tt.require
			_, err := signIn(t, open(t, openStore(t), noon, up), "partner", identity.Assertion{
				Principal: identity.Principal{Issuer: partner, Subject: "ada", Format: identity.FormatPersistent}, Context: tt.said,
			})
			if got := identity.CodeOf(err); err != nil && got != tt.want || (err == nil) != (tt.want == "") {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}
