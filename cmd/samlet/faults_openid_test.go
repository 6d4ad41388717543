package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/samlet-id/samlet/identity"
)

// brokenOP is an OpenID Provider that answers as a fault has it.
type brokenOP struct {
	*httptest.Server
	key   *ecdsa.PrivateKey
	asked url.Values

	fault openIDFault
}

// openIDFault is something that is wrong at an OpenID Provider.
type openIDFault struct {
	name           string
	claims         map[string]any // over the good ones; nil takes one away
	foreign        bool           // signed with a key that is not published
	says           map[string]any // of the discovery document, likewise
	refuses        string         // code of an error of the token endpoint
	down           string         // path that fails
	query          string         // of the answer, in place of code and state
	userInfo       map[string]any
	code           identity.Code
	seen, expected string
}

func openIDFaults() []openIDFault {
	says := func(name string, v any) map[string]any { return map[string]any{name: v} }
	tomorrow := time.Now().Add(24 * time.Hour).Unix()
	return []openIDFault{
		{name: "another audience", claims: says("aud", "another"), code: "up.audience", seen: "another", expected: "samlet"},
		{name: "another issuer", claims: says("iss", "https://op.evil.test"), code: "up.issuer", seen: "https://op.evil.test", expected: "http://127.0.0.1"},
		{name: "another nonce", claims: says("nonce", "x"), code: "up.in_response_to", seen: "another nonce", expected: "the nonce"},
		{name: "clock behind: expired", claims: says("exp", int64(1)), code: "up.clock", seen: "exp", expected: "180 s"},
		{name: "clock ahead: issued tomorrow", claims: says("iat", tomorrow), code: "up.clock", seen: "iat", expected: "180 s"},
		{name: "no sub", claims: says("sub", nil), code: "up.missing_subject", seen: "0 characters", expected: "1 to 255"},
		{name: "signed with another key", foreign: true, code: "up.signature", seen: "no key", expected: "jwks_uri"},
		{name: "an expired client secret", refuses: "invalid_client", code: "up.status", seen: "invalid_client", expected: "client_secret"},
		{name: "a redirect_uri that is not registered", query: "error=invalid_request", code: "up.status", seen: "invalid_request", expected: "redirect_uri"},
		{name: "a server that fails", query: "error=server_error", code: "up.status", seen: "server_error"},
		{name: "no code", query: "foo=bar", code: "up.format", seen: "no code", expected: "a code"},
		{name: "UserInfo of somebody else", userInfo: says("sub", "eve"), code: "up.userinfo", seen: "another sub", expected: "the sub"},
		{name: "keys that cannot be had", down: "/jwks", code: "up.unreachable", seen: "the keys", expected: "200"},
		{name: "a token endpoint that is down", down: "/token", code: "up.unreachable", seen: "token endpoint", expected: "200"},
		{name: "an attribute that is missing", claims: says("email", nil), code: "up.missing_attribute", expected: "email"},
	}
}

// TestInjectedFaultsOpenID is TestInjectedFaults for an OpenID Provider.
func TestInjectedFaultsOpenID(t *testing.T) {
	t.Parallel()
	for _, f := range openIDFaults() {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			op := newBrokenOP(t, f)
			var log logBuffer
			v := initiated{server: newBrokenWorld(t, op.URL, &log)}.visitor()
			question, err := url.Parse(v.goes(t, "/saml/idp-initiated?idp_hint=op&sp="+url.QueryEscape("https://wiki.example.test")).Header().Get("Location"))
			if err != nil || !strings.HasPrefix(question.String(), op.URL) {
				t.Fatalf("no question at the provider: %s, %v", question, err)
			}
			op.asked = question.Query()
			query := "code=c&state="
			if f.query != "" {
				query = f.query + "&state="
			}
			rec := v.goes(t, pathCallback+"op?"+query+url.QueryEscape(op.asked.Get("state")))
			if v.cookies[sessionCookieName] != "" {
				t.Error("somebody is signed in")
			}
			wantWitnesses(t, v.w.server, rec, &log, f.code, f.seen, f.expected)
		})
	}
}

func newBrokenWorld(t *testing.T, issuer string, log io.Writer) *server {
	t.Helper()
	path, err := initialise(t.Context(), filepath.Join(t.TempDir(), "samlet"), "http://127.0.0.1:8080")
	if err != nil {
		t.Fatal(err)
	}
	const local = "  - {id: local, type: local, name: Password}\n"
	op := "  - {id: op, type: oidc, issuer: \"" + issuer + "\", client_id: samlet, client_secret: \"literal:hush\", map: [{to: mail, from: email, required: true}]}\n"
	text := strings.Replace(readAll(t, path), local, local+op, 1)
	writeFile(t, path, strings.Replace(text, "service_providers: []\n", initiatedConfig, 1))
	return openAt(t, path, log)
}

func newBrokenOP(t *testing.T, f openIDFault) *brokenOP {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	op := &brokenOP{key: key, fault: f}
	op.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == f.down:
			w.WriteHeader(http.StatusServiceUnavailable)
		case r.URL.Path == "/token" && f.refuses != "":
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusUnauthorized)
			op.answer(t, w, map[string]any{"error": f.refuses})
		default:
			op.answer(t, w, op.good(t, r.URL.Path))
		}
	}))
	t.Cleanup(op.Close)
	return op
}

func (op *brokenOP) answer(t *testing.T, w http.ResponseWriter, v any) {
	if err := answerJSON(w, v); err != nil {
		t.Error(err)
	}
}

// good is what a provider answers at a path, but for the fault.
func (op *brokenOP) good(t *testing.T, path string) any {
	switch path {
	case "/.well-known/openid-configuration":
		return over(map[string]any{
			"issuer": op.URL, "authorization_endpoint": op.URL + "/auth", "token_endpoint": op.URL + "/token", "jwks_uri": op.URL + "/jwks", "userinfo_endpoint": op.URL + "/me",
		}, op.fault.says)
	case "/jwks":
		return jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &op.key.PublicKey, KeyID: "one", Use: "sig", Algorithm: "ES256"}}}
	case "/me":
		return over(map[string]any{"sub": "ada"}, op.fault.userInfo)
	}
	now := time.Now().Unix()
	claims, err := json.Marshal(over(map[string]any{
		"iss": op.URL, "aud": "samlet", "sub": "ada", "iat": now, "exp": now + 60, "nonce": op.asked.Get("nonce"), "email": "ada@partner.example",
	}, op.fault.claims))
	if err != nil {
		t.Error(err)
	}
	key := op.key
	if op.fault.foreign {
		if key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
			t.Error(err)
		}
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: "one"}}, nil)
	if err != nil {
		t.Error(err)
		return nil
	}
	signed, err := signer.Sign(claims)
	if err != nil {
		t.Error(err)
		return nil
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		t.Error(err)
	}
	return map[string]any{"access_token": "opaque", "token_type": "Bearer", "id_token": token}
}

// over is base with the changes over it; nil takes a member away.
func over(base, changes map[string]any) map[string]any {
	for name, v := range changes {
		if base[name] = v; v == nil {
			delete(base, name)
		}
	}
	return base
}
