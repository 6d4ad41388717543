package rp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/oauth2"

	"github.com/samlet-id/samlet/binding"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/store"
)

// answerLife is how long after the question an answer counts. Uses are remembered
// for as long.
const answerLife = time.Hour

// Finish checks the authentication response (OpenID Connect Core 3.1.2.5, RFC
// 9207), redeems its code, and returns what the ID token says.
func (c *Connector) Finish(ctx context.Context, state []byte, in binding.Received) (identity.Assertion, error) {
	if err := ctx.Err(); err != nil {
		return identity.Assertion{}, err
	}
	var asked pending
	if err := json.Unmarshal(state, &asked); err != nil || asked.Nonce == "" || asked.State == "" {
		return identity.Assertion{}, &identity.Error{
			Kind: identity.KindInvalid, Code: "up.unsolicited", Who: identity.WhoUser, Expected: "an answer to a question of ours",
			Msg: "Your organization's sign-in sent an answer that nobody asked for. Start from the application instead.",
		}
	}
	if asked.Issuer != c.cfg.Issuer {
		return identity.Assertion{}, upstream("up.mix_up", identity.KindInvalid, "The answer came from another identity provider than the one you were sent to.", string(c.cfg.Issuer), string(asked.Issuer))
	}
	p, err := c.discover(ctx)
	if err != nil {
		return identity.Assertion{}, fmt.Errorf("discovering %s: %w", c.cfg.Issuer, err)
	}
	code, err := c.code(p, asked, in)
	if err != nil {
		return identity.Assertion{}, err
	}
	if err := c.consume(ctx, asked); err != nil {
		return identity.Assertion{}, err
	}
	options, err := c.authentication(p)
	if err != nil {
		return identity.Assertion{}, err
	}
	if c.challenges() {
		options = append(options, oauth2.VerifierOption(asked.Verifier))
	}
	token, err := c.oauth(p).Exchange(c.calling(ctx), code, options...)
	if err != nil {
		return identity.Assertion{}, c.unredeemed(ctx, err)
	}
	if c.cfg.Vendor.Plain() {
		claims, err := c.profile(ctx, asked, token.AccessToken)
		if err != nil {
			return identity.Assertion{}, err
		}
		return identity.Assertion{
			Principal: identity.Principal{Issuer: c.cfg.Issuer, Subject: claims.text("sub")},
			Context:   identity.AuthnContext{Instant: c.cfg.Now().UTC()}, Attributes: claims.attributes(),
		}, nil
	}
	return c.believe(ctx, p, asked, token, in.Form)
}

// believe returns what the ID token beside an access token says, and UserInfo.
func (c *Connector) believe(ctx context.Context, p *provider, asked pending, token *oauth2.Token, form url.Values) (identity.Assertion, error) {
	raw, ok := token.Extra("id_token").(string)
	if !ok || raw == "" {
		return identity.Assertion{}, malformed("no id_token", "an id_token beside the access token")
	}
	claims, err := c.verify(ctx, p, asked, raw, token.AccessToken)
	if err != nil {
		return identity.Assertion{}, err
	}
	said, err := c.assertion(claims)
	if err != nil {
		return identity.Assertion{}, err
	}
	if err := c.complete(ctx, p, claims, token.AccessToken); err != nil {
		return identity.Assertion{}, err
	}
	if err := c.amend(claims, form); err != nil {
		return identity.Assertion{}, err
	}
	said.Attributes, said.LogoutHint = claims.attributes(), raw
	return said, nil
}

// code returns the authorization code of an answer to that very question. Each
// parameter may occur once (RFC 6749 section 3.1).
func (c *Connector) code(p *provider, asked pending, in binding.Received) (string, error) {
	form := in.Form
	if in.Method == http.MethodGet {
		var err error
		if form, err = url.ParseQuery(in.RawQuery); err != nil {
			return "", malformed("a damaged query", "the parameters of an answer")
		}
	}
	for _, name := range []string{"code", "state", "iss", "error", "error_description"} {
		if len(form[name]) > 1 {
			return "", malformed(name+" more than once", "each parameter once")
		}
	}
	if form.Get("state") != asked.State {
		return "", &identity.Error{
			Kind: identity.KindInvalid, Code: "up.in_response_to", Who: identity.WhoUser, Seen: "another state", Expected: "the state of the question",
			Msg: "The answer of your organization belongs to another sign-in. Please start again from the application.",
		}
	}
	if seen := form.Get("iss"); seen != string(c.cfg.Issuer) && (form.Has("iss") || p.statesIssuer) {
		return "", upstream("up.issuer", identity.KindInvalid, "The answer came from another identity provider than the one you were sent to.", seen, string(c.cfg.Issuer))
	}
	if form.Get("error") != "" {
		return "", c.refused(form.Get("error"), form.Get("error_description"))
	}
	if form.Get("code") == "" {
		return "", malformed("no code", "a code or an error")
	}
	return form.Get("code"), nil
}

// consume notes, in the store that all nodes share and that outlives restarts,
// that the question was answered.
func (c *Connector) consume(ctx context.Context, asked pending) error {
	now, until := c.cfg.Now(), asked.Issued.Add(answerLife)
	if !now.Before(until) {
		return c.offClock(identity.KindExpired, "an answer to a question of "+asked.Issued.Format(time.RFC3339))
	}
	ticket := store.Ticket{Purpose: store.PurposeReplay, ID: "oidc " + string(c.cfg.Issuer) + " " + asked.Nonce, Expires: until}
	err := c.cfg.Store.Update(ctx, func(tx *store.Tx) error { return tx.Tickets.Put(ctx, ticket, now) })
	if errors.Is(err, &identity.Error{Kind: identity.KindExists}) {
		return &identity.Error{
			Kind: identity.KindReplayed, Code: "up.replay", Who: identity.WhoUser, Err: err, Seen: "a question that was answered", Expected: "one answer",
			Msg: "This sign-in was used already. Please start again from the application.",
		}
	}
	if err != nil {
		return fmt.Errorf("noting that an answer was used: %w", err)
	}
	return nil
}

// unredeemed is why the token endpoint gave no tokens.
func (c *Connector) unredeemed(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	said, ok := errors.AsType[*oauth2.RetrieveError](err)
	if _, silent := errors.AsType[*url.Error](err); silent || ok && said.Response.StatusCode >= http.StatusInternalServerError {
		return unreachable("the token endpoint", err)
	}
	if !ok {
		e := malformed("an answer of the token endpoint without an access token", "an access token (RFC 6749 section 5.1)")
		e.Err = err
		return e
	}
	return upstream("up.status", identity.KindInvalid, "Your organization's sign-in service did not accept our question.",
		seenError(said), c.hint(said.ErrorCode, said.ErrorDescription, "tokens for the code"))
}

// seenError is an error of the token endpoint in its own words. Not all vendors have the
// members of RFC 6749 section 5.2.
func seenError(said *oauth2.RetrieveError) string {
	switch {
	case said.ErrorCode == "":
		return clean(fmt.Sprintf("status %d without an error code: %s", said.Response.StatusCode, said.Body))
	case said.ErrorDescription == "":
		return clean(said.ErrorCode)
	}
	return clean(said.ErrorCode + ": " + said.ErrorDescription)
}
