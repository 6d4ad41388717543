package rp

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/samlet-id/samlet/identity"
)

// provider is what discovery says of the upstream.
type provider struct {
	authorization, token string
	style                oauth2.AuthStyle
	statesIssuer         bool // RFC 9207: every answer carries iss
	keys                 oidc.KeySet
}

// discover returns the upstream's endpoints. A success is kept; a failure is not,
// so that the next login tries again.
func (c *Connector) discover(ctx context.Context) (*provider, error) {
	c.mu.Lock()
	p := c.found
	c.mu.Unlock()
	if p != nil {
		return p, nil
	}
	doc, err := c.get(ctx, strings.TrimSuffix(string(c.cfg.Issuer), "/")+"/.well-known/openid-configuration")
	if err != nil {
		return nil, err
	}
	if p, err = c.read(ctx, doc); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.found == nil {
		c.found = p
	}
	return c.found, nil
}

// get fetches one JSON object.
func (c *Connector) get(ctx context.Context, from string) (object, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return nil, fmt.Errorf("asking %s: %w", from, err)
	}
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
		e := malformed(from+" says no JSON object with unique names", "an OpenID Provider's configuration")
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
func (c *Connector) read(ctx context.Context, doc object) (*provider, error) {
	if seen := doc.text("issuer"); seen != string(c.cfg.Issuer) {
		return nil, upstream("up.issuer", identity.KindInvalid, "Your organization's sign-in service calls itself by another name.", seen, string(c.cfg.Issuer))
	}
	for _, name := range []string{"authorization_endpoint", "token_endpoint", "jwks_uri"} {
		u, err := url.Parse(doc.text(name))
		if err != nil || u.Host == "" || u.Scheme != "https" && !strings.HasPrefix(string(c.cfg.Issuer), u.Scheme+"://") {
			return nil, malformed(name+" "+doc.text(name), "an absolute https URL")
		}
	}
	method := c.cfg.AuthMethod
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
	if method == AuthPost {
		style = oauth2.AuthStyleInParams
	}
	return &provider{
		authorization: doc.text("authorization_endpoint"), token: doc.text("token_endpoint"), style: style,
		statesIssuer: doc["authorization_response_iss_parameter_supported"] == true,
		// The key set outlives this login, and fetches keys anew for a kid that it
		// does not know: so a rotation at the upstream needs nothing of us.
		keys: oidc.NewRemoteKeySet(c.calling(context.WithoutCancel(ctx)), doc.text("jwks_uri")),
	}, nil
}
