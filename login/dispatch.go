package login

import (
	"slices"
	"strings"
	"time"

	"github.com/samlet-id/samlet/identity"
)

// step is what happens next in a transaction. The zero value refuses.
type step int

const (
	stepRefuse   step = iota // the request is answered with decision.why
	stepFinish               // the request is answered with the session
	stepIdentify             // ask who it is
	stepChoose               // ask where from
	stepMethod               // ask for the proof
	stepFactor               // ask a guest for the proof that they lack
	stepUpstream             // send the browser to the connection
	stepConsent              // ask what may leave
	stepJoin                 // ask somebody new whether they have an account
)

// String returns the step as one word.
func (s step) String() string {
	switch s {
	case stepRefuse:
		return "refuse"
	case stepFinish:
		return "finish"
	case stepIdentify:
		return "identify"
	case stepChoose:
		return "choose"
	case stepMethod:
		return "method"
	case stepFactor:
		return "factor"
	case stepUpstream:
		return "upstream"
	case stepConsent:
		return "consent"
	case stepJoin:
		return "join"
	}
	return "invalid"
}

type decision struct {
	step  step
	why   *identity.Error
	name  string                // by which a guest is asked for the factor that they lack
	after identity.ConnectionID // by which they have come in
}

// guest is somebody with a session, and what stands against telling the relying
// party of them.
type guest struct {
	session identity.Session
	record  *identity.Record
	refusal *identity.Error // they may not be signed in there
	ask     bool            // they have not said yet what may leave
	gap     string          // the name by which they can be asked for what the session lacks
}

// named reports whether an identifier that was typed means the guest: one of
// their sign-in names or mail addresses.
func (g *guest) named(identifier string) bool {
	typed, ok := identity.LoginKey(identifier)
	if !ok {
		return false
	}
	return slices.Contains(g.record.Logins, typed) || slices.ContainsFunc(g.record.Attributes()[identity.Mail], func(mail string) bool {
		key, ok := identity.LoginKey(mail)
		return ok && key == typed
	})
}

// decide is the dispatcher: the one place that says what comes next, for every
// step of every login. It is pure. g is whoever has a live session, or nil.
func (a *Authenticator) decide(t *transaction, g *guest, now time.Time) decision {
	switch {
	case t.Refusal != nil:
		return decision{step: stepRefuse, why: t.Refusal.err()}
	case t.Session != nil:
		return t.admit(g)
	case t.Newcomer != nil && !t.Newcomer.Proving && t.Request.IsPassive:
		return decision{step: stepRefuse, why: errPassive()}
	case t.Newcomer != nil && !t.Newcomer.Proving:
		return decision{step: stepJoin}
	case t.Adding != nil && t.Sent: // back without an answer
		return decision{step: stepRefuse, why: errCancelled()}
	// Whoever has named somebody else in this tab is not answered for by a session
	// that another tab has begun meanwhile.
	case g != nil && (t.Identifier == "" || g.named(t.Identifier)) && !t.Request.ForceAuthn && !t.Request.Afresh && unmet(t.Request, g.session, now) == nil:
		return t.admit(g)
	case t.stepsUp(g):
		return decision{step: stepFactor, name: g.gap, after: g.session.Connection}
	}
	if why := a.outOfScope(t.Request); why != nil {
		return decision{step: stepRefuse, why: why}
	}
	if t.Request.IsPassive && !a.silent(t) {
		return decision{step: stepRefuse, why: errPassive()}
	}
	local, upstreams := a.offer(t.Request)
	if !local && len(upstreams) == 0 {
		return decision{step: stepRefuse, why: a.nowhere(t.Request)}
	}
	switch {
	case a.method(t.Connection) != nil && a.offers(t.Request, t.Connection):
		if t.Identifier == "" {
			return decision{step: stepIdentify}
		}
		return decision{step: stepMethod}
	case t.Connection != "" && t.Connection != identity.LocalConnection && !t.Sent:
		return decision{step: stepUpstream}
	case local, t.Identifier == "" && t.Connection == "" && (routable(upstreams) || a.typed(t.Request, "").Connection != ""):
		return decision{step: stepIdentify}
	}
	// Whoever was sent away and is back without an answer pressed the back
	// button: they want to choose again, not to be sent away again.
	return decision{step: stepChoose}
}

// silent reports whether an upstream is left to say, without a page, who is there:
// the one that the request leads to, if it was not asked yet.
func (a *Authenticator) silent(t *transaction) bool {
	return t.Connection != "" && t.Connection != identity.LocalConnection && a.method(t.Connection) == nil && !t.Sent
}

// admit is the dispatcher's word on somebody whose authentication answers the
// request.
func (t *transaction) admit(g *guest) decision {
	switch {
	case g == nil:
		return decision{step: stepFinish}
	case g.refusal != nil:
		return decision{step: stepRefuse, why: g.refusal}
	case g.ask && t.Request.IsPassive:
		return decision{step: stepRefuse, why: errConsentDue()}
	case g.ask:
		return decision{step: stepConsent}
	}
	return decision{step: stepFinish}
}

// end is the dispatcher's word on a session that this very transaction made: it
// answers the request, or nothing can.
func (a *Authenticator) end(t *ticket, s identity.Session, now time.Time) {
	if why := stale(t.transaction, s); why != nil {
		t.Refusal = refuse(why)
		return
	}
	if why := unmet(t.Request, s, now); why != nil {
		t.Refusal = refuse(why)
		return
	}
	t.Session = &s
}

// skew is how far an upstream's clock may be off.
const skew = 3 * time.Minute

// stale refuses an authentication that an upstream did not do afresh although
// the request forces it (ForceAuthn, SAML Core 3.4.1).
func stale(t transaction, s identity.Session) *identity.Error {
	if !t.Request.ForceAuthn || !s.Context.Instant.Before(t.Began.Add(-skew)) {
		return nil
	}
	return &identity.Error{
		Kind: identity.KindContextUnmet, Code: "sp.authn_context", Who: identity.WhoPartner,
		Msg:  "The application wants you to sign in afresh, but your organization's sign-in did not ask you again.",
		Seen: s.Context.Instant.Format(time.RFC3339), Expected: "after " + t.Began.Format(time.RFC3339),
	}
}

// unmet says what of the request's terms a session does not meet, or nil.
func unmet(req identity.AuthnRequest, s identity.Session, now time.Time) *identity.Error {
	if age := now.Sub(s.Context.Instant); req.MaxAge > 0 && age > req.MaxAge {
		return &identity.Error{
			Kind: identity.KindContextUnmet, Code: "sp.authn_context", Who: identity.WhoUser,
			Msg:  "You signed in longer ago than the application accepts.",
			Seen: age.Truncate(time.Second).String(), Expected: "at most " + req.MaxAge.String(),
		}
	}
	if !req.Context.Satisfied(s.Context) {
		return errContext(req, s.Context.Class)
	}
	if req.Audience != "" && !s.Proxy.Permits(req.Audience) {
		return errProxy(req)
	}
	return scoped(req, s)
}

// offer says which ways in a request leaves open: samlet's own and upstreams,
// unless what they prove, or are believed, cannot answer the request. Where the
// relying party serves some organizations alone, only theirs are left.
func (a *Authenticator) offer(req identity.AuthnRequest) (local bool, upstreams []identity.Connection) {
	served := a.served(req)
	local = a.fills(req) && req.Scoping.Lists(req.Issuer) &&
		len(served) == 0 && (req.Connection == "" || req.Connection == identity.LocalConnection)
	if a.cfg.Upstream == nil {
		return local, nil
	}
	all := a.cfg.Upstream.Connections()
	if !req.Scoping.Given() && req.Connection == "" && req.Except == "" && len(served) == 0 && len(req.Context.Classes) == 0 {
		return local, all
	}
	for _, c := range all {
		if serves(served, c.Organization) && a.may(req, c) && (req.Connection == "" || req.Connection == c.ID) && req.Except != c.ID {
			upstreams = append(upstreams, c)
		}
	}
	return local, upstreams
}

// may reports whether a request's scoping and context leave c open. A directory
// is no identity provider behind us: as with samlet's own sign-in it is we who
// authenticate (SAML Core 3.4.1.2, 3.4.1.5), and what that proves is known.
func (a *Authenticator) may(req identity.AuthnRequest, c identity.Connection) bool {
	if m, ok := a.cfg.Remote[c.ID]; ok {
		return req.Scoping.Lists(req.Issuer) && req.Context.Satisfied(provable(m))
	}
	return req.Scoping.Proxies(1) && req.Scoping.Lists(c.Issuer) && (c.Provides(req.Context) || a.fills(req))
}

// method returns what proves on a page of ours that somebody is who they say
// they are at connection id, or nil if that is done elsewhere.
func (a *Authenticator) method(id identity.ConnectionID) Method {
	if id == identity.LocalConnection {
		return a.cfg.Local
	}
	return a.cfg.Remote[id]
}

func (a *Authenticator) offers(req identity.AuthnRequest, id identity.ConnectionID) bool {
	local, upstreams := a.offer(req)
	if id == identity.LocalConnection {
		return local
	}
	return slices.ContainsFunc(upstreams, func(c identity.Connection) bool { return c.ID == id })
}

// nowhere says why no way in is left.
func (a *Authenticator) nowhere(req identity.AuthnRequest) *identity.Error {
	if a.cfg.Local != nil && !a.fills(req) {
		return errContext(req, a.cfg.Local.Class())
	}
	return &identity.Error{
		Kind: identity.KindDenied, Code: "login.connection", Who: identity.WhoVendor,
		Msg: "The application asks for a way to sign in that is not available here.", Seen: string(req.Connection),
	}
}

func errPassive() *identity.Error {
	return &identity.Error{
		Kind: identity.KindNeedsInteraction, Code: "sp.passive", Who: identity.WhoUser,
		Msg: "The application asked not to show a sign-in page, and nobody is signed in.",
	}
}

// errSilent is errPassive for an upstream that could not say who is there, of which
// nothing may be shown.
func errSilent(why *identity.Error) *identity.Error {
	e := errPassive()
	e.Seen, e.Err = string(why.Code), why
	return e
}

func errContext(req identity.AuthnRequest, got identity.ClassRef) *identity.Error {
	wanted := make([]string, len(req.Context.Classes))
	for i, c := range req.Context.Classes {
		wanted[i] = string(c)
	}
	return &identity.Error{
		Kind: identity.KindContextUnmet, Code: "sp.authn_context", Who: identity.WhoOperator,
		Msg:  "The application wants a stronger or another way of signing in than there is here.",
		Seen: string(got), Expected: req.Context.Comparison.String() + " " + strings.Join(wanted, " "),
	}
}
