package metadata

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/xmlsec"
)

// RoleName names a role that an entity may have.
type RoleName string

// The roles.
const (
	RoleIDP RoleName = "idp"
	RoleSP  RoleName = "sp"
)

// DefaultSkew is how far a peer's clock may be off.
const DefaultSkew = 3 * time.Minute

const maxEntityID = 1024 // SAML Core 8.3.6

// ParseOptions says what is wanted and what is tolerated.
type ParseOptions struct {
	Want     RoleName          // empty: either
	EntityID identity.EntityID // the entity that is wanted; empty: whichever it is

	// Keys are those that may have signed the file, configured out of band.
	// With any, or with RequireSignature, the root must be signed by one of
	// them; with RequireSignature and no keys everything is refused.
	Keys             []crypto.PublicKey
	RequireSignature bool

	Now  func() time.Time
	Skew time.Duration // zero: DefaultSkew
	// MaxValidity, if set, refuses a file without validUntil, or with one
	// further away: its signer could never take it back (SAML Metadata
	// Interoperability Profile, IIP-MD04).
	MaxValidity time.Duration
	AllowHTTP   bool // development: endpoints may be http
}

// Parse reads the metadata of one entity: an EntityDescriptor, or an
// EntitiesDescriptor in which exactly one is wanted. Certificates are key
// carriers; expired and self-signed ones serve. Everything that is returned was
// read from the signed octets, if a signature was demanded.
//
// Errors are of KindInvalid with one sentence for the operator. Their codes:
// "md.empty", "md.html", "md.json", "md.pem" and "md.not_xml" for files of
// another sort, "md.root" for other XML, "md.aggregate" for many entities,
// "md.entity_id", "md.expired", "md.valid_until", "md.duration", "md.sp_file"
// and "md.idp_file" for the other role's file, "md.role", "md.protocol",
// "md.endpoint", "md.no_acs", "md.no_sso", "md.key" and "md.no_key", "md.value";
// "xml.*" and "sig.*" come from xmlsec.
func Parse(raw []byte, o ParseOptions) (*Entity, error) {
	if o.Now == nil {
		return nil, errors.New("metadata: ParseOptions needs Now")
	}
	if err := sniff(raw); err != nil {
		return nil, err
	}
	root, err := open(raw, o)
	if err != nil {
		return nil, fmt.Errorf("reading metadata: %w", err)
	}
	r := reader{o: o, e: &Entity{Raw: raw}}
	descriptor, err := r.pick(root)
	if err != nil {
		return nil, err
	}
	if err := r.entity(descriptor); err != nil {
		return nil, err
	}
	return r.e, nil
}

// sniff tells people what they handed over when it is no XML at all: a parser's
// complaint about line 1 would help nobody.
func sniff(raw []byte) error {
	b := bytes.TrimSpace(bytes.TrimPrefix(raw, []byte("\xef\xbb\xbf")))
	head := bytes.ToLower(b[:min(len(b), 256)])
	switch {
	case len(b) == 0:
		return refuse("md.empty", "The metadata file is empty.")
	case bytes.HasPrefix(head, []byte("<!doctype html")), bytes.HasPrefix(head, []byte("<html")):
		return refuse("md.html", "This is a web page (HTML), not SAML metadata; the page may be a sign-in form in front of the file.")
	case b[0] == '{', b[0] == '[':
		return refuse("md.json", "This is JSON, not SAML metadata; an OpenID Connect configuration is not what is needed here.")
	case bytes.HasPrefix(head, []byte("-----begin ")):
		return refuse("md.pem", "This is a certificate or key (PEM), not SAML metadata.")
	case b[0] != '<' && !bytes.HasPrefix(b, []byte("\xff\xfe")) && !bytes.HasPrefix(b, []byte("\xfe\xff")):
		return &identity.Error{
			Kind: identity.KindInvalid, Code: "md.not_xml", Who: identity.WhoOperator,
			Msg: "This is not SAML metadata: the file is not XML.", Seen: string(b[:min(len(b), 40)]), Expected: "<EntityDescriptor …>",
		}
	}
	return nil
}

// open returns the root to read: the verified one where a signature is demanded.
func open(raw []byte, o ParseOptions) (*xmlsec.Element, error) {
	doc, err := xmlsec.Parse(raw, xmlsec.MetadataLimits())
	if err != nil {
		return nil, err
	}
	root := doc.Root()
	if !root.Is(xmlsec.NSMetadata, "EntityDescriptor") && !root.Is(xmlsec.NSMetadata, "EntitiesDescriptor") {
		return nil, &identity.Error{
			Kind: identity.KindInvalid, Code: "md.root", Who: identity.WhoOperator,
			Msg:  "This XML file is not SAML metadata.",
			Seen: root.Local + " in " + root.Space, Expected: "EntityDescriptor in " + xmlsec.NSMetadata,
		}
	}
	if len(o.Keys) == 0 && !o.RequireSignature {
		return root, nil
	}
	return doc.Verify(root, xmlsec.Trust{Keys: o.Keys})
}

// reader fills one Entity.
type reader struct {
	o ParseOptions
	e *Entity
}

// pick returns the one EntityDescriptor that is wanted, having applied the terms
// of the groups around it.
func (r *reader) pick(root *xmlsec.Element) (*xmlsec.Element, error) {
	if root.Is(xmlsec.NSMetadata, "EntityDescriptor") {
		return root, nil
	}
	var found [][]*xmlsec.Element // each an entity, after the groups around it
	var walk func(path []*xmlsec.Element)
	walk = func(path []*xmlsec.Element) {
		for _, c := range path[len(path)-1].Elements() {
			inner := append(path[:len(path):len(path)], c)
			switch {
			case c.Is(xmlsec.NSMetadata, "EntitiesDescriptor"):
				walk(inner)
			case c.Is(xmlsec.NSMetadata, "EntityDescriptor") && r.wanted(c):
				found = append(found, inner)
			}
		}
	}
	walk([]*xmlsec.Element{root})
	switch {
	case len(found) == 0 && r.o.EntityID != "":
		return nil, refuse("md.entity_id", fmt.Sprintf("The metadata holds no entity with the entityID %q.", r.o.EntityID))
	case len(found) == 0:
		return nil, refuse("md.role", "The metadata holds no entity of the kind that is wanted.")
	case len(found) > 1:
		return nil, refuse("md.aggregate", fmt.Sprintf(
			"The metadata describes %d entities where one is wanted; name its entityID, or give the file as one of metadata_sources.", len(found)))
	}
	path := found[0]
	for _, group := range path[:len(path)-1] {
		if err := errors.Join(r.terms(group), r.extensions(group)); err != nil {
			return nil, err
		}
	}
	return path[len(path)-1], nil
}

func (r *reader) wanted(c *xmlsec.Element) bool {
	switch {
	case r.o.EntityID != "":
		return c.Attr("entityID") == string(r.o.EntityID)
	case r.o.Want == RoleIDP:
		return c.Child(xmlsec.NSMetadata, "IDPSSODescriptor") != nil
	case r.o.Want == RoleSP:
		return c.Child(xmlsec.NSMetadata, "SPSSODescriptor") != nil
	}
	return true
}

// terms applies validUntil and cacheDuration, of which the strictest in the
// chain of elements holds (SAML Metadata 2.3.1).
func (r *reader) terms(el *xmlsec.Element) error {
	if el.HasAttr("validUntil") {
		t, err := xmlsec.ParseTime(el.Attr("validUntil"))
		if err != nil {
			return badValue(el, "validUntil", err)
		}
		if r.e.ValidUntil.IsZero() || t.Before(r.e.ValidUntil) {
			r.e.ValidUntil = t
		}
	}
	if el.HasAttr("cacheDuration") {
		d, err := parseDuration(strings.TrimSpace(el.Attr("cacheDuration")))
		if err != nil {
			return badValue(el, "cacheDuration", err)
		}
		if r.e.CacheDuration == 0 || d < r.e.CacheDuration {
			r.e.CacheDuration = d
		}
	}
	return nil
}

// checkTerms refuses what is no longer valid, or valid for too long.
func (r *reader) checkTerms() error {
	now, until := r.o.Now(), r.e.ValidUntil
	switch {
	case !until.IsZero() && !now.Before(until.Add(or(r.o.Skew, DefaultSkew))):
		return &identity.Error{
			Kind: identity.KindExpired, Code: "md.expired", Who: identity.WhoOperator,
			Msg:  "The metadata is no longer valid; a fresh copy is needed.",
			Seen: "validUntil " + xmlsec.FormatTime(until), Expected: "after " + xmlsec.FormatTime(now),
		}
	case r.o.MaxValidity > 0 && until.IsZero():
		return refuse("md.valid_until", "The metadata has no validUntil, and so could never be taken back.")
	case r.o.MaxValidity > 0 && until.After(now.Add(r.o.MaxValidity)):
		return &identity.Error{
			Kind: identity.KindInvalid, Code: "md.valid_until", Who: identity.WhoOperator,
			Msg:  "The metadata is valid for longer than is accepted.",
			Seen: "validUntil " + xmlsec.FormatTime(until), Expected: "at most " + xmlsec.FormatTime(now.Add(r.o.MaxValidity)),
		}
	}
	return nil
}

func (r *reader) entity(el *xmlsec.Element) error {
	id := el.Attr("entityID")
	if strings.TrimSpace(id) == "" || len(id) > maxEntityID {
		return refuse("md.entity_id", fmt.Sprintf("The metadata has no entityID of 1 to %d characters.", maxEntityID))
	}
	if r.o.EntityID != "" && id != string(r.o.EntityID) {
		return &identity.Error{
			Kind: identity.KindInvalid, Code: "md.entity_id", Who: identity.WhoOperator,
			Msg: "The metadata describes another entity than the one that is wanted.", Seen: id, Expected: string(r.o.EntityID),
		}
	}
	if !absolute(id) {
		// Core 1.3.2 wants a URI; well-known applications have host names.
		r.finding("The entityID %q is no absolute URI.", id)
	}
	r.e.EntityID = identity.EntityID(id)
	if err := r.terms(el); err != nil {
		return err
	}
	if err := r.roles(el); err != nil {
		return err
	}
	if err := r.checkTerms(); err != nil {
		return err
	}
	r.e.Extensions = el.Child(xmlsec.NSMetadata, "Extensions").Elements()
	if err := r.extensions(el); err != nil {
		return err
	}
	var err error
	if r.e.Organization, err = organization(el); err != nil {
		return err
	}
	r.e.Contacts, err = contacts(el)
	return err
}

// roles reads the roles that are wanted and there.
func (r *reader) roles(el *xmlsec.Element) error {
	idp, idpOther := roleElement(el, "IDPSSODescriptor")
	sp, spOther := roleElement(el, "SPSSODescriptor")
	switch {
	case r.o.Want == RoleIDP && idp == nil && sp != nil:
		return refuse("md.sp_file", "This is an application's (SP's) metadata; that of an identity provider (IdP) is needed here.")
	case r.o.Want == RoleSP && sp == nil && idp != nil:
		return refuse("md.idp_file", "This is an identity provider's (IdP's) metadata; that of an application (SP) is needed here.")
	case idp == nil && sp == nil && (idpOther || spOther):
		return refuse("md.protocol", "The metadata's entity does not support SAML 2.0.")
	case idp == nil && sp == nil:
		return refuse("md.role", "The metadata describes neither an application (SP) nor an identity provider (IdP).")
	}
	if idp != nil && r.o.Want != RoleSP {
		if err := r.idp(el, idp); err != nil {
			return err
		}
	}
	if sp != nil && r.o.Want != RoleIDP {
		return r.sp(el, sp)
	}
	return nil
}

// roleElement returns the first descriptor of a role that supports SAML 2.0
// (protocolSupportEnumeration, SAML Metadata 2.4.1), and whether there are others.
func roleElement(el *xmlsec.Element, local string) (supported *xmlsec.Element, others bool) {
	for _, d := range el.Children(xmlsec.NSMetadata, local) {
		for _, p := range strings.Fields(d.Attr("protocolSupportEnumeration")) {
			if p == xmlsec.NSProtocol {
				return d, others
			}
		}
		others = true
	}
	return nil, others
}

// absolute reports whether s is an absolute URI (SAML Core 1.3.2).
func absolute(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.IsAbs() && !strings.ContainsFunc(s, unicode.IsSpace)
}

// refuse makes the error of metadata that cannot be used.
func refuse(code identity.Code, msg string) error {
	return &identity.Error{Kind: identity.KindInvalid, Code: code, Who: identity.WhoOperator, Msg: msg}
}

// badValue makes the error of an attribute or element whose value is not of its
// type.
func badValue(el *xmlsec.Element, what string, err error) error {
	return &identity.Error{
		Kind: identity.KindInvalid, Code: "md.value", Who: identity.WhoOperator,
		Msg: fmt.Sprintf("The metadata has a value at %s, %s that cannot be read.", el.Local, what), Seen: el.Attr(what), Err: err,
	}
}
