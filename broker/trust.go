package broker

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/samlet-id/samlet/identity"
)

// asks returns what an upstream is asked for, in its own classes: the first that
// the relying party would be content with comes first. Its table is read backwards
// for that, so that it is a list of the very classes that would be believed, which
// no comparison of theirs can widen: how it orders its classes is not known here
// (SAML Core 3.3.2.2.1), and acr_values knows no comparison. Nothing is asked for
// that no class of the table answers.
func asks(c identity.Connection, demand identity.RequestedContext) identity.RequestedContext {
	var classes []identity.ClassRef
	take := func(fits func(to identity.ClassRef) bool) {
		for _, t := range c.Trust {
			allowed := len(c.Require) == 0 || slices.Contains(c.Require, t.From)
			if allowed && fits(t.To) && !slices.Contains(classes, t.From) {
				classes = append(classes, t.From)
			}
		}
	}
	if c.AskDemanded && len(demand.Classes) > 0 {
		answers := func(to identity.ClassRef) bool { return demand.Satisfied(identity.AuthnContext{Class: to}) }
		for _, want := range demand.Classes {
			take(func(to identity.ClassRef) bool { return to == want && answers(to) })
		}
		take(answers)
	}
	if len(classes) == 0 {
		classes = c.Require
	}
	return identity.RequestedContext{Classes: classes}
}

// required refuses a sign-in of another class than those that the connection
// demands of every one.
func required(c identity.Connection, said identity.AuthnContext) error {
	if len(c.Require) == 0 || (identity.RequestedContext{Classes: c.Require}).Satisfied(said) {
		return nil
	}
	return &identity.Error{
		Kind: identity.KindContextUnmet, Code: "up.context", Who: identity.WhoPartner, Seen: cmp.Or(string(said.Class), "no class"), Expected: fmt.Sprint(c.Require),
		Msg: "Your organization did not sign you in in the way that this connection demands.",
	}
}

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
