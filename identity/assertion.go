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
	Attributes Attributes // what is known; empty once it is decided what leaves
	Released   []Released // what leaves, at the last station alone: one for each attribute on the wire
	Lacking    []Name     // what the relying party says it cannot do without, and is not told
	Session    SessionID  // SessionIndex, sid
	Proxy      ProxyRestriction
	NotAfter   time.Time // SessionNotOnOrAfter; zero means that no bound was stated
	Upstream   Principal // as the upstream named the person, once Principal is ours; its Subject may be empty
	// LogoutHint is what the upstream wants to be shown when the session ends that
	// comes of this: an ID token. It is kept apart from the session.
	LogoutHint string
	Remarks    []Remark // on what the upstream said
	Consent    string   // a consent identifier of SAML Core 8.4; empty: nothing is said
}

// Remark is something about an upstream's answer that the operator should know
// although it was accepted.
type Remark struct {
	Code   Code
	Detail string // for the log and the audit trail: names and counts, no values
}

// Released is one attribute as it leaves towards one relying party. No two of an
// assertion go by the same name.
type Released struct {
	Attribute    Name       // by our name; empty for what no attribute of the catalogue says
	As           string     // on the wire; empty: as the catalogue calls Attribute there
	NameFormat   NameFormat // of As; empty: NameFormatURI if As is a URI, else NameFormatBasic
	FriendlyName string     // empty: the catalogue's
	Values       []string   // at least one
}
