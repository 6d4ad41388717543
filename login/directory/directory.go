// Package directory is the login method of a password that a directory knows:
// the page that asks for it, the limits of tries that all passwords share, and
// one answer to whatever is wrong. It does not know how a directory is asked, nor
// how an entry becomes a record.
package directory

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/login"
	"github.com/samlet-id/samlet/store"
	"github.com/samlet-id/samlet/templates"
)

// Source proves that a name and a password belong together. It is safe for
// concurrent use.
type Source interface {
	// Authenticate returns an assertion about the local record. Whatever does not
	// belong together is KindDenied with code login.failed.
	Authenticate(ctx context.Context, name, password string) (identity.Assertion, error)
}

// Config is what New needs.
type Config struct {
	Store      store.Store
	Source     Source
	Connection identity.ConnectionID
	Limits     login.Limits
	Now        func() time.Time
}

// Method is a directory's password as a login.Method. It is safe for concurrent
// use.
type Method struct {
	cfg   Config
	turns chan struct{}
}

// workers is how many tries are judged at once.
const workers = 8

// New checks cfg.
func New(cfg Config) (*Method, error) {
	if cfg.Store == nil || cfg.Source == nil || cfg.Connection == "" || cfg.Now == nil {
		return nil, errors.New("directory: Store, Source, Connection and Now are required")
	}
	var err error
	if cfg.Limits, err = cfg.Limits.WithDefaults(); err != nil {
		return nil, fmt.Errorf("directory: %w", err)
	}
	return &Method{cfg: cfg, turns: make(chan struct{}, workers)}, nil
}

// ID implements login.Method.
func (m *Method) ID() identity.Method { return identity.MethodPassword }

// Class implements login.Method: browsers reach us, and we the directory, over
// TLS or loopback alone.
func (m *Method) Class() identity.ClassRef { return identity.ClassPasswordProtectedTransport }

// Also implements login.Method: how good a directory's passwords are, only the
// directory knows.
func (m *Method) Also() []identity.ClassRef { return nil }

// Held implements login.Method. By which name the directory knows the person of a
// record is not kept here.
func (m *Method) Held(context.Context, *store.Tx, identity.Record) (string, error) { return "", nil }

// Challenge implements login.Method. It looks nobody up.
func (m *Method) Challenge(_ context.Context, s login.Step) (templates.Page, error) {
	return templates.Password{
		Action: s.Action, Ticket: s.Ticket, RelyingParty: s.RelyingParty, Identifier: s.Identifier,
		Problem: s.Problem, NotYou: s.Again, Proving: s.Proving, Cancellable: s.Cancellable,
	}, nil
}

// Verify implements login.Method. Looking at the count, asking and counting happen
// within one of few turns, so that of tries in parallel at most as many slip
// through in between.
func (m *Method) Verify(ctx context.Context, s login.Step, answer url.Values) (login.Factor, error) {
	given := answer.Get(templates.FieldPassword)
	if given == "" {
		return login.Factor{}, &identity.Error{Kind: identity.KindInvalid, Code: "login.form", Who: identity.WhoUser, Msg: "Enter your password."}
	}
	select {
	case m.turns <- struct{}{}:
		defer func() { <-m.turns }()
	case <-ctx.Done():
		return login.Factor{}, fmt.Errorf("waiting for a turn: %w", ctx.Err())
	}
	now := m.cfg.Now().UTC()
	var over time.Time
	err := m.cfg.Store.View(ctx, func(tx *store.Tx) error {
		var err error
		over, err = m.cfg.Limits.Over(ctx, tx, s, now)
		return err
	})
	if err != nil {
		return login.Factor{}, err
	}
	if !over.IsZero() {
		return login.Factor{}, m.refuse(ctx, s, login.ErrLimited(over.Sub(now)), false)
	}
	said, err := m.cfg.Source.Authenticate(ctx, s.Identifier, given)
	if n, ok := errors.AsType[*identity.Newcomer](err); ok {
		n.Said.Context = m.context()
		return login.Factor{}, n
	}
	if err != nil {
		return login.Factor{}, m.judge(ctx, s, err)
	}
	return login.Factor{
		Record:  identity.RecordID(said.Principal.Subject),
		Context: m.context(),
		Settle:  func(ctx context.Context, tx *store.Tx) error { return m.cfg.Limits.Forget(ctx, tx, s) },
	}, nil
}

// context is what a right answer proves, here and now.
func (m *Method) context() identity.AuthnContext {
	return identity.AuthnContext{
		Class: m.Class(), Methods: []identity.Method{identity.MethodPassword}, AAL: identity.AAL1, Instant: m.cfg.Now().UTC(),
	}
}

// judge returns what is told of err. Whoever is kept out is told what everybody is
// who gives a wrong password, the audit trail apart.
func (m *Method) judge(ctx context.Context, s login.Step, err error) error {
	why, ok := errors.AsType[*identity.Error](err)
	if !ok || why.Kind != identity.KindDenied {
		return err
	}
	return m.refuse(ctx, s, why, why.Code == "login.failed" || why.Code == "login.locked" || why.Code == "user.disabled")
}

// refuse records a refusal, and counts it if it is a wrong answer.
func (m *Method) refuse(ctx context.Context, s login.Step, why *identity.Error, wrong bool) error {
	now := m.cfg.Now().UTC()
	err := m.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		if wrong {
			if err := m.cfg.Limits.Hit(ctx, tx, s, now); err != nil {
				return err
			}
		}
		return tx.Events.Append(ctx, identity.Event{
			At: now, Type: identity.EventLoginFailed, RequestID: s.RequestID,
			RelyingParty: s.Party, Connection: m.cfg.Connection, Code: why.Code,
		})
	})
	if err != nil {
		return fmt.Errorf("recording a failed login: %w", err)
	}
	if !wrong {
		return why
	}
	told := &identity.Error{
		Kind: identity.KindDenied, Code: "login.failed", Who: identity.WhoUser, Err: why.Err,
		Msg: "That name and password do not belong together. Try again.",
	}
	if why.Code == "login.locked" {
		told.Msg = why.Msg // the source's choice, which may be the words above
	}
	return told
}
