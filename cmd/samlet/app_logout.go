package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/samlet-id/samlet/binding"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/store"
)

// signOut ends the application's own session, and then asks the identity
// provider to end the one there and at all other applications.
func (a *app) signOut(w http.ResponseWriter, r *http.Request) error {
	if r.Header.Get("Sec-Fetch-Site") == "cross-site" { // a link elsewhere must not sign anybody out
		a.web.Redirect(w, r, a.path)
		return nil
	}
	id, ok := a.web.Cookie(r, a.cookie())
	a.web.ClearCookie(w, a.cookie())
	var result appResult
	if ok {
		if err := a.forget(r.Context(), id, &result); err != nil {
			return err
		}
	}
	if result.Assertion.Principal.Subject == "" || !a.connector.CanLogout() {
		a.web.Redirect(w, r, a.path)
		return nil
	}
	msg, err := a.connector.Logout(result.Assertion, "")
	if err != nil {
		return err
	}
	return a.web.Send(w, r, msg.URL, msg.Form)
}

// forget drops what a cookie stands for, and reads it for the last time.
func (a *app) forget(ctx context.Context, id string, into *appResult) error {
	err := a.recall(ctx, id, into)
	if err == nil {
		err = a.store.Update(ctx, func(tx *store.Tx) error {
			_, err := tx.Tickets.Take(ctx, purposeAppResult, id, a.now())
			return err
		})
	}
	if errors.Is(err, &identity.Error{Kind: identity.KindNotFound}) {
		return nil
	}
	return err
}

// singleLogoutService takes the identity provider's LogoutRequests, by its frames
// and without our cookie, and its answer to ours.
func (a *app) singleLogoutService(w http.ResponseWriter, r *http.Request) error {
	in, err := binding.Receive(w, r, 0)
	if err != nil {
		return err
	}
	m, err := a.connector.ReadLogout(in)
	if err != nil {
		return err
	}
	if !m.Request {
		a.web.Redirect(w, r, a.path)
		return nil
	}
	for _, index := range m.Indexes {
		if err := a.forgetNamed(r.Context(), m.Principal, index); err != nil {
			return err
		}
	}
	msg, err := a.connector.AnswerLogout(r.Context(), m.State, true)
	if err != nil {
		return err
	}
	return a.web.Send(w, r, msg.URL, msg.Form)
}

// forgetNamed drops what was learnt in one session.
func (a *app) forgetNamed(ctx context.Context, who identity.Principal, index identity.SessionID) error {
	now := a.now()
	err := a.store.Update(ctx, func(tx *store.Tx) error {
		t, err := tx.Tickets.Take(ctx, purposeAppName, a.nameOf(who, index), now)
		if err != nil {
			return err
		}
		if _, err := tx.Tickets.Take(ctx, purposeAppResult, string(t.Payload), now); err != nil && !errors.Is(err, &identity.Error{Kind: identity.KindNotFound}) {
			return err
		}
		return nil
	})
	if errors.Is(err, &identity.Error{Kind: identity.KindNotFound}) {
		return nil // it is over already
	}
	return err
}

// nameOf is how the identity provider names a session of this application.
func (a *app) nameOf(who identity.Principal, index identity.SessionID) string {
	return fmt.Sprintf("%s %q %q", a.connector.EntityID(), who, index)
}
