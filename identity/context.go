package identity

import (
	"slices"
	"time"
)

// ClassRef is an authentication context class reference (SAML Core 2.7.2.2) or
// an OIDC acr value.
type ClassRef string

// Context classes that samlet knows to be stronger or weaker than others (SAML
// AuthnContext 3.4, REFEDS, Microsoft).
const (
	ClassUnspecified                ClassRef = classes + "unspecified"
	ClassPassword                   ClassRef = classes + "Password"
	ClassPasswordProtectedTransport ClassRef = classes + "PasswordProtectedTransport"
	ClassKerberos                   ClassRef = classes + "Kerberos"
	ClassTimeSyncToken              ClassRef = classes + "TimeSyncToken"
	ClassX509                       ClassRef = classes + "X509"
	ClassTLSClient                  ClassRef = classes + "TLSClient"
	ClassSoftwarePKI                ClassRef = classes + "SoftwarePKI"
	ClassSmartcard                  ClassRef = classes + "Smartcard"
	ClassSmartcardPKI               ClassRef = classes + "SmartcardPKI"
	ClassMobileTwoFactorContract    ClassRef = classes + "MobileTwoFactorContract"
	ClassREFEDSSFA                  ClassRef = "https://refeds.org/profile/sfa"
	ClassREFEDSMFA                  ClassRef = "https://refeds.org/profile/mfa"
	ClassMicrosoftMFA               ClassRef = "http://schemas.microsoft.com/claims/multipleauthn"

	classes = "urn:oasis:names:tc:SAML:2.0:ac:classes:"
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
	Also        []ClassRef // further classes that the very same authentication proves
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

// level orders classes by what passing them takes (SAML Core 3.3.2.2.1 leaves it
// to the responder):
//
//	1  a secret that others may have overheard
//	2  a secret, over a protected connection
//	3  a key or a token that the person has
//	4  two factors
//
// Classes that are not listed, on level 0, only ever equal themselves.
func level(c ClassRef) int {
	switch c {
	case ClassPassword:
		return 1
	case ClassPasswordProtectedTransport, ClassREFEDSSFA, ClassKerberos:
		return 2
	case ClassTimeSyncToken, ClassX509, ClassTLSClient, ClassSoftwarePKI:
		return 3
	case ClassSmartcard, ClassSmartcardPKI, ClassMobileTwoFactorContract, ClassREFEDSMFA, ClassMicrosoftMFA:
		return 4
	default:
		return 0
	}
}

// profiled reports whether a class promises more than its level does: how good a
// password is, or that two factors are independent. Nothing of the same level
// stands in for it.
func profiled(c ClassRef) bool { return c == ClassREFEDSSFA || c == ClassREFEDSMFA }

// stronger reports whether got takes more than want. The class that says nothing
// about the means is the weakest.
func stronger(got, want ClassRef) bool {
	return level(got) > level(want) && (level(want) > 0 || want == ClassUnspecified)
}

// reaches reports whether got is at least as strong as want.
func reaches(got, want ClassRef) bool {
	return got == want || want == ClassUnspecified || stronger(got, want) ||
		level(got) > 0 && level(got) == level(want) && !profiled(want)
}

// proven returns the classes that an authentication proves. Who passed the REFEDS
// profile of several factors has passed several factors.
func (c AuthnContext) proven() []ClassRef {
	all := slices.Concat([]ClassRef{c.Class}, c.Also)
	if slices.Contains(all, ClassREFEDSMFA) {
		all = append(all, ClassMicrosoftMFA)
	}
	return all
}

// Answer returns the class that answers the demand out of those that an
// authentication proves, and whether there is one (SAML Core 3.3.2.2.1). Of
// several it is the first in the order of the request, then in that of c. A
// demand for "unspecified" is answered by any authentication; exactly, it is
// answered in its own words, which are true of all.
func (r RequestedContext) Answer(c AuthnContext) (ClassRef, bool) {
	if len(r.Classes) == 0 {
		return c.Class, true
	}
	proven := c.proven()
	if r.Comparison != ComparisonBetter {
		for _, want := range r.Classes {
			if slices.Contains(proven, want) {
				return want, true
			}
		}
	}
	for _, got := range proven {
		if r.admits(got) {
			return got, true
		}
	}
	if r.Comparison == ComparisonExact && slices.Contains(r.Classes, ClassUnspecified) {
		return ClassUnspecified, true
	}
	return "", false
}

// admits reports whether a class answers, apart from being one of the demanded.
func (r RequestedContext) admits(got ClassRef) bool {
	switch r.Comparison {
	case ComparisonExact:
		return false
	case ComparisonMinimum:
		return slices.ContainsFunc(r.Classes, func(want ClassRef) bool { return reaches(got, want) })
	case ComparisonMaximum:
		return slices.ContainsFunc(r.Classes, func(most ClassRef) bool { return most == ClassUnspecified || level(got) > 0 && reaches(most, got) })
	case ComparisonBetter:
		return !slices.ContainsFunc(r.Classes, func(want ClassRef) bool { return !stronger(got, want) })
	}
	return false
}

// Satisfied reports whether an authentication of c answers the demand.
func (r RequestedContext) Satisfied(c AuthnContext) bool {
	_, met := r.Answer(c)
	return met
}
