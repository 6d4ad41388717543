package metadata

import (
	"crypto"
	"crypto/x509"
	"time"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/xmlsec"
)

// Entity is one EntityDescriptor (SAML Metadata 2.3.2) as far as it concerns
// SAML 2.0 web single sign-on. It is read-only once parsed.
type Entity struct {
	EntityID      identity.EntityID
	ValidUntil    time.Time     // the earliest that applies; zero: none was stated
	CacheDuration time.Duration // the shortest that applies; zero: none was stated
	IDP           *IDP          // nil unless the entity has this role for SAML 2.0
	SP            *SP           // nil unless the entity has this role for SAML 2.0
	Organization  Organization
	Contacts      []Contact
	Attributes    []EntityAttribute // mdattr:EntityAttributes
	Registration  Registration      // mdrpi:RegistrationInfo
	Extensions    []*xmlsec.Element // the children of md:Extensions, kept as they are

	// Findings are sentences for the operator about what was passed over, such
	// as a key that is too small beside one that is not.
	Findings []string
	Raw      []byte // the file
}

// Role is what IDPSSODescriptor and SPSSODescriptor have in common (SAML
// Metadata 2.4.1 and 2.4.2).
type Role struct {
	Signing    []crypto.PublicKey // any of them may have signed; a KeyDescriptor without use serves both
	Encryption []crypto.PublicKey // RSA; any one may be encrypted to
	// EncryptionMethods are those listed beside the first Encryption key, the
	// peer's favourite first.
	EncryptionMethods []EncryptionMethod
	Certificates      []Certificate // for people: every key that came in a certificate

	// DigestMethods and SigningMethods are the algorithms that the peer
	// verifies, its favourite first, where it says so (Metadata Profile for
	// Algorithm Support 2.3 and 2.4).
	DigestMethods  []string
	SigningMethods []string

	NameIDFormats []identity.Format
	SLO           []Endpoint // SingleLogoutService
	ErrorURL      string
	DisplayNames  []Localized // mdui:DisplayName
	Organization  Organization
	Contacts      []Contact
	Extensions    []*xmlsec.Element // the children of md:Extensions, kept as they are
}

// IDP is an IDPSSODescriptor (SAML Metadata 2.4.3).
type IDP struct {
	Role
	WantAuthnRequestsSigned bool
	SSO                     []Endpoint // SingleSignOnService
	ArtifactResolution      []IndexedEndpoint
	Scopes                  []string // shibmd:Scope that are no regular expressions
}

// SP is an SPSSODescriptor (SAML Metadata 2.4.4).
type SP struct {
	Role
	AuthnRequestsSigned        bool
	WantAssertionsSigned       bool
	ACS                        []IndexedEndpoint // AssertionConsumerService
	AttributeConsumingServices []AttributeConsumingService
	// DiscoveryResponses are where it takes the answers of identity provider discovery
	// (idpdisc:DiscoveryResponse, Identity Provider Discovery Service Protocol 2.5).
	DiscoveryResponses []IndexedEndpoint
}

// Certificate is a key with the certificate that it came in.
type Certificate struct {
	Use         string // "signing", "encryption", or "" for both
	Certificate *x509.Certificate
}

// EncryptionMethod is one algorithm with which a peer can be encrypted to (SAML
// Metadata 2.4.1.1, XMLEnc 1.1).
type EncryptionMethod struct {
	Algorithm    string
	DigestMethod string // of key transport; empty: not stated
	MGF          string // of key transport; empty: not stated
}

// Endpoint is where a peer takes messages (SAML Metadata 2.2.2).
type Endpoint struct {
	Binding          string // an identifier such as identity.BindingPOST
	Location         string
	ResponseLocation string // empty: Location
}

// ResponseURL is where the endpoint takes responses.
func (e Endpoint) ResponseURL() string {
	if e.ResponseLocation != "" {
		return e.ResponseLocation
	}
	return e.Location
}

// IndexedEndpoint is an Endpoint that requests can name by number (SAML Metadata
// 2.2.3).
type IndexedEndpoint struct {
	Endpoint
	Index     int             // -1: none was stated
	IsDefault identity.Switch // Auto: not stated
}

// AttributeConsumingService is a set of attributes that a service provider asks
// for (SAML Metadata 2.4.4.1).
type AttributeConsumingService struct {
	Index     int             // -1: none was stated
	IsDefault identity.Switch // Auto: not stated
	Names     []Localized     // ServiceName
	Requested []RequestedAttribute
}

// RequestedAttribute is one attribute that a service provider asks for (SAML
// Metadata 2.4.4.2).
type RequestedAttribute struct {
	Name         string
	NameFormat   identity.NameFormat
	FriendlyName string // for people
	Required     bool
	Values       []string // the only values of interest; empty: any
}

// Localized is a text in one language (BCP 47).
type Localized struct{ Lang, Text string }

// Organization says who runs an entity (SAML Metadata 2.3.2.1).
type Organization struct {
	Names        []Localized
	DisplayNames []Localized
	URLs         []Localized
}

// Contact says whom to ask (SAML Metadata 2.3.2.2).
type Contact struct {
	Type      string // "technical", "support", "administrative", "billing" or "other"; written as "technical" if empty
	Company   string
	GivenName string
	SurName   string
	Emails    []string // without "mailto:"
	Phones    []string
}

// Name returns what to call the entity in front of people: its mdui:DisplayName,
// else its organization's, else that of its attribute service, else its entityID.
// A text in lang is preferred, then one in English, then the first.
func (e *Entity) Name(lang string) string {
	var candidates [][]Localized
	if e.SP != nil {
		candidates = append(candidates, e.SP.DisplayNames)
	}
	if e.IDP != nil {
		candidates = append(candidates, e.IDP.DisplayNames)
	}
	candidates = append(candidates, e.Organization.DisplayNames)
	if e.SP != nil {
		for _, s := range e.SP.AttributeConsumingServices {
			candidates = append(candidates, s.Names)
		}
	}
	for _, c := range candidates {
		if s := inLanguage(c, lang); s != "" {
			return s
		}
	}
	return string(e.EntityID)
}

func inLanguage(texts []Localized, lang string) string {
	for _, want := range []string{lang, "en"} {
		for _, t := range texts {
			if t.Text != "" && t.Lang == want {
				return t.Text
			}
		}
	}
	for _, t := range texts {
		if t.Text != "" {
			return t.Text // pysaml2 writes empty ServiceNames
		}
	}
	return ""
}
