package login_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/samlet-id/samlet/binding"
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
	limits      password.Limits
	lifetimes   login.Lifetimes
	connections []identity.Connection
	wrap        func(store.Store) store.Store
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
		Store: db, Web: edge, RelyingParty: w.party, Sessions: s.lifetimes, Now: w.now, Rand: rand.Reader, Log: log,
		ClientIP: func(r *http.Request) string { return r.Header.Get("Test-Address") },
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

// upstream is a login.Upstream at which people sign in by name: the answer
// "SAMLResponse=name" is good for the state that Begin gave.
type upstream struct {
	connections []identity.Connection
	mu          sync.Mutex
	record      map[string]identity.RecordID
	instant     time.Time // of every authentication; zero means now
	class       identity.ClassRef
	fail        error
	asked       []identity.AuthnRequest
}

func (u *upstream) Connections() []identity.Connection { return u.connections }

func (u *upstream) Route(identifier string) (identity.ConnectionID, bool) {
	for _, c := range u.connections {
		for _, d := range c.EmailDomains {
			if identity.Domain(identifier) == d {
				return c.ID, true
			}
		}
	}
	return "", false
}

func (u *upstream) Begin(_ context.Context, id identity.ConnectionID, req identity.AuthnRequest, relayState string) (binding.Message, []byte, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.asked = append(u.asked, req)
	q := url.Values{"RelayState": {relayState}}
	return binding.Message{URL: "https://" + string(id) + ".example.test/sso?" + q.Encode()}, []byte("state of " + string(id)), nil
}

func (u *upstream) Finish(_ context.Context, id identity.ConnectionID, state []byte, in binding.Received) (identity.Assertion, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.fail != nil {
		return identity.Assertion{}, u.fail
	}
	if string(state) != "state of "+string(id) {
		return identity.Assertion{}, &identity.Error{Kind: identity.KindInvalid, Code: "up.in_response_to", Msg: "wrong state"}
	}
	rec, ok := u.record[in.Form.Get("SAMLResponse")]
	if !ok {
		return identity.Assertion{}, &identity.Error{Kind: identity.KindInvalid, Code: "up.signature", Msg: "bad answer"}
	}
	instant, class := u.instant, u.class
	if instant.IsZero() {
		instant = time.Now().UTC()
	}
	if class == "" {
		class = identity.ClassREFEDSMFA
	}
	return identity.Assertion{
		Principal: identity.Principal{Issuer: ourID, Subject: string(rec)},
		Context:   identity.AuthnContext{Class: class, Instant: instant, Authorities: []identity.EntityID{"https://idp.example.test"}},
		Session:   "upstream-index",
	}, nil
}

// browser is a browser with cookies that follows redirects when told.
type browser struct {
	w       *world
	client  *http.Client
	address string
}

func (w *world) newBrowser() *browser {
	w.tb.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.tb.Fatal(err)
	}
	return &browser{w: w, address: "192.0.2.1", client: &http.Client{
		Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// page is an answer to a browser.
type page struct {
	status int
	to     string // Location
	body   string
	header http.Header
}

func (b *browser) do(req *http.Request) page {
	b.w.tb.Helper()
	req.Header.Set("Test-Address", b.address)
	resp, err := b.client.Do(req)
	if err != nil {
		b.w.tb.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		b.w.tb.Fatal(err)
	}
	shown := string(body)
	if _, main, ok := strings.Cut(shown, "<main"); ok {
		shown = main // the style sheet would drown a failure's message
	}
	return page{status: resp.StatusCode, to: resp.Header.Get("Location"), body: shown, header: resp.Header}
}

func (b *browser) get(path string) page {
	b.w.tb.Helper()
	req, err := http.NewRequestWithContext(b.w.tb.Context(), http.MethodGet, b.w.server.URL+path, nil)
	if err != nil {
		b.w.tb.Fatal(err)
	}
	return b.do(req)
}

func (b *browser) request(path string, form url.Values) *http.Request {
	b.w.tb.Helper()
	req, err := http.NewRequestWithContext(b.w.tb.Context(), http.MethodPost, b.w.server.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		b.w.tb.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return req
}

func (b *browser) post(path string, form url.Values) page {
	b.w.tb.Helper()
	req := b.request(path, form)
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	return b.do(req)
}

// crossPost is a form that another site submits: the browser sends no Lax
// cookies with it.
func (b *browser) crossPost(path string, form url.Values) page {
	b.w.tb.Helper()
	req := b.request(path, form)
	req.Header.Set("Sec-Fetch-Site", "cross-site")
	naked := &browser{w: b.w, address: b.address, client: &http.Client{CheckRedirect: b.client.CheckRedirect}}
	return naked.do(req)
}

// follow goes on while the answer is a redirect within this host.
func (b *browser) follow(p page) page {
	b.w.tb.Helper()
	for range 10 {
		if p.status != http.StatusSeeOther || !strings.HasPrefix(p.to, "/") {
			return p
		}
		p = b.get(p.to)
	}
	b.w.tb.Fatalf("more than ten redirects, the last to %s", p.to)
	return page{}
}

var ticketField = regexp.MustCompile(`name="t" value="([^"]+)"`)

// ticket returns the login ticket of a page's form.
func (p page) ticket(tb testing.TB) string {
	tb.Helper()
	m := ticketField.FindStringSubmatch(p.body)
	if m == nil {
		tb.Fatalf("no ticket on the page: %d %s %s", p.status, p.to, p.body)
	}
	return m[1]
}

// answer decodes what the relying party received.
func (p page) answer(tb testing.TB) answer {
	tb.Helper()
	var a answer
	if err := json.Unmarshal([]byte(p.body), &a); err != nil || p.status != http.StatusOK {
		tb.Fatalf("no answer to a relying party: %d to %q: %s", p.status, p.to, p.body)
	}
	return a
}

// ask opens an application and goes on to the first page or answer.
func (b *browser) ask(req identity.AuthnRequest) page {
	b.w.tb.Helper()
	return b.follow(b.get(ssoPath(b.w.tb, req)))
}

func ssoPath(tb testing.TB, req identity.AuthnRequest) string {
	tb.Helper()
	if req.RelyingParty == "" {
		req.RelyingParty = "wiki"
	}
	req.Issuer, req.Resume = ourID, "/sso/resume"
	raw, err := json.Marshal(req)
	if err != nil {
		tb.Fatal(err)
	}
	return "/sso?req=" + url.QueryEscape(string(raw))
}

// signIn goes through identifier and password from the sign-in page p.
func (b *browser) signIn(p page, name, pass string) page {
	b.w.tb.Helper()
	t := p.ticket(b.w.tb)
	p = b.follow(b.post("/login", url.Values{"t": {t}, "identifier": {name}}))
	if p.ticket(b.w.tb) != t {
		b.w.tb.Fatal("the ticket changed between identifier and password")
	}
	return b.follow(b.post("/login", url.Values{"t": {t}, "identifier": {name}, "password": {pass}}))
}

func (b *browser) cookie(name string) string {
	b.w.tb.Helper()
	u, err := url.Parse(b.w.server.URL)
	if err != nil {
		b.w.tb.Fatal(err)
	}
	for _, c := range b.client.Jar.Cookies(u) {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

func (b *browser) setCookie(name, value string) {
	b.w.tb.Helper()
	u, err := url.Parse(b.w.server.URL)
	if err != nil {
		b.w.tb.Fatal(err)
	}
	b.client.Jar.SetCookies(u, []*http.Cookie{{Name: name, Value: value, Path: "/"}})
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
