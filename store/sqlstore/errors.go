package sqlstore

import (
	"context"
	"errors"

	"github.com/samlet-id/samlet/identity"
)

// errConflict marks a transaction that lost against a concurrent one and would
// succeed if it were run again. It never leaves the package.
var errConflict = errors.New("lost against a concurrent transaction")

func notFound(what string) error {
	return &identity.Error{Kind: identity.KindNotFound, Code: "store.not_found", Msg: "There is no such " + what + ".", Who: identity.WhoOperator}
}

func exists(what string) error {
	return &identity.Error{Kind: identity.KindExists, Code: "store.exists", Msg: "This " + what + " exists already.", Who: identity.WhoOperator}
}

func invalid(msg string, err error) error {
	return &identity.Error{Kind: identity.KindInvalid, Code: "store.invalid", Msg: msg, Who: identity.WhoOperator, Err: err}
}

func unavailable(code identity.Code, msg string, err error) error {
	return &identity.Error{Kind: identity.KindUnavailable, Code: code, Msg: msg, Who: identity.WhoOperator, Err: err}
}

func failed(err error) error {
	return &identity.Error{Kind: identity.KindInternal, Code: "store.failed", Msg: "The database refused an operation.", Who: identity.WhoOperator, Err: err}
}

func misuse(msg string) error {
	return &identity.Error{Kind: identity.KindInternal, Code: "store.misuse", Msg: msg, Who: identity.WhoOperator}
}

func closed() error {
	return unavailable("store.closed", "The store is closed.", nil)
}

// cancelled turns the end of a context into an Error; errors.Is still finds
// context.Canceled or context.DeadlineExceeded.
func cancelled(err error) error {
	return unavailable("store.cancelled", "The request ended before the database answered.", err)
}

// mapper is a dialect's way to tell what an error of its driver means: a
// finished error, or nil when it does not know.
type mapper func(error) error

// apply returns err as an identity.Error (or errConflict); nil stays nil.
func (m mapper) apply(err error) error {
	if err == nil {
		return nil
	}
	if _, done := errors.AsType[*identity.Error](err); done || errors.Is(err, errConflict) {
		return err
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return cancelled(err)
	}
	if mapped := m(err); mapped != nil {
		return mapped
	}
	return failed(err)
}

// opening says which database could not be opened, in one sentence. name must
// not be a DSN of PostgreSQL, which can hold a password.
func opening(name string, err error) error {
	e := *identity.AsError(err)
	e.Msg = "The database " + name + " cannot be opened: " + e.Msg
	return &e
}

// dangling is the answer to a reference to something that is not there.
func dangling(err error) error {
	return &identity.Error{Kind: identity.KindNotFound, Code: "store.not_found", Msg: "The record or session that this belongs to does not exist.", Who: identity.WhoOperator, Err: err}
}

func changed(what string) error {
	return &identity.Error{Kind: identity.KindExists, Code: "store.changed", Msg: "This " + what + " was changed meanwhile.", Who: identity.WhoOperator}
}
