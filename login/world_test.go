package login_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/web"
	"github.com/samlet-id/samlet/login"
	"github.com/samlet-id/samlet/login/password"
	"github.com/samlet-id/samlet/store"
	"github.com/samlet-id/samlet/store/sqlstore"
	"github.com/samlet-id/samlet/templates"
)

const (
	ourID    = identity.EntityID("https://login.example.test/saml/metadata")
	goodPass = "correct horse battery"
)

// world is a whole login with a store and real pages, and in place of the
// protocol below a handler that answers in JSON.
type world struct {
	tb     testing.TB
	server *httptest.Server
	store  *sqlstore.Store
	auth   *login.Authenticator
	up     *upstream
	shift  atomic.Int64 // how far the clock is ahead
	logs   *lockedBuffer

	mu      sync.Mutex
	parties map[identity.RelyingPartyID]identity.RelyingParty
}

// answer is what the relying party of a test receives.
type answer struct {
	App       string // the request's own state: which tab asked
	Assertion *identity.Assertion
	Kind      string
	Code      identity.Code
}

type setup struct {
	noLocal     bool
	noUpstream  bool
	limits      login.Limits
	scope       string
	lifetimes   login.Lifetimes
	connections []identity.Connection
	tenants     func(identity.OrganizationID) (identity.Tenant, bool)
	wrap        func(store.Store) store.Store
	down        *downstream
	patience    time.Duration // LogoutTimeout
	remember    time.Duration
	asker       login.Asker
}

func newWorld(tb testing.TB, s setup) *world {
	tb.Helper()
	w := &world{tb: tb, logs: &lockedBuffer{}, parties: map[identity.RelyingPartyID]identity.RelyingParty{}}
	log := slog.New(slog.NewTextHandler(w.logs, nil))
	db, err := sqlstore.Open(tb.Context(), sqlstore.Config{Driver: sqlstore.DriverSQLite, DSN: filepath.Join(tb.TempDir(), "samlet.db")})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { checkClosed(tb, db.Close()) })
	w.store = db
	pages, err := templates.New(templates.Config{})
	if err != nil {
		tb.Fatal(err)
	}
	mux := http.NewServeMux()
	w.server = httptest.NewUnstartedServer(nil)
	edge, err := web.New(web.Config{Pages: pages, Log: log, BaseURL: "http://" + w.server.Listener.Addr().String(), Rand: rand.Reader})
	if err != nil {
		tb.Fatal(err)
	}
	cfg := login.Config{
		Store: db, Web: edge, RelyingParty: w.party, Asker: s.askerOf, Organization: s.tenants, Sessions: s.lifetimes, Remember: s.remember, Scope: s.scope, Now: w.now, Rand: rand.Reader, Log: log,
		ClientIP: func(r *http.Request) string { return r.Header.Get("Test-Address") },
	}
	if s.down != nil {
		cfg.Downstream, cfg.LogoutTimeout = func() login.Downstream { return s.down }, s.patience
	}
	if s.wrap != nil {
		cfg.Store = s.wrap(db)
	}
	if !s.noLocal {
		cfg.Local, err = password.New(password.Config{Store: cfg.Store, Params: cheap(), Limits: s.limits, Now: w.now, Rand: rand.Reader})
		if err != nil {
			tb.Fatal(err)
		}
	}
	w.up = &upstream{connections: s.connections, record: map[string]identity.RecordID{}}
	if !s.noUpstream {
		cfg.Upstream = w.up
	}
	if w.auth, err = login.New(cfg); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { checkClosed(tb, w.auth.Close(context.Background())) })
	w.auth.Mount(mux)
	w.mountProtocol(mux, edge)
	mux.Handle("/saml/acs/{connection}", edge.Handle(func(rw http.ResponseWriter, r *http.Request) error {
		return w.auth.Return(rw, r, identity.ConnectionID(r.PathValue("connection")))
	}))
	w.server.Config.Handler = edge.Middleware(mux, []string{"POST /sso", "POST /saml/acs/{connection}"})
	w.server.Start()
	tb.Cleanup(w.server.Close)
	w.addParty(identity.RelyingParty{ID: "wiki", Name: "Wiki", EntityID: "https://wiki.example.test/sp"})
	return w
}

// askerOf knows one that may ask where people sign in, by its entityID.
func (s setup) askerOf(_ context.Context, id identity.EntityID) (login.Asker, error) {
	if id != "https://wiki.example.test/sp" {
		return login.Asker{}, &identity.Error{Kind: identity.KindNotFound, Code: "sp.unknown"}
	}
	return s.asker, nil
}

func cheap() password.Params { return password.Params{Memory: 64, Time: 1, Lanes: 1} }

// mountProtocol stands for idp: it asks, and shows what it is told.
func (w *world) mountProtocol(mux *http.ServeMux, edge *web.Web) {
	show := func(rw http.ResponseWriter, a answer) error { return json.NewEncoder(rw).Encode(a) }
	mux.Handle("/sso", edge.Handle(func(rw http.ResponseWriter, r *http.Request) error {
		req := identity.AuthnRequest{Issuer: ourID, RelyingParty: "wiki", Resume: "/sso/resume", State: []byte(r.URL.Query().Get("app"))}
		if raw := r.URL.Query().Get("req"); raw != "" {
			if err := json.Unmarshal([]byte(raw), &req); err != nil {
				return err
			}
		}
		rp, _ := w.party(req.RelyingParty)
		req.Audience = rp.EntityID
		out, err := w.auth.Start(rw, r, req)
		if err != nil {
			return refused(rw, string(req.State), err)
		}
		if out.Redirect != "" {
			edge.Redirect(rw, r, out.Redirect)
			return nil
		}
		return show(rw, answer{App: string(req.State), Assertion: &out.Assertion})
	}))
	mux.Handle("GET /sso/resume", edge.Handle(func(rw http.ResponseWriter, r *http.Request) error {
		req, a, err := w.auth.Result(rw, r)
		switch {
		case err != nil && req.Resume == "":
			return err
		case err != nil:
			return refused(rw, string(req.State), err)
		}
		return show(rw, answer{App: string(req.State), Assertion: &a})
	}))
}

func refused(rw http.ResponseWriter, app string, err error) error {
	e, ok := errors.AsType[*identity.Error](err)
	if !ok {
		return err
	}
	return json.NewEncoder(rw).Encode(answer{App: app, Kind: e.Kind.String(), Code: e.Code})
}

func (w *world) now() time.Time { return time.Now().Add(time.Duration(w.shift.Load())) }

func (w *world) pass(d time.Duration) { w.shift.Add(int64(d)) }

func (w *world) party(id identity.RelyingPartyID) (identity.RelyingParty, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	rp, ok := w.parties[id]
	return rp, ok
}

func (w *world) addParty(rp identity.RelyingParty) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.parties[rp.ID] = rp
}

func (w *world) update(fn func(ctx context.Context, tx *store.Tx) error) {
	w.tb.Helper()
	ctx := w.tb.Context()
	if err := w.store.Update(ctx, func(tx *store.Tx) error { return fn(ctx, tx) }); err != nil {
		w.tb.Fatal(err)
	}
}

// addPerson stores a record with a password and returns its ID.
func (w *world) addPerson(name string, values ...identity.Value) identity.Record {
	w.tb.Helper()
	secret, err := cheap().Hash(rand.Reader, goodPass)
	if err != nil {
		w.tb.Fatal(err)
	}
	rec := identity.Record{ID: identity.RecordID("rec-" + name), Logins: []string{name}, Values: values, Created: w.now(), Updated: w.now()}
	w.update(func(ctx context.Context, tx *store.Tx) error {
		if err := tx.Records.Create(ctx, rec); err != nil {
			return err
		}
		return tx.Credentials.Put(ctx, identity.Credential{
			ID: "pw-" + name, Record: rec.ID, Kind: identity.CredentialPassword, Secret: secret, Created: w.now(), Updated: w.now(),
		})
	})
	return rec
}

func (w *world) disable(id identity.RecordID) {
	w.tb.Helper()
	w.update(func(ctx context.Context, tx *store.Tx) error {
		rec, err := tx.Records.Get(ctx, id)
		if err != nil {
			return err
		}
		rec.Disabled = true
		return tx.Records.Replace(ctx, rec)
	})
}

// events returns the audit trail, newest first, as "type code".
func (w *world) events() []string {
	w.tb.Helper()
	var out []string
	ctx := w.tb.Context()
	err := w.store.View(ctx, func(tx *store.Tx) error {
		all, err := tx.Events.List(ctx, "", 1000)
		out = nil
		for _, e := range all {
			out = append(out, strings.TrimSpace(string(e.Type)+" "+string(e.Code)))
		}
		return err
	})
	if err != nil {
		w.tb.Fatal(err)
	}
	return out
}

func (w *world) sessionsOf(id identity.RecordID) []identity.Session {
	w.tb.Helper()
	var out []identity.Session
	ctx := w.tb.Context()
	err := w.store.View(ctx, func(tx *store.Tx) (err error) {
		out, err = tx.Sessions.OfRecord(ctx, id)
		return err
	})
	if err != nil {
		w.tb.Fatal(err)
	}
	return out
}

func checkClosed(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Errorf("closing: %v", err)
	}
}

// eventually polls cond until it holds or ten seconds are over.
func eventually(tb testing.TB, what string, cond func() bool) {
	tb.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(10 * time.Second)
	for !cond() {
		select {
		case <-tick.C:
		case <-deadline:
			tb.Fatalf("not within ten seconds: %s", what)
		}
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
