package rp

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/samlet-id/samlet/binding"
	"github.com/samlet-id/samlet/identity"
)

// logoutLife is how old a logout token may be (Back-Channel Logout 1.0, 4).
const logoutLife = 2 * time.Minute

// logoutEvent is what makes a token a logout token (Back-Channel Logout 1.0, 2.4).
const logoutEvent = "http://schemas.openid.net/event/backchannel-logout"

// Reach says whether the upstream can be told of a logout. One that was not asked
// for its configuration since the start is taken to.
func (c *Connector) Reach() identity.Reach {
	c.mu.Lock()
	p := c.found
	c.mu.Unlock()
	end := string(c.cfg.Issuer)
	switch {
	case c.cfg.Vendor.Plain():
		end = ""
	case p != nil:
		end = p.endSession
	}
	u, err := url.Parse(end)
	if c.cfg.PostLogoutURL == "" || end == "" || err != nil {
		return identity.Reach{}
	}
	return identity.Reach{Browser: true, Origins: []string{u.Scheme + "://" + u.Host}}
}

// Tell is nothing that an OpenID Provider understands.
func (c *Connector) Tell(context.Context, identity.UpstreamSession, identity.LogoutReason) error {
	return noLogout("a logout without a browser")
}

// Lead returns the address by which the browser asks the upstream to end the
// session (RP-Initiated Logout 1.0, 2), and the state that it comes back with.
func (c *Connector) Lead(ctx context.Context, s identity.UpstreamSession, _ identity.LogoutReason) (binding.Message, string, error) {
	p, err := c.discover(ctx)
	if err != nil {
		return binding.Message{}, "", err
	}
	if p.endSession == "" || c.cfg.PostLogoutURL == "" {
		return binding.Message{}, "", noLogout("an end_session_endpoint")
	}
	state, err := c.token()
	if err != nil {
		return binding.Message{}, "", err
	}
	u, err := url.Parse(p.endSession)
	if err != nil {
		return binding.Message{}, "", fmt.Errorf("reading the end_session_endpoint: %w", err)
	}
	query := u.Query()
	query.Set("client_id", c.cfg.ClientID)
	query.Set("post_logout_redirect_uri", c.cfg.PostLogoutURL)
	query.Set("state", state)
	if s.Hint != "" {
		query.Set("id_token_hint", s.Hint)
	}
	u.RawQuery = query.Encode()
	return binding.Message{URL: u.String()}, state, nil
}

// AnswerLogout is nothing that OpenID Connect has: no OpenID Provider waits.
func (c *Connector) AnswerLogout(context.Context, []byte, bool) (binding.Message, error) {
	return binding.Message{}, errors.New("rp: an OpenID Provider awaits no answer to its logout")
}

func noLogout(expected string) *identity.Error {
	return upstream("up.no_slo", identity.KindUnavailable, "Your organization's sign-in service has no single logout.", "", expected)
}

// token returns a value that nobody guesses.
func (c *Connector) token() (string, error) {
	var random [32]byte
	if _, err := io.ReadFull(c.cfg.Rand, random[:]); err != nil {
		return "", fmt.Errorf("making a token: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(random[:]), nil
}

// ReadLogoutToken proves that raw is a logout token of this upstream for us
// (Back-Channel Logout 1.0, 2.6), and returns what it wants of connection id. No
// ID token passes for one, nor the reverse.
func (c *Connector) ReadLogoutToken(ctx context.Context, raw string, id identity.ConnectionID) (identity.Logout, error) {
	if c.cfg.Vendor.Plain() {
		return identity.Logout{}, noLogout("an OpenID Provider")
	}
	head, err := header(raw)
	if err != nil {
		return identity.Logout{}, err
	}
	if typ := head.text("typ"); !strings.EqualFold(strings.TrimPrefix(strings.ToLower(typ), "application/"), "logout+jwt") {
		return identity.Logout{}, malformed("typ "+clean(typ), "logout+jwt")
	}
	if _, err := algorithm(head); err != nil {
		return identity.Logout{}, err
	}
	p, err := c.discover(ctx)
	if err != nil {
		return identity.Logout{}, err
	}
	payload, err := p.logoutKeys.VerifySignature(ctx, raw)
	if err != nil {
		return identity.Logout{}, c.unverified(ctx, err)
	}
	claims, err := decode(payload)
	if err != nil {
		e := malformed("a logout token that is no JSON object with unique names", "each claim once")
		e.Err = err
		return identity.Logout{}, e
	}
	if err := c.checkParties(claims); err != nil {
		return identity.Logout{}, err
	}
	issued, err := c.checkLogout(claims)
	if err != nil {
		return identity.Logout{}, err
	}
	out := c.logout(id, claims.text("sub"), claims.text("sid"))
	out.Message = "oidc logout " + string(c.cfg.Issuer) + " " + claims.text("jti")
	out.Expires = issued.Add(logoutLife + 2*c.cfg.Skew)
	return out, nil
}

// checkLogout checks what logout tokens have of their own, and returns when the
// token was issued.
func (c *Connector) checkLogout(claims object) (time.Time, error) {
	if _, stated := claims["nonce"]; stated {
		return time.Time{}, malformed("a nonce", "none in a logout token")
	}
	events, _ := claims["events"].(object)
	if _, ok := events[logoutEvent].(object); !ok {
		return time.Time{}, malformed("no backchannel-logout among the events", logoutEvent)
	}
	if claims.text("jti") == "" || claims.text("sub") == "" && claims.text("sid") == "" {
		return time.Time{}, malformed("no jti, or neither sub nor sid", "a jti, and whose session it is")
	}
	if err := c.checkTimes(claims, pending{}); err != nil {
		return time.Time{}, err
	}
	issued, err := claims.instant("iat")
	if err != nil {
		return time.Time{}, err
	}
	if age := c.cfg.Now().Sub(issued); age > logoutLife+c.cfg.Skew {
		return time.Time{}, c.offClock(identity.KindExpired, fmt.Sprintf("a logout token of %d s ago", int(age.Seconds())))
	}
	return issued, nil
}

// ReadFrontLogout reads the address by which the upstream has the browser tell of a
// logout (Front-Channel Logout 1.0, 3). It is not signed: whose session ends is
// known by a sid that nobody else was told.
func (c *Connector) ReadFrontLogout(query url.Values, id identity.ConnectionID) (identity.Logout, error) {
	if len(query["iss"]) != 1 || len(query["sid"]) != 1 || query.Get("sid") == "" {
		return identity.Logout{}, malformed("no iss and sid, or more than one", "frontchannel_logout_session_required")
	}
	// Of many tenants the sid alone tells which.
	if seen := query.Get("iss"); c.template() == "" && seen != string(c.cfg.Issuer) {
		return identity.Logout{}, upstream("up.issuer", identity.KindInvalid, "The message came from another identity provider.", clean(seen), string(c.cfg.Issuer))
	}
	message, err := c.token()
	if err != nil {
		return identity.Logout{}, err
	}
	out := c.logout(id, "", query.Get("sid"))
	out.Message, out.Expires = "oidc front "+message, c.cfg.Now().Add(logoutLife)
	return out, nil
}

func (c *Connector) logout(id identity.ConnectionID, sub, sid string) identity.Logout {
	out := identity.Logout{
		Connection: id, Audience: identity.EntityID(c.cfg.ClientID), Principal: identity.Principal{Issuer: c.cfg.Issuer, Subject: sub},
	}
	if sid != "" {
		out.Indexes = []identity.SessionID{identity.SessionID(sid)}
	}
	return out
}
