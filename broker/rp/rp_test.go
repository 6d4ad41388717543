package rp_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/samlet-id/samlet/binding"
	"github.com/samlet-id/samlet/broker/rp"
	"github.com/samlet-id/samlet/certs"
	"github.com/samlet-id/samlet/identity"
)

const goodAnswer = "code=the-code&state=ticket"

func wantCode(t *testing.T, what string, err error, kind identity.Kind, code identity.Code) {
	t.Helper()
	if identity.KindOf(err) != kind || identity.CodeOf(err) != code {
		t.Errorf("%s: got %v, want %v %s", what, err, kind, code)
	}
}

// TestQuestion holds what the authentication request says, and that the answer may
// come by form.
func TestQuestion(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	c := open(t, p)
	state := ask(t, c, p, identity.AuthnRequest{
		ForceAuthn: true, LoginHint: "ada@partner.example", Locales: []string{"de-CH", "en"},
		Context: identity.RequestedContext{Classes: []identity.ClassRef{"urn:two", "urn:one"}},
	})
	for name, want := range map[string]string{
		"prompt": "login", "max_age": "0", "login_hint": "ada@partner.example", "state": "ticket", "code_challenge_method": "S256",
		"response_type": "code", "scope": "openid profile email", "redirect_uri": callback, "client_id": clientID, "ui_locales": "de-CH en",
		"acr_values": "urn:two urn:one",
	} {
		if got := p.asked.Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if _, err := c.Finish(t.Context(), state, binding.Received{Method: http.MethodPost, Form: url.Values{"code": {"the-code"}, "state": {"ticket"}}}); err != nil {
		t.Fatal(err)
	}
	ask(t, c, p, identity.AuthnRequest{IsPassive: true, MaxAge: time.Minute})
	if p.asked.Get("prompt") != "none" || p.asked.Get("max_age") != "60" {
		t.Errorf("passive, a minute old at most: got %v", p.asked)
	}
}

// TestFreshness holds that an upstream which was to ask anew says when it did.
func TestFreshness(t *testing.T) {
	t.Parallel()
	force, hour := identity.AuthnRequest{ForceAuthn: true}, identity.AuthnRequest{MaxAge: time.Hour}
	for _, tt := range []struct {
		name   string
		req    identity.AuthnRequest
		signed any
		ok     bool
	}{
		{"fresh", force, noon.Unix(), true},
		{"not said", force, nil, false},
		{"before the question", force, noon.Unix() - 3600, false},
		{"within the hour", hour, noon.Unix() - 3600, true},
		{"too long ago", hour, noon.Unix() - 3600 - 181, false},
		{"nobody asked", identity.AuthnRequest{}, noon.Unix() - 86400, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newProvider(t)
			p.next.claims = map[string]any{"auth_time": tt.signed}
			c := open(t, p)
			_, err := c.Finish(t.Context(), ask(t, c, p, tt.req), get(goodAnswer))
			if tt.ok && err != nil {
				t.Errorf("got %v, want it accepted", err)
			}
			if !tt.ok {
				wantCode(t, tt.name, err, identity.KindInvalid, "up.stale")
			}
		})
	}
}

func TestAttackMixUp(t *testing.T) {
	t.Parallel()
	a, b := newProvider(t), newProvider(t)
	b.says["authorization_response_iss_parameter_supported"] = true
	ca, cb := open(t, a), open(t, b)
	_, err := cb.Finish(t.Context(), ask(t, ca, a, identity.AuthnRequest{}), get(goodAnswer))
	wantCode(t, "state of another's question", err, identity.KindInvalid, "up.mix_up")
	_, err = cb.Finish(t.Context(), ask(t, cb, b, identity.AuthnRequest{}), get(goodAnswer))
	wantCode(t, "without the iss that was promised", err, identity.KindInvalid, "up.issuer")
	_, err = cb.Finish(t.Context(), ask(t, cb, b, identity.AuthnRequest{}), get(goodAnswer+"&iss="+url.QueryEscape(b.URL)))
	if err != nil {
		t.Errorf("with it: %v", err)
	}
}

// TestDiscoveryIsChecked holds that a document which is not the upstream's, or sends
// codes in the clear, is refused before anybody is sent away.
func TestDiscoveryIsChecked(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		says map[string]any
		code identity.Code
	}{
		{"another issuer", map[string]any{"issuer": "https://other.example.test"}, "up.issuer"},
		{"a slash more", map[string]any{"issuer": "{URL}/"}, "up.issuer"},
		{"no token endpoint", map[string]any{"token_endpoint": nil}, "up.format"},
		{"a key set that is no URL", map[string]any{"jwks_uri": "keys"}, "up.format"},
		{"UserInfo by another scheme", map[string]any{"userinfo_endpoint": "ftp://x/me"}, "up.format"},
		{"client authentication that we have not", map[string]any{"token_endpoint_auth_methods_supported": []string{"tls_client_auth"}}, "up.format"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newProvider(t)
			maps.Copy(p.says, tt.says)
			if p.says["issuer"] == "{URL}/" {
				p.says["issuer"] = p.URL + "/"
			}
			_, _, err := open(t, p).Begin(t.Context(), identity.AuthnRequest{}, "ticket")
			wantCode(t, tt.name, err, identity.KindInvalid, tt.code)
		})
	}
}

// TestKeyRotationNeedsNothing holds that a sign-in after the upstream changed its
// keys works at once.
func TestKeyRotationNeedsNothing(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	c := open(t, p)
	for _, kid := range []string{"one", "two"} {
		p.mu.Lock()
		p.kid, p.key = kid, newKey(t)
		p.mu.Unlock()
		if _, err := c.Finish(t.Context(), ask(t, c, p, identity.AuthnRequest{}), get(goodAnswer)); err != nil {
			t.Errorf("signed with key %s: %v", kid, err)
		}
	}
}

// TestOutage holds that a connector is made while its upstream is down, says so of
// whatever part is, and works once the upstream does.
func TestOutage(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	c := open(t, p)
	set := func(down string) {
		p.mu.Lock()
		p.down = down
		p.mu.Unlock()
	}
	set("/")
	_, _, err := c.Begin(t.Context(), identity.AuthnRequest{}, "ticket")
	wantCode(t, "all", err, identity.KindUnavailable, "up.unreachable")
	if err := c.Check(t.Context()); identity.CodeOf(err) != "up.unreachable" {
		t.Errorf("Check: got %v", err)
	}
	for _, part := range []string{"/token", "/jwks", "/me"} {
		set("")
		state := ask(t, c, p, identity.AuthnRequest{})
		set(part)
		_, err = c.Finish(t.Context(), state, get(goodAnswer))
		wantCode(t, part, err, identity.KindUnavailable, "up.unreachable")
	}
	set("")
	if _, err := c.Finish(t.Context(), ask(t, c, p, identity.AuthnRequest{}), get(goodAnswer)); err != nil {
		t.Errorf("afterwards: %v", err)
	}
	if err := c.Check(t.Context()); err != nil {
		t.Errorf("Check afterwards: %v", err)
	}
}

// TestDiscoveryGrowsOld holds that the configuration is asked for anew after an
// hour, and that the old one serves while nobody answers.
func TestDiscoveryGrowsOld(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	cfg, now := config(t, p), noon
	cfg.Now = func() time.Time { return now }
	c := connect(t, cfg)
	begin := func(want string) {
		t.Helper()
		msg, _, err := c.Begin(t.Context(), identity.AuthnRequest{}, "ticket")
		if err != nil {
			t.Fatal(err)
		}
		if u, err := url.Parse(msg.URL); err != nil || u.Path != want {
			t.Errorf("sent to %s, want %s", msg.URL, want)
		}
	}
	begin("/auth")
	p.mu.Lock()
	p.says["authorization_endpoint"] = p.URL + "/new"
	p.mu.Unlock()
	begin("/auth")
	now = now.Add(time.Hour)
	p.mu.Lock()
	p.down = "/"
	p.mu.Unlock()
	begin("/auth")
	p.mu.Lock()
	p.down = ""
	p.mu.Unlock()
	now = now.Add(time.Minute)
	begin("/new")
}

// TestPrivateKeyJWT holds that we prove who we are by a key that we publish, and that
// no secret travels.
func TestPrivateKeyJWT(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	key, _, _, err := certs.Generate(certs.GenerateConfig{ID: "sig", Use: certs.Signing, CommonName: "example.test", Now: func() time.Time { return noon }, Rand: rand.Reader})
	if err != nil {
		t.Fatal(err)
	}
	cfg := config(t, p)
	cfg.ClientSecret, cfg.AuthMethod = identity.Secret{}, rp.AuthPrivateKey
	if cfg.Keys, err = certs.NewRing([]certs.Key{key}); err != nil {
		t.Fatal(err)
	}
	c := connect(t, cfg)
	if _, err := c.Finish(t.Context(), ask(t, c, p, identity.AuthnRequest{}), get(goodAnswer)); err != nil {
		t.Fatal(err)
	}
	doc, err := rp.PublicKeys(cfg.Keys)
	if err != nil {
		t.Fatal(err)
	}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(doc, &set); err != nil {
		t.Fatal(err)
	}
	jws, err := jose.ParseSigned(p.redeemed.Get("client_assertion"), []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		t.Fatal(err)
	}
	published := set.Key(jws.Signatures[0].Header.KeyID)
	if len(published) != 1 || !published[0].IsPublic() {
		t.Fatalf("kid %q in %s", jws.Signatures[0].Header.KeyID, doc)
	}
	if _, ok := published[0].Key.(*rsa.PublicKey); !ok {
		t.Errorf("published a %T", published[0].Key)
	}
	payload, err := jws.Verify(published[0])
	if err != nil {
		t.Fatal(err)
	}
	var claims struct {
		Iss, Sub, Aud, Jti string
		Exp                int64
	}
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatal(err)
	}
	if claims.Iss != clientID || claims.Sub != clientID || claims.Aud != p.URL+"/token" || claims.Jti == "" || claims.Exp != noon.Unix()+60 {
		t.Errorf("claims: got %s", payload)
	}
	if got := p.redeemed; got.Has("client_secret") || got.Get("client_id") != clientID {
		t.Errorf("the token endpoint was sent %v", got)
	}
}
