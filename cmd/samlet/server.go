package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/store"
	"github.com/samlet-id/samlet/store/sqlstore"
	"github.com/samlet-id/samlet/templates"
)

// Limits of the HTTP server. They are generous for people and tight for
// connections that only sit there.
const (
	headerTimeout = 10 * time.Second
	readTimeout   = 30 * time.Second
	writeTimeout  = 60 * time.Second
	idleTimeout   = 2 * time.Minute
	drainTimeout  = 10 * time.Second
	sweepEvery    = 10 * time.Minute
)

// serverConfig is what openServer needs.
type serverConfig struct {
	Path     string       // of config.yaml
	Listener net.Listener // nil listens where the configuration says
	Log      io.Writer
}

// server is samlet running: the store and the listener, which outlive every
// reload, and the current house. Run serves until its context ends; Close frees
// everything.
type server struct {
	path     string
	log      *slog.Logger
	level    *slog.LevelVar
	store    store.Store
	shared   *shared
	listener net.Listener
	draining atomic.Bool
	started  Config // as the process started; what needs a restart is taken from here

	retryEvery time.Duration // how soon metadata that could not be fetched is tried again
	doubted    chan struct{} // metadata from a URL may be out of date
	proveEvery time.Duration // how often the DNS records of mail domains are looked up
	proved     chan struct{} // what they prove has changed

	mu      sync.RWMutex // guards house
	house   *house
	retired sync.WaitGroup // houses that still answer their last requests
}

// openServer reads the configuration, opens the store and takes the port. When
// it returns, connections are accepted but not answered yet.
func openServer(ctx context.Context, cfg serverConfig) (*server, error) {
	patience, enough := context.WithTimeout(ctx, startPatience)
	snap, err := refreshSnapshot(patience, cfg.Path)
	enough()
	if err != nil {
		return nil, err
	}
	s := &server{path: cfg.Path, level: new(slog.LevelVar), started: *snap.Config, retryEvery: retryEvery, doubted: make(chan struct{}, 1), proveEvery: proveEvery, proved: make(chan struct{}, 1)}
	s.log = newLogger(cfg.Log, snap.Config.Log, s.level)
	if s.store, err = openStore(ctx, snap.Config, cfg.Path); err != nil {
		return nil, err
	}
	pages, err := templates.New(templates.Config{})
	if err != nil {
		return nil, errors.Join(err, s.store.Close())
	}
	proven, err := provenDomains(ctx, s.store, snap.Config, time.Now())
	if err != nil {
		return nil, errors.Join(err, s.store.Close())
	}
	snap.withhold(proven)
	s.shared = &shared{store: s.store, pages: pages, log: s.log, now: time.Now, rand: rand.Reader, doubt: s.doubt}
	if s.house, err = build(snap, s.shared); err != nil {
		return nil, errors.Join(err, s.store.Close())
	}
	if s.listener, err = listen(cfg.Listener, snap.Config, cfg.Path); err != nil {
		return nil, errors.Join(err, s.house.Close(ctx), s.store.Close())
	}
	s.warn(snap)
	return s, nil
}

func newLogger(w io.Writer, c LogConfig, level *slog.LevelVar) *slog.Logger {
	if l, err := parseLevel(c.Level); err == nil {
		level.Set(l)
	}
	options := &slog.HandlerOptions{Level: level}
	if c.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

// openStore opens the database that cfg names; a relative path of SQLite is
// beside the configuration at path.
func openStore(ctx context.Context, cfg *Config, path string) (store.Store, error) {
	dsn := cfg.Store.DSN
	if scheme, _, ok := strings.Cut(dsn, ":"); ok && (scheme == "env" || scheme == "file" || scheme == "cred") {
		raw, err := newDecoder(path).reference(dsn)
		if err != nil {
			return nil, fmt.Errorf("store.dsn: %w", err)
		}
		dsn = strings.TrimSpace(string(raw))
	} else if cfg.Store.Driver == "sqlite" && dsn != ":memory:" {
		dsn = beside(filepath.Dir(path), dsn)
	}
	db, err := sqlstore.Open(ctx, sqlstore.Config{Driver: cfg.Store.Driver, DSN: dsn})
	if err != nil {
		return nil, err
	}
	return db, nil
}

// listen takes the port, or wraps the listener it was handed.
func listen(ln net.Listener, cfg *Config, path string) (net.Listener, error) {
	var tlsConfig *tls.Config
	if cfg.Server.TLS.Mode == "files" {
		files := &certificateFiles{
			cert: beside(filepath.Dir(path), cfg.Server.TLS.CertFile),
			key:  beside(filepath.Dir(path), cfg.Server.TLS.KeyFile),
		}
		if _, err := files.get(nil); err != nil {
			return nil, err
		}
		tlsConfig = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: files.get, NextProtos: []string{"h2", "http/1.1"}}
	}
	if ln == nil {
		var err error
		if ln, err = net.Listen("tcp", cfg.Server.Listen); err != nil {
			return nil, &identity.Error{Kind: identity.KindInvalid, Code: "cfg.listen", Who: identity.WhoOperator, Err: err,
				Msg: fmt.Sprintf("cannot listen on %s: %v; stop the program that has the port, or change server.listen", cfg.Server.Listen, cause(err))}
		}
	}
	if tlsConfig != nil {
		return tls.NewListener(ln, tlsConfig), nil
	}
	return ln, nil
}

// cause returns the innermost error, which says "address already in use"
// without the wrapping of the network packages.
func cause(err error) error {
	for next := errors.Unwrap(err); next != nil; next = errors.Unwrap(err) {
		err = next
	}
	return err
}

// ServeHTTP answers with the current house. A reload leaves requests that are
// under way to the house they began in.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.RLock()
	h := s.house
	h.requests.Add(1)
	s.mu.RUnlock()
	defer h.requests.Done()
	h.handler.ServeHTTP(w, r)
}

// doubt has metadata fetched anew, as soon as watch is at it.
func (s *server) doubt() {
	select {
	case s.doubted <- struct{}{}:
	default: // somebody was first
	}
}

// Run serves until ctx ends, then lets requests under way finish.
func (s *server) Run(ctx context.Context) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { writeText(w, http.StatusOK, "ok\n") })
	mux.HandleFunc("GET /readyz", s.ready)
	mux.Handle("/", s)
	srv := &http.Server{
		Handler: mux, ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: 128 << 10, ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	ctx, cancel := context.WithCancel(ctx)
	var background sync.WaitGroup
	background.Go(func() { s.sweep(ctx) })
	background.Go(func() { s.prove(ctx, newResolver(s.started.Server.DNS)) })
	served := make(chan error, 1)
	background.Go(func() { served <- srv.Serve(s.listener) })
	s.log.Info("serving", "base_url", s.started.Server.BaseURL, "listen", s.listener.Addr().String())

	var err error
	select {
	case err = <-served:
	case <-ctx.Done():
		s.draining.Store(true)
		drain, done := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
		err = srv.Shutdown(drain)
		done()
	}
	cancel()
	background.Wait()
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// Close ends the house and the store. Run has returned before.
func (s *server) Close(ctx context.Context) error {
	s.retired.Wait()
	err := errors.Join(s.house.Close(ctx), s.store.Close())
	if lerr := s.listener.Close(); !errors.Is(lerr, net.ErrClosed) {
		err = errors.Join(err, lerr)
	}
	return err
}

// ready answers 200 while samlet can do its work.
func (s *server) ready(w http.ResponseWriter, r *http.Request) {
	if s.draining.Load() {
		writeText(w, http.StatusServiceUnavailable, "shutting down\n")
		return
	}
	if err := s.store.Ping(r.Context()); err != nil {
		s.log.Error("the store does not answer", "error", err)
		writeText(w, http.StatusServiceUnavailable, "the store does not answer\n")
		return
	}
	writeText(w, http.StatusOK, "ok\n")
}

func writeText(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text) // a client that is gone needs no answer
}

// sweep clears away what has expired, now and then.
func (s *server) sweep(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if n, err := s.store.Sweep(ctx, time.Now()); err != nil {
				s.log.Warn("clearing away what expired", "error", err)
			} else if n > 0 {
				s.log.Debug("cleared away what expired", "rows", n)
			}
		}
	}
}

func (s *server) warn(snap *snapshot) {
	for _, w := range snap.Warnings {
		s.log.Warn("configuration", "warning", w)
	}
}
