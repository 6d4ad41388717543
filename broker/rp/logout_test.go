package rp_test

import (
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/samlet-id/samlet/identity"
)

const logoutEvent = "http://schemas.openid.net/event/backchannel-logout"

// TestLead holds how the browser is sent to end the session upstream.
func TestLead(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	c := open(t, p)
	if got := c.Reach(); !got.Browser || got.Direct {
		t.Errorf("Reach before anything was asked: got %+v", got)
	}
	msg, id, err := c.Lead(t.Context(), identity.UpstreamSession{Hint: "an ID token"}, identity.LogoutByUser)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(msg.URL)
	if err != nil {
		t.Fatal(err)
	}
	want := url.Values{"x": {"1"}, "client_id": {clientID}, "id_token_hint": {"an ID token"}, "post_logout_redirect_uri": {loggedUp}, "state": {id}}
	if diff := cmp.Diff(want, u.Query()); diff != "" || u.Path != "/end" || id == "" {
		t.Errorf("%s (-want +got):\n%s", msg.URL, diff)
	}
	if got := c.Reach(); cmp.Diff(identity.Reach{Browser: true, Origins: []string{p.URL}}, got) != "" {
		t.Errorf("Reach: got %+v", got)
	}

	none := newProvider(t)
	none.says["end_session_endpoint"] = nil
	c = open(t, none)
	_, _, err = c.Lead(t.Context(), identity.UpstreamSession{}, identity.LogoutByUser)
	wantCode(t, "no end_session_endpoint", err, identity.KindUnavailable, "up.no_slo")
	if got := c.Reach(); got.Browser {
		t.Errorf("Reach without an end_session_endpoint: got %+v", got)
	}
}

// TestAttackLogoutTokens holds that nothing but a logout token of the upstream, fresh
// and for us, ends sessions (Back-Channel Logout 1.0, 2.6).
func TestAttackLogoutTokens(t *testing.T) {
	t.Parallel()
	event := map[string]any{logoutEvent: map[string]any{}}
	says := func(name string, v any) answer { return answer{typ: "logout+jwt", claims: map[string]any{name: v}} }
	good := answer{typ: "logout+jwt"}
	tests := []struct {
		name string
		how  answer
		kind identity.Kind
		code identity.Code // empty: good
	}{
		{name: "good", how: good},
		{name: "by sid alone", how: says("sub", nil)},
		{name: "by sub alone", how: says("sid", nil)},
		{name: "no typ", how: answer{}, code: "up.format"},
		{name: "typ of an ID token", how: answer{typ: "JWT"}, code: "up.format"},
		{name: "nonce", how: says("nonce", "x"), code: "up.format"},
		{name: "no events", how: says("events", nil), code: "up.format"},
		{name: "another event", how: says("events", map[string]any{"x": map[string]any{}}), code: "up.format"},
		{name: "event that is no object", how: says("events", map[string]any{logoutEvent: true}), code: "up.format"},
		{name: "no jti", how: says("jti", nil), code: "up.format"},
		{name: "whose", how: answer{typ: "logout+jwt", claims: map[string]any{"sub": nil, "sid": nil}}, code: "up.format"},
		{name: "another issuer", how: says("iss", "https://other.example.test"), code: "up.issuer"},
		{name: "another audience", how: says("aud", "other"), code: "up.audience"},
		{name: "expired", how: says("exp", noon.Unix()-180), kind: identity.KindExpired, code: "up.clock"},
		{name: "no exp", how: says("exp", nil), code: "up.format"},
		{name: "old, though it would live long", how: answer{typ: "logout+jwt", claims: map[string]any{"iat": noon.Unix() - 600, "exp": noon.Unix() + 86400}}, kind: identity.KindExpired, code: "up.clock"},
		{name: "unsigned", how: answer{alg: "none"}, code: "up.format"},
		{name: "JWT confusion", how: answer{typ: "logout+jwt", alg: "HS256"}, code: "up.algorithm"},
		{name: "foreign signature", how: answer{typ: "logout+jwt", key: newKey(t)}, code: "up.signature"},
		{name: "claim twice", how: answer{typ: "logout+jwt", raw: `"sub":"eve"`}, code: "up.format"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newProvider(t)
			c := open(t, p)
			token := p.sign(changed(map[string]any{
				"iss": p.URL, "aud": clientID, "iat": noon.Unix(), "exp": noon.Unix() + 60, "jti": "j1", "events": event, "sub": "ada", "sid": "s1",
			}, tt.how.claims), tt.how)
			got, err := c.ReadLogoutToken(t.Context(), token, "partner")
			if tt.code == "" {
				if err != nil || got.Connection != "partner" || got.Principal.Issuer != c.Issuer() || got.Message != "oidc logout "+p.URL+" j1" || !got.Expires.After(noon) {
					t.Errorf("got %+v, %v", got, err)
				}
				return
			}
			if tt.kind == identity.KindInternal {
				tt.kind = identity.KindInvalid
			}
			wantCode(t, tt.name, err, tt.kind, tt.code)
		})
	}
}

// TestAttackForgedLogoutTokensAskForNoKeys holds that whoever sends tokens with made-up
// kids does not have us ask the upstream for keys as often.
func TestAttackForgedLogoutTokensAskForNoKeys(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	c := open(t, p)
	for range 50 {
		token := p.sign(map[string]any{"iss": p.URL}, answer{typ: "logout+jwt", key: newKey(t)})
		if _, err := c.ReadLogoutToken(t.Context(), token, "partner"); err == nil {
			t.Error("a forged token was believed")
		}
	}
	if got := p.calls["/jwks"]; got != 5 {
		t.Errorf("the upstream was asked for keys %d times, want 5", got)
	}
}

// TestFrontLogout holds what the front channel has to say.
func TestFrontLogout(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	c := open(t, p)
	iss := "iss=" + url.QueryEscape(p.URL)
	for query, code := range map[string]identity.Code{
		iss + "&sid=s1":          "",
		iss:                      "up.format",
		"sid=s1":                 "up.format",
		iss + "&sid=":            "up.format",
		iss + "&sid=s1&sid=s2":   "up.format",
		"iss=https://x.y&sid=s1": "up.issuer",
	} {
		values, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		got, err := c.ReadFrontLogout(values, "partner")
		if identity.CodeOf(err) != code && (code != "" || err != nil) {
			t.Errorf("%s: got %v, want %q", query, err, code)
		}
		if code == "" && (len(got.Indexes) != 1 || got.Indexes[0] != "s1" || got.Principal.Subject != "") {
			t.Errorf("%s: got %+v", query, got)
		}
	}
}
