package sp

import (
	"strings"
	"unicode"

	"github.com/crewjam/saml"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/xmlsec"
)

// statusPrefix is what all status codes of SAML Core 3.2.2.2 begin with.
const statusPrefix = "urn:oasis:names:tc:SAML:2.0:status:"

// maxStatusMessage bounds, in bytes, how much of a StatusMessage is passed on.
const maxStatusMessage = 200

// checkStatus passes a Response on only if it says Success at the top level, and
// turns every other status into an Error: the kind by the second-level code,
// their own words in Seen. No assertion is read then (SAML Core 3.2.2).
func checkStatus(response *xmlsec.Element) error {
	status := response.Child(xmlsec.NSProtocol, "Status")
	top := status.Child(xmlsec.NSProtocol, "StatusCode")
	if top == nil {
		return malformed("no StatusCode", "a Status with a StatusCode")
	}
	code := top.Attr("Value")
	if code == saml.StatusSuccess {
		return nil
	}
	second := top.Child(xmlsec.NSProtocol, "StatusCode").Attr("Value")
	seen := strings.TrimPrefix(code, statusPrefix)
	if second != "" {
		seen += "/" + strings.TrimPrefix(second, statusPrefix)
	}
	if words := statusMessage(status); words != "" {
		seen += ": " + words
	}
	if e := outOfScope(second); e != nil {
		e.Seen, e.Expected = seen, "Success"
		return e
	}
	kind, msg := meaning(code, second)
	return upstream("up.status", kind, msg, seen, "Success, which needs "+remedy(code, second, statusMessage(status)))
}

// remedy says what has to be changed, and where, by the number that Microsoft Entra ID
// puts before its words, else by the status codes (SAML Core 3.2.2.2).
func remedy(code, second, words string) string {
	for number, right := range map[string]string{
		"AADSTS50105":   "the person, or a group of theirs, assigned to the application (Enterprise applications, Users and groups)",
		"AADSTS50020":   "an account of the tenant, or one that is invited there",
		"AADSTS650056":  "our entityID as the identifier of the application (Enterprise applications, Single sign-on, Basic SAML Configuration)",
		"AADSTS700016":  "our entityID as the identifier of the application (Enterprise applications, Single sign-on, Basic SAML Configuration)",
		"AADSTS50011":   "our AssertionConsumerService as a reply URL (Enterprise applications, Single sign-on, Basic SAML Configuration)",
		"AADSTS75011":   "a sign-in of the class that was asked for: authn_context.request of the connection, or how the person signs in there",
		"AADSTS75005":   "a request that they support: name_id_policy of the connection",
		"AADSTS76021":   "signed requests: sign_requests of the connection",
		"AADSTS7000529": "our current certificate there (Enterprise applications, Single sign-on, Verification certificates)",
		"AADSTS53003":   "a conditional access policy there that lets the person in",
	} {
		if strings.Contains(words, number+":") {
			return right
		}
	}
	switch second {
	case saml.StatusInvalidNameIDPolicy:
		return "a name identifier that they give to us: name_id_policy of the connection, or the name identifier format there"
	case saml.StatusNoAuthnContext:
		return "a sign-in of the class that was asked for: authn_context.request of the connection, or how people sign in there"
	case saml.StatusNoPassive:
		return "a page of theirs, which the application did not allow"
	case saml.StatusAuthnFailed, saml.StatusRequestDenied, saml.StatusUnknownPrincipal:
		return "an account there that may use this application; their log says why"
	case saml.StatusRequestUnsupported, saml.StatusUnsupportedBinding:
		return "a request that they support; their log says what of it is not"
	}
	if code == saml.StatusRequester || code == saml.StatusVersionMismatch {
		return "our metadata loaded anew there: entityID, addresses, and the certificate of our signed requests"
	}
	return "what their log says of this request"
}

// outOfScope is the refusal of an upstream that the Scoping which it was handed on
// leaves no way, or nil. It is whoever set that scope who is to be told (SAML Core
// 3.4.1.5.1).
func outOfScope(second string) *identity.Error {
	e := &identity.Error{Kind: identity.KindDenied, Who: identity.WhoVendor, Msg: "The application names the organizations at which you may sign in, and your organization's sign-in knows none of them."}
	switch second {
	case saml.StatusProxyCountExceeded:
		e.Code, e.Msg = "sp.proxy_count", "The application does not accept a sign-in that so many organizations vouch for."
	case saml.StatusNoSupportedIDP:
		e.Code = "sp.idp_list"
	case saml.StatusNoAvailableIDP:
		e.Code = "sp.idp_unavailable"
	default:
		return nil
	}
	return e
}

// meaning says what a refusal comes to for the person and for whoever asked us.
func meaning(code, second string) (identity.Kind, string) {
	switch second {
	case saml.StatusNoPassive:
		return identity.KindNeedsInteraction, "Your organization has to ask you something before you can go on."
	case saml.StatusNoAuthnContext:
		return identity.KindContextUnmet, "Your organization cannot sign you in in the way that was asked for."
	case saml.StatusAuthnFailed, saml.StatusRequestDenied:
		return identity.KindDenied, "The sign-in at your organization was cancelled or refused."
	}
	switch code {
	case saml.StatusRequester, saml.StatusVersionMismatch:
		return identity.KindInvalid, "Your organization's sign-in service did not accept our question."
	}
	return identity.KindDenied, "Your organization's sign-in service refused to sign you in."
}

// statusMessage returns their explanation in a form that is safe to show to an
// operator: one line, bounded. It may come from an unsigned Response.
func statusMessage(status *xmlsec.Element) string {
	text, err := status.Child(xmlsec.NSProtocol, "StatusMessage").Text()
	if err != nil {
		return ""
	}
	text = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, strings.TrimSpace(text))
	if len(text) > maxStatusMessage {
		return strings.ToValidUTF8(text[:maxStatusMessage], "") + "…"
	}
	return text
}
