package idp

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/samlet-id/samlet/certs"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/web"
	"github.com/samlet-id/samlet/metadata"
	"github.com/samlet-id/samlet/store"
)

// Authenticator answers an AuthnRequest: it finds out who is at the browser and
// what the asking relying party may learn of them. It is safe for concurrent use.
type Authenticator interface {
	// Start begins a login. Either it knows the answer at once, or it names the
	// path of ours that the browser has to go to; the login then ends at
	// req.Resume. It writes nothing to w but headers. A refusal is an
	// identity.Error.
	Start(w http.ResponseWriter, r *http.Request, req identity.AuthnRequest) (identity.Outcome, error)
	// Result ends the login that the browser of r comes back from; it returns
	// an answer at most once. A login that was refused returns the request with
	// the identity.Error. An error without a request (its Resume is empty)
	// concerns the person at the browser alone.
	Result(w http.ResponseWriter, r *http.Request) (identity.AuthnRequest, identity.Assertion, error)
	Logouts
}

// Party is a service provider: what the operator configured, and its metadata.
type Party struct {
	identity.RelyingParty
	Metadata *metadata.Entity // with the SP role
	// Refused are the algorithms, by URI, that the operator forbids towards
	// everybody, in both directions.
	Refused []string
	Read    time.Time // when the metadata was had from its source; zero: not known
}

// Config is what New needs.
type Config struct {
	EntityID identity.EntityID
	BaseURL  string // absolute http(s) URL under which browsers reach us; may have a path

	// Party returns the service provider of an entityID, or an error of
	// KindNotFound, whose Expected may name the nearest one that is known. It is
	// asked once or twice a login and safe for concurrent use.
	Party func(context.Context, identity.EntityID) (Party, error)
	// PartyByID returns the service provider of an id; else like Party.
	PartyByID     func(context.Context, identity.RelyingPartyID) (Party, error)
	Authenticator Authenticator
	// Direct answers enhanced clients, which bring a name and a password (SAML
	// Profiles 4.2). Nil serves none.
	Direct    DirectAuthenticator
	Store     store.Store // keeps messages that artifacts stand for
	Keys      *certs.Ring
	Catalogue *identity.Catalogue
	Web       *web.Web
	Log       *slog.Logger

	// RequireSignedRequests refuses unsigned requests of every service provider
	// and says so in the metadata (WantAuthnRequestsSigned).
	RequireSignedRequests bool
	Metadata              MetadataSettings
	// HTTP calls service providers by SOAP, to tell them of logouts. It says
	// where such calls may go, and follows no redirects. Nil calls nobody.
	HTTP *http.Client

	Skew time.Duration // tolerated between clocks, either way; 0 means DefaultSkew
	Now  func() time.Time
	Rand io.Reader // of IDs and content keys, crypto/rand.Reader in earnest; safe for concurrent use
}

// DefaultSkew is the tolerance between clocks that the implementation profile
// demands (IIP-G01).
const DefaultSkew = 3 * time.Minute

// Our paths, below the path of BaseURL.
const (
	pathSSO      = "/saml/sso"
	pathOwnSSO   = "/saml/as/{sp}/sso" // for the service provider of that id alone
	pathResume   = "/saml/sso/resume"
	pathMetadata = "/saml/metadata"

	pathLogout     = "/saml/slo"
	pathLogoutSOAP = "/saml/slo/soap"

	pathOwnLogout     = "/saml/as/{sp}/slo"
	pathOwnLogoutSOAP = "/saml/as/{sp}/slo/soap"
)

// Provider is the identity provider. It is safe for concurrent use.
type Provider struct {
	cfg  Config
	base string // path of BaseURL, without the last slash

	published published
}

// New checks cfg.
func New(cfg Config) (*Provider, error) {
	switch {
	case cfg.EntityID == "":
		return nil, errors.New("idp: EntityID is required")
	case cfg.Party == nil || cfg.PartyByID == nil || cfg.Authenticator == nil:
		return nil, errors.New("idp: Party, PartyByID and Authenticator are required")
	case cfg.Store == nil:
		return nil, errors.New("idp: Store is required")
	case cfg.Keys == nil || cfg.Catalogue == nil:
		return nil, errors.New("idp: Keys and Catalogue are required")
	case cfg.Web == nil || cfg.Log == nil:
		return nil, errors.New("idp: Web and Log are required")
	case cfg.Now == nil || cfg.Rand == nil:
		return nil, errors.New("idp: Now and Rand are required")
	case cfg.Skew < 0:
		return nil, errors.New("idp: Skew is negative")
	}
	u, err := url.Parse(cfg.BaseURL)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, errors.New("idp: BaseURL is no absolute http(s) URL")
	}
	if cfg.Skew == 0 {
		cfg.Skew = DefaultSkew
	}
	cfg.BaseURL = strings.TrimSuffix(cfg.BaseURL, "/")
	p := &Provider{cfg: cfg, base: strings.TrimSuffix(u.EscapedPath(), "/")}
	p.published.files = map[presence]*metadata.Publication{}
	if _, err := p.publication(presence{issuer: cfg.EntityID}); err != nil {
		return nil, err // what cannot be published is known at the start
	}
	return p, nil
}

// Mount registers the routes of the identity provider.
func (p *Provider) Mount(mux *http.ServeMux) {
	mux.Handle("GET "+p.base+pathSSO, p.cfg.Web.Handle(p.sso))
	mux.Handle("POST "+p.base+pathSSO, p.cfg.Web.Handle(p.sso))
	mux.Handle("GET "+p.base+pathOwnSSO, p.cfg.Web.Handle(p.sso))
	mux.Handle("POST "+p.base+pathOwnSSO, p.cfg.Web.Handle(p.sso))
	mux.Handle("GET "+p.base+pathResume, p.cfg.Web.Handle(p.resume))
	mux.Handle("GET "+p.base+pathUnsolicited, p.cfg.Web.Handle(p.unsolicited))
	for _, path := range []string{pathLogout, pathOwnLogout} {
		mux.Handle("GET "+p.base+path, p.cfg.Web.Handle(p.singleLogout))
		mux.Handle("POST "+p.base+path, p.cfg.Web.Handle(p.singleLogout))
	}
	for _, path := range []string{pathLogoutSOAP, pathOwnLogoutSOAP} {
		mux.Handle("POST "+p.base+path, p.soap(p.singleLogoutSOAP))
	}
	mux.Handle("POST "+p.base+pathArtifact, p.soap(p.resolveArtifact))
	if p.cfg.Direct != nil {
		mux.Handle("POST "+p.base+pathECP, p.soap(p.ecp))
	}
	mux.HandleFunc("GET "+p.base+pathMetadata, p.serveMetadata)
	mux.HandleFunc("GET "+p.base+pathMetadata+"/{sp}", p.serveMetadataFor)
}

// ssoURL is where the SingleSignOnService is: for everybody, or for the one
// service provider that knows us by an entityID of its own.
func (p *Provider) ssoURL(at identity.RelyingPartyID) string {
	if at == "" {
		return p.cfg.BaseURL + pathSSO
	}
	return p.cfg.BaseURL + strings.Replace(pathOwnSSO, "{sp}", string(at), 1)
}

// CrossSitePosts returns the ServeMux patterns that take forms of other sites:
// messages by the POST binding, which prove themselves.
func (p *Provider) CrossSitePosts() []string {
	return []string{"POST " + p.base + pathSSO, "POST " + p.base + pathOwnSSO, "POST " + p.base + pathLogout, "POST " + p.base + pathOwnLogout, "POST " + p.base + pathArtifact}
}
