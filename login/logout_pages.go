package login

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/samlet-id/samlet/binding"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/web"
	"github.com/samlet-id/samlet/store"
	"github.com/samlet-id/samlet/templates"
)

// buttonTime is how long the page stays if a person without scripts has to press
// a button in it.
const buttonTime = 30 * time.Second

func (a *Authenticator) progressPath(id string) string {
	return a.path("/logout/progress?" + templates.FieldTicket + "=" + url.QueryEscape(id))
}

// loadWalk reads the logout of r. Whoever knows the ticket may watch: it opens
// nothing, and a browser that came by a cross-site POST has no cookie to be known
// by.
func (a *Authenticator) loadWalk(r *http.Request) (*walk, error) {
	ctx, id := r.Context(), r.URL.Query().Get(templates.FieldTicket)
	var w *walk
	err := a.cfg.Store.View(ctx, func(tx *store.Tx) error {
		raw, err := tx.Tickets.Get(ctx, store.PurposeLogout, id, a.now())
		if err != nil {
			return err
		}
		w, err = decodeWalk(id, raw)
		return err
	})
	if identity.KindOf(err) == identity.KindNotFound && err != nil {
		return nil, errStale("This sign-out was too long ago.", err)
	}
	return w, err
}

// over reports whether there is nothing left to wait for in the page.
func (a *Authenticator) over(w *walk) bool { return !w.waits() || !a.now().Before(w.Deadline) }

// showProgress is GET /logout/progress: it leads the browser to everybody who is
// told through it, in frames side by side, and at the deadline, or when the
// person will not wait, goes on with what there is: to the upstream first, which
// sends the browser back here.
func (a *Authenticator) showProgress(w http.ResponseWriter, r *http.Request) error {
	walk, err := a.loadWalk(r)
	if err != nil {
		return err
	}
	if !a.over(walk) && !r.URL.Query().Has("now") {
		return a.watch(w, r, walk)
	}
	if walk.waits() {
		if walk, err = a.giveUp(r.Context(), walk.id, func(p *part) bool { return !p.last() }); err != nil {
			return err
		}
	}
	if n := a.upstreamOf(walk); n >= 0 {
		return a.sendOff(w, r, walk, n)
	}
	if walk.pending() {
		if walk, err = a.giveUp(r.Context(), walk.id, func(*part) bool { return true }); err != nil {
			return err
		}
	}
	return a.finish(w, r, walk)
}

// watch shows the page with the frames.
func (a *Authenticator) watch(w http.ResponseWriter, r *http.Request, walk *walk) error {
	left := walk.Deadline.Sub(a.now())
	page := templates.SigningOut{
		Applications: a.rows(walk), Here: a.progressPath(walk.id), Skip: a.progressPath(walk.id) + "&now=1",
		Status: a.path("/logout/status?" + templates.FieldTicket + "=" + url.QueryEscape(walk.id)),
	}
	options := web.RenderOptions{FrameSrc: []string{"'self'"}}
	for i, p := range walk.Parts {
		if p.State != identity.LogoutPending || p.URL == "" || p.last() {
			continue
		}
		frame := templates.LogoutFrame{URL: p.URL, Name: page.Applications[i].Name}
		if p.Form != nil {
			frame.URL = a.path(fmt.Sprintf("/logout/frame?%s=%s&n=%d", templates.FieldTicket, url.QueryEscape(walk.id), i))
			frame.ByForm = true
			left = max(left, buttonTime)
		}
		page.Frames = append(page.Frames, frame)
		for _, origin := range p.Reach.Origins {
			if !slices.Contains(options.FrameSrc, origin) {
				options.FrameSrc = append(options.FrameSrc, origin)
			}
		}
	}
	page.Refresh = int(math.Ceil(left.Seconds()))
	return a.cfg.Web.Render(w, r, http.StatusOK, page, options)
}

// showFrame is GET /logout/frame: the form that takes a LogoutRequest to one
// relying party, for a frame of the page.
func (a *Authenticator) showFrame(w http.ResponseWriter, r *http.Request) error {
	walk, err := a.loadWalk(r)
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(r.URL.Query().Get("n"))
	if err != nil || n < 0 || n >= len(walk.Parts) || walk.Parts[n].Form == nil || walk.Parts[n].last() {
		return errStale("There is no such application in this sign-out.", err)
	}
	p := walk.Parts[n]
	page := templates.AutoPost{URL: p.URL, Form: p.Form, To: a.partName(p)}
	return a.cfg.Web.Render(w, r, http.StatusOK, page, web.RenderOptions{Framed: true, FormAction: append([]string{"'self'"}, p.Reach.Origins...)})
}

// showStatus is GET /logout/status, for the script of the page.
func (a *Authenticator) showStatus(w http.ResponseWriter, r *http.Request) error {
	walk, err := a.loadWalk(r)
	if err != nil {
		return err
	}
	answer := struct {
		Over   bool     `json:"over"`
		States []string `json:"states"`
	}{Over: a.over(walk), States: []string{}}
	for _, p := range walk.Parts {
		answer.States = append(answer.States, p.State.String())
	}
	body, err := json.Marshal(answer)
	if err != nil {
		return fmt.Errorf("encoding the state of a logout: %w", err)
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body) // fails only when the browser has gone
	return nil
}

// upstreamOf is the upstream that the browser goes to now, or -1: one that it was not
// yet sent to, or, until the deadline, one that it came back from without an
// answer, as it does when that address failed to open.
func (a *Authenticator) upstreamOf(w *walk) int {
	return slices.IndexFunc(w.Parts, func(p part) bool {
		return p.State == identity.LogoutPending && p.last() && (!p.Led || a.now().Before(w.Deadline))
	})
}

// sendOff sends the browser itself to an upstream. It is by a page, as a redirect
// would still answer the form by which the person signed out, and be stopped by
// that form's Content-Security-Policy.
func (a *Authenticator) sendOff(w http.ResponseWriter, r *http.Request, away *walk, n int) error {
	ctx := r.Context()
	err := a.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		return a.change(ctx, tx, away.id, func(w *walk) ([]part, error) {
			if w.Parts[n].Led {
				return nil, nil
			}
			w.Parts[n].Led = true
			return w.Parts[n : n+1], nil // still pending, so the audit trail has nothing of it
		})
	})
	if err != nil {
		return err
	}
	p := away.Parts[n]
	if p.Form == nil {
		return a.cfg.Web.Render(w, r, http.StatusOK, templates.Forward{URL: p.URL, To: a.partName(p)}, web.RenderOptions{})
	}
	page := templates.AutoPost{URL: p.URL, Form: p.Form, To: a.partName(p)}
	return a.cfg.Web.Render(w, r, http.StatusOK, page, web.RenderOptions{FormAction: append([]string{"'self'"}, p.Reach.Origins...)})
}

// giveUp settles those of whom is says so and who are still awaited: they did not
// answer in time.
func (a *Authenticator) giveUp(ctx context.Context, id string, is func(*part) bool) (*walk, error) {
	late := &identity.Error{
		Kind: identity.KindUnavailable, Code: "logout.timeout", Who: identity.WhoVendor,
		Msg: "A request to sign out was not answered in time.", Expected: "an answer within " + a.cfg.LogoutTimeout.String(),
	}
	var now *walk
	var settled []part
	err := a.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		return a.change(ctx, tx, id, func(w *walk) ([]part, error) {
			now, settled = w, nil
			for i := range w.Parts {
				if p := &w.Parts[i]; p.State == identity.LogoutPending && is(p) {
					p.settle(late)
					settled = append(settled, *p)
				}
			}
			return settled, nil
		})
	})
	if err != nil {
		return nil, err
	}
	for _, p := range settled {
		a.warn(ctx, p, late)
	}
	return now, nil
}

// finish takes the answer to whoever asked, if there is nothing that the
// person should know; else it shows what became of each.
func (a *Authenticator) finish(w http.ResponseWriter, r *http.Request, walk *walk) error {
	page := templates.SignedOut{Applications: a.rows(walk)}
	if walk.State == nil {
		return a.cfg.Web.Render(w, r, http.StatusOK, page, web.RenderOptions{})
	}
	msg, err := a.answerTo(r.Context(), walk)
	if err != nil {
		// The sessions have ended all the same, and the person is to read so.
		a.cfg.Log.LogAttrs(r.Context(), slog.LevelWarn, "a logout cannot be answered",
			slog.String("request_id", web.RequestID(r.Context())), slog.String("relying_party", string(walk.Asker)), slog.String("connection", string(walk.AskerConnection)), slog.String("err", err.Error()))
		return a.cfg.Web.Render(w, r, http.StatusOK, page, web.RenderOptions{})
	}
	if walk.complete() {
		return a.cfg.Web.Send(w, r, msg.URL, msg.Form)
	}
	page.Continue = templates.Onward{To: a.askerName(walk), URL: msg.URL, Form: msg.Form}
	origin, _ := web.Origin(msg.URL) // without one the form goes nowhere
	return a.cfg.Web.Render(w, r, http.StatusOK, page, web.RenderOptions{FormAction: []string{"'self'", origin}})
}

// answerTo returns the message that answers whoever asked.
func (a *Authenticator) answerTo(ctx context.Context, w *walk) (binding.Message, error) {
	if w.AskerConnection == "" {
		return a.downstream().AnswerLogout(ctx, w.State, w.complete())
	}
	if a.cfg.Upstream == nil { // all connections were switched off meanwhile
		return binding.Message{}, fmt.Errorf("answering a logout: there is no connection %q any more", w.AskerConnection)
	}
	return a.cfg.Upstream.AnswerLogout(ctx, w.AskerConnection, w.State, w.complete())
}

// rows names each application of a logout, and the upstream.
func (a *Authenticator) rows(w *walk) []templates.LogoutRow {
	rows := make([]templates.LogoutRow, len(w.Parts))
	for i, p := range w.Parts {
		rows[i] = templates.LogoutRow{Name: a.partName(p), State: p.State, Upstream: p.Connection != ""}
	}
	return rows
}

func (a *Authenticator) partName(p part) string {
	if p.Connection != "" {
		return a.connectionName(p.Connection)
	}
	return a.nameOf(p.Participant.RelyingParty)
}

func (a *Authenticator) askerName(w *walk) string {
	if w.AskerConnection != "" {
		return a.connectionName(w.AskerConnection)
	}
	return a.nameOf(w.Asker)
}

// connectionName is how the operator calls a connection; one that is switched off
// has but its ID.
func (a *Authenticator) connectionName(id identity.ConnectionID) string {
	if a.cfg.Upstream != nil {
		for _, c := range a.cfg.Upstream.Connections() {
			if c.ID == id && c.Name != "" {
				return c.Name
			}
		}
	}
	return string(id)
}
