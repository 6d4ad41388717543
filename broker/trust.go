package broker

import (
	"slices"

	"github.com/samlet-id/samlet/identity"
)

// believe replaces the classes that an upstream claims by those that the
// connection trusts it with, in the order of its table. What is not in the table
// is not believed: the person was authenticated, and nothing is known of how
// (unspecified, SAML AuthnContext 3.4.25). Otherwise any upstream could claim the
// second factor that an application demands.
func believe(said identity.AuthnContext, table []identity.ClassTrust) identity.AuthnContext {
	claimed := append([]identity.ClassRef{said.Class}, said.Also...)
	var proven []identity.ClassRef
	for _, t := range table {
		if slices.Contains(claimed, t.From) && !slices.Contains(proven, t.To) {
			proven = append(proven, t.To)
		}
	}
	said.Class, said.Also = identity.ClassUnspecified, nil
	if len(proven) > 0 {
		said.Class = proven[0]
	}
	if len(proven) > 1 {
		said.Also = proven[1:]
	}
	return said
}
