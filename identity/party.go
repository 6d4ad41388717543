package identity

import (
	"slices"
	"time"
)

// RelyingParty is one downstream application as the operator configured it. Its
// endpoints and keys are in its metadata.
type RelyingParty struct {
	ID       RelyingPartyID
	EntityID EntityID
	Name     string
	// Issuer is the entityID under which this party alone knows us; empty means
	// the one by which everybody else does.
	Issuer EntityID

	NameID    NameIDRule
	SubjectID SubjectIDRule
	Release   []ReleaseRule // what may leave; nothing else does
	// ReleaseRequested adds the attributes that the party's own metadata
	// requests: the operator accepted them when the party was added without a
	// list. With ReleaseRequired only those that it says it cannot do without.
	ReleaseRequested, ReleaseRequired bool

	Access  Condition // who may be signed in there; nil: everybody
	Refusal string    // what is told to those who may not; empty: a sentence of ours
	// Organizations are those whose people are served, by their own connections
	// alone; none: everybody.
	Organizations []OrganizationID
	Consent       ConsentMode

	Sign    SignRule
	Encrypt EncryptRule
	// ExactAsMinimum reads a RequestedAuthnContext of comparison "exact" as
	// "minimum": for parties that demand a password and cannot be taught that
	// something stronger will do.
	ExactAsMinimum bool

	// SessionLifetime is told to the party as SessionNotOnOrAfter; zero tells
	// it nothing.
	SessionLifetime time.Duration
	IDPInitiated    bool // unsolicited Responses may be sent (SAML Profiles 4.1.5)
	ECP             bool // enhanced clients may sign in (SAML Profiles 4.2)
	// DiscoveryResponses are where it takes the answers of identity provider discovery,
	// beside those of its metadata.
	DiscoveryResponses []string
	NoLogout           bool // it is never told of logouts, and cannot begin one
	Disabled           bool
}

// Person is what conditions and expressions of the configuration may look at.
type Person struct {
	Attributes   Attributes
	Context      AuthnContext
	Connection   ConnectionID // how the person came in
	Organization OrganizationID
	RelyingParty RelyingPartyID
}

// Condition says whether something applies to a person. It is pure, bounded in
// time and memory, and safe for concurrent use. An error means that it cannot
// tell, which never counts as true.
type Condition func(Person) (bool, error)

// Expression computes values of an attribute from a person; like a Condition it
// is pure, bounded and safe for concurrent use.
type Expression func(Person) ([]string, error)

// NameIDRule says how a relying party knows people when its request does not.
type NameIDRule struct {
	Format Format // empty: the request's, then the metadata's first that we issue, then transient
	// Source is the attribute whose value names the person; empty means an
	// identifier of ours for persistent, the mail address for emailAddress, the
	// user name for all others.
	Source Name
	// The qualifiers to state; empty: as SAML Core 8.3 has them for the format.
	NameQualifier, SPNameQualifier string
	None                           bool // the assertion names nobody
}

// SubjectIDRule says which subject identifier attribute a relying party gets
// (SAML Subject Identifier Attributes Profile). The zero value does what the
// party's metadata asks for.
type SubjectIDRule int

// The rules for subject identifier attributes.
const (
	SubjectIDRequested SubjectIDRule = iota // subject-id:req in the metadata
	SubjectIDNone
	SubjectIDGeneral  // subject-id
	SubjectIDPairwise // pairwise-id
)

// ReleaseRule lets one attribute leave towards one relying party. Its values are
// those of Attribute, or Constant, or what Value computes: one of the three.
type ReleaseRule struct {
	Attribute Name
	Constant  []string
	Value     Expression

	As           string     // name on the wire; empty: the catalogue's
	NameFormat   NameFormat // of As; empty: NameFormatURI if As is a URI, else NameFormatBasic
	FriendlyName string     // empty: the catalogue's
	Only         []string   // glob patterns a value must match one of; empty lets every value pass
	// Sources are the origins whose values pass; empty lets all pass. It tells
	// what a person typed from what an upstream vouches for.
	Sources []Source
	First   bool   // the first value alone
	Join    string // not empty: all values in one, separated by it
}

// SignRule says what is signed towards one relying party, and how. The zero
// value leaves it to the party's metadata (WantAssertionsSigned, SigningMethod).
type SignRule struct {
	Assertion       Switch
	Response        Switch
	RequireRequests Switch // refuse unsigned AuthnRequests; Auto follows AuthnRequestsSigned
	Algorithm       string // URI of the SignatureMethod; empty: the party's favourite among ours
	Key             string // id of the key that signs; empty: an active one
}

// EncryptRule says whether and how assertions to a relying party are encrypted.
type EncryptRule struct {
	Mode         Mode
	Content      string // URI of the algorithm; empty: the party's favourite among ours
	KeyTransport string // likewise
	Digest       string // of KeyTransport; likewise
	AllowCBC     bool   // for a party that knows nothing better
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
	Type         string   // "local", "saml"; names the driver
	Name         string   // what a person reads on the button
	Issuer       EntityID // whose principals it brings; empty for local
	EmailDomains []string
	// ErrorURL is the https URL at which the upstream helps people who were stopped
	// here, with placeholders of the SAML V2.0 Metadata Deployment Profile for errorURL
	// to be filled in; empty if it names none.
	ErrorURL string
	// LeadRemembered sends whoever's browser remembers the connection there without
	// asking; else it is offered before all others.
	LeadRemembered bool
	Organization   OrganizationID // whose people it brings, if it is an organization's
	Mapping        []MapRule
	Once           []Name // what it says at the first sign-in alone, and no later silence takes away
	Create         bool   // make a Record for a Principal that is not known yet
	Existing       ExistingRule
	LinkBy         Name // attribute of the upstream whose value names the person; empty: the NameID or sub does
	Disabled       bool
	Trust          []ClassTrust // which of its context classes are believed; none, if empty
	// AskDemanded has what a relying party demands asked of it, as Trust translates
	// that; else it is asked for no class but those of Require.
	AskDemanded bool
	// Require are classes, as it says them: one of them is asked for at every
	// sign-in, and no other is accepted.
	Require []ClassRef
}

// Provides reports whether a sign-in by the connection may answer a demand: what
// is believed of it is in its table, and of any other sign-in nothing is known but
// that there was one.
func (c Connection) Provides(demand RequestedContext) bool {
	if demand.Satisfied(AuthnContext{Class: ClassUnspecified}) {
		return true
	}
	return slices.ContainsFunc(c.Trust, func(t ClassTrust) bool { return demand.Satisfied(AuthnContext{Class: t.To}) })
}

// ClassTrust says what a context class in the mouth of an upstream is worth here.
type ClassTrust struct {
	From ClassRef // as the upstream says it
	To   ClassRef // what we say of it in turn
}

// ExistingRule says what becomes of a Principal that is not known yet if there is
// a Record of the same person, which their mail address alone does not say.
type ExistingRule int

// The rules. The zero value leaves the Record alone.
const (
	ExistingNever    ExistingRule = iota
	ExistingVerified              // links them, if both sides vouch for the address and the connection owns its domain
	ExistingAsk                   // asks the person, who has to prove the account
)

// MapRule fills one canonical attribute from what the upstream said. Each value of
// From and Value goes through Match, Translate and Only, in this order, and is dropped where one of
// them does not know it.
type MapRule struct {
	To    Name
	From  []string // upstream names; the first that has a value is used
	Match string   // RE2 pattern of the whole value; empty matches all
	// Replace is what becomes of a value that matched: $1 is the first group, ${name}
	// a named one. Empty leaves the value as it is.
	Replace   string
	Translate []Translation
	// KeepOthers lets values pass that Translate does not list.
	KeepOthers bool
	Only       []string   // glob patterns a value must match one of; empty lets every value pass
	Value      Derivation // computes values, used when From is empty or gives nothing
	Constant   []string   // used, as they are, when From and Value are empty or give nothing
	Required   bool       // a login that fills nothing is refused
}

// Derivation computes values from what an upstream said, under the upstream's own
// names. The zero value computes nothing.
type Derivation struct {
	Names []Name // of the attributes that it looks at
	// Compute is a pure function, safe for concurrent use, and bounded in time and
	// memory. An error means that it could not be told.
	Compute func(ConnectionID, Assertion) ([]string, error)
}

// Translation gives one value another name, octet for octet.
type Translation struct{ From, To string }
