package login

import (
	"net/http"
	"slices"
	"strings"

	"github.com/samlet-id/samlet/identity"
)

// Way is where somebody is led to sign in, and by which rule.
type Way struct {
	Connection identity.ConnectionID // empty: they are asked
	Rule       Rule
	// First stands before all others on the page on which they are asked.
	First identity.ConnectionID
}

// Rule says why a way was taken.
type Rule string

// The rules, in the order in which they are tried. An identifier that is a login
// hint never leads to a password: whoever sent it may be wrong about who comes.
const (
	RuleHint       Rule = "hint"       // the request proposes this connection
	RuleDomain     Rule = "domain"     // the mail domain of the identifier belongs to it
	RuleOnly       Rule = "only"       // the request leaves no other
	RuleRemembered Rule = "remembered" // the browser remembers it, and it is one to lead to
	RuleLocal      Rule = "local"      // nobody else knows the identifier
	RuleAsk        Rule = "ask"        // nothing decides; the person does
)

// first is where a request leads before anybody has typed anything, in a browser
// that remembers a connection or none. Whom the request names may be somebody else
// than whoever used the browser last.
func (a *Authenticator) first(req identity.AuthnRequest, remembered identity.ConnectionID) Way {
	local, upstreams := a.offer(req)
	if id, ok := proposed(req.Hint, upstreams); ok {
		return Way{Connection: id, Rule: RuleHint}
	}
	if id, ok := a.route(req, req.LoginHint); ok {
		return Way{Connection: id, Rule: RuleDomain}
	}
	if !local && len(upstreams) == 1 {
		return Way{Connection: upstreams[0].ID, Rule: RuleOnly}
	}
	if remembered == "" {
		return Way{Rule: RuleAsk}
	}
	i := slices.IndexFunc(upstreams, func(c identity.Connection) bool { return c.ID == remembered })
	switch {
	case i < 0:
		return Way{Rule: RuleAsk}
	case upstreams[i].LeadRemembered && req.LoginHint == "":
		return Way{Connection: remembered, Rule: RuleRemembered}
	}
	return Way{Rule: RuleAsk, First: remembered}
}

// headed sends t where its request leads in the browser of r.
func (a *Authenticator) headed(r *http.Request, t *transaction) error {
	var l *live
	if t.Request.IsPassive {
		var err error
		if l, err = a.session(r); err != nil {
			return err
		}
	}
	t.Connection = a.leads(r, t.Request, l)
	return nil
}

// leads is where a request leads in the browser of r, in which l is signed in, or nobody.
// A passive request shows nobody anything, so that the likeliest is asked where nothing is
// certain: whoever vouched for the session, which does not answer, or else whoever did
// for this browser last.
func (a *Authenticator) leads(r *http.Request, req identity.AuthnRequest, l *live) identity.ConnectionID {
	way := a.first(req, a.remembered(r, req))
	switch {
	case way.Connection != "" || !req.IsPassive:
		return way.Connection
	case l != nil && l.session.Connection != identity.LocalConnection && a.offers(req, l.session.Connection):
		return l.session.Connection
	}
	return way.First
}

// proposed is the connection that a hint names, by its id, its upstream's entityID, or the
// id of the organization of which it is the only one.
func proposed(hint string, upstreams []identity.Connection) (identity.ConnectionID, bool) {
	if hint == "" { // there may be thousands to look through
		return "", false
	}
	var tenants []identity.ConnectionID
	for i := range upstreams {
		c := &upstreams[i]
		if hint == string(c.ID) || hint == string(c.Issuer) {
			return c.ID, true
		}
		if hint == string(c.Organization) {
			tenants = append(tenants, c.ID)
		}
	}
	if len(tenants) != 1 {
		return "", false
	}
	return tenants[0], true
}

// typed is where an identifier leads that the person has typed: its mail domain may
// belong to an upstream; else it is a name with samlet itself, known or not, or at
// the only directory there is; else the person chooses.
func (a *Authenticator) typed(req identity.AuthnRequest, identifier string) Way {
	if id, ok := a.route(req, identifier); ok {
		return Way{Connection: id, Rule: RuleDomain}
	}
	local, upstreams := a.offer(req)
	switch {
	case local:
		return Way{Connection: identity.LocalConnection, Rule: RuleLocal}
	case len(upstreams) == 1 && a.method(upstreams[0].ID) != nil:
		return Way{Connection: upstreams[0].ID, Rule: RuleOnly}
	}
	return Way{Rule: RuleAsk}
}

// Explain returns where a request would lead somebody without a session who types
// that identifier if they are asked for one, in a browser that remembers a connection
// or none. An error is the identity.Error with which the request would be refused.
func (a *Authenticator) Explain(req identity.AuthnRequest, identifier string, remembered identity.ConnectionID) (Way, error) {
	if _, err := a.party(req.RelyingParty); err != nil {
		return Way{}, err
	}
	way := a.first(req, remembered)
	if d := a.decide(&transaction{Request: req, Connection: way.Connection}, nil, a.now()); d.step == stepRefuse {
		return Way{}, d.why
	}
	if way.Rule == RuleAsk {
		first := way.First
		way = a.typed(req, strings.TrimSpace(identifier))
		way.First = first
	}
	return way, nil
}

// route returns the upstream that an identifier's mail domain belongs to, if the
// request leaves it open.
func (a *Authenticator) route(req identity.AuthnRequest, identifier string) (identity.ConnectionID, bool) {
	if a.cfg.Upstream == nil || identifier == "" {
		return "", false
	}
	id, ok := a.cfg.Upstream.Route(strings.TrimSpace(identifier))
	if !ok || !a.offers(req, id) {
		return "", false
	}
	return id, true
}
