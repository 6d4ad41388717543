package peer_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/samlet-id/samlet/internal/peer"
)

// framed is another site's page that tells which cookies came to it, and sets
// one of each kind.
func framed(t *testing.T, header http.Header) string {
	t.Helper()
	s := listen(t, "127.0.0.62", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/favicon.ico" {
			http.NotFound(w, r)
			return
		}
		for name, values := range header {
			w.Header()[name] = values
		}
		for _, c := range []http.Cookie{
			{Name: "lax", SameSite: http.SameSiteLaxMode}, {Name: "none", SameSite: http.SameSiteNoneMode, Secure: true},
		} {
			c.Path, c.Value = "/", r.URL.Path[1:]
			http.SetCookie(w, &c)
		}
		fmt.Fprintf(w, "%s %s | %s", r.Header.Get("Sec-Fetch-Dest"), r.Header.Get("Sec-Fetch-Site"), r.Header.Get("Cookie"))
	}))
	return s.URL
}

func page(t *testing.T, policy, body string) string {
	t.Helper()
	s := listen(t, "127.0.0.61", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/away" {
			http.Redirect(w, r, r.URL.Query().Get("to"), http.StatusFound)
			return
		}
		w.Header().Set("Content-Type", "text/html")
		if policy != "" {
			w.Header().Set("Content-Security-Policy", policy)
		}
		fmt.Fprint(w, body)
	}))
	return s.URL
}

func TestBrowserWithholdsCookiesFromFrames(t *testing.T) {
	for _, tc := range []struct {
		name, cookies string // before the frame is loaded, and what it set after
		block         bool
		after         string
	}{
		{"third-party cookies go", "iframe cross-site | none=first", false, "document none | lax=first; none=framed"},
		{"third-party cookies are blocked", "iframe cross-site | ", true, "document none | lax=first; none=first"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			other := framed(t, nil)
			b := peer.NewBrowser(t)
			b.BlockThirdParty = tc.block
			b.Get(other + "/first")
			p := b.Get(page(t, "", `<iframe src="`+other+`/framed"></iframe>`))
			if len(p.Frames) != 1 || p.Frames[0].Err != nil {
				t.Fatalf("frames: got %+v, want one without error", p.Frames)
			}
			if got := string(p.Frames[0].Page.Body); got != tc.cookies {
				t.Errorf("in the frame: got %q, want %q", got, tc.cookies)
			}
			if got := string(b.Get(other + "/last").Body); got != tc.after {
				t.Errorf("afterwards: got %q, want %q", got, tc.after)
			}
		})
	}
}

func TestBrowserEnforcesFramePolicies(t *testing.T) {
	for _, tc := range []struct {
		name, policy string
		header       http.Header
		redirected   bool
		blocked      string // part of the error; "" when the frame is shown
	}{
		{"no policy", "", nil, false, ""},
		{"frame-src names the origin", "frame-src ORIGIN", nil, false, ""},
		{"frame-src does not", "default-src *; frame-src 'self'", nil, false, "frame-src"},
		{"default-src stands in", "default-src 'none'", nil, false, "frame-src"},
		{"frame-src counts on redirects", "frame-src 'self'", nil, true, "frame-src"},
		{"X-Frame-Options DENY", "", http.Header{"X-Frame-Options": {"DENY"}}, false, "X-Frame-Options"},
		{"X-Frame-Options SAMEORIGIN", "", http.Header{"X-Frame-Options": {"sameorigin"}}, false, "X-Frame-Options"},
		{"frame-ancestors none", "", http.Header{"Content-Security-Policy": {"frame-ancestors 'none'"}}, false, "frame-ancestors"},
		{"frame-ancestors beats X-Frame-Options", "", http.Header{
			"Content-Security-Policy": {"frame-ancestors http:"}, "X-Frame-Options": {"DENY"},
		}, false, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			src := framed(t, tc.header) + "/x"
			policy := strings.ReplaceAll(tc.policy, "ORIGIN", strings.TrimSuffix(src, "/x"))
			if tc.redirected {
				src = "/away?to=" + url.QueryEscape(src)
			}
			f := peer.NewBrowser(t).Get(page(t, policy, `<iframe src="`+src+`"></iframe>`)).Frames[0]
			switch {
			case tc.blocked == "" && (f.Err != nil || f.Page == nil):
				t.Errorf("got %+v, want a page", f)
			case tc.blocked != "" && (f.Err == nil || !strings.Contains(f.Err.Error(), tc.blocked)):
				t.Errorf("got %+v, want it blocked by %s", f, tc.blocked)
			}
		})
	}
}

// A SAML form within a frame goes its way without a click, and its cookies are
// those of a frame.
func TestBrowserSubmitsFormsInFrames(t *testing.T) {
	answer := listen(t, "127.0.0.61", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s %s | %s", r.Method, r.PostFormValue("SAMLResponse"), r.Header.Get("Origin"), r.Header.Get("Cookie"))
	}))
	sp := listen(t, "127.0.0.62", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, `<form method="post" action="%s"><input type="hidden" name="SAMLResponse" value="x"></form>`, answer.URL)
	}))
	p := peer.NewBrowser(t).Get(page(t, "", `<iframe src="`+sp.URL+`"></iframe>`))
	if want := "POST x " + sp.URL + " | "; p.Frames[0].Err != nil || string(p.Frames[0].Page.Body) != want {
		t.Errorf("got %+v, want %q", p.Frames[0], want)
	}
}

// A frame that never answers holds up neither the others nor the page that leads
// on.
func TestBrowserLeavesMuteFrames(t *testing.T) {
	release := make(chan struct{})
	mute := listen(t, "127.0.0.62", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(func() { close(release) })
	other, end := framed(t, nil), page(t, "", "the end")
	start := page(t, "", fmt.Sprintf(`<meta http-equiv="refresh" content="1; url=%s">
<iframe src="%s"></iframe><iframe src="%s"></iframe>`, end, mute.URL, other+"/x"))
	began := time.Now()
	if p := peer.NewBrowser(t).Get(start); p.URL.String() != end {
		t.Errorf("got %s, want %s", p.URL, end)
	}
	if took := time.Since(began); took < time.Second || took > 5*time.Second {
		t.Errorf("took %v, want the second that the page says", took)
	}
}
