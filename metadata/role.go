package metadata

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/xmlsec"
)

func (r *reader) idp(entity, el *xmlsec.Element) error {
	idp := &IDP{}
	var err error
	if idp.Role, err = r.role(entity, el); err != nil {
		return err
	}
	if len(idp.Signing) == 0 {
		return refuse("md.no_key", "The metadata holds no key with which this identity provider's signatures could be checked.")
	}
	if idp.WantAuthnRequestsSigned, err = booleanAttr(el, "WantAuthnRequestsSigned"); err != nil {
		return err
	}
	if idp.SSO, err = r.endpoints(el, "SingleSignOnService"); err != nil {
		return err
	}
	if idp.ArtifactResolution, err = r.indexedEndpoints(el, xmlsec.NSMetadata, "ArtifactResolutionService"); err != nil {
		return err
	}
	if _, ok := Find(idp.SSO, identity.BindingRedirect, identity.BindingPOST); !ok {
		return refuse("md.no_sso", "The metadata names no SingleSignOnService that can be used (HTTP-Redirect or HTTP-POST, https).")
	}
	for _, within := range []*xmlsec.Element{el, entity} {
		for _, s := range within.Child(xmlsec.NSMetadata, "Extensions").Children(xmlsec.NSShibMD, "Scope") {
			text, err := s.TrimText()
			if err != nil {
				return err
			}
			// A regular expression from outside is matched against nothing.
			if regexp, err := booleanAttr(s, "regexp"); err == nil && !regexp && text != "" {
				idp.Scopes = append(idp.Scopes, text)
			}
		}
	}
	r.e.IDP = idp
	return nil
}

func (r *reader) sp(entity, el *xmlsec.Element) error {
	sp := &SP{}
	var err error
	if sp.Role, err = r.role(entity, el); err != nil {
		return err
	}
	if sp.AuthnRequestsSigned, err = booleanAttr(el, "AuthnRequestsSigned"); err != nil {
		return err
	}
	if sp.WantAssertionsSigned, err = booleanAttr(el, "WantAssertionsSigned"); err != nil {
		return err
	}
	if sp.ACS, err = r.indexedEndpoints(el, xmlsec.NSMetadata, "AssertionConsumerService"); err != nil {
		return err
	}
	if sp.DiscoveryResponses, err = r.indexedEndpoints(el.Child(xmlsec.NSMetadata, "Extensions"), xmlsec.NSIDPDisco, "DiscoveryResponse"); err != nil {
		return err
	}
	if len(sp.responseEndpoints([]string{identity.BindingPOST, identity.BindingArtifact})) == 0 {
		return refuse("md.no_acs", "The metadata names no AssertionConsumerService that can be used (HTTP-POST or HTTP-Artifact, https).")
	}
	for _, c := range el.Children(xmlsec.NSMetadata, "AttributeConsumingService") {
		s, err := attributeConsumingService(c)
		if err != nil {
			return err
		}
		sp.AttributeConsumingServices = append(sp.AttributeConsumingServices, s)
	}
	r.e.SP = sp
	return nil
}

// role reads what both roles have in common.
func (r *reader) role(entity, el *xmlsec.Element) (Role, error) {
	if err := r.terms(el); err != nil {
		return Role{}, err
	}
	role := Role{ErrorURL: r.webAddress(el, "errorURL")}
	if err := r.keys(el, &role); err != nil {
		return Role{}, err
	}
	ext := el.Child(xmlsec.NSMetadata, "Extensions")
	role.Extensions = ext.Elements()
	role.algorithms(ext)
	role.algorithms(entity.Child(xmlsec.NSMetadata, "Extensions"))
	var err error
	if role.SLO, err = r.endpoints(el, "SingleLogoutService"); err != nil {
		return Role{}, err
	}
	for _, f := range el.Children(xmlsec.NSMetadata, "NameIDFormat") {
		s, err := f.TrimText()
		if err != nil {
			return Role{}, err
		}
		switch {
		case s != "" && !absolute(s):
			r.finding("The NameIDFormat %q was passed over because it is no absolute URI.", s)
		case s != "":
			role.NameIDFormats = append(role.NameIDFormats, identity.Format(s))
		}
	}
	if role.DisplayNames, err = localized(ext.Child(xmlsec.NSMDUI, "UIInfo"), xmlsec.NSMDUI, "DisplayName"); err != nil {
		return Role{}, err
	}
	if role.Organization, err = organization(el); err != nil {
		return Role{}, err
	}
	role.Contacts, err = contacts(el)
	return role, err
}

// algorithms reads the algorithms of an Extensions element. Those of a role
// replace those of its entity (Metadata Profile for Algorithm Support 2.2), so
// the role's are read first and not added to.
func (role *Role) algorithms(ext *xmlsec.Element) {
	for _, l := range []struct {
		list  *[]string
		local string
	}{{&role.DigestMethods, "DigestMethod"}, {&role.SigningMethods, "SigningMethod"}} {
		if len(*l.list) > 0 {
			continue
		}
		for _, m := range ext.Children(xmlsec.NSMDAlg, l.local) {
			*l.list = append(*l.list, m.Attr("Algorithm"))
		}
	}
}

func attributeConsumingService(el *xmlsec.Element) (AttributeConsumingService, error) {
	var s AttributeConsumingService
	var err error
	if s.Index, s.IsDefault, err = indexOf(el); err != nil {
		return s, err
	}
	if s.Names, err = localized(el, xmlsec.NSMetadata, "ServiceName"); err != nil {
		return s, err
	}
	for _, c := range el.Children(xmlsec.NSMetadata, "RequestedAttribute") {
		a := RequestedAttribute{Name: c.Attr("Name"), NameFormat: identity.NameFormat(c.Attr("NameFormat")), FriendlyName: c.Attr("FriendlyName")}
		if a.Name == "" {
			return s, refuse("md.value", "The metadata has a RequestedAttribute without a Name.")
		}
		if a.Required, err = booleanAttr(c, "isRequired"); err != nil {
			return s, err
		}
		for _, v := range c.Children(xmlsec.NSAssertion, "AttributeValue") {
			text, err := v.Text()
			if err != nil {
				return s, err
			}
			a.Values = append(a.Values, text)
		}
		s.Requested = append(s.Requested, a)
	}
	return s, nil
}

func (r *reader) indexedEndpoints(el *xmlsec.Element, space, local string) ([]IndexedEndpoint, error) {
	var found []IndexedEndpoint
	for _, c := range el.Children(space, local) {
		e, ok, err := r.endpoint(c)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		indexed := IndexedEndpoint{Endpoint: e}
		if indexed.Index, indexed.IsDefault, err = indexOf(c); err != nil {
			return nil, err
		}
		found = append(found, indexed)
	}
	return found, nil
}

func (r *reader) endpoints(el *xmlsec.Element, local string) ([]Endpoint, error) {
	var found []Endpoint
	for _, c := range el.Children(xmlsec.NSMetadata, local) {
		e, ok, err := r.endpoint(c)
		if err != nil {
			return nil, err
		}
		if ok {
			found = append(found, e)
		}
	}
	return found, nil
}

// endpoint reads one endpoint. One that is merely http is passed over with a
// finding, since honest files list such beside https ones; one that no honest
// file holds spoils the file.
func (r *reader) endpoint(el *xmlsec.Element) (e Endpoint, usable bool, err error) {
	e = Endpoint{
		Binding:          strings.TrimSpace(el.Attr("Binding")),
		Location:         strings.TrimSpace(el.Attr("Location")),
		ResponseLocation: strings.TrimSpace(el.Attr("ResponseLocation")),
	}
	usable = true
	for _, location := range []string{e.Location, e.ResponseLocation} {
		if location == "" && e.Location != "" {
			continue // ResponseLocation is optional
		}
		scheme, why := checkLocation(location)
		if why != "" {
			return e, false, &identity.Error{
				Kind: identity.KindInvalid, Code: "md.endpoint", Who: identity.WhoOperator,
				Msg:  fmt.Sprintf("The metadata has a %s whose address cannot be trusted: %s.", el.Local, why),
				Seen: location, Expected: "an https URL",
			}
		}
		if scheme == "http" && !r.o.AllowHTTP {
			usable = false
			r.finding("The %s %s was passed over because it is not https.", el.Local, location)
		}
	}
	return e, usable, nil
}

// checkLocation says what is wrong with an address to which browsers will be
// sent with assertions in their hands (CVE-2023-45683: a javascript: URL).
func checkLocation(s string) (scheme, why string) {
	for _, c := range []byte(s) {
		if c <= ' ' || c == 0x7f || strings.IndexByte("\"<>\\^`{|}", c) >= 0 {
			return "", "it has characters that no URL has"
		}
	}
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return "", "it is not a URL"
	case u.Scheme != "https" && u.Scheme != "http":
		return "", "it is not an https URL"
	case u.Hostname() == "":
		return "", "it names no host"
	case u.User != nil:
		return "", "it has a user name in it"
	case u.Fragment != "" || strings.Contains(s, "#"):
		return "", "it has a fragment"
	}
	return u.Scheme, ""
}

// webAddress returns an address that people may be offered as a link, or "".
func (r *reader) webAddress(el *xmlsec.Element, attr string) string {
	s := strings.TrimSpace(el.Attr(attr))
	if s == "" {
		return ""
	}
	// SAML V2.0 Metadata Deployment: errorURL may hold placeholders in
	// capitals; they are letters, so that nothing special is needed here.
	if _, why := checkLocation(s); why != "" {
		r.finding("The %s %q was passed over: %s.", attr, s, why)
		return ""
	}
	return s
}

func (r *reader) finding(format string, args ...any) {
	r.e.Findings = append(r.e.Findings, fmt.Sprintf(format, args...))
}

// noIndex is the Index of an element that has none, against the schema, as real
// files do; no request can name it.
const noIndex = -1

// indexOf reads the attributes of an indexed element (SAML Metadata 2.2.3).
func indexOf(el *xmlsec.Element) (int, identity.Switch, error) {
	index := noIndex
	if el.HasAttr("index") {
		n, err := strconv.ParseUint(strings.TrimSpace(el.Attr("index")), 10, 16) // xs:unsignedShort
		if err != nil {
			return 0, identity.Auto, badValue(el, "index", err)
		}
		index = int(n)
	}
	if !el.HasAttr("isDefault") {
		return index, identity.Auto, nil
	}
	isDefault, err := booleanAttr(el, "isDefault")
	if err != nil {
		return 0, identity.Auto, err
	}
	if isDefault {
		return index, identity.On, nil
	}
	return index, identity.Off, nil
}

// booleanAttr reads an xs:boolean; an absent one is false, the default of every
// boolean in metadata.
func booleanAttr(el *xmlsec.Element, name string) (bool, error) {
	switch s := strings.TrimSpace(el.Attr(name)); s {
	case "true", "1":
		return true, nil
	case "false", "0", "":
		return false, nil
	default:
		return false, badValue(el, name, fmt.Errorf("%q is no xs:boolean", s))
	}
}

func localized(el *xmlsec.Element, space, local string) ([]Localized, error) {
	var found []Localized
	for _, c := range el.Children(space, local) {
		text, err := c.TrimText()
		if err != nil {
			return nil, err
		}
		found = append(found, Localized{Lang: c.AttrNS(xmlsec.NSXML, "lang"), Text: text})
	}
	return found, nil
}

func organization(el *xmlsec.Element) (Organization, error) {
	var o Organization
	org := el.Child(xmlsec.NSMetadata, "Organization")
	for _, l := range []struct {
		list  *[]Localized
		local string
	}{{&o.Names, "OrganizationName"}, {&o.DisplayNames, "OrganizationDisplayName"}, {&o.URLs, "OrganizationURL"}} {
		var err error
		if *l.list, err = localized(org, xmlsec.NSMetadata, l.local); err != nil {
			return Organization{}, err
		}
	}
	return o, nil
}

func contacts(el *xmlsec.Element) ([]Contact, error) {
	var found []Contact
	for _, p := range el.Children(xmlsec.NSMetadata, "ContactPerson") {
		c := Contact{Type: p.Attr("contactType")}
		for _, f := range p.Elements() {
			if f.Space != xmlsec.NSMetadata || f.Local == "Extensions" {
				continue
			}
			text, err := f.TrimText()
			if err != nil {
				return nil, err
			}
			switch f.Local {
			case "Company":
				c.Company = text
			case "GivenName":
				c.GivenName = text
			case "SurName":
				c.SurName = text
			case "EmailAddress":
				c.Emails = append(c.Emails, strings.TrimPrefix(text, "mailto:"))
			case "TelephoneNumber":
				c.Phones = append(c.Phones, text)
			}
		}
		found = append(found, c)
	}
	return found, nil
}
