package templates

import "time"

// Account lists how a person signs in, with a button each to undo what connects
// them with somebody elsewhere, and one for each connection that can be added.
type Account struct {
	Action      string // path that the forms post to
	Proof       string // for FieldProof
	SignedIn    bool   // else the page offers to sign in
	Account     string
	Fresh       bool // they were authenticated just now; else they are to do so before they change anything
	Done        AccountDone
	Problem     string
	Password    bool // they have a password here
	Ways        []AccountWay
	Connections []Connection // that can be added
	Search      *Search      // nil where all of those are listed
	Consents    string       // path of Consents
	SignOut     string       // path of the sign-out page
}

// AccountDone is what was just changed: the display name of a connection, or
// nothing.
type AccountDone struct{ Added, Removed string }

// AccountWay is one link.
type AccountWay struct {
	ID              string // value of FieldUnlink
	Name            string // display name of the connection
	Since, LastUsed time.Time
	Closed          bool // the connection is not there any more, or is switched off
	Last            bool // it cannot be undone: nothing else is left
}

func (Account) template() string { return "account" }
