package rp_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/samlet-id/samlet/binding"
	"github.com/samlet-id/samlet/broker"
	"github.com/samlet-id/samlet/broker/brokertest"
	"github.com/samlet-id/samlet/broker/rp"
	"github.com/samlet-id/samlet/identity"
)

// plain is GitHub Enterprise Server or Facebook, as they document themselves: what each
// path answers, and how.
type plain struct {
	*httptest.Server
	vendor rp.Vendor
	says   identity.Assertion // of the good answer, without its issuer
	good   map[string]string
	who    string // path of the profile

	mu       sync.Mutex
	answers  map[string]string // bodies by path; what is not there is not found
	status   map[string]int
	header   http.Header // beside each status of these
	redeemed url.Values
	asked    []*url.URL
}

func newPlain(t testing.TB, vendor rp.Vendor) *plain {
	t.Helper()
	p := &plain{vendor: vendor}
	p.Server = httptest.NewServer(http.HandlerFunc(p.serve))
	t.Cleanup(p.Close)
	switch vendor {
	case rp.VendorGitHub:
		p.who = "/api/v3/user"
		p.good = map[string]string{
			"/login/oauth/access_token": "access_token=opaque&scope=read%3Auser&token_type=bearer",
			p.who:                       `{"login":"ada","id":1815,"name":"Ada Lovelace","email":"shown@elsewhere.example","plan":{"name":"pro"}}`,
			p.who + "/emails":           `[{"email":"old@partner.example","primary":false,"verified":true},{"email":"ada@partner.example","primary":true,"verified":true}]`,
			p.who + "/orgs":             `[{"login":"acme","id":1},{"login":"looms","id":2}]`,
		}
		p.says = identity.Assertion{Principal: identity.Principal{Subject: "1815"}, Attributes: identity.Attributes{
			"sub": {"1815"}, "preferred_username": {"ada"}, "name": {"Ada Lovelace"}, "email": {"ada@partner.example"}, "email_verified": {"true"},
		}}
	default:
		p.who = "/v25.0/me"
		p.good = map[string]string{
			"/v25.0/oauth/access_token": `{"access_token":"opaque","token_type":"bearer","expires_in":5183944}`,
			p.who:                       `{"id":"10215241773831025","name":"Ada Lovelace","first_name":"Ada","last_name":"Lovelace","email":"ada@partner.example"}`,
		}
		p.says = identity.Assertion{Principal: identity.Principal{Subject: "10215241773831025"}, Attributes: identity.Attributes{
			"sub": {"10215241773831025"}, "name": {"Ada Lovelace"}, "given_name": {"Ada"}, "family_name": {"Lovelace"}, "email": {"ada@partner.example"},
		}}
	}
	p.says.Context.Instant = noon
	p.reset()
	return p
}

func (p *plain) reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answers, p.status = maps.Clone(p.good), map[string]int{}
}

func (p *plain) serve(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = append(p.asked, r.URL)
	body, ok := p.answers[r.URL.Path]
	status := p.status[r.URL.Path]
	switch {
	case !ok:
		status = http.StatusNotFound
	case strings.HasSuffix(r.URL.Path, "/access_token"):
		if err := r.ParseForm(); err != nil {
			panic(err)
		}
		p.redeemed = r.PostForm
		if r.PostForm.Get("client_id") != clientID || r.PostForm.Get("client_secret") != "hush" || r.PostForm.Get("code") != "the-code" {
			status, body = http.StatusBadRequest, `{"error":"bad_verification_code"}`
		}
	case r.Header.Get("Authorization") != "Bearer opaque":
		status = http.StatusUnauthorized
	}
	w.Header().Set("Content-Type", "application/json")
	if strings.HasPrefix(body, "access_token=") || strings.HasPrefix(body, "error=") {
		w.Header().Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	}
	if status != 0 {
		maps.Copy(w.Header(), p.header)
		w.WriteHeader(status)
	}
	if _, err := io.WriteString(w, body); err != nil {
		panic(err)
	}
}

func (p *plain) config(t testing.TB) rp.Config {
	t.Helper()
	cfg := config(t, &provider{Server: p.Server})
	cfg.Vendor = p.vendor
	return cfg
}

// vendors are brokertest's peer: one vendor, and another place of it.
type vendors struct{ main, other *plain }

// TestPlainConnectors holds that of all answers of vendors without ID tokens the good
// one alone counts.
func TestPlainConnectors(t *testing.T) {
	t.Parallel()
	for _, vendor := range []rp.Vendor{rp.VendorGitHub, rp.VendorFacebook} {
		t.Run(string(vendor), func(t *testing.T) {
			t.Parallel()
			brokertest.RunOAuth(t, vendors{newPlain(t, vendor), newPlain(t, vendor)})
		})
	}
}

func (v vendors) Open(t testing.TB) broker.Connector      { return connect(t, v.main.config(t)) }
func (v vendors) OpenOther(t testing.TB) broker.Connector { return connect(t, v.other.config(t)) }

func (v vendors) Says() identity.Assertion {
	out := v.main.says
	out.Principal.Issuer = identity.EntityID(v.main.URL)
	return out
}

// Answer implements brokertest.Peer.
func (v vendors) Answer(t testing.TB, c brokertest.Case, asked binding.Message) (binding.Received, bool) {
	t.Helper()
	u, err := url.Parse(asked.URL)
	if err != nil {
		t.Fatal(err)
	}
	v.main.reset()
	ok := v.main.change(c)
	query, said := queries(v.other.URL)[c]
	if !said {
		query = "code=the-code&state={state}"
	}
	return get(strings.ReplaceAll(query, "{state}", url.QueryEscape(u.Query().Get("state")))), ok || said || c == brokertest.Good
}

// change has p answer in the way of c.
func (p *plain) change(c brokertest.Case) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	token := "/login/oauth/access_token"
	if p.vendor == rp.VendorFacebook {
		token = "/v25.0/oauth/access_token"
	}
	switch c {
	case brokertest.RefusedWith200:
		p.answers[token] = "error=bad_verification_code&error_description=The+code+passed+is+incorrect+or+expired."
	case brokertest.NoAccessToken:
		p.answers[token] = `{"token_type":"bearer"}`
	case brokertest.TokenOutage:
		p.status[token] = http.StatusBadGateway
	case brokertest.ProfileOutage:
		p.status[p.who] = http.StatusServiceUnavailable
	case brokertest.ProfileRefused:
		p.status[p.who] = http.StatusForbidden
	case brokertest.ProfileNoObject:
		p.answers[p.who] = `["ada"]`
	case brokertest.ProfileTwice:
		p.answers[p.who] = `{"id":1815,"id":1}`
	case brokertest.NoSubject:
		p.answers[p.who] = `{"login":"ada","name":"Ada"}`
	case brokertest.EmptySubject:
		p.answers[p.who] = `{"id":"","name":"Ada"}`
	default:
		return false
	}
	return true
}

// signIn begins and finishes a sign-in at p.
func (p *plain) signIn(t *testing.T, cfg rp.Config) (identity.Assertion, *url.URL, error) {
	t.Helper()
	c := connect(t, cfg)
	msg, state, err := c.Begin(t.Context(), identity.AuthnRequest{}, "ticket")
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(msg.URL)
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.Finish(t.Context(), state, get(goodAnswer))
	return got, u, err
}

// TestGitHub holds who comes in by their organizations, how they are asked for, and that
// PKCE binds the code.
func TestGitHub(t *testing.T) {
	t.Parallel()
	many := strings.Repeat(`{"login":"o"},`, 99) + `{"login":"o"}`
	for _, tt := range []struct {
		name   string
		want   []string
		orgs   string
		groups []string
		code   identity.Code
	}{
		{name: "nobody asked", groups: nil},
		{name: "a member", want: []string{"Acme"}, groups: []string{"acme", "looms"}},
		{name: "of one of them", want: []string{"other", "looms"}, groups: []string{"acme", "looms"}},
		{name: "of none of them", want: []string{"other"}, code: "up.membership"},
		{name: "of none at all", want: []string{"acme"}, orgs: "[]", code: "up.membership"},
		{name: "no list", want: []string{"acme"}, orgs: `{"login":"acme"}`, code: "up.format"},
		{name: "two lists", want: []string{"acme"}, orgs: `[],"login":[{"login":"acme"}]`, code: "up.format"},
		{name: "more pages than are read", want: []string{"acme"}, orgs: "[" + many + "]", code: "up.membership"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newPlain(t, rp.VendorGitHub)
			if tt.orgs != "" {
				p.answers[p.who+"/orgs"] = tt.orgs
			}
			cfg := p.config(t)
			cfg.Memberships = tt.want
			got, asked, err := p.signIn(t, cfg)
			if tt.code != "" {
				if identity.CodeOf(err) != tt.code || err == nil {
					t.Errorf("got %v, want %s", err, tt.code)
				}
				return
			}
			if diff := cmp.Diff(tt.groups, got.Attributes["groups"]); err != nil || diff != "" {
				t.Errorf("groups: %v (-want +got):\n%s", err, diff)
			}
			scope := "read:user user:email"
			if tt.want != nil {
				scope += " read:org"
			}
			q := asked.Query()
			if asked.Path != "/login/oauth/authorize" || q.Get("scope") != scope || q.Get("code_challenge_method") != "S256" || !p.redeemed.Has("code_verifier") || q.Has("nonce") {
				t.Errorf("asked %s, redeemed with %v", asked, p.redeemed)
			}
		})
	}
}

// TestAttackUnverifiedMail holds that of GitHub's addresses the primary one counts, if
// it is verified, and that nobody vouches for one of Facebook.
func TestAttackUnverifiedMail(t *testing.T) {
	t.Parallel()
	for name, mails := range map[string]string{
		"primary and unverified": `[{"email":"eve@partner.example","primary":true,"verified":false}]`,
		"verified and not first": `[{"email":"eve@partner.example","primary":false,"verified":true}]`,
		"said in text":           `[{"email":"eve@partner.example","primary":"true","verified":"true"}]`,
		"none":                   `[]`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlain(t, rp.VendorGitHub)
			p.answers[p.who+"/emails"] = mails
			got, _, err := p.signIn(t, p.config(t))
			if err != nil || len(got.Attributes["email"])+len(got.Attributes["email_verified"]) > 0 {
				t.Errorf("got %v, %v", got.Attributes, err)
			}
		})
	}
	p := newPlain(t, rp.VendorFacebook)
	p.answers[p.who] = `{"id":"1","email":"eve@partner.example","email_verified":true}`
	if got, _, err := p.signIn(t, p.config(t)); err != nil || len(got.Attributes["email_verified"]) > 0 {
		t.Errorf("Facebook: got %v, %v", got.Attributes, err)
	}
}

// TestFacebook holds that each call proves that we hold the app's secret.
func TestFacebook(t *testing.T) {
	t.Parallel()
	p := newPlain(t, rp.VendorFacebook)
	_, asked, err := p.signIn(t, p.config(t))
	if err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha256.New, []byte("hush"))
	mac.Write([]byte("opaque"))
	if got, want := p.asked[len(p.asked)-1].Query().Get("appsecret_proof"), hex.EncodeToString(mac.Sum(nil)); got != want {
		t.Errorf("appsecret_proof: got %q, want %q", got, want)
	}
	if q := asked.Query(); asked.Path != "/v25.0/dialog/oauth" || q.Get("scope") != "public_profile email" || q.Has("code_challenge") {
		t.Errorf("asked %s", asked)
	}
}

// TestPlainTerms holds that what such a vendor cannot prove or do is not taken as done.
func TestPlainTerms(t *testing.T) {
	t.Parallel()
	p := newPlain(t, rp.VendorGitHub)
	c := connect(t, p.config(t))
	_, _, err := c.Begin(t.Context(), identity.AuthnRequest{IsPassive: true}, "ticket")
	wantCode(t, "passive", err, identity.KindNeedsInteraction, "up.status")
	_, state, err := c.Begin(t.Context(), identity.AuthnRequest{ForceAuthn: true}, "ticket")
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Finish(t.Context(), state, get(goodAnswer))
	wantCode(t, "afresh", err, identity.KindInvalid, "up.stale")
	if got := c.Reach(); got.Browser || got.Direct {
		t.Errorf("Reach: got %+v", got)
	}
	_, err = c.ReadLogoutToken(t.Context(), "x.y.z", "github")
	wantCode(t, "logout token", err, identity.KindUnavailable, "up.no_slo")
}

// TestVendorsAddresses holds where each vendor is asked.
func TestVendorsAddresses(t *testing.T) {
	t.Parallel()
	for issuer, want := range map[string]string{
		"https://github.com":          "https://github.com/login/oauth/authorize",
		"https://github.partner.test": "https://github.partner.test/login/oauth/authorize",
		"https://www.facebook.com":    "https://www.facebook.com/v25.0/dialog/oauth",
		"https://partner.ghe.com":     "https://partner.ghe.com/login/oauth/authorize",
	} {
		p := newPlain(t, rp.VendorGitHub)
		cfg := p.config(t)
		cfg.Issuer = identity.EntityID(issuer)
		if strings.Contains(issuer, "facebook") {
			cfg.Vendor = rp.VendorFacebook
		}
		var called []string
		cfg.HTTP = &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			called = append(called, r.URL.Host+r.URL.Path)
			return nil, fmt.Errorf("nobody is there")
		})}
		_, asked, err := p.signIn(t, cfg)
		if !strings.HasPrefix(asked.String(), want+"?") || identity.CodeOf(err) != "up.unreachable" {
			t.Errorf("%s: sent to %s, then %v", issuer, asked, err)
		}
		if issuer == "https://www.facebook.com" && (len(called) != 1 || called[0] != "graph.facebook.com/v25.0/oauth/access_token") {
			t.Errorf("%s: called %v", issuer, called)
		}
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
