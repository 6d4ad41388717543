package main

import (
	"time"
)

// Config is config.yaml as it was written: every field with its default filled
// in, references (env:, file:, cred:) still unresolved. Each key matches
// ^[a-z][a-z0-9_]*$, and names from the outside (URNs, attribute names, hosts)
// are values in lists, never keys.
type Config struct {
	Version int          `yaml:"version"`
	Server  ServerConfig `yaml:"server"`
	IDP     IDPConfig    `yaml:"idp"`
	Keys    []KeyConfig  `yaml:"keys"`
	// RefuseAlgorithms are neither used nor accepted, beyond those that never are.
	RefuseAlgorithms []string                `yaml:"refuse_algorithms"`
	Store            StoreConfig             `yaml:"store"`
	Attributes       []AttributeConfig       `yaml:"attributes"`
	EntityCategories []CategoryConfig        `yaml:"entity_categories"`
	ServiceProviders []ServiceProviderConfig `yaml:"service_providers"`
	Connections      []ConnectionConfig      `yaml:"connections"`
	Organizations    []OrganizationConfig    `yaml:"organizations"`
	Authentication   AuthenticationConfig    `yaml:"authentication"`
	Log              LogConfig               `yaml:"log"`
}

// ServerConfig is where samlet listens and under which origin it is known.
type ServerConfig struct {
	BaseURL        string    `yaml:"base_url"`
	Listen         string    `yaml:"listen"`
	TrustedProxies []string  `yaml:"trusted_proxies"`
	TLS            TLSConfig `yaml:"tls"`
	// Outbound lists the private networks that calls to peers may reach; none,
	// but for loopback in development.
	Outbound []string `yaml:"outbound"`
	// DNS is the server that is asked for proofs of mail domains, HOST:PORT; the
	// machine's if it is left out.
	DNS string `yaml:"dns"`
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
	Scope                   string         `yaml:"scope"` // of subject-id and pairwise-id, such as example.test
	Metadata                MetadataConfig `yaml:"metadata"`
	Logout                  LogoutConfig   `yaml:"logout"`
	MaxClockSkew            Duration       `yaml:"max_clock_skew"`
}

// MetadataConfig is about the metadata that samlet publishes.
type MetadataConfig struct {
	ValidFor     Duration `yaml:"valid_for"`
	ContactEmail string   `yaml:"contact_email"`
	ErrorURL     string   `yaml:"error_url"`
	Logo         string   `yaml:"logo"` // https or data URI
	PrivacyURL   string   `yaml:"privacy_url"`
}

// LogoutConfig is about single logout.
type LogoutConfig struct {
	Timeout Duration `yaml:"timeout"` // how long all applications together may take
}

// CategoryConfig releases attributes to every service provider whose metadata
// carries an entity attribute, as far as it has release_categories.
type CategoryConfig struct {
	Name    string          `yaml:"name"` // of the entity attribute; http://macedir.org/entity-category if left out
	Value   string          `yaml:"value"`
	Release []ReleaseConfig `yaml:"release"`
}

// KeyConfig is one key with its certificate.
type KeyConfig struct {
	ID    string `yaml:"id"`
	Use   string `yaml:"use"`   // signing, encryption
	State string `yaml:"state"` // active, next, retiring, retired, dedicated
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
	ID                  string             `yaml:"id"`
	Name                string             `yaml:"name"`
	Disabled            bool               `yaml:"disabled"`
	Organizations       []string           `yaml:"organizations"` // whose people alone are served
	Recipe              string             `yaml:"recipe"`        // the recipe that made the entry
	Metadata            MetadataSource     `yaml:"metadata"`
	DiscoveryResponse   []string           `yaml:"discovery_response"` // beside those of the metadata
	IDP                 SPIdentityConfig   `yaml:"idp"`
	NameID              NameIDConfig       `yaml:"name_id"`
	SubjectID           string             `yaml:"subject_id"` // requested, none, subject-id, pairwise-id
	Release             []ReleaseConfig    `yaml:"release"`
	ReleaseRequested    bool               `yaml:"release_requested"`
	ReleaseRequiredOnly bool               `yaml:"release_required_only"`
	ReleaseCategories   bool               `yaml:"release_categories"`
	Access              AccessConfig       `yaml:"access"`
	Consent             string             `yaml:"consent"` // never, first_use, on_change, always
	AuthnContext        AuthnContextConfig `yaml:"authn_context"`
	Sign                SignConfig         `yaml:"sign"`
	Encrypt             EncryptConfig      `yaml:"encrypt"`
	Session             SPSessionConfig    `yaml:"session"`
	ECP                 bool               `yaml:"ecp"`
}

// SPIdentityConfig is how samlet presents itself to one service provider alone.
type SPIdentityConfig struct {
	EntityID   string `yaml:"entity_id"`
	SigningKey string `yaml:"signing_key"` // id of a key
}

// NameIDConfig says which NameID a service provider gets when its request does
// not say.
type NameIDConfig struct {
	Format          string `yaml:"format"` // persistent, transient, email, unspecified, none, or a URI
	Source          string `yaml:"source"` // attribute whose value it is
	NameQualifier   string `yaml:"name_qualifier"`
	SPNameQualifier string `yaml:"sp_name_qualifier"`
}

// ReleaseConfig lets one attribute leave: the values of Attribute, a Constant, or
// what the expression Value computes.
type ReleaseConfig struct {
	Attribute    string     `yaml:"attribute"`
	Constant     stringList `yaml:"constant"`
	Value        string     `yaml:"value"` // expression
	As           string     `yaml:"as"`
	NameFormat   string     `yaml:"name_format"` // uri, basic, unspecified
	FriendlyName string     `yaml:"friendly_name"`
	Only         []string   `yaml:"only"`
	Sources      []string   `yaml:"sources"` // operator, person, or ids of connections
	First        bool       `yaml:"first"`
	Join         string     `yaml:"join"`
}

// AccessConfig says who may use a service provider.
type AccessConfig struct {
	Require string `yaml:"require"` // expression
	Message string `yaml:"message"`
}

// AuthnContextConfig is about what a service provider demands of a sign-in.
type AuthnContextConfig struct {
	ExactAsMinimum bool `yaml:"exact_as_minimum"`
}

// SignConfig says what is signed; what is left out follows the metadata.
type SignConfig struct {
	Assertion             *bool  `yaml:"assertion"`
	Response              *bool  `yaml:"response"`
	RequireSignedRequests *bool  `yaml:"require_signed_requests"`
	Algorithm             string `yaml:"algorithm"` // rsa-sha256, ecdsa-sha256, ed25519 and so on
}

// EncryptConfig says whether and how assertions are encrypted.
type EncryptConfig struct {
	Mode         word   `yaml:"mode"`          // off, if_available, required
	Content      string `yaml:"content"`       // aes256-gcm, aes128-gcm, aes256-cbc, aes128-cbc
	KeyTransport string `yaml:"key_transport"` // rsa-oaep, rsa-oaep-sha256
}

// SPSessionConfig is about the session at the service provider.
type SPSessionConfig struct {
	Lifetime     Duration `yaml:"lifetime"`
	IDPInitiated bool     `yaml:"idp_initiated"`
	SingleLogout *bool    `yaml:"single_logout"`
}

// ConnectionConfig is one upstream identity source.
type ConnectionConfig struct {
	ID           string         `yaml:"id"`
	Type         string         `yaml:"type"`   // local, saml, oidc, oauth, ldap
	Preset       string         `yaml:"preset"` // of a vendor
	Name         string         `yaml:"name"`
	Disabled     bool           `yaml:"disabled"`
	Organization string         `yaml:"organization"`
	EmailDomains []string       `yaml:"email_domains"`
	Remembered   string         `yaml:"remembered"` // offer, lead
	Metadata     MetadataSource `yaml:"metadata"`
	Require      RequireConfig  `yaml:"require"`
	SignRequests *bool          `yaml:"sign_requests"`
	Map          []MapConfig    `yaml:"map"`
	Link         LinkConfig     `yaml:"link"`
	Artifact     bool           `yaml:"artifact"`
	IDPInitiated stringList     `yaml:"idp_initiated"` // ids of service providers
	Scopes       ScopesConfig   `yaml:"scopes"`
	NameIDPolicy string         `yaml:"name_id_policy"` // none, any, persistent, transient, email, unspecified, or a URI
	AuthnContext TrustConfig    `yaml:"authn_context"`
	URLs         stringList     `yaml:"urls"` // of a directory's servers, in the order of preference
	StartTLS     bool           `yaml:"start_tls"`
	CA           string         `yaml:"ca"` // reference
	Bind         BindConfig     `yaml:"bind"`
	Users        UsersConfig    `yaml:"users"`
	Groups       GroupsConfig   `yaml:"groups"`
	Timeout      Duration       `yaml:"timeout"`
	// MaxConnections to a directory at once, and whether people are told that it has
	// locked their account.
	MaxConnections int  `yaml:"max_connections"`
	TellLocked     bool `yaml:"tell_locked"`

	// Of an OpenID Provider.
	Issuer                  string     `yaml:"issuer"`
	ClientID                string     `yaml:"client_id"`
	ClientSecret            string     `yaml:"client_secret"` // reference
	RequestScopes           stringList `yaml:"request_scopes"`
	TokenEndpointAuthMethod string     `yaml:"token_endpoint_auth_method"`
	UserInfo                *bool      `yaml:"userinfo"`       // nil: true
	HostedDomains           stringList `yaml:"hosted_domains"` // of Google Workspace
	Tenants                 stringList `yaml:"tenants"`        // of Microsoft Entra
	Memberships             stringList `yaml:"memberships"`    // organizations of GitHub
	TeamID                  string     `yaml:"team_id"`        // with KeyID and PrivateKey, of Apple
	KeyID                   string     `yaml:"key_id"`
	PrivateKey              string     `yaml:"private_key"` // reference
}

// RequireConfig is what is demanded of an upstream, and what is not.
type RequireConfig struct {
	SignedAssertion bool  `yaml:"signed_assertion"`
	SignedResponse  *bool `yaml:"signed_response"` // nil: true, unless the preset knows better
	// WeakAlgorithms are accepted of this upstream although they are broken or
	// ageing: sha1 in signatures, aes-cbc inside of a signed Response.
	WeakAlgorithms []string `yaml:"weak_algorithms"`
	MaxClockSkew   Duration `yaml:"max_clock_skew"`
}

// MapConfig fills one attribute of the record.
type MapConfig struct {
	To         string            `yaml:"to"`
	From       stringList        `yaml:"from"`
	Match      string            `yaml:"match"` // RE2 pattern of the whole value
	Replace    string            `yaml:"replace"`
	Translate  []TranslateConfig `yaml:"translate"`
	KeepOthers bool              `yaml:"keep_others"`
	Only       []string          `yaml:"only"`
	Value      string            `yaml:"value"`    // expression
	Constant   stringList        `yaml:"constant"` // for when nothing else gave anything
	Required   bool              `yaml:"required"`
}

// TranslateConfig gives one value another name.
type TranslateConfig struct {
	From string `yaml:"from"`
	To   string `yaml:"to"`
}

// LinkConfig says what becomes of people who are not known yet.
type LinkConfig struct {
	Create *bool `yaml:"create"`
	// By is subject, the upstream's own identifier, or attribute, the value of
	// Attribute under the upstream's name.
	By        string `yaml:"by"`
	Attribute string `yaml:"attribute"`
	Existing  string `yaml:"existing"` // never: an account with the same mail stays another person's; verified_email; ask
	Update    string `yaml:"update"`   // every_login
}

// AuthenticationConfig is about signing in.
type AuthenticationConfig struct {
	Methods            []MethodConfig `yaml:"methods"`
	Session            SessionConfig  `yaml:"session"`
	RememberConnection Duration       `yaml:"remember_connection"` // 0s: not at all
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
		IDP: IDPConfig{
			DisplayName: "samlet", Metadata: MetadataConfig{ValidFor: Duration(7 * 24 * time.Hour)},
			Logout: LogoutConfig{Timeout: Duration(5 * time.Second)}, MaxClockSkew: Duration(3 * time.Minute),
		},
		Store: StoreConfig{Driver: "sqlite", DSN: "data/samlet.db"},
		Authentication: AuthenticationConfig{
			Session: SessionConfig{Idle: Duration(12 * time.Hour), Absolute: Duration(7 * 24 * time.Hour)}, RememberConnection: Duration(90 * 24 * time.Hour),
		},
		Log: LogConfig{Level: "info", Format: "text"},
	}
}
