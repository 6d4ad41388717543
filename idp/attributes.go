package idp

import (
	"cmp"
	"net/url"
	"slices"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/xmlsec"
)

// writeAttributeStatement writes a saml:AttributeStatement (SAML Core 2.7.3), or
// nothing where nothing is released: it must not be empty.
func (p *Provider) writeAttributeStatement(w *xmlsec.Writer, rules []identity.ReleaseRule, attributes identity.Attributes) {
	names := attributes.Names()
	if len(names) == 0 {
		return
	}
	w.Open("saml:AttributeStatement")
	for _, n := range names {
		for _, on := range p.wireNames(n, rules) {
			w.Open("saml:Attribute",
				"Name", on.name,
				"NameFormat", string(on.format),
				"FriendlyName", on.friendly)
			for _, v := range attributes[n] {
				w.Element("saml:AttributeValue", v)
			}
			w.Close()
		}
	}
	w.Close()
}

// wireName is what one service provider calls an attribute.
type wireName struct {
	name     string
	format   identity.NameFormat
	friendly string
}

// wireNames returns what the service provider calls n: as each of its rules for
// n says, else as the catalogue does. A name that is unknown on the wire goes by
// our own.
func (p *Provider) wireNames(n identity.Name, rules []identity.ReleaseRule) []wireName {
	row, _ := p.cfg.Catalogue.Lookup(n) // the zero row has no SAML name
	usual := wireName{name: row.SAMLName, format: row.NameFormat, friendly: row.FriendlyName}
	if usual.name == "" {
		usual = wireName{name: string(n), format: identity.NameFormatBasic}
	}
	var out []wireName
	for _, r := range rules {
		if r.Attribute != n {
			continue
		}
		on := usual
		if r.As != "" {
			on = wireName{name: r.As, format: cmp.Or(r.NameFormat, formatOf(r.As)), friendly: row.FriendlyName}
		}
		if !slices.Contains(out, on) {
			out = append(out, on)
		}
	}
	if len(out) == 0 {
		return []wireName{usual}
	}
	return out
}

// formatOf guesses the format of a name that the operator chose.
func formatOf(name string) identity.NameFormat {
	if u, err := url.Parse(name); err == nil && u.IsAbs() {
		return identity.NameFormatURI
	}
	return identity.NameFormatBasic
}
