package main

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/samlet-id/samlet/broker/ldap"
	"github.com/samlet-id/samlet/broker/rp"
	"github.com/samlet-id/samlet/certs"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/idp"
	"github.com/samlet-id/samlet/metadata"
)

// snapshot is a configuration with everything it refers to: keys loaded,
// metadata read and checked. It never changes; a reload makes a new one.
type snapshot struct {
	Config      *Config
	Keys        *certs.Ring
	Catalogue   *identity.Catalogue
	Parties     []party
	Connections []connection
	Tenants     []identity.Tenant
	Unproven    []string  // mail domains of organizations that are not proven yet, or any more
	Warnings    []string  // what works without, such as metadata that could not be fetched
	Incomplete  bool      // metadata that could not be fetched is left out
	Expires     time.Time // the first validUntil of metadata that is fetched; zero for none
	Files       []string  // every file that was read
	Digest      [32]byte  // of every byte read, to tell whether anything changed
}

// party is one relying party of the snapshot.
type party struct {
	idp.Party
	builtIn bool   // not from config.yaml
	recipe  string // that made the entry
}

// connection is one upstream of the snapshot.
type connection struct {
	identity.Connection
	Metadata  *metadata.Entity // nil for local
	config    ConnectionConfig
	directory *ldap.Config    // of type ldap alone
	secret    identity.Secret // of types oidc and oauth
	apple     *rp.AppleKey    // of type oidc, preset apple
}

// allowsSHA1 reports whether SHA-1 is accepted of this upstream.
func (c connection) allowsSHA1() bool {
	return slices.Contains(c.config.Require.WeakAlgorithms, "sha1")
}

// loadSnapshot reads the configuration at path and all it refers to. It uses no
// network: metadata that is known by a URL comes from the copy of an earlier
// fetch, and is left out if there is none.
func loadSnapshot(path string) (*snapshot, error) {
	return buildSnapshot(path, loadKeys, func(*sources) {})
}

// refreshSnapshot is loadSnapshot, but fetches metadata anew and falls back to
// the copies.
func refreshSnapshot(ctx context.Context, path string) (*snapshot, error) {
	return buildSnapshot(path, loadKeys, func(src *sources) { src.fetchAll(ctx) })
}

func buildSnapshot(path string, keys func(*Config, *decoder) (*certs.Ring, error), prepare func(*sources)) (*snapshot, error) {
	cfg, d, err := readConfig(path)
	if err != nil {
		return nil, err
	}
	s := &snapshot{Config: cfg}
	if s.Catalogue, err = catalogueOf(cfg); err != nil {
		return nil, fmt.Errorf("reading the attributes: %w", err)
	}
	ring, keyErr := keys(cfg, d)
	s.Keys = ring
	src := &sources{decoder: d, config: cfg}
	prepare(src)
	src.warnings = looseModes(cfg, d)
	s.loadParties(src, readPolicy(cfg, s.Catalogue, d))
	s.loadConnections(src)
	s.Tenants = tenantsOf(cfg.Organizations)
	if len(d.faults) > 0 {
		return nil, &configError{d.sorted()}
	}
	if keyErr != nil {
		return nil, keyErr
	}
	s.Warnings, s.Incomplete, s.Expires, s.Files = src.warnings, src.missing, src.expires, d.files
	d.sum.Sum(s.Digest[:0])
	return s, nil
}

// catalogueOf builds the catalogue of attributes.
func catalogueOf(cfg *Config) (*identity.Catalogue, error) {
	rows := make([]identity.Attribute, len(cfg.Attributes))
	for i, a := range cfg.Attributes {
		rows[i] = identity.Attribute{
			Name: identity.Name(a.ID), Label: a.Label, Type: a.Type, SAMLName: a.SAMLName,
			NameFormat: nameFormat(a.NameFormat), FriendlyName: a.FriendlyName, OIDCClaim: a.OIDCClaim, LDAP: a.LDAP,
		}
	}
	return identity.NewCatalogue(rows)
}

func nameFormat(s string) identity.NameFormat {
	switch s {
	case "uri":
		return identity.NameFormatURI
	case "basic":
		return identity.NameFormatBasic
	case "unspecified":
		return identity.NameFormatUnspecified
	}
	return ""
}

func nameIDFormat(s string) identity.Format {
	switch s {
	case "persistent":
		return identity.FormatPersistent
	case "transient":
		return identity.FormatTransient
	case "email":
		return identity.FormatEmail
	case "unspecified":
		return identity.FormatUnspecified
	case "", "none":
		return ""
	}
	return identity.Format(s)
}

func (s *snapshot) loadParties(src *sources, rules *policy) {
	warn := func(format string, args ...any) { src.warnings = append(src.warnings, fmt.Sprintf(format, args...)) }
	type known struct{ entityID, issuer identity.EntityID }
	seen := map[known]string{}
	docs := make([]peerDocument, len(s.Config.ServiceProviders))
	for i, c := range s.Config.ServiceProviders {
		docs[i] = peerDocument{at: fmt.Sprintf("service_providers[%d].metadata", i), copyName: "sp-" + c.ID, source: c.Metadata, want: metadata.RoleSP}
	}
	src.load(docs)
	for i, c := range s.Config.ServiceProviders {
		at, entity := docs[i].at, docs[i].entity
		if entity == nil {
			continue
		}
		as := known{entity.EntityID, identity.EntityID(c.IDP.EntityID)}
		if other, taken := seen[as]; taken {
			src.decoder.faultAt(at, "%s has the entityID %s, and so has %s; entries about one application each need an idp.entity_id of their own", c.ID, entity.EntityID, other)
			continue
		}
		seen[as] = c.ID
		rp := relyingParty(c, entity.EntityID)
		rules.apply(i, c, &rp, entity, warn)
		p := idp.Party{RelyingParty: rp, Metadata: entity, Refused: refusedAlgorithms(s.Config), Read: src.readAt("sp-"+c.ID, c.Metadata)}
		if s.Keys != nil { // else that is what has to be told
			if weakness := p.Weakness(s.Keys); weakness != "" {
				warn("service_providers[%d]: %s: %s", i, c.ID, weakness)
			}
		}
		s.Parties = append(s.Parties, party{Party: p, recipe: c.Recipe})
	}
}

// relyingParty is what config.yaml says of a service provider, but for what may
// leave and who may be signed in there, which is policy.apply's.
func relyingParty(c ServiceProviderConfig, entityID identity.EntityID) identity.RelyingParty {
	return identity.RelyingParty{
		ID: identity.RelyingPartyID(c.ID), EntityID: entityID, Name: c.Name, Disabled: c.Disabled,
		Issuer: identity.EntityID(c.IDP.EntityID), Organizations: organizationIDs(c.Organizations),
		NameID: identity.NameIDRule{
			Format: nameIDFormat(c.NameID.Format), Source: identity.Name(c.NameID.Source), None: c.NameID.Format == "none",
			NameQualifier: c.NameID.NameQualifier, SPNameQualifier: c.NameID.SPNameQualifier,
		},
		SubjectID:        subjectIDRule(c.SubjectID),
		ReleaseRequested: c.ReleaseRequested || c.ReleaseRequiredOnly, ReleaseRequired: c.ReleaseRequiredOnly,
		Refusal: c.Access.Message, Consent: consentMode(c.Consent),
		Sign: identity.SignRule{
			Assertion: switchOf(c.Sign.Assertion), Response: switchOf(c.Sign.Response),
			RequireRequests: switchOf(c.Sign.RequireSignedRequests),
			Algorithm:       signAlgorithms[c.Sign.Algorithm], Key: c.IDP.SigningKey,
		},
		Encrypt:         encryptRule(c.Encrypt),
		ExactAsMinimum:  c.AuthnContext.ExactAsMinimum,
		SessionLifetime: time.Duration(c.Session.Lifetime),
		IDPInitiated:    c.Session.IDPInitiated, ECP: c.ECP, DiscoveryResponses: c.DiscoveryResponse,
		NoLogout: c.Session.SingleLogout != nil && !*c.Session.SingleLogout,
	}
}

func releaseRule(r ReleaseConfig) identity.ReleaseRule {
	rule := identity.ReleaseRule{
		Attribute: identity.Name(r.Attribute), Constant: r.Constant,
		As: r.As, NameFormat: nameFormat(r.NameFormat), FriendlyName: r.FriendlyName,
		Only: r.Only, First: r.First, Join: r.Join,
	}
	for _, s := range r.Sources {
		rule.Sources = append(rule.Sources, sourceOf(s))
	}
	return rule
}

// sourceOf returns the origin of values by the name it has in config.yaml.
func sourceOf(s string) identity.Source {
	switch s {
	case "operator":
		return identity.SourceOperator
	case "person":
		return identity.SourcePerson
	}
	return identity.Source(s)
}

func subjectIDRule(s string) identity.SubjectIDRule {
	switch s {
	case "none":
		return identity.SubjectIDNone
	case "subject-id":
		return identity.SubjectIDGeneral
	case "pairwise-id":
		return identity.SubjectIDPairwise
	}
	return identity.SubjectIDRequested
}

func consentMode(s string) identity.ConsentMode {
	switch s {
	case "first_use":
		return identity.ConsentFirstUse
	case "on_change":
		return identity.ConsentOnChange
	case "always":
		return identity.ConsentAlways
	}
	return identity.ConsentNever
}

func switchOf(b *bool) identity.Switch {
	switch {
	case b == nil:
		return identity.Auto
	case *b:
		return identity.On
	}
	return identity.Off
}

// errorURL is where an upstream helps people, with the entityID by which it knows us.
// Over plain http nobody knows whose page it is.
func errorURL(told, own string) string {
	if !strings.HasPrefix(told, "https://") {
		return ""
	}
	return strings.ReplaceAll(told, "ERRORURL_RP", url.QueryEscape(own))
}

func (s *snapshot) loadConnections(src *sources) {
	peers := s.loadUpstreams(src)
	seen := map[identity.EntityID]string{}
	for i, c := range s.Config.Connections {
		conn := connection{config: c, Connection: identity.Connection{
			ID: identity.ConnectionID(c.ID), Type: c.Type, Name: c.Name, EmailDomains: c.EmailDomains, LeadRemembered: c.Remembered == "lead", Organization: identity.OrganizationID(c.Organization),
			Create: c.Link.Create == nil || *c.Link.Create, Disabled: c.Disabled, Once: c.once(), Trust: c.AuthnContext.trust(),
			AskDemanded: c.AuthnContext.Request == "demanded", Require: c.AuthnContext.required(),
		}}
		if c.Link.By == "attribute" {
			conn.LinkBy = identity.Name(c.Link.Attribute)
		}
		conn.Existing = existingRule(c.Link.Existing)
		conn.Mapping = c.rules(s.Catalogue)
		for j, m := range c.Map {
			rule, err := mapRule(m)
			if err != nil {
				src.decoder.faultAt(fmt.Sprintf("connections[%d].map[%d]", i, j), "%v", err)
			}
			conn.Mapping = append(conn.Mapping, rule)
		}
		for _, a := range c.Require.WeakAlgorithms {
			src.warnings = append(src.warnings, fmt.Sprintf("connections[%d].require.weak_algorithms: %s is accepted of %s", i, a, c.ID))
		}
		if c.Type == "saml" {
			if conn.Metadata = peers[c.ID].entity; conn.Metadata == nil {
				continue
			}
			if other, taken := seen[conn.Metadata.EntityID]; taken {
				src.decoder.faultAt(peers[c.ID].at, "%s has the entityID %s, and so has %s", c.ID, conn.Metadata.EntityID, other)
				continue
			}
			seen[conn.Metadata.EntityID] = c.ID
			conn.ErrorURL = errorURL(conn.Metadata.IDP.ErrorURL, s.Config.Server.BaseURL+pathSPMetadata+c.ID+"/metadata")
			if c.Artifact && !resolves(conn.Metadata.IDP) {
				conn.config.Artifact = false
				src.warnings = append(src.warnings, fmt.Sprintf("connections[%d].artifact: the metadata of %s has no ArtifactResolutionService by SOAP; it is asked to answer by HTTP-POST", i, c.ID))
			}
		}
		if c.Type == "ldap" {
			conn.Issuer = identity.EntityID("ldap:" + c.ID)
			if conn.directory = src.directory(fmt.Sprintf("connections[%d]", i), c); conn.directory == nil {
				continue
			}
		}
		if c.byOAuth() {
			conn.Issuer = identity.EntityID(c.Issuer)
			conn.secret = src.clientSecret(i, c)
			if c.Preset == "apple" {
				conn.apple = src.appleKey(i, c)
			}
		}
		s.Connections = append(s.Connections, conn)
	}
}

func existingRule(s string) identity.ExistingRule {
	switch s {
	case "verified_email":
		return identity.ExistingVerified
	case "ask":
		return identity.ExistingAsk
	}
	return identity.ExistingNever
}

// loadUpstreams reads the metadata of the SAML connections, by their IDs.
func (s *snapshot) loadUpstreams(src *sources) map[string]peerDocument {
	var docs []peerDocument
	var ids []string
	for i, c := range s.Config.Connections {
		if c.Type == "saml" {
			ids = append(ids, c.ID)
			docs = append(docs, peerDocument{at: fmt.Sprintf("connections[%d].metadata", i), copyName: "connection-" + c.ID, source: c.Metadata, want: metadata.RoleIDP})
		}
	}
	src.load(docs)
	peers := make(map[string]peerDocument, len(docs))
	for i, id := range ids {
		peers[id] = docs[i]
	}
	return peers
}

// party finds a service provider by its id.
func (s *snapshot) party(id string) (party, error) {
	var ids []string
	for _, p := range s.Parties {
		if string(p.ID) == id {
			return p, nil
		}
		ids = append(ids, string(p.ID))
	}
	return party{}, errNoSuch("service provider", id, ids)
}

// connection finds a connection that can be used.
func (s *snapshot) connection(id string) *connection {
	i := slices.IndexFunc(s.Connections, func(c connection) bool { return string(c.ID) == id })
	if i < 0 {
		return nil
	}
	return &s.Connections[i]
}

func (s *snapshot) connectionIDs() []string {
	var ids []string
	for _, c := range s.Connections {
		ids = append(ids, string(c.ID))
	}
	return ids
}

// warningsOf returns the warnings about one connection.
func (s *snapshot) warningsOf(id string) []string {
	i := slices.IndexFunc(s.Config.Connections, func(c ConnectionConfig) bool { return c.ID == id })
	var found []string
	for _, w := range s.Warnings {
		if strings.HasPrefix(w, fmt.Sprintf("connections[%d].", i)) {
			found = append(found, w)
		}
	}
	return found
}

func joinLines(lines []string) string { return strings.Join(lines, "\n") }
