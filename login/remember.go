package login

import (
	"net/http"
	"slices"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/templates"
)

// wayCookie has the id of the connection by which somebody last signed in with this
// browser. It says nothing of who that was, and proves nothing: it chooses among
// what the request leaves open, as anybody can who presses a button.
const wayCookie = "samlet_connection"

// remembered returns the connection that the browser of r remembers, if the request
// leaves it open: never one that is switched off, or that is another organization's
// than the relying party serves.
func (a *Authenticator) remembered(r *http.Request, req identity.AuthnRequest) identity.ConnectionID {
	if a.cfg.Remember <= 0 {
		return ""
	}
	value, ok := a.cfg.Web.Cookie(r, wayCookie)
	if !ok || identity.ConnectionID(value) == identity.LocalConnection || !a.offers(req, identity.ConnectionID(value)) {
		return ""
	}
	return identity.ConnectionID(value)
}

// remember has the browser know by which connection somebody has just signed in.
// Whoever signs in with samlet itself has no organization that it could offer.
func (a *Authenticator) remember(w http.ResponseWriter, r *http.Request, id identity.ConnectionID) {
	switch {
	case a.cfg.Remember <= 0, id == identity.LocalConnection:
		a.forget(w, r)
	default:
		a.cfg.Web.SetCookie(w, wayCookie, string(id), a.cfg.Remember)
	}
}

// forget takes the cookie back from a browser that has it.
func (a *Authenticator) forget(w http.ResponseWriter, r *http.Request) {
	a.cfg.Web.ClearCookieFamily(w, r, wayCookie)
}

// offerRemembered takes the connection that the browser remembers out of the others,
// since it stands before them.
func (a *Authenticator) offerRemembered(r *http.Request, req identity.AuthnRequest, others []templates.Connection) (*templates.Connection, []templates.Connection) {
	id := string(a.remembered(r, req))
	if id == "" {
		return nil, others
	}
	_, upstreams := a.offer(req)
	for _, c := range upstreams {
		if string(c.ID) == id {
			others = slices.DeleteFunc(others, func(o templates.Connection) bool { return o.ID == id })
			return &templates.Connection{ID: id, Name: c.Name}, others
		}
	}
	return nil, others
}

// rememberedName is what a page calls the connection that the browser remembers,
// whatever is asked for; empty for none.
func (a *Authenticator) rememberedName(r *http.Request) string {
	value, ok := a.cfg.Web.Cookie(r, wayCookie)
	if !ok || a.cfg.Upstream == nil {
		return ""
	}
	for _, c := range a.cfg.Upstream.Connections() {
		if string(c.ID) == value {
			return c.Name
		}
	}
	return ""
}
