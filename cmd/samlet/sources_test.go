package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// feed serves the metadata of two peers, or whatever a test lets it do.
type feed struct {
	*httptest.Server
	instead atomic.Pointer[http.HandlerFunc]
}

func newFeed(t *testing.T) *feed {
	t.Helper()
	idp, sp := readAll(t, "../../metadata/testdata/simplesamlphp-idp.xml"), readAll(t, "../../metadata/testdata/mellon-sp.xml")
	f := &feed{}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch instead := f.instead.Load(); {
		case instead != nil:
			(*instead)(w, r)
		case r.URL.Path == "/idp":
			writeText(w, http.StatusOK, idp)
		default:
			writeText(w, http.StatusOK, sp)
		}
	}))
	t.Cleanup(f.Close)
	return f
}

func (f *feed) fail(how http.HandlerFunc) { f.instead.Store(&how) }

func (f *feed) mend() { f.instead.Store(nil) }

func unavailable(w http.ResponseWriter, _ *http.Request) {
	writeText(w, http.StatusServiceUnavailable, "later\n")
}

// install makes a samlet whose two peers are known by their URLs alone, and
// returns the path of its configuration. One more peer is known by its file.
func (f *feed) install(t *testing.T) string {
	t.Helper()
	path, err := initialise(t.Context(), filepath.Join(t.TempDir(), "samlet"), "http://127.0.0.1:8080")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(filepath.Dir(path), "metadata", "file.xml")
	if err := os.WriteFile(file, []byte(readAll(t, "../../metadata/testdata/pysaml2-sp.xml")), 0o600); err != nil {
		t.Fatal(err)
	}
	const local = "  - {id: local, type: local, name: Password}\n"
	config := strings.NewReplacer(
		local, local+"  - {id: fed, type: saml, metadata: {url: \""+f.URL+"/idp\"}}\n",
		"service_providers: []", "service_providers:\n  - {id: wiki, metadata: {url: \""+f.URL+"/sp\"}}\n  - {id: file, metadata: {file: metadata/file.xml}}",
	).Replace(readAll(t, path))
	if err := replaceFile(path, []byte(config)); err != nil {
		t.Fatal(err)
	}
	return path
}

// known are the peers of a snapshot, and whether some are left out.
type known struct {
	Connections, Parties []string
	Incomplete           bool
}

func knownIn(s *snapshot) known {
	k := known{Incomplete: s.Incomplete}
	for _, c := range s.Connections {
		k.Connections = append(k.Connections, string(c.ID))
	}
	for _, p := range s.Parties {
		k.Parties = append(k.Parties, string(p.ID))
	}
	return k
}

// TestFailedRefresh holds that whatever a metadata URL answers in place of
// metadata, the copy of the last fetch goes on until its validUntil, and that a
// warning says so.
func TestFailedRefresh(t *testing.T) {
	t.Parallel()
	whole := known{[]string{"local", "fed"}, []string{"wiki", "file"}, false}
	for name, how := range map[string]http.HandlerFunc{
		"unavailable":    unavailable,
		"a web page":     func(w http.ResponseWriter, _ *http.Request) { writeText(w, http.StatusOK, "<html>maintenance</html>") },
		"cut off":        func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"half a file":    func(w http.ResponseWriter, _ *http.Request) { writeText(w, http.StatusOK, "<md:EntityDescriptor") },
		"redirect loops": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path, http.StatusFound) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFeed(t)
			path := f.install(t)
			load := func() *snapshot {
				snap, err := refreshSnapshot(t.Context(), path)
				if err != nil {
					t.Fatal(err)
				}
				return snap
			}
			snap := load()
			if diff := cmp.Diff(whole, knownIn(snap)); diff != "" || len(snap.Warnings) != 0 {
				t.Fatalf("before the failure (-want +got):\n%s%q", diff, snap.Warnings)
			}
			f.fail(how)
			snap = load()
			if diff := cmp.Diff(whole, knownIn(snap)); diff != "" {
				t.Errorf("after the failure (-want +got):\n%s", diff)
			}
			if got := joinLines(snap.Warnings); len(snap.Warnings) != 2 || strings.Count(got, "going on with the copy of the last fetch") != 2 {
				t.Errorf("warnings after the failure: %s", got)
			}
			over := time.Now().UTC().Add(-time.Hour).Format(time.RFC3339)
			fed := filepath.Join(filepath.Dir(path), "data", "metadata", "connection-fed.xml")
			expired := strings.Replace(readAll(t, fed), " entityID=", ` validUntil="`+over+`" entityID=`, 1)
			if err := replaceFile(fed, []byte(expired)); err != nil {
				t.Fatal(err)
			}
			snap = load()
			if diff := cmp.Diff(known{[]string{"local"}, []string{"wiki", "file"}, true}, knownIn(snap)); diff != "" {
				t.Errorf("after the copy's validUntil (-want +got):\n%s", diff)
			}
			if got := joinLines(snap.Warnings); !strings.Contains(got, "connections[1].metadata: "+f.URL+"/idp could not be fetched") {
				t.Errorf("warnings after the copy's validUntil: %s", got)
			}
			f.mend()
			if diff := cmp.Diff(whole, knownIn(load())); diff != "" {
				t.Errorf("after the recovery (-want +got):\n%s", diff)
			}
		})
	}
}

// openAt opens the server of the configuration at path.
func openAt(t *testing.T, path string, log io.Writer) *server {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s, err := openServer(t.Context(), serverConfig{Path: path, Listener: ln, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(context.Background()); err != nil {
			t.Errorf("closing the server: %v", err)
		}
	})
	return s
}

func (s *server) current() *snapshot {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.house.snapshot
}

// TestUnreachablePeerIsLeftOut starts samlet while the URLs of two peers do not
// answer: all else works, and they join once they do.
func TestUnreachablePeerIsLeftOut(t *testing.T) {
	t.Parallel()
	f := newFeed(t)
	f.fail(unavailable)
	var log logBuffer
	s := openAt(t, f.install(t), &log)
	if diff := cmp.Diff(known{[]string{"local"}, []string{"file"}, true}, knownIn(s.current())); diff != "" {
		t.Errorf("at the start (-want +got):\n%s", diff)
	}
	for _, at := range []string{"connections[1].metadata", "service_providers[0].metadata"} {
		if !strings.Contains(log.String(), at+": "+f.URL) {
			t.Errorf("no warning of %s:\n%s", at, log.String())
		}
	}
	s.retryEvery = 10 * time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	watched := make(chan error, 1)
	go func() { watched <- s.watch(ctx, nil) }()
	defer func() {
		cancel()
		if err := <-watched; err != nil {
			t.Error(err)
		}
	}()
	f.mend()
	await(t, "the peers have joined", func() (bool, string) {
		got := knownIn(s.current())
		return !got.Incomplete && slices.Contains(got.Connections, "fed") && slices.Contains(got.Parties, "wiki"), log.String()
	})
}

// TestFailedRefreshIsToldByARunningServer: what changes nothing is logged, too.
func TestFailedRefreshIsToldByARunningServer(t *testing.T) {
	t.Parallel()
	f := newFeed(t)
	var log logBuffer
	s := openAt(t, f.install(t), &log)
	before := s.current()
	f.fail(unavailable)
	for round := 1; round <= 2; round++ {
		if err := s.adopt(t.Context(), s.refresh(t.Context())); err != nil {
			t.Fatal(err)
		}
		if got := strings.Count(log.String(), "going on with the copy"); got != 2*round {
			t.Errorf("%d warnings after %d failed refreshes of two peers:\n%s", got, round, log.String())
		}
	}
	if s.current() != before {
		t.Error("a failed refresh replaced what is in force")
	}
}

// TestMutePeerHoldsUpNothing has a peer whose URL takes connections and never
// answers: a start waits for a moment alone, and a reload not at all.
func TestMutePeerHoldsUpNothing(t *testing.T) {
	t.Parallel()
	f := newFeed(t)
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	f.fail(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	path := f.install(t)
	var log logBuffer
	s := openAt(t, path, &log)
	if diff := cmp.Diff(known{[]string{"local"}, []string{"file"}, true}, knownIn(s.current())); diff != "" {
		t.Errorf("at the start (-want +got):\n%s", diff)
	}
	ctx, cancel := context.WithCancel(t.Context())
	watched := make(chan error, 1)
	hup := make(chan os.Signal)
	go func() { watched <- s.watch(ctx, hup) }()
	defer func() {
		cancel()
		if err := <-watched; err != nil {
			t.Error(err)
		}
	}()
	renamed := strings.Replace(readAll(t, path), "display_name: samlet", "display_name: Renamed", 1)
	if err := replaceFile(path, []byte(renamed)); err != nil {
		t.Fatal(err)
	}
	hup <- os.Interrupt // the fetch is under way, and so is a second one soon
	await(t, "the new name is in force", func() (bool, string) {
		return s.current().Config.IDP.DisplayName == "Renamed", log.String()
	})
	if !s.current().Incomplete {
		t.Error("the mute peer answered")
	}
}
