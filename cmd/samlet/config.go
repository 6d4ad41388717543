package main

import (
	"time"
)

// Config is config.yaml as it was written: every field with its default filled
// in, references (env:, file:, cred:) still unresolved. Each key matches
// ^[a-z][a-z0-9_]*$, and names from the outside (URNs, attribute names, hosts)
// are values in lists, never keys.
type Config struct {
	Version          int                     `yaml:"version"`
	Server           ServerConfig            `yaml:"server"`
	IDP              IDPConfig               `yaml:"idp"`
	Keys             []KeyConfig             `yaml:"keys"`
	Store            StoreConfig             `yaml:"store"`
	Attributes       []AttributeConfig       `yaml:"attributes"`
	ServiceProviders []ServiceProviderConfig `yaml:"service_providers"`
	Connections      []ConnectionConfig      `yaml:"connections"`
	Authentication   AuthenticationConfig    `yaml:"authentication"`
	Log              LogConfig               `yaml:"log"`
}

// ServerConfig is where samlet listens and under which origin it is known.
type ServerConfig struct {
	BaseURL        string    `yaml:"base_url"`
	Listen         string    `yaml:"listen"`
	TrustedProxies []string  `yaml:"trusted_proxies"`
	TLS            TLSConfig `yaml:"tls"`
	// TestPage serves the built-in service provider at /test. Left out, it is
	// on in development alone.
	TestPage *bool `yaml:"test_page"`
}

// TLSConfig names the files of the server's own certificate.
type TLSConfig struct {
	Mode     word   `yaml:"mode"` // off, files
	CertFile string `yaml:"cert_file"`
	KeyFile  string `yaml:"key_file"`
}

// IDPConfig is how samlet presents itself to service providers.
type IDPConfig struct {
	EntityID                string         `yaml:"entity_id"`
	DisplayName             string         `yaml:"display_name"`
	WantAuthnRequestsSigned bool           `yaml:"want_authn_requests_signed"`
	Metadata                MetadataConfig `yaml:"metadata"`
}

// MetadataConfig is about the metadata that samlet publishes.
type MetadataConfig struct {
	ValidFor     Duration `yaml:"valid_for"`
	ContactEmail string   `yaml:"contact_email"`
}

// KeyConfig is one key with its certificate.
type KeyConfig struct {
	ID    string `yaml:"id"`
	Use   string `yaml:"use"`   // signing, encryption
	State string `yaml:"state"` // active, next, retiring, retired
	Key   string `yaml:"key"`   // reference
	Cert  string `yaml:"cert"`  // reference
}

// StoreConfig is where samlet keeps what it must remember.
type StoreConfig struct {
	Driver string `yaml:"driver"` // sqlite, postgres
	DSN    string `yaml:"dsn"`    // a path beside config.yaml, or a reference
}

// AttributeConfig is one row of the catalogue of attributes.
type AttributeConfig struct {
	ID           string `yaml:"id"`
	Label        string `yaml:"label"`
	Type         string `yaml:"type"` // string, email, string_list
	SAMLName     string `yaml:"saml_name"`
	NameFormat   string `yaml:"name_format"` // uri, basic, unspecified
	FriendlyName string `yaml:"friendly_name"`
	OIDCClaim    string `yaml:"oidc_claim"`
	LDAP         string `yaml:"ldap"`
}

// MetadataSource says where a peer's SAML metadata comes from: exactly one of
// File, URL, XML and Inline; File beside URL is the copy that was fetched.
type MetadataSource struct {
	File    string        `yaml:"file"`
	URL     string        `yaml:"url"`
	Refresh Duration      `yaml:"refresh"` // how often URL is fetched anew
	XML     string        `yaml:"xml"`
	Inline  *InlineEntity `yaml:"inline"`
}

// InlineEntity describes a peer that has no metadata.
type InlineEntity struct {
	EntityID     string   `yaml:"entity_id"`
	ACS          []string `yaml:"acs"`          // AssertionConsumerService, for a service provider
	SSO          []string `yaml:"sso"`          // SingleSignOnService (HTTP-Redirect), for an identity provider
	Certificates []string `yaml:"certificates"` // references
}

// ServiceProviderConfig is one relying party.
type ServiceProviderConfig struct {
	ID               string          `yaml:"id"`
	Name             string          `yaml:"name"`
	Disabled         bool            `yaml:"disabled"`
	Metadata         MetadataSource  `yaml:"metadata"`
	NameID           NameIDConfig    `yaml:"name_id"`
	Release          []ReleaseConfig `yaml:"release"`
	ReleaseRequested bool            `yaml:"release_requested"`
	Sign             SignConfig      `yaml:"sign"`
	Encrypt          EncryptConfig   `yaml:"encrypt"`
	Session          SPSessionConfig `yaml:"session"`
}

// NameIDConfig says which NameID a service provider gets when its request does
// not say.
type NameIDConfig struct {
	Format string `yaml:"format"` // persistent, transient, email, unspecified
	Source string `yaml:"source"` // attribute for unspecified
}

// ReleaseConfig lets one attribute leave.
type ReleaseConfig struct {
	Attribute  string   `yaml:"attribute"`
	As         string   `yaml:"as"`
	NameFormat string   `yaml:"name_format"` // uri, basic, unspecified
	Only       []string `yaml:"only"`
}

// SignConfig says what is signed; what is left out follows the metadata.
type SignConfig struct {
	Assertion             *bool `yaml:"assertion"`
	Response              *bool `yaml:"response"`
	RequireSignedRequests *bool `yaml:"require_signed_requests"`
}

// EncryptConfig says whether assertions are encrypted.
type EncryptConfig struct {
	Mode word `yaml:"mode"` // off, if_available, required
}

// SPSessionConfig is about the session at the service provider.
type SPSessionConfig struct {
	Lifetime Duration `yaml:"lifetime"`
}

// ConnectionConfig is one upstream identity source.
type ConnectionConfig struct {
	ID           string         `yaml:"id"`
	Type         string         `yaml:"type"`   // local, saml
	Preset       string         `yaml:"preset"` // generic
	Name         string         `yaml:"name"`
	Disabled     bool           `yaml:"disabled"`
	EmailDomains []string       `yaml:"email_domains"`
	Metadata     MetadataSource `yaml:"metadata"`
	Require      RequireConfig  `yaml:"require"`
	SignRequests *bool          `yaml:"sign_requests"`
	Map          []MapConfig    `yaml:"map"`
	Link         LinkConfig     `yaml:"link"`
}

// RequireConfig is what is demanded of an upstream, and what is not.
type RequireConfig struct {
	SignedAssertion bool `yaml:"signed_assertion"`
	SignedResponse  bool `yaml:"signed_response"`
	// WeakAlgorithms are accepted of this upstream although they are broken or
	// ageing: sha1 in signatures, aes-cbc inside of a signed Response.
	WeakAlgorithms []string `yaml:"weak_algorithms"`
	MaxClockSkew   Duration `yaml:"max_clock_skew"`
}

// MapConfig fills one attribute of the record.
type MapConfig struct {
	To    string     `yaml:"to"`
	From  stringList `yaml:"from"`
	Value string     `yaml:"value"`
}

// LinkConfig says what becomes of people who are not known yet.
type LinkConfig struct {
	Create   *bool  `yaml:"create"`
	By       string `yaml:"by"`       // subject: the upstream's own identifier
	Existing string `yaml:"existing"` // never: an account with the same mail stays another person's
	Update   string `yaml:"update"`   // every_login
}

// AuthenticationConfig is about signing in.
type AuthenticationConfig struct {
	Methods []MethodConfig `yaml:"methods"`
	Session SessionConfig  `yaml:"session"`
}

// MethodConfig is one way to sign in.
type MethodConfig struct {
	ID      string       `yaml:"id"` // password
	Enabled *bool        `yaml:"enabled"`
	Argon2  Argon2Config `yaml:"argon2"`
}

// Argon2Config sets the cost of a password hash (RFC 9106).
type Argon2Config struct {
	Memory Size `yaml:"memory"`
	Time   int  `yaml:"time"`
	Lanes  int  `yaml:"lanes"`
}

// SessionConfig bounds a session.
type SessionConfig struct {
	Idle     Duration `yaml:"idle"`
	Absolute Duration `yaml:"absolute"`
}

// LogConfig is about the log.
type LogConfig struct {
	Level  string `yaml:"level"`  // debug, info, warn, error
	Format string `yaml:"format"` // text, json
}

// defaultConfig is what every configuration starts from.
func defaultConfig() Config {
	return Config{
		Version: 1,
		Server:  ServerConfig{Listen: ":8443", TLS: TLSConfig{Mode: "off"}},
		IDP:     IDPConfig{DisplayName: "samlet", Metadata: MetadataConfig{ValidFor: Duration(7 * 24 * time.Hour)}},
		Store:   StoreConfig{Driver: "sqlite", DSN: "data/samlet.db"},
		Authentication: AuthenticationConfig{
			Session: SessionConfig{Idle: Duration(12 * time.Hour), Absolute: Duration(7 * 24 * time.Hour)},
		},
		Log: LogConfig{Level: "info", Format: "text"},
	}
}
