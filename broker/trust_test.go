package broker

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/samlet-id/samlet/identity"
)

// TestBelieve holds what an upstream claims against the table of the connection,
// and the outcome against what an application demands.
func TestBelieve(t *testing.T) {
	t.Parallel()
	const theirs, unspecified = identity.ClassRef("https://partner.example.test/two-factors"), identity.ClassUnspecified
	const password, mfa = identity.ClassPasswordProtectedTransport, identity.ClassREFEDSMFA
	own := []identity.ClassTrust{{From: theirs, To: mfa}}
	tests := []struct {
		name  string
		said  identity.AuthnContext
		table []identity.ClassTrust
		want  identity.AuthnContext
		mfa   bool // a demand for several factors is met
	}{
		{"a claim that nobody trusts (step-up bypass)", identity.AuthnContext{Class: mfa}, nil, identity.AuthnContext{Class: unspecified}, false},
		{"a further claim that nobody trusts", identity.AuthnContext{Class: password, Also: []identity.ClassRef{mfa}}, nil, identity.AuthnContext{Class: unspecified}, false},
		{"no claim", identity.AuthnContext{}, own, identity.AuthnContext{Class: unspecified}, false},
		{"the claim beside the one that is trusted", identity.AuthnContext{Class: mfa}, own, identity.AuthnContext{Class: unspecified}, false},
		{"a claim that is trusted, translated", identity.AuthnContext{Class: theirs}, own, identity.AuthnContext{Class: mfa}, true},
		{"a further claim that is trusted", identity.AuthnContext{Class: password, Also: []identity.ClassRef{theirs}}, own, identity.AuthnContext{Class: mfa}, true},
		{"a claim that is worth two", identity.AuthnContext{Class: theirs}, append(own, identity.ClassTrust{From: theirs, To: password}), identity.AuthnContext{Class: mfa, Also: []identity.ClassRef{password}}, true},
		{"who vouched stays", identity.AuthnContext{Class: theirs, Authorities: []identity.EntityID{"urn:a"}}, own, identity.AuthnContext{Class: mfa, Authorities: []identity.EntityID{"urn:a"}}, true},
	}
	demand := identity.RequestedContext{Classes: []identity.ClassRef{mfa}}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := believe(tt.said, tt.table)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("context (-want +got):\n%s", diff)
			}
			if met := demand.Satisfied(got); met != tt.mfa {
				t.Errorf("a demand for %s is met: %t, want %t", mfa, met, tt.mfa)
			}
		})
	}
}
