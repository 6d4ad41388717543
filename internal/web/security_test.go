package web_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/samlet-id/samlet/internal/web"
	"github.com/samlet-id/samlet/templates"
)

// TestAttackCSRF: forms of other sites (threat: session fixation, CSRF,
// clickjacking). Exactly the bypassed patterns take them.
func TestAttackCSRF(t *testing.T) {
	t.Parallel()
	w, _ := newWeb(t, base)
	mux := http.NewServeMux()
	ok := func(http.ResponseWriter, *http.Request) error { return nil }
	for _, p := range []string{"POST /saml/sso", "GET /saml/sso", "POST /saml/acs/{connection}", "POST /login", "POST /logout", "PUT /saml/sso", "POST /saml/sso/resume"} {
		mux.Handle(p, w.Handle(ok))
	}
	site := w.Middleware(mux, []string{"POST /saml/sso", "POST /saml/acs/{connection}"})
	tests := []struct {
		name, method, path string
		header             map[string]string
		want               int
	}{
		{"request by POST from a service provider", "POST", "/saml/sso", map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://app.acme.test"}, 200},
		{"request by POST, opaque origin", "POST", "/saml/sso", map[string]string{"Origin": "null"}, 200},
		{"response by POST from a partner", "POST", "/saml/acs/acme", map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://idp.acme.test"}, 200},
		{"login form", "POST", "/login", map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.test"}, 403},
		{"login form from a sibling host", "POST", "/login", map[string]string{"Sec-Fetch-Site": "same-site", "Origin": "https://evil.example.test"}, 403},
		{"login form, old browser", "POST", "/login", map[string]string{"Origin": "https://evil.test"}, 403},
		{"login form, opaque origin", "POST", "/login", map[string]string{"Origin": "null"}, 403},
		{"logout form", "POST", "/logout", map[string]string{"Sec-Fetch-Site": "cross-site"}, 403},
		{"another method of a bypassed path", "PUT", "/saml/sso", map[string]string{"Sec-Fetch-Site": "cross-site"}, 403},
		{"below a bypassed path", "POST", "/saml/sso/resume", map[string]string{"Sec-Fetch-Site": "cross-site"}, 403},
		{"above a bypassed pattern", "POST", "/saml/acs", map[string]string{"Sec-Fetch-Site": "cross-site"}, 403},
		{"unclean path of a bypassed one", "POST", "/saml//sso", map[string]string{"Sec-Fetch-Site": "cross-site"}, 403},
		{"our own form", "POST", "/login", map[string]string{"Sec-Fetch-Site": "same-origin", "Origin": base}, 200},
		{"our own form, old browser", "POST", "/login", map[string]string{"Origin": base}, 200},
		{"link from anywhere", "GET", "/saml/sso", map[string]string{"Sec-Fetch-Site": "cross-site"}, 200},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(tt.method, tt.path, nil)
			r.Host = "behind-a-proxy.internal"
			for k, v := range tt.header {
				r.Header.Set(k, v)
			}
			rec := httptest.NewRecorder()
			site.ServeHTTP(rec, r)
			if rec.Code != tt.want {
				t.Errorf("%s %s %v: got %d, want %d", tt.method, tt.path, tt.header, rec.Code, tt.want)
			}
			if tt.want == 403 && !strings.Contains(rec.Body.String(), "web.cross_site") {
				t.Error("the refusal is not our page")
			}
		})
	}
}

// TestSecurityHeaders holds the headers of pages, redirects and answers without
// a page, over https and http.
func TestSecurityHeaders(t *testing.T) {
	t.Parallel()
	for baseURL, hsts := range map[string]string{base: "max-age=31536000", "http://127.0.0.1:8080": ""} {
		w, _ := newWeb(t, baseURL)
		answers := map[string]func(http.ResponseWriter, *http.Request) error{
			"page": func(rw http.ResponseWriter, r *http.Request) error {
				return w.Render(rw, r, 200, templates.SignIn{}, web.RenderOptions{})
			},
			"redirect": func(rw http.ResponseWriter, r *http.Request) error {
				w.Redirect(rw, r, "/login")
				return nil
			},
			"message by POST": func(rw http.ResponseWriter, r *http.Request) error {
				return w.Send(rw, r, "https://app.example.test/acs", url.Values{"SAMLResponse": {"x"}})
			},
			"message by Redirect": func(rw http.ResponseWriter, r *http.Request) error {
				return w.Send(rw, r, "https://idp.example.test/sso?SAMLRequest=x", nil)
			},
			"nothing": func(http.ResponseWriter, *http.Request) error { return nil },
		}
		for name, fn := range answers {
			h := do(t, w, httptest.NewRequest(http.MethodGet, "/x", nil), fn).Header
			got := map[string]string{}
			want := map[string]string{
				"Cache-Control": "no-cache, no-store", "Pragma": "no-cache", "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY",
				"Referrer-Policy": "strict-origin", "Cross-Origin-Resource-Policy": "same-origin", "Strict-Transport-Security": hsts,
			}
			for k := range want {
				got[k] = h.Get(k)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s, %s (-want +got):\n%s", baseURL, name, diff)
			}
			csp := h.Get("Content-Security-Policy")
			for _, part := range []string{"default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'", "form-action "} {
				if !strings.Contains(csp, part) {
					t.Errorf("%s, %s: got policy %q, want %q in it", baseURL, name, csp, part)
				}
			}
		}
	}
}

// directives splits a Content-Security-Policy; the nonce becomes NONCE.
func directives(t *testing.T, resp *http.Response, page string) map[string]string {
	t.Helper()
	d := map[string]string{}
	csp := resp.Header.Get("Content-Security-Policy")
	_, rest, _ := strings.Cut(csp, "'nonce-")
	nonce, _, _ := strings.Cut(rest, "'")
	if len(nonce) < 22 || !strings.Contains(page, `nonce="`+nonce+`"`) {
		t.Errorf("got nonce %q, want one of 128 bits that the page carries", nonce)
	}
	for part := range strings.SplitSeq(strings.ReplaceAll(csp, nonce, "NONCE"), "; ") {
		name, value, _ := strings.Cut(part, " ")
		d[name] = value
	}
	return d
}

// TestFramed holds that only what says so can be framed, and by us alone.
func TestFramed(t *testing.T) {
	t.Parallel()
	w, _ := newWeb(t, base)
	for framed, want := range map[bool]string{true: "SAMEORIGIN", false: "DENY"} {
		h := do(t, w, httptest.NewRequest(http.MethodGet, "/x", nil), func(rw http.ResponseWriter, r *http.Request) error {
			return w.Render(rw, r, 200, templates.Heard{}, web.RenderOptions{Framed: framed})
		}).Header
		if got := h.Get("X-Frame-Options"); got != want {
			t.Errorf("framed %t: got X-Frame-Options %q, want %q", framed, got, want)
		}
	}
}

func TestContentSecurityPolicy(t *testing.T) {
	t.Parallel()
	with := func(more map[string]string) map[string]string {
		d := map[string]string{
			"default-src": "'none'", "style-src": "'nonce-NONCE'", "img-src": "data:", "base-uri": "'none'",
			"frame-ancestors": "'none'", "form-action": "'self'",
		}
		for k, v := range more {
			d[k] = v
		}
		return d
	}
	w, _ := newWeb(t, base)
	send := func(to string, form url.Values) func(http.ResponseWriter, *http.Request) error {
		return func(rw http.ResponseWriter, r *http.Request) error { return w.Send(rw, r, to, form) }
	}
	form := url.Values{"SAMLResponse": {"x"}}
	tests := []struct {
		name string
		fn   func(http.ResponseWriter, *http.Request) error
		want map[string]string
	}{
		{"page", func(rw http.ResponseWriter, r *http.Request) error {
			return w.Render(rw, r, 200, templates.SignIn{}, web.RenderOptions{})
		}, with(nil)},
		{"page with origins", func(rw http.ResponseWriter, r *http.Request) error {
			return w.Render(rw, r, 200, templates.SignIn{}, web.RenderOptions{FormAction: []string{"'self'", "https://idp.acme.test"}})
		}, with(map[string]string{"form-action": "'self' https://idp.acme.test"})},
		{"page that says how far a logout is", func(rw http.ResponseWriter, r *http.Request) error {
			return w.Render(rw, r, 200, templates.SigningOut{}, web.RenderOptions{FrameSrc: []string{"'self'", "https://app.acme.test"}})
		}, with(map[string]string{"frame-src": "'self' https://app.acme.test", "script-src": "'nonce-NONCE'", "connect-src": "'self'"})},
		{"page for a frame of ours", func(rw http.ResponseWriter, r *http.Request) error {
			return w.Render(rw, r, 200, templates.Heard{}, web.RenderOptions{Framed: true})
		}, with(map[string]string{"frame-ancestors": "'self'"})},
		{"auto-post", send("https://app.acme.test:8443/acs?a=b", form), with(map[string]string{"form-action": "https://app.acme.test:8443", "script-src": "'nonce-NONCE'"})},
		{"auto-post to an IPv6 literal", send("http://[::1]:9000/acs", form), with(map[string]string{"form-action": "http:", "script-src": "'nonce-NONCE'"})},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			resp := do(t, w, httptest.NewRequest(http.MethodGet, "/x", nil), tt.fn)
			if diff := cmp.Diff(tt.want, directives(t, resp, body(t, resp))); diff != "" {
				t.Errorf("policy (-want +got):\n%s", diff)
			}
		})
	}
}

// TestNoncesDiffer holds that no two answers share one.
func TestNoncesDiffer(t *testing.T) {
	t.Parallel()
	w, _ := newWeb(t, base)
	page := func() string {
		return do(t, w, httptest.NewRequest(http.MethodGet, "/x", nil), func(rw http.ResponseWriter, r *http.Request) error {
			return w.Render(rw, r, 200, templates.SignIn{}, web.RenderOptions{})
		}).Header.Get("Content-Security-Policy")
	}
	if a, b := page(), page(); a == b {
		t.Errorf("got the same policy twice: %s", a)
	}
}

func TestSend(t *testing.T) {
	t.Parallel()
	const to = "https://idp.acme.test/sso?SAMLRequest=a%2Bb&RelayState=t0"
	tests := []struct {
		name, method, to string
		form             url.Values
		status           int
		location         string
		part             string
	}{
		{"redirect", http.MethodGet, to, nil, 303, to, ""},
		{"redirect within our origin after POST", http.MethodPost, base + "/saml/acs/x", nil, 303, base + "/saml/acs/x", ""},
		{"away after POST", http.MethodPost, to, nil, 200, "", `http-equiv="refresh"`},
		{"form", http.MethodGet, to, url.Values{"SAMLRequest": {"x"}}, 200, "", `name="SAMLRequest" value="x"`},
		{"form after POST", http.MethodPost, to, url.Values{"SAMLRequest": {"x"}}, 200, "", `name="SAMLRequest" value="x"`},
		{"script", http.MethodGet, "javascript:alert(1)", url.Values{"a": {"x"}}, 500, "", "internal"},
		{"script by redirect", http.MethodGet, "javascript://host/%0Aalert(1)", nil, 500, "", "internal"},
		{"a host that extends the policy", http.MethodGet, "https://a.test;script-src/", url.Values{"a": {"x"}}, 500, "", "internal"},
		{"any host", http.MethodGet, "https://*/", url.Values{"a": {"x"}}, 500, "", "internal"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w, _ := newWeb(t, base)
			resp := do(t, w, httptest.NewRequest(tt.method, "/x", nil), func(rw http.ResponseWriter, r *http.Request) error {
				return w.Send(rw, r, tt.to, tt.form)
			})
			if resp.StatusCode != tt.status || resp.Header.Get("Location") != tt.location {
				t.Errorf("got %d to %q, want %d to %q", resp.StatusCode, resp.Header.Get("Location"), tt.status, tt.location)
			}
			if got := body(t, resp); !strings.Contains(got, tt.part) {
				t.Errorf("got\n%s\nwant it to hold %q", got, tt.part)
			}
		})
	}
}

func TestCookies(t *testing.T) {
	t.Parallel()
	tests := []struct{ base, set, clear string }{
		{base, "__Host-sid=v; Path=/; Max-Age=3600; HttpOnly; Secure; SameSite=Lax", "__Host-sid=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax"},
		{"http://127.0.0.1", "sid=v; Path=/; Max-Age=3600; HttpOnly; SameSite=Lax", "sid=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"},
	}
	for _, tt := range tests {
		w, _ := newWeb(t, tt.base)
		rec := httptest.NewRecorder()
		w.SetCookie(rec, "sid", "v", time.Hour)
		w.ClearCookie(rec, "sid")
		if diff := cmp.Diff([]string{tt.set, tt.clear}, rec.Header().Values("Set-Cookie")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.base, diff)
		}
	}
}

// TestAttackSessionFixation: a sibling host plants a cookie of our name, without
// the prefix or beside ours.
func TestAttackSessionFixation(t *testing.T) {
	t.Parallel()
	w, _ := newWeb(t, base)
	tests := []struct {
		name, header, want string
		ok                 bool
	}{
		{"ours", "__Host-sid=v; other=x", "v", true},
		{"without prefix", "sid=planted", "", false},
		{"two of a name", "__Host-sid=planted; __Host-sid=v", "", false},
		{"empty", "__Host-sid=", "", false},
		{"none", "", "", false},
	}
	for _, tt := range tests {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Cookie", tt.header)
		if got, ok := w.Cookie(r, "sid"); got != tt.want || ok != tt.ok {
			t.Errorf("%s: got %q, %v; want %q, %v", tt.name, got, ok, tt.want, tt.ok)
		}
	}
}

// TestAttackOpenRedirect: return URLs that browsers read as another origin or as
// script (threat: RelayState XSS / redirect).
func TestAttackOpenRedirect(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		"", "x", "//evil.test", "///evil.test", "/\\evil.test", "\\\\evil.test", "/\t/evil.test", "/\n/evil.test", " /x", "/x y",
		"https://evil.test/", "javascript:alert(1)", "data:text/html,x", "/.//evil.test", "/..//evil.test", "/%2e//evil.test", "/a/../b",
		"/\x00", "/é", "/%zz", "?x", "#x", "/" + strings.Repeat("a", 2048),
	} {
		if got, ok := web.LocalPath(s); ok {
			t.Errorf("LocalPath(%q): got %q, want it refused", s, got)
		}
	}
	for _, s := range []string{"/", "/login?t=abc", "/test", "/a/b?c=%2F%2Fevil.test#d", "/a//b", "/a.b/..c"} {
		if got, ok := web.LocalPath(s); !ok || got != s {
			t.Errorf("LocalPath(%q): got %q, %v; want it as it is", s, got, ok)
		}
	}
}

// FuzzLocalPath holds that whatever is accepted stays on our origin when it is
// resolved as a browser does.
func FuzzLocalPath(f *testing.F) {
	for _, s := range []string{"/", "//evil.test", "/\\evil.test", "/.//evil.test", "/a?b#c", "javascript:x", "/%2e%2e//x"} {
		f.Add(s)
	}
	origin, err := url.Parse(base + "/deep/path")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := web.LocalPath(s)
		if !ok {
			return
		}
		to, err := origin.Parse(got)
		if err != nil {
			t.Fatalf("%q was accepted and does not parse: %v", s, err)
		}
		if got != s || to.Scheme != "https" || to.Host != "login.example.test" || to.User != nil || strings.HasPrefix(to.Path, "//") {
			t.Errorf("%q was accepted and leads to %s", s, to)
		}
		if strings.ContainsAny(s, "\\\r\n\t\x00 ") {
			t.Errorf("%q was accepted with a character that browsers strip or fold", s)
		}
	})
}

// TestCookieFamily holds that cookies of one family stand beside each other, are
// found together, and are cleared together; others are left alone.
func TestCookieFamily(t *testing.T) {
	t.Parallel()
	w, _ := newWeb(t, base)
	r := httptest.NewRequest(http.MethodGet, base, nil)
	for _, c := range []string{"__Host-tab_a=1", "__Host-tab_b=2", "__Host-other=3", "tab_c=4", "__Host-tab_d="} {
		r.Header.Add("Cookie", c)
	}
	if diff := cmp.Diff([]string{"1", "2"}, w.CookieFamily(r, "tab_")); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
	rec := httptest.NewRecorder()
	w.ClearCookieFamily(rec, r, "tab_")
	var cleared []string
	for _, c := range rec.Result().Cookies() {
		if c.MaxAge < 0 {
			cleared = append(cleared, c.Name)
		}
	}
	if diff := cmp.Diff([]string{"__Host-tab_a", "__Host-tab_b", "__Host-tab_d"}, cleared); diff != "" {
		t.Errorf("cleared (-want +got):\n%s", diff)
	}
}
