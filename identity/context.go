package identity

import (
	"slices"
	"time"
)

// ClassRef is an authentication context class reference (SAML Core 2.7.2.2) or
// an OIDC acr value.
type ClassRef string

// Context classes that samlet names itself (SAML AuthnContext 3.4, REFEDS).
const (
	ClassUnspecified                ClassRef = "urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified"
	ClassPassword                   ClassRef = "urn:oasis:names:tc:SAML:2.0:ac:classes:Password"
	ClassPasswordProtectedTransport ClassRef = "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"
	ClassREFEDSMFA                  ClassRef = "https://refeds.org/profile/mfa"
	ClassREFEDSSFA                  ClassRef = "https://refeds.org/profile/sfa"
)

// Method is one authentication method, as in the amr claim (RFC 8176).
type Method string

// Methods in use (RFC 8176 section 2).
const (
	MethodPassword Method = "pwd"
)

// AAL is an authenticator assurance level of NIST SP 800-63B. It is computed
// from the factors that were used and never taken from a claim; the zero value
// says that nothing is known.
type AAL int

// The levels of NIST SP 800-63B section 4.
const (
	AALUnknown AAL = iota
	AAL1
	AAL2
	AAL3
)

// String returns "unknown", "AAL1", "AAL2" or "AAL3".
func (a AAL) String() string {
	switch a {
	case AAL1:
		return "AAL1"
	case AAL2:
		return "AAL2"
	case AAL3:
		return "AAL3"
	case AALUnknown:
		return "unknown"
	}
	return "unknown"
}

// AuthnContext says how, when and by whom somebody was authenticated.
type AuthnContext struct {
	Class       ClassRef   // AuthnContextClassRef, acr: what happened, never what was asked
	Methods     []Method   // amr
	AAL         AAL        // computed from the factors
	Instant     time.Time  // AuthnInstant, auth_time; UTC
	Authorities []EntityID // AuthenticatingAuthority, nearest first (SAML Core 2.7.2.2)
}

// Comparison is the Comparison attribute of a RequestedAuthnContext
// (SAML Core 3.3.2.2.1). The zero value is exact, the specified default.
type Comparison int

// The comparisons of SAML Core 3.3.2.2.1.
const (
	ComparisonExact Comparison = iota
	ComparisonMinimum
	ComparisonMaximum
	ComparisonBetter
)

// String returns the attribute value as SAML spells it.
func (c Comparison) String() string {
	switch c {
	case ComparisonExact:
		return "exact"
	case ComparisonMinimum:
		return "minimum"
	case ComparisonMaximum:
		return "maximum"
	case ComparisonBetter:
		return "better"
	}
	return "invalid"
}

// RequestedContext is what a relying party demands of the authentication. With
// no Classes it demands nothing.
type RequestedContext struct {
	Comparison Comparison
	Classes    []ClassRef
}

// classRank orders the classes that can be compared; classes outside it are
// only ever equal to themselves.
var classRank = [...]ClassRef{ClassPassword, ClassPasswordProtectedTransport}

func rank(c ClassRef) int { return slices.Index(classRank[:], c) }

// Satisfied reports whether an authentication of class got answers the demand
// (SAML Core 3.3.2.2.1). A demand for "unspecified" is answered by any class,
// since that class says nothing about the means.
func (r RequestedContext) Satisfied(got ClassRef) bool {
	if len(r.Classes) == 0 {
		return true
	}
	if r.Comparison != ComparisonBetter &&
		(slices.Contains(r.Classes, got) || slices.Contains(r.Classes, ClassUnspecified)) {
		return true
	}
	switch r.Comparison {
	case ComparisonExact:
		return false
	case ComparisonMinimum:
		return slices.ContainsFunc(r.Classes, func(w ClassRef) bool { return rank(w) >= 0 && rank(got) >= rank(w) })
	case ComparisonMaximum:
		return slices.ContainsFunc(r.Classes, func(w ClassRef) bool { return rank(got) >= 0 && rank(got) <= rank(w) })
	case ComparisonBetter:
		return !slices.ContainsFunc(r.Classes, func(w ClassRef) bool { return rank(w) < 0 || rank(got) <= rank(w) })
	}
	return false
}
