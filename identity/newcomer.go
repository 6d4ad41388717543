package identity

// Newcomer is somebody whom an upstream has authenticated and as whom nobody is
// known here, where it is for the person to say whether they have an account
// already. It is an error, so that whoever cannot ask fails, and nobody takes the
// upstream's subject for a record of ours.
type Newcomer struct {
	Connection ConnectionID
	Who        Principal // by whom a link is found
	Said       Assertion // of the upstream's principal; the attributes have our names
	// Exists says that a record has a mail address that the upstream vouches for.
	// Of any other address nobody is told whether there is one.
	Exists bool
}

// Error implements error.
func (n *Newcomer) Error() string {
	return "nobody is known here by a principal of connection " + string(n.Connection)
}

// Unwrap returns what there is to say where no question can be put.
func (n *Newcomer) Unwrap() error {
	return &Error{
		Kind: KindNeedsInteraction, Code: "link.ask", Who: WhoUser,
		Msg: "You are new here by this way of signing in, and have to be asked first whether you have an account already. Sign in in a browser, once.",
	}
}
