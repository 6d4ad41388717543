package main

import (
	"fmt"
	"log/slog"
	"net/http"
	"slices"

	"github.com/samlet-id/samlet/binding"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/web"
)

// checkInitiated judges where IdP-initiated sign-ins of a connection may land.
func (d *decoder) checkInitiated(at string, c ConnectionConfig, parties []ServiceProviderConfig) {
	if len(c.IDPInitiated) == 0 {
		return
	}
	if c.Type != "saml" && c.Type != "oidc" {
		d.faultAt(at+".idp_initiated", "only a saml or oidc connection begins a sign-in")
		return
	}
	if c.SignRequests != nil && !*c.SignRequests {
		d.faultAt(at+".sign_requests", "with idp_initiated the requests are signed")
	}
	for i, id := range c.IDPInitiated {
		here := fmt.Sprintf("%s.idp_initiated[%d]", at, i)
		j := slices.IndexFunc(parties, func(sp ServiceProviderConfig) bool { return sp.ID == id })
		switch {
		case j < 0:
			d.faultAt(here, "want the id of a service provider, got %q", id)
		case !parties[j].Session.IDPInitiated:
			d.faultAt(here, "%s takes no sign-in that it did not ask for; set its session.idp_initiated if its vendor wants one", id)
		}
	}
}

// signsRequests says whether AuthnRequests of the connection are signed. Where they
// begin with an unsolicited Response they are.
func (c ConnectionConfig) signsRequests() identity.Switch {
	if len(c.IDPInitiated) > 0 {
		return identity.On
	}
	return switchOf(c.SignRequests)
}

// unsolicited takes what came from an upstream and answers no login. Where the
// connection allows that, an unsolicited Response begins a sign-in: nothing of it is
// believed but that the browser comes from there, so that it goes back with a
// question, and whoever planted a Response of theirs in the browser of somebody
// else has signed nobody in. Why is how it is refused otherwise.
func (h *house) unsolicited(w http.ResponseWriter, r *http.Request, id identity.ConnectionID, in binding.Received, why error) error {
	c := h.snapshot.connection(string(id))
	if c == nil || len(c.config.IDPInitiated) == 0 || c.Disabled {
		return why
	}
	begins, err := h.connectors[id].Unsolicited(in)
	if err != nil {
		return err
	}
	if !begins {
		return why
	}
	return h.land(w, r, c, in.Form.Get("RelayState"))
}

// initiated takes what an OpenID Provider begins a sign-in with (OpenID Connect Core
// 4, its own name as iss), which says nothing of anybody: the browser goes back with
// a question.
func (h *house) initiated(w http.ResponseWriter, r *http.Request, id identity.ConnectionID) error {
	c := h.snapshot.connection(string(id))
	if err := r.ParseForm(); err != nil || c == nil || len(c.config.IDPInitiated) == 0 || c.Disabled {
		return &identity.Error{
			Kind: identity.KindInvalid, Code: "up.unsolicited", Who: identity.WhoUser, Err: err,
			Msg: "Sign-ins do not begin at your organization. Start from the application instead.", Expected: "idp_initiated of the connection",
		}
	}
	if seen := r.Form.Get("iss"); seen != string(c.Issuer) {
		return &identity.Error{
			Kind: identity.KindInvalid, Code: "up.issuer", Who: identity.WhoPartner, Seen: seen, Expected: string(c.Issuer),
			Msg: "The sign-in was begun by another identity provider.",
		}
	}
	return h.land(w, r, c, r.Form.Get("target_link_uri"))
}

// land begins a sign-in at an application for somebody whom the connection sent.
func (h *house) land(w http.ResponseWriter, r *http.Request, c *connection, target string) error {
	landing, err := h.landing(c.config.IDPInitiated, target)
	if err != nil {
		return err
	}
	h.log.LogAttrs(r.Context(), slog.LevelInfo, "sign-in begun by an upstream",
		slog.String("request_id", web.RequestID(r.Context())), slog.String("connection", string(c.ID)), slog.String("sp", string(landing)))
	return h.idp.Land(w, r, landing, c.ID)
}

// landing chooses the application: the one that a RelayState or target_link_uri
// names by its id or entityID, else the first.
func (h *house) landing(allowed []string, relayState string) (identity.RelyingPartyID, error) {
	for _, p := range h.snapshot.Parties {
		if relayState != string(p.ID) && relayState != string(p.EntityID) {
			continue
		}
		if !slices.Contains(allowed, string(p.ID)) {
			return "", &identity.Error{
				Kind: identity.KindDenied, Code: "up.landing", Who: identity.WhoOperator,
				Msg:  "Your organization's sign-in led to an application that it may not open here.",
				Seen: string(p.ID), Expected: "one that idp_initiated of the connection lists",
			}
		}
		return p.ID, nil
	}
	return identity.RelyingPartyID(allowed[0]), nil
}
