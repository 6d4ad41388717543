package identity

import "time"

// Logout is the wish of a relying party, or of an upstream, that sessions end
// (SAML Core 3.7.1). It names them as whoever asks knows them, and can name no
// other.
type Logout struct {
	RelyingParty RelyingPartyID
	Connection   ConnectionID // in place of RelyingParty: the upstream that asks
	Audience     EntityID     // whom the NameID is for by its protocol name: the relying party, or ourselves at the upstream
	// Principal is the NameID, as it was received. Of an upstream the Subject may
	// be empty, and then Indexes alone say which sessions.
	Principal Principal
	Indexes   []SessionID // SessionIndex; none means every session of the principal there
	// Message names the message for ever, and Expires is when it stops
	// counting: until then it ends sessions once.
	Message string
	Expires time.Time
	State   []byte // what the asking protocol wants back when it answers; nil: nobody waits for an answer
}

// Reach says how a relying party can be told that a session has ended.
type Reach struct {
	Direct  bool     // from us to it, without a browser
	Browser bool     // through the person's browser
	Origins []string // where the browser may be led in doing so: the origins of its metadata
}

// LogoutState is how far a relying party is in ending its own session. The zero
// value is that nobody knows yet.
type LogoutState int

// The states.
const (
	LogoutPending     LogoutState = iota // told, or about to be
	LogoutDone                           // it has confirmed that its session ended
	LogoutFailed                         // it did not answer in time, or not well
	LogoutUnsupported                    // it has no way to be told
)

// String returns the state as one word.
func (s LogoutState) String() string {
	switch s {
	case LogoutPending:
		return "pending"
	case LogoutDone:
		return "done"
	case LogoutFailed:
		return "failed"
	case LogoutUnsupported:
		return "unsupported"
	}
	return "pending"
}

// LogoutReason says who wanted a session to end (SAML Core 3.7.3).
type LogoutReason string

// The reasons of SAML Core 3.7.3.
const (
	LogoutByUser  LogoutReason = "urn:oasis:names:tc:SAML:2.0:logout:user"
	LogoutByAdmin LogoutReason = "urn:oasis:names:tc:SAML:2.0:logout:admin"
)

// UpstreamSession is what an upstream knows of a session that came from it.
type UpstreamSession struct {
	Connection ConnectionID
	Principal  Principal // as its assertion named the person
	Index      SessionID // its SessionIndex or sid, if it gave one
	Hint       string    // its Assertion's LogoutHint
}
