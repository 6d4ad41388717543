package login

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/web"
	"github.com/samlet-id/samlet/store"
	"github.com/samlet-id/samlet/templates"
)

// accountFresh is how long after an authentication somebody may change how they
// sign in (SP 800-63C-4: after a fresh one alone).
const accountFresh = 10 * time.Minute

// accountView is what the page shows beyond the account itself.
type accountView struct {
	done    templates.AccountDone
	problem string
	search  string
	status  int // zero means 200
}

// showAccount is GET /account: the ways in which the person at the browser signs
// in. With a ticket it is where a sign-in ends that was begun on this page.
func (a *Authenticator) showAccount(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	v := accountView{search: q.Get(templates.FieldSearch)}
	if id := q.Get(templates.FieldTicket); id != "" {
		if err := a.ownEnded(r, id, &v); err != nil {
			return err
		}
	}
	return a.renderAccount(w, r, v)
}

// ownEnded takes the ticket of a sign-in that was begun on this page, once, and
// says how it ended. One that is old, or is no such ticket, says nothing.
func (a *Authenticator) ownEnded(r *http.Request, id string, v *accountView) error {
	t, err := a.load(r, id)
	if err != nil {
		if identity.CodeOf(err) == "ui.stale" {
			return nil
		}
		return err
	}
	if !t.own() || !t.ended() {
		return nil
	}
	ctx := r.Context()
	err = a.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		_, err := tx.Tickets.Take(ctx, store.PurposeLogin, id, a.now())
		return err
	})
	switch {
	case err != nil && identity.KindOf(err) != identity.KindNotFound:
		return fmt.Errorf("taking the ticket: %w", err)
	case err != nil:
	case t.Refusal != nil:
		v.problem, v.status = t.Refusal.Msg, http.StatusForbidden
	case t.Adding != nil:
		v.done = templates.AccountDone{Added: a.connection(t.Connection).Name}
	}
	return nil
}

// own reports whether the transaction was begun on a page of ours, and answers to
// no relying party.
func (t *transaction) own() bool { return t.Request.RelyingParty == "" }

// changeAccount is POST /account. The proof holds it to a page of ours that was
// made for this very session.
func (a *Authenticator) changeAccount(w http.ResponseWriter, r *http.Request) error {
	l, err := a.session(r)
	if err != nil {
		return err
	}
	if l == nil {
		if r.PostFormValue(templates.FieldConfirm) != "" {
			return a.confirm(w, r, identity.AuthnRequest{})
		}
		return a.renderAccount(w, r, accountView{})
	}
	token, _ := a.cfg.Web.Cookie(r, sessionCookie) // there is one, as there is a session
	if subtle.ConstantTimeCompare([]byte(r.PostFormValue(templates.FieldProof)), []byte(accountProof(token))) != 1 {
		return errStale("This page is from another sign-in. Look at it again before you change anything.", nil)
	}
	switch {
	case r.PostFormValue(templates.FieldConfirm) != "":
		req := identity.AuthnRequest{ForceAuthn: true, LoginHint: l.record.Attributes().First(identity.Mail)}
		if len(l.record.Logins) > 0 {
			req.LoginHint = l.record.Logins[0]
		}
		if l.session.Connection != identity.LocalConnection {
			req.Hint = string(l.session.Connection)
		}
		return a.confirm(w, r, req)
	case !l.fresh(a.now()):
		return a.renderAccount(w, r, accountView{problem: "Sign in again first: that was too long ago to change how you sign in.", status: http.StatusForbidden})
	case r.PostFormValue(templates.FieldUnlink) != "":
		return a.unlink(w, r, token, r.PostFormValue(templates.FieldUnlink))
	case r.PostFormValue(templates.FieldConnection) != "":
		return a.beginAdding(w, r, l, identity.ConnectionID(r.PostFormValue(templates.FieldConnection)))
	}
	return &identity.Error{Kind: identity.KindInvalid, Code: "login.form", Who: identity.WhoUser, Msg: "The form arrived without an answer."}
}

// fresh reports whether somebody was authenticated just now.
func (l *live) fresh(now time.Time) bool {
	return now.Sub(l.session.Context.Instant) <= accountFresh
}

// confirm begins a sign-in that ends on this page.
func (a *Authenticator) confirm(w http.ResponseWriter, r *http.Request, req identity.AuthnRequest) error {
	req.Resume = a.path("/account")
	return a.beginOwn(w, r, transaction{Request: req, Connection: a.first(req, a.remembered(r, req)).Connection})
}

// beginOwn opens a transaction of a page of ours, and goes on with it within the
// same request: of a redirect away from here, the browser would ask the page whose
// form was posted, which forbids it (form-action).
func (a *Authenticator) beginOwn(w http.ResponseWriter, r *http.Request, begun transaction) error {
	id, err := identity.NewToken(a.cfg.Rand)
	if err != nil {
		return err
	}
	begun.Began = a.now()
	if begun.Browser, err = a.bind(w, r); err != nil {
		return err
	}
	ctx := r.Context()
	if err := a.open(ctx, begun, id); err != nil {
		return fmt.Errorf("opening a login transaction: %w", err)
	}
	t := &ticket{id: id, transaction: begun}
	err = a.cfg.Store.View(ctx, func(tx *store.Tx) error {
		var err error
		t.raw, err = tx.Tickets.Get(ctx, store.PurposeLogin, id, a.now())
		return err
	})
	if err != nil {
		return fmt.Errorf("reading the login transaction back: %w", err)
	}
	return a.dispatch(w, r, t, view{})
}

// way is one link by which a person comes in.
type way struct {
	link identity.Link
	id   string // for the form: it names the link, and tells nothing of it
	open bool   // the connection is there, and people may choose it
}

// ways lists the links of a record, and by how many ways in all, its password
// among them, the person can sign in at present.
func (a *Authenticator) ways(ctx context.Context, tx *store.Tx, rec identity.Record) (ways []way, password bool, open int, err error) {
	links, err := tx.Links.OfRecord(ctx, rec.ID)
	if err != nil {
		return nil, false, 0, fmt.Errorf("reading the record's links: %w", err)
	}
	for _, l := range links {
		sum := sha256.Sum256(fmt.Appendf(nil, "samlet link\x00%s\x00%s", l.Principal.Issuer, l.Principal.Subject))
		it := way{link: l, id: hex.EncodeToString(sum[:16])}
		if it.open = slices.ContainsFunc(a.upstreams(), func(c identity.Connection) bool { return c.ID == l.Connection }); it.open {
			open++
		}
		ways = append(ways, it)
	}
	if a.cfg.Local != nil && len(rec.Logins) > 0 {
		passwords, err := tx.Credentials.OfRecord(ctx, rec.ID, identity.CredentialPassword)
		if err != nil {
			return nil, false, 0, fmt.Errorf("reading the record's passwords: %w", err)
		}
		if password = len(passwords) > 0; password {
			open++
		}
	}
	return ways, password, open, nil
}

func (a *Authenticator) upstreams() []identity.Connection {
	if a.cfg.Upstream == nil {
		return nil
	}
	return a.cfg.Upstream.Connections()
}

// last reports whether nobody could sign in any more without w.
func (w way) last(open int) bool { return open == 0 || open == 1 && w.open }

// unlink undoes a link: it ends the other sessions that came by it, and those who
// took part in them are told.
func (a *Authenticator) unlink(w http.ResponseWriter, r *http.Request, token, id string) error {
	ctx, now := r.Context(), a.now()
	if err := a.journal.flush(ctx); err != nil {
		return err
	}
	var left []part
	var v accountView
	err := a.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		left, v = nil, accountView{}
		l, err := a.sessionIn(ctx, tx, token, now)
		if err != nil {
			return err
		}
		if l == nil {
			return errStale("You signed out in another tab.", nil)
		}
		ways, _, open, err := a.ways(ctx, tx, l.record)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(ways, func(w way) bool { return w.id == id })
		switch {
		case i < 0:
			return nil // undone in another tab
		case ways[i].last(open):
			v.problem, v.status = "This is the only way in which you can sign in. Add another one first.", http.StatusForbidden
			return nil
		}
		v.done.Removed = a.connection(ways[i].link.Connection).Name
		left, err = a.removeLink(ctx, tx, l, ways[i].link)
		return err
	})
	if err != nil {
		return err
	}
	a.tellBehind(ctx, left, identity.LogoutByUser)
	return a.renderAccount(w, r, v)
}

func (a *Authenticator) removeLink(ctx context.Context, tx *store.Tx, l *live, k identity.Link) ([]part, error) {
	if err := tx.Links.Delete(ctx, k.Principal.Issuer, k.Principal.Subject); err != nil {
		return nil, fmt.Errorf("undoing the link: %w", err)
	}
	e := sessionEvent(ctx, identity.EventLinkRemoved, l.session, a.now())
	e.Connection, e.Detail = k.Connection, "by the person"
	if err := tx.Events.Append(ctx, e); err != nil {
		return nil, fmt.Errorf("recording that a link was undone: %w", err)
	}
	sessions, err := tx.Sessions.OfRecord(ctx, l.record.ID)
	if err != nil {
		return nil, fmt.Errorf("reading the record's sessions: %w", err)
	}
	var left []part
	for _, s := range sessions {
		if s.ID == l.session.ID || s.Connection != k.Connection {
			continue
		}
		parts, err := a.endSession(ctx, tx, s.ID, identity.Event{Detail: "the link was undone"})
		if err != nil {
			return nil, err
		}
		left = append(left, parts...)
	}
	return left, nil
}

func (a *Authenticator) renderAccount(w http.ResponseWriter, r *http.Request, v accountView) error {
	l, err := a.session(r)
	if err != nil {
		return err
	}
	page := templates.Account{Action: a.path("/account"), Done: v.done, Problem: v.problem, Consents: a.path("/consents"), SignOut: a.path("/logout")}
	status := cmp.Or(v.status, http.StatusOK)
	if l == nil {
		return a.cfg.Web.Render(w, r, status, page, web.RenderOptions{})
	}
	token, _ := a.cfg.Web.Cookie(r, sessionCookie) // there is one, as there is a session
	ctx, now := r.Context(), a.now()
	page.SignedIn, page.Proof, page.Account, page.Fresh = true, accountProof(token), account(l.record), l.fresh(now)
	var ways []way
	var open int
	err = a.cfg.Store.View(ctx, func(tx *store.Tx) error {
		var err error
		ways, page.Password, open, err = a.ways(ctx, tx, l.record)
		return err
	})
	if err != nil {
		return err
	}
	for _, it := range ways {
		page.Ways = append(page.Ways, templates.AccountWay{
			ID: it.id, Name: a.connection(it.link.Connection).Name, Since: it.link.Created, LastUsed: it.link.LastUsed,
			Closed: !it.open, Last: it.last(open),
		})
	}
	a.offerMore(&page, ways, v.search)
	return a.cfg.Web.Render(w, r, status, page, web.RenderOptions{})
}

// offerMore lists the connections that could be added: those elsewhere to which
// no link leads yet.
func (a *Authenticator) offerMore(page *templates.Account, ways []way, search string) {
	var more []identity.Connection
	for _, c := range a.upstreams() {
		if !slices.ContainsFunc(ways, func(w way) bool { return w.link.Connection == c.ID }) && a.cfg.Remote[c.ID] == nil {
			more = append(more, c)
		}
	}
	if len(more) > mostListed {
		search = strings.TrimSpace(search)
		found, n := find(more, search)
		page.Search = &templates.Search{Query: search, Found: n}
		more = found
	}
	page.Connections = buttons(more)
}

// accountProof binds the forms of the page to a session. It tells nothing of the
// cookie's value, which is 256 random bits.
func accountProof(token string) string {
	sum := sha256.Sum256([]byte("samlet account\x00" + token))
	return hex.EncodeToString(sum[:])
}
