package web_test

import (
	"crypto/rand"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/signal"
	"regexp"
	"strings"
	"testing"

	"github.com/samlet-id/samlet/internal/peer"
	"github.com/samlet-id/samlet/internal/web"
	"github.com/samlet-id/samlet/templates"
	"github.com/samlet-id/samlet/templates/storybook"
)

var serve = flag.String("storybook", "", "address on which TestStorybook serves every sample page until interrupted")

// storybookHandler serves every sample at /NAME through the real headers, and a
// list of them at /.
func storybookHandler(t testing.TB) http.Handler {
	t.Helper()
	set, err := templates.New(templates.Config{Languages: []string{"en", "ar"}})
	if err != nil {
		t.Fatal(err)
	}
	w, err := web.New(web.Config{
		Pages: set, Log: slog.New(slog.DiscardHandler), Rand: rand.Reader,
		BaseURL: "http://127.0.0.1", Development: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	var links []templates.Link
	for _, s := range storybook.Samples() {
		links = append(links, templates.Link{Label: s.Name, URL: "/" + s.Name})
		mux.Handle("GET /"+s.Name, hold(w.Handle(func(rw http.ResponseWriter, r *http.Request) error {
			return w.Render(rw, r, http.StatusOK, s.Page, web.RenderOptions{Lang: s.Lang, FrameSrc: framed(s.Page), Framed: s.Name == "heard"})
		})))
	}
	mux.HandleFunc("GET /signingout/status", func(rw http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(rw, `{"over":false,"states":["pending","done","failed","unsupported"]}`)
	})
	mux.Handle("GET /{$}", w.Handle(func(rw http.ResponseWriter, r *http.Request) error {
		return w.Render(rw, r, http.StatusOK, templates.Home{Links: links}, web.RenderOptions{})
	}))
	mux.Handle("GET /send", w.Handle(func(rw http.ResponseWriter, r *http.Request) error {
		return w.Send(rw, r, "http://"+r.Host+"/receive", url.Values{"SAMLResponse": {"x"}})
	}))
	mux.Handle("GET /lead", w.Handle(func(rw http.ResponseWriter, r *http.Request) error {
		return w.Render(rw, r, http.StatusOK, templates.Forward{URL: "http://" + r.Host + "/receive"}, web.RenderOptions{})
	}))
	// A logout that is over as soon as its script asks, one that goes on, and one
	// that ends by itself.
	mux.HandleFunc("GET /leave/status", func(rw http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(rw, `{"over":%t,"states":["done"]}`, r.URL.Query().Has("over"))
	})
	for path, at := range map[string]struct {
		status  string
		refresh int // seconds
	}{"/leave": {"/leave/status?over", 600}, "/leave/never": {"/leave/status", 72001}, "/leave/slowly": {"/leave/status", 1}} {
		mux.Handle("GET "+path, w.Handle(func(rw http.ResponseWriter, r *http.Request) error {
			page := templates.SigningOut{
				Applications: []templates.LogoutRow{{Name: "Acme App"}}, Refresh: at.refresh, Here: "/receive", Skip: "/receive", Status: at.status,
				Frames: []templates.LogoutFrame{{URL: "/heard", Name: "Acme App"}},
			}
			return w.Render(rw, r, http.StatusOK, page, web.RenderOptions{FrameSrc: []string{"'self'"}})
		}))
	}
	mux.Handle("/receive", w.Handle(func(rw http.ResponseWriter, r *http.Request) error {
		return w.Render(rw, r, http.StatusOK, templates.SignedOut{}, web.RenderOptions{})
	}))
	return w.Middleware(mux, nil)
}

// framed is what the frames of a page may show.
func framed(page templates.Page) []string {
	if _, ok := page.(templates.SigningOut); ok {
		return []string{"'self'"}
	}
	return nil
}

// leading is what makes AutoPost and Forward leave at once.
var leading = regexp.MustCompile(`<script nonce[^>]*>[^<]*</script>|<meta http-equiv="refresh"[^>]*>`)

// hold keeps a page from leaving, so that it can be looked at.
func hold(h http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r)
		maps.Copy(rw.Header(), rec.Header())
		rw.Header().Del("Content-Length")
		rw.WriteHeader(rec.Code)
		_, _ = rw.Write(leading.ReplaceAll(rec.Body.Bytes(), nil)) // a browser that has gone looks at nothing
	})
}

// TestAccessibility scans the pages with axe-core in Chromium, in light and dark,
// wide and narrow: WCAG 2.2 AA, nothing outside of the policy, no sideways
// scrolling at 320 px, which is 400 % zoom at 1280.
func TestAccessibility(t *testing.T) {
	if testing.Short() {
		t.Skip("a minute of Chromium")
	}
	t.Parallel()
	server := httptest.NewServer(storybookHandler(t))
	defer server.Close()
	var usual, worst []peer.PageState
	for _, s := range storybook.Samples() {
		state := peer.PageState{Name: s.Name, URL: server.URL + "/" + s.Name}
		switch {
		case s.Lang != "":
			worst = append(worst, state)
		case !strings.Contains(s.Name, "-") || strings.HasSuffix(s.Name, "-problem"):
			usual = append(usual, state)
		}
	}
	dir := t.TempDir()
	found := peer.Axe(t, dir, usual, peer.Look{Width: 1280}, peer.Look{Width: 320, Dark: true})
	found = append(found, peer.Axe(t, dir, worst, peer.Look{Width: 320})...)
	for _, f := range found {
		t.Errorf("%s", f)
	}
}

// TestPagesLead follows AutoPost, Forward and SigningOut in Chromium, under their own
// policies, with scripts and without.
func TestPagesLead(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(storybookHandler(t))
	defer server.Close()
	arrived := peer.Step{Wait: "text=You are signed out"}
	found := peer.Axe(t, t.TempDir(), []peer.PageState{
		{Name: "send", URL: server.URL + "/send", Steps: []peer.Step{arrived}},
		{Name: "lead", URL: server.URL + "/lead", Steps: []peer.Step{arrived}},
		{Name: "stay", URL: server.URL + "/leave/never", Steps: []peer.Step{{Wait: "text=answered: 1/1"}}},
		{Name: "leave", URL: server.URL + "/leave", Steps: []peer.Step{arrived}},
	}, peer.Look{Width: 1280})
	found = append(found, peer.Axe(t, t.TempDir(), []peer.PageState{
		{Name: "send", URL: server.URL + "/send", Steps: []peer.Step{{Click: "button"}, arrived}},
		{Name: "leave", URL: server.URL + "/leave/slowly", Steps: []peer.Step{arrived}},
	}, peer.Look{Width: 1280, NoJS: true})...)
	for _, f := range found {
		t.Errorf("%s", f)
	}
}

// TestStorybook fetches every sample page; with -storybook ADDRESS it serves them
// for looking at instead.
func TestStorybook(t *testing.T) {
	handler := storybookHandler(t)
	if *serve != "" {
		l, err := net.Listen("tcp", *serve)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Printf("storybook at http://%s/\n", l.Addr())
		server := http.Server{Handler: handler} //nolint:gosec // a test server on loopback
		go server.Serve(l)                      //nolint:errcheck // ends with the process
		stop := make(chan os.Signal, 1)
		signal.Notify(stop, os.Interrupt)
		<-stop
		return
	}
	for _, s := range storybook.Samples() {
		t.Run(s.Name, func(t *testing.T) {
			got := httptest.NewRecorder()
			handler.ServeHTTP(got, httptest.NewRequest(http.MethodGet, "/"+s.Name, nil))
			if got.Code != http.StatusOK {
				t.Errorf("GET /%s: got %d, want 200:\n%s", s.Name, got.Code, got.Body)
			}
		})
	}
}
