package idp

import (
	"github.com/crewjam/saml"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/xmlsec"
)

// status is a samlp:Status (SAML Core 3.2.2.1).
type status struct {
	top, second string // second may be empty
	message     string // empty for success
}

// statusOf translates a refusal. Where the specification has a status code for
// just this refusal, our code decides; else the kind.
func statusOf(e *identity.Error, requestID string) status {
	tail := " (" + string(e.Code)
	if requestID != "" {
		tail += ", request " + requestID
	}
	tail += ")"
	s := status{message: shortened(e.Msg, maxString-len(tail)) + tail}
	s.top, s.second = statusCodes(e)
	return s
}

// statusCodes returns the two levels of SAML Core 3.2.2.2.
func statusCodes(e *identity.Error) (top, second string) {
	switch e.Code {
	case "user.declined":
		return saml.StatusResponder, saml.StatusRequestDenied
	case "sp.nameid_policy":
		return saml.StatusRequester, saml.StatusInvalidNameIDPolicy
	case "sp.binding":
		return saml.StatusRequester, saml.StatusUnsupportedBinding
	case "sp.ecp":
		return saml.StatusResponder, saml.StatusRequestUnsupported
	case "sp.unsupported":
		return saml.StatusRequester, saml.StatusRequestUnsupported
	case "sp.version_low":
		return saml.StatusVersionMismatch, saml.StatusRequestVersionTooLow
	case "sp.version_high":
		return saml.StatusVersionMismatch, saml.StatusRequestVersionTooHigh
	case "sp.proxy_count":
		return saml.StatusResponder, saml.StatusProxyCountExceeded
	case "sp.idp_list":
		return saml.StatusResponder, saml.StatusNoSupportedIDP
	case "sp.idp_unavailable":
		return saml.StatusResponder, saml.StatusNoAvailableIDP
	}
	switch e.Kind {
	case identity.KindInvalid, identity.KindExpired, identity.KindReplayed:
		return saml.StatusRequester, saml.StatusRequestDenied
	case identity.KindNotFound:
		return saml.StatusResponder, saml.StatusUnknownPrincipal
	case identity.KindNeedsInteraction:
		return saml.StatusResponder, saml.StatusNoPassive
	case identity.KindContextUnmet:
		return saml.StatusResponder, saml.StatusNoAuthnContext
	case identity.KindDenied, identity.KindExists, identity.KindUnavailable, identity.KindInternal:
		return saml.StatusResponder, saml.StatusAuthnFailed
	}
	return saml.StatusResponder, saml.StatusAuthnFailed
}

// write writes the samlp:Status.
func (s status) write(w *xmlsec.Writer) {
	w.Open("samlp:Status")
	w.Open("samlp:StatusCode", "Value", s.top)
	if s.second != "" {
		w.Element("samlp:StatusCode", "", "Value", s.second)
	}
	w.Close()
	if s.message != "" {
		w.Element("samlp:StatusMessage", s.message)
	}
	w.Close()
}
