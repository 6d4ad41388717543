package login

import (
	"slices"
	"strings"

	"github.com/samlet-id/samlet/identity"
)

// Way is where somebody is led to sign in, and by which rule.
type Way struct {
	Connection identity.ConnectionID // empty: they are asked
	Rule       Rule
}

// Rule says why a way was taken.
type Rule string

// The rules, in the order in which they are tried. An identifier that is a login
// hint never leads to a password: whoever sent it may be wrong about who comes.
const (
	RuleHint   Rule = "hint"   // the request proposes this connection
	RuleDomain Rule = "domain" // the mail domain of the identifier belongs to it
	RuleOnly   Rule = "only"   // the request leaves no other
	RuleLocal  Rule = "local"  // nobody else knows the identifier
	RuleAsk    Rule = "ask"    // nothing decides; the person does
)

// first is where a request leads before anybody has typed anything.
func (a *Authenticator) first(req identity.AuthnRequest) Way {
	local, upstreams := a.offer(req)
	if i := slices.IndexFunc(upstreams, func(c identity.Connection) bool { return proposes(req.Hint, c) }); i >= 0 {
		return Way{upstreams[i].ID, RuleHint}
	}
	if id, ok := a.route(req, req.LoginHint); ok {
		return Way{id, RuleDomain}
	}
	if !local && len(upstreams) == 1 {
		return Way{upstreams[0].ID, RuleOnly}
	}
	return Way{Rule: RuleAsk}
}

func proposes(hint string, c identity.Connection) bool {
	return hint != "" && (hint == string(c.ID) || hint == string(c.Issuer))
}

// typed is where an identifier leads that the person has typed: its mail domain may
// belong to an upstream; else it is a name with samlet itself, known or not, or at
// the only directory there is; else the person chooses.
func (a *Authenticator) typed(req identity.AuthnRequest, identifier string) Way {
	if id, ok := a.route(req, identifier); ok {
		return Way{id, RuleDomain}
	}
	local, upstreams := a.offer(req)
	switch {
	case local:
		return Way{identity.LocalConnection, RuleLocal}
	case len(upstreams) == 1 && a.method(upstreams[0].ID) != nil:
		return Way{upstreams[0].ID, RuleOnly}
	}
	return Way{Rule: RuleAsk}
}

// Explain returns where a request would lead somebody without a session who types
// that identifier if they are asked for one. An error is the identity.Error with
// which the request would be refused.
func (a *Authenticator) Explain(req identity.AuthnRequest, identifier string) (Way, error) {
	if _, err := a.party(req.RelyingParty); err != nil {
		return Way{}, err
	}
	way := a.first(req)
	if d := a.decide(&transaction{Request: req, Connection: way.Connection}, nil, a.now()); d.step == stepRefuse {
		return Way{}, d.why
	}
	if way.Rule == RuleAsk {
		way = a.typed(req, strings.TrimSpace(identifier))
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
