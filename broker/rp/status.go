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
func (c *Connector) refused(code, description string) *identity.Error {
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
	return upstream("up.status", kind, msg, clean(seen), c.hint(code, description, "a code"))
}

// hint says what would be right in place of an error, and where it is to be changed: by
// the vendor's own number, else by the code of RFC 6749 sections 4.1.2.1 and 5.2; else
// it is otherwise.
func (c *Connector) hint(code, description, otherwise string) string {
	if c.cfg.Vendor == VendorMicrosoft {
		for number, right := range map[string]string{
			"AADSTS50011":   "our redirect_uri in the app registration (Authentication, Web)",
			"AADSTS50020":   "an account of the tenant, or one that is invited (Users, or supported account types of the app registration)",
			"AADSTS50105":   "the person, or a group of theirs, assigned to the application (Enterprise applications, Users and groups)",
			"AADSTS53003":   "a conditional access policy that lets the person in (Protection, Conditional Access)",
			"AADSTS65001":   "consent to the application (Enterprise applications, Permissions, Grant admin consent)",
			"AADSTS700016":  "the client_id of an application of that tenant (App registrations, Overview)",
			"AADSTS7000215": "the value of a client secret, not its ID (App registrations, Certificates & secrets)",
			"AADSTS7000222": "a client secret that has not expired (App registrations, Certificates & secrets)",
			"AADSTS90072":   "an account of the tenant, or one that is invited (Users)",
		} {
			if strings.HasPrefix(description, number+":") {
				return right
			}
		}
	}
	switch code {
	case "invalid_client", "incorrect_client_credentials":
		if c.cfg.Vendor == VendorApple {
			return "the team, key and Services ID that belong together (Certificates, Identifiers & Profiles, Keys)"
		}
		return "client_id and client_secret, or key, as they are registered there"
	case "unauthorized_client":
		return "a client that is registered there for the code flow"
	case "invalid_scope":
		return "request_scopes that the client is registered for there"
	case "invalid_grant", "redirect_uri_mismatch", "bad_verification_code":
		return "our redirect_uri, letter for letter, as it is registered there, and a code that was not used"
	case "invalid_request":
		return "a client that is registered there with our redirect_uri"
	}
	return otherwise
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
