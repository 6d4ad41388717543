package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/samlet-id/samlet/broker"
	"github.com/samlet-id/samlet/broker/rp"
	"github.com/samlet-id/samlet/broker/sp"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/idp"
	"github.com/samlet-id/samlet/internal/web"
	"github.com/samlet-id/samlet/login"
	dirlogin "github.com/samlet-id/samlet/login/directory"
	"github.com/samlet-id/samlet/login/password"
	"github.com/samlet-id/samlet/metadata"
	"github.com/samlet-id/samlet/store"
	"github.com/samlet-id/samlet/templates"
)

// The named seams between the rooms, and who stands in them.
var (
	_ idp.Authenticator       = (*login.Authenticator)(nil)
	_ idp.DirectAuthenticator = (*login.Authenticator)(nil)
	_ login.Upstream          = (*broker.Broker)(nil)
	_ login.Downstream        = (*idp.Provider)(nil)
	_ login.Method            = (*password.Method)(nil)
	_ broker.Connector        = (*sp.Connector)(nil)
	_ broker.SignsOut         = (*sp.Connector)(nil)
	_ login.Method            = (*dirlogin.Method)(nil)
	_ dirlogin.Source         = linked{}
)

// Our paths for the service provider role, below the base URL.
const (
	pathACS        = "/saml/acs/" // and the connection's id
	pathSPMetadata = "/saml/sp/"  // and the connection's id, and /metadata
	pathTest       = "/test"
)

// shared is what outlives a reload.
type shared struct {
	store store.Store
	pages *templates.Set
	log   *slog.Logger
	now   func() time.Time
	rand  io.Reader // safe for concurrent use
	// doubt tells that metadata from a URL may be out of date; nil: nobody listens.
	doubt func()
}

// house is samlet built from one snapshot. Nothing in it changes.
type house struct {
	snapshot   *snapshot
	outbound   *http.Client // calls to peers
	log        *slog.Logger
	now        func() time.Time
	doubt      func() // shared.doubt
	idp        *idp.Provider
	login      *login.Authenticator
	broker     *broker.Broker
	connectors map[identity.ConnectionID]*sp.Connector
	relying    map[identity.ConnectionID]*rp.Connector
	handler    http.Handler
	closers    []func()       // let go of connections to directories
	requests   sync.WaitGroup // under way
}

// build joins the rooms into a house.
func build(snap *snapshot, sh *shared) (*house, error) {
	cfg := snap.Config
	support := ""
	if mail := cfg.IDP.Metadata.ContactEmail; mail != "" {
		support = "mailto:" + mail
	}
	site, err := newWeb(cfg.Server.BaseURL, cfg.IDP.DisplayName, support, sh)
	if err != nil {
		return nil, err
	}
	h := &house{snapshot: snap, outbound: newOutbound(cfg), log: sh.log, now: sh.now, doubt: sh.doubt, connectors: map[identity.ConnectionID]*sp.Connector{}, relying: map[identity.ConnectionID]*rp.Connector{}}
	upstream, err := h.buildBroker(sh)
	if err != nil {
		return nil, err
	}
	h.broker = upstream
	parties := newDirectory(snap.Parties)
	if h.login, err = h.buildLogin(sh, site, upstream, parties); err != nil {
		return nil, err
	}
	if h.idp, err = h.buildIDP(sh, site, parties); err != nil {
		return nil, errors.Join(err, h.login.Close(context.Background()))
	}

	mux := http.NewServeMux()
	h.idp.Mount(mux)
	h.login.Mount(mux)
	callbacks, err := h.mountProviders(mux, site)
	if err != nil {
		return nil, err
	}
	crossSite := slices.Concat(h.idp.CrossSitePosts(), h.mountConnections(mux, site), callbacks)
	if *cfg.Server.TestPage {
		test, err := h.buildTestPage(sh, site, parties)
		if err != nil {
			return nil, errors.Join(err, h.login.Close(context.Background()))
		}
		test.Mount(mux)
		crossSite = append(crossSite, test.CrossSitePosts()...)
	}
	(&vendor{house: h, web: site}).Mount(mux)
	mux.Handle("GET /{$}", site.Handle(h.home(site)))
	mux.Handle("GET "+pathOrganization+"{id}", site.Handle(h.organizationPage(site)))
	h.handler = site.Middleware(mux, crossSite)
	return h, nil
}

// Close has everything written that was put off.
func (h *house) Close(ctx context.Context) error {
	err := h.login.Close(ctx)
	for _, c := range h.closers {
		c()
	}
	h.outbound.CloseIdleConnections()
	return err
}

func newWeb(baseURL, name, support string, sh *shared) (*web.Web, error) {
	u, err := parseBaseURL(baseURL)
	if err != nil {
		return nil, err
	}
	return web.New(web.Config{
		Pages: sh.pages, Log: sh.log, BaseURL: baseURL, Rand: sh.rand, ProductName: name, Support: support,
		Development: u.Scheme == "http",
	})
}

func (h *house) buildBroker(sh *shared) (*broker.Broker, error) {
	cfg := h.snapshot.Config
	var upstreams []broker.Upstream
	for _, c := range h.snapshot.Connections {
		if c.directory != nil {
			upstreams = append(upstreams, broker.Upstream{Connection: c.Connection})
		}
		if c.config.byOAuth() {
			connector, err := h.relyingParty(c, sh)
			if err != nil {
				return nil, err
			}
			upstreams = append(upstreams, broker.Upstream{Connection: c.Connection, Connector: connector})
		}
		if c.Metadata == nil {
			continue
		}
		format, policy := c.config.asksNameID()
		connector, err := sp.New(sp.Config{
			EntityID:               identity.EntityID(cfg.Server.BaseURL + pathSPMetadata + string(c.ID) + "/metadata"),
			ACS:                    cfg.Server.BaseURL + pathACS + string(c.ID),
			SLO:                    cfg.Server.BaseURL + pathSPMetadata + string(c.ID) + pathSPLogout,
			SLOSOAP:                cfg.Server.BaseURL + pathSPMetadata + string(c.ID) + pathSPLogoutSOAP,
			HTTP:                   h.outbound,
			IDP:                    c.Metadata,
			Keys:                   h.snapshot.Keys,
			Store:                  sh.store,
			RequireSignedAssertion: c.config.Require.SignedAssertion,
			AllowUnsignedResponse:  c.config.allowsUnsignedResponse(),
			SignRequests:           c.config.signsRequests(),
			Refused:                refusedAlgorithms(cfg),
			AllowSHA1:              c.allowsSHA1(),
			AllowCBC:               slices.Contains(c.config.Require.WeakAlgorithms, "aes-cbc"),
			ContactEmail:           cfg.IDP.Metadata.ContactEmail,
			PrivacyStatementURL:    cfg.IDP.Metadata.PrivacyURL,
			Artifact:               c.config.Artifact,
			Scopes:                 c.config.Scopes.rule(),
			SubjectAttribute:       c.LinkBy,
			NameIDFormat:           format,
			NameIDPolicy:           policy,
			DisplayName:            cfg.IDP.DisplayName,
			Skew:                   time.Duration(c.config.Require.MaxClockSkew),
			Now:                    sh.now,
			Rand:                   sh.rand,
		})
		if err != nil {
			return nil, fmt.Errorf("connection %q: %w", c.ID, err)
		}
		h.connectors[c.ID] = connector
		upstreams = append(upstreams, broker.Upstream{Connection: c.Connection, Connector: connector})
	}
	return broker.New(broker.Config{
		Store: sh.store, EntityID: identity.EntityID(cfg.IDP.EntityID), Catalogue: h.snapshot.Catalogue,
		Connections: upstreams, Organizations: h.snapshot.Tenants, Now: sh.now, Rand: sh.rand, RequestID: web.RequestID, Log: sh.log,
		// Each knows the other: by the time that anybody comes in, both are there.
		End: func(ctx context.Context, tx *store.Tx, id identity.SessionID, why string) (func(context.Context), error) {
			return h.login.EndWithin(ctx, tx, id, why)
		},
	})
}

func (h *house) buildLogin(sh *shared, site *web.Web, upstream *broker.Broker, parties *directory) (*login.Authenticator, error) {
	snap, cfg := h.snapshot, h.snapshot.Config
	c := login.Config{
		Store: sh.store, Web: site, RelyingParty: parties.relyingParty, Asker: parties.asker(identity.EntityID(cfg.IDP.EntityID)), Organization: snap.tenants(), Catalogue: snap.Catalogue, Scope: strings.ToLower(cfg.IDP.Scope), ClientIP: clientIP(cfg.Server.TrustedProxies),
		Sessions: login.Lifetimes{Idle: time.Duration(cfg.Authentication.Session.Idle), Absolute: time.Duration(cfg.Authentication.Session.Absolute)},
		Remember: time.Duration(cfg.Authentication.RememberConnection),
		// Each knows the other: by the time that anybody signs out, both are there.
		Downstream: func() login.Downstream { return h.idp }, LogoutTimeout: time.Duration(cfg.IDP.Logout.Timeout),
		Unsolicited: h.unsolicited,
		Now:         sh.now, Rand: sh.rand, Log: sh.log,
	}
	if len(upstream.Connections()) > 0 {
		c.Upstream = upstream
	}
	var err error
	if c.Remote, err = h.directories(sh, upstream); err != nil {
		return nil, err
	}
	if passwordsOn(snap) {
		// Plain http is served on loopback alone, where a password does not leave
		// the machine: every password travels protected.
		method, err := password.New(password.Config{
			Store: sh.store, Protected: true, Params: passwordParams(cfg), Now: sh.now, Rand: sh.rand,
		})
		if err != nil {
			return nil, fmt.Errorf("authentication.methods: %w", err)
		}
		c.Local = method
	}
	return login.New(c)
}

// passwordsOn reports whether people may sign in with a password of ours.
func passwordsOn(snap *snapshot) bool {
	for _, m := range snap.Config.Authentication.Methods {
		if m.Enabled != nil && !*m.Enabled {
			return false
		}
	}
	return slices.ContainsFunc(snap.Connections, func(c connection) bool { return c.ID == identity.LocalConnection && !c.Disabled })
}

func (h *house) buildIDP(sh *shared, site *web.Web, parties *directory) (*idp.Provider, error) {
	snap, cfg := h.snapshot, h.snapshot.Config
	settings := idp.MetadataSettings{
		ValidFor: time.Duration(cfg.IDP.Metadata.ValidFor), DisplayName: cfg.IDP.DisplayName,
		ErrorURL: cfg.IDP.Metadata.ErrorURL, Logo: cfg.IDP.Metadata.Logo, PrivacyStatementURL: cfg.IDP.Metadata.PrivacyURL,
	}
	if cfg.IDP.Scope != "" {
		settings.Scopes = []string{strings.ToLower(cfg.IDP.Scope)}
	}
	if mail := cfg.IDP.Metadata.ContactEmail; mail != "" {
		settings.Contacts = []metadata.Contact{{Type: "technical", Emails: []string{mail}}}
	}
	var direct idp.DirectAuthenticator // nobody may, unless somebody is let
	if slices.ContainsFunc(snap.Parties, func(p party) bool { return p.ECP && !p.Disabled }) {
		direct = h.login
	}
	return idp.New(idp.Config{
		EntityID: identity.EntityID(cfg.IDP.EntityID), BaseURL: cfg.Server.BaseURL, Party: parties.party, PartyByID: parties.partyByID, Authenticator: h.login,
		Direct: direct, Store: sh.store, Keys: snap.Keys, Catalogue: snap.Catalogue, Web: site, Log: sh.log, RequireSignedRequests: cfg.IDP.WantAuthnRequestsSigned,
		Metadata: settings, Skew: time.Duration(cfg.IDP.MaxClockSkew), HTTP: h.outbound,
		Now: sh.now, Rand: sh.rand,
	})
}

// mountConnections serves where upstreams send their Responses, and the
// metadata that they need of us. It returns the patterns that take forms from
// other sites.
func (h *house) mountConnections(mux *http.ServeMux, site *web.Web) []string {
	var crossSite []string
	for id := range h.connectors {
		acs := pathACS + string(id)
		answer := site.Handle(func(w http.ResponseWriter, r *http.Request) error {
			err := h.login.Return(w, r, id)
			h.suspect(id, err)
			return err
		})
		mux.Handle("GET "+acs, answer)
		mux.Handle("POST "+acs, answer)
		crossSite = append(crossSite, "POST "+acs)
		mux.Handle("GET "+pathSPMetadata+string(id)+"/metadata", site.Handle(func(w http.ResponseWriter, r *http.Request) error {
			doc, err := h.connectors[id].Metadata()
			if err != nil {
				return err
			}
			metadata.NewDocument(doc, 0).ServeHTTP(w, r)
			return nil
		}))
		crossSite = append(crossSite, h.mountLogout(mux, site, id)...)
	}
	return crossSite
}

// suspect has metadata fetched anew where an upstream signed with a key that its
// metadata, which is known by a URL, does not have: it may have changed its keys.
func (h *house) suspect(id identity.ConnectionID, err error) {
	c := h.snapshot.connection(string(id))
	if err != nil && identity.CodeOf(err) == "up.signature" && c != nil && c.config.Metadata.URL != "" && h.doubt != nil {
		h.doubt()
	}
}

// buildTestPage makes the built-in service provider and registers it as a
// relying party that may have every attribute.
func (h *house) buildTestPage(sh *shared, site *web.Web, parties *directory) (*app, error) {
	own, err := h.entity()
	if err != nil {
		return nil, err
	}
	base := h.snapshot.Config.Server.BaseURL
	test, err := newApp(appConfig{
		BaseURL: base, Path: pathTest, Name: "Test page", IDP: own, Keys: h.snapshot.Keys,
		Catalogue: h.snapshot.Catalogue, Store: sh.store, Web: site,
	})
	if err != nil {
		return nil, err
	}
	doc, err := test.connector.Metadata()
	if err != nil {
		return nil, err
	}
	entity, err := metadata.Parse(doc, metadata.ParseOptions{Now: h.now, Want: metadata.RoleSP, AllowHTTP: true})
	if err != nil {
		return nil, fmt.Errorf("reading the metadata of the test page: %w", err)
	}
	rp := identity.RelyingParty{ID: "samlet-test", EntityID: entity.EntityID, Name: "Test page", Encrypt: identity.EncryptRule{Mode: identity.Never}}
	for _, a := range h.snapshot.Catalogue.All() {
		rp.Release = append(rp.Release, identity.ReleaseRule{Attribute: a.Name})
	}
	parties.add(party{Party: idp.Party{RelyingParty: rp, Metadata: entity}})
	return test, nil
}

// entity is samlet's own metadata, as a service provider reads it.
func (h *house) entity() (*metadata.Entity, error) {
	doc, err := h.idp.Metadata()
	if err != nil {
		return nil, err
	}
	e, err := metadata.Parse(doc.Body, metadata.ParseOptions{Now: h.now, Want: metadata.RoleIDP, AllowHTTP: true})
	if err != nil {
		return nil, fmt.Errorf("reading our own metadata: %w", err)
	}
	return e, nil
}

// home answers at the root: what is here, for whoever set samlet up.
func (h *house) home(site *web.Web) func(http.ResponseWriter, *http.Request) error {
	cfg := h.snapshot.Config
	page := templates.Home{EntityID: cfg.IDP.EntityID, Links: []templates.Link{
		{Label: "Set up an application", URL: pathVendor, Text: "Names, addresses and certificates to enter there."},
		{Label: "IdP metadata", URL: "/saml/metadata", Text: "The same for machines."},
		{Label: "How you sign in", URL: "/account", Text: "The ways in which you sign in, to see, to add to and to undo."},
		{Label: "What you allowed", URL: "/consents", Text: "What applications may learn of you, to see and to withdraw."},
		{Label: "Sign out", URL: "/logout", Text: "End your session here."},
	}}
	if *cfg.Server.TestPage {
		page.Links = append(page.Links, templates.Link{Label: "Test page", URL: pathTest, Text: "Sign in and see what an application is told."})
	}
	return func(w http.ResponseWriter, r *http.Request) error {
		return site.Render(w, r, http.StatusOK, page, web.RenderOptions{})
	}
}

// clientIP returns how the address of a browser is found: the peer's, or, where
// the peer is a trusted proxy, the last address in X-Forwarded-For that is none.
func clientIP(trusted []string) func(*http.Request) string {
	var proxies []netip.Prefix
	for _, s := range trusted {
		if p, err := netip.ParsePrefix(s); err == nil { // checked with the configuration
			proxies = append(proxies, p)
		}
	}
	isProxy := func(s string) bool {
		addr, err := netip.ParseAddr(s)
		return err == nil && slices.ContainsFunc(proxies, func(p netip.Prefix) bool { return p.Contains(addr.Unmap()) })
	}
	return func(r *http.Request) string {
		host, _, err := net.SplitHostPort(r.RemoteAddr)
		if err != nil {
			return r.RemoteAddr
		}
		hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
		for i := len(hops) - 1; i >= 0 && isProxy(host); i-- {
			hop := strings.TrimSpace(hops[i])
			if _, err := netip.ParseAddr(hop); err != nil {
				break
			}
			host = hop
		}
		return host
	}
}
