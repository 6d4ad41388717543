package main

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
)

// TestInitiatedAtAnOpenIDProvider holds that a sign-in which an OpenID Provider begins
// is a question of ours to that very provider, for an application that the connection
// lists, and that nothing else begins one (login CSRF).
func TestInitiatedAtAnOpenIDProvider(t *testing.T) {
	t.Parallel()
	var issuer string
	op := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if err := answerJSON(w, map[string]string{
			"issuer": issuer, "authorization_endpoint": issuer + "/auth", "token_endpoint": issuer + "/token", "jwks_uri": issuer + "/jwks",
		}); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(op.Close)
	issuer = op.URL
	for _, tt := range []struct {
		name, allowed string
		query         url.Values
		want          string // words of the page; empty: the provider is asked
	}{
		{"off", "", url.Values{"iss": {issuer}}, "up.unsolicited"},
		{"the first application", "[wiki]", url.Values{"iss": {issuer}, "login_hint": {"ada"}}, ""},
		{"the one that is named", "[wiki, payroll]", url.Values{"iss": {issuer}, "target_link_uri": {"https://payroll.example.test"}}, ""},
		{"one that may not", "[wiki]", url.Values{"iss": {issuer}, "target_link_uri": {"payroll"}}, "up.landing"},
		{"another issuer", "[wiki]", url.Values{"iss": {"https://other.example.test"}}, "up.issuer"},
		{"no issuer", "[wiki]", url.Values{}, "up.issuer"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "samlet")
			path, err := initialise(t.Context(), dir, "http://127.0.0.1:8080")
			if err != nil {
				t.Fatal(err)
			}
			const local = "  - {id: local, type: local, name: Password}\n"
			connection := "  - {id: op, type: oidc, name: Open, issuer: " + issuer + ", client_id: samlet, client_secret: \"literal:hush\""
			if tt.allowed != "" {
				connection += ", idp_initiated: " + tt.allowed
			}
			text := strings.Replace(readAll(t, path), local, local+connection+"}\n", 1)
			writeFile(t, path, strings.Replace(text, "service_providers: []\n", initiatedConfig, 1))
			site := httptest.NewServer(openAt(t, path, logTo(t)))
			t.Cleanup(site.Close)

			jar, err := cookiejar.New(nil)
			if err != nil {
				t.Fatal(err)
			}
			client := &http.Client{Jar: jar, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
				if strings.HasPrefix(r.URL.String(), issuer) {
					return http.ErrUseLastResponse
				}
				return nil
			}}
			resp, err := client.Get(site.URL + pathInitiate + "op?" + tt.query.Encode())
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if tt.want != "" {
				if body, err := io.ReadAll(resp.Body); err != nil || !strings.Contains(string(body), tt.want) {
					t.Errorf("got %d, want %s: %v\n%s", resp.StatusCode, tt.want, err, body)
				}
				return
			}
			to := resp.Header.Get("Location")
			if u, err := url.Parse(to); err != nil || !strings.HasPrefix(to, issuer+"/auth?") || u.Query().Get("client_id") != "samlet" {
				t.Errorf("got %d to %q, want a question at %s", resp.StatusCode, to, issuer)
			}
		})
	}
}
