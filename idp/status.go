package idp

import (
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/xmlsec"
)

// The status codes in use (SAML Core 3.2.2.2).
const (
	statusSuccess         = "urn:oasis:names:tc:SAML:2.0:status:Success"
	statusRequester       = "urn:oasis:names:tc:SAML:2.0:status:Requester"
	statusResponder       = "urn:oasis:names:tc:SAML:2.0:status:Responder"
	statusVersionMismatch = "urn:oasis:names:tc:SAML:2.0:status:VersionMismatch"

	statusAuthnFailed         = "urn:oasis:names:tc:SAML:2.0:status:AuthnFailed"
	statusInvalidNameIDPolicy = "urn:oasis:names:tc:SAML:2.0:status:InvalidNameIDPolicy"
	statusNoAuthnContext      = "urn:oasis:names:tc:SAML:2.0:status:NoAuthnContext"
	statusNoPassive           = "urn:oasis:names:tc:SAML:2.0:status:NoPassive"
	statusRequestDenied       = "urn:oasis:names:tc:SAML:2.0:status:RequestDenied"
	statusUnknownPrincipal    = "urn:oasis:names:tc:SAML:2.0:status:UnknownPrincipal"
	statusUnsupportedBinding  = "urn:oasis:names:tc:SAML:2.0:status:UnsupportedBinding"
)

// status is a samlp:Status (SAML Core 3.2.2.1).
type status struct {
	top, second string // second may be empty
	message     string // empty for success
}

// statusOf translates a refusal. Where the specification has a status code for
// just this refusal, our code decides; else the kind.
func statusOf(e *identity.Error, requestID string) status {
	s := status{message: e.Msg + " (" + string(e.Code)}
	if requestID != "" {
		s.message += ", request " + requestID
	}
	s.message += ")"
	s.top, s.second = statusCodes(e)
	return s
}

func statusCodes(e *identity.Error) (top, second string) {
	switch e.Code {
	case "sp.nameid_policy":
		return statusRequester, statusInvalidNameIDPolicy
	case "sp.binding":
		return statusRequester, statusUnsupportedBinding
	case "sp.version":
		return statusVersionMismatch, ""
	}
	switch e.Kind {
	case identity.KindInvalid, identity.KindExpired, identity.KindReplayed:
		return statusRequester, statusRequestDenied
	case identity.KindDenied, identity.KindExists:
		return statusResponder, statusAuthnFailed
	case identity.KindNotFound:
		return statusResponder, statusUnknownPrincipal
	case identity.KindNeedsInteraction:
		return statusResponder, statusNoPassive
	case identity.KindContextUnmet:
		return statusResponder, statusNoAuthnContext
	case identity.KindUnavailable, identity.KindInternal:
		return statusResponder, ""
	}
	return statusResponder, ""
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
