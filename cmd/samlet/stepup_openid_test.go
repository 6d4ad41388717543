package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/samlet-id/samlet/identity"
)

// openID is an OpenID Provider that says of people what their hop has it say.
type openID struct {
	*httptest.Server
	signer jose.Signer

	mu     sync.Mutex
	grants map[string]map[string]any // claims of ID tokens, by code
}

func newOpenID(t *testing.T) *openID {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	jwk := jose.JSONWebKey{Key: key, KeyID: "k", Use: "sig", Algorithm: string(jose.ES256)}
	o := &openID{grants: map[string]map[string]any{}}
	if o.signer, err = jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jwk}, nil); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	answer := func(pattern string, v func(r *http.Request) any) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if err := answerJSON(w, v(r)); err != nil {
				t.Error(err)
			}
		})
	}
	answer("GET /.well-known/openid-configuration", func(*http.Request) any {
		return map[string]any{
			"issuer": o.URL, "authorization_endpoint": o.URL + "/auth", "token_endpoint": o.URL + "/token", "jwks_uri": o.URL + "/jwks",
			"id_token_signing_alg_values_supported": []string{"ES256"},
		}
	})
	answer("GET /jwks", func(*http.Request) any { return jose.JSONWebKeySet{Keys: []jose.JSONWebKey{jwk.Public()}} })
	answer("POST /token", func(r *http.Request) any {
		o.mu.Lock()
		claims := o.grants[r.PostFormValue("code")]
		o.mu.Unlock()
		payload, err := json.Marshal(claims)
		if err != nil {
			t.Error(err)
		}
		signed, err := o.signer.Sign(payload)
		if err != nil {
			t.Error(err)
			return nil
		}
		compact, err := signed.CompactSerialize()
		if err != nil {
			t.Error(err)
		}
		return map[string]any{"access_token": "a", "token_type": "Bearer", "id_token": compact}
	})
	o.Server = httptest.NewServer(mux)
	t.Cleanup(o.Close)
	return o
}

// answer is where the browser is sent with what the provider says to a question.
func (o *openID) answer(h hop, question url.Values) string {
	back := url.Values{"state": {question.Get("state")}}
	if strings.Contains(h.says, "_re") { // login_required, unmet_authentication_requirements
		back.Set("error", h.says)
		return question.Get("redirect_uri") + "?" + back.Encode()
	}
	at := time.Now()
	claims := map[string]any{
		"iss": o.URL, "aud": question.Get("client_id"), "sub": h.subject, "nonce": question.Get("nonce"),
		"iat": at.Unix(), "exp": at.Add(time.Minute).Unix(), "auth_time": at.Unix(),
	}
	if h.old {
		claims["auth_time"] = at.Add(-time.Hour).Unix()
	}
	if h.says != "" {
		claims["acr"] = h.says
	}
	o.mu.Lock()
	o.grants[h.subject] = claims
	o.mu.Unlock()
	back.Set("code", h.subject)
	return question.Get("redirect_uri") + "?" + back.Encode()
}

// askedOpenID says which terms an OpenID Provider is asked under.
func askedOpenID(question url.Values) string {
	terms := []string{"upstream"}
	for _, name := range []string{"prompt", "max_age", "acr_values"} {
		if question.Has(name) {
			terms = append(terms, name+"="+question.Get(name))
		}
	}
	return strings.Join(terms, " ")
}

// TestStepUpTableOpenID is TestStepUpTable where the upstream speaks OpenID Connect.
func TestStepUpTableOpenID(t *testing.T) {
	t.Parallel()
	const (
		two, secret     = "urn:o:two", "urn:o:secret"
		force, passive  = ` ForceAuthn="true"`, ` IsPassive="true"`
		has, hasNot     = true, false
		lacking, nobody = "unmet_authentication_requirements", "login_required"
	)
	op := newOpenID(t)
	w := newInitiated(t, "")
	const local = "  - {id: local, type: local, name: Password}\n"
	writeFile(t, w.path, strings.Replace(readAll(t, w.path), local, local+`  - id: open
    type: oidc
    issuer: "`+op.URL+`"
    client_id: samlet
    client_secret: "literal:hush"
    authn_context:
      request: demanded
      trust: [{from: "urn:o:two", to: "https://refeds.org/profile/mfa"}, {from: "urn:o:secret", to: "`+acPPT+`"}]
`, 1))
	w.server = openAt(t, w.path, io.Discard)
	hash, err := passwordParams(w.current().Config).Hash(rand.Reader, demoPassword)
	if err != nil {
		t.Fatal(err)
	}
	scoped := func(count string) string {
		return `<samlp:Scoping ProxyCount="` + count + `"><samlp:IDPList><samlp:IDPEntry ProviderID="` + op.URL + `"/></samlp:IDPList></samlp:Scoping>`
	}
	for i, tt := range []struct {
		name     string
		demand   string
		says     string
		password bool
		attrs    string
		old      bool
		want     string
	}{
		{"nothing demanded, two factors", "", two, has, "", false, "upstream > mfa"},
		{"nothing demanded, what is not in the table", "", refedsMFA, has, "", false, "upstream > unspecified"},
		{"two factors demanded and there", demanding("exact", refedsMFA), two, has, "", false, "upstream acr_values=urn:o:two > mfa"},
		{"two factors demanded, nothing said", demanding("exact", refedsMFA), "", has, "", false, "upstream acr_values=urn:o:two > NoAuthnContext"},
		{"two factors demanded, refused", demanding("exact", refedsMFA), lacking, has, "", false, "upstream acr_values=urn:o:two > NoAuthnContext"},
		{"two factors demanded, a password there", demanding("exact", refedsMFA), secret, has, "", false, "upstream acr_values=urn:o:two > NoAuthnContext"},
		{"at least a password", demanding("minimum", acPPT), two, has, "", false, "upstream acr_values=urn:o:secret urn:o:two > mfa"},
		{"a password demanded, something else there", demanding("exact", acPPT), "urn:o:other", has, "", false, "upstream acr_values=urn:o:secret > password > PasswordProtectedTransport"},
		{"a password demanded, something else there, none here", demanding("exact", acPPT), "urn:o:other", hasNot, "", false, "upstream acr_values=urn:o:secret > NoAuthnContext"},
		{"forced, afresh", "", two, has, force, false, "upstream prompt=login max_age=0 > mfa"},
		{"forced, which the upstream ignores", "", two, has, force, true, "upstream prompt=login max_age=0 > page up.stale"},
		{"passive, and somebody there", "", two, has, passive, false, "upstream prompt=none > mfa"},
		{"passive, and nobody there", "", nobody, has, passive, false, "upstream prompt=none > NoPassive"},
		{"scoped to the upstream", scoped("1"), two, has, "", false, "upstream > mfa"},
		{"scoped to the upstream, and none may stand behind us", scoped("0"), two, has, "", false, "ProxyCountExceeded"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var password identity.Secret
			if tt.password {
				password = hash
			}
			h := hop{connection: "open", issuer: op.URL, op: op, subject: fmt.Sprintf("o%d", i), demand: tt.demand, says: tt.says, attrs: tt.attrs, old: tt.old}
			w.person(t, h, password)
			got, told := w.visitor().signIn(t, h)
			if got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			if strings.HasSuffix(got, "mfa") && texts(told, "//AuthenticatingAuthority") != op.URL {
				t.Errorf("AuthenticatingAuthority %s, want %s", texts(told, "//AuthenticatingAuthority"), op.URL)
			}
		})
	}
}
