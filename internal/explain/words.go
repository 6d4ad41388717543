package explain

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"fmt"
	"strings"
)

// statusWords are the StatusCodes of SAML Core 3.2.2.2 in words.
func statusWords(code string) string {
	name, known := strings.CutPrefix(code, "urn:oasis:names:tc:SAML:2.0:status:")
	if !known {
		return "a status code that SAML does not define"
	}
	switch name {
	case "Success":
		return "the request succeeded"
	case "Requester":
		return "the request was at fault"
	case "Responder":
		return "the side that answers was at fault"
	case "VersionMismatch":
		return "the request was of another version of SAML"
	case "AuthnFailed":
		return "the person could not be authenticated"
	case "InvalidAttrNameOrValue":
		return "an attribute name or value was not understood"
	case "InvalidNameIDPolicy":
		return "the NameIDPolicy cannot or may not be met"
	case "NoAuthnContext":
		return "the RequestedAuthnContext cannot be met"
	case "NoAvailableIDP":
		return "none of the identity providers asked for is available"
	case "NoPassive":
		return "nobody is signed in, and IsPassive forbids to ask"
	case "NoSupportedIDP":
		return "none of the identity providers asked for is supported"
	case "PartialLogout":
		return "not every application could be told of the logout"
	case "ProxyCountExceeded":
		return "the request forbids to ask a further identity provider"
	case "RequestDenied":
		return "the request was understood and refused"
	case "RequestUnsupported":
		return "this kind of request is not supported"
	case "RequestVersionDeprecated", "RequestVersionTooHigh", "RequestVersionTooLow":
		return "the version of the request is not supported"
	case "ResourceNotRecognized":
		return "the resource that the request names is not known"
	case "TooManyResponses":
		return "the answer would be too long"
	case "UnknownAttrProfile":
		return "the attribute profile is not known"
	case "UnknownPrincipal":
		return "the person is not known"
	case "UnsupportedBinding":
		return "the answer was wanted by a binding that is not supported"
	}
	return "a status code that SAML does not define"
}

// nameIDWords are the formats of SAML Core 8.3 in words.
func nameIDWords(format string) string {
	switch format[strings.LastIndexByte(format, ':')+1:] {
	case "":
		return "no format, which leaves it to the identity provider"
	case "unspecified":
		return "unspecified, which leaves it to the identity provider"
	case "emailAddress":
		return "an e-mail address"
	case "persistent":
		return "persistent: opaque, and the same at every sign-in"
	case "transient":
		return "transient: another one at every sign-in"
	case "entity":
		return "the name of a system, not of a person"
	case "encrypted":
		return "encrypted"
	case "X509SubjectName":
		return "the subject of an X.509 certificate"
	case "WindowsDomainQualifiedName":
		return "a Windows name with its domain"
	case "kerberos":
		return "a Kerberos principal"
	}
	return "a format that SAML does not define"
}

// bindingWords names a binding as people do.
func bindingWords(uri string) string {
	if i := strings.LastIndexByte(uri, ':'); i >= 0 {
		return uri[i+1:]
	}
	return uri
}

// short is the last part of an algorithm's URI.
func short(uri string) string {
	return uri[strings.LastIndexAny(uri, "#/")+1:]
}

func orDash(s string) string {
	if s == "" {
		return "–"
	}
	return s
}

func algorithmOf(public crypto.PublicKey) string {
	switch p := public.(type) {
	case *rsa.PublicKey:
		return fmt.Sprintf("RSA %d", p.N.BitLen())
	case *ecdsa.PublicKey:
		return "ECDSA " + p.Curve.Params().Name
	}
	return strings.TrimPrefix(fmt.Sprintf("%T", public), "*")
}

// parted returns s with the part in which it differs from other in brackets: so
// that one letter too many in an address is seen.
func parted(s, other string) string {
	head, tail := shared(s, other)
	if head+tail == 0 || s == other {
		return s
	}
	return s[:head] + "[" + s[head:len(s)-tail] + "]" + s[len(s)-tail:]
}

// shared returns how many octets two strings have in common at either end.
func shared(s, other string) (head, tail int) {
	for head < len(s) && head < len(other) && s[head] == other[head] {
		head++
	}
	for tail < len(s)-head && tail < len(other)-head && s[len(s)-1-tail] == other[len(other)-1-tail] {
		tail++
	}
	return head, tail
}
