package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"
)

// debounce is how long the folder must be quiet before a change is read: an
// editor writes a file in several steps. A folder that is never quiet, because a
// log is written there, is read after restless all the same.
const (
	debounce = 200 * time.Millisecond
	restless = 500 * time.Millisecond
)

// startPatience is how long a start waits for metadata from URLs before it goes
// on without, and fetches in the background.
const startPatience = 2 * time.Second

// doubtEvery is how often metadata is fetched anew, at most, because somebody sent a
// signature that no key of it verifies: anybody can.
const doubtEvery = time.Minute

// retryEvery is how soon metadata that could not be fetched is tried again,
// unless a server says otherwise.
const retryEvery = 30 * time.Second

// reload reads the configuration and, if it is faultless and differs from the
// one in force, swaps it in. Otherwise the one in force stays and the error says
// why. Nothing is fetched: a peer that does not answer holds up no change.
func (s *server) reload(ctx context.Context) error {
	snap, err := loadSnapshot(s.path)
	if err != nil {
		return err
	}
	proven, err := provenDomains(ctx, s.store, snap.Config, time.Now())
	if err != nil {
		return err
	}
	snap.withhold(proven)
	s.mu.RLock()
	current := s.house.snapshot
	s.mu.RUnlock()
	if snap.Digest == current.Digest && snap.Incomplete == current.Incomplete && slices.Equal(snap.Unproven, current.Unproven) {
		return nil
	}
	for _, key := range s.pin(snap.Config) {
		s.log.Warn("this setting needs a restart", "setting", key)
	}
	next, err := build(snap, s.shared)
	if err != nil {
		return err
	}
	if l, err := parseLevel(snap.Config.Log.Level); err == nil {
		s.level.Set(l)
	}
	s.mu.Lock()
	old := s.house
	s.house = next
	s.mu.Unlock()
	s.retired.Go(func() {
		old.requests.Wait()
		if err := old.Close(context.WithoutCancel(ctx)); err != nil {
			s.log.Error("retiring the earlier configuration", "error", err)
		}
	})
	s.warn(snap)
	s.log.Info("configuration reloaded", "service_providers", len(snap.Config.ServiceProviders), "connections", len(snap.Config.Connections))
	return nil
}

// refreshed is what came of fetching metadata anew: the copies are renewed, and
// snap says what could not be had.
type refreshed struct {
	snap *snapshot
	err  error
}

func (s *server) refresh(ctx context.Context) refreshed {
	snap, err := refreshSnapshot(ctx, s.path)
	return refreshed{snap, err}
}

// adopt takes renewed copies over. A fetch that failed is told, but not each
// time that what is missing is tried again. The configuration is read anew: it
// may have changed while metadata was fetched.
func (s *server) adopt(ctx context.Context, r refreshed) error {
	if r.err != nil {
		return r.err
	}
	if !r.snap.Incomplete {
		s.warn(r.snap)
	}
	return s.reload(ctx)
}

// pin gives the settings that cannot change in a running process the values
// they started with, and returns the names of those that were to change.
func (s *server) pin(cfg *Config) []string {
	var changed []string
	for name, p := range map[string][2]*string{
		"server.base_url": {&cfg.Server.BaseURL, &s.started.Server.BaseURL},
		"server.listen":   {&cfg.Server.Listen, &s.started.Server.Listen},
		"idp.entity_id":   {&cfg.IDP.EntityID, &s.started.IDP.EntityID},
		"store.driver":    {&cfg.Store.Driver, &s.started.Store.Driver},
		"store.dsn":       {&cfg.Store.DSN, &s.started.Store.DSN},
		"log.format":      {&cfg.Log.Format, &s.started.Log.Format},
	} {
		if *p[0] != *p[1] {
			changed = append(changed, name)
			*p[0] = *p[1]
		}
	}
	if cfg.Server.TLS != s.started.Server.TLS {
		changed = append(changed, "server.tls")
		cfg.Server.TLS = s.started.Server.TLS
	}
	slices.Sort(changed)
	return changed
}

// watch reloads when a file of the configuration changes or hup fires, until
// ctx ends. It watches folders, because editors and configuration management
// replace files rather than write into them.
func (s *server) watch(ctx context.Context, hup <-chan os.Signal) error {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watching the configuration: %w", err)
	}
	defer func() { _ = watcher.Close() }() // nothing was written through it
	if err := s.watchFolders(watcher); err != nil {
		return err
	}
	quiet := time.NewTimer(time.Hour)
	defer quiet.Stop()
	retry := time.NewTicker(s.retryEvery)
	defer retry.Stop()
	refresh := time.NewTimer(s.refreshEvery())
	defer refresh.Stop()
	var doubted time.Time       // when metadata was fetched for a doubt
	var changed time.Time       // when the first change came that was not read yet
	var fetching chan refreshed // nil while nothing is fetched
	fetch := func() {
		if fetching == nil {
			done := make(chan refreshed, 1)
			fetching = done
			go func() { done <- s.refresh(ctx) }() // waited for below
		}
	}
	if s.stale(time.Now()) {
		fetch()
	}
	for {
		var err error
		select {
		case <-ctx.Done():
			if fetching != nil {
				<-fetching
			}
			return nil
		case <-watcher.Events:
			if changed.IsZero() {
				changed = time.Now()
			}
			if time.Since(changed) < restless {
				quiet.Reset(debounce)
			}
			continue
		case werr := <-watcher.Errors:
			s.log.Warn("watching the configuration", "error", werr)
			quiet.Reset(debounce)
			continue
		case <-retry.C:
			if s.stale(time.Now()) {
				fetch()
			}
			continue
		case <-refresh.C:
			fetch()
			continue
		case <-s.doubted:
			if now := time.Now(); doubted.IsZero() || now.Sub(doubted) >= doubtEvery {
				doubted = now
				s.log.Info("an upstream signs with a key that its metadata does not have; fetching metadata anew")
				fetch()
			}
			continue
		case r := <-fetching:
			fetching = nil
			err = s.adopt(ctx, r)
		case <-s.proved:
			err = s.reload(ctx)
		case <-hup:
			err = s.reload(ctx)
			fetch()
		case <-quiet.C:
			changed = time.Time{}
			if err = s.reload(ctx); s.stale(time.Now()) {
				fetch()
			}
		}
		if err != nil && ctx.Err() == nil {
			s.log.Error("the changed configuration is not in force; the earlier one goes on", "reason", message(err))
		}
		refresh.Reset(s.refreshEvery())
		if err := s.watchFolders(watcher); err != nil {
			s.log.Warn("watching the configuration", "error", err)
		}
	}
}

// watchFolders watches the folder of every file of the configuration in force.
func (s *server) watchFolders(w *fsnotify.Watcher) error {
	s.mu.RLock()
	files := s.house.snapshot.Files
	s.mu.RUnlock()
	folders := map[string]bool{filepath.Dir(s.path): true}
	for _, f := range files {
		folders[filepath.Dir(f)] = true
	}
	watched := w.WatchList()
	for _, dir := range slices.Sorted(maps.Keys(folders)) {
		if slices.Contains(watched, dir) {
			continue
		}
		if err := w.Add(dir); err != nil {
			return fmt.Errorf("watching %s: %w", dir, err)
		}
	}
	return nil
}

// refreshEvery is when to fetch metadata anew, as the configuration in force
// says.
func (s *server) refreshEvery() time.Duration {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.house.snapshot.Config.refreshEvery()
}

// stale reports whether metadata is to be fetched: some could not be had, or
// the time of some is over.
func (s *server) stale(now time.Time) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	snap := s.house.snapshot
	return snap.Incomplete || !snap.Expires.IsZero() && !now.Before(snap.Expires)
}

// certificateFiles serves the server's certificate from two files and reads
// them again when one has changed.
type certificateFiles struct {
	cert, key string

	mu     sync.Mutex
	seen   [2]time.Time
	loaded *tls.Certificate
}

// get returns the certificate. While new files are unreadable or do not match
// it goes on with the ones before.
func (c *certificateFiles) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var changed [2]time.Time
	for i, path := range []string{c.cert, c.key} {
		if info, err := os.Stat(path); err == nil {
			changed[i] = info.ModTime()
		}
	}
	if c.loaded != nil && changed == c.seen {
		return c.loaded, nil
	}
	pair, err := tls.LoadX509KeyPair(c.cert, c.key)
	switch {
	case err == nil:
		c.loaded, c.seen = &pair, changed
	case c.loaded == nil:
		return nil, fmt.Errorf("reading the TLS certificate: %w", err)
	}
	return c.loaded, nil
}
