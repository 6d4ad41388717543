package templates

// Join asks somebody whom a connection has authenticated, and who is not known
// here by it, whether they have an account.
type Join struct {
	Action       string
	Ticket       string
	RelyingParty string
	Connection   string // display name of the connection that they came by
	Account      string // whom it says that they are; may be empty
	Exists       bool   // an account has the mail address for which the connection answers
	Create       bool   // they may go on without one
	Cancellable  bool
}

// Proving says on the pages of signing in that an account is proved, so that the
// way by which somebody came is joined to it.
type Proving struct {
	Connection string // display name of that way
	Back       string // path back to Join
}

func (Join) template() string { return "join" }
