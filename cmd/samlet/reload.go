package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
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
// editor writes a file in several steps.
const debounce = 200 * time.Millisecond

// loader is loadSnapshot or refreshSnapshot.
type loader = func(ctx context.Context, path string) (*snapshot, error)

// retryEvery is how soon metadata that could not be fetched is tried again,
// unless a server says otherwise.
const retryEvery = 30 * time.Second

// reload reads the configuration with load and, if it is faultless and differs
// from the one in force, swaps it in. Otherwise the one in force stays and the
// error says why.
func (s *server) reload(ctx context.Context, load loader) error {
	snap, err := load(ctx, s.path)
	if err != nil {
		return err
	}
	s.mu.RLock()
	current := s.house.snapshot
	s.mu.RUnlock()
	if snap.Digest == current.Digest && snap.Incomplete == current.Incomplete {
		// A fetch that failed changes nothing and is told all the same, but not
		// each time that what is missing is tried again.
		if !snap.Incomplete {
			s.warn(snap)
		}
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
	for {
		// A changed file is read as it is: only time and the operator's signal
		// fetch metadata anew, since a fetch that changes a copy is a change of
		// its own.
		load := loadSnapshot
		select {
		case <-ctx.Done():
			return nil
		case <-watcher.Events:
			quiet.Reset(debounce)
			continue
		case err := <-watcher.Errors:
			s.log.Warn("watching the configuration", "error", err)
			quiet.Reset(debounce)
			continue
		case <-retry.C:
			if !s.stale(time.Now()) {
				continue
			}
		case <-refresh.C:
			load = refreshSnapshot
		case <-hup:
			load = refreshSnapshot
		case <-quiet.C:
		}
		if err := s.reload(ctx, load); err != nil && !errors.Is(err, context.Canceled) {
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
// says; without any to fetch the answer does not matter.
func (s *server) refreshEvery() time.Duration {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return cmp.Or(s.house.snapshot.Config.refreshEvery(), defaultRefresh)
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
