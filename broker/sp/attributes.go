package sp

import (
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/xmlsec"
)

const nsXSI = "http://www.w3.org/2001/XMLSchema-instance"

// attributes reads all AttributeStatements (SAML Core 2.7.3) under the IdP's own
// names. NameFormat, FriendlyName and xsi:type are ignored; an attribute that
// comes twice has the values of both.
func attributes(a *xmlsec.Element) (identity.Attributes, error) {
	out := identity.Attributes{}
	for _, statement := range a.Children(xmlsec.NSAssertion, "AttributeStatement") {
		for _, attribute := range statement.Children(xmlsec.NSAssertion, "Attribute") {
			name := identity.Name(attribute.Attr("Name"))
			if name == "" {
				return nil, malformed("an Attribute without Name", "a Name")
			}
			values, err := attributeValues(attribute)
			if err != nil {
				return nil, err
			}
			if len(values) > 0 {
				out[name] = append(out[name], values...)
			}
		}
	}
	return out, nil
}

// attributeValues returns the values that are text. Nil ones and those with
// child elements are skipped; an empty one is a value (SAML Core 2.7.3.1.1).
func attributeValues(attribute *xmlsec.Element) ([]string, error) {
	var values []string
	for _, v := range attribute.Children(xmlsec.NSAssertion, "AttributeValue") {
		if nilled := v.AttrNS(nsXSI, "nil"); nilled == "true" || nilled == "1" || len(v.Elements()) > 0 {
			continue
		}
		text, err := v.Text()
		if err != nil {
			return nil, unreadable(err)
		}
		values = append(values, text)
	}
	return values, nil
}
