package templates

import "time"

// Consent asks before attributes leave towards an application.
type Consent struct {
	Action       string // path that the form posts to
	Ticket       string // login ticket
	Digest       string // what FieldDigest brings back: the person agrees to what was shown
	RelyingParty string // display name of the application
	Account      string // whom it is about, as the person knows themselves; may be empty
	Items        []ConsentItem
	Each         bool   // they are asked at every sign-in
	OnChange     bool   // they are asked again when something has changed
	Manage       string // path of Consents
}

// ConsentItem is one thing that the application would learn.
type ConsentItem struct {
	Label    string // as the operator named it; not translated
	Values   []string
	Required bool // the application says that it cannot do without
}

// Consents lists what a person has allowed, with a button each to take it back.
type Consents struct {
	Action   string // path that the forms post to
	Proof    string // for FieldProof
	SignedIn bool   // else the page only says that nobody is
	Account  string
	Done     string // what was just withdrawn: the display name of an application
	Given    []ConsentGiven
	Ways     string // path of Account
	Back     string // path of the sign-out page
}

// ConsentGiven is one consent.
type ConsentGiven struct {
	ID     string // value of FieldWithdraw
	Name   string // display name of the application
	Labels []string
	At     time.Time // UTC
}

func (Consent) template() string  { return "consent" }
func (Consents) template() string { return "consents" }
