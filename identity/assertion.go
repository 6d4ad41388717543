package identity

import "time"

// SessionID names one login session towards the outside: SessionIndex in SAML,
// sid in OIDC. It is not the bearer value of the cookie.
type SessionID string

// Assertion is the representation of a login at every station of the house.
// Principal.Issuer always says at which: the upstream's, samlet's own, or
// samlet as one relying party knows it.
type Assertion struct {
	Principal  Principal
	Context    AuthnContext
	Attributes Attributes
	Session    SessionID // SessionIndex, sid
	NotAfter   time.Time // SessionNotOnOrAfter; zero means that no bound was stated
	Consent    string    // a consent identifier of SAML Core 8.4; empty: nothing is said
}
