package identity

import "time"

// RelyingParty is one downstream application as the operator configured it. Its
// endpoints and keys are in its metadata.
type RelyingParty struct {
	ID       RelyingPartyID
	EntityID EntityID
	Name     string

	NameID  NameIDRule
	Release []ReleaseRule // what may leave; nothing else does
	// ReleaseRequested adds the attributes that the party's own metadata
	// requests: the operator accepted them when the party was added without a
	// list.
	ReleaseRequested bool

	Sign    SignRule
	Encrypt Mode
	// SessionLifetime is told to the party as SessionNotOnOrAfter; zero tells
	// it nothing.
	SessionLifetime time.Duration
	Disabled        bool
}

// NameIDRule says how a relying party knows people when its request does not.
type NameIDRule struct {
	Format Format // empty: the request's, then the metadata's first that we issue, then transient
	Source Name   // for unspecified: the attribute to use; empty means the user name
}

// ReleaseRule lets one attribute leave towards one relying party.
type ReleaseRule struct {
	Attribute  Name
	As         string     // name on the wire; empty: the catalogue's
	NameFormat NameFormat // of As; empty: NameFormatURI if As is a URI, else NameFormatBasic
	Only       []string   // glob patterns a value must match one of; empty lets every value pass
}

// SignRule says what is signed towards one relying party. The zero value leaves
// it to the party's metadata (WantAssertionsSigned).
type SignRule struct {
	Assertion       Switch
	Response        Switch
	RequireRequests Switch // refuse unsigned AuthnRequests; Auto follows AuthnRequestsSigned
}

// Switch is a setting that can also be left to the other side's metadata.
type Switch int

// The positions of a Switch.
const (
	Auto Switch = iota
	On
	Off
)

// String returns "auto", "on" or "off".
func (s Switch) String() string {
	switch s {
	case On:
		return "on"
	case Off:
		return "off"
	case Auto:
		return "auto"
	}
	return "auto"
}

// Mode says whether assertions to a relying party are encrypted.
type Mode int

// The modes. The zero value encrypts wherever the party has a key.
const (
	IfAvailable Mode = iota
	Required
	Never
)

// String returns the mode as config.yaml spells it.
func (m Mode) String() string {
	switch m {
	case Required:
		return "required"
	case Never:
		return "off"
	case IfAvailable:
		return "if_available"
	}
	return "if_available"
}

// Connection is one upstream identity source as the operator configured it.
type Connection struct {
	ID           ConnectionID
	Type         string // "local", "saml"; names the driver
	Name         string // what a person reads on the button
	EmailDomains []string
	Mapping      []MapRule
	Create       bool // make a Record for a Principal that is not known yet
	Disabled     bool
}

// MapRule fills one canonical attribute from what the upstream said.
type MapRule struct {
	To    Name
	From  []string // upstream names; the first that has a value is used
	Value string   // a constant, used when From is empty or gives nothing
}
