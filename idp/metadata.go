package idp

import (
	"net/http"
	"time"

	"github.com/samlet-id/samlet/certs"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/metadata"
)

// MetadataSettings is what our metadata says beyond what follows from Config.
type MetadataSettings struct {
	DisplayName   string // for people, in English
	ErrorURL      string
	Scopes        []string // shibmd:Scope
	Contacts      []metadata.Contact
	Unsigned      bool          // leaves the signature out
	ValidFor      time.Duration // 0 means metadata.DefaultValidFor
	CacheDuration time.Duration // 0 means metadata.DefaultCacheDuration
}

// publish writes our metadata for the first time and keeps it fresh. It says
// what Mount serves and nothing else (SDP-MD04); so there is no encryption key,
// which only identifiers encrypted to us would need.
func (p *Provider) publish() (*metadata.Publication, error) {
	m := p.cfg.Metadata
	cfg := metadata.IDPConfig{
		EntityID: p.cfg.EntityID,
		SSO: []metadata.Endpoint{
			{Binding: identity.BindingRedirect, Location: p.ssoURL},
			{Binding: identity.BindingPOST, Location: p.ssoURL},
		},
		Signing:                 p.cfg.Keys.Published(certs.Signing),
		WantAuthnRequestsSigned: p.cfg.RequireSignedRequests,
		DisplayName:             m.DisplayName, ErrorURL: m.ErrorURL, Scopes: m.Scopes, Contacts: m.Contacts,
		ValidFor: m.ValidFor, CacheDuration: m.CacheDuration, Now: p.cfg.Now,
	}
	if !m.Unsigned {
		key := p.cfg.Keys.Signing()
		cfg.SignWith = &key
	}
	return metadata.NewPublication(metadata.PublicationConfig{
		Write:    func() ([]byte, error) { return metadata.WriteIDP(cfg) },
		ValidFor: m.ValidFor, Now: p.cfg.Now,
	})
}

// Metadata returns our metadata as it is served now.
func (p *Provider) Metadata() (metadata.Document, error) { return p.published.Document() }

// serveMetadata answers HEAD, too, as a file would: the headers are what a cache
// asks for.
func (p *Provider) serveMetadata(w http.ResponseWriter, r *http.Request) {
	doc, err := p.Metadata()
	if err != nil {
		p.cfg.Web.Handle(func(http.ResponseWriter, *http.Request) error { return err }).ServeHTTP(w, r)
		return
	}
	doc.ServeHTTP(w, r)
}
