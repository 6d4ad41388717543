package login

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/samlet-id/samlet/binding"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/web"
	"github.com/samlet-id/samlet/store"
)

// paramParked names the parked message on the GET that a POST was answered with,
// paramRelayState what a SAML peer sends back unchanged (SAML Bindings 3.4.3), and
// paramState what an OAuth authorization server does.
const (
	paramParked     = "parked"
	paramRelayState = "RelayState"
	paramArtifact   = "SAMLart"
	paramState      = "state"
)

// leave sends the browser to the transaction's connection. What the connector
// wants back is stored before the browser hears where to go.
func (a *Authenticator) leave(w http.ResponseWriter, r *http.Request, t *ticket) error {
	req := t.Request
	if t.Identifier != "" {
		req.LoginHint = t.Identifier
	}
	msg, state, err := a.cfg.Upstream.Begin(r.Context(), t.Connection, req, t.id)
	if kind := identity.KindOf(err); err != nil && !t.proving() && (kind == identity.KindDenied || kind == identity.KindNeedsInteraction || kind == identity.KindContextUnmet) {
		return a.rejected(w, r, t, err) // what the relying party demands cannot be had there
	}
	if err != nil {
		return fmt.Errorf("beginning at connection %q: %w", t.Connection, err)
	}
	t.Sent, t.State = true, state
	if err := a.store(r.Context(), t); err != nil {
		return err
	}
	return a.cfg.Web.Send(w, r, msg.URL, msg.Form)
}

// parked is an upstream's answer that waits for its browser.
type parked struct {
	Connection identity.ConnectionID
	Ticket     string
	Message    binding.Received
}

// Return takes an upstream's answer at the address of one connection. A message
// that a cross-site POST brings comes without the browser's Lax cookies: it is
// parked, and the browser sent to the same path by GET, where the cookies tell
// whether it is the browser that was sent away.
func (a *Authenticator) Return(w http.ResponseWriter, r *http.Request, id identity.ConnectionID) error {
	if r.Method == http.MethodGet && r.URL.Query().Has(paramParked) {
		return a.fetch(w, r, id, r.URL.Query().Get(paramParked))
	}
	in, err := binding.Receive(w, r, 0)
	if err != nil {
		return fmt.Errorf("receiving from connection %q: %w", id, err)
	}
	err = a.park(w, r, id, in)
	if errors.Is(err, errNoLogin) && a.cfg.Unsolicited != nil {
		return a.cfg.Unsolicited(w, r, id, in, err)
	}
	return err
}

// errNoLogin says that an answer names no login that is under way.
var errNoLogin = errors.New("no login is under way")

// ticketOf returns the ticket that a message brings back unchanged: as RelayState in
// a SAML form, or beside an artifact of the query (SAML Bindings 3.6.3.1), which is
// all of SAML that comes by GET; as state in the query or form of an OAuth answer
// (RFC 6749 section 4.1.2).
func ticketOf(in binding.Received) (string, bool) {
	form, told := in.Form, paramRelayState
	if in.Method == http.MethodGet {
		var err error
		if form, err = url.ParseQuery(in.RawQuery); err != nil {
			return "", false
		}
		told = paramArtifact
	}
	name := paramRelayState
	if !form.Has(told) {
		name = paramState
	}
	if len(form[name]) != 1 || form.Get(name) == "" {
		return "", false
	}
	return form.Get(name), true
}

// park keeps in, if it names a login that waits for this connection. There is
// one place per login, so that nobody fills the store; a second message
// replaces the first.
func (a *Authenticator) park(w http.ResponseWriter, r *http.Request, id identity.ConnectionID, in binding.Received) error {
	relay, ok := ticketOf(in)
	if !ok {
		return errUnsolicited()
	}
	payload, err := json.Marshal(parked{Connection: id, Ticket: relay, Message: in})
	if err != nil {
		return fmt.Errorf("encoding the parked message: %w", err)
	}
	place := hashed("parked\x00" + relay)
	ctx, now := r.Context(), a.now()
	err = a.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		raw, err := tx.Tickets.Get(ctx, store.PurposeLogin, relay, now)
		if err != nil {
			return errStale("This sign-in was too long ago, or was not begun here.", fmt.Errorf("%w: %w", errNoLogin, err))
		}
		t, err := decodeTicket(relay, raw)
		if err != nil {
			return err
		}
		if err := t.awaits(id); err != nil {
			return err
		}
		if _, err := tx.Tickets.Take(ctx, store.PurposeParked, place, now); err != nil && identity.KindOf(err) != identity.KindNotFound {
			return fmt.Errorf("clearing the place of the message: %w", err)
		}
		return tx.Tickets.Put(ctx, store.Ticket{
			Purpose: store.PurposeParked, ID: place, Payload: payload, Expires: now.Add(parkedLife),
		}, now)
	})
	if err != nil {
		return err
	}
	a.cfg.Web.Redirect(w, r, r.URL.EscapedPath()+"?"+paramParked+"="+url.QueryEscape(place))
	return nil
}

// awaits refuses an answer from anywhere but where the browser was sent: an
// honest flow must not be finished at another identity provider (mix-up).
func (t *ticket) awaits(id identity.ConnectionID) error {
	switch {
	case t.ended(), t.State == nil && t.Sent && t.Connection == id:
		return errStale("This answer was used already.", nil)
	case t.Connection != id || t.State == nil:
		return &identity.Error{
			Kind: identity.KindInvalid, Code: "up.mix_up", Who: identity.WhoPartner,
			Msg:  "The answer came from another identity provider than the one you were sent to.",
			Seen: string(id), Expected: string(t.Connection),
		}
	}
	return nil
}

// fetch takes the parked message, once, in the browser that was sent away.
func (a *Authenticator) fetch(w http.ResponseWriter, r *http.Request, id identity.ConnectionID, place string) error {
	p, err := a.peek(r.Context(), place)
	if err != nil {
		return a.old(w, r, err)
	}
	t, err := a.load(r, p.Ticket)
	if err != nil {
		return a.old(w, r, err)
	}
	if t.Browser == "" || p.Connection != id {
		return errStale("This answer belongs to another sign-in.", nil)
	}
	if err := t.awaits(id); err != nil {
		return a.old(w, r, err)
	}
	state := t.State
	t.State = nil
	ctx, now := r.Context(), a.now()
	var raw store.Ticket
	err = a.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		if _, err := tx.Tickets.Take(ctx, store.PurposeParked, place, now); err != nil {
			return errStale("This answer was used already.", err)
		}
		raw, err = a.rewrite(ctx, tx, t)
		return err
	})
	if err != nil {
		return a.moved(w, r, t, err)
	}
	t.raw = raw
	// Whoever comes may end sessions of somebody else (EndWithin), whose participants
	// are read from the store.
	if err := a.journal.flush(ctx); err != nil {
		return err
	}
	got, err := a.cfg.Upstream.Finish(ctx, id, state, p.Message)
	if n, ok := errors.AsType[*identity.Newcomer](err); ok {
		return a.moved(w, r, t, a.met(w, r, t, *n))
	}
	if err != nil {
		return a.rejected(w, r, t, err)
	}
	err = a.arrived(w, r, t, arrival{
		record: identity.RecordID(got.Principal.Subject), context: got.Context, connection: id,
		upstream: got.Upstream, upstreamIx: got.Session, hint: got.LogoutHint, proxy: got.Proxy, notAfter: got.NotAfter,
	})
	return a.moved(w, r, t, err)
}

func (a *Authenticator) peek(ctx context.Context, place string) (parked, error) {
	var p parked
	var raw store.Ticket
	err := a.cfg.Store.View(ctx, func(tx *store.Tx) error {
		var err error
		raw, err = tx.Tickets.Get(ctx, store.PurposeParked, place, a.now())
		return err
	})
	if identity.KindOf(err) == identity.KindNotFound && err != nil {
		return p, errStale("This answer was used already, or was too long ago.", err)
	}
	if err != nil {
		return p, fmt.Errorf("reading the parked message: %w", err)
	}
	if err := json.Unmarshal(raw.Payload, &p); err != nil {
		return p, fmt.Errorf("decoding the parked message: %w", err)
	}
	return p, nil
}

// rejected ends an upstream's answer that proves nobody. Where the upstream, or
// we, will not have the person, the relying party is told. What is wrong between
// the upstream and us is shown to the person, who may come back to the ticket
// and go another way.
func (a *Authenticator) rejected(w http.ResponseWriter, r *http.Request, t *ticket, err error) error {
	ctx := r.Context()
	why := identity.AsError(err)
	tell := false
	switch why.Kind {
	case identity.KindDenied, identity.KindNeedsInteraction, identity.KindContextUnmet:
		// What proves no account is not the relying party's affair.
		if tell = !t.proving(); tell {
			t.Refusal = refuse(why)
		}
	case identity.KindInternal, identity.KindInvalid, identity.KindExpired, identity.KindReplayed,
		identity.KindNotFound, identity.KindExists, identity.KindUnavailable:
		if tell = t.Request.IsPassive; tell {
			t.Refusal = refuse(errSilent(why))
		}
	}
	werr := a.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		e := a.event(ctx, identity.EventLoginFailed, t, identity.Session{Connection: t.Connection}, why.Code)
		e.Seen, e.Expected, e.Who = nameless(why.Seen), nameless(why.Expected), why.Who
		if err := tx.Events.Append(ctx, e); err != nil {
			return fmt.Errorf("recording the failed login: %w", err)
		}
		return a.save(ctx, tx, t)
	})
	if werr != nil {
		return a.moved(w, r, t, errors.Join(werr, err))
	}
	if !tell {
		on := *why
		if why.Who == identity.WhoPartner || why.Who == identity.WhoOperator {
			on.Report = a.path("/problem/" + web.RequestID(ctx))
		}
		on.Back, on.Err = a.againPath(t.id), fmt.Errorf("finishing at connection %q: %w", t.Connection, err)
		return &on
	}
	a.cfg.Web.Redirect(w, r, t.resume())
	return nil
}

func errUnsolicited() *identity.Error {
	return &identity.Error{
		Kind: identity.KindInvalid, Code: "up.unsolicited", Who: identity.WhoUser, Err: errNoLogin,
		Msg: "Your organization's sign-in sent an answer that nobody asked for. Start from the application instead.",
	}
}
