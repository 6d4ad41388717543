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

// over reports whether there is nothing left to wait for.
func (a *Authenticator) over(w *walk) bool { return !w.pending() || !a.now().Before(w.Deadline) }

// showProgress is GET /logout/progress: it leads the browser to everybody who is
// told through it, in frames side by side, and at the deadline, or when the
// person will not wait, goes on with what there is.
func (a *Authenticator) showProgress(w http.ResponseWriter, r *http.Request) error {
	walk, err := a.loadWalk(r)
	if err != nil {
		return err
	}
	if !a.over(walk) && !r.URL.Query().Has("now") {
		return a.watch(w, r, walk)
	}
	if walk.pending() {
		if walk, err = a.giveUp(r.Context(), walk.id); err != nil {
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
		if p.State != identity.LogoutPending || p.URL == "" {
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
	if err != nil || n < 0 || n >= len(walk.Parts) || walk.Parts[n].Form == nil {
		return errStale("There is no such application in this sign-out.", err)
	}
	p := walk.Parts[n]
	page := templates.AutoPost{URL: p.URL, Form: p.Form, To: a.nameOf(p.Participant.RelyingParty)}
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

// giveUp settles whatever is still awaited: those who did not answer in time.
func (a *Authenticator) giveUp(ctx context.Context, id string) (*walk, error) {
	late := &identity.Error{
		Kind: identity.KindUnavailable, Code: "logout.timeout", Who: identity.WhoVendor,
		Msg: "The application did not answer a request to sign out in time.", Expected: "an answer within " + a.cfg.LogoutTimeout.String(),
	}
	var now *walk
	var settled []part
	err := a.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		return a.change(ctx, tx, id, func(w *walk) ([]part, error) {
			now, settled = w, nil
			for i := range w.Parts {
				if p := &w.Parts[i]; p.State == identity.LogoutPending {
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
	msg, err := a.downstream().AnswerLogout(r.Context(), walk.State, walk.complete())
	if err != nil {
		// The sessions have ended all the same, and the person is to read so.
		a.cfg.Log.LogAttrs(r.Context(), slog.LevelWarn, "a logout cannot be answered",
			slog.String("request_id", web.RequestID(r.Context())), slog.String("relying_party", string(walk.Asker)), slog.String("err", err.Error()))
		return a.cfg.Web.Render(w, r, http.StatusOK, page, web.RenderOptions{})
	}
	if walk.complete() {
		return a.cfg.Web.Send(w, r, msg.URL, msg.Form)
	}
	page.Continue = templates.Onward{To: a.nameOf(walk.Asker), URL: msg.URL, Form: msg.Form}
	origin, _ := web.Origin(msg.URL) // without one the form goes nowhere
	return a.cfg.Web.Render(w, r, http.StatusOK, page, web.RenderOptions{FormAction: []string{"'self'", origin}})
}

// rows names each application of a logout.
func (a *Authenticator) rows(w *walk) []templates.LogoutRow {
	rows := make([]templates.LogoutRow, len(w.Parts))
	for i, p := range w.Parts {
		rows[i] = templates.LogoutRow{Name: a.nameOf(p.Participant.RelyingParty), State: p.State}
	}
	return rows
}
