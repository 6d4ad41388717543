package identity

import (
	"errors"
	"fmt"
)

// Kind says to machines what sort of failure an Error is; each edge (page, API,
// SAML status, OIDC error) translates it with one exhaustive switch.
type Kind int

// The kinds. The zero value is KindInternal, so that an error whose maker
// forgot the kind is never shown as the other side's fault.
const (
	KindInternal Kind = iota
	KindInvalid
	KindExpired
	KindReplayed
	KindDenied
	KindNotFound
	KindExists
	KindNeedsInteraction
	KindContextUnmet
	KindUnavailable
)

// String returns the kind as one lower-case word.
func (k Kind) String() string {
	switch k {
	case KindInternal:
		return "internal"
	case KindInvalid:
		return "invalid"
	case KindExpired:
		return "expired"
	case KindReplayed:
		return "replayed"
	case KindDenied:
		return "denied"
	case KindNotFound:
		return "not_found"
	case KindExists:
		return "exists"
	case KindNeedsInteraction:
		return "needs_interaction"
	case KindContextUnmet:
		return "context_unmet"
	case KindUnavailable:
		return "unavailable"
	}
	return "internal"
}

// Code is a stable slug of the error catalogue, such as "up.audience". Pages,
// log lines, events and SAML status messages carry it.
type Code string

// Who says who can put a failure right.
type Who string

// Who acts.
const (
	WhoUser     Who = "user"
	WhoVendor   Who = "application"
	WhoPartner  Who = "identity provider"
	WhoOperator Who = "operator"
)

// Error is a failure whose kind is known. Msg is one plain sentence, safe for
// the person at the browser; Seen and Expected are for whoever has to repair
// it, and name no personal data; Back is a path of ours on which the person can
// go another way, if there is one; Err is for the log alone.
type Error struct {
	Kind     Kind
	Code     Code
	Msg      string
	Seen     string
	Expected string
	Who      Who
	Back     string
	// Help is the https URL of a page by whoever has to repair it, for the person who is
	// stuck. ERRORURL_TID in it becomes the request's ID where it is shown.
	Help   string
	Report string // a path of ours at which whoever has to repair it reads the same
	Err    error
}

// Error implements error: code, message, what was seen and expected, and the
// cause. It is meant for logs.
func (e *Error) Error() string {
	s := string(e.Code) + ": " + e.Msg
	if e.Seen != "" || e.Expected != "" {
		s += fmt.Sprintf(" (seen %q, expected %q)", e.Seen, e.Expected)
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// AsError returns the Error that err is or wraps. Any other error becomes
// KindInternal with code "internal" and a message that gives nothing away. It
// returns nil for nil.
func AsError(err error) *Error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return &Error{Kind: KindInternal, Code: "internal", Msg: "Something went wrong on our side.", Who: WhoOperator, Err: err}
}

// KindOf returns the Kind of err: KindInternal unless err is or wraps an Error.
func KindOf(err error) Kind { return AsError(err).kind() }

func (e *Error) kind() Kind {
	if e == nil {
		return KindInternal
	}
	return e.Kind
}

// CodeOf returns the Code of err, "internal" unless err is or wraps an Error.
func CodeOf(err error) Code {
	if e := AsError(err); e != nil {
		return e.Code
	}
	return ""
}

// Is makes errors.Is(err, &Error{Kind: k}) and errors.Is(err, &Error{Code: c})
// match by kind or code; an empty Code or, with a Code given, the Kind is not
// compared.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	if !ok {
		return false
	}
	if t.Code != "" {
		return t.Code == e.Code
	}
	return t.Kind == e.Kind
}
