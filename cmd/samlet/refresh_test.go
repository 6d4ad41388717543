package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/samlet-id/samlet/identity"
)

// TestMetadataIsFetchedAnew holds that metadata from a URL is fetched again when
// its time has come, and the change taken over, without a restart.
func TestMetadataIsFetchedAnew(t *testing.T) {
	t.Parallel()
	world := startWorld(t)
	doc, err := world.samlet.house.idp.Metadata()
	if err != nil {
		t.Fatal(err)
	}
	var current atomic.Pointer[string]
	first := strings.ReplaceAll(string(doc.Body), world.Samlet+"/saml/metadata", "https://idp.example.test/first")
	current.Store(&first)
	feed := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		writeText(w, http.StatusOK, *current.Load())
	}))
	t.Cleanup(feed.Close)

	s := world.samlet
	err = editConfig(s.path, func(raw []byte) ([]byte, error) {
		list, err := findList(raw, "connections")
		if err != nil {
			return nil, err
		}
		return list.append("connections", "- {id: fed, type: saml, metadata: {url: \""+feed.URL+"\", refresh: 100ms}}\n"), nil
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	watched := make(chan error, 1)
	go func() { watched <- s.watch(ctx, make(chan os.Signal)) }()
	defer func() {
		cancel()
		if err := <-watched; err != nil {
			t.Error(err)
		}
	}()
	await(t, "the connection is there", func() (bool, string) { return issuerIs(s, "https://idp.example.test/first") })
	second := strings.ReplaceAll(first, "/first", "/second")
	current.Store(&second)
	await(t, "the changed metadata is in force", func() (bool, string) { return issuerIs(s, "https://idp.example.test/second") })
}

// issuerIs reports whether the connection fed has this entityID, and what it has.
func issuerIs(s *server, want identity.EntityID) (bool, string) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, c := range s.house.snapshot.Connections {
		if c.ID == "fed" && c.Metadata != nil {
			return c.Metadata.EntityID == want, string(c.Metadata.EntityID)
		}
	}
	return false, "no connection"
}

// TestRestlessFolderIsRead changes the configuration in a folder in which a log
// is written all the time.
func TestRestlessFolderIsRead(t *testing.T) {
	t.Parallel()
	world := startWorld(t)
	s := world.samlet
	ctx, cancel := context.WithCancel(t.Context())
	watched := make(chan error, 1)
	go func() { watched <- s.watch(ctx, nil) }()
	defer func() {
		cancel()
		if err := <-watched; err != nil {
			t.Error(err)
		}
	}()
	await(t, "the new name is in force", func() (bool, string) {
		text := strings.Replace(readAll(t, s.path), "display_name: samlet", "display_name: Renamed", 1)
		if err := replaceFile(s.path, []byte(text)); err != nil { // each time anew: the folder is never quiet
			t.Error(err)
		}
		return s.current().Config.IDP.DisplayName == "Renamed", text
	})
}
