package login

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/store"
)

// transaction is one login under way: the payload of a ticket. It is written
// before the browser leaves and read when the browser comes back; nothing of it
// is in a cookie or a page.
type transaction struct {
	Request identity.AuthnRequest
	Began   time.Time
	// Browser is the SHA-256 of the browser's cookie. It is empty for a
	// transaction that a cross-site POST began, until the first GET.
	Browser    string                `json:",omitempty"`
	Identifier string                `json:",omitempty"` // as it was typed
	Connection identity.ConnectionID `json:",omitempty"` // the way in; empty until chosen
	Chosen     bool                  `json:",omitempty"` // the person said who they are, or where from
	Sent       bool                  `json:",omitempty"` // the browser was sent to Connection
	State      []byte                `json:",omitempty"` // the connector's own; gone once an answer was tried on it

	// StepUp is the session that the transaction made or found, and that lacks one
	// factor; it is asked for once.
	StepUp identity.SessionID `json:",omitempty"`
	anew   bool               // the person wants to name themselves anew; for one page

	Newcomer *newcomer `json:",omitempty"` // whom the upstream brought, while they are asked whether they have an account

	Adding *adding `json:",omitempty"` // whoever is signed in adds the connection to their account

	Agreed string `json:",omitempty"` // digest of what the person allows to leave

	// One of these two ends the transaction, once the person has been asked what
	// there is to ask.
	Session *identity.Session `json:",omitempty"`
	Refusal *refusal          `json:",omitempty"`
}

// refusal is an identity.Error that survives the store.
type refusal struct {
	Kind                     identity.Kind
	Code                     identity.Code
	Msg, Seen, Expected, Who string
}

func refuse(e *identity.Error) *refusal {
	return &refusal{Kind: e.Kind, Code: e.Code, Msg: e.Msg, Seen: e.Seen, Expected: e.Expected, Who: string(e.Who)}
}

func (r *refusal) err() *identity.Error {
	return &identity.Error{Kind: r.Kind, Code: r.Code, Msg: r.Msg, Seen: r.Seen, Expected: r.Expected, Who: identity.Who(r.Who)}
}

func (t *transaction) ended() bool { return t.Session != nil || t.Refusal != nil }

// ticket is a transaction together with the ticket that it was read from.
type ticket struct {
	id  string
	raw store.Ticket
	transaction
}

// open stores a new transaction under a ticket ID.
func (a *Authenticator) open(ctx context.Context, t transaction, id string) error {
	payload, err := json.Marshal(t)
	if err != nil {
		return fmt.Errorf("encoding the login transaction: %w", err)
	}
	now := a.now()
	raw := store.Ticket{Purpose: store.PurposeLogin, ID: id, Payload: payload, Expires: now.Add(ticketLife)}
	return a.cfg.Store.Update(ctx, func(tx *store.Tx) error { return tx.Tickets.Put(ctx, raw, now) })
}

func decodeTicket(id string, raw store.Ticket) (*ticket, error) {
	t := &ticket{id: id, raw: raw}
	if err := json.Unmarshal(raw.Payload, &t.transaction); err != nil {
		return nil, fmt.Errorf("decoding the login transaction: %w", err)
	}
	return t, nil
}

// load reads the transaction that a browser names, and refuses it to any
// browser but the one it is bound to.
func (a *Authenticator) load(r *http.Request, id string) (*ticket, error) {
	ctx := r.Context()
	var raw store.Ticket
	err := a.cfg.Store.View(ctx, func(tx *store.Tx) error {
		var err error
		raw, err = tx.Tickets.Get(ctx, store.PurposeLogin, id, a.now())
		return err
	})
	if identity.KindOf(err) == identity.KindNotFound {
		return nil, errStale("This sign-in has ended or was too long ago.", err)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the login transaction: %w", err)
	}
	t, err := decodeTicket(id, raw)
	if err != nil {
		return nil, err
	}
	if err := a.owned(r, t); err != nil {
		return nil, err
	}
	return t, nil
}

// save writes t back, unless somebody else did since t was read: then the
// browser has two tabs on one ticket, and the other was quicker.
func (a *Authenticator) save(ctx context.Context, tx *store.Tx, t *ticket) error {
	payload, err := json.Marshal(t.transaction)
	if err != nil {
		return fmt.Errorf("encoding the login transaction: %w", err)
	}
	err = tx.Tickets.Replace(ctx, t.raw, payload, a.now())
	switch {
	case err == nil:
		return nil
	case identity.KindOf(err) == identity.KindExists, identity.KindOf(err) == identity.KindNotFound:
		return fmt.Errorf("%w: %w", errMoved, err)
	}
	return fmt.Errorf("writing the login transaction: %w", err)
}

// rewrite is save for a transaction that goes on. It returns what is stored
// then, which becomes t.raw once the Update has gone through.
func (a *Authenticator) rewrite(ctx context.Context, tx *store.Tx, t *ticket) (store.Ticket, error) {
	if err := a.save(ctx, tx, t); err != nil {
		return store.Ticket{}, err
	}
	raw, err := tx.Tickets.Get(ctx, store.PurposeLogin, t.id, a.now())
	if err != nil {
		return store.Ticket{}, fmt.Errorf("reading the login transaction back: %w", err)
	}
	return raw, nil
}

// store is rewrite in an Update of its own.
func (a *Authenticator) store(ctx context.Context, t *ticket) error {
	var raw store.Ticket
	err := a.cfg.Store.Update(ctx, func(tx *store.Tx) (err error) {
		raw, err = a.rewrite(ctx, tx, t)
		return err
	})
	if err == nil {
		t.raw = raw
	}
	return err
}

// errMoved says that the transaction changed since it was read.
var errMoved = errors.New("the login transaction went on elsewhere")

// browserCookie begins the name of the cookie that binds tickets to a browser. A
// browser that has none yet and opens many tabs at once is given many. They have
// names of their own, so that none takes the place of another that a ticket was
// bound to meanwhile; from then on the first of them serves.
const browserCookie = "samlet_browser_"

// bind returns the binding of a new ticket, and gives the browser its cookie if
// it has none yet. The cookie ends with the browser.
func (a *Authenticator) bind(w http.ResponseWriter, r *http.Request) (string, error) {
	if tokens := a.cfg.Web.CookieFamily(r, browserCookie); len(tokens) > 0 {
		return hashed(tokens[0]), nil
	}
	token, err := identity.NewToken(a.cfg.Rand)
	if err != nil {
		return "", err
	}
	a.cfg.Web.SetCookie(w, browserCookie+hashed(token)[:12], token, 0)
	return hashed(token), nil
}

// owned refuses a transaction that is bound to another browser: a ticket ID
// alone, seen in a log or sent in a mail, is worth nothing.
func (a *Authenticator) owned(r *http.Request, t *ticket) error {
	if t.Browser == "" {
		return nil
	}
	tokens := a.cfg.Web.CookieFamily(r, browserCookie)
	for _, token := range tokens {
		if subtle.ConstantTimeCompare([]byte(hashed(token)), []byte(t.Browser)) == 1 {
			return nil
		}
	}
	if len(tokens) == 0 {
		return errStale("Your browser did not send the cookie that this sign-in needs. Allow cookies for this site, then start again from the application.", nil)
	}
	return errStale("This sign-in was begun in another browser.", nil)
}

func hashed(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// resume is where the browser goes once the transaction has ended.
func (t *ticket) resume() string {
	sep := "?"
	if strings.Contains(t.Request.Resume, "?") {
		sep = "&"
	}
	return t.Request.Resume + sep + "t=" + url.QueryEscape(t.id)
}

// errStale is what an old tab, the back button or a lost cookie ends in.
func errStale(msg string, cause error) *identity.Error {
	return &identity.Error{Kind: identity.KindExpired, Code: "ui.stale", Msg: msg, Who: identity.WhoUser, Err: cause}
}
