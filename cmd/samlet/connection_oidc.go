package main

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/samlet-id/samlet/broker/rp"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/web"
)

// pathCallback is where OpenID Providers send their answers, with the
// connection's id after it.
const pathCallback = "/oidc/callback/"

// checkOIDC checks what connections of type oidc need. The connection's keys and
// codes travel to the issuer: in the clear only within this machine.
func (d *decoder) checkOIDC(cfg *Config) {
	issuers := map[string]bool{}
	for i, c := range cfg.Connections {
		if c.Type != "oidc" {
			continue
		}
		at := fmt.Sprintf("connections[%d]", i)
		u, err := url.Parse(c.Issuer)
		plain := err == nil && u.Scheme == "http" && cfg.development() && onLoopback(c.Issuer)
		switch {
		case err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.Scheme != "https" && !plain:
			d.faultAt(at+".issuer", "want an https URL without query and fragment, got %q", c.Issuer)
		case issuers[c.Issuer]:
			d.faultAt(at+".issuer", "%s is the issuer of another connection already", c.Issuer)
		}
		issuers[c.Issuer] = true
		if c.ClientID == "" || c.ClientSecret == "" {
			d.faultAt(at, "a connection of type oidc needs client_id and client_secret")
		}
		d.oneOf(at+".token_endpoint_auth_method", c.TokenEndpointAuthMethod, "", rp.AuthBasic, rp.AuthPost)
	}
}

// clientSecret resolves the reference of connection i.
func (s *sources) clientSecret(i int, c ConnectionConfig) identity.Secret {
	raw, err := s.decoder.reference(c.ClientSecret)
	secret := strings.TrimSpace(string(raw))
	switch {
	case err != nil:
		s.decoder.faultAt(fmt.Sprintf("connections[%d].client_secret", i), "%v", err)
	case secret == "":
		s.decoder.faultAt(fmt.Sprintf("connections[%d].client_secret", i), "it is empty")
	}
	return identity.NewSecret(secret)
}

// relyingParty makes the connector of a connection of type oidc.
func (h *house) relyingParty(c connection, sh *shared) (*rp.Connector, error) {
	return rp.New(rp.Config{
		Issuer: identity.EntityID(c.config.Issuer), ClientID: c.config.ClientID, ClientSecret: c.secret,
		AuthMethod: c.config.TokenEndpointAuthMethod, RedirectURL: h.snapshot.Config.Server.BaseURL + pathCallback + string(c.ID),
		Scopes: c.config.RequestScopes, HTTP: h.outbound, Store: sh.store,
		Skew: time.Duration(c.config.Require.MaxClockSkew), Now: sh.now, Rand: sh.rand,
	})
}

// mountCallbacks serves where OpenID Providers send their answers, and returns
// the patterns that take forms from other sites (response_mode form_post).
func (h *house) mountCallbacks(mux *http.ServeMux, site *web.Web) []string {
	var crossSite []string
	for _, c := range h.snapshot.Connections {
		if c.Type != "oidc" {
			continue
		}
		path := pathCallback + string(c.ID)
		answer := site.Handle(func(w http.ResponseWriter, r *http.Request) error { return h.login.Return(w, r, c.ID) })
		mux.Handle("GET "+path, answer)
		mux.Handle("POST "+path, answer)
		crossSite = append(crossSite, "POST "+path)
	}
	return crossSite
}
