package peer_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/samlet-id/samlet/internal/peer"
)

func listen(t *testing.T, host string, h http.Handler) *httptest.Server {
	t.Helper()
	l, err := net.Listen("tcp", host+":0")
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(h)
	s.Listener.Close()
	s.Listener = l
	s.Start()
	t.Cleanup(s.Close)
	return s
}

func TestBrowserObeysSameSite(t *testing.T) {
	echo := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/set" {
			for _, c := range []http.Cookie{
				{Name: "strict", SameSite: http.SameSiteStrictMode}, {Name: "lax", SameSite: http.SameSiteLaxMode},
				{Name: "none", SameSite: http.SameSiteNoneMode, Secure: true}, {Name: "insecure", SameSite: http.SameSiteNoneMode},
				{Name: "silent"},
			} {
				c.Path, c.Value = "/", "1"
				http.SetCookie(w, &c)
			}
			return
		}
		fmt.Fprintf(w, "%s %s | %s", r.Method, r.Header.Get("Sec-Fetch-Site"), r.Header.Get("Cookie"))
	})
	target := listen(t, "127.0.0.61", echo)
	forms := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, `<a href="%[1]s/echo">go</a><form method="post" action="%[1]s/echo"><input name="x"></form>
<form action="%[1]s/echo"><input name="y"></form>`, target.URL)
	})
	other, same := listen(t, "127.0.0.62", forms), listen(t, "127.0.0.61", forms)

	b := peer.NewBrowser(t)
	b.Get(target.URL + "/set")
	for _, tc := range []struct {
		name, want string
		do         func() *peer.Page
	}{
		{"typed", "GET none | strict=1; lax=1; none=1; silent=1", func() *peer.Page { return b.Get(target.URL + "/echo") }},
		{"link from another site", "GET cross-site | lax=1; none=1; silent=1", func() *peer.Page {
			b.Get(other.URL)
			return b.Click("go")
		}},
		{"POST from another site", "POST cross-site | none=1; silent=1", func() *peer.Page {
			b.Get(other.URL)
			return b.Submit(b.Page().Form("x"), peer.Fill{"x": "1"})
		}},
		{"POST from another port of the same host", "POST same-site | strict=1; lax=1; none=1; silent=1", func() *peer.Page {
			b.Get(same.URL)
			return b.Submit(b.Page().Form("x"), nil)
		}},
		{"GET form from another site", "GET cross-site | lax=1; none=1; silent=1", func() *peer.Page {
			b.Get(other.URL)
			return b.Submit(b.Page().Form("y"), nil)
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := string(tc.do().Body); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

// stopped is a testing.TB that notes a fatal failure instead of suffering it.
type stopped struct {
	testing.TB
	said string
}

func (s *stopped) Helper() {}
func (s *stopped) Fatalf(format string, args ...any) {
	s.said = fmt.Sprintf(format, args...)
	panic(s)
}

func TestBrowserEnforcesFormAction(t *testing.T) {
	acs := listen(t, "127.0.0.62", http.NotFoundHandler())
	var policy string
	idp := listen(t, "127.0.0.61", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			http.Redirect(w, r, acs.URL+"/acs", http.StatusSeeOther)
			return
		}
		w.Header().Set("Content-Security-Policy", policy)
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, `<form method="post"><input name="password"></form>`)
	}))
	for _, tc := range []struct {
		name, policy string
		blocked      bool
	}{
		{"no policy", "", false},
		{"default-src does not count", "default-src 'none'", false},
		{"the redirect leads elsewhere", "default-src 'none'; form-action 'self'", true},
		{"nothing is allowed", "form-action 'none'", true},
		{"the origin is allowed", "form-action 'self' " + acs.URL, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			policy = tc.policy
			tb := &stopped{TB: t}
			func() {
				defer func() {
					if r := recover(); r != nil && r != any(tb) {
						panic(r)
					}
				}()
				b := peer.NewBrowser(tb)
				b.Get(idp.URL)
				b.Submit(b.Page().Form("password"), peer.Fill{"password": "x"})
			}()
			if got := strings.Contains(tb.said, "form-action"); got != tc.blocked {
				t.Errorf("blocked: got %v (%q), want %v", got, tb.said, tc.blocked)
			}
		})
	}
}
