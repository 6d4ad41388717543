package rp

import (
	"strings"
	"unicode"

	"github.com/samlet-id/samlet/identity"
)

// maxWords bounds, in bytes, how much of an upstream's own words is passed on.
const maxWords = 200

// refused turns an error of the authorization endpoint into an Error (RFC 6749
// section 4.1.2.1, OpenID Connect Core 3.1.2.6): the kind by its code, their own
// words in Seen.
func refused(code, description string) *identity.Error {
	kind, msg := identity.KindInvalid, "Your organization's sign-in service did not accept our question."
	switch code {
	case "access_denied":
		kind, msg = identity.KindDenied, "The sign-in at your organization was cancelled or refused."
	case "login_required", "interaction_required", "consent_required", "account_selection_required":
		kind, msg = identity.KindNeedsInteraction, "Your organization has to ask you something before you can go on."
	case "unmet_authentication_requirements":
		kind, msg = identity.KindContextUnmet, "Your organization cannot sign you in in the way that was asked for."
	case "server_error", "temporarily_unavailable":
		kind, msg = identity.KindUnavailable, "Your organization's sign-in service cannot sign anybody in at the moment."
	}
	seen := code
	if description != "" {
		seen += ": " + description
	}
	return upstream("up.status", kind, msg, clean(seen), "a code")
}

// clean makes words that nobody vouches for safe to show to an operator: one
// line, bounded.
func clean(words string) string {
	words = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, strings.TrimSpace(words))
	if len(words) > maxWords {
		return strings.ToValidUTF8(words[:maxWords], "") + "…"
	}
	return words
}
