package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/web"
	"github.com/samlet-id/samlet/templates"
)

// demoOpenID is a partner's OpenID Provider with one person: as much of OpenID
// Connect as it takes to sign in by the code flow and out again. All that it knows
// is in memory.
type demoOpenID struct {
	issuer, secret     string
	redirect, loggedUp string // samlet's redirect_uri and post_logout_redirect_uri
	person             demoUser
	signer             jose.Signer
	keys               jose.JSONWebKeySet
	web                *web.Web

	mu       sync.Mutex
	asked    map[string]url.Values // authentication requests that wait for a password
	codes    map[string]demoGrant
	sessions map[string]time.Time // cookies, and when the person signed in
}

// demoGrant is what a code, or the access token that it was redeemed for, is worth.
type demoGrant struct {
	asked url.Values
	at    time.Time // of the sign-in
}

const demoOpenIDCookie = "demo-openid"

// newDemoOpenID makes the provider that samlet, at base, is a client of.
func newDemoOpenID(issuer, base string, person demoUser, site *web.Web) (*demoOpenID, error) {
	secret, err := identity.NewToken(rand.Reader)
	if err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making the key of the demo's OpenID Provider: %w", err)
	}
	jwk := jose.JSONWebKey{Key: key, KeyID: "demo", Use: "sig", Algorithm: string(jose.ES256)}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jwk}, nil)
	if err != nil {
		return nil, fmt.Errorf("making the signer of the demo's OpenID Provider: %w", err)
	}
	return &demoOpenID{
		issuer: issuer, secret: secret, redirect: base + pathCallback + "openid", loggedUp: base + pathOIDCLogout + "openid",
		person: person, signer: signer, keys: jose.JSONWebKeySet{Keys: []jose.JSONWebKey{jwk.Public()}}, web: site,
		asked: map[string]url.Values{}, codes: map[string]demoGrant{}, sessions: map[string]time.Time{},
	}, nil
}

// Mount registers the provider's endpoints.
func (o *demoOpenID) Mount(mux *http.ServeMux) {
	mux.Handle("GET /.well-known/openid-configuration", o.web.Handle(func(w http.ResponseWriter, _ *http.Request) error {
		return answerJSON(w, map[string]any{
			"issuer": o.issuer, "authorization_endpoint": o.issuer + "/authorize", "token_endpoint": o.issuer + "/token",
			"jwks_uri": o.issuer + "/jwks", "end_session_endpoint": o.issuer + "/end",
			"response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"},
			"id_token_signing_alg_values_supported": []string{"ES256"}, "authorization_response_iss_parameter_supported": true,
		})
	}))
	mux.Handle("GET /jwks", o.web.Handle(func(w http.ResponseWriter, _ *http.Request) error { return answerJSON(w, o.keys) }))
	mux.Handle("GET /authorize", o.web.Handle(o.authorize))
	mux.Handle("POST /login", o.web.Handle(o.signIn))
	mux.Handle("POST /token", o.web.Handle(o.token))
	mux.Handle("GET /end", o.web.Handle(o.end))
}

func answerJSON(w http.ResponseWriter, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encoding an answer: %w", err)
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body) // fails only when whoever asked has gone
	return nil
}

// authorize takes an authentication request (OpenID Connect Core 3.1.2.1): of
// somebody who is signed in it is answered at once, unless they are to be asked.
func (o *demoOpenID) authorize(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	if q.Get("client_id") != "samlet" || q.Get("redirect_uri") != o.redirect || q.Get("code_challenge_method") != "S256" {
		return errDemoRequest("an authentication request of samlet with PKCE")
	}
	cookie, _ := o.web.Cookie(r, demoOpenIDCookie) // none is nobody's
	o.mu.Lock()
	defer o.mu.Unlock()
	at, known := o.sessions[cookie]
	switch {
	case known && q.Get("prompt") != "login":
		return o.grant(w, r, q, at)
	case q.Get("prompt") == "none":
		o.answer(w, r, q, url.Values{"error": {"login_required"}})
		return nil
	}
	ticket, err := identity.NewToken(rand.Reader)
	if err != nil {
		return err
	}
	o.asked[ticket] = q
	return o.ask(w, r, ticket, "")
}

// ask shows the page that asks for the password. From there the browser goes back to
// samlet, which the page's policy has to allow.
func (o *demoOpenID) ask(w http.ResponseWriter, r *http.Request, ticket, problem string) error {
	origin, _ := web.Origin(o.redirect) // it is one of ours
	page := templates.Password{Action: "/login", Ticket: ticket, Identifier: o.person.name, Problem: problem, NotYou: "/authorize?" + o.asked[ticket].Encode()}
	return o.web.Render(w, r, http.StatusOK, page, web.RenderOptions{FormAction: []string{"'self'", origin}})
}

// signIn takes the password.
func (o *demoOpenID) signIn(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return errDemoRequest("a form")
	}
	ticket := r.PostForm.Get(templates.FieldTicket)
	o.mu.Lock()
	defer o.mu.Unlock()
	asked, ok := o.asked[ticket]
	if !ok {
		return errDemoRequest("a sign-in that is under way")
	}
	if r.PostForm.Get(templates.FieldPassword) != demoPassword {
		return o.ask(w, r, ticket, "Name and password do not belong together.")
	}
	delete(o.asked, ticket)
	cookie, err := identity.NewToken(rand.Reader)
	if err != nil {
		return err
	}
	now := time.Now()
	o.sessions[cookie] = now
	o.web.SetCookie(w, demoOpenIDCookie, cookie, 0)
	return o.grant(w, r, asked, now)
}

// grant answers with a code.
func (o *demoOpenID) grant(w http.ResponseWriter, r *http.Request, asked url.Values, at time.Time) error {
	code, err := identity.NewToken(rand.Reader)
	if err != nil {
		return err
	}
	o.codes[code] = demoGrant{asked, at}
	o.answer(w, r, asked, url.Values{"code": {code}})
	return nil
}

func (o *demoOpenID) answer(w http.ResponseWriter, r *http.Request, asked, answer url.Values) {
	answer.Set("state", asked.Get("state"))
	answer.Set("iss", o.issuer)
	http.Redirect(w, r, o.redirect+"?"+answer.Encode(), http.StatusSeeOther)
}

// token redeems a code, once, for an ID token (OpenID Connect Core 3.1.3).
func (o *demoOpenID) token(w http.ResponseWriter, r *http.Request) error {
	id, secret, _ := r.BasicAuth() // none is nobody's
	verifier := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	o.mu.Lock()
	grant, ok := o.codes[r.PostFormValue("code")]
	delete(o.codes, r.PostFormValue("code"))
	o.mu.Unlock()
	if !ok || id != "samlet" || subtle.ConstantTimeCompare([]byte(secret), []byte(o.secret)) != 1 ||
		base64.RawURLEncoding.EncodeToString(verifier[:]) != grant.asked.Get("code_challenge") {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		return answerJSON(w, map[string]string{"error": "invalid_grant"})
	}
	now := time.Now()
	claims, err := json.Marshal(map[string]any{
		"iss": o.issuer, "aud": "samlet", "sub": "248289761001", "iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(),
		"auth_time": grant.at.Unix(), "nonce": grant.asked.Get("nonce"), "amr": []string{"pwd"}, "email_verified": true,
		"email": o.person.set.First(identity.Mail), "given_name": o.person.set.First(identity.GivenName),
		"family_name": o.person.set.First(identity.FamilyName), "groups": o.person.set[identity.Groups],
	})
	if err != nil {
		return fmt.Errorf("encoding the claims: %w", err)
	}
	signed, err := o.signer.Sign(claims)
	if err != nil {
		return fmt.Errorf("signing the ID token: %w", err)
	}
	compact, err := signed.CompactSerialize()
	if err != nil {
		return fmt.Errorf("writing the ID token: %w", err)
	}
	return answerJSON(w, map[string]any{"access_token": "nothing is asked for with it", "token_type": "Bearer", "expires_in": 300, "id_token": compact})
}

// end ends the session of the browser (RP-Initiated Logout 1.0).
func (o *demoOpenID) end(w http.ResponseWriter, r *http.Request) error {
	cookie, _ := o.web.Cookie(r, demoOpenIDCookie) // none is nobody's
	o.mu.Lock()
	delete(o.sessions, cookie)
	o.mu.Unlock()
	q := r.URL.Query()
	if q.Get("post_logout_redirect_uri") != o.loggedUp {
		return errDemoRequest("samlet's post_logout_redirect_uri")
	}
	http.Redirect(w, r, o.loggedUp+"?"+url.Values{"state": {q.Get("state")}}.Encode(), http.StatusSeeOther)
	return nil
}

func errDemoRequest(expected string) *identity.Error {
	return &identity.Error{
		Kind: identity.KindInvalid, Code: "up.format", Who: identity.WhoVendor,
		Msg: "The demo's OpenID Provider takes requests of the demo's samlet alone.", Expected: expected,
	}
}

// startOpenID serves the partner's OpenID Provider, and makes it a connection of
// samlet.
func (d *demo) startOpenID(ctx context.Context, ln net.Listener) error {
	site, err := newWeb(d.OpenID, "Open Partner", "", d.samlet.shared)
	if err != nil {
		return err
	}
	o, err := newDemoOpenID(d.OpenID, d.Samlet, demoOpen, site)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	o.Mount(mux)
	srv := &http.Server{Handler: site.Middleware(mux, nil), ReadHeaderTimeout: headerTimeout}
	d.run(func() error {
		if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	d.apps = append(d.apps, srv)
	err = d.addConnection(fmt.Sprintf(`- id: openid
  type: oidc
  name: Open Partner
  email_domains: [openid.test]
  issuer: %s
  client_id: samlet
  client_secret: "literal:%s"
  userinfo: false
`, o.issuer, o.secret))
	if err != nil {
		return err
	}
	return d.samlet.reload(ctx)
}

// addConnection writes a connection into samlet's configuration.
func (d *demo) addConnection(entry string) error {
	return editConfig(d.samlet.path, func(raw []byte) ([]byte, error) {
		list, err := findList(raw, "connections")
		if err != nil {
			return nil, err
		}
		return list.append("connections", entry), nil
	}, nil)
}
