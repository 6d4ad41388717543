package identity

import "time"

// ConsentMode says when a person is asked before attributes leave towards a
// relying party. The zero value never asks.
type ConsentMode int

// The modes of asking.
const (
	ConsentNever    ConsentMode = iota
	ConsentFirstUse             // once, until it is withdrawn
	ConsentOnChange             // again when another attribute or another value would leave
	ConsentAlways
)

// String returns the mode as config.yaml spells it.
func (m ConsentMode) String() string {
	switch m {
	case ConsentFirstUse:
		return "first_use"
	case ConsentOnChange:
		return "on_change"
	case ConsentAlways:
		return "always"
	case ConsentNever:
		return "never"
	}
	return "never"
}

// The consent identifiers of SAML Core 8.4 that samlet states.
const (
	ConsentURIExplicit = "urn:oasis:names:tc:SAML:2.0:consent:current-explicit"
	ConsentURIPrior    = "urn:oasis:names:tc:SAML:2.0:consent:prior"
)

// Consent is a person's word that attributes may leave towards one relying
// party. There is at most one of a record and relying party; withdrawing
// deletes it.
type Consent struct {
	Record       RecordID
	RelyingParty RelyingPartyID
	Attributes   []string // what it covers: names as they were shown, for the person to read
	Digest       string   // of names and values, to tell whether anything changed
	At           time.Time
}
