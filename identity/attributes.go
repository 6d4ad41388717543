package identity

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
)

// Name is the name of an attribute. Inside samlet it is the canonical name of
// the catalogue; on an Assertion that has just left an upstream it is that
// upstream's own name.
type Name string

// The canonical names that the built-in catalogue declares. They are those of
// OIDC and SCIM where these have one.
const (
	Mail        Name = "mail"
	GivenName   Name = "given_name"
	FamilyName  Name = "family_name"
	DisplayName Name = "display_name"
	Username    Name = "username"
	Groups      Name = "groups"
	Phone       Name = "phone_number"
	Locale      Name = "locale"

	Organization      Name = "organization"
	HomeOrganization  Name = "schac_home_organization"
	PrincipalName     Name = "eduperson_principal_name"
	Affiliation       Name = "eduperson_affiliation"
	ScopedAffiliation Name = "eduperson_scoped_affiliation"
	Entitlement       Name = "eduperson_entitlement"
	Assurance         Name = "eduperson_assurance"
	ORCID             Name = "eduperson_orcid"
)

// Attributes are named lists of values. An empty list and an absent name mean
// the same.
type Attributes map[Name][]string

// First returns the first value of n, or "".
func (a Attributes) First(n Name) string {
	if v := a[n]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// Names returns the names that have at least one value, sorted.
func (a Attributes) Names() []Name {
	var names []Name
	for n, v := range a {
		if len(v) > 0 {
			names = append(names, n)
		}
	}
	slices.Sort(names)
	return names
}

// Clone returns a deep copy.
func (a Attributes) Clone() Attributes {
	c := maps.Clone(a)
	for n, v := range c {
		c[n] = slices.Clone(v)
	}
	return c
}

// NameFormat is the NameFormat of a SAML attribute (SAML Core 8.2).
type NameFormat string

// The attribute name formats of SAML Core 8.2.
const (
	NameFormatURI         NameFormat = "urn:oasis:names:tc:SAML:2.0:attrname-format:uri"
	NameFormatBasic       NameFormat = "urn:oasis:names:tc:SAML:2.0:attrname-format:basic"
	NameFormatUnspecified NameFormat = "urn:oasis:names:tc:SAML:2.0:attrname-format:unspecified"
)

// NameFormatOf returns the NameFormat of an attribute name for which none was
// stated: NameFormatURI if it is a URI, else NameFormatBasic.
func NameFormatOf(name string) NameFormat {
	if u, err := url.Parse(name); err == nil && u.IsAbs() {
		return NameFormatURI
	}
	return NameFormatBasic
}

// Attribute is one row of the catalogue: a canonical name and what the outside
// calls it.
type Attribute struct {
	Name         Name
	Label        string // for pages, in the operator's language
	Type         string // "string", "email", "string_list": tells pages and checks how to treat values
	SAMLName     string
	NameFormat   NameFormat // empty means NameFormatURI
	FriendlyName string     // for people; never matched on input (IIP-SP11)
	OIDCClaim    string
	LDAP         string
}

// Catalogue translates between canonical names and wire names. Build it with
// NewCatalogue; it is immutable and safe for concurrent use.
type Catalogue struct {
	rows   []Attribute
	byName map[Name]int
	bySAML map[string]int
}

// DefaultAttributes returns the built-in catalogue rows: the attributes of
// inetOrgPerson (RFC 2798), eduMember, eduPerson and SCHAC under the OIDs of the
// SAML X.500/LDAP attribute profile.
func DefaultAttributes() []Attribute {
	return []Attribute{
		{Name: Mail, Label: "E-mail", Type: "email", SAMLName: "urn:oid:0.9.2342.19200300.100.1.3", FriendlyName: "mail", OIDCClaim: "email", LDAP: "mail"},
		{Name: GivenName, Label: "First name", Type: "string", SAMLName: "urn:oid:2.5.4.42", FriendlyName: "givenName", OIDCClaim: "given_name", LDAP: "givenName"},
		{Name: FamilyName, Label: "Last name", Type: "string", SAMLName: "urn:oid:2.5.4.4", FriendlyName: "sn", OIDCClaim: "family_name", LDAP: "sn"},
		{Name: DisplayName, Label: "Display name", Type: "string", SAMLName: "urn:oid:2.16.840.1.113730.3.1.241", FriendlyName: "displayName", OIDCClaim: "name", LDAP: "displayName"},
		{Name: Username, Label: "User name", Type: "string", SAMLName: "urn:oid:0.9.2342.19200300.100.1.1", FriendlyName: "uid", OIDCClaim: "preferred_username", LDAP: "uid"},
		{Name: Groups, Label: "Groups", Type: "string_list", SAMLName: "urn:oid:1.3.6.1.4.1.5923.1.5.1.1", FriendlyName: "isMemberOf", OIDCClaim: "groups", LDAP: "memberOf"},
		{Name: Phone, Label: "Phone", Type: "string", SAMLName: "urn:oid:2.5.4.20", FriendlyName: "telephoneNumber", OIDCClaim: "phone_number", LDAP: "telephoneNumber"},
		{Name: Locale, Label: "Language", Type: "string", SAMLName: "urn:oid:2.16.840.1.113730.3.1.39", FriendlyName: "preferredLanguage", OIDCClaim: "locale", LDAP: "preferredLanguage"},
		{Name: Organization, Label: "Organization", Type: "string", SAMLName: "urn:oid:2.5.4.10", FriendlyName: "o", LDAP: "o"},
		{Name: HomeOrganization, Label: "Home organization", Type: "string", SAMLName: "urn:oid:1.3.6.1.4.1.25178.1.2.9", FriendlyName: "schacHomeOrganization", OIDCClaim: "schac_home_organization", LDAP: "schacHomeOrganization"},
		{Name: PrincipalName, Label: "Principal name", Type: "string", SAMLName: "urn:oid:1.3.6.1.4.1.5923.1.1.1.6", FriendlyName: "eduPersonPrincipalName", OIDCClaim: "eduperson_principal_name", LDAP: "eduPersonPrincipalName"},
		{Name: Affiliation, Label: "Affiliation", Type: "string_list", SAMLName: "urn:oid:1.3.6.1.4.1.5923.1.1.1.1", FriendlyName: "eduPersonAffiliation", OIDCClaim: "eduperson_affiliation", LDAP: "eduPersonAffiliation"},
		{Name: ScopedAffiliation, Label: "Affiliation with an organization", Type: "string_list", SAMLName: "urn:oid:1.3.6.1.4.1.5923.1.1.1.9", FriendlyName: "eduPersonScopedAffiliation", OIDCClaim: "eduperson_scoped_affiliation", LDAP: "eduPersonScopedAffiliation"},
		{Name: Entitlement, Label: "Entitlements", Type: "string_list", SAMLName: "urn:oid:1.3.6.1.4.1.5923.1.1.1.7", FriendlyName: "eduPersonEntitlement", OIDCClaim: "eduperson_entitlement", LDAP: "eduPersonEntitlement"},
		{Name: Assurance, Label: "Assurance", Type: "string_list", SAMLName: "urn:oid:1.3.6.1.4.1.5923.1.1.1.11", FriendlyName: "eduPersonAssurance", OIDCClaim: "eduperson_assurance", LDAP: "eduPersonAssurance"},
		{Name: ORCID, Label: "ORCID", Type: "string", SAMLName: "urn:oid:1.3.6.1.4.1.5923.1.1.1.16", FriendlyName: "eduPersonOrcid", OIDCClaim: "eduperson_orcid", LDAP: "eduPersonOrcid"},
	}
}

// core are the rows that the house itself relies on; the others of
// DefaultAttributes give way to whoever claims their SAML name for another.
const core = 8

// NewCatalogue returns the catalogue of DefaultAttributes, in which each of
// rows replaces the row of the same canonical name or is added. Two rows with
// one SAML name are an error; but a built-in row on which nothing of ours relies
// (organization and those of eduPerson and SCHAC) gives way to one of rows that
// calls the same thing otherwise.
func NewCatalogue(rows []Attribute) (*Catalogue, error) {
	c := &Catalogue{byName: map[Name]int{}, bySAML: map[string]int{}}
	builtIn := DefaultAttributes()
	builtIn = append(builtIn[:core], slices.DeleteFunc(builtIn[core:], func(b Attribute) bool {
		return slices.ContainsFunc(rows, func(r Attribute) bool { return r.SAMLName == b.SAMLName && r.Name != b.Name })
	})...)
	for _, a := range append(builtIn, rows...) {
		if a.NameFormat == "" {
			a.NameFormat = NameFormatURI
		}
		if i, ok := c.byName[a.Name]; ok {
			c.rows[i] = a
			continue
		}
		c.byName[a.Name] = len(c.rows)
		c.rows = append(c.rows, a)
	}
	for i, a := range c.rows {
		if a.SAMLName == "" {
			continue
		}
		if j, taken := c.bySAML[a.SAMLName]; taken {
			return nil, fmt.Errorf("attributes %q and %q have the same saml_name %q", c.rows[j].Name, a.Name, a.SAMLName)
		}
		c.bySAML[a.SAMLName] = i
	}
	return c, nil
}

// Lookup returns the row of canonical name n.
func (c *Catalogue) Lookup(n Name) (Attribute, bool) {
	i, ok := c.byName[n]
	if !ok {
		return Attribute{}, false
	}
	return c.rows[i], true
}

// BySAMLName returns the row whose SAMLName is s; FriendlyName is never
// consulted (IIP-SP11).
func (c *Catalogue) BySAMLName(s string) (Attribute, bool) {
	i, ok := c.bySAML[s]
	if !ok {
		return Attribute{}, false
	}
	return c.rows[i], true
}

// All returns the rows in their declared order.
func (c *Catalogue) All() []Attribute { return slices.Clone(c.rows) }
