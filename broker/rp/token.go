package rp

import (
	"cmp"
	"context"
	"crypto"
	_ "crypto/sha256" // the hashes of at_hash
	_ "crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/samlet-id/samlet/identity"
)

// hashOf lists the signature algorithms that are believed, with the hash that
// at_hash is made with (OpenID Connect Core 3.1.3.6). None of them is symmetric:
// a public key must never pass for a shared secret.
func hashOf(alg string) (crypto.Hash, bool) {
	switch alg {
	case "RS256", "PS256", "ES256":
		return crypto.SHA256, true
	case "RS384", "PS384", "ES384":
		return crypto.SHA384, true
	case "RS512", "PS512", "ES512", "EdDSA":
		return crypto.SHA512, true
	}
	return 0, false
}

// verify returns the claims of an ID token that proves the answer to asked
// (OpenID Connect Core 3.1.3.7).
func (c *Connector) verify(ctx context.Context, p *provider, asked pending, raw, accessToken string) (object, error) {
	head, err := header(raw)
	if err != nil {
		return nil, err
	}
	hash, err := algorithm(head)
	if err != nil {
		return nil, err
	}
	payload, err := p.keys.VerifySignature(c.calling(ctx), raw)
	if err != nil {
		return nil, c.unverified(ctx, err)
	}
	claims, err := decode(payload)
	if err != nil {
		e := malformed("an ID token that is no JSON object with unique names", "each claim once")
		e.Err = err
		return nil, e
	}
	for _, check := range []func() error{
		func() error { return c.checkParties(claims) },
		func() error { return c.checkTimes(claims, asked) },
		func() error { return checkHash(claims, hash, accessToken) },
	} {
		if err := check(); err != nil {
			return nil, err
		}
	}
	if c.nonces() && claims.text("nonce") != asked.Nonce {
		return nil, upstream("up.in_response_to", identity.KindInvalid, "The answer of your organization belongs to another sign-in. Please start again from the application.", "another nonce, or none", "the nonce of the question")
	}
	if sub := claims.text("sub"); sub == "" || len(sub) > 255 {
		return nil, upstream("up.missing_subject", identity.KindInvalid, "Your organization's sign-in service did not say who you are.", fmt.Sprintf("a sub of %d characters", len(sub)), "a sub of 1 to 255")
	}
	return claims, nil
}

// header returns the header of a compact JWS, of which nothing is proved.
func header(raw string) (object, error) {
	first, _, _ := strings.Cut(raw, ".")
	b, err := base64.RawURLEncoding.DecodeString(first)
	if err != nil {
		return nil, malformed("a token that is no JWS", "a compact JWS")
	}
	o, err := decode(b)
	if err != nil {
		return nil, malformed("a token whose header is no JSON object", "a compact JWS")
	}
	return o, nil
}

// algorithm returns the hash that belongs to the alg of a header.
func algorithm(head object) (crypto.Hash, error) {
	alg := head.text("alg")
	if alg == "" || strings.EqualFold(alg, "none") {
		return 0, upstream("up.unsigned", identity.KindInvalid, "The answer of your organization is not signed.", "alg "+clean(alg), "a signature")
	}
	hash, ok := hashOf(alg)
	if !ok {
		return 0, upstream("up.algorithm", identity.KindInvalid, "The answer of your organization is signed in a way that is not accepted.", "alg "+clean(alg), "RS, PS, ES with 256 to 512, or EdDSA")
	}
	return hash, nil
}

// unverified tells keys that could not be had from a signature by none of them.
func (c *Connector) unverified(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if _, ok := errors.AsType[*url.Error](err); ok {
		return unreachable("the keys", err)
	}
	e := upstream("up.signature", identity.KindInvalid, "The answer of your organization is not signed with a key of its own.", "a signature that no key verifies", "one by a key of jwks_uri")
	e.Err = err
	return e
}

// checkParties checks iss, aud and azp.
func (c *Connector) checkParties(claims object) error {
	if seen := claims.text("iss"); !c.issued(seen, claims.text("tid")) {
		expected := strings.TrimSpace(cmp.Or(c.template(), string(c.cfg.Issuer)) + " " + strings.Join(c.cfg.Tenants, " "))
		return upstream("up.issuer", identity.KindInvalid, "The answer came from another identity provider than the one you were sent to.", clean(seen), expected)
	}
	aud, azp := claims.texts("aud"), claims.text("azp")
	_, stated := claims["azp"]
	if !slices.Contains(aud, c.cfg.ClientID) || stated && azp != c.cfg.ClientID || !stated && len(aud) > 1 {
		return upstream("up.audience", identity.KindInvalid, "The answer of your organization was meant for another service.",
			clean("aud "+strings.Join(aud, " ")+", azp "+azp), c.cfg.ClientID)
	}
	return nil
}

// checkTimes checks exp, iat and nbf, and auth_time where the question demanded
// how fresh the authentication is (max_age).
func (c *Connector) checkTimes(claims object, asked pending) error {
	now := c.cfg.Now()
	times := map[string]time.Time{}
	for _, name := range []string{"exp", "iat", "nbf", "auth_time"} {
		t, err := claims.instant(name)
		if err != nil {
			return err
		}
		times[name] = t
	}
	if times["exp"].IsZero() || times["iat"].IsZero() {
		return malformed("no exp, or no iat", "both")
	}
	if late := now.Sub(times["exp"]); late >= c.cfg.Skew {
		return c.offClock(identity.KindExpired, fmt.Sprintf("exp lies %d s behind our clock", int(late.Seconds())))
	}
	for _, name := range []string{"iat", "nbf", "auth_time"} {
		if early := times[name].Sub(now); !times[name].IsZero() && early > c.cfg.Skew {
			return c.offClock(identity.KindInvalid, fmt.Sprintf("%s lies %d s ahead of our clock", name, int(early.Seconds())))
		}
	}
	if asked.MaxAge == nil {
		return nil
	}
	oldest := asked.Issued.Add(-time.Duration(*asked.MaxAge)*time.Second - c.cfg.Skew)
	if at := times["auth_time"]; at.IsZero() || at.Before(oldest) {
		seen := "no auth_time"
		if !at.IsZero() {
			seen = "auth_time " + at.Format(time.RFC3339)
		}
		return stale(seen, "auth_time of "+oldest.Format(time.RFC3339)+" or later")
	}
	return nil
}

func stale(seen, expected string) *identity.Error {
	return upstream("up.stale", identity.KindInvalid, "Your organization should have asked you to sign in afresh, and did not.", seen, expected)
}

// checkHash binds the access token to the ID token, where it says at_hash.
func checkHash(claims object, hash crypto.Hash, accessToken string) error {
	if _, stated := claims["at_hash"]; !stated {
		return nil
	}
	h := hash.New()
	h.Write([]byte(accessToken))
	sum := h.Sum(nil)
	want := base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2])
	if subtle.ConstantTimeCompare([]byte(want), []byte(claims.text("at_hash"))) != 1 {
		return upstream("up.access_token", identity.KindInvalid, "The parts of your organization's answer do not belong together.", "another at_hash", "the hash of the access token")
	}
	return nil
}

func (c *Connector) offClock(kind identity.Kind, seen string) *identity.Error {
	return upstream("up.clock", kind, "The answer of the identity provider does not count at this time. Please start again from the application.",
		seen, fmt.Sprintf("%d s at most", int(c.cfg.Skew.Seconds())))
}

// instant reads a NumericDate, zero if it is absent.
func (o object) instant(name string) (time.Time, error) {
	v, ok := o[name]
	if !ok {
		return time.Time{}, nil
	}
	if n, ok := v.(json.Number); ok {
		if f, err := n.Float64(); err == nil && f > 0 && f < math.MaxInt32*16 {
			return time.Unix(int64(f), 0).UTC(), nil
		}
	}
	return time.Time{}, malformed("a damaged "+name, "seconds since 1970")
}

// assertion is what the claims say, under their own names.
func (c *Connector) assertion(claims object) (identity.Assertion, error) {
	at, err := claims.instant("auth_time")
	if err == nil && at.IsZero() {
		at, err = claims.instant("iat")
	}
	if err != nil {
		return identity.Assertion{}, err
	}
	out := identity.Assertion{
		Principal: identity.Principal{Issuer: c.cfg.Issuer, Subject: claims.text("sub")},
		Context:   identity.AuthnContext{Class: identity.ClassRef(claims.text("acr")), Instant: at},
		Session:   identity.SessionID(claims.text("sid")),
	}
	for _, m := range claims.texts("amr") {
		out.Context.Methods = append(out.Context.Methods, identity.Method(m))
	}
	return out, nil
}

// attributes returns the claims of a person as texts, by their names. What is
// within an object goes by the names on the way to it, such as
// realm_access.roles, unless a claim has that very name.
func (o object) attributes() identity.Attributes {
	out := identity.Attributes{}
	o.gather(out, "")
	for name, v := range o {
		if values := texts(v); len(values) > 0 && !protocol(name) {
			out[identity.Name(name)] = values
		}
	}
	return out
}

func (o object) gather(out identity.Attributes, prefix string) {
	for name, v := range o {
		if inner, ok := v.(object); ok {
			inner.gather(out, prefix+name+".")
		} else if values := texts(v); len(values) > 0 && prefix != "" {
			out[identity.Name(prefix+name)] = values
		}
	}
}

// texts returns a claim as texts; objects within a list are left out.
func texts(claim any) []string {
	list, ok := claim.([]any)
	if !ok {
		list = []any{claim}
	}
	var out []string
	for _, v := range list {
		switch v := v.(type) {
		case string:
			out = append(out, v)
		case bool:
			out = append(out, fmt.Sprint(v))
		case json.Number:
			out = append(out, v.String())
		}
	}
	return out
}
