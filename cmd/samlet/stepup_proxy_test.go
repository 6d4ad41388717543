package main

import (
	"fmt"
	"testing"

	"github.com/samlet-id/samlet/identity"
)

// TestProxyRestrictionOverTheHop holds that what an upstream allows to be issued on
// the strength of its assertion bounds ours (SAML Core 2.5.1.6).
func TestProxyRestrictionOverTheHop(t *testing.T) {
	t.Parallel()
	w := newStepUp(t)
	for i, tt := range []struct{ name, conditions, trace, want string }{
		{"none", "", "upstream > mfa", ""},
		{"two steps", `<saml:ProxyRestriction Count="2"/>`, "upstream > mfa", "1 "},
		{"one step, and the application", `<saml:ProxyRestriction Count="1"><saml:Audience>https://wiki.example.test</saml:Audience></saml:ProxyRestriction>`, "upstream > mfa", "0 https://wiki.example.test"},
		{"no step", `<saml:ProxyRestriction Count="0"/>`, "upstream > AuthnFailed", ""},
		{"another application", `<saml:ProxyRestriction><saml:Audience>https://payroll.example.test</saml:Audience></saml:ProxyRestriction>`, "upstream > AuthnFailed", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := hop{connection: "trusted", subject: fmt.Sprintf("r%d", i), says: "urn:p:two", conditions: tt.conditions}
			w.person(t, h, identity.Secret{})
			trace, told := w.visitor().signIn(t, h)
			if trace != tt.trace {
				t.Fatalf("got %s, want %s", trace, tt.trace)
			}
			got := ""
			for _, p := range told.FindElements("//ProxyRestriction") {
				got += p.SelectAttrValue("Count", "unstated") + " " + texts(p, "./Audience")
			}
			if got != tt.want {
				t.Errorf("ProxyRestriction %q, want %q", got, tt.want)
			}
		})
	}
}
