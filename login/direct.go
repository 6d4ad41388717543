package login

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/web"
	"github.com/samlet-id/samlet/store"
	"github.com/samlet-id/samlet/templates"
)

// Authenticate answers req for a client that brings a name and a password and can
// be shown nothing (SAML Profiles 4.2). It is a browser's login without pages: the
// same dispatcher decides, the same method verifies and counts tries, and the same
// rules say who may be signed in where and what leaves. What would take a page, an
// upstream or a question of consent, is KindNeedsInteraction.
//
// A wrong name or password is the method's own error ("login.failed",
// "login.form", "rate.limited", or KindUnavailable); any other identity.Error of
// somebody who proved themselves answers the request.
func (a *Authenticator) Authenticate(ctx context.Context, r *http.Request, req identity.AuthnRequest, identifier, password string) (identity.Assertion, error) {
	rp, err := a.party(req.RelyingParty)
	if err != nil {
		return identity.Assertion{}, err
	}
	if _, err := nameIDFormat(rp, req); err != nil {
		return identity.Assertion{}, err
	}
	// The proof is here already, so that no page is needed for it; others that
	// would be are refused below, whether or not the request forbids them.
	req.IsPassive = false
	t := transaction{Request: req, Began: a.now(), Identifier: strings.TrimSpace(identifier)}
	// Whoever belongs elsewhere has to sign in there, as in a browser.
	t.Connection = cmp.Or(a.typed(req, t.Identifier).Connection, identity.LocalConnection)
	switch d := a.decide(&t, nil, t.Began); d.step {
	case stepMethod:
	case stepRefuse:
		return identity.Assertion{}, d.why
	case stepFinish, stepIdentify, stepChoose, stepFactor, stepUpstream, stepConsent, stepJoin:
		return identity.Assertion{}, errPageNeeded()
	}
	factor, err := a.method(t.Connection).Verify(ctx, Step{
		RelyingParty: a.nameOf(req.RelyingParty), Party: req.RelyingParty, Identifier: t.Identifier,
		Address: a.cfg.ClientIP(r), RequestID: web.RequestID(ctx),
	}, url.Values{templates.FieldPassword: {password}})
	if err != nil {
		return identity.Assertion{}, err
	}
	return a.settleDirect(ctx, rp, t, factor)
}

// settleDirect makes the session that the answer speaks of, and the answer, in
// one Update. No client holds its bearer value; it is there for logouts, which
// find it by what the relying party was told. Nothing can prolong it.
func (a *Authenticator) settleDirect(ctx context.Context, rp identity.RelyingParty, began transaction, f Factor) (identity.Assertion, error) {
	token, err := identity.NewToken(a.cfg.Rand)
	if err != nil {
		return identity.Assertion{}, err
	}
	id, err := identity.NewSubject(a.cfg.Rand)
	if err != nil {
		return identity.Assertion{}, err
	}
	now := a.now()
	s := identity.Session{
		ID: identity.SessionID(id), Record: f.Record, Context: f.Context, Connection: began.Connection,
		Created: now, NotAfter: now.Add(min(a.cfg.Sessions.Idle, a.cfg.Sessions.Absolute)),
	}
	var out identity.Assertion
	var told *offer
	var why error // refuses, and the Update goes through all the same
	err = a.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		out, told, why = identity.Assertion{}, nil, nil
		rec, err := tx.Records.Get(ctx, f.Record)
		if err != nil {
			return fmt.Errorf("reading the record of who signed in: %w", err)
		}
		if f.Settle != nil {
			if err := f.Settle(ctx, tx); err != nil {
				return err
			}
		}
		t, l := &ticket{transaction: began}, live{session: s, record: rec}
		o, refusal, err := a.judgeDirect(ctx, tx, rp, t, l)
		if err != nil {
			return err
		}
		if refusal == nil {
			out, err = a.issue(ctx, tx, mintStored, o, now)
			if err != nil && !refuses(err) {
				return err
			}
			refusal = err
		}
		if why = refusal; why != nil {
			return tx.Events.Append(ctx, refusalEvent(ctx, s, t.Request, why, now))
		}
		told = o
		return a.joinDirect(ctx, tx, t, l, token, out)
	})
	if err != nil {
		return identity.Assertion{}, fmt.Errorf("answering a client: %w", err)
	}
	a.tell(ctx, told)
	return out, why
}

// judgeDirect is the dispatcher's word on somebody who has proved who they are:
// the offer that answers, or why nothing does.
func (a *Authenticator) judgeDirect(ctx context.Context, tx *store.Tx, rp identity.RelyingParty, t *ticket, l live) (*offer, error, error) {
	if why := a.barred(l.record); why != nil {
		return nil, why, nil
	}
	now := l.session.Created
	a.end(t, l.session, now)
	d, o, err := a.next(ctx, tx, &t.transaction, rp, &l, now)
	switch {
	case err != nil:
		return nil, nil, err
	case d.step == stepRefuse:
		return nil, d.why, nil
	case d.step != stepFinish:
		return nil, errPageNeeded(), nil
	}
	return o, nil, nil
}

// joinDirect stores the session and its one participant.
func (a *Authenticator) joinDirect(ctx context.Context, tx *store.Tx, t *ticket, l live, token string, out identity.Assertion) error {
	now := l.session.Created
	if err := tx.Sessions.Create(ctx, token, l.session); err != nil {
		return fmt.Errorf("creating the session: %w", err)
	}
	if err := tx.Sessions.Join(ctx, participant(l, t.Request, out, now)); err != nil {
		return fmt.Errorf("recording the participant: %w", err)
	}
	err := tx.Events.Append(ctx, a.event(ctx, identity.EventLogin, t, l.session, ""), releaseEvent(ctx, l, t.Request, out, now))
	if err != nil {
		return fmt.Errorf("recording the answer: %w", err)
	}
	return nil
}

// errPageNeeded is a login that cannot go on without showing something.
func errPageNeeded() *identity.Error {
	return &identity.Error{
		Kind: identity.KindNeedsInteraction, Code: "login.page_needed", Who: identity.WhoUser,
		Msg: "This sign-in needs a page, which this client cannot show. Sign in to the application in a browser.",
	}
}
