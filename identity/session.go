package identity

import "time"

// Session is one person's login in one browser.
type Session struct {
	ID         SessionID // not the cookie's value, which is stored hashed beside it
	Record     RecordID
	Context    AuthnContext
	Connection ConnectionID     // how the person came in; LocalConnection for a password
	Upstream   Principal        // as the upstream named the person; zero for a local login
	UpstreamIx SessionID        // the upstream's SessionIndex or sid, for its logout
	Proxy      ProxyRestriction // of the upstream
	Created    time.Time
	NotAfter   time.Time // the session ends here at the latest
}

// LocalConnection is the connection of people who sign in with samlet itself.
const LocalConnection ConnectionID = "local"

// Participant is a relying party that received an assertion within a session
// (SAML Profiles 4.4: session participant). It keeps what a LogoutRequest must
// repeat.
type Participant struct {
	Session      SessionID
	RelyingParty RelyingPartyID
	Audience     EntityID
	Principal    Principal // the very NameID that was issued
	Index        SessionID // the SessionIndex that this relying party was told
	At           time.Time // the latest assertion
}
