package login

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/web"
	"github.com/samlet-id/samlet/store"
)

// sessionCookie carries the bearer value of the session. It ends with the
// browser; the store ends it earlier.
const sessionCookie = "samlet_session"

// live is a session that counts, and the record that it is of.
type live struct {
	session identity.Session
	record  identity.Record
}

// sessionIn returns the live session of a cookie's token, or nil. The record is
// read with it each time, so that whoever was disabled, on any node or by the
// command line, has no session from that moment on.
func (a *Authenticator) sessionIn(ctx context.Context, tx *store.Tx, token string, now time.Time) (*live, error) {
	l, err := a.kept(ctx, tx, token, now)
	if err != nil || l == nil || a.barred(l.record) != nil {
		return nil, err
	}
	return l, nil
}

// kept is sessionIn for whoever it is of: one that does not count now, since the person
// or their organization is disabled, counts again when they are not, unless it is ended.
func (a *Authenticator) kept(ctx context.Context, tx *store.Tx, token string, now time.Time) (*live, error) {
	if token == "" {
		return nil, nil
	}
	s, err := tx.Sessions.Get(ctx, token, now)
	if identity.KindOf(err) == identity.KindNotFound && err != nil {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the session: %w", err)
	}
	idle, err := a.idle(ctx, tx, s, now)
	if err != nil || idle {
		return nil, err
	}
	rec, err := tx.Records.Get(ctx, s.Record)
	if err != nil {
		if identity.KindOf(err) == identity.KindNotFound {
			return nil, nil
		}
		return nil, fmt.Errorf("reading the session's record: %w", err)
	}
	return &live{session: s, record: rec}, nil
}

// idle reports whether no relying party was answered for too long. A session
// younger than the bound needs no look at its participants.
func (a *Authenticator) idle(ctx context.Context, tx *store.Tx, s identity.Session, now time.Time) (bool, error) {
	if now.Sub(s.Created) <= a.cfg.Sessions.Idle {
		return false, nil
	}
	joined, err := tx.Sessions.Participants(ctx, s.ID)
	if err != nil {
		return false, fmt.Errorf("reading the session's participants: %w", err)
	}
	return !slices.ContainsFunc(joined, func(p identity.Participant) bool {
		return now.Sub(p.At) <= a.cfg.Sessions.Idle
	}), nil
}

// session is sessionIn in a View of its own, for the browser of r.
func (a *Authenticator) session(r *http.Request) (*live, error) {
	return a.find(r, a.sessionIn)
}

// find is session by another rule of what counts.
func (a *Authenticator) find(r *http.Request, in func(context.Context, *store.Tx, string, time.Time) (*live, error)) (*live, error) {
	token, ok := a.cfg.Web.Cookie(r, sessionCookie)
	if !ok {
		return nil, nil
	}
	var l *live
	ctx, now := r.Context(), a.now()
	err := a.cfg.Store.View(ctx, func(tx *store.Tx) error {
		var err error
		l, err = in(ctx, tx, token, now)
		return err
	})
	return l, err
}

// arrival is somebody who has just proved who they are.
type arrival struct {
	record     identity.RecordID
	context    identity.AuthnContext
	connection identity.ConnectionID
	upstream   identity.Principal // as the upstream named them; zero: as their link does
	upstreamIx identity.SessionID
	hint       string // what the upstream wants to be shown at the end
	stepsUp    bool   // the session goes on, with a factor more
	proxy      identity.ProxyRestriction
	notAfter   time.Time // the upstream's bound; zero for none
	settle     func(context.Context, *store.Tx) error
}

// establish makes the session of whoever has arrived, ends the transaction with
// it or with the dispatcher's refusal, and gives the browser its new bearer
// value: all in one Update, which is durable before the browser hears of it.
//
// The bearer value is always new, so that one that was planted before the login
// is worth nothing after it (ASVS 7.2.4). A person who signs in again keeps the
// session's ID, and with it the participants that a logout has to reach; a
// session of somebody else ends.
func (a *Authenticator) establish(w http.ResponseWriter, r *http.Request, t *ticket, who arrival) error {
	ctx, now := r.Context(), a.now()
	old, _ := a.cfg.Web.Cookie(r, sessionCookie) // no cookie is no session
	token, err := identity.NewToken(a.cfg.Rand)
	if err != nil {
		return err
	}
	id, err := identity.NewSubject(a.cfg.Rand)
	if err != nil {
		return err
	}
	if old != "" {
		// Who takes part in the old session is read below.
		if err := a.journal.flush(ctx); err != nil {
			return err
		}
	}
	var ended ticket
	var left []part // who took part in somebody else's session
	signedIn := false
	err = a.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		ended, signedIn, left = *t, false, nil
		rec, err := tx.Records.Get(ctx, who.record)
		if err != nil {
			return fmt.Errorf("reading the record of who signed in: %w", err)
		}
		if why := a.barred(rec); why != nil {
			ended.Refusal = refuse(why)
			if err := tx.Events.Append(ctx, a.event(ctx, identity.EventLoginFailed, &ended, identity.Session{Record: rec.ID, Connection: who.connection}, why.Code)); err != nil {
				return fmt.Errorf("recording the refused login: %w", err)
			}
			return a.save(ctx, tx, &ended)
		}
		s := identity.Session{
			ID: identity.SessionID(id), Record: who.record, Context: who.context, Connection: who.connection,
			Upstream: who.upstream, UpstreamIx: who.upstreamIx, Proxy: who.proxy, Created: now, NotAfter: earlier(now.Add(a.cfg.Sessions.Absolute), who.notAfter),
		}
		if who.settle != nil {
			if err := who.settle(ctx, tx); err != nil {
				return err
			}
		}
		if left, err = a.renew(ctx, tx, &s, old, token, now); err != nil {
			return err
		}
		if !who.stepsUp {
			if err := keepHint(ctx, tx, s, who.hint, now); err != nil {
				return err
			}
		}
		if err := tx.Events.Append(ctx, a.event(ctx, identity.EventLogin, &ended, s, "")); err != nil {
			return fmt.Errorf("recording the login: %w", err)
		}
		signedIn = true
		if err := a.settle(ctx, tx, &ended, s, rec, now); err != nil {
			return err
		}
		return a.save(ctx, tx, &ended)
	})
	if err != nil {
		return err
	}
	if signedIn {
		a.cfg.Web.SetCookie(w, sessionCookie, token, 0)
		a.remember(w, r, who.connection)
	}
	a.tellBehind(ctx, left, identity.LogoutByUser)
	a.cfg.Web.Redirect(w, r, a.onto(&ended))
	return nil
}

// renew stores s under token in place of the session that the browser had. If
// that was somebody else's it returns who took part in it.
func (a *Authenticator) renew(ctx context.Context, tx *store.Tx, s *identity.Session, old, token string, now time.Time) ([]part, error) {
	if err := a.nameUpstream(ctx, tx, s); err != nil {
		return nil, err
	}
	var joined []identity.Participant
	var left []part
	prev, err := a.previous(ctx, tx, old, now)
	switch {
	case err != nil:
		return nil, err
	case prev == nil:
	case prev.Record == s.Record:
		s.ID = prev.ID
		if joined, err = tx.Sessions.Participants(ctx, prev.ID); err != nil {
			return nil, fmt.Errorf("reading the old session's participants: %w", err)
		}
		if err := tx.Sessions.Delete(ctx, prev.ID); err != nil {
			return nil, fmt.Errorf("ending the old session: %w", err)
		}
	default:
		if left, err = a.endSession(ctx, tx, prev.ID, identity.Event{Detail: "somebody else signed in"}); err != nil {
			return nil, err
		}
	}
	if err := tx.Sessions.Create(ctx, token, *s); err != nil {
		return nil, fmt.Errorf("creating the session: %w", err)
	}
	for _, p := range joined {
		if err := tx.Sessions.Join(ctx, p); err != nil {
			return nil, fmt.Errorf("keeping a participant: %w", err)
		}
	}
	return left, nil
}

// keepHint keeps what the upstream of s wants to be shown when s ends, in place of
// what was kept before. It is no part of the session, which every request reads.
func keepHint(ctx context.Context, tx *store.Tx, s identity.Session, hint string, now time.Time) error {
	if _, err := takeHint(ctx, tx, s.ID, now); err != nil || hint == "" {
		return err
	}
	err := tx.Tickets.Put(ctx, store.Ticket{Purpose: store.PurposeHint, ID: string(s.ID), Payload: []byte(hint), Expires: s.NotAfter}, now)
	if err != nil {
		return fmt.Errorf("keeping what the upstream wants at the end: %w", err)
	}
	return nil
}

// takeHint returns what was kept for the end of a session, empty for nothing.
func takeHint(ctx context.Context, tx *store.Tx, id identity.SessionID, now time.Time) (string, error) {
	t, err := tx.Tickets.Take(ctx, store.PurposeHint, string(id), now)
	switch {
	case err == nil:
		return string(t.Payload), nil
	case identity.KindOf(err) == identity.KindNotFound:
		return "", nil
	}
	return "", fmt.Errorf("reading what the upstream wants at the end: %w", err)
}

// tellBehind tells those who took part in a session that ended because of somebody
// else's sign-in, while that sign-in goes on: its browser is on its way to an
// application and cannot be led round others, so that those who can be told in no
// other way are not, and the audit trail says so.
func (a *Authenticator) tellBehind(ctx context.Context, parts []part, why identity.LogoutReason) {
	if len(parts) == 0 {
		return
	}
	ctx = context.WithoutCancel(ctx)
	a.background.Go(func() {
		if err := a.tellDirectly(ctx, a.newWalk(parts, why)); err != nil {
			a.cfg.Log.LogAttrs(ctx, slog.LevelError, "recording who was told of a logout failed",
				slog.String("request_id", web.RequestID(ctx)), slog.String("err", err.Error()))
		}
	})
}

func (a *Authenticator) previous(ctx context.Context, tx *store.Tx, token string, now time.Time) (*identity.Session, error) {
	if token == "" {
		return nil, nil
	}
	s, err := tx.Sessions.Get(ctx, token, now)
	switch {
	case err == nil:
		return &s, nil
	case identity.KindOf(err) == identity.KindNotFound:
		return nil, nil
	}
	return nil, fmt.Errorf("reading the old session: %w", err)
}

// nameUpstream keeps in s how the upstream named the person, which its logout
// will have to repeat.
func (a *Authenticator) nameUpstream(ctx context.Context, tx *store.Tx, s *identity.Session) error {
	if s.Connection == identity.LocalConnection || s.Upstream.Issuer != "" {
		return nil
	}
	links, err := tx.Links.OfRecord(ctx, s.Record)
	if err != nil {
		return fmt.Errorf("reading the record's links: %w", err)
	}
	var last time.Time
	for _, l := range links {
		if l.Connection == s.Connection && !l.LastUsed.Before(last) {
			s.Upstream, last = l.Principal, l.LastUsed
		}
	}
	return nil
}

// index is the SessionIndex that one relying party is told of one session. It is
// computed, so that telling it again needs no write, and differs between relying
// parties, which could else compare notes (SAML Core 2.7.2). It rests on the
// session ID, which nobody outside is told.
func index(s identity.SessionID, rp identity.RelyingPartyID) identity.SessionID {
	sum := sha256.Sum256([]byte("samlet session index\x00" + string(s) + "\x00" + string(rp)))
	return identity.SessionID("s" + base32.HexEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:20]))
}

// event is an audit event of a transaction.
func (a *Authenticator) event(ctx context.Context, typ identity.EventType, t *ticket, s identity.Session, code identity.Code) identity.Event {
	e := sessionEvent(ctx, typ, s, a.now())
	e.RelyingParty, e.Code = t.Request.RelyingParty, code
	return e
}

func sessionEvent(ctx context.Context, typ identity.EventType, s identity.Session, now time.Time) identity.Event {
	return identity.Event{
		At: now, Type: typ, RequestID: web.RequestID(ctx),
		Record: s.Record, Session: s.ID, Connection: s.Connection,
	}
}

// earlier returns the earlier of two times; a zero bound is none.
func earlier(t, bound time.Time) time.Time {
	if bound.IsZero() || t.Before(bound) {
		return t
	}
	return bound
}

func errDisabled() *identity.Error {
	return &identity.Error{
		Kind: identity.KindDenied, Code: "user.disabled", Who: identity.WhoOperator,
		Msg: "This account may not sign in.",
	}
}
