package login

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/web"
	"github.com/samlet-id/samlet/templates"
)

const (
	pathDiscovery = "/saml/discovery"
	// policySingle is the only policy that there is, and what is meant if none is named
	// (Identity Provider Discovery Service Protocol 2.4.1).
	policySingle = "urn:oasis:names:tc:SAML:profiles:SSO:idp-discovery-protocol:single"
	// mostReturnIDParam is how long the name of the parameter may be that brings the
	// answer.
	mostReturnIDParam = 64
)

// Asker is a service provider that may ask at which identity provider somebody wants
// to sign in.
type Asker struct {
	RelyingParty identity.RelyingPartyID
	Issuer       identity.EntityID // by which it knows us
	// Locations are where it takes the answers, https as a rule, its default first.
	Locations []string
}

// question is one request of the protocol.
type question struct {
	asker   Asker
	to      *url.URL // takes the answer; never anything but a registered address
	param   string   // brings it
	passive bool     // nothing is to be shown
}

// discover is the Identity Provider Discovery Service Protocol: it tells a service
// provider of ours the entityID of the identity provider at which the person at the
// browser signs in, which it may then name in its request. Nobody is signed in by it.
func (a *Authenticator) discover(w http.ResponseWriter, r *http.Request) error {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return errDiscovery("its query", r.URL.RawQuery, "a query of names and values")
	}
	q, err := a.asked(r.Context(), query)
	if err != nil {
		return err
	}
	req := identity.AuthnRequest{RelyingParty: q.asker.RelyingParty, Issuer: q.asker.Issuer}
	known, err := a.whereabouts(r, req)
	if err != nil {
		return err
	}
	switch {
	case known != nil && (known.decided || q.passive):
		a.cfg.Web.Redirect(w, r, q.answer(a.authority(req, known.id)))
		return nil
	case q.passive:
		a.cfg.Web.Redirect(w, r, q.answer(""))
		return nil
	}
	return a.cfg.Web.Render(w, r, http.StatusOK, a.discoverPage(req, q, known, query), web.RenderOptions{})
}

// asked reads a request (2.4.1). Each parameter is there once at most, since whoever
// else reads the URL may take another.
func (a *Authenticator) asked(ctx context.Context, query url.Values) (question, error) {
	for _, name := range []string{"entityID", "return", "policy", "returnIDParam", "isPassive"} {
		if n := len(query[name]); n > 1 {
			return question{}, errDiscovery("its "+name, strings.Join(query[name], " "), "one "+name)
		}
	}
	id := query.Get("entityID")
	if id == "" {
		return question{}, errDiscovery("its entityID", "", "the entityID of the application")
	}
	if p := query.Get("policy"); p != "" && p != policySingle {
		return question{}, errDiscovery("its policy", p, policySingle)
	}
	q := question{param: "entityID"}
	if p := query.Get("returnIDParam"); p != "" {
		q.param = p
	}
	if len(q.param) > mostReturnIDParam {
		return question{}, errDiscovery("its returnIDParam", q.param, "a short name")
	}
	switch p := query.Get("isPassive"); p {
	case "", "false":
	case "true":
		q.passive = true
	default:
		return question{}, errDiscovery("its isPassive", p, "true or false")
	}
	var err error
	if q.asker, err = a.cfg.Asker(ctx, identity.EntityID(id)); err != nil {
		return question{}, err
	}
	q.to, err = q.asker.location(query.Get("return"))
	if err == nil && q.to.Query().Has(q.param) {
		err = errDiscovery("its return", q.to.String(), "an address without a parameter "+q.param)
	}
	return q, err
}

// location returns where an answer goes: to the address that is asked for, if it is one
// of those registered, octet for octet but for its query, in which the service provider
// keeps what it wants to remember (2.4.1, 2.5); to the default, if none is.
func (s Asker) location(wanted string) (*url.URL, error) {
	if wanted == "" && len(s.Locations) > 0 {
		wanted = s.Locations[0]
	}
	address, _, _ := strings.Cut(wanted, "?")
	registered := slices.ContainsFunc(s.Locations, func(l string) bool {
		known, _, _ := strings.Cut(l, "?")
		return known == address
	})
	u, err := url.Parse(wanted)
	if !registered || err != nil || strings.Contains(wanted, "#") {
		return nil, errDiscoveryReturn(wanted, s.Locations)
	}
	if _, err := url.ParseQuery(u.RawQuery); err != nil {
		return nil, errDiscoveryReturn(wanted, s.Locations)
	}
	return u, nil
}

// answer is where the browser takes an entityID, or that there is none (2.4.3).
func (q question) answer(id identity.EntityID) string {
	if id == "" {
		return q.to.String()
	}
	to := *q.to
	if to.RawQuery != "" {
		to.RawQuery += "&"
	}
	to.RawQuery += url.QueryEscape(q.param) + "=" + url.QueryEscape(string(id))
	return to.String()
}

// whereabout is a connection by which somebody may want to sign in.
type whereabout struct {
	id      identity.ConnectionID
	decided bool // nobody need be asked
}

// whereabouts returns what can be told without asking: where the person is signed in,
// the only way that there is, or what the browser remembers; nil if there is nothing.
func (a *Authenticator) whereabouts(r *http.Request, req identity.AuthnRequest) (*whereabout, error) {
	l, err := a.session(r)
	if err != nil {
		return nil, err
	}
	if l != nil && a.offers(req, l.session.Connection) {
		return &whereabout{id: l.session.Connection, decided: true}, nil
	}
	way := a.first(req, a.remembered(r, req))
	switch local, upstreams := a.offer(req); {
	case way.Connection != "":
		return &whereabout{id: way.Connection, decided: true}, nil
	case local && len(upstreams) == 0:
		return &whereabout{id: identity.LocalConnection, decided: true}, nil
	case way.First != "":
		return &whereabout{id: way.First}, nil
	}
	return nil, nil
}

// authority is the entityID of whoever authenticates people who come by a connection:
// at a directory that is samlet itself.
func (a *Authenticator) authority(req identity.AuthnRequest, id identity.ConnectionID) identity.EntityID {
	if a.method(id) != nil {
		return req.Issuer
	}
	_, upstreams := a.offer(req)
	if i := slices.IndexFunc(upstreams, func(c identity.Connection) bool { return c.ID == id }); i >= 0 {
		return upstreams[i].Issuer
	}
	return ""
}

// discoverPage lists the identity providers.
func (a *Authenticator) discoverPage(req identity.AuthnRequest, q question, known *whereabout, query url.Values) templates.Discover {
	local, upstreams := a.offer(req)
	p := templates.Discover{Action: a.path(pathDiscovery), RelyingParty: a.nameOf(req.RelyingParty), Cancel: q.answer("")}
	elsewhere := make([]identity.Connection, 0, len(upstreams))
	for _, c := range upstreams {
		switch {
		case a.cfg.Remote[c.ID] != nil:
			local = true
		case known != nil && known.id == c.ID && query.Get(templates.FieldSearch) == "":
			p.Remembered = &templates.Authority{Name: c.Name, URL: q.answer(c.Issuer)}
		default:
			elsewhere = append(elsewhere, c)
		}
	}
	if local {
		p.Own = q.answer(req.Issuer)
	}
	if len(elsewhere) > mostListed {
		wanted := query.Get(templates.FieldSearch)
		found, n := find(elsewhere, wanted)
		p.Search = &templates.Search{Query: wanted, Found: n}
		elsewhere = found
		for _, name := range []string{"entityID", "return", "returnIDParam"} {
			if query.Has(name) {
				p.Fields = append(p.Fields, templates.Field{Name: name, Value: query.Get(name)})
			}
		}
	}
	for _, c := range elsewhere {
		p.Authorities = append(p.Authorities, templates.Authority{Name: c.Name, URL: q.answer(c.Issuer)})
	}
	return p
}

func errDiscovery(what, seen, expected string) *identity.Error {
	return &identity.Error{
		Kind: identity.KindInvalid, Code: "sp.discovery", Who: identity.WhoVendor,
		Msg:  "The application asks where you sign in, but " + what + " cannot be understood.",
		Seen: seen, Expected: expected,
	}
}

// errDiscoveryReturn is an answer to an address that may be anybody's: nobody is sent
// there.
func errDiscoveryReturn(seen string, registered []string) *identity.Error {
	expected := "a DiscoveryResponse in its metadata, or discovery_response in its entry"
	if len(registered) > 0 {
		expected = strings.Join(registered[:min(len(registered), 3)], " or ")
	}
	return &identity.Error{
		Kind: identity.KindInvalid, Code: "sp.discovery_return", Who: identity.WhoVendor,
		Msg:  "The application asks where you sign in, and wants the answer at an address that is not registered for it.",
		Seen: seen, Expected: expected,
	}
}
