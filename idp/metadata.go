package idp

import (
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/samlet-id/samlet/certs"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/metadata"
)

// MetadataSettings is what our metadata says beyond what follows from Config.
type MetadataSettings struct {
	DisplayName         string   // for people, in English
	Logo                string   // https or data URI
	ErrorURL            string   // https
	PrivacyStatementURL string   // https
	Scopes              []string // shibmd:Scope
	Contacts            []metadata.Contact
	Unsigned            bool          // leaves the signature out
	ValidFor            time.Duration // 0 means metadata.DefaultValidFor
	CacheDuration       time.Duration // 0 means metadata.DefaultCacheDuration
}

// publish writes our metadata for the first time and keeps it fresh. It says
// what Mount serves and nothing else (SDP-MD04). The encryption keys are for
// identifiers in requests (SAML Core 2.2.4).
//
// A service provider that knows us by another name, or whose answers another key
// signs, gets a document of its own with that name and that key alone; all else
// is the same.
func (p *Provider) publish(as presence) (*metadata.Publication, error) {
	m := p.cfg.Metadata
	signer, keys := p.cfg.Keys.Signing(), p.cfg.Keys.Published(certs.Signing)
	if as.key != "" {
		named, err := p.named(as.key)
		if err != nil {
			return nil, err
		}
		signer, keys = named, []certs.Key{named}
	}
	cfg := metadata.IDPConfig{
		EntityID: as.issuer,
		SSO: []metadata.Endpoint{
			{Binding: identity.BindingRedirect, Location: p.ssoURL(as.at)},
			{Binding: identity.BindingPOST, Location: p.ssoURL(as.at)},
		},
		SLO: []metadata.Endpoint{
			{Binding: identity.BindingRedirect, Location: p.logoutURL(as.at, identity.BindingRedirect)},
			{Binding: identity.BindingPOST, Location: p.logoutURL(as.at, identity.BindingPOST)},
			{Binding: identity.BindingSOAP, Location: p.logoutURL(as.at, identity.BindingSOAP)},
		},
		ArtifactResolution: []metadata.IndexedEndpoint{{
			Endpoint: metadata.Endpoint{Binding: identity.BindingSOAP, Location: p.cfg.BaseURL + pathArtifact},
			Index:    artifactEndpointIndex, IsDefault: identity.On,
		}},
		Signing:                 keys,
		Encryption:              p.cfg.Keys.Published(certs.Encryption),
		WantAuthnRequestsSigned: p.cfg.RequireSignedRequests,
		DisplayName:             m.DisplayName, Logo: m.Logo, ErrorURL: m.ErrorURL, PrivacyStatementURL: m.PrivacyStatementURL, Scopes: m.Scopes, Contacts: m.Contacts,
		ValidFor: m.ValidFor, CacheDuration: m.CacheDuration, Now: p.cfg.Now,
	}
	if p.cfg.Direct != nil {
		cfg.SSO = append(cfg.SSO, metadata.Endpoint{Binding: identity.BindingSOAP, Location: p.cfg.BaseURL + pathECP})
	}
	if !m.Unsigned {
		cfg.SignWith = &signer
	}
	return metadata.NewPublication(metadata.PublicationConfig{
		Write:    func() ([]byte, error) { return metadata.WriteIDP(cfg) },
		ValidFor: m.ValidFor, Now: p.cfg.Now,
	})
}

// presence is how we appear to a service provider.
type presence struct {
	issuer identity.EntityID
	key    string                  // id of the only key that signs; empty: the active ones
	at     identity.RelyingPartyID // whose address takes its requests; empty: everybody's
}

// published are the metadata files that were asked for, one for each presence.
type published struct {
	mu    sync.Mutex
	files map[presence]*metadata.Publication
}

// publication returns the metadata of a presence, and keeps it: reading it again
// costs no signature.
func (p *Provider) publication(as presence) (*metadata.Publication, error) {
	p.published.mu.Lock()
	defer p.published.mu.Unlock()
	if file, ok := p.published.files[as]; ok {
		return file, nil
	}
	file, err := p.publish(as)
	if err != nil {
		return nil, fmt.Errorf("publishing metadata as %s: %w", as.issuer, err)
	}
	p.published.files[as] = file
	return file, nil
}

// Metadata returns our metadata as it is served now.
func (p *Provider) Metadata() (metadata.Document, error) {
	return p.metadataAs(presence{issuer: p.cfg.EntityID})
}

// MetadataFor returns our metadata as the service provider of an id has to know
// us, and where it is served: it differs from everybody's only if an Issuer or a
// signing key was configured for it.
func (p *Provider) MetadataFor(party Party) (doc metadata.Document, url string, err error) {
	as := presence{issuer: p.issuer(party), key: party.Sign.Key}
	if party.Issuer != "" {
		as.at = party.ID
	}
	url = p.cfg.BaseURL + pathMetadata
	if as != (presence{issuer: p.cfg.EntityID}) {
		url += "/" + string(party.ID)
	}
	doc, err = p.metadataAs(as)
	return doc, url, err
}

func (p *Provider) metadataAs(as presence) (metadata.Document, error) {
	file, err := p.publication(as)
	if err != nil {
		return metadata.Document{}, err
	}
	return file.Document()
}

// serveMetadata answers HEAD, too, as a file would: the headers are what a cache
// asks for.
func (p *Provider) serveMetadata(w http.ResponseWriter, r *http.Request) {
	doc, err := p.Metadata()
	p.serveDocument(w, r, doc, err)
}

// serveMetadataFor serves what one service provider alone has to know.
func (p *Provider) serveMetadataFor(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("sp")
	party, err := p.cfg.PartyByID(r.Context(), identity.RelyingPartyID(id))
	if err == nil && party.Issuer == "" && party.Sign.Key == "" {
		err = &identity.Error{
			Kind: identity.KindNotFound, Code: "web.not_found", Who: identity.WhoOperator,
			Msg: "There is nothing at this address.", Seen: id, Expected: pathMetadata + " serves this application, too",
		}
	}
	var doc metadata.Document
	if err == nil {
		doc, _, err = p.MetadataFor(party)
	}
	p.serveDocument(w, r, doc, err)
}

func (p *Provider) serveDocument(w http.ResponseWriter, r *http.Request, doc metadata.Document, err error) {
	if err != nil {
		p.cfg.Web.Handle(func(http.ResponseWriter, *http.Request) error { return err }).ServeHTTP(w, r)
		return
	}
	doc.ServeHTTP(w, r)
}
