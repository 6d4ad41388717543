package web_test

import (
	"crypto/rand"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/signal"
	"testing"

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
		mux.Handle("GET /"+s.Name, w.Handle(func(rw http.ResponseWriter, r *http.Request) error {
			return w.Render(rw, r, http.StatusOK, s.Page, web.RenderOptions{Lang: s.Lang, FormAction: []string{"'self'"}})
		}))
	}
	mux.Handle("GET /{$}", w.Handle(func(rw http.ResponseWriter, r *http.Request) error {
		return w.Render(rw, r, http.StatusOK, templates.Home{Links: links}, web.RenderOptions{})
	}))
	return w.Middleware(mux, nil)
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
