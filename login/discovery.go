package login

import (
	"net/http"
	"strings"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/templates"
)

const (
	// mostButtons is how many connections stand beside the field for an identifier.
	mostButtons = 8
	// mostListed is how many connections one page lists; the others are found by
	// their names.
	mostListed = 20
	// mostSearch is how many characters of what somebody looks for count.
	mostSearch = 100
)

// choosePage lists the connections that the request leaves open, or those of them
// that the person looks for.
func (a *Authenticator) choosePage(r *http.Request, t *ticket, s step, v view) templates.Choose {
	_, upstreams := a.offer(t.Request)
	p := templates.Choose{
		Action: a.path("/login"), Ticket: t.id, RelyingParty: a.nameOf(t.Request.RelyingParty), Problem: v.problem, Proving: a.proof(t), Cancellable: true,
	}
	if len(upstreams) > mostListed {
		found, n := find(upstreams, v.search)
		p.Search = &templates.Search{Query: v.search, Found: n}
		upstreams = found
	}
	p.Connections = buttons(upstreams)
	if v.search == "" {
		p.Remembered, p.Connections = a.offerRemembered(r, t.Request, p.Connections)
	}
	if t.Identifier != "" && t.Connection == "" && p.Problem == "" && !v.choose {
		p.Problem = "We do not know which organization this address belongs to. Choose it here."
	}
	if s == stepIdentify || a.routes(t.Request) {
		p.Back = a.againPath(t.id)
	}
	return p
}

// routes reports whether an identifier can lead to a connection that the request
// leaves open.
func (a *Authenticator) routes(req identity.AuthnRequest) bool {
	_, upstreams := a.offer(req)
	return routable(upstreams)
}

// find returns the first connections that somebody may mean by query, and how many
// there are: each word of it is in the name, or in one of the mail domains. Those
// whose name begins with it come first. An empty query fits all.
func find(upstreams []identity.Connection, query string) (found []identity.Connection, n int) {
	query = strings.ToLower(strings.TrimSpace(query[:min(len(query), mostSearch)]))
	words := strings.Fields(query)
	var first, rest []identity.Connection
	for _, c := range upstreams {
		name := strings.ToLower(c.Name)
		if !fits(name, c.EmailDomains, words) {
			continue
		}
		n++
		switch {
		case strings.HasPrefix(name, query) && len(first) < mostListed:
			first = append(first, c)
		case len(rest) < mostListed:
			rest = append(rest, c)
		}
	}
	found = append(first, rest...)
	return found[:min(len(found), mostListed)], n
}

func fits(name string, domains, words []string) bool {
	for _, w := range words {
		in := strings.Contains(name, w)
		for _, d := range domains {
			in = in || strings.Contains(d, w)
		}
		if !in {
			return false
		}
	}
	return true
}

func buttons(connections []identity.Connection) []templates.Connection {
	list := make([]templates.Connection, len(connections))
	for i, c := range connections {
		list[i] = templates.Connection{ID: string(c.ID), Name: c.Name}
	}
	return list
}
