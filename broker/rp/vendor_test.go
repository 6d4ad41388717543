package rp_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"github.com/samlet-id/samlet/binding"
	"github.com/samlet-id/samlet/broker/rp"
	"github.com/samlet-id/samlet/identity"
)

// answered begins and finishes a sign-in at p, with the form beside the code.
func answered(t *testing.T, p *provider, cfg rp.Config, form url.Values) (identity.Assertion, error) {
	t.Helper()
	c := connect(t, cfg)
	state := ask(t, c, p, identity.AuthnRequest{})
	in := binding.Received{Method: http.MethodPost, Form: url.Values{"code": {"the-code"}, "state": {"ticket"}}}
	for name, values := range form {
		in.Form[name] = values
	}
	return c.Finish(t.Context(), state, in)
}

// TestApple holds that Apple is asked to answer by form, is shown a secret that its key
// signed, and that the name which it posts once is taken.
func TestApple(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p := newProvider(t)
	p.says["userinfo_endpoint"] = nil
	p.next.claims = map[string]any{"email_verified": "true", "given_name": nil}
	cfg := config(t, p)
	cfg.Vendor, cfg.ClientSecret = rp.VendorApple, identity.Secret{}
	cfg.Apple = &rp.AppleKey{TeamID: "TEAM", KeyID: "KEY", Signer: key}
	got, err := answered(t, p, cfg, url.Values{"user": {`{"name":{"firstName":"Ada","lastName":"Lovelace"},"email":"eve@partner.example"}`}})
	if err != nil {
		t.Fatal(err)
	}
	want := map[identity.Name]string{"given_name": "Ada", "family_name": "Lovelace", "email": "ada@partner.example", "email_verified": "true"}
	for name, value := range want {
		if got.Attributes.First(name) != value {
			t.Errorf("%s: got %q, want %q", name, got.Attributes[name], value)
		}
	}
	if p.asked.Get("response_mode") != "form_post" || p.asked.Get("scope") != "openid name email" {
		t.Errorf("asked %v", p.asked)
	}
	jws, err := jose.ParseSigned(p.redeemed.Get("client_secret"), []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	payload, err := jws.Verify(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatal(err)
	}
	said := map[string]any{"iss": "TEAM", "sub": clientID, "aud": p.URL, "iat": float64(noon.Unix()), "exp": float64(noon.Unix() + 60)}
	if diff := cmp.Diff(said, claims); diff != "" || jws.Signatures[0].Header.KeyID != "KEY" {
		t.Errorf("client secret by %s (-want +got):\n%s", jws.Signatures[0].Header.KeyID, diff)
	}

	if got, err = answered(t, p, cfg, nil); err != nil || len(got.Attributes["given_name"]) > 0 {
		t.Errorf("without a name: %v, %v", got.Attributes, err)
	}
	_, err = answered(t, p, cfg, url.Values{"user": {"no JSON"}})
	wantCode(t, "a damaged user", err, identity.KindInvalid, "up.format")
	cfg.Apple = nil
	if _, err := rp.New(cfg); err == nil {
		t.Error("New: a connector for Apple was made without its key")
	}
}

// TestGoogle holds who comes in by a hosted domain, and for which addresses Google
// answers.
func TestGoogle(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		domains  []string
		hd       any
		email    string
		asked    string
		verified string
		code     identity.Code
	}{
		{name: "anybody", email: "ada@gmail.com", verified: "true"},
		{name: "an address elsewhere that was confirmed once", email: "ada@partner.example"},
		{name: "the address of an organization", hd: "Partner.example", email: "ada@partner.example", verified: "true"},
		{name: "the address of another organization", hd: "other.example", email: "ada@partner.example"},
		{name: "one domain", domains: []string{"partner.example"}, hd: "partner.example", email: "ada@partner.example", asked: "partner.example", verified: "true"},
		{name: "two domains", domains: []string{"a.example", "partner.example"}, hd: "partner.example", email: "ada@partner.example", asked: "*", verified: "true"},
		{name: "another domain", domains: []string{"partner.example"}, hd: "other.example", email: "ada@other.example", asked: "partner.example", code: "up.hosted_domain"},
		{name: "a private account", domains: []string{"partner.example"}, email: "ada@gmail.com", asked: "partner.example", code: "up.hosted_domain"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newProvider(t)
			p.next.claims = map[string]any{"hd": tt.hd, "email": tt.email}
			cfg := config(t, p)
			cfg.Vendor, cfg.HostedDomains = rp.VendorGoogle, tt.domains
			got, err := answered(t, p, cfg, nil)
			if p.asked.Get("hd") != tt.asked {
				t.Errorf("asked for hd %q, want %q", p.asked.Get("hd"), tt.asked)
			}
			if tt.code != "" {
				wantCode(t, tt.name, err, identity.KindDenied, tt.code)
				return
			}
			if err != nil || got.Attributes.First("email_verified") != tt.verified {
				t.Errorf("email_verified: got %q, %v, want %q", got.Attributes["email_verified"], err, tt.verified)
			}
		})
	}
}

const (
	tenantA = "11111111-2222-3333-4444-555555555555"
	tenantB = "11111111-2222-3333-4444-666666666666"
)

// microsoft is a provider that stands for many tenants.
func microsoft(t *testing.T, claims map[string]any, tenants ...string) (*provider, rp.Config) {
	t.Helper()
	p := newProvider(t)
	p.says["issuer"] = p.URL + "/{tenantid}/v2.0"
	p.next.claims = map[string]any{"iss": p.URL + "/" + tenantA + "/v2.0", "tid": tenantA}
	for name, v := range claims {
		if s, ok := v.(string); ok {
			v = strings.Replace(s, "{URL}", p.URL, 1)
		}
		p.next.claims[name] = v
	}
	cfg := config(t, p)
	cfg.Vendor, cfg.Issuer, cfg.Tenants = rp.VendorMicrosoft, identity.EntityID(p.URL+"/common/v2.0"), tenants
	return p, cfg
}

// TestAttackTenants holds that of Microsoft's many tenants each speaks for itself
// alone, and none that is not wanted.
func TestAttackTenants(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		claims  map[string]any
		tenants []string
		ok      bool
	}{
		{name: "any tenant", ok: true},
		{name: "one that is wanted", tenants: []string{tenantB, tenantA}, ok: true},
		{name: "one that is not", tenants: []string{tenantB}},
		{name: "another's issuer", claims: map[string]any{"iss": "{URL}/" + tenantB + "/v2.0"}},
		{name: "no tid", claims: map[string]any{"tid": nil}},
		{name: "the template itself", claims: map[string]any{"iss": "{URL}/{tenantid}/v2.0", "tid": "{tenantid}"}},
		{name: "the issuer of all", claims: map[string]any{"iss": "{URL}/common/v2.0", "tid": "common"}},
		{name: "a tid that leads elsewhere", claims: map[string]any{"iss": "{URL}/../evil/v2.0", "tid": "../evil"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p, cfg := microsoft(t, tt.claims, tt.tenants...)
			got, err := answered(t, p, cfg, nil)
			if !tt.ok {
				wantCode(t, tt.name, err, identity.KindInvalid, "up.issuer")
			} else if err != nil || got.Principal.Issuer != cfg.Issuer {
				t.Errorf("got %+v, %v", got.Principal, err)
			}
		})
	}
}

// TestAttackNOAuth holds that an address which somebody wrote into a tenant of their own
// is vouched for by nobody, whatever the token says, but by xms_edov.
func TestAttackNOAuth(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		claims map[string]any
		want   string
	}{
		"the token says so itself": {map[string]any{"email_verified": true}, ""},
		"nothing is said":          {map[string]any{"email_verified": nil}, ""},
		"not the owner":            {map[string]any{"xms_edov": false}, ""},
		"the owner":                {map[string]any{"xms_edov": true, "email_verified": nil}, "true"},
		"the owner, as a number":   {map[string]any{"xms_edov": 1}, "true"},
		"the owner, as text":       {map[string]any{"xms_edov": "1"}, "true"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, cfg := microsoft(t, tt.claims)
			got, err := answered(t, p, cfg, nil)
			if err != nil || got.Attributes.First("email_verified") != tt.want {
				t.Errorf("email_verified: got %q, %v, want %q", got.Attributes["email_verified"], err, tt.want)
			}
		})
	}
}

// TestHints holds that a vendor's own error says here what to change there.
func TestHints(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		vendor            rp.Vendor
		code, description string
		want              string
	}{
		{rp.VendorMicrosoft, "invalid_client", "AADSTS7000222: The provided client secret keys for app are expired.", "Certificates & secrets"},
		{rp.VendorMicrosoft, "invalid_client", "AADSTS700016: Application was not found in the directory.", "App registrations"},
		{rp.VendorMicrosoft, "invalid_client", "something new", "client_id"},
		{rp.VendorApple, "invalid_client", "", "Services ID"},
		{rp.VendorGoogle, "redirect_uri_mismatch", "", "redirect_uri"},
		{"", "invalid_scope", "", "request_scopes"},
		{"", "of its own", "", "tokens for the code"},
	} {
		t.Run(string(tt.vendor)+" "+tt.code, func(t *testing.T) {
			t.Parallel()
			p := newProvider(t)
			p.refuses = map[string]string{"error": tt.code, "error_description": tt.description}
			cfg := config(t, p)
			cfg.Vendor, cfg.ClientSecret = tt.vendor, identity.NewSecret("wrong")
			if tt.vendor == rp.VendorApple {
				key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
				if err != nil {
					t.Fatal(err)
				}
				cfg.Apple = &rp.AppleKey{TeamID: "TEAM", KeyID: "KEY", Signer: key}
			}
			_, err := answered(t, p, cfg, url.Values{"code": {"another"}})
			e := identity.AsError(err)
			if e == nil || e.Code != "up.status" || !strings.Contains(e.Expected, tt.want) || !strings.Contains(e.Seen, tt.code) {
				t.Errorf("got %+v, want a hint at %q", e, tt.want)
			}
		})
	}
}

// TestLinkedIn holds that LinkedIn, which has neither nonce nor PKCE, is asked for
// neither, and that nobody else goes without.
func TestLinkedIn(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	p.next.claims = map[string]any{"nonce": nil}
	cfg := config(t, p)
	cfg.Vendor = rp.VendorLinkedIn
	if _, err := answered(t, p, cfg, nil); err != nil {
		t.Fatal(err)
	}
	if p.asked.Has("nonce") || p.asked.Has("code_challenge") || p.redeemed.Has("code_verifier") {
		t.Errorf("asked %v, redeemed with %v", p.asked, p.redeemed)
	}
	cfg.Vendor = rp.VendorGitLab
	_, err := answered(t, p, cfg, nil)
	wantCode(t, "no nonce elsewhere", err, identity.KindInvalid, "up.in_response_to")
}

// TestGitLab holds that the groups of a GitLab that tells direct ones alone are groups.
func TestGitLab(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	p.next = answer{claims: map[string]any{"groups_direct": []string{"acme/dev"}}, userInfo: map[string]any{"groups": nil}}
	cfg := config(t, p)
	cfg.Vendor = rp.VendorGitLab
	got, err := answered(t, p, cfg, nil)
	if diff := cmp.Diff([]string{"acme/dev"}, got.Attributes["groups"]); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}
