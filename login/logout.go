package login

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
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
	return a.confirmLogout(w, r, http.StatusOK)
}

// confirmLogout shows the form that signs out, or that there is nobody to.
func (a *Authenticator) confirmLogout(w http.ResponseWriter, r *http.Request, status int) error {
	l, err := a.find(r, a.kept)
	if err != nil {
		return err
	}
	if l == nil {
		return a.cfg.Web.Render(w, r, http.StatusOK, templates.SignedOut{}, web.RenderOptions{})
	}
	token, _ := a.cfg.Web.Cookie(r, sessionCookie) // there is one, as there is a session
	page := templates.SignOut{Action: a.path("/logout"), Proof: logoutProof(token), Account: account(l.record), Remembered: a.rememberedName(r)}
	return a.cfg.Web.Render(w, r, status, page, web.RenderOptions{})
}

// answerLogout is POST /logout: it ends the session in the store, so that a
// copied cookie is worth nothing, and in the browser, and tells the relying
// parties. A form that does not belong to the session is shown anew: it is of
// another site (CSRF), or of an old tab.
func (a *Authenticator) answerLogout(w http.ResponseWriter, r *http.Request) error {
	token, ok := a.cfg.Web.Cookie(r, sessionCookie)
	if ok && subtle.ConstantTimeCompare([]byte(r.PostFormValue(templates.FieldProof)), []byte(logoutProof(token))) != 1 {
		return a.confirmLogout(w, r, http.StatusForbidden)
	}
	var parts []part
	if ok {
		var err error
		if parts, err = a.endByToken(r.Context(), token); err != nil {
			return err
		}
	}
	a.cfg.Web.ClearCookie(w, sessionCookie)
	a.cfg.Web.ClearCookieFamily(w, r, browserCookie)
	if r.PostFormValue(templates.FieldForget) != "" {
		a.forget(w, r)
	}
	if len(parts) == 0 {
		return a.cfg.Web.Render(w, r, http.StatusOK, templates.SignedOut{}, web.RenderOptions{})
	}
	walk := a.newWalk(parts, identity.LogoutByUser)
	if err := a.tellThroughBrowser(r.Context(), walk); err != nil {
		return err
	}
	a.cfg.Web.Redirect(w, r, a.progressPath(walk.id))
	return nil
}

// logoutProof binds the form that signs out to a session: only a page that we
// made for the browser that holds the cookie has it (ASVS 3.5).
func logoutProof(token string) string {
	sum := sha256.Sum256([]byte("samlet logout form\x00" + token))
	return hex.EncodeToString(sum[:16])
}

// Logout ends the sessions that l names, durably, and then tells everybody else
// who took part in them. It returns the path of ours where the browser watches
// that and from where the answer to l is sent in the end; or, if all have
// confirmed already, complete, and whoever asked is to be answered at once.
//
// Sessions are found by what the relying party knows of them and never by a
// cookie, which a cross-site POST does not bring; so no relying party can name
// another's. Errors are an identity.Error of KindNotFound if there is no such
// session, and of KindReplayed for a message that was taken before.
func (a *Authenticator) Logout(ctx context.Context, l identity.Logout) (redirect string, err error) {
	parts, err := a.endKnown(ctx, l)
	if err != nil {
		return "", err
	}
	walk := a.newWalk(parts, identity.LogoutByUser)
	walk.Asker, walk.AskerConnection, walk.State = l.RelyingParty, l.Connection, l.State
	if len(parts) == 0 && l.State != nil {
		return "", nil
	}
	if err := a.tellThroughBrowser(ctx, walk); err != nil {
		return "", err
	}
	if l.State != nil && walk.complete() {
		return "", nil
	}
	return a.progressPath(walk.id), nil
}

// LogoutDirectly is Logout for somebody who asks without a browser: the
// others are told without one, too, and complete says whether all confirmed.
func (a *Authenticator) LogoutDirectly(ctx context.Context, l identity.Logout) (complete bool, err error) {
	parts, err := a.endKnown(ctx, l)
	if err != nil {
		return false, err
	}
	walk := a.newWalk(parts, identity.LogoutByUser)
	if err := a.tellDirectly(ctx, walk); err != nil {
		return false, err
	}
	return walk.complete(), nil
}

// Told is what became of telling one relying party, or one upstream, of a logout.
type Told struct {
	RelyingParty identity.RelyingPartyID
	Connection   identity.ConnectionID `json:",omitempty"` // in place of RelyingParty
	State        identity.LogoutState
	Code         identity.Code // why it failed
}

// Revoke ends sessions by the operator's word, durably, and tells those who took
// part in them, as far as that goes without a browser.
func (a *Authenticator) Revoke(ctx context.Context, ids ...identity.SessionID) ([]Told, error) {
	if err := a.journal.flush(ctx); err != nil {
		return nil, err
	}
	var parts []part
	err := a.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		parts = nil
		for _, id := range ids {
			more, err := a.endSession(ctx, tx, id, identity.Event{Detail: "operator"})
			if err != nil {
				return err
			}
			parts = append(parts, more...)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	walk := a.newWalk(parts, identity.LogoutByAdmin)
	if err := a.tellDirectly(ctx, walk); err != nil {
		return nil, err
	}
	told := make([]Told, len(walk.Parts))
	for i, p := range walk.Parts {
		told[i] = Told{RelyingParty: p.Participant.RelyingParty, Connection: p.Connection, State: p.State, Code: p.Code}
	}
	return told, nil
}

// EndWithin ends a session within tx, for whoever takes its record away; why goes
// into the audit trail. What it returns is to be called once tx is through: it
// tells those who took part in the session, behind whatever goes on.
func (a *Authenticator) EndWithin(ctx context.Context, tx *store.Tx, id identity.SessionID, why string) (tell func(context.Context), err error) {
	parts, err := a.endSession(ctx, tx, id, identity.Event{Detail: why})
	return func(ctx context.Context) { a.tellBehind(ctx, parts, identity.LogoutByAdmin) }, err
}

// endByToken ends the session of a cookie, if there is one.
func (a *Authenticator) endByToken(ctx context.Context, token string) ([]part, error) {
	if err := a.journal.flush(ctx); err != nil {
		return nil, err
	}
	var parts []part
	err := a.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		parts = nil
		s, err := a.previous(ctx, tx, token, a.now())
		if err != nil || s == nil {
			return err
		}
		parts, err = a.endSession(ctx, tx, s.ID, identity.Event{})
		return err
	})
	return parts, err
}

// endKnown ends the sessions that l names and returns who else took part in
// them. The message is consumed even if there was no such session, so that it
// cannot end one that begins later.
func (a *Authenticator) endKnown(ctx context.Context, l identity.Logout) ([]part, error) {
	if err := a.journal.flush(ctx); err != nil {
		return nil, err
	}
	var parts []part
	found := false
	err := a.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		parts, found = nil, false
		if err := a.consume(ctx, tx, l); err != nil {
			return err
		}
		known, err := known(ctx, tx, l)
		if err != nil {
			return fmt.Errorf("finding the sessions of a logout: %w", err)
		}
		about := identity.Event{RelyingParty: l.RelyingParty}
		if l.Connection != "" {
			about.Detail = "upstream"
		}
		for _, p := range known {
			if !names(l, p) {
				continue
			}
			more, err := a.endSession(ctx, tx, p.Session, about)
			if err != nil {
				return err
			}
			found = true
			parts = append(parts, others(more, l)...)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, &identity.Error{
			Kind: identity.KindNotFound, Code: "logout.unknown", Who: identity.WhoVendor,
			Msg:      "There is no session here of the person who is to be signed out.",
			Expected: "a NameID and a SessionIndex of an assertion between the two of us (SAML Core 3.3.4)",
		}
	}
	return parts, nil
}

// consume takes the message of l, once (SAML Core 3.7.3.2).
func (a *Authenticator) consume(ctx context.Context, tx *store.Tx, l identity.Logout) error {
	err := tx.Tickets.Put(ctx, store.Ticket{Purpose: store.PurposeReplay, ID: l.Message, Expires: l.Expires}, a.now())
	if identity.KindOf(err) == identity.KindExists && err != nil {
		return &identity.Error{
			Kind: identity.KindReplayed, Code: "logout.replay", Who: identity.WhoVendor, Err: err,
			Msg: "This request to sign out was carried out already.", Expected: "a message that was not used before",
		}
	}
	if err != nil {
		return fmt.Errorf("consuming the message of a logout: %w", err)
	}
	return nil
}

// known lists what whoever asks for l knows of sessions by that subject. An
// upstream knows those that came by its own connection.
func known(ctx context.Context, tx *store.Tx, l identity.Logout) ([]identity.Participant, error) {
	if l.Connection == "" {
		return tx.Sessions.Known(ctx, l.RelyingParty, l.Principal.Subject)
	}
	sessions, err := fromUpstream(ctx, tx, l)
	if err != nil {
		return nil, err
	}
	var list []identity.Participant
	for _, s := range sessions {
		if s.Connection == l.Connection {
			list = append(list, identity.Participant{Session: s.ID, Audience: l.Audience, Principal: s.Upstream, Index: s.UpstreamIx})
		}
	}
	return list, nil
}

// fromUpstream lists the sessions that came of the subject that an upstream names,
// or, where it names none, of the sessions of its own.
func fromUpstream(ctx context.Context, tx *store.Tx, l identity.Logout) ([]identity.Session, error) {
	if l.Principal.Subject != "" {
		return tx.Sessions.FromUpstream(ctx, l.Principal.Issuer, l.Principal.Subject)
	}
	var all []identity.Session
	for _, index := range l.Indexes {
		sessions, err := tx.Sessions.UpstreamIndex(ctx, l.Principal.Issuer, index)
		if err != nil {
			return nil, err
		}
		all = append(all, sessions...)
	}
	return all, nil
}

// names reports whether l names the session of p: the NameID has to match
// strongly (SAML Core 3.3.4), and the SessionIndex has to be among those given,
// if any is. An upstream may give the latter alone.
func names(l identity.Logout, p identity.Participant) bool {
	indexed := l.Connection != "" && l.Principal.Subject == "" && len(l.Indexes) > 0
	if !indexed && (p.Principal.Subject == "" || nameIDOf(l.Principal, p) != nameIDOf(p.Principal, p)) {
		return false
	}
	if len(l.Indexes) == 0 {
		return true
	}
	for _, index := range l.Indexes {
		if index == p.Index {
			return true
		}
	}
	return false
}

// nameIDOf fills in what an absent attribute of a NameID means (SAML Core 2.2.2,
// 8.3.1, 8.3.7): service providers leave out qualifiers, or add them to formats
// that were issued without.
func nameIDOf(n identity.Principal, p identity.Participant) identity.Principal {
	n.Issuer = p.Principal.Issuer
	if n.Format == "" {
		n.Format = identity.FormatUnspecified
	}
	if n.NameQualifier == "" {
		n.NameQualifier = string(p.Principal.Issuer)
	}
	if n.SPNameQualifier == "" {
		n.SPNameQualifier = string(p.Audience)
	}
	return n
}

// endSession deletes a session and returns who took part in it, the upstream that
// it came from last. What about says
// of its end goes into the audit trail. A session that is gone already has no
// part in anything.
func (a *Authenticator) endSession(ctx context.Context, tx *store.Tx, id identity.SessionID, about identity.Event) ([]part, error) {
	s, err := tx.Sessions.ByID(ctx, id)
	if identity.KindOf(err) == identity.KindNotFound && err != nil {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the session: %w", err)
	}
	joined, err := tx.Sessions.Participants(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("reading the session's participants: %w", err)
	}
	if err := tx.Sessions.Delete(ctx, id); err != nil {
		return nil, fmt.Errorf("ending the session: %w", err)
	}
	e := sessionEvent(ctx, identity.EventLogout, s, a.now())
	e.RelyingParty, e.Detail = about.RelyingParty, about.Detail
	if err := tx.Events.Append(ctx, e); err != nil {
		return nil, fmt.Errorf("recording the end of the session: %w", err)
	}
	parts := make([]part, len(joined))
	for i, p := range joined {
		parts[i] = part{Participant: p, Record: s.Record}
	}
	// Where the proof was given on a page of ours, nobody is signed in elsewhere.
	if s.Connection != "" && s.Connection != identity.LocalConnection && a.cfg.Remote[s.Connection] == nil {
		hint, err := takeHint(ctx, tx, s.ID, a.now())
		if err != nil {
			return nil, err
		}
		parts = append(parts, part{
			Participant: identity.Participant{Session: s.ID, Principal: s.Upstream, Index: s.UpstreamIx},
			Record:      s.Record, Connection: s.Connection, Hint: hint,
		})
	}
	return parts, nil
}

// others leaves out whoever asked: its own session it has ended itself.
func others(parts []part, l identity.Logout) []part {
	var rest []part
	for _, p := range parts {
		if p.Participant.RelyingParty != l.RelyingParty || p.Connection != l.Connection {
			rest = append(rest, p)
		}
	}
	return rest
}

// account is what a person recognises themselves by.
func account(rec identity.Record) string {
	if name := named(rec.Attributes()); name != "" || len(rec.Logins) == 0 {
		return name
	}
	return rec.Logins[0]
}

func named(attributes identity.Attributes) string {
	for _, n := range []identity.Name{identity.DisplayName, identity.Mail, identity.Username} {
		if v := attributes.First(n); v != "" {
			return v
		}
	}
	return ""
}
