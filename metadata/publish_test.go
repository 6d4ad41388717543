package metadata_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/samlet-id/samlet/metadata"
)

func TestHandler(t *testing.T) {
	t.Parallel()
	doc := metadata.NewDocument([]byte("<md/>"), time.Minute)
	h := metadata.Handler(func() metadata.Document { return doc })
	for _, tc := range []struct {
		name, method, ifNoneMatch string
		status                    int
		body                      string
	}{
		{"GET", http.MethodGet, "", 200, "<md/>"},
		{"HEAD", http.MethodHead, "", 200, ""},
		{"unchanged", http.MethodGet, doc.ETag, 304, ""},
		{"one of several, weak", http.MethodGet, `"x", W/` + doc.ETag, 304, ""},
		{"changed", http.MethodGet, `"x"`, 200, "<md/>"},
	} {
		r := httptest.NewRequest(tc.method, "/saml/metadata", nil)
		if tc.ifNoneMatch != "" {
			r.Header.Set("If-None-Match", tc.ifNoneMatch)
		}
		w := httptest.NewRecorder()
		w.Header().Set("Pragma", "no-cache") // as for pages
		h.ServeHTTP(w, r)
		if w.Code != tc.status || w.Body.String() != tc.body {
			t.Errorf("%s: got %d %q, want %d %q", tc.name, w.Code, w.Body, tc.status, tc.body)
		}
		if got := w.Header().Get("ETag"); got != doc.ETag {
			t.Errorf("%s: ETag: got %s, want %s", tc.name, got, doc.ETag)
		}
		if got, pragma := w.Header().Get("Cache-Control"), w.Header().Get("Pragma"); got != "public, max-age=60" || pragma != "" {
			t.Errorf("%s: Cache-Control: got %s, with Pragma %q", tc.name, got, pragma)
		}
		if got := w.Header().Get("Content-Type"); tc.status == 200 && got != "application/samlmetadata+xml" {
			t.Errorf("%s: Content-Type: got %s", tc.name, got)
		}
	}
	if other := metadata.NewDocument([]byte("<md2/>"), 0); other.ETag == doc.ETag || other.MaxAge != metadata.DefaultMaxAge {
		t.Errorf("another file: got %+v", other)
	}
}

func TestPublication(t *testing.T) {
	t.Parallel()
	at := now().Truncate(metadata.DefaultValidFor / 2)
	written := 0
	var fail error
	p, err := metadata.NewPublication(metadata.PublicationConfig{
		Now: func() time.Time { return at },
		Write: func() ([]byte, error) {
			written++
			return []byte(at.String()), fail
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		after time.Duration
		want  int // times written since the start
	}{{0, 1}, {metadata.DefaultValidFor/2 - time.Second, 1}, {time.Second, 2}, {time.Hour, 2}} {
		at = at.Add(step.after)
		if _, err := p.Document(); err != nil || written != step.want {
			t.Errorf("at %v: written %d times (%v), want %d", at, written, err, step.want)
		}
	}
	at, fail = at.Add(metadata.DefaultValidFor), errors.New("no signature today")
	if _, err := p.Document(); !errors.Is(err, fail) {
		t.Errorf("got %v, want %v", err, fail)
	}
	if _, err := metadata.NewPublication(metadata.PublicationConfig{Now: now, Write: func() ([]byte, error) { return nil, fail }}); !errors.Is(err, fail) {
		t.Errorf("at the start: got %v, want %v", err, fail)
	}
	if _, err := metadata.NewPublication(metadata.PublicationConfig{}); err == nil {
		t.Error("without a configuration: got no error")
	}
}
