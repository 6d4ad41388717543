package login

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/web"
	"github.com/samlet-id/samlet/store"
)

// Start begins a login, or answers at once where the browser's session already
// does. A refusal that needs no browser is returned as an identity.Error.
//
// A cross-site POST carries no Lax cookie, so that its session is found one
// redirect later.
func (a *Authenticator) Start(w http.ResponseWriter, r *http.Request, req identity.AuthnRequest) (identity.Outcome, error) {
	if _, ok := web.LocalPath(req.Resume); !ok {
		return identity.Outcome{}, fmt.Errorf("starting a login: Resume %q is no path of ours", req.Resume)
	}
	rp, err := a.party(req.RelyingParty)
	if err != nil {
		return identity.Outcome{}, err
	}
	if _, err := nameIDFormat(rp, req); err != nil {
		return identity.Outcome{}, err
	}
	out, answered, err := a.answer(r, rp, req)
	if err != nil || answered {
		return identity.Outcome{Assertion: out}, err
	}
	return a.begin(w, r, req)
}

// begin opens a transaction, unless it is refused already.
func (a *Authenticator) begin(w http.ResponseWriter, r *http.Request, req identity.AuthnRequest) (identity.Outcome, error) {
	t := transaction{Request: req, Began: a.now()}
	if err := a.headed(r, &t); err != nil {
		return identity.Outcome{}, err
	}
	if d := a.decide(&t, nil, t.Began); d.step == stepRefuse && r.Method == http.MethodGet {
		return identity.Outcome{}, d.why
	}
	id, err := identity.NewToken(a.cfg.Rand)
	if err != nil {
		return identity.Outcome{}, err
	}
	if r.Method == http.MethodGet {
		if t.Browser, err = a.bind(w, r); err != nil {
			return identity.Outcome{}, err
		}
	}
	if err := a.open(r.Context(), t, id); err != nil {
		return identity.Outcome{}, fmt.Errorf("opening a login transaction: %w", err)
	}
	return identity.Outcome{Redirect: a.path("/login?t=" + id)}, nil
}

// answer is the hot path: one View, in which the session, its record and the
// stored identifier are read, and an entry in the journal. Only the first visit
// to a relying party that keeps an identifier writes.
func (a *Authenticator) answer(r *http.Request, rp identity.RelyingParty, req identity.AuthnRequest) (identity.Assertion, bool, error) {
	token, ok := a.cfg.Web.Cookie(r, sessionCookie)
	if !ok {
		return identity.Assertion{}, false, nil
	}
	ctx, now := r.Context(), a.now()
	var out identity.Assertion
	var l *live
	var o *offer
	read := func(mint minting) func(*store.Tx) error {
		return func(tx *store.Tx) error {
			var err error
			if l, err = a.sessionIn(ctx, tx, token, now); err != nil || l == nil {
				return err
			}
			t := transaction{Request: req}
			if req.IsPassive {
				t.Connection = a.leads(r, req, l)
			}
			d, prepared, err := a.next(ctx, tx, &t, rp, l, now)
			o = prepared
			switch {
			case err != nil:
				return err
			case d.step == stepRefuse:
				return d.why
			case d.step != stepFinish:
				l = nil
				return nil
			}
			out, err = a.issue(ctx, tx, mint, o, now)
			return err
		}
	}
	err := a.cfg.Store.View(ctx, read(mintNever))
	if errors.Is(err, errMint) {
		err = a.cfg.Store.Update(ctx, read(mintStored))
	}
	if err != nil && l != nil && refuses(err) {
		return identity.Assertion{}, false, errors.Join(err, a.journal.add(entry{event: refusalEvent(ctx, l.session, req, err, now)}))
	}
	if err != nil || l == nil {
		return identity.Assertion{}, false, err
	}
	a.tell(ctx, o)
	return out, true, a.journal.add(entry{participant(*l, req, out, now), releaseEvent(ctx, *l, req, out, now)})
}

// next is decide, with the offer to the relying party where somebody's
// authentication answers the request: the one of the transaction itself, else the
// live session l, which may be nil.
func (a *Authenticator) next(ctx context.Context, tx *store.Tx, t *transaction, rp identity.RelyingParty, l *live, now time.Time) (decision, *offer, error) {
	var g *guest
	if l != nil {
		g = &guest{session: l.session, record: &l.record}
		if !t.ended() {
			var err error
			if g.gap, err = a.gap(ctx, tx, t.Request, l.session, l.record, now); err != nil {
				return decision{}, nil, err
			}
		}
	}
	d := a.decide(t, g, now)
	if d.step != stepFinish {
		return d, nil, nil
	}
	if t.Session != nil && (l == nil || l.session.ID != t.Session.ID) {
		rec, err := tx.Records.Get(ctx, t.Session.Record)
		if err != nil {
			return decision{}, nil, fmt.Errorf("reading the record: %w", err)
		}
		l = &live{session: *t.Session, record: rec}
	}
	o, err := a.prepare(ctx, tx, rp, t.Request, *l, t.Agreed)
	if err != nil {
		return decision{}, nil, err
	}
	g = &guest{session: o.live.session, record: &o.live.record, refusal: o.refusal, ask: o.consent.due}
	return a.decide(t, g, now), o, nil
}

// refuses reports whether err answers the request, and is no failure of ours.
func refuses(err error) bool {
	e, ok := errors.AsType[*identity.Error](err)
	return ok && (e.Kind == identity.KindDenied || e.Kind == identity.KindNeedsInteraction || e.Kind == identity.KindContextUnmet)
}

// Result ends the login that the browser of r has come back from: it takes the
// ticket, once, and returns the request with the assertion that answers it, or
// with the identity.Error that refuses it. Without a request (its Resume is
// empty) there is nobody to answer but the person at the browser: the ticket is
// old, was taken before, or is another browser's.
func (a *Authenticator) Result(_ http.ResponseWriter, r *http.Request) (identity.AuthnRequest, identity.Assertion, error) {
	id := r.URL.Query().Get("t")
	t, err := a.load(r, id)
	if err != nil {
		return identity.AuthnRequest{}, identity.Assertion{}, a.signedInInstead(r, err)
	}
	if !t.ended() || t.own() {
		return identity.AuthnRequest{}, identity.Assertion{}, errStale("This sign-in is not finished yet.", nil)
	}
	rp, err := a.party(t.Request.RelyingParty)
	if err != nil {
		return t.Request, identity.Assertion{}, err
	}
	ctx, now := r.Context(), a.now()
	var out identity.Assertion
	var why error // refuses, and the Update goes through all the same
	err = a.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		out, why = identity.Assertion{}, nil
		if _, err := tx.Tickets.Take(ctx, store.PurposeLogin, id, now); err != nil {
			return err
		}
		if t.Refusal != nil {
			why = t.Refusal.err()
			return nil
		}
		if out, why, err = a.deliver(ctx, tx, rp, t, now); err != nil || why == nil {
			return err
		}
		return tx.Events.Append(ctx, refusalEvent(ctx, *t.Session, t.Request, why, now))
	})
	if identity.KindOf(err) == identity.KindNotFound && err != nil {
		return identity.AuthnRequest{}, identity.Assertion{}, a.signedInInstead(r, errStale("This sign-in was finished in another tab.", err))
	}
	if err != nil {
		return identity.AuthnRequest{}, identity.Assertion{}, fmt.Errorf("finishing the login: %w", err)
	}
	return t.Request, out, why
}

// deliver releases what the transaction's session has to say. It looks again at
// the session and its record: the person may have signed out in another tab, or
// the operator may have disabled them.
func (a *Authenticator) deliver(ctx context.Context, tx *store.Tx, rp identity.RelyingParty, t *ticket, now time.Time) (out identity.Assertion, why, err error) {
	there, err := exists(ctx, tx, t.Session.Record, t.Session.ID)
	if err != nil {
		return identity.Assertion{}, nil, fmt.Errorf("reading the session: %w", err)
	}
	if !there {
		return identity.Assertion{}, errStale("You signed out before this sign-in was finished.", nil), nil
	}
	rec, err := tx.Records.Get(ctx, t.Session.Record)
	if err != nil {
		return identity.Assertion{}, nil, fmt.Errorf("reading the record: %w", err)
	}
	if why := a.barred(rec); why != nil {
		return identity.Assertion{}, why, nil
	}
	l := live{session: *t.Session, record: rec}
	o, err := a.prepare(ctx, tx, rp, t.Request, l, t.Agreed)
	if err != nil {
		return identity.Assertion{}, nil, err
	}
	if o.consent.due && !t.Request.IsPassive {
		return identity.Assertion{}, nil, a.errUnasked(t)
	}
	if out, err = a.issue(ctx, tx, mintStored, o, now); refuses(err) {
		return identity.Assertion{}, err, nil
	}
	if err != nil {
		return identity.Assertion{}, nil, err
	}
	a.tell(ctx, o)
	if err := tx.Sessions.Join(ctx, participant(l, t.Request, out, now)); err != nil {
		return identity.Assertion{}, nil, fmt.Errorf("recording the participant: %w", err)
	}
	if err := tx.Events.Append(ctx, releaseEvent(ctx, l, t.Request, out, now)); err != nil {
		return identity.Assertion{}, nil, fmt.Errorf("recording the answer: %w", err)
	}
	return out, nil, nil
}

func (a *Authenticator) party(id identity.RelyingPartyID) (identity.RelyingParty, error) {
	rp, ok := a.cfg.RelyingParty(id)
	if !ok || rp.Disabled {
		return identity.RelyingParty{}, &identity.Error{
			Kind: identity.KindDenied, Code: "sp.unknown", Who: identity.WhoOperator,
			Msg: "This sign-in service does not serve the application, or not any more.", Seen: string(id),
		}
	}
	return rp, nil
}

func releaseEvent(ctx context.Context, l live, req identity.AuthnRequest, out identity.Assertion, now time.Time) identity.Event {
	e := sessionEvent(ctx, identity.EventRelease, l.session, now)
	e.RelyingParty, e.Detail = req.RelyingParty, releaseDetail(out)
	if req.Unsolicited {
		e.Detail += " unsolicited"
	}
	if len(out.Lacking) > 0 {
		e.Code = codeLacking
	}
	return e
}

func refusalEvent(ctx context.Context, s identity.Session, req identity.AuthnRequest, why error, now time.Time) identity.Event {
	e := sessionEvent(ctx, identity.EventRefused, s, now)
	e.RelyingParty, e.Code = req.RelyingParty, identity.CodeOf(why)
	return e
}

// signedInInstead words a stale ticket for somebody who is signed in: nothing is
// wrong with them.
func (a *Authenticator) signedInInstead(r *http.Request, err error) error {
	stale, ok := errors.AsType[*identity.Error](err)
	if !ok || stale.Code != "ui.stale" {
		return err
	}
	l, lerr := a.session(r)
	if lerr != nil {
		return lerr
	}
	if l == nil {
		return err
	}
	return errStale("You are signed in already. Go back to the application to use it.", err)
}
