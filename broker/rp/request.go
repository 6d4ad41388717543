package rp

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/samlet-id/samlet/binding"
	"github.com/samlet-id/samlet/identity"
)

// pending is what Finish has to know of the authentication request. It is kept
// on our side; of the verifier and the nonce only what the specifications say
// travels.
type pending struct {
	Issuer   identity.EntityID `json:"issuer"`
	State    string            `json:"state"`
	Nonce    string            `json:"nonce"`
	Verifier string            `json:"verifier"`
	Issued   time.Time         `json:"issued"`
	MaxAge   *int64            `json:"max_age,omitempty"` // seconds
}

// Begin returns the authentication request (OpenID Connect Core 3.1.2.1), with
// relayState as its state parameter, and the state for Finish.
func (c *Connector) Begin(ctx context.Context, req identity.AuthnRequest, relayState string) (binding.Message, []byte, error) {
	if err := ctx.Err(); err != nil {
		return binding.Message{}, nil, err
	}
	if !req.Scoping.Proxies(1) {
		return binding.Message{}, nil, &identity.Error{
			Kind: identity.KindDenied, Code: "sp.proxy_count", Who: identity.WhoVendor,
			Msg: "The application does not accept a sign-in that another organization vouches for.", Expected: "ProxyCount 1 at least",
		}
	}
	if req.IsPassive && c.cfg.Vendor.Plain() {
		return binding.Message{}, nil, upstream("up.status", identity.KindNeedsInteraction, "You have to sign in before you can go on.", "IsPassive", "a sign-in that may show something: this identity provider knows no other")
	}
	p, err := c.discover(ctx)
	if err != nil {
		return binding.Message{}, nil, fmt.Errorf("discovering %s: %w", c.cfg.Issuer, err)
	}
	var random [64]byte
	if _, err := io.ReadFull(c.cfg.Rand, random[:]); err != nil {
		return binding.Message{}, nil, fmt.Errorf("making a nonce: %w", err)
	}
	asked := pending{
		Issuer: c.cfg.Issuer, State: relayState, Issued: c.cfg.Now().UTC(),
		Nonce:    base64.RawURLEncoding.EncodeToString(random[:32]),
		Verifier: base64.RawURLEncoding.EncodeToString(random[32:]),
	}
	var options []oauth2.AuthCodeOption
	if c.challenges() {
		options = append(options, oauth2.S256ChallengeOption(asked.Verifier))
	}
	if c.nonces() {
		options = append(options, oauth2.SetAuthURLParam("nonce", asked.Nonce))
	}
	switch {
	case c.cfg.Vendor == VendorApple: // which refuses to tell name and address in a query
		options = append(options, oauth2.SetAuthURLParam("response_mode", "form_post"))
	case len(c.cfg.HostedDomains) == 1:
		options = append(options, oauth2.SetAuthURLParam("hd", c.cfg.HostedDomains[0]))
	case len(c.cfg.HostedDomains) > 1:
		options = append(options, oauth2.SetAuthURLParam("hd", "*"))
	}
	switch {
	case req.IsPassive:
		options = append(options, oauth2.SetAuthURLParam("prompt", "none"))
	case req.ForceAuthn:
		options = append(options, oauth2.SetAuthURLParam("prompt", "login"))
	}
	if req.ForceAuthn || req.MaxAge > 0 {
		seconds := int64(req.MaxAge / time.Second)
		if req.ForceAuthn {
			seconds = 0
		}
		asked.MaxAge = &seconds
		options = append(options, oauth2.SetAuthURLParam("max_age", strconv.FormatInt(seconds, 10)))
	}
	if classes := req.Context.Classes; len(classes) > 0 {
		values := make([]string, len(classes))
		for i, c := range classes {
			values[i] = string(c)
		}
		options = append(options, oauth2.SetAuthURLParam("acr_values", strings.Join(values, " ")))
	}
	if req.LoginHint != "" {
		options = append(options, oauth2.SetAuthURLParam("login_hint", req.LoginHint))
	}
	if len(req.Locales) > 0 {
		options = append(options, oauth2.SetAuthURLParam("ui_locales", strings.Join(req.Locales, " ")))
	}
	state, err := json.Marshal(asked)
	if err != nil {
		return binding.Message{}, nil, fmt.Errorf("keeping the request: %w", err)
	}
	return binding.Message{URL: c.oauth(p).AuthCodeURL(relayState, options...)}, state, nil
}
