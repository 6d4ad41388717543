package rp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/samlet-id/samlet/broker"
	"github.com/samlet-id/samlet/certs"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/store"
)

// DefaultSkew is how far the clocks of the upstream and ours may differ.
const DefaultSkew = 3 * time.Minute

// Client authentication methods (OpenID Connect Core 9).
const (
	AuthBasic      = "client_secret_basic"
	AuthPost       = "client_secret_post"
	AuthPrivateKey = "private_key_jwt"
)

// Config is what a Connector is made of.
type Config struct {
	Issuer       identity.EntityID // the upstream's, exactly as its discovery document has it
	ClientID     string
	ClientSecret identity.Secret // not with AuthPrivateKey
	AuthMethod   string          // one of the above; empty leaves AuthBasic or AuthPost to discovery
	Keys         *certs.Ring     // AuthPrivateKey: ours, as PublicKeys publishes them
	RedirectURL  string          // ours, for this connection
	// PostLogoutURL is where the upstream sends the browser after a logout that
	// began here; empty: it is not told of any.
	PostLogoutURL string
	Scopes        []string     // beside openid; nil means what tells name and address of somebody
	Vendor        Vendor       // whose departures are allowed for
	Apple         *AppleKey    // with VendorApple, in place of ClientSecret
	HostedDomains []string     // with VendorGoogle: the only ones whose people come in; nil: anybody
	Tenants       []string     // with VendorMicrosoft and an issuer of many: the only ones; nil: any
	Memberships   []string     // with VendorGitHub: the organizations whose members alone come in; nil: anybody
	SkipUserInfo  bool         // believe the ID token to say all there is
	HTTP          *http.Client // makes every call; its reach is the caller's matter
	Store         store.Store  // remembers answers that were used

	Skew time.Duration    // zero means DefaultSkew
	Now  func() time.Time // nil means time.Now
	Rand io.Reader        // source of nonces; safe for concurrent use
}

// Connector is the relying party role towards one OpenID Provider. What it has
// discovered it keeps for an hour, and longer while the upstream does not answer;
// it is safe for concurrent use.
type Connector struct {
	cfg    Config
	client *http.Client

	mu    sync.Mutex
	found *provider // nil until discovery succeeds
	until time.Time // when found is asked for anew
}

var (
	_ broker.Connector = (*Connector)(nil)
	_ broker.SignsOut  = (*Connector)(nil)
)

// New checks cfg and returns its Connector. It calls nobody: the upstream is
// discovered at the first login, and again at the next if that fails.
func New(cfg Config) (*Connector, error) {
	if cfg.ClientID == "" || cfg.HTTP == nil || cfg.Store == nil || cfg.Rand == nil {
		return nil, errors.New("rp: client ID, HTTP client, store and randomness are required")
	}
	switch byKey := cfg.AuthMethod == AuthPrivateKey; {
	case cfg.Vendor == VendorApple && (cfg.Apple == nil || cfg.AuthMethod != ""):
		return nil, errors.New("rp: Apple is shown a secret that a key of its own signs")
	case byKey && cfg.Keys == nil, !byKey && cfg.Vendor != VendorApple && cfg.ClientSecret.Empty():
		return nil, errors.New("rp: a client secret is required, or keys for private_key_jwt")
	}
	for _, s := range []string{string(cfg.Issuer), cfg.RedirectURL, cmp.Or(cfg.PostLogoutURL, cfg.RedirectURL)} {
		if u, err := url.Parse(s); err != nil || u.Scheme == "" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
			return nil, fmt.Errorf("rp: %q is no absolute URL without query and fragment", s)
		}
	}
	if !slices.Contains([]string{"", AuthBasic, AuthPost, AuthPrivateKey}, cfg.AuthMethod) {
		return nil, fmt.Errorf("rp: unknown client authentication %q", cfg.AuthMethod)
	}
	if cfg.Scopes == nil {
		cfg.Scopes = usualScopes(cfg.Vendor)
	}
	if cfg.Vendor == VendorGitHub && len(cfg.Memberships) > 0 && !tellsOrganizations(cfg.Scopes) {
		cfg.Scopes = slices.Concat(cfg.Scopes, []string{"read:org"})
	}
	cfg.Skew = cmp.Or(cfg.Skew, DefaultSkew)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Connector{cfg: cfg, client: bounded(cfg.HTTP)}, nil
}

// Issuer returns the upstream's issuer identifier.
func (c *Connector) Issuer() identity.EntityID { return c.cfg.Issuer }

// usualScopes are those that tell name and address.
func usualScopes(v Vendor) []string {
	switch v {
	case VendorApple:
		return []string{"name", "email"}
	case VendorFacebook:
		return []string{"public_profile", "email"}
	case VendorGitHub:
		return []string{"read:user", "user:email"}
	case VendorGoogle, VendorMicrosoft, VendorGitLab, VendorLinkedIn:
	}
	return []string{"profile", "email"}
}

// oauth is the client as x/oauth2 wants it.
func (c *Connector) oauth(p *provider) *oauth2.Config {
	scopes := c.cfg.Scopes
	if !c.cfg.Vendor.Plain() {
		scopes = slices.Concat([]string{oidc.ScopeOpenID}, scopes)
	}
	return &oauth2.Config{
		ClientID: c.cfg.ClientID, ClientSecret: c.cfg.ClientSecret.Reveal(), RedirectURL: c.cfg.RedirectURL,
		Scopes:   scopes,
		Endpoint: oauth2.Endpoint{AuthURL: p.authorization, TokenURL: p.token, AuthStyle: p.style},
	}
}

// calling is ctx for the libraries that call the upstream.
func (c *Connector) calling(ctx context.Context) context.Context {
	return oidc.ClientContext(ctx, c.client)
}

// upstream returns an Error that the partner can put right.
func upstream(code identity.Code, kind identity.Kind, msg, seen, expected string) *identity.Error {
	return &identity.Error{Kind: kind, Code: code, Msg: msg, Seen: seen, Expected: expected, Who: identity.WhoPartner}
}

func malformed(seen, expected string) *identity.Error {
	return upstream("up.format", identity.KindInvalid, "The answer of your organization's sign-in service cannot be read.", seen, expected)
}

func unreachable(what string, err error) *identity.Error {
	e := upstream("up.unreachable", identity.KindUnavailable, "Your organization's sign-in service cannot be reached at the moment.", what, "an answer with status 200")
	e.Err = err
	return e
}
