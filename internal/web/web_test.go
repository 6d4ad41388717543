package web_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/web"
	"github.com/samlet-id/samlet/templates"
)

const base = "https://login.example.test"

// newWeb returns a Web for baseURL, and its log as JSON lines.
func newWeb(t testing.TB, baseURL string) (*web.Web, *bytes.Buffer) {
	t.Helper()
	set, err := templates.New(templates.Config{})
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	w, err := web.New(web.Config{
		Pages: set, Log: slog.New(slog.NewJSONHandler(&log, nil)), Rand: rand.Reader,
		BaseURL: baseURL, Support: "mailto:help@example.test", MaxBody: 1000,
	})
	if err != nil {
		t.Fatal(err)
	}
	return w, &log
}

// do sends a request through Middleware to a mux with the one route GET+POST /x.
func do(t testing.TB, w *web.Web, r *http.Request, fn func(http.ResponseWriter, *http.Request) error) *http.Response {
	t.Helper()
	mux := http.NewServeMux()
	mux.Handle("GET /x", w.Handle(fn))
	mux.Handle("POST /x", w.Handle(fn))
	rec := httptest.NewRecorder()
	w.Middleware(mux, nil).ServeHTTP(rec, r)
	return rec.Result()
}

func body(t testing.TB, resp *http.Response) string {
	t.Helper()
	var b bytes.Buffer
	if _, err := b.ReadFrom(resp.Body); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func logLines(t testing.TB, log *bytes.Buffer) []map[string]any {
	t.Helper()
	var lines []map[string]any
	for d := json.NewDecoder(log); d.More(); {
		var line map[string]any
		if err := d.Decode(&line); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, line)
	}
	return lines
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	set, err := templates.New(templates.Config{})
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	tests := map[string]web.Config{
		"no pages":     {Log: log, Rand: rand.Reader, BaseURL: base},
		"no log":       {Pages: set, Rand: rand.Reader, BaseURL: base},
		"no rand":      {Pages: set, Log: log, BaseURL: base},
		"no scheme":    {Pages: set, Log: log, Rand: rand.Reader, BaseURL: "login.example.test"},
		"other scheme": {Pages: set, Log: log, Rand: rand.Reader, BaseURL: "ftp://login.example.test"},
		"no URL":       {Pages: set, Log: log, Rand: rand.Reader, BaseURL: "https://%"},
	}
	for name, cfg := range tests {
		if w, err := web.New(cfg); err == nil {
			t.Errorf("%s: got %v, want an error", name, w)
		}
	}
}

// TestErrorsBecomePages holds, for every kind, that page, status and log line
// agree, that the line is written once, and that the cause stays in it.
func TestErrorsBecomePages(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		err    error
		status int
		level  string
		code   string
	}{
		{"invalid", &identity.Error{Kind: identity.KindInvalid, Code: "sp.acs_mismatch", Msg: "M."}, 400, "INFO", "sp.acs_mismatch"},
		{"expired", &identity.Error{Kind: identity.KindExpired, Code: "up.clock", Msg: "M."}, 400, "INFO", "up.clock"},
		{"replayed", &identity.Error{Kind: identity.KindReplayed, Code: "up.replay", Msg: "M."}, 400, "INFO", "up.replay"},
		{"denied", &identity.Error{Kind: identity.KindDenied, Code: "user.not_allowed", Msg: "M."}, 403, "INFO", "user.not_allowed"},
		{"not found", &identity.Error{Kind: identity.KindNotFound, Code: "sp.unknown", Msg: "M."}, 404, "INFO", "sp.unknown"},
		{"exists", &identity.Error{Kind: identity.KindExists, Code: "link.exists", Msg: "M."}, 409, "INFO", "link.exists"},
		{"needs interaction", &identity.Error{Kind: identity.KindNeedsInteraction, Code: "sp.passive", Msg: "M."}, 403, "INFO", "sp.passive"},
		{"context unmet", &identity.Error{Kind: identity.KindContextUnmet, Code: "sp.authn_context", Msg: "M."}, 403, "INFO", "sp.authn_context"},
		{"unavailable", &identity.Error{Kind: identity.KindUnavailable, Code: "store.busy", Msg: "M."}, 503, "ERROR", "store.busy"},
		{"too many tries", &identity.Error{Kind: identity.KindDenied, Code: "rate.limited", Msg: "M."}, 429, "INFO", "rate.limited"},
		{"wrapped", fmt.Errorf("doing x: %w", &identity.Error{Kind: identity.KindDenied, Code: "a.b", Msg: "M."}), 403, "INFO", "a.b"},
		{"unknown", errors.New("secret cause"), 500, "ERROR", "internal"},
		{"body too large", fmt.Errorf("reading: %w", &http.MaxBytesError{Limit: 7}), 413, "INFO", "web.too_large"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w, log := newWeb(t, base)
			resp := do(t, w, httptest.NewRequest(http.MethodGet, "/x?t=ticket", nil), func(http.ResponseWriter, *http.Request) error { return tt.err })
			if resp.StatusCode != tt.status {
				t.Errorf("status: got %d, want %d", resp.StatusCode, tt.status)
			}
			id := resp.Header.Get("X-Request-Id")
			page := body(t, resp)
			for _, want := range []string{">" + tt.code + "</code>", ">" + id + "</code>", "mailto:help@example.test"} {
				if !strings.Contains(page, want) {
					t.Errorf("the page does not show %q", want)
				}
			}
			if strings.Contains(page, "secret cause") {
				t.Error("the page shows the cause")
			}
			lines := logLines(t, log)
			if len(lines) != 1 {
				t.Fatalf("got %d log lines, want 1", len(lines))
			}
			got := map[string]any{}
			for _, k := range []string{"level", "code", "status", "request_id", "path"} {
				got[k] = lines[0][k]
			}
			want := map[string]any{"level": tt.level, "code": tt.code, "status": float64(tt.status), "request_id": id, "path": "/x"}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("log line (-want +got):\n%s", diff)
			}
		})
	}
}

func TestProblemDocument(t *testing.T) {
	t.Parallel()
	refuse := func(http.ResponseWriter, *http.Request) error {
		return &identity.Error{Kind: identity.KindInvalid, Code: "up.audience", Msg: "M.", Seen: "a", Expected: "b", Who: identity.WhoPartner, Err: errors.New("secret cause")}
	}
	tests := []struct{ accept, want string }{
		{"application/json", "application/problem+json"},
		{"application/problem+json, */*", "application/problem+json"},
		{"text/html,application/xhtml+xml,*/*;q=0.8", "text/html; charset=utf-8"},
		{"text/html, application/json", "text/html; charset=utf-8"},
		{"*/*", "text/html; charset=utf-8"},
		{"", "text/html; charset=utf-8"},
	}
	for _, tt := range tests {
		w, _ := newWeb(t, base)
		r := httptest.NewRequest(http.MethodGet, "/x", nil)
		r.Header.Set("Accept", tt.accept)
		resp := do(t, w, r, refuse)
		if got := resp.Header.Get("Content-Type"); got != tt.want {
			t.Errorf("Accept %q: got %s, want %s", tt.accept, got, tt.want)
		}
		if tt.want != "application/problem+json" {
			continue
		}
		var got map[string]any
		if err := json.NewDecoder(resp.Body).Decode(&got); err != nil {
			t.Fatal(err)
		}
		want := map[string]any{
			"type": "about:blank", "title": "Bad Request", "status": 400.0, "detail": "M.", "code": "up.audience",
			"request_id": resp.Header.Get("X-Request-Id"), "who": "identity provider", "seen": "a", "expected": "b",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("problem (-want +got):\n%s", diff)
		}
	}
}

// TestRequestID holds that IDs are ours alone, long enough, and in the context.
func TestRequestID(t *testing.T) {
	t.Parallel()
	w, _ := newWeb(t, base)
	seen := map[string]bool{}
	for range 100 {
		r := httptest.NewRequest(http.MethodGet, "/x", nil)
		r.Header.Set("X-Request-Id", "forged\" level=ERROR")
		var inside string
		resp := do(t, w, r, func(_ http.ResponseWriter, r *http.Request) error {
			inside = web.RequestID(r.Context())
			return nil
		})
		id := resp.Header.Get("X-Request-Id")
		if !regexp.MustCompile(`^[a-z2-7]{16,}$`).MatchString(id) || inside != id || seen[id] {
			t.Fatalf("got ID %q in the answer and %q in the context, want one fresh ID", id, inside)
		}
		seen[id] = true
	}
	if got := web.RequestID(context.Background()); got != "" {
		t.Errorf("outside of a request: got %q, want none", got)
	}
}

// TestPanicsReachNobody holds that a panic becomes a page and a log line, and
// that http.ErrAbortHandler and a half-written answer end the connection.
func TestPanicsReachNobody(t *testing.T) {
	t.Parallel()
	w, log := newWeb(t, base)
	resp := do(t, w, httptest.NewRequest(http.MethodGet, "/x", nil), func(http.ResponseWriter, *http.Request) error { panic("secret cause") })
	if resp.StatusCode != http.StatusInternalServerError || strings.Contains(body(t, resp), "secret cause") {
		t.Errorf("got %d, want 500 without the cause", resp.StatusCode)
	}
	lines := logLines(t, log)
	if len(lines) != 1 || lines[0]["err"] != "panic: secret cause" || !strings.Contains(fmt.Sprint(lines[0]["stack"]), "web_test.go") {
		t.Errorf("log: got %v, want one line with the cause and where", lines)
	}
	for name, fn := range map[string]func(http.ResponseWriter, *http.Request) error{
		"abort": func(http.ResponseWriter, *http.Request) error { panic(http.ErrAbortHandler) },
		"late":  func(rw http.ResponseWriter, _ *http.Request) error { rw.WriteHeader(200); panic("late") },
	} {
		func() {
			defer func() {
				if got := recover(); got != http.ErrAbortHandler { //nolint:errorlint // the very value that was panicked with
					t.Errorf("%s: got panic %v, want http.ErrAbortHandler", name, got)
				}
			}()
			do(t, w, httptest.NewRequest(http.MethodGet, "/x", nil), fn)
		}()
	}
}

// TestUnrouted holds our look where no route matches, and that HEAD runs nothing.
func TestUnrouted(t *testing.T) {
	t.Parallel()
	tests := []struct {
		method, path string
		status       int
		code, allow  string
	}{
		{http.MethodGet, "/nothing", 404, "web.not_found", ""},
		{http.MethodDelete, "/x", 405, "web.method", "GET, HEAD, POST"},
		{http.MethodHead, "/x", 200, "", ""},
	}
	for _, tt := range tests {
		w, _ := newWeb(t, base)
		ran := false
		resp := do(t, w, httptest.NewRequest(tt.method, tt.path, nil), func(http.ResponseWriter, *http.Request) error {
			ran = true
			return nil
		})
		page := body(t, resp)
		if resp.StatusCode != tt.status || resp.Header.Get("Allow") != tt.allow || ran {
			t.Errorf("%s %s: got %d, Allow %q, ran %v; want %d, %q, not run", tt.method, tt.path, resp.StatusCode, resp.Header.Get("Allow"), ran, tt.status, tt.allow)
		}
		if !strings.Contains(page, tt.code) || (tt.code != "" && !strings.Contains(page, "<h1>")) {
			t.Errorf("%s %s: got no page with code %q", tt.method, tt.path, tt.code)
		}
	}
}

func TestBodyLimit(t *testing.T) {
	t.Parallel()
	w, _ := newWeb(t, base)
	for size, want := range map[int]int{998: 200, 1100: 413} {
		r := httptest.NewRequest(http.MethodPost, "/x", strings.NewReader("a="+strings.Repeat("x", size)))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		resp := do(t, w, r, func(_ http.ResponseWriter, r *http.Request) error { return r.ParseForm() })
		if resp.StatusCode != want {
			t.Errorf("%d bytes: got %d, want %d", size, resp.StatusCode, want)
		}
	}
}
