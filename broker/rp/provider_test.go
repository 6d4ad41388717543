package rp_test

import (
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/samlet-id/samlet/binding"
	"github.com/samlet-id/samlet/broker/rp"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/store/sqlstore"
)

const (
	clientID = "samlet"
	callback = "https://login.example.test/oidc/callback/partner"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// answer is how the scripted OpenID Provider answers the next exchange.
type answer struct {
	claims map[string]any // over the good ones; nil takes one away
	raw    string         // appended to the payload's members as they are
	alg    string         // empty: RS256
	key    *rsa.PrivateKey
	broken bool // change the payload after it was signed
}

// provider is an OpenID Provider that says what a test wants it to say.
type provider struct {
	*httptest.Server
	mu     sync.Mutex
	kid    string
	key    *rsa.PrivateKey
	down   bool
	issRow bool
	asked  url.Values
	next   answer
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
	p := &provider{kid: "one", key: newKey(t)}
	p.Server = httptest.NewServer(http.HandlerFunc(p.serve))
	t.Cleanup(p.Close)
	return p
}

func (p *provider) serve(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out any
	switch {
	case p.down:
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	case r.URL.Path == "/.well-known/openid-configuration":
		out = map[string]any{
			"issuer": p.URL, "authorization_endpoint": p.URL + "/auth", "token_endpoint": p.URL + "/token", "jwks_uri": p.URL + "/jwks",
			"authorization_response_iss_parameter_supported": p.issRow,
		}
	case r.URL.Path == "/jwks":
		out = map[string]any{"keys": []any{map[string]any{
			"kty": "RSA", "kid": p.kid, "use": "sig", "alg": "RS256",
			"n": b64(p.key.N.Bytes()), "e": b64(big.NewInt(int64(p.key.E)).Bytes()),
		}}}
	default:
		id, secret, _ := r.BasicAuth()
		sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
		if id != clientID || secret != "hush" || b64(sum[:]) != p.asked.Get("code_challenge") || r.PostFormValue("code") != "the-code" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		out = map[string]any{"access_token": "opaque", "token_type": "Bearer", "id_token": p.token()}
	}
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(out); err != nil {
		panic(err)
	}
}

func (p *provider) token() string {
	sum := sha256.Sum256([]byte("opaque"))
	claims := map[string]any{
		"iss": p.URL, "sub": "ada", "aud": clientID, "exp": noon.Add(time.Minute).Unix(), "iat": noon.Unix(), "auth_time": noon.Unix(),
		"nonce": p.asked.Get("nonce"), "at_hash": b64(sum[:16]), "email": "ada@partner.example", "email_verified": true,
		"groups": []string{"a", "b"}, "acr": "urn:mace:incommon:iap:silver", "amr": []string{"pwd"}, "sid": "s1", "address": map[string]any{"locality": "x"},
	}
	maps.Copy(claims, p.next.claims)
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
	body, err := json.Marshal(claims)
	if err != nil {
		panic(err)
	}
	if p.next.raw != "" {
		body = append(body[:len(body)-1], []byte(","+p.next.raw+"}")...)
	}
	alg, key := p.next.alg, p.next.key
	if alg == "" {
		alg = "RS256"
	}
	if key == nil {
		key = p.key
	}
	signed := b64(fmt.Appendf(nil, `{"alg":%q,"kid":%q}`, alg, p.kid)) + "." + b64(body)
	var mac []byte
	switch alg {
	case "none":
	case "HS256": // with the public key as the shared secret
		h := hmac.New(sha256.New, x509.MarshalPKCS1PublicKey(&p.key.PublicKey))
		h.Write([]byte(signed))
		mac = h.Sum(nil)
	default:
		digest := sha256.Sum256([]byte(signed))
		if mac, err = rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, digest[:]); err != nil {
			panic(err)
		}
	}
	if p.next.broken {
		signed = b64([]byte(`{"alg":"RS256","kid":"one"}`)) + "." + b64(append(body, ' '))
	}
	return signed + "." + b64(mac)
}

func open(t testing.TB, p *provider) *rp.Connector {
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
	c, err := rp.New(rp.Config{
		Issuer: identity.EntityID(p.URL), ClientID: clientID, ClientSecret: identity.NewSecret("hush"), RedirectURL: callback,
		HTTP: p.Client(), Store: db, Now: func() time.Time { return noon }, Rand: rand.Reader,
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// ask begins at c and has the provider remember the question.
func ask(t testing.TB, c *rp.Connector, p *provider, req identity.AuthnRequest) []byte {
	t.Helper()
	msg, state, err := c.Begin(t.Context(), req, "ticket")
	if err != nil {
		t.Fatalf("Begin: %v", err)
	}
	u, err := url.Parse(msg.URL)
	if err != nil {
		t.Fatal(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = u.Query()
	return state
}

func get(query string) binding.Received {
	return binding.Received{Method: http.MethodGet, RawQuery: query}
}
