package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/samlet-id/samlet/broker/rp"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/web"
)

// The addresses of ours for OpenID Providers, with the connection's id after them:
// where they send their answers, and the browser after a logout that began here;
// below the latter, where they tell of their own; and where they begin a sign-in.
// pathJWKS is the same for all.
const (
	pathCallback    = "/oidc/callback/"
	pathOIDCLogout  = "/oidc/logout/"
	pathLogoutBack  = "/back"
	pathLogoutFront = "/front"
	pathInitiate    = "/oidc/initiate/"
	pathJWKS        = "/oidc/jwks"
)

// checkOIDC checks what connections of type oidc need. The connection's keys and
// codes travel to the issuer: in the clear only within this machine.
func (d *decoder) checkOIDC(cfg *Config) {
	issuers := map[string]bool{}
	for i := range cfg.Connections {
		c := &cfg.Connections[i]
		if !c.byOAuth() {
			continue
		}
		at := fmt.Sprintf("connections[%d]", i)
		c.Issuer = cmp.Or(c.Issuer, vendorIssuers()[c.Preset])
		u, err := url.Parse(c.Issuer)
		plain := err == nil && u.Scheme == "http" && cfg.development() && onLoopback(c.Issuer)
		switch {
		case err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.Scheme != "https" && !plain:
			d.faultAt(at+".issuer", "want an https URL without query and fragment, got %q", c.Issuer)
		case issuers[c.Issuer]:
			d.faultAt(at+".issuer", "%s is the issuer of another connection already", c.Issuer)
		}
		issuers[c.Issuer] = true
		if c.Type == "oauth" && c.TokenEndpointAuthMethod != "" {
			d.faultAt(at+".token_endpoint_auth_method", "it belongs to type: oidc alone")
			continue
		}
		byKey := c.TokenEndpointAuthMethod == rp.AuthPrivateKey
		switch {
		case c.ClientID == "" || c.ClientSecret == "" && !byKey && c.Preset != "apple":
			d.faultAt(at, "a connection of type %s needs client_id and client_secret", c.Type)
		case c.ClientSecret != "" && byKey:
			d.faultAt(at+".client_secret", "with private_key_jwt there is no secret: the partner reads our keys")
		}
		d.oneOf(at+".token_endpoint_auth_method", c.TokenEndpointAuthMethod, "", rp.AuthBasic, rp.AuthPost, rp.AuthPrivateKey)
	}
}

// byOAuth reports whether people come by a code of OAuth 2.0.
func (c ConnectionConfig) byOAuth() bool { return c.Type == "oidc" || c.Type == "oauth" }

// clientSecret resolves the reference of connection i.
func (s *sources) clientSecret(i int, c ConnectionConfig) identity.Secret {
	if c.ClientSecret == "" {
		return identity.Secret{}
	}
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

// relyingParty makes the connector of a connection of type oidc or oauth.
func (h *house) relyingParty(c connection, sh *shared) (*rp.Connector, error) {
	base := h.snapshot.Config.Server.BaseURL
	connector, err := rp.New(rp.Config{
		Issuer: identity.EntityID(c.config.Issuer), ClientID: c.config.ClientID, ClientSecret: c.secret,
		AuthMethod: c.config.TokenEndpointAuthMethod, Keys: h.snapshot.Keys,
		RedirectURL: base + pathCallback + string(c.ID), PostLogoutURL: base + pathOIDCLogout + string(c.ID),
		Vendor: c.config.vendor(), Apple: c.apple, HostedDomains: c.config.HostedDomains, Tenants: c.config.Tenants, Memberships: c.config.Memberships,
		Scopes: c.config.RequestScopes, SkipUserInfo: c.config.UserInfo != nil && !*c.config.UserInfo, HTTP: h.outbound, Store: sh.store,
		Skew: time.Duration(c.config.Require.MaxClockSkew), Now: sh.now, Rand: sh.rand,
	})
	if err != nil {
		return nil, fmt.Errorf("connection %q: %w", c.ID, err)
	}
	h.relying[c.ID] = connector
	return connector, nil
}

// checkProvider asks the OpenID Provider of a connection for what a sign-in needs
// of it.
func checkProvider(ctx context.Context, snap *snapshot, id identity.ConnectionID) error {
	s, err := openStage(ctx, stageConfig{Snapshot: snap})
	if err != nil {
		return err
	}
	return errors.Join(s.relying[id].Check(ctx), s.Close(ctx))
}

// mountProviders serves what OpenID Providers need of us, and returns the patterns
// that take forms from other sites (response_mode form_post).
func (h *house) mountProviders(mux *http.ServeMux, site *web.Web) ([]string, error) {
	if len(h.relying) == 0 {
		return nil, nil
	}
	keys, err := rp.PublicKeys(h.snapshot.Keys)
	if err != nil {
		return nil, err
	}
	mux.Handle("GET "+pathJWKS, site.Handle(func(w http.ResponseWriter, _ *http.Request) error {
		w.Header().Set("Content-Type", "application/jwk-set+json")
		w.Header().Set("Cache-Control", "public, max-age=300")
		_, _ = w.Write(keys) // fails only when whoever asked has gone
		return nil
	}))
	var crossSite []string
	for id := range h.relying {
		path := pathCallback + string(id)
		answer := site.Handle(func(w http.ResponseWriter, r *http.Request) error { return h.login.Return(w, r, id) })
		mux.Handle("GET "+path, answer)
		mux.Handle("POST "+path, answer)
		begin := pathInitiate + string(id)
		initiate := site.Handle(func(w http.ResponseWriter, r *http.Request) error { return h.initiated(w, r, id) })
		mux.Handle("GET "+begin, initiate)
		mux.Handle("POST "+begin, initiate)
		crossSite = append(crossSite, "POST "+path, "POST "+begin)
		h.mountProviderLogout(mux, site, id)
	}
	return crossSite, nil
}
