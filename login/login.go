package login

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/samlet-id/samlet/binding"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/web"
	"github.com/samlet-id/samlet/store"
)

// Upstream is the federation broker as login needs it. It is safe for
// concurrent use.
type Upstream interface {
	// Connections returns the enabled connections that a person may choose, in
	// the operator's order; samlet itself is none of them. Nobody changes the list.
	Connections() []identity.Connection
	// Knows reports whether a connection, be it disabled, brings the principals
	// of an issuer.
	Knows(issuer identity.EntityID) bool
	// Route returns the connection that an identifier belongs to by its mail
	// domain.
	Route(identifier string) (identity.ConnectionID, bool)
	// Begin returns the message that leads the browser to the upstream, and the
	// state that Finish wants back. relayState is to come back with the answer.
	Begin(ctx context.Context, id identity.ConnectionID, req identity.AuthnRequest, relayState string) (binding.Message, []byte, error)
	// Finish proves that in answers state, and returns whom it is about as a
	// record of ours: Principal is (our entityID, RecordID), Session is the
	// upstream's own, NotAfter the upstream's bound. Somebody who is not known is
	// an identity.Newcomer where they are to be asked, or the question was of the
	// known alone.
	Finish(ctx context.Context, id identity.ConnectionID, state []byte, in binding.Received) (identity.Assertion, error)
	// Enrol makes a record of a newcomer who says that they have none, and returns
	// what Finish does.
	Enrol(ctx context.Context, n identity.Newcomer) (identity.Assertion, error)
	// Join links, within tx, a newcomer to the record that they have just proved to
	// be theirs by the connection proof.
	Join(ctx context.Context, tx *store.Tx, n identity.Newcomer, id identity.RecordID, proof identity.ConnectionID) error

	// Reach says how the upstream of s can be told that the session ended.
	Reach(s identity.UpstreamSession) identity.Reach
	// Tell tells it directly, and returns nil once it has confirmed. It gives up
	// when ctx ends.
	Tell(ctx context.Context, s identity.UpstreamSession, why identity.LogoutReason) error
	// Lead returns the message that tells it through the browser, and the ID by
	// which UpstreamLogoutAnswered will know its answer.
	Lead(ctx context.Context, s identity.UpstreamSession, why identity.LogoutReason) (msg binding.Message, id string, err error)
	// AnswerLogout returns the message by which the browser takes the answer to
	// the upstream that asked. State is that of identity.Logout; complete says
	// that everybody who took part has confirmed.
	AnswerLogout(ctx context.Context, id identity.ConnectionID, state []byte, complete bool) (binding.Message, error)
}

// Config is what an Authenticator is made of. Fields without a default are
// required.
type Config struct {
	Store store.Store
	Web   *web.Web
	// Upstream is nil where nobody comes in from elsewhere.
	Upstream Upstream
	// Local is how people sign in with samlet itself; nil where nobody does.
	// At least one of Upstream and Local is set.
	Local Method
	// Remote has the methods of those connections of Upstream whose proof is
	// asked for on a page of ours instead of elsewhere: directories.
	Remote map[identity.ConnectionID]Method
	// Unsolicited takes an answer that came by a connection and names no login. Why
	// is what refuses it, and what is returned where it begins none. Nil refuses
	// all of them.
	Unsolicited func(w http.ResponseWriter, r *http.Request, id identity.ConnectionID, in binding.Received, why error) error
	// RelyingParty finds an application by its slug, as it is configured now.
	RelyingParty func(identity.RelyingPartyID) (identity.RelyingParty, bool)
	// Organization finds an organization by its slug, as it is configured now. Nil
	// knows none.
	Organization func(identity.OrganizationID) (identity.Tenant, bool)
	// Asker finds the service provider of an entityID that may ask where somebody signs
	// in, or fails as the sign-in of an unknown one does. Nil serves no discovery.
	Asker func(context.Context, identity.EntityID) (Asker, error)
	// Catalogue has the labels by which people are told of attributes. Nil shows
	// our own names.
	Catalogue *identity.Catalogue
	// Scope is what subject-id and pairwise-id end in, such as example.test;
	// empty issues neither.
	Scope string
	// BasePath is the path of the base URL, "" at the root, else "/x".
	BasePath string
	// ClientIP returns the address that a request came from, proxies
	// considered. Default: RemoteAddr without its port.
	ClientIP func(*http.Request) string
	Sessions Lifetimes
	// Remember is for how long a browser remembers by which connection somebody
	// signed in with it. Zero remembers nothing.
	Remember time.Duration
	// Downstream returns the protocols below, which tell relying parties of
	// logouts. They know login, so that it is asked only when it is needed. Nil
	// tells nobody.
	Downstream func() Downstream
	// LogoutTimeout is how long all relying parties together may take to be told
	// of a logout. Default 5 s.
	LogoutTimeout time.Duration
	Now           func() time.Time
	Rand          io.Reader
	Log           *slog.Logger
}

// Lifetimes bounds sessions.
type Lifetimes struct {
	// Idle ends a session in which no relying party was answered for this
	// long. Default 12 h.
	Idle time.Duration
	// Absolute ends every session. Default 7 days.
	Absolute time.Duration
}

// ticketLife is how long a person may take over one sign-in, and parkedLife how
// long a browser may take over one 303.
const (
	ticketLife = 30 * time.Minute
	parkedLife = 5 * time.Minute
)

// Authenticator runs logins. It is safe for concurrent use; several nodes may
// share one store.
type Authenticator struct {
	cfg        Config
	journal    *journal
	background sync.WaitGroup // relying parties are told
}

// New checks cfg and returns an Authenticator. Close it to have everything
// written.
func New(cfg Config) (*Authenticator, error) {
	switch {
	case cfg.Store == nil, cfg.Web == nil, cfg.RelyingParty == nil:
		return nil, errors.New("login: Store, Web and RelyingParty are required")
	case cfg.Now == nil, cfg.Rand == nil, cfg.Log == nil:
		return nil, errors.New("login: Now, Rand and Log are required")
	case cfg.Upstream == nil && cfg.Local == nil:
		return nil, errors.New("login: there is no way to sign in: neither Upstream nor Local is set")
	case cfg.BasePath != "" && (!strings.HasPrefix(cfg.BasePath, "/") || strings.HasSuffix(cfg.BasePath, "/")):
		return nil, errors.New("login: BasePath is neither empty nor a path without a final slash")
	case cfg.Sessions.Idle < 0 || cfg.Sessions.Absolute < 0 || cfg.Remember < 0:
		return nil, errors.New("login: a lifetime is negative")
	}
	if cfg.Sessions.Idle == 0 {
		cfg.Sessions.Idle = 12 * time.Hour
	}
	if cfg.Sessions.Absolute == 0 {
		cfg.Sessions.Absolute = 7 * 24 * time.Hour
	}
	if cfg.LogoutTimeout <= 0 {
		cfg.LogoutTimeout = 5 * time.Second
	}
	if cfg.Organization == nil {
		cfg.Organization = func(identity.OrganizationID) (identity.Tenant, bool) { return identity.Tenant{}, false }
	}
	if cfg.ClientIP == nil {
		cfg.ClientIP = remoteAddr
	}
	return &Authenticator{cfg: cfg, journal: newJournal(cfg.Store, cfg.Log)}, nil
}

// Close writes what is still to be written behind answers that were given, and
// returns once it is durable or ctx is over.
// Logouts under way, which have a deadline, are waited for.
func (a *Authenticator) Close(ctx context.Context) error {
	a.background.Wait()
	return a.journal.close(ctx)
}

// Mount registers the pages of signing in and out under the base path.
func (a *Authenticator) Mount(mux *http.ServeMux) {
	page := func(pattern string, h func(http.ResponseWriter, *http.Request) error) {
		method, path, _ := strings.Cut(pattern, " ")
		mux.Handle(method+" "+a.path(path), a.cfg.Web.Handle(h))
	}
	page("GET /login", a.showLogin)
	page("POST /login", a.answerLogin)
	page("GET /consents", a.showConsents)
	page("POST /consents", a.withdraw)
	page("GET /account", a.showAccount)
	page("POST /account", a.changeAccount)
	page("GET /problem/{id}", a.showReport)
	if a.cfg.Asker != nil {
		page("GET "+pathDiscovery, a.discover)
	}
	page("GET /logout", a.showLogout)
	page("POST /logout", a.answerLogout)
	page("GET /logout/progress", a.showProgress)
	page("GET /logout/frame", a.showFrame)
	page("GET /logout/status", a.showStatus)
}

func (a *Authenticator) path(p string) string { return a.cfg.BasePath + p }

func (a *Authenticator) now() time.Time { return a.cfg.Now().UTC() }

func remoteAddr(r *http.Request) string {
	host := r.RemoteAddr
	if i := strings.LastIndexByte(host, ':'); i >= 0 {
		host = host[:i]
	}
	return strings.Trim(host, "[]")
}
