package idp

import (
	"cmp"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/xmlsec"
)

// writeAttributeStatement writes a saml:AttributeStatement (SAML Core 2.7.3), or
// nothing where nothing is released: it must not be empty.
func (p *Provider) writeAttributeStatement(w *xmlsec.Writer, released []identity.Released) {
	open := false
	for i := range released {
		r := &released[i]
		if len(r.Values) == 0 {
			continue
		}
		if !open {
			w.Open("saml:AttributeStatement")
			open = true
		}
		on := p.onWire(r)
		w.Open("saml:Attribute", // in canonical order, so that nothing has to be moved
			"FriendlyName", on.friendly,
			"Name", on.name,
			"NameFormat", string(on.format))
		for _, v := range r.Values {
			w.Element("saml:AttributeValue", v)
		}
		w.Close()
	}
	if open {
		w.Close()
	}
}

// wireName is what one service provider calls an attribute.
type wireName struct {
	name     string
	format   identity.NameFormat
	friendly string
}

// onWire returns what the service provider calls an attribute: as it was
// released, else as the catalogue has it. A name that is unknown on the wire goes
// by our own.
func (p *Provider) onWire(r *identity.Released) wireName {
	row, _ := p.cfg.Catalogue.Lookup(r.Attribute) // the zero row has no SAML name
	friendly := cmp.Or(r.FriendlyName, row.FriendlyName)
	switch {
	case r.As != "" && r.NameFormat == "":
		return wireName{r.As, identity.NameFormatOf(r.As), friendly}
	case r.As != "":
		return wireName{r.As, r.NameFormat, friendly}
	case row.SAMLName != "":
		return wireName{row.SAMLName, cmp.Or(r.NameFormat, row.NameFormat), friendly}
	}
	return wireName{string(r.Attribute), cmp.Or(r.NameFormat, identity.NameFormatBasic), friendly}
}
