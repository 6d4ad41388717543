package rp_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/samlet-id/samlet/binding"
	"github.com/samlet-id/samlet/broker/rp"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/store/sqlstore"
)

const (
	clientID = "samlet"
	callback = "https://login.example.test/oidc/callback/partner"
	loggedUp = "https://login.example.test/oidc/logout/partner"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// answer is how the scripted OpenID Provider answers the next exchange.
type answer struct {
	claims   map[string]any // over the good ones; nil takes one away
	raw      string         // appended to the payload's members as they are
	typ      string         // of the header
	kid, jku string         // likewise; a jku comes with the jwk that it is to stand for
	alg      jose.SignatureAlgorithm
	key      *rsa.PrivateKey
	broken   bool           // change the payload after it was signed
	token    *string        // in place of the ID token
	userInfo map[string]any // over the good answer; nil takes one away
}

// provider is an OpenID Provider that says what a test wants it to say. go-jose
// signs for it.
type provider struct {
	*httptest.Server
	mu       sync.Mutex
	kid      string
	key      *rsa.PrivateKey
	down     string // paths that fail begin with it; empty: none
	says     map[string]any
	asked    url.Values
	next     answer
	redeemed url.Values // the latest form of the token endpoint
	refuses  map[string]string
	calls    map[string]int
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func newKey(t testing.TB) *rsa.PrivateKey {
	t.Helper()
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func newProvider(t testing.TB) *provider {
	t.Helper()
	p := &provider{kid: "one", key: newKey(t), says: map[string]any{}, calls: map[string]int{}}
	p.Server = httptest.NewServer(http.HandlerFunc(p.serve))
	t.Cleanup(p.Close)
	return p
}

func (p *provider) serve(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls[r.URL.Path]++
	if p.down != "" && strings.HasPrefix(r.URL.Path, p.down) {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	var out any
	switch {
	case strings.HasSuffix(r.URL.Path, "/.well-known/openid-configuration"):
		doc := map[string]any{
			"issuer": p.URL, "authorization_endpoint": p.URL + "/auth", "token_endpoint": p.URL + "/token", "jwks_uri": p.URL + "/jwks",
			"userinfo_endpoint": p.URL + "/me", "end_session_endpoint": p.URL + "/end?x=1",
		}
		out = changed(doc, p.says)
	case r.URL.Path == "/jwks":
		out = jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &p.key.PublicKey, KeyID: p.kid, Use: "sig", Algorithm: "RS256"}}}
	case r.URL.Path == "/me":
		if r.Header.Get("Authorization") != "Bearer opaque" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		out = changed(map[string]any{"sub": "ada", "groups": []string{"a", "b"}, "email": "eve@partner.example", "acr": "high", "sid": "s2"}, p.next.userInfo)
	default:
		if err := r.ParseForm(); err != nil {
			panic(err)
		}
		p.redeemed = r.PostForm
		id, secret, basic := r.BasicAuth()
		sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
		known := basic && id == clientID && secret == "hush" || r.PostForm.Get("client_assertion") != "" || r.PostForm.Get("client_secret") != ""
		bound := !r.PostForm.Has("code_verifier") && !p.asked.Has("code_challenge") || b64(sum[:]) == p.asked.Get("code_challenge")
		if !known || !bound || r.PostForm.Get("code") != "the-code" {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusBadRequest)
			if err := json.NewEncoder(w).Encode(p.refuses); err != nil {
				panic(err)
			}
			return
		}
		tokens := map[string]any{"access_token": "opaque", "token_type": "Bearer", "id_token": p.idToken()}
		if p.next.token != nil {
			tokens["id_token"] = *p.next.token
		}
		out = tokens
	}
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(out); err != nil {
		panic(err)
	}
}

// changed is base with the changes over it; nil takes a member away.
func changed(base, changes map[string]any) map[string]any {
	maps.Copy(base, changes)
	maps.DeleteFunc(base, func(_ string, v any) bool { return v == nil })
	return base
}

func (p *provider) idToken() string {
	sum := sha256.Sum256([]byte("opaque"))
	return p.sign(changed(map[string]any{
		"iss": p.URL, "sub": "ada", "aud": clientID, "exp": noon.Add(time.Minute).Unix(), "iat": noon.Unix(), "auth_time": noon.Unix(),
		"nonce": p.asked.Get("nonce"), "at_hash": b64(sum[:16]), "email": "ada@partner.example", "email_verified": true,
		"amr": []string{"pwd"}, "acr": "urn:mace:incommon:iap:silver", "sid": "s1",
		"address": map[string]any{"locality": "x"}, "realm_access": map[string]any{"roles": []string{"r1", "r2"}},
	}, p.next.claims), p.next)
}

// sign makes a compact JWS of claims in the way of how.
func (p *provider) sign(claims map[string]any, how answer) string {
	body, err := json.Marshal(claims)
	if err != nil {
		panic(err)
	}
	if how.raw != "" {
		body = append(body[:len(body)-1], []byte(","+how.raw+"}")...)
	}
	var key any = p.key
	if how.key != nil {
		key = how.key
	}
	alg := jose.RS256
	switch how.alg {
	case "":
	case "none":
		return b64([]byte(`{"alg":"none"}`)) + "." + b64(body) + "."
	default: // an HMAC with the public key as the shared secret
		alg, key = how.alg, x509.MarshalPKCS1PublicKey(&p.key.PublicKey)
	}
	options := &jose.SignerOptions{ExtraHeaders: map[jose.HeaderKey]any{"kid": p.kid}}
	if how.kid != "" {
		options.ExtraHeaders["kid"] = how.kid
	}
	if how.jku != "" {
		options.EmbedJWK, options.ExtraHeaders["jku"] = true, how.jku
		key = jose.JSONWebKey{Key: how.key, KeyID: p.kid}
	}
	if how.typ != "" {
		options.WithType(jose.ContentType(how.typ))
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, options)
	if err != nil {
		panic(err)
	}
	signed, err := signer.Sign(body)
	if err != nil {
		panic(err)
	}
	compact, err := signed.CompactSerialize()
	if err != nil {
		panic(err)
	}
	if how.broken {
		parts := strings.Split(compact, ".")
		parts[1] = b64(append(body, ' '))
		compact = strings.Join(parts, ".")
	}
	return compact
}

// config is a connector's towards p, with a store of its own.
func config(t testing.TB, p *provider) rp.Config {
	t.Helper()
	db, err := sqlstore.Open(t.Context(), sqlstore.Config{Driver: sqlstore.DriverSQLite, DSN: filepath.Join(t.TempDir(), "samlet.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return rp.Config{
		Issuer: identity.EntityID(p.URL), ClientID: clientID, ClientSecret: identity.NewSecret("hush"), RedirectURL: callback, PostLogoutURL: loggedUp,
		HTTP: p.Client(), Store: db, Now: func() time.Time { return noon }, Rand: rand.Reader,
	}
}

func connect(t testing.TB, cfg rp.Config) *rp.Connector {
	t.Helper()
	c, err := rp.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func open(t testing.TB, p *provider) *rp.Connector {
	t.Helper()
	return connect(t, config(t, p))
}

// ask begins at c and has the provider remember the question.
func ask(t testing.TB, c *rp.Connector, p *provider, req identity.AuthnRequest) []byte {
	t.Helper()
	msg, state, err := c.Begin(t.Context(), req, "ticket")
	if err != nil {
		t.Fatalf("Begin: %v", err)
	}
	p.hear(t, msg)
	return state
}

// hear reads the question that the browser brings.
func (p *provider) hear(t testing.TB, msg binding.Message) {
	t.Helper()
	u, err := url.Parse(msg.URL)
	if err != nil {
		t.Fatal(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = u.Query()
}

func get(query string) binding.Received {
	return binding.Received{Method: http.MethodGet, RawQuery: query}
}
