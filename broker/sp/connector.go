package sp

import (
	"cmp"
	"crypto"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/samlet-id/samlet/broker"
	"github.com/samlet-id/samlet/certs"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/xmlsec"
	"github.com/samlet-id/samlet/metadata"
	"github.com/samlet-id/samlet/store"
)

// DefaultSkew is how far the clocks of the upstream and ours may differ.
const DefaultSkew = 3 * time.Minute

// Config is what a Connector is made of.
type Config struct {
	EntityID identity.EntityID // ours, as this IdP is to know us
	ACS      string            // our AssertionConsumerService URL for this connection
	SLO      string            // our SingleLogoutService URL, for HTTP-Redirect and HTTP-POST; empty: we are told of no logout
	SLOSOAP  string            // the same for SOAP; empty: there is none
	HTTP     *http.Client      // calls the upstream by SOAP; nil: nobody does
	IDP      *metadata.Entity  // the upstream; its keys are the only ones believed
	Keys     *certs.Ring       // ours
	Store    store.Store       // remembers consumed assertions

	// RequireSignedAssertion refuses assertions that only the signature of the
	// Response around them protects.
	RequireSignedAssertion bool
	// AllowUnsignedResponse makes do with the signature of the assertion. Without
	// it Responses that are not signed themselves are refused, errors included,
	// however well their assertion is (IIP-SP13).
	AllowUnsignedResponse bool
	// SignRequests says whether AuthnRequests are signed; Auto signs where the
	// IdP's metadata says WantAuthnRequestsSigned.
	SignRequests identity.Switch
	// AllowSHA1 accepts SHA-1 in this IdP's signatures.
	AllowSHA1 bool
	// AllowCBC decrypts AES-CBC too, but only inside a signed Response: without
	// one whoever can send ciphertexts could read plaintext from our answers.
	AllowCBC bool
	// Refused are the algorithms, by URI, that the operator forbids beyond those
	// that are never accepted.
	Refused []string
	// NameIDFormat is asked for with a NameIDPolicy; empty sends none, which
	// leaves the choice to the IdP.
	NameIDFormat identity.Format
	// NameIDPolicy sends a NameIDPolicy that leaves it the choice, too, for an IdP
	// that makes no identifier for anybody new without one (AllowCreate, SAML Core
	// 3.4.1.1).
	NameIDPolicy bool

	// Artifact asks for answers by HTTP-Artifact, and takes them beside those by
	// HTTP-POST. It needs HTTP, and an ArtifactResolutionService in the metadata.
	Artifact bool
	// Scopes holds scoped attributes against those that the IdP may speak for.
	Scopes Scopes
	// SubjectAttribute is the attribute that names the person, if one does: a value
	// of a foreign scope refuses the answer.
	SubjectAttribute identity.Name

	ContactEmail        string           // of whoever runs us, in our metadata; empty: none
	PrivacyStatementURL string           // https, of our metadata; may be empty
	DisplayName         string           // in our metadata
	Skew                time.Duration    // zero means DefaultSkew
	Now                 func() time.Time // nil means time.Now
	Rand                io.Reader        // source of message IDs; safe for concurrent use
}

// Connector is the service provider role towards one IdP. It is immutable and
// safe for concurrent use.
type Connector struct {
	cfg         Config
	idp         *metadata.IDP
	issuer      identity.EntityID
	destination metadata.Endpoint // where AuthnRequests go
	trust       xmlsec.Trust
	decrypters  []crypto.Decrypter
	scopes      []string // as scopeKeys returns them
}

var (
	_ broker.Connector = (*Connector)(nil)
	_ broker.SignsOut  = (*Connector)(nil)
)

// New checks cfg and returns its Connector. An IdP without a signing key or
// without a SingleSignOnService by Redirect or POST is refused: nothing that the
// one says could be believed, and the other cannot be asked.
func New(cfg Config) (*Connector, error) {
	if cfg.EntityID == "" || cfg.Keys == nil || cfg.Store == nil || cfg.Rand == nil {
		return nil, errors.New("sp: entity ID, keys, store and randomness are required")
	}
	if u, err := url.Parse(cfg.ACS); err != nil || u.Scheme == "" || u.Host == "" {
		return nil, fmt.Errorf("sp: the AssertionConsumerService %q is no absolute URL", cfg.ACS)
	}
	if cfg.IDP == nil || cfg.IDP.IDP == nil || cfg.IDP.EntityID == "" {
		return nil, errors.New("sp: the metadata describes no identity provider")
	}
	cfg.Skew = cmp.Or(cfg.Skew, DefaultSkew)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	c := &Connector{cfg: cfg, idp: cfg.IDP.IDP, issuer: cfg.IDP.EntityID}
	if len(c.idp.Signing) == 0 {
		return nil, upstream("up.no_keys", identity.KindInvalid, "The metadata of the identity provider holds no signing key.", string(c.issuer), "a KeyDescriptor for signing")
	}
	if soap := func(e metadata.IndexedEndpoint) bool { return e.Binding == identity.BindingSOAP }; cfg.Artifact && (cfg.HTTP == nil || !slices.ContainsFunc(c.idp.ArtifactResolution, soap)) {
		return nil, artifactFault(identity.KindInvalid, "no ArtifactResolutionService by SOAP in the metadata", "one, or artifact: false")
	}
	var err error
	if c.destination, err = singleSignOnService(c.idp); err != nil {
		return nil, err
	}
	c.scopes = append(scopeKeys(c.idp.Scopes...), scopeKeys(cfg.Scopes.Also...)...)
	c.trust = xmlsec.Trust{Keys: c.idp.Signing, AllowSHA1: cfg.AllowSHA1, Refused: cfg.Refused}
	for _, k := range cfg.Keys.Encryption() {
		c.decrypters = append(c.decrypters, k.Decrypter)
	}
	return c, nil
}

// singleSignOnService picks where AuthnRequests go: by Redirect, or by POST
// where there is nothing else.
func singleSignOnService(idp *metadata.IDP) (metadata.Endpoint, error) {
	for _, binding := range []string{identity.BindingRedirect, identity.BindingPOST} {
		for _, e := range idp.SSO {
			if e.Binding == binding {
				return e, nil
			}
		}
	}
	return metadata.Endpoint{}, upstream("up.no_sso", identity.KindInvalid,
		"The metadata of the identity provider names no place to sign in.", "", "a SingleSignOnService by HTTP-Redirect or HTTP-POST")
}

// Issuer returns the IdP's entityID.
func (c *Connector) Issuer() identity.EntityID { return c.issuer }

// EntityID returns our own, as the IdP knows us.
func (c *Connector) EntityID() identity.EntityID { return c.cfg.EntityID }

// upstream returns an Error that the partner can put right.
func upstream(code identity.Code, kind identity.Kind, msg, seen, expected string) *identity.Error {
	return &identity.Error{Kind: kind, Code: code, Msg: msg, Seen: seen, Expected: expected, Who: identity.WhoPartner}
}
