package idp

import (
	"fmt"
	"unicode/utf8"

	"github.com/samlet-id/samlet/identity"
)

// maxString is how many characters every peer takes in a string (IIP-G02), and
// so how many we send (SDP-G02): others cut what is longer, or refuse it. The
// rule is for what SAML declares an xs:string. An AttributeValue is none but an
// xs:anyType: what is released leaves whole. A qualifier repeats an entityID,
// whose own bound holds.
const maxString = 256

// checkStrings refuses an identifier of a person, a session or an attribute that
// is too long: cut, it would be another one.
func checkStrings(a identity.Assertion) error {
	for _, s := range []struct{ what, value string }{
		{"NameID", a.Principal.Subject},
		{"SessionIndex", string(a.Session)},
	} {
		if err := checkString(s.what, s.value); err != nil {
			return err
		}
	}
	for i := range a.Released {
		if err := checkString("Name of an attribute", a.Released[i].As); err != nil {
			return err
		}
		if err := checkString("FriendlyName of an attribute", a.Released[i].FriendlyName); err != nil {
			return err
		}
	}
	return nil
}

func checkString(what, value string) error {
	if len(value) <= maxString {
		return nil
	}
	n := utf8.RuneCountInString(value)
	if n <= maxString {
		return nil
	}
	return &identity.Error{
		Kind: identity.KindUnavailable, Code: "sp.string_length", Who: identity.WhoOperator,
		Msg:  "What would be said to the application is longer than SAML lets it be.",
		Seen: fmt.Sprintf("a %s of %d characters", what, n), Expected: fmt.Sprintf("at most %d", maxString),
	}
}

// shortened cuts a text for people to so many characters.
func shortened(s string, most int) string {
	if runes := []rune(s); len(runes) > most {
		return string(runes[:max(most-1, 0)]) + "…"
	}
	return s
}
