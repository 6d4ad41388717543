package login

import (
	"context"
	"net/url"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/store"
	"github.com/samlet-id/samlet/templates"
)

// Method verifies one authenticator that a claimed person holds. It is safe for
// concurrent use. login/logintest holds every Method to this contract.
type Method interface {
	ID() identity.Method
	// Class is the context class that passing the method proves. The
	// dispatcher asks for it before it shows a page, so that nobody is asked for
	// what cannot help.
	Class() identity.ClassRef
	// Also are further classes that passing it may prove, if what was presented
	// is good enough.
	Also() []identity.ClassRef
	// Held returns the identifier by which the person of rec can pass the method, or
	// "" if they cannot: somebody who is known already is asked for nothing that they
	// do not have.
	Held(ctx context.Context, tx *store.Tx, rec identity.Record) (string, error)
	// Challenge returns the page that asks. It is the same, and takes the same
	// time, whether or not anybody is known by the step's identifier.
	Challenge(ctx context.Context, s Step) (templates.Page, error)
	// Verify judges an answer. Whatever is not right, wrong answer, unknown or
	// disabled person, is one KindDenied that does not say which, after the same
	// work; too many tries are KindDenied with code rate.limited, and a busy
	// server KindUnavailable. These go onto the page as its Problem; any other
	// error ends the request.
	Verify(ctx context.Context, s Step, answer url.Values) (Factor, error)
}

// Step is what a Method is told of the transaction that it serves.
type Step struct {
	Ticket       string // login ticket, for the page's hidden field
	Action       string // path that the page posts to
	Again        string // path that leads back to naming oneself
	RelyingParty string // display name of the application
	Party        identity.RelyingPartyID
	Identifier   string             // what the person typed
	Problem      string             // why the last answer did not do; empty at first
	Proving      *templates.Proving // what an account is proved for; nil: somebody signs in
	After        string             // display name of the connection by which the person has come in and lacks but this; empty: they have not
	Cancellable  bool
	Address      string // where the answer came from
	RequestID    string
}

// Factor is a verified authenticator.
type Factor struct {
	Record  identity.RecordID
	Context identity.AuthnContext
	// Settle, if not nil, is what the Method wants written in the very
	// Update that makes the session.
	Settle func(ctx context.Context, tx *store.Tx) error
}
