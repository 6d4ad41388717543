package login

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/web"
	"github.com/samlet-id/samlet/store"
	"github.com/samlet-id/samlet/templates"
)

// view is what a page shows beyond the transaction itself.
type view struct {
	again   bool   // the person wants to name themselves anew
	join    bool   // the person wants to see the question again whether they have an account
	choose  bool   // the person wants to see the connections
	search  string // what the person looks for among them
	problem string // why the last answer did not do
	status  int    // of the page; zero means 200
}

// showLogin is GET /login: whatever the dispatcher says comes next.
func (a *Authenticator) showLogin(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	id := q.Get(templates.FieldTicket)
	if id == "" {
		return a.old(w, r, errStale("There is nothing to sign in to here. Open the application that you want to use.", nil))
	}
	t, err := a.load(r, id)
	if err != nil {
		return a.old(w, r, err)
	}
	if t.Browser == "" {
		if t.Browser, err = a.bind(w, r); err != nil {
			return err
		}
		if t.Connection == "" { // the cross-site POST brought no cookie
			if err := a.headed(r, &t.transaction); err != nil {
				return err
			}
		}
		if err := a.store(r.Context(), t); err != nil {
			return a.moved(w, r, t, err)
		}
	}
	choose := q.Has(templates.FieldChoose)
	return a.dispatch(w, r, t, view{again: q.Has("again") || choose, choose: choose, join: q.Has(templates.FieldJoin), search: q.Get(templates.FieldSearch)})
}

// answerLogin is POST /login: what the person did on the page of a step. The
// web's cross-origin protection has let it through, so that it comes from a page
// of ours, and load has seen that the ticket belongs to this browser.
func (a *Authenticator) answerLogin(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
			return err
		}
		return &identity.Error{Kind: identity.KindInvalid, Code: "login.form", Who: identity.WhoUser, Msg: "The form arrived damaged.", Err: err}
	}
	t, err := a.load(r, r.PostForm.Get(templates.FieldTicket))
	if err != nil {
		return a.old(w, r, err)
	}
	if t.Browser == "" {
		return a.old(w, r, errStale("This sign-in has not been shown to you yet.", nil))
	}
	if r.PostForm.Has(templates.FieldConsent) {
		return a.moved(w, r, t, a.consented(w, r, t, r.PostForm))
	}
	if t.ended() {
		return a.dispatch(w, r, t, view{})
	}
	if err := a.answered(w, r, t, r.PostForm); err != nil {
		return a.moved(w, r, t, err)
	}
	return nil
}

// answered changes the transaction as the form says, and hands it to the
// dispatcher.
func (a *Authenticator) answered(w http.ResponseWriter, r *http.Request, t *ticket, form url.Values) error {
	switch {
	case form.Has(templates.FieldCancel):
		return a.conclude(w, r, t, errCancelled())
	case form.Has(templates.FieldForget):
		a.forget(w, r)
		return a.dispatch(w, r, t, view{again: true})
	case form.Has(templates.FieldJoin):
		return a.joining(w, r, t, form)
	case t.Newcomer != nil && !t.Newcomer.Proving, t.Adding != nil: // from an old tab
		return a.dispatch(w, r, t, view{})
	case form.Has(templates.FieldConnection):
		return a.chosen(w, r, t, identity.ConnectionID(form.Get(templates.FieldConnection)))
	case form.Has(templates.FieldPassword):
		return a.proved(w, r, t, form)
	case form.Has(templates.FieldIdentifier):
		return a.identified(w, r, t, strings.TrimSpace(form.Get(templates.FieldIdentifier)))
	}
	return &identity.Error{Kind: identity.KindInvalid, Code: "login.form", Who: identity.WhoUser, Msg: "The form arrived without an answer."}
}

// identified takes an identifier, and the way that it leads.
func (a *Authenticator) identified(w http.ResponseWriter, r *http.Request, t *ticket, identifier string) error {
	if identifier == "" || len(identifier) > 256 {
		return a.dispatch(w, r, t, view{again: true, problem: "Enter your e-mail address or user name.", status: http.StatusBadRequest})
	}
	chosen := t.Connection
	// Whoever named themselves before begins anew, and has chosen nothing.
	if t.Identifier != "" || a.cfg.Remote[chosen] == nil || !a.offers(t.Request, chosen) {
		chosen = ""
	}
	way := a.typed(t.Request, identifier)
	if way.Rule != RuleDomain {
		way.Connection = cmp.Or(chosen, way.Connection)
	}
	t.Identifier, t.Connection, t.Chosen, t.Sent, t.State = identifier, way.Connection, true, false, nil
	return a.onward(w, r, t)
}

// chosen takes the connection whose button was pressed.
func (a *Authenticator) chosen(w http.ResponseWriter, r *http.Request, t *ticket, id identity.ConnectionID) error {
	if !a.offers(t.Request, id) {
		return a.dispatch(w, r, t, view{again: true, problem: "This way to sign in is not available any more.", status: http.StatusBadRequest})
	}
	// At a directory, a name counts that was given for want of a known domain.
	if id == identity.LocalConnection || a.cfg.Remote[id] != nil && t.Connection != "" {
		t.Identifier = ""
	}
	t.Connection, t.Chosen, t.Sent, t.State = id, true, false, nil
	return a.onward(w, r, t)
}

func (a *Authenticator) onward(w http.ResponseWriter, r *http.Request, t *ticket) error {
	if err := a.store(r.Context(), t); err != nil {
		return err
	}
	return a.dispatch(w, r, t, view{})
}

// proved takes an answer to the method. An answer to a page that is about
// another identifier than the transaction, from an old tab, is for nobody.
func (a *Authenticator) proved(w http.ResponseWriter, r *http.Request, t *ticket, form url.Values) error {
	d, l, err := a.missing(r, t, form)
	if err != nil {
		return err
	}
	if l != nil {
		return a.stepUp(w, r, t, d, l, form)
	}
	about := strings.TrimSpace(form.Get(templates.FieldIdentifier))
	if a.decide(&t.transaction, nil, a.now()).step != stepMethod || about != "" && about != t.Identifier {
		return a.dispatch(w, r, t, view{})
	}
	factor, err := a.method(t.Connection).Verify(r.Context(), a.stepOf(r, t, view{}), form)
	if n, ok := errors.AsType[*identity.Newcomer](err); ok {
		return a.met(w, r, t, *n)
	}
	if refused, ok := errors.AsType[*identity.Error](err); ok && refused.Kind != identity.KindInternal {
		return a.wrong(w, r, t, refused)
	}
	if err != nil {
		return err
	}
	return a.arrived(w, r, t, arrival{
		record: factor.Record, context: factor.Context, connection: t.Connection, settle: factor.Settle,
	})
}

// wrong shows the page of the proof again, and why the answer did not do.
func (a *Authenticator) wrong(w http.ResponseWriter, r *http.Request, t *ticket, why *identity.Error) error {
	if why.Kind == identity.KindUnavailable {
		w.Header().Set("Retry-After", "5")
	}
	return a.dispatch(w, r, t, view{problem: why.Msg, status: statusOf(why)})
}

// dispatch does what decide says. Where that is a page and the browser came by
// POST without a problem to show, a 303 keeps reloading and the back button
// harmless.
func (a *Authenticator) dispatch(w http.ResponseWriter, r *http.Request, t *ticket, v view) error {
	l, err := a.session(r)
	if err != nil {
		return err
	}
	shown := t.transaction
	if v.again {
		shown.Connection, shown.Identifier, shown.anew = "", "", true
	}
	if v.join && shown.proving() {
		n := *shown.Newcomer
		n.Proving, shown.Newcomer = false, &n
	}
	d, o, err := a.judge(r.Context(), &shown, l)
	if err != nil {
		return err
	}
	switch d.step {
	case stepRefuse:
		return a.conclude(w, r, t, d.why)
	case stepFinish:
		if t.Session == nil {
			t.Session = &o.live.session
			if err := a.store(r.Context(), t); err != nil {
				return err
			}
		}
		a.cfg.Web.Redirect(w, r, t.resume())
		return nil
	case stepUpstream:
		err := a.leave(w, r, t)
		if why, ok := errors.AsType[*identity.Error](err); ok && t.Request.IsPassive {
			return a.conclude(w, r, t, errSilent(why))
		}
		return err
	case stepConsent:
		return a.askConsent(w, r, t, o)
	case stepJoin:
		return a.askJoin(w, r, t)
	case stepIdentify, stepChoose, stepMethod, stepFactor:
	}
	if r.Method == http.MethodPost && v.problem == "" {
		a.cfg.Web.Redirect(w, r, a.loginPath(t.id))
		return nil
	}
	page, err := a.page(r, t, d, v)
	if err != nil {
		return err
	}
	status := http.StatusOK
	if v.status != 0 {
		status = v.status
	}
	return a.cfg.Web.Render(w, r, status, page, web.RenderOptions{})
}

// page fills the page of a step.
func (a *Authenticator) page(r *http.Request, t *ticket, d decision, v view) (templates.Page, error) {
	switch {
	case d.step == stepFactor:
		return a.factorPage(r, t, d, v)
	case d.step == stepMethod:
		return a.method(t.Connection).Challenge(r.Context(), a.stepOf(r, t, v))
	case d.step == stepChoose || v.choose:
		return a.choosePage(r, t, d.step, v), nil
	}
	_, upstreams := a.offer(t.Request)
	p := templates.SignIn{
		Action: a.path("/login"), Ticket: t.id, RelyingParty: a.nameOf(t.Request.RelyingParty), Identifier: cmp.Or(t.Identifier, t.Request.LoginHint),
		Problem: v.problem, Proving: a.proof(t), Cancellable: true,
	}
	if len(upstreams) > mostButtons {
		p.Browse = a.choosePath(t.id)
	} else {
		p.Connections = buttons(upstreams)
	}
	p.Remembered, p.Connections = a.offerRemembered(r, t.Request, p.Connections)
	return p, nil
}

func (a *Authenticator) stepOf(r *http.Request, t *ticket, v view) Step {
	return Step{
		Ticket: t.id, Action: a.path("/login"), Again: a.againPath(t.id), RelyingParty: a.nameOf(t.Request.RelyingParty), Party: t.Request.RelyingParty,
		Identifier: t.Identifier, Problem: v.problem, Proving: a.proof(t), Cancellable: true,
		Address: a.cfg.ClientIP(r), RequestID: web.RequestID(r.Context()),
	}
}

// conclude ends the transaction with a refusal, which the relying party is told.
func (a *Authenticator) conclude(w http.ResponseWriter, r *http.Request, t *ticket, why *identity.Error) error {
	if t.Refusal == nil {
		t.Refusal = refuse(why)
		ctx := r.Context()
		err := a.cfg.Store.Update(ctx, func(tx *store.Tx) error {
			s := identity.Session{Connection: t.Connection}
			if t.Session != nil {
				s = *t.Session
			}
			e := a.event(ctx, identity.EventRefused, t, s, why.Code)
			if err := tx.Events.Append(ctx, e); err != nil {
				return err
			}
			return a.save(ctx, tx, t)
		})
		if err != nil {
			return err
		}
	}
	a.cfg.Web.Redirect(w, r, t.resume())
	return nil
}

// old answers a browser that brings a ticket which is no use any more: somebody
// who is signed in is told so, since nothing is wrong with them.
func (a *Authenticator) old(w http.ResponseWriter, r *http.Request, err error) error {
	if identity.CodeOf(err) != "ui.stale" {
		return err
	}
	l, lerr := a.session(r)
	if lerr != nil {
		return lerr
	}
	if l == nil {
		return err
	}
	return a.cfg.Web.Render(w, r, http.StatusOK, templates.Error{
		Title: "You are signed in", Message: "There is nothing left to do here.",
		Advice: "Go back to the application, or open another one.", Code: "ui.stale",
		Action: templates.Link{Label: "Sign out", URL: a.path("/logout")},
	}, web.RenderOptions{})
}

// moved answers a browser whose other tab was quicker on the same ticket: it is
// shown where the transaction is now.
func (a *Authenticator) moved(w http.ResponseWriter, r *http.Request, t *ticket, err error) error {
	if !errors.Is(err, errMoved) {
		return err
	}
	a.cfg.Web.Redirect(w, r, a.loginPath(t.id))
	return nil
}

func (a *Authenticator) loginPath(id string) string {
	return a.path("/login?" + templates.FieldTicket + "=" + url.QueryEscape(id))
}

func (a *Authenticator) againPath(id string) string { return a.loginPath(id) + "&again=1" }

func (a *Authenticator) choosePath(id string) string {
	return a.loginPath(id) + "&" + templates.FieldChoose + "=1"
}

func (a *Authenticator) nameOf(id identity.RelyingPartyID) string {
	rp, ok := a.cfg.RelyingParty(id)
	if !ok || rp.Name == "" {
		return string(id)
	}
	return rp.Name
}

// routable reports whether an identifier can lead to one of the connections.
func routable(upstreams []identity.Connection) bool {
	return slices.ContainsFunc(upstreams, func(c identity.Connection) bool { return len(c.EmailDomains) > 0 })
}

func errCancelled() *identity.Error {
	return &identity.Error{
		Kind: identity.KindDenied, Code: "login.cancelled", Who: identity.WhoUser,
		Msg: "You cancelled the sign-in.",
	}
}

// statusOf is the HTTP status of a page that shows e as its problem.
func statusOf(e *identity.Error) int {
	if e.Code == "rate.limited" {
		return http.StatusTooManyRequests
	}
	return web.Status(e.Kind)
}
