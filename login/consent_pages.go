package login

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/web"
	"github.com/samlet-id/samlet/store"
	"github.com/samlet-id/samlet/templates"
)

// judge is next in a View of its own, where there is anybody to judge, and somebody
// who asks: a page of ours wants an authentication and is told nothing. A relying
// party that is not served any more is refused.
func (a *Authenticator) judge(ctx context.Context, t *transaction, l *live) (decision, *offer, error) {
	now := a.now()
	if l == nil && t.Session == nil || t.Refusal != nil || t.own() {
		return a.decide(t, nil, now), nil, nil
	}
	rp, err := a.party(t.Request.RelyingParty)
	if err != nil {
		return decision{step: stepRefuse, why: identity.AsError(err)}, nil, nil
	}
	var d decision
	var o *offer
	err = a.cfg.Store.View(ctx, func(tx *store.Tx) error {
		var err error
		d, o, err = a.next(ctx, tx, t, rp, l, now)
		return err
	})
	return d, o, err
}

// onto is where the browser goes once somebody has been authenticated: back to
// the protocol or, where there may be something to ask first, to the dispatcher.
func (a *Authenticator) onto(t *ticket) string {
	rp, ok := a.cfg.RelyingParty(t.Request.RelyingParty)
	if !t.ended() || ok && rp.Consent != identity.ConsentNever && t.Refusal == nil {
		return a.loginPath(t.id)
	}
	return t.resume()
}

// errUnasked is a browser that went on past the question.
func (a *Authenticator) errUnasked(t *ticket) *identity.Error {
	e := errStale("You have not said yet what the application may learn of you.", nil)
	e.Back = a.loginPath(t.id)
	return e
}

// askConsent shows what would leave.
func (a *Authenticator) askConsent(w http.ResponseWriter, r *http.Request, t *ticket, o *offer) error {
	if r.Method == http.MethodPost {
		a.cfg.Web.Redirect(w, r, a.loginPath(t.id))
		return nil
	}
	page := templates.Consent{
		Action: a.path("/login"), Ticket: t.id, Digest: o.consent.digest, RelyingParty: a.nameOf(o.rp.ID), Account: account(o.live.record),
		Each: o.rp.Consent == identity.ConsentAlways, OnChange: o.rp.Consent == identity.ConsentOnChange, Manage: a.path("/consents"),
	}
	for _, it := range o.consent.shown {
		page.Items = append(page.Items, templates.ConsentItem{Label: it.label, Values: it.values, Required: it.required})
	}
	return a.cfg.Web.Render(w, r, http.StatusOK, page, web.RenderOptions{})
}

// consented takes the answer to that page. It counts for what was shown alone:
// where that has changed since, the person is asked anew.
func (a *Authenticator) consented(w http.ResponseWriter, r *http.Request, t *ticket, form url.Values) error {
	l, err := a.session(r)
	if err != nil {
		return err
	}
	d, o, err := a.judge(r.Context(), &t.transaction, l)
	if err != nil {
		return err
	}
	if d.step != stepConsent {
		return a.dispatch(w, r, t, view{})
	}
	t.Session = &o.live.session
	switch {
	case form.Get(templates.FieldConsent) == "deny":
		return a.conclude(w, r, t, errDeclined(o.consent.shown))
	case form.Get(templates.FieldConsent) != "allow" || form.Get(templates.FieldDigest) != o.consent.digest:
		a.cfg.Web.Redirect(w, r, a.loginPath(t.id))
		return nil
	}
	ctx, now := r.Context(), a.now()
	t.Agreed = o.consent.digest
	err = a.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		given := identity.Consent{
			Record: o.live.record.ID, RelyingParty: o.rp.ID, Attributes: labels(o.consent.shown), Digest: o.consent.digest, At: now,
		}
		if err := tx.Consents.Put(ctx, given); err != nil {
			return fmt.Errorf("keeping the consent: %w", err)
		}
		e := a.event(ctx, identity.EventConsentGiven, t, o.live.session, "")
		e.Detail = "attributes=" + releasedNames(o.released)
		if err := tx.Events.Append(ctx, e); err != nil {
			return fmt.Errorf("recording the consent: %w", err)
		}
		return a.save(ctx, tx, t)
	})
	if err != nil {
		return err
	}
	a.cfg.Web.Redirect(w, r, t.resume())
	return nil
}

// showConsents is GET /consents: what the person at the browser has allowed.
func (a *Authenticator) showConsents(w http.ResponseWriter, r *http.Request) error {
	return a.renderConsents(w, r, "")
}

// withdraw is POST /consents. The proof holds it to a page of ours that was made
// for this very session.
func (a *Authenticator) withdraw(w http.ResponseWriter, r *http.Request) error {
	l, err := a.session(r)
	if err != nil {
		return err
	}
	token, ok := a.cfg.Web.Cookie(r, sessionCookie)
	if l == nil || !ok {
		return a.renderConsents(w, r, "")
	}
	if subtle.ConstantTimeCompare([]byte(r.PostFormValue(templates.FieldProof)), []byte(consentProof(token))) != 1 {
		return errStale("This page is from another sign-in. Look at it again before you withdraw anything.", nil)
	}
	id := identity.RelyingPartyID(r.PostFormValue(templates.FieldWithdraw))
	ctx, now := r.Context(), a.now()
	err = a.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		return Withdraw(ctx, tx, l.record.ID, id, sessionEvent(ctx, identity.EventConsentWithdrawn, l.session, now))
	})
	if err != nil && identity.KindOf(err) != identity.KindNotFound {
		return err
	}
	return a.renderConsents(w, r, a.nameOf(id))
}

// Withdraw deletes a consent and records that with e, whose relying party it
// fills in; KindNotFound if there is none.
func Withdraw(ctx context.Context, tx *store.Tx, id identity.RecordID, rp identity.RelyingPartyID, e identity.Event) error {
	if _, err := tx.Consents.Get(ctx, id, rp); err != nil {
		return fmt.Errorf("reading the consent: %w", err)
	}
	if err := tx.Consents.Delete(ctx, id, rp); err != nil {
		return fmt.Errorf("withdrawing the consent: %w", err)
	}
	e.RelyingParty = rp
	if err := tx.Events.Append(ctx, e); err != nil {
		return fmt.Errorf("recording the withdrawal: %w", err)
	}
	return nil
}

func (a *Authenticator) renderConsents(w http.ResponseWriter, r *http.Request, done string) error {
	l, err := a.session(r)
	if err != nil {
		return err
	}
	page := templates.Consents{Action: a.path("/consents"), Done: done, Ways: a.path("/account"), Back: a.path("/logout")}
	token, ok := a.cfg.Web.Cookie(r, sessionCookie)
	if l == nil || !ok {
		return a.cfg.Web.Render(w, r, http.StatusOK, page, web.RenderOptions{})
	}
	page.SignedIn, page.Proof, page.Account = true, consentProof(token), account(l.record)
	ctx := r.Context()
	var given []identity.Consent
	err = a.cfg.Store.View(ctx, func(tx *store.Tx) error {
		var err error
		given, err = tx.Consents.OfRecord(ctx, l.record.ID)
		return err
	})
	if err != nil {
		return fmt.Errorf("reading the consents: %w", err)
	}
	for _, c := range given {
		page.Given = append(page.Given, templates.ConsentGiven{ID: string(c.RelyingParty), Name: a.nameOf(c.RelyingParty), Labels: c.Attributes, At: c.At})
	}
	return a.cfg.Web.Render(w, r, http.StatusOK, page, web.RenderOptions{})
}

// consentProof binds the forms that withdraw to a session. It tells nothing of
// the cookie's value, which is 256 random bits.
func consentProof(token string) string {
	sum := sha256.Sum256([]byte("samlet consents\x00" + token))
	return hex.EncodeToString(sum[:])
}
