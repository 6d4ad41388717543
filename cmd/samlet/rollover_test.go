package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/samlet-id/samlet/certs"
	"github.com/samlet-id/samlet/internal/peer"
)

// TestUpstreamRollsItsKeyOver holds that a partner who replaces its key at once, with
// metadata that is not due for a day, costs one sign-in, which names both keys: the
// metadata is fetched anew, and the next one works. Whoever sends signatures by keys of
// their own does not have it fetched each time.
func TestUpstreamRollsItsKeyOver(t *testing.T) {
	t.Parallel()
	world := startWorld(t)
	partner := world.servers[0]
	var fetches atomic.Int64
	feed := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fetches.Add(1)
		partner.mu.RLock()
		doc, err := partner.house.idp.Metadata()
		partner.mu.RUnlock()
		if err != nil {
			t.Error(err)
		}
		writeText(w, http.StatusOK, string(doc.Body))
	}))
	t.Cleanup(feed.Close)
	s := world.samlet
	text := strings.Replace(readAll(t, s.path), "{file: metadata/partner.xml}", `{url: "`+feed.URL+`", refresh: 24h}`, 1)
	if err := replaceFile(s.path, []byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := s.reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	watched := make(chan error, 1)
	go func() { watched <- s.watch(ctx, nil) }()
	defer func() {
		cancel()
		if err := <-watched; err != nil {
			t.Error(err)
		}
	}()
	await(t, "the metadata from the URL is in force", func() (bool, string) {
		c := s.current().connection("partner")
		return c != nil && c.config.Metadata.URL != "" && c.Metadata != nil, "not yet"
	})
	signIn := func() *peer.Page {
		b := peer.NewBrowser(t)
		b.Walk(world.Apps[0]+"/app/signin", peer.Fill{"identifier": "pat@partner.test"})
		return b.Continue(peer.Fill{"identifier": "pat", "password": demoPassword})
	}
	wantWords(t, signIn(), "pat@partner.test", "Park")
	old := partner.current().Keys.Signing()

	dir := filepath.Dir(partner.path)
	if err := makeKey(dir, certs.Signing, "fresh", "partner.example.test"); err != nil {
		t.Fatal(err)
	}
	rolled := regexp.MustCompile(`certs/sig-\d+\.`).ReplaceAllString(readAll(t, partner.path), "certs/fresh.")
	if err := replaceFile(partner.path, []byte(rolled)); err != nil {
		t.Fatal(err)
	}
	if err := partner.reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	fresh := partner.current().Keys.Signing()
	if fresh.Fingerprint256() == old.Fingerprint256() {
		t.Fatalf("the partner kept its key:\n%s", rolled)
	}
	wantWords(t, signIn(), "up.signature", fresh.Fingerprint256(), old.Fingerprint256())
	await(t, "the next sign-in works", func() (bool, string) {
		p := signIn()
		return strings.Contains(string(p.Body), "pat@partner.test"), p.Text()
	})
	before := fetches.Load()
	for range 5 {
		s.doubt()
	}
	wantWords(t, signIn(), "pat@partner.test")
	if got := fetches.Load(); got != before {
		t.Errorf("five doubts within a minute had the metadata fetched %d times more", got-before)
	}
}
