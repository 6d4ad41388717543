package rp

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/oauth2"

	"github.com/samlet-id/samlet/identity"
)

// GitHub and Facebook have OAuth 2.0 (RFC 6749) and no ID token: who somebody is, is
// what their API says to the access token of the code that this browser brought.

// Plain reports whether a vendor has OAuth 2.0 alone.
func (v Vendor) Plain() bool { return v == VendorGitHub || v == VendorFacebook }

// facebookVersion is of the Graph API.
const facebookVersion = "/v25.0"

// How many organizations of a person are read, a page of so many at a time.
const (
	pageSize = 100
	maxPages = 10
)

// endpoints are those of a vendor that nobody discovers.
func (c *Connector) endpoints() *provider {
	base := strings.TrimSuffix(string(c.cfg.Issuer), "/")
	if c.cfg.Vendor == VendorFacebook {
		return &provider{authorization: base + facebookVersion + "/dialog/oauth", token: c.api() + "/oauth/access_token", style: oauth2.AuthStyleInParams}
	}
	return &provider{authorization: base + "/login/oauth/authorize", token: base + "/login/oauth/access_token", style: oauth2.AuthStyleInParams}
}

// api is where the vendor tells of people. GitHub Enterprise Server has it below its
// own name, GitHub Enterprise Cloud with data residency before it.
func (c *Connector) api() string {
	base := strings.TrimSuffix(string(c.cfg.Issuer), "/")
	scheme, host, _ := strings.Cut(base, "://")
	switch {
	case c.cfg.Vendor == VendorFacebook:
		return scheme + "://" + strings.Replace(host, "www.", "graph.", 1) + facebookVersion
	case host == "github.com", strings.HasSuffix(host, ".ghe.com"):
		return scheme + "://api." + host
	}
	return base + "/api/v3"
}

// profile returns what the vendor says of whom the access token is for, in the words of
// OpenID Connect Core 5.1. When they signed in is nothing that it knows.
func (c *Connector) profile(ctx context.Context, asked pending, accessToken string) (object, error) {
	if asked.MaxAge != nil {
		return nil, stale("no word on when", "when the person signed in, which this identity provider does not tell")
	}
	if c.cfg.Vendor == VendorFacebook {
		return c.facebook(ctx, accessToken)
	}
	return c.gitHub(ctx, accessToken)
}

func (c *Connector) gitHub(ctx context.Context, accessToken string) (object, error) {
	user, err := c.tell(ctx, "/user", accessToken)
	if err != nil {
		return nil, err
	}
	id, _ := user["id"].(json.Number) // the login can be changed, and be another's then
	claims := object{"preferred_username": user.text("login"), "name": user.text("name"), "sub": id.String()}
	if claims.text("sub") == "" || id == "0" {
		return nil, noSubject("no id")
	}
	// The address of the profile is whatever its owner shows to others.
	mails, err := c.list(ctx, "/user/emails?per_page=100", accessToken)
	if err != nil {
		return nil, err
	}
	for _, m := range mails {
		if m["primary"] == true && m["verified"] == true {
			claims["email"], claims["email_verified"] = m.text("email"), true
		}
	}
	if !tellsOrganizations(c.cfg.Scopes) {
		return claims, nil
	}
	groups, err := c.organizations(ctx, accessToken)
	if err != nil {
		return nil, err
	}
	claims["groups"] = groups
	if want := c.cfg.Memberships; len(want) > 0 && !slices.ContainsFunc(groups, func(g any) bool {
		return slices.ContainsFunc(want, func(w string) bool { return strings.EqualFold(w, fmt.Sprint(g)) })
	}) {
		return nil, upstream("up.membership", identity.KindDenied, "Your account is in none of the organizations that may sign in here.",
			fmt.Sprintf("%d organizations that let the application see them", len(groups)), strings.Join(want, " or "))
	}
	return claims, nil
}

// tellsOrganizations reports whether GitHub is asked for them by scopes.
func tellsOrganizations(scopes []string) bool {
	return slices.ContainsFunc(scopes, func(s string) bool { return s == "read:org" || s == "admin:org" })
}

// organizations lists the names of the organizations whose member the person is.
func (c *Connector) organizations(ctx context.Context, accessToken string) ([]any, error) {
	groups := []any{}
	for page := 1; page <= maxPages; page++ {
		list, err := c.list(ctx, fmt.Sprintf("/user/orgs?per_page=%d&page=%d", pageSize, page), accessToken)
		if err != nil {
			return nil, err
		}
		for _, o := range list {
			if name := o.text("login"); name != "" {
				groups = append(groups, name)
			}
		}
		if len(list) < pageSize {
			break
		}
	}
	return groups, nil
}

// facebook proves with the app secret that the token was not taken from another app
// (Facebook, "Securing Graph API requests"). Nobody vouches for its addresses.
func (c *Connector) facebook(ctx context.Context, accessToken string) (object, error) {
	mac := hmac.New(sha256.New, []byte(c.cfg.ClientSecret.Reveal()))
	mac.Write([]byte(accessToken))
	query := url.Values{"fields": {"id,name,first_name,last_name,email"}, "appsecret_proof": {hex.EncodeToString(mac.Sum(nil))}}
	me, err := c.tell(ctx, "/me?"+query.Encode(), accessToken)
	if err != nil {
		return nil, err
	}
	if me.text("id") == "" {
		return nil, noSubject("no id")
	}
	claims := object{"sub": me.text("id")}
	for claim, name := range map[string]string{"name": "name", "given_name": "first_name", "family_name": "last_name", "email": "email"} {
		if v := me.text(name); v != "" {
			claims[claim] = v
		}
	}
	return claims, nil
}

func noSubject(seen string) *identity.Error {
	return upstream("up.missing_subject", identity.KindInvalid, "Your organization's sign-in service did not say who you are.", seen, "the id of an account")
}

// tell asks the vendor's API for one object.
func (c *Connector) tell(ctx context.Context, path, accessToken string) (object, error) {
	body, err := c.ask(ctx, path, accessToken)
	if err != nil {
		return nil, err
	}
	o, err := decode(body)
	if err != nil {
		return nil, unclear(path, err)
	}
	return o, nil
}

// list asks it for a list of objects.
func (c *Connector) list(ctx context.Context, path, accessToken string) ([]object, error) {
	body, err := c.ask(ctx, path, accessToken)
	if err != nil {
		return nil, err
	}
	// The decoder reads objects.
	o, err := decode(slices.Concat([]byte(`{"list":`), bytes.TrimSpace(body), []byte("}")))
	if err != nil {
		return nil, unclear(path, err)
	}
	items, ok := o["list"].([]any)
	if !ok || len(o) != 1 {
		return nil, unclear(path, errors.New("it is no list"))
	}
	var out []object
	for _, item := range items {
		if o, ok := item.(object); ok {
			out = append(out, o)
		}
	}
	return out, nil
}

func unclear(path string, err error) *identity.Error {
	e := malformed(strings.SplitN(path, "?", 2)[0]+" says no JSON with unique names", "the vendor's API")
	e.Err = err
	return e
}

func (c *Connector) ask(ctx context.Context, path, accessToken string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.api()+path, nil)
	if err != nil {
		return nil, fmt.Errorf("asking who somebody is: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+accessToken)
	req.Header.Set("Accept", "application/json")
	resp, err := c.client.Do(req)
	if err != nil {
		return nil, c.failed(ctx, "no answer from "+req.URL.Host+req.URL.Path, err)
	}
	body, err := io.ReadAll(resp.Body)
	if cerr := resp.Body.Close(); err == nil {
		err = cerr
	}
	if wait := later(resp, c.cfg.Now()); err == nil && wait > 0 {
		return nil, busy(fmt.Sprintf("status %d from %s", resp.StatusCode, req.URL.Host+req.URL.Path), wait)
	}
	if err != nil || resp.StatusCode != http.StatusOK {
		return nil, c.failed(ctx, fmt.Sprintf("status %d from %s", resp.StatusCode, req.URL.Host+req.URL.Path), err)
	}
	return body, nil
}
