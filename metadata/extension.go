package metadata

import (
	"slices"
	"time"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/xmlsec"
)

// Names of entity attributes that federations agreed on (RFC 8409, the Subject
// Identifier Attributes Profile section 4, REFEDS).
const (
	AttributeEntityCategory        = "http://macedir.org/entity-category"
	AttributeEntityCategorySupport = "http://macedir.org/entity-category-support"
	AttributeSubjectIDRequirement  = "urn:oasis:names:tc:SAML:profiles:subject-id:req"
	AttributeAssuranceCertificate  = "urn:oasis:names:tc:SAML:attribute:assurance-certification"
)

// EntityAttribute is what is said of an entity by mdattr:EntityAttributes (SAML
// Metadata Extension for Entity Attributes 2.2), such as the entity categories
// that it belongs to. Attributes inside of assertions are not read: whoever
// vouches for them, we do not know.
type EntityAttribute struct {
	Name       string
	NameFormat identity.NameFormat
	Values     []string
}

// Registration says who registered an entity with a federation (mdrpi, SAML
// Metadata Extensions for Registration and Publication Information 2.1).
type Registration struct {
	Authority string    // registrationAuthority; empty: not stated
	Instant   time.Time // registrationInstant; zero: not stated
	Policies  []Localized
}

// HasAttribute reports whether an entity attribute has a value.
func (e *Entity) HasAttribute(name, value string) bool {
	return slices.ContainsFunc(e.Attributes, func(a EntityAttribute) bool {
		return a.Name == name && slices.Contains(a.Values, value)
	})
}

// extensions reads what the Extensions of an entity, or of a group around it,
// say of the entity. A group speaks for all that is in it (SAML Metadata
// Extension for Entity Attributes 2.2), and whoever is nearer wins.
func (r *reader) extensions(el *xmlsec.Element) error {
	ext := el.Child(xmlsec.NSMetadata, "Extensions")
	for _, container := range ext.Children(xmlsec.NSMDAttr, "EntityAttributes") {
		for _, c := range container.Children(xmlsec.NSAssertion, "Attribute") {
			r.entityAttribute(c)
		}
	}
	info := ext.Child(xmlsec.NSMDRPI, "RegistrationInfo")
	if info == nil {
		return nil
	}
	reg := Registration{Authority: info.Attr("registrationAuthority")}
	var err error
	if info.HasAttr("registrationInstant") {
		if reg.Instant, err = xmlsec.ParseTime(info.Attr("registrationInstant")); err != nil {
			return badValue(info, "registrationInstant", err)
		}
	}
	if reg.Policies, err = localized(info, xmlsec.NSMDRPI, "RegistrationPolicy"); err != nil {
		return err
	}
	r.e.Registration = reg
	return nil
}

// entityAttribute adds one attribute; an attribute that is there already gains
// the values that it lacks. Values are compared without the blanks around them,
// which files that were indented by a machine are full of. A value that is no
// text says nothing to us.
func (r *reader) entityAttribute(el *xmlsec.Element) {
	a := EntityAttribute{Name: el.Attr("Name"), NameFormat: identity.NameFormat(el.Attr("NameFormat"))}
	at := slices.IndexFunc(r.e.Attributes, func(b EntityAttribute) bool { return a.Name == b.Name && a.NameFormat == b.NameFormat })
	if at < 0 {
		at = len(r.e.Attributes)
		r.e.Attributes = append(r.e.Attributes, a)
	}
	have := &r.e.Attributes[at]
	for _, v := range el.Children(xmlsec.NSAssertion, "AttributeValue") {
		text, err := v.TrimText()
		if err != nil {
			r.finding("A value of the entity attribute %q was passed over because it is no text.", a.Name)
			continue
		}
		if text != "" && !slices.Contains(have.Values, text) {
			have.Values = append(have.Values, text)
		}
	}
}
