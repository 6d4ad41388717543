package rp

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/samlet-id/samlet/identity"
)

// How long a discovery document counts, and how soon one that could not be had is
// asked for again while an earlier one serves.
const (
	discoveryLife = time.Hour
	discoveryWait = time.Minute
)

// provider is what discovery says of the upstream.
type provider struct {
	authorization, token string
	userInfo, endSession string // empty: there is none
	jwks                 string
	style                oauth2.AuthStyle
	statesIssuer         bool        // RFC 9207: every answer carries iss
	keys                 oidc.KeySet // of ID tokens
	logoutKeys           oidc.KeySet // of logout tokens, which anybody can send
}

// discover returns the upstream's endpoints. A success is kept; where there is
// none yet a failure is not, so that the next login tries again.
func (c *Connector) discover(ctx context.Context) (*provider, error) {
	if c.cfg.Vendor.Plain() {
		return c.endpoints(), nil
	}
	c.mu.Lock()
	old, fresh := c.found, c.cfg.Now().Before(c.until)
	c.mu.Unlock()
	if old != nil && fresh {
		return old, nil
	}
	p, err := c.fetch(ctx, old)
	wait := discoveryLife
	if err != nil {
		if old == nil || ctx.Err() != nil {
			return nil, err
		}
		p, wait = old, discoveryWait
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.found, c.until = p, c.cfg.Now().Add(wait)
	return p, nil
}

// Check asks the upstream for its configuration and its keys, and says what is
// wrong with them.
func (c *Connector) Check(ctx context.Context) error {
	if c.cfg.Vendor.Plain() {
		return nil // there is nothing to ask for without somebody who signs in
	}
	p, err := c.fetch(ctx, nil)
	if err != nil {
		return err
	}
	set, err := c.get(ctx, p.jwks)
	if err != nil {
		return err
	}
	if keys, ok := set["keys"].([]any); !ok || len(keys) == 0 {
		return malformed("no keys at "+p.jwks, "a JSON Web Key Set (RFC 7517)")
	}
	return nil
}

// fetch asks for the discovery document; of old, unless it is nil, the keys are
// kept.
func (c *Connector) fetch(ctx context.Context, old *provider) (*provider, error) {
	doc, err := c.get(ctx, strings.TrimSuffix(string(c.cfg.Issuer), "/")+"/.well-known/openid-configuration")
	if err != nil {
		return nil, err
	}
	p, err := c.read(doc)
	if err != nil {
		return nil, err
	}
	if old != nil && old.jwks == p.jwks {
		p.keys, p.logoutKeys = old.keys, old.logoutKeys
		return p, nil
	}
	// A key set outlives this login, and fetches keys anew for a kid that it does not
	// know: so a rotation at the upstream needs nothing of us.
	ctx = context.WithoutCancel(ctx)
	p.keys = oidc.NewRemoteKeySet(oidc.ClientContext(ctx, answered(c.client)), p.jwks)
	p.logoutKeys = oidc.NewRemoteKeySet(oidc.ClientContext(ctx, seldom(answered(c.client), c.cfg.Now)), p.jwks)
	return p, nil
}

// get fetches one JSON object.
func (c *Connector) get(ctx context.Context, from string) (object, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return nil, fmt.Errorf("asking %s: %w", from, err)
	}
	return c.object(req)
}

// object makes a call that is answered by one JSON object.
func (c *Connector) object(req *http.Request) (object, error) {
	ctx, from := req.Context(), req.URL.String()
	resp, err := c.client.Do(req)
	if err != nil {
		return nil, c.failed(ctx, "no answer from "+from, err)
	}
	body, err := io.ReadAll(resp.Body)
	if cerr := resp.Body.Close(); err == nil {
		err = cerr
	}
	if err != nil || resp.StatusCode != http.StatusOK {
		return nil, c.failed(ctx, fmt.Sprintf("status %d from %s", resp.StatusCode, from), err)
	}
	o, err := decode(body)
	if err != nil {
		e := malformed(from+" says no JSON object with unique names", "one JSON object")
		e.Err = err
		return nil, e
	}
	return o, nil
}

// failed is a call that brought nothing: the browser's going away is no outage.
func (c *Connector) failed(ctx context.Context, what string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return unreachable(what, err)
}

// read checks a discovery document (OpenID Connect Discovery 4.3). Endpoints that
// are less protected than the issuer would carry codes and secrets in the clear.
func (c *Connector) read(doc object) (*provider, error) {
	if seen := doc.text("issuer"); seen != cmp.Or(c.template(), string(c.cfg.Issuer)) {
		return nil, upstream("up.issuer", identity.KindInvalid, "Your organization's sign-in service calls itself by another name.", seen, cmp.Or(c.template(), string(c.cfg.Issuer)))
	}
	for _, name := range []string{"authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint", "end_session_endpoint"} {
		if _, stated := doc[name]; !stated && (name == "userinfo_endpoint" || name == "end_session_endpoint") {
			continue
		}
		u, err := url.Parse(doc.text(name))
		if err != nil || u.Host == "" || u.Scheme != "https" && !strings.HasPrefix(string(c.cfg.Issuer), u.Scheme+"://") {
			return nil, malformed(name+" "+doc.text(name), "an absolute https URL")
		}
	}
	method := c.cfg.AuthMethod
	if c.cfg.Vendor == VendorApple {
		method = AuthPost
	}
	offered := doc.texts("token_endpoint_auth_methods_supported")
	switch {
	case method != "":
	case len(offered) == 0 || slices.Contains(offered, AuthBasic):
		method = AuthBasic
	case slices.Contains(offered, AuthPost):
		method = AuthPost
	default:
		return nil, malformed("token_endpoint_auth_methods_supported "+strings.Join(offered, " "), AuthBasic+" or "+AuthPost)
	}
	style := oauth2.AuthStyleInHeader
	if method != AuthBasic {
		style = oauth2.AuthStyleInParams
	}
	p := &provider{
		authorization: doc.text("authorization_endpoint"), token: doc.text("token_endpoint"), style: style, jwks: doc.text("jwks_uri"),
		userInfo: doc.text("userinfo_endpoint"), endSession: doc.text("end_session_endpoint"),
		statesIssuer: doc["authorization_response_iss_parameter_supported"] == true,
	}
	if c.cfg.SkipUserInfo {
		p.userInfo = ""
	}
	return p, nil
}
