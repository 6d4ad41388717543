package login

import (
	"context"
	"fmt"
	"net/http"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/web"
	"github.com/samlet-id/samlet/store"
	"github.com/samlet-id/samlet/templates"
)

// showLogout is GET /logout. It asks, since a link or an image on another site
// must not end a session.
func (a *Authenticator) showLogout(w http.ResponseWriter, r *http.Request) error {
	l, err := a.session(r)
	if err != nil {
		return err
	}
	if l == nil {
		return a.cfg.Web.Render(w, r, http.StatusOK, templates.SignedOut{}, web.RenderOptions{})
	}
	return a.cfg.Web.Render(w, r, http.StatusOK, templates.SignOut{Action: a.path("/logout"), Account: account(l.record)}, web.RenderOptions{})
}

// answerLogout is POST /logout: it ends the session in the store, so that a
// copied cookie is worth nothing, and in the browser.
func (a *Authenticator) answerLogout(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	var joined []identity.Participant
	if token, ok := a.cfg.Web.Cookie(r, sessionCookie); ok {
		err := a.cfg.Store.Update(ctx, func(tx *store.Tx) error {
			var err error
			joined, err = a.endSession(ctx, tx, token)
			return err
		})
		if err != nil {
			return err
		}
	}
	a.cfg.Web.ClearCookie(w, sessionCookie)
	a.cfg.Web.ClearCookieFamily(w, r, browserCookie)
	var apps []string
	for _, p := range joined {
		apps = append(apps, a.nameOf(p.RelyingParty))
	}
	return a.cfg.Web.Render(w, r, http.StatusOK, templates.SignedOut{Applications: apps}, web.RenderOptions{})
}

// endSession deletes the session of a token and returns who took part in it.
func (a *Authenticator) endSession(ctx context.Context, tx *store.Tx, token string) ([]identity.Participant, error) {
	now := a.now()
	s, err := a.previous(ctx, tx, token, now)
	if err != nil || s == nil {
		return nil, err
	}
	joined, err := tx.Sessions.Participants(ctx, s.ID)
	if err != nil {
		return nil, fmt.Errorf("reading the session's participants: %w", err)
	}
	if err := tx.Sessions.Delete(ctx, s.ID); err != nil {
		return nil, fmt.Errorf("ending the session: %w", err)
	}
	if err := tx.Events.Append(ctx, sessionEvent(ctx, identity.EventLogout, *s, now)); err != nil {
		return nil, fmt.Errorf("recording the end of the session: %w", err)
	}
	return joined, nil
}

// account is what a person recognises themselves by.
func account(rec identity.Record) string {
	attributes := rec.Attributes()
	for _, n := range []identity.Name{identity.DisplayName, identity.Mail, identity.Username} {
		if v := attributes.First(n); v != "" {
			return v
		}
	}
	if len(rec.Logins) > 0 {
		return rec.Logins[0]
	}
	return ""
}
