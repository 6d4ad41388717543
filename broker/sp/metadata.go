package sp

import (
	"fmt"
	"strings"

	"github.com/samlet-id/samlet/certs"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/metadata"
)

// Metadata returns what the IdP has to know of us, signed (SAML Metadata 2.4.4).
// It says what New was told, so that the document and the behaviour agree.
func (c *Connector) Metadata() ([]byte, error) {
	signing := c.cfg.Keys.Signing()
	var logout []metadata.Endpoint
	if c.cfg.SLO != "" {
		logout = []metadata.Endpoint{{Binding: identity.BindingRedirect, Location: c.cfg.SLO}, {Binding: identity.BindingPOST, Location: c.cfg.SLO}}
	}
	if c.cfg.SLOSOAP != "" {
		logout = append(logout, metadata.Endpoint{Binding: identity.BindingSOAP, Location: c.cfg.SLOSOAP})
	}
	acs := []metadata.IndexedEndpoint{{
		Endpoint: metadata.Endpoint{Binding: identity.BindingPOST, Location: c.cfg.ACS}, IsDefault: identity.On,
	}}
	if c.cfg.Artifact {
		acs = append(acs, metadata.IndexedEndpoint{Endpoint: metadata.Endpoint{Binding: identity.BindingArtifact, Location: c.cfg.ACS}, Index: 1})
	}
	var contacts []metadata.Contact
	if c.cfg.ContactEmail != "" {
		contacts = []metadata.Contact{{Type: "technical", Emails: []string{c.cfg.ContactEmail}}}
	}
	doc, err := metadata.WriteSP(metadata.SPConfig{
		EntityID: c.cfg.EntityID,
		ACS:      acs, Contacts: contacts,
		Signing: c.cfg.Keys.Published(certs.Signing), Encryption: c.cfg.Keys.Published(certs.Encryption),
		SLO:                 logout,
		NameIDFormats:       c.nameIDFormats(),
		AuthnRequestsSigned: c.signsRequests(), WantAssertionsSigned: c.cfg.RequireSignedAssertion,
		DisplayName: c.cfg.DisplayName, PrivacyStatementURL: c.cfg.PrivacyStatementURL, SubjectIDRequirement: c.subjectIDRequirement(), Now: c.cfg.Now, SignWith: &signing,
	})
	if err != nil {
		return nil, fmt.Errorf("writing the metadata for %q: %w", c.issuer, err)
	}
	return doc, nil
}

// nameIDFormats lists the formats by which a person is recognised again, the
// best first. Transient is none of them.
func (c *Connector) nameIDFormats() []identity.Format {
	if c.cfg.NameIDFormat != "" {
		return []identity.Format{c.cfg.NameIDFormat}
	}
	return []identity.Format{identity.FormatPersistent, identity.FormatEmail, identity.FormatUnspecified}
}

// subjectIDRequirement is the subject identifier by which people are known, if one is
// (SAML V2.0 Subject Identifier Attributes Profile 4.1); else nothing is stated, since
// what NameIDPolicy asks for is enough.
func (c *Connector) subjectIDRequirement() string {
	id, ok := strings.CutPrefix(string(c.cfg.SubjectAttribute), "urn:oasis:names:tc:SAML:attribute:")
	if !ok || id != "subject-id" && id != "pairwise-id" {
		return ""
	}
	return id
}
