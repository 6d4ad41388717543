package broker

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/samlet-id/samlet/identity"
)

// subjectID is what the value of a subject identifier attribute looks like: a
// unique ID and a scope (SAML Subject Identifier Attributes Profile 3.3.1, 3.4.1).
var subjectID = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z=-]{0,126}@[0-9A-Za-z][0-9A-Za-z.-]{0,126}$`)

// subject returns by whom a link is found: the principal that the upstream named,
// or where the connection says so the one value of an attribute, whatever the
// NameID is then. What does not last names nobody.
func (u upstream) subject(said identity.Assertion) (identity.Principal, error) {
	if u.LinkBy == "" {
		if said.Principal.Anonymous() {
			return identity.Principal{}, missingSubject(seenSubject(said.Principal), "a NameID whose format is not transient, or link: {by: attribute} at the connection")
		}
		return said.Principal, nil
	}
	values := said.Attributes[u.LinkBy]
	want := fmt.Sprintf("the attribute %s with one value", u.LinkBy)
	switch {
	case len(values) == 0:
		return identity.Principal{}, missingSubject(namesOf(said.Attributes), want)
	case len(values) > 1:
		return identity.Principal{}, missingSubject(fmt.Sprintf("%d values", len(values)), want)
	case strings.TrimSpace(values[0]) == "":
		return identity.Principal{}, missingSubject("an empty value", want)
	}
	value := values[0]
	if by := identity.Format(u.LinkBy); by == identity.FormatSubjectID || by == identity.FormatPairwiseID {
		// Values that differ by case alone are one (Subject Identifier Attributes
		// Profile 3.3.1, 3.4.1).
		if !subjectID.MatchString(value) {
			return identity.Principal{}, missingSubject("a value that is no subject identifier", "ID@SCOPE, each of at most 127 characters")
		}
		value = strings.ToLower(value)
	}
	return identity.AttributePrincipal(said.Principal.Issuer, u.LinkBy, value), nil
}

func missingSubject(seen, expected string) *identity.Error {
	return &identity.Error{
		Kind: identity.KindInvalid, Code: "up.missing_subject", Who: identity.WhoPartner, Seen: seen, Expected: expected,
		Msg: "Your organization's sign-in service did not say who you are in a way that lasts.",
	}
}

func seenSubject(p identity.Principal) string {
	if p.Subject == "" {
		return "no NameID"
	}
	return "a NameID of format " + string(p.Format)
}
