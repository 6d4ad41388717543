package login

import (
	"context"
	"fmt"
	"net/http"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/store"
)

// adding is somebody signed in who adds a way of signing in to their account. The
// transaction leads to the connection and back, and signs nobody in.
type adding struct {
	Record  identity.RecordID
	Session identity.SessionID // in which it was begun, and has to end
}

// beginAdding sends somebody who was authenticated just now to a connection.
// Whoever sits at a browser where somebody else is signed in there must not bring
// them: it has to authenticate afresh, too.
func (a *Authenticator) beginAdding(w http.ResponseWriter, r *http.Request, l *live, id identity.ConnectionID) error {
	req := identity.AuthnRequest{ForceAuthn: true, KnownOnly: true, Resume: a.path("/account")}
	if id == identity.LocalConnection || !a.offers(req, id) || a.cfg.Remote[id] != nil {
		return a.renderAccount(w, r, accountView{problem: "This way to sign in is not available any more.", status: http.StatusBadRequest})
	}
	return a.beginOwn(w, r, transaction{
		Request: req, Connection: id, Adding: &adding{Record: l.record.ID, Session: l.session.ID},
	})
}

// add takes the answer of the connection: somebody who is known already, by the
// record's ID, or a newcomer. They are linked in the session in which it was begun
// and in no other, in one Update.
func (a *Authenticator) add(w http.ResponseWriter, r *http.Request, t *ticket, known identity.RecordID, proof identity.AuthnContext, n *identity.Newcomer) error {
	token, _ := a.cfg.Web.Cookie(r, sessionCookie) // no cookie is no session
	ctx, now := r.Context(), a.now()
	var ended ticket
	err := a.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		ended = *t
		l, err := a.sessionIn(ctx, tx, token, now)
		if err != nil {
			return err
		}
		why := stale(t.transaction, identity.Session{Context: proof})
		switch {
		case l == nil, l.session.ID != t.Adding.Session, l.record.ID != t.Adding.Record:
			why = &identity.Error{
				Kind: identity.KindDenied, Code: "link.session", Who: identity.WhoUser,
				Msg: "Somebody else signed in here meanwhile, or you signed out. Nothing was added.",
			}
		case why != nil:
			why.Code, why.Msg = "link.unproved", "To add this way of signing in you have to sign in there afresh, but you were not asked again."
		case n != nil:
			if err := a.cfg.Upstream.Join(ctx, tx, *n, l.record.ID, l.session.Connection); refusesLink(err) {
				why = identity.AsError(err)
			} else if err != nil {
				return err
			}
		case known != l.record.ID:
			why = &identity.Error{
				Kind: identity.KindExists, Code: "link.taken", Who: identity.WhoUser,
				Msg: "This way of signing in belongs to another account here.",
			}
		}
		if why == nil {
			ended.Session = &l.session
			return a.save(ctx, tx, &ended)
		}
		return a.notAdded(ctx, tx, &ended, why)
	})
	if err != nil {
		return err
	}
	a.cfg.Web.Redirect(w, r, ended.resume())
	return nil
}

// refusesLink reports whether nobody is linked, of which the person is told.
func refusesLink(err error) bool {
	if err == nil {
		return false
	}
	switch identity.KindOf(err) {
	case identity.KindDenied, identity.KindExists, identity.KindNotFound, identity.KindInvalid:
		return true
	case identity.KindInternal, identity.KindExpired, identity.KindReplayed, identity.KindNeedsInteraction,
		identity.KindContextUnmet, identity.KindUnavailable:
	}
	return false
}

func (a *Authenticator) notAdded(ctx context.Context, tx *store.Tx, t *ticket, why *identity.Error) error {
	t.Refusal = refuse(why)
	s := identity.Session{ID: t.Adding.Session, Record: t.Adding.Record, Connection: t.Connection}
	if err := tx.Events.Append(ctx, a.event(ctx, identity.EventLinkRefused, t, s, why.Code)); err != nil {
		return fmt.Errorf("recording that nobody was linked: %w", err)
	}
	return a.save(ctx, tx, t)
}
