package peer_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/samlet-id/samlet/internal/peer"
)

func TestAxeFindsWhatIsWrong(t *testing.T) {
	const good = `<!doctype html><html lang="en"><title>Good</title><meta name="viewport" content="width=device-width">
<main><h1>Hello</h1><form action="/next"><label>Name <input name="n"></label><button>Go on</button></form></main>`
	mux := http.NewServeMux()
	for path, page := range map[string]string{
		"/good": good,
		"/next": `<!doctype html><html lang="en"><title>Next</title><main><h1>Welcome</h1><img src="data:,"><pre>` + strings.Repeat("wide", 200) + `</pre></main>`,
	} {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			w.Header().Set("Content-Security-Policy", "default-src 'none'; img-src data:; form-action 'self'")
			_, _ = w.Write([]byte(page))
		})
	}
	server := httptest.NewServer(mux)
	defer server.Close()
	dir := t.TempDir()
	found := peer.Axe(t, dir, []peer.PageState{
		{Name: "good", URL: server.URL + "/good"},
		{Name: "next", URL: server.URL + "/good", Steps: []peer.Step{{Fill: "input", Value: "Ada"}, {Click: "button"}, {Wait: "img"}}},
	}, peer.Look{Width: 320, Dark: true}, peer.Look{Width: 320, NoJS: true})

	got := map[string]bool{}
	for _, f := range found {
		got[f.Page+" "+f.Rule] = true
	}
	want := map[string]bool{
		"next-320-dark image-alt":        true,
		"next-320-dark scrolls-sideways": true, "next-320-light-nojs scrolls-sideways": true,
	}
	for k := range want {
		if !got[k] {
			t.Errorf("missed %q; found %v", k, found)
		}
	}
	for k := range got {
		if !want[k] {
			t.Errorf("found %q, which is not wrong: %v", k, found)
		}
	}
	for _, name := range []string{"good-320-dark", "good-320-light-nojs", "next-320-dark", "next-320-light-nojs"} {
		if _, err := os.Stat(filepath.Join(dir, name+".png")); err != nil {
			t.Errorf("no screenshot: %v", err)
		}
	}
}
