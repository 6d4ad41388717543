package metadata

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/samlet-id/samlet/certs"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/xmlsec"
)

// The times of our own metadata where the configuration names none.
const (
	DefaultValidFor      = 7 * 24 * time.Hour
	DefaultCacheDuration = 6 * time.Hour
)

// IDPConfig is what our metadata as an identity provider says.
type IDPConfig struct {
	EntityID                identity.EntityID
	SSO                     []Endpoint // only what is served
	SLO                     []Endpoint
	ArtifactResolution      []IndexedEndpoint
	Signing                 []certs.Key // as published, the active one first
	Encryption              []certs.Key
	NameIDFormats           []identity.Format // nil: DefaultNameIDFormats
	WantAuthnRequestsSigned bool
	DisplayName             string   // for people, in English
	Logo                    string   // https or data URI of an image, for people
	PrivacyStatementURL     string   // https
	ErrorURL                string   // https
	Scopes                  []string // shibmd:Scope; what follows the '@' of scoped attributes
	Contacts                []Contact
	ValidFor                time.Duration // zero: DefaultValidFor
	CacheDuration           time.Duration // zero: DefaultCacheDuration
	Now                     func() time.Time
	SignWith                *certs.Key // nil: unsigned
}

// SPConfig is what our metadata as a service provider towards one upstream says.
type SPConfig struct {
	EntityID             identity.EntityID
	ACS                  []IndexedEndpoint
	SLO                  []Endpoint
	Signing              []certs.Key // as published, the active one first
	Encryption           []certs.Key
	NameIDFormats        []identity.Format // nil: DefaultNameIDFormats
	AuthnRequestsSigned  bool
	WantAssertionsSigned bool
	Requested            []RequestedAttribute
	DisplayName          string // for people, in English
	PrivacyStatementURL  string // https
	// SubjectIDRequirement is the subject identifier that we need: "subject-id", "pairwise-id",
	// "any" or "none"; empty says nothing (SAML V2.0
	// Subject Identifier Attributes Profile 4.1).
	SubjectIDRequirement string
	Contacts             []Contact
	ValidFor             time.Duration // zero: DefaultValidFor
	CacheDuration        time.Duration // zero: DefaultCacheDuration
	Now                  func() time.Time
	SignWith             *certs.Key // nil: unsigned
}

// DefaultNameIDFormats are the formats that are issued, in the order in which
// they are published: there are peers that adopt the first they see, and the
// one that keeps people apart and unlinkable serves them best.
func DefaultNameIDFormats() []identity.Format {
	return []identity.Format{identity.FormatPersistent, identity.FormatTransient, identity.FormatEmail, identity.FormatUnspecified}
}

// descriptor is what both kinds of metadata share.
type descriptor struct {
	entityID      identity.EntityID
	signing       []certs.Key
	encryption    []certs.Key
	formats       []identity.Format
	slo           []Endpoint
	artifacts     []IndexedEndpoint
	displayName   string
	privacy       string // PrivacyStatementURL
	subjectID     string // SubjectIDRequirement
	contacts      []Contact
	validFor      time.Duration
	cacheDuration time.Duration
	now           func() time.Time
	signWith      *certs.Key
}

// WriteIDP writes our metadata as an identity provider, valid against the
// schema, signed if SignWith is set.
//
// The same configuration gives the same octets for as long as half of ValidFor:
// the time is taken from a grid of that width, and validUntil lies ValidFor
// after the last point of the grid. So restarts and other nodes change nothing,
// and what is published is valid for at least half of ValidFor.
func WriteIDP(cfg IDPConfig) ([]byte, error) {
	d := descriptor{
		entityID: cfg.EntityID, signing: cfg.Signing, encryption: cfg.Encryption, formats: cfg.NameIDFormats, slo: cfg.SLO, artifacts: cfg.ArtifactResolution,
		displayName: cfg.DisplayName, privacy: cfg.PrivacyStatementURL, contacts: cfg.Contacts, validFor: cfg.ValidFor, cacheDuration: cfg.CacheDuration,
		now: cfg.Now, signWith: cfg.SignWith,
	}
	if err := d.complete(); err != nil {
		return nil, err
	}
	if len(cfg.SSO) == 0 || len(cfg.Signing) == 0 {
		return nil, errors.New("metadata: IDPConfig needs SSO and Signing")
	}
	if !blankOr(cfg.Logo, "https", "data") || !blankOr(cfg.ErrorURL, "https") {
		return nil, errors.New("metadata: Logo is an https or data URI, and ErrorURL an https URL")
	}
	w := xmlsec.NewWriter()
	d.open(w)
	w.Open("md:IDPSSODescriptor", "protocolSupportEnumeration", xmlsec.NSProtocol,
		"WantAuthnRequestsSigned", boolean(cfg.WantAuthnRequestsSigned), "errorURL", cfg.ErrorURL)
	d.roleExtensions(w, cfg.Logo, cfg.Scopes)
	d.common(w)
	for _, e := range cfg.SSO {
		writeEndpoint(w, "md:SingleSignOnService", e)
	}
	w.Close()
	return d.close(w)
}

// WriteSP writes our metadata as a service provider; see WriteIDP.
func WriteSP(cfg SPConfig) ([]byte, error) {
	d := descriptor{
		entityID: cfg.EntityID, signing: cfg.Signing, encryption: cfg.Encryption, formats: cfg.NameIDFormats, slo: cfg.SLO,
		displayName: cfg.DisplayName, privacy: cfg.PrivacyStatementURL, contacts: cfg.Contacts, validFor: cfg.ValidFor, cacheDuration: cfg.CacheDuration,
		now: cfg.Now, signWith: cfg.SignWith,
	}
	d.subjectID = cfg.SubjectIDRequirement
	if err := d.complete(); err != nil {
		return nil, err
	}
	if len(cfg.ACS) == 0 {
		return nil, errors.New("metadata: SPConfig needs ACS")
	}
	w := xmlsec.NewWriter()
	d.open(w)
	w.Open("md:SPSSODescriptor", "protocolSupportEnumeration", xmlsec.NSProtocol,
		"AuthnRequestsSigned", boolean(cfg.AuthnRequestsSigned), "WantAssertionsSigned", boolean(cfg.WantAssertionsSigned))
	d.roleExtensions(w, "", nil)
	d.common(w)
	for _, e := range cfg.ACS {
		writeEndpoint(w, "md:AssertionConsumerService", e.Endpoint, "index", strconv.Itoa(e.Index), "isDefault", switched(e.IsDefault))
	}
	d.attributeConsumingService(w, cfg.Requested)
	w.Close()
	return d.close(w)
}

func (d *descriptor) complete() error {
	if !blankOr(d.privacy, "https") {
		return errors.New("metadata: PrivacyStatementURL is an https URL")
	}
	if d.entityID == "" || d.now == nil {
		return errors.New("metadata: EntityID and Now are needed")
	}
	if d.formats == nil {
		d.formats = DefaultNameIDFormats()
	}
	d.validFor = or(d.validFor, DefaultValidFor)
	d.cacheDuration = or(d.cacheDuration, DefaultCacheDuration)
	if d.validFor < 2*time.Second || d.cacheDuration < time.Second {
		return fmt.Errorf("metadata: a validity of %s with a cacheDuration of %s cannot be published", d.validFor, d.cacheDuration)
	}
	return nil
}

// epoch is the point of the grid that now falls on; see WriteIDP.
func epoch(now time.Time, validFor time.Duration) time.Time {
	return now.UTC().Truncate((validFor / 2).Truncate(time.Second))
}

// open writes everything up to the role descriptor.
func (d *descriptor) open(w *xmlsec.Writer) {
	validUntil := xmlsec.FormatTime(epoch(d.now(), d.validFor).Add(d.validFor))
	sum := sha256.Sum256([]byte(string(d.entityID) + "\x00" + validUntil))
	w.Open("md:EntityDescriptor", "ID", "_"+hex.EncodeToString(sum[:20]), "entityID", string(d.entityID),
		"validUntil", validUntil, "cacheDuration", formatDuration(d.cacheDuration))
	if d.signWith != nil {
		w.SignatureSlot()
	}
	w.Open("md:Extensions")
	for _, alg := range []string{xmlsec.AlgSHA256, xmlsec.AlgSHA384, xmlsec.AlgSHA512} {
		w.Element("alg:DigestMethod", "", "Algorithm", alg)
	}
	for _, alg := range xmlsec.SignatureAlgorithms() {
		w.Element("alg:SigningMethod", "", "Algorithm", alg)
	}
	if d.subjectID != "" {
		w.Open("mdattr:EntityAttributes")
		w.Open("saml:Attribute", "Name", AttributeSubjectIDRequirement, "NameFormat", string(identity.NameFormatURI))
		w.Element("saml:AttributeValue", d.subjectID)
		w.Close()
		w.Close()
	}
	w.Close()
}

// close writes what follows the role descriptor and finishes the document.
func (d *descriptor) close(w *xmlsec.Writer) ([]byte, error) {
	for _, c := range d.contacts {
		writeContact(w, c)
	}
	w.Close()
	if d.signWith == nil {
		doc, err := w.Bytes()
		if err != nil {
			return nil, fmt.Errorf("writing metadata: %w", err)
		}
		return doc, nil
	}
	doc, err := w.Sign(*d.signWith)
	if err != nil {
		return nil, fmt.Errorf("writing metadata: %w", err)
	}
	return doc, nil
}

// The size in which a logo is to be shown (SAML Metadata Extensions for Login and
// Discovery User Interface 2.1.5): what discovery pages have room for.
const logoWidth, logoHeight = "80", "60"

func (d *descriptor) roleExtensions(w *xmlsec.Writer, logo string, scopes []string) {
	ui := d.displayName != "" || logo != "" || d.privacy != ""
	if !ui && len(scopes) == 0 {
		return
	}
	w.Open("md:Extensions")
	for _, s := range scopes {
		w.Element("shibmd:Scope", s, "regexp", "false")
	}
	if ui {
		w.Open("mdui:UIInfo")
		if d.displayName != "" {
			w.Element("mdui:DisplayName", d.displayName, "xml:lang", "en")
		}
		if d.privacy != "" {
			w.Element("mdui:PrivacyStatementURL", d.privacy, "xml:lang", "en")
		}
		if logo != "" {
			w.Element("mdui:Logo", logo, "width", logoWidth, "height", logoHeight)
		}
		w.Close()
	}
	w.Close()
}

// common writes keys, logout and formats, in the schema's order.
func (d *descriptor) common(w *xmlsec.Writer) {
	for _, k := range d.signing {
		openKey(w, k)
		w.Close()
	}
	for _, k := range d.encryption {
		openKey(w, k)
		writeEncryptionMethods(w)
		w.Close()
	}
	for _, e := range d.artifacts {
		writeEndpoint(w, "md:ArtifactResolutionService", e.Endpoint, "index", strconv.Itoa(e.Index), "isDefault", switched(e.IsDefault))
	}
	for _, e := range d.slo {
		writeEndpoint(w, "md:SingleLogoutService", e)
	}
	for _, f := range d.formats {
		w.Element("md:NameIDFormat", string(f))
	}
}

// blankOr reports whether s is empty or a URI of one of the schemes.
func blankOr(s string, schemes ...string) bool {
	u, err := url.Parse(s)
	return s == "" || err == nil && slices.Contains(schemes, u.Scheme) && (u.Host != "" || u.Scheme == "data")
}

func openKey(w *xmlsec.Writer, k certs.Key) {
	w.Open("md:KeyDescriptor", "use", k.Use.String())
	w.Open("ds:KeyInfo")
	w.Open("ds:X509Data")
	w.Element("ds:X509Certificate", base64.StdEncoding.EncodeToString(k.Certificate.Raw))
	w.Close()
	w.Close()
}

// writeEncryptionMethods lists what xmlsec.Decrypt opens by default, the best
// first.
func writeEncryptionMethods(w *xmlsec.Writer) {
	for _, alg := range []string{xmlsec.AlgAES256GCM, xmlsec.AlgAES192GCM, xmlsec.AlgAES128GCM} {
		w.Element("md:EncryptionMethod", "", "Algorithm", alg)
	}
	w.Open("md:EncryptionMethod", "Algorithm", xmlsec.AlgRSAOAEP)
	w.Element("ds:DigestMethod", "", "Algorithm", xmlsec.AlgSHA256)
	w.Element("xenc11:MGF", "", "Algorithm", xmlsec.AlgMGF1SHA256)
	w.Close()
	w.Element("md:EncryptionMethod", "", "Algorithm", xmlsec.AlgRSAOAEPMGF1P)
}

func writeEndpoint(w *xmlsec.Writer, name string, e Endpoint, more ...string) {
	w.Element(name, "", append([]string{"Binding", e.Binding, "Location", e.Location, "ResponseLocation", e.ResponseLocation}, more...)...)
}

// attributeConsumingService asks for attributes; the schema wants a ServiceName
// and at least one of them.
func (d *descriptor) attributeConsumingService(w *xmlsec.Writer, requested []RequestedAttribute) {
	if len(requested) == 0 {
		return
	}
	w.Open("md:AttributeConsumingService", "index", "0", "isDefault", "true")
	w.Element("md:ServiceName", or(d.displayName, string(d.entityID)), "xml:lang", "en")
	for _, a := range requested {
		w.Open("md:RequestedAttribute", "Name", a.Name, "NameFormat", string(a.NameFormat), "FriendlyName", a.FriendlyName, "isRequired", boolean(a.Required))
		for _, v := range a.Values {
			w.Element("saml:AttributeValue", v)
		}
		w.Close()
	}
	w.Close()
}

func writeContact(w *xmlsec.Writer, c Contact) {
	w.Open("md:ContactPerson", "contactType", or(c.Type, "technical"))
	for _, e := range []struct{ name, text string }{{"md:Company", c.Company}, {"md:GivenName", c.GivenName}, {"md:SurName", c.SurName}} {
		if e.text != "" {
			w.Element(e.name, e.text)
		}
	}
	for _, m := range c.Emails {
		w.Element("md:EmailAddress", "mailto:"+m)
	}
	for _, p := range c.Phones {
		w.Element("md:TelephoneNumber", p)
	}
	w.Close()
}

func boolean(b bool) string { return strconv.FormatBool(b) }

// switched writes a stated isDefault; the Writer leaves out what is empty.
func switched(s identity.Switch) string {
	switch s {
	case identity.On:
		return "true"
	case identity.Off:
		return "false"
	case identity.Auto:
		return ""
	}
	return ""
}
