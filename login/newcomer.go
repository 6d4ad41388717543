package login

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/web"
	"github.com/samlet-id/samlet/store"
	"github.com/samlet-id/samlet/templates"
)

// newcomer is whom an upstream has authenticated in a transaction, and as whom
// nobody is known yet. They are asked whether they have an account. Who has one
// proves it within the same transaction, in the same browser, afresh: a session
// that is there may be of whoever sat there before. Only then are the two linked.
type newcomer struct {
	identity.Newcomer
	// Proving says that the account is being proved. The transaction is about that
	// meanwhile, and these are what it was about.
	Proving bool                  `json:",omitempty"`
	Request identity.AuthnRequest `json:",omitzero"`
	Began   time.Time             `json:",omitzero"`
}

// proving reports whether the transaction is about the proof of an account that a
// newcomer says is theirs.
func (t *transaction) proving() bool { return t.Newcomer != nil && t.Newcomer.Proving }

// prove turns the transaction to the proof of the account. What the relying party
// wants of the answer does not bind the proof.
func (t *transaction) prove(now time.Time) {
	n := t.Newcomer
	if n.Proving {
		return
	}
	n.Proving, n.Request, n.Began = true, t.Request, t.Began
	req := &t.Request
	req.Connection, req.Hint, req.Scoping, req.Context, req.MaxAge = "", "", identity.Scoping{}, identity.RequestedContext{}, 0
	req.ForceAuthn, req.KnownOnly, req.Except, req.LoginHint = true, true, n.Connection, n.mail()
	t.Began = now
	t.wayless()
}

// proved turns the transaction back to what it was about.
func (t *transaction) proved() {
	n := t.Newcomer
	if n == nil || !n.Proving {
		return
	}
	t.Request, t.Began = n.Request, n.Began
	n.Proving, n.Request, n.Began = false, identity.AuthnRequest{}, time.Time{}
	t.wayless()
}

// wayless forgets who somebody said that they are, and the way that this led.
func (t *transaction) wayless() {
	t.Identifier, t.Connection, t.Chosen, t.Sent, t.State = "", "", false, false, nil
}

// mail is the address that the upstream asserts. It is a hint, and shown to the
// person whom it was asserted of alone.
func (n *newcomer) mail() string {
	if mails := n.Said.Attributes[identity.Mail]; len(mails) > 0 {
		return mails[0]
	}
	return ""
}

// arrival is what a session of the newcomer is made of, as the record id.
func (n *newcomer) arrival(id identity.RecordID) arrival {
	return arrival{
		record: id, context: n.Said.Context, connection: n.Connection, upstream: n.Said.Principal, upstreamIx: n.Said.Session, hint: n.Said.LogoutHint, proxy: n.Said.Proxy, notAfter: n.Said.NotAfter,
	}
}

// over refuses a newcomer whose sign-in upstream has run out while they were asked.
func (n *newcomer) over(now time.Time) error {
	if n.Said.NotAfter.IsZero() || now.Before(n.Said.NotAfter) {
		return nil
	}
	return errStale("Your sign-in has run out meanwhile.", nil)
}

// met takes somebody whom an upstream has authenticated and nobody is known as.
// Where an account was to be proved, this proves none.
func (a *Authenticator) met(w http.ResponseWriter, r *http.Request, t *ticket, n identity.Newcomer) error {
	if t.Adding != nil {
		return a.add(w, r, t, "", n.Said.Context, &n)
	}
	if t.proving() {
		return a.rejected(w, r, t, &identity.Error{
			Kind: identity.KindDenied, Code: "link.unproved", Who: identity.WhoUser, Seen: string(n.Connection), Expected: "a way in by which the account is known",
			Msg: "Nobody is known here by that way of signing in, either. Sign in the way you did before, or say that you have no account.",
		})
	}
	t.Newcomer = &newcomer{Newcomer: n}
	t.wayless()
	// Where nothing could be proved there is nothing to ask.
	probe := t.transaction
	probe.Newcomer = &newcomer{Newcomer: n}
	probe.prove(a.now())
	if local, upstreams := a.offer(probe.Request); !local && len(upstreams) == 0 {
		return a.enrol(w, r, t)
	}
	if err := a.store(r.Context(), t); err != nil {
		return err
	}
	a.cfg.Web.Redirect(w, r, a.loginPath(t.id))
	return nil
}

// joining takes a newcomer's answer: that they have an account, or none.
func (a *Authenticator) joining(w http.ResponseWriter, r *http.Request, t *ticket, form url.Values) error {
	switch {
	case t.Newcomer == nil:
		return a.dispatch(w, r, t, view{})
	case form.Get(templates.FieldJoin) == "yes":
		t.prove(a.now())
		return a.onward(w, r, t)
	case form.Get(templates.FieldJoin) == "no":
		return a.enrol(w, r, t)
	}
	return &identity.Error{Kind: identity.KindInvalid, Code: "login.form", Who: identity.WhoUser, Msg: "The form arrived without an answer."}
}

// enrol goes on with a newcomer who has no account, or says so.
func (a *Authenticator) enrol(w http.ResponseWriter, r *http.Request, t *ticket) error {
	n := t.Newcomer
	if err := n.over(a.now()); err != nil {
		return err
	}
	t.proved()
	t.Connection = n.Connection
	got, err := a.cfg.Upstream.Enrol(r.Context(), n.Newcomer)
	if err != nil {
		return a.rejected(w, r, t, err)
	}
	return a.establish(w, r, t, n.arrival(identity.RecordID(got.Principal.Subject)))
}

// arrived takes somebody who has proved who they are: they are signed in, or their
// account has just been proved, and the newcomer is joined to it.
func (a *Authenticator) arrived(w http.ResponseWriter, r *http.Request, t *ticket, who arrival) error {
	if t.Adding != nil {
		return a.add(w, r, t, who.record, who.context, nil)
	}
	if !t.proving() {
		return a.establish(w, r, t, who)
	}
	if why := stale(t.transaction, identity.Session{Context: who.context}); why != nil {
		return a.rejected(w, r, t, &identity.Error{
			Kind: identity.KindContextUnmet, Code: "link.unproved", Who: identity.WhoPartner, Seen: why.Seen, Expected: why.Expected,
			Msg: "To join the two you have to sign in to your account afresh, but you were not asked again there.",
		})
	}
	n := t.Newcomer
	if err := n.over(a.now()); err != nil {
		return err
	}
	t.proved()
	t.Connection = n.Connection
	joined := n.arrival(who.record)
	if who.connection == identity.LocalConnection { // nobody is asked for the same twice
		joined.context = steppedUp(joined.context, who.context)
	}
	joined.settle = func(ctx context.Context, tx *store.Tx) error {
		if who.settle != nil {
			if err := who.settle(ctx, tx); err != nil {
				return err
			}
		}
		return a.cfg.Upstream.Join(ctx, tx, n.Newcomer, who.record, who.connection)
	}
	err := a.establish(w, r, t, joined)
	if errors.Is(err, errMoved) {
		return err
	}
	if why, ok := errors.AsType[*identity.Error](err); ok && why.Kind != identity.KindInternal && why.Kind != identity.KindUnavailable {
		return a.unjoined(w, r, t, who.record, why)
	}
	return err
}

// unjoined ends the transaction of a newcomer who could not be joined to the
// record.
func (a *Authenticator) unjoined(w http.ResponseWriter, r *http.Request, t *ticket, id identity.RecordID, why *identity.Error) error {
	ctx := r.Context()
	err := a.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		e := a.event(ctx, identity.EventLinkRefused, t, identity.Session{Record: id, Connection: t.Connection}, why.Code)
		return tx.Events.Append(ctx, e)
	})
	if err != nil {
		return fmt.Errorf("recording that nobody was linked: %w", err)
	}
	return a.conclude(w, r, t, why)
}

// askJoin shows the question.
func (a *Authenticator) askJoin(w http.ResponseWriter, r *http.Request, t *ticket) error {
	if r.Method == http.MethodPost {
		a.cfg.Web.Redirect(w, r, a.loginPath(t.id))
		return nil
	}
	n := t.Newcomer
	page := templates.Join{
		Action: a.path("/login"), Ticket: t.id, RelyingParty: a.nameOf(t.Request.RelyingParty), Cancellable: true,
		Account: cmp.Or(n.mail(), named(n.Said.Attributes)), Exists: n.Exists,
	}
	c := a.connection(n.Connection)
	page.Connection, page.Create = c.Name, c.Create
	return a.cfg.Web.Render(w, r, http.StatusOK, page, web.RenderOptions{})
}

// connection finds a connection that people may choose; any other is no more than
// its ID.
func (a *Authenticator) connection(id identity.ConnectionID) identity.Connection {
	all := a.cfg.Upstream.Connections()
	if i := slices.IndexFunc(all, func(c identity.Connection) bool { return c.ID == id }); i >= 0 {
		c := all[i]
		c.Name = cmp.Or(c.Name, string(id))
		return c
	}
	return identity.Connection{ID: id, Name: string(id)}
}

// proof says on the pages of a proof what it is for.
func (a *Authenticator) proof(t *ticket) *templates.Proving {
	if !t.proving() {
		return nil
	}
	return &templates.Proving{Connection: a.connection(t.Newcomer.Connection).Name, Back: a.loginPath(t.id) + "&" + templates.FieldJoin + "=1"}
}
