package xmlsec

import (
	"slices"
	"strings"
)

// canonical returns the exclusive canonical form without comments of e
// (Exclusive XML Canonicalization 1.0 section 3) in which skip and its content
// are left out. The prefixes of an InclusiveNamespaces PrefixList are treated
// as in Canonical XML; "" is #default.
//
// A reference "#id" selects no comments, whatever form of canonicalisation is
// named (XML Signature section 4.4.3.3), and Verify refuses comments in
// SignedInfo; so the form with comments is never needed.
//
// A namespace is declared anew on each of many siblings if their parent does
// not use it, so a short document can have a long canonical form. One that is
// longer than most octets is an error.
func canonical(e, skip *Element, prefixes []string, most int) ([]byte, error) {
	c := &canonicaliser{skip: skip, prefixes: prefixes, most: most}
	c.element(e, c.listed(e.scope()))
	if len(c.out) > most {
		return nil, refuse(codeSize, "The canonical form of the XML document is too long.")
	}
	return c.out, nil
}

type canonicaliser struct {
	out      []byte
	most     int
	skip     *Element
	all      bool // every declaration is kept where it stands
	prefixes []string
	rendered []binding // by the open elements, innermost last
}

// listed returns those of declared that are kept although nothing uses them.
func (c *canonicaliser) listed(declared []binding) []binding {
	if c.all || len(declared) == 0 {
		return declared
	}
	var found []binding
	for _, d := range declared {
		if slices.Contains(c.prefixes, d.prefix) {
			found = append(found, d)
		}
	}
	return found
}

// element writes e and its content, with the declarations in kept. Its recursion
// is bounded by Limits.Depth.
func (c *canonicaliser) element(e *Element, kept []binding) {
	if len(c.out) > c.most {
		return
	}
	outside := len(c.rendered)
	c.out = append(c.out, '<')
	c.name(e.prefix, e.Local)
	c.namespaces(e, kept)
	for _, a := range e.attrs {
		c.out = append(c.out, ' ')
		c.name(a.prefix, a.Local)
		c.out = append(c.out, '=', '"')
		c.out = append(c.out, attributeEscapes.Replace(a.Value)...)
		c.out = append(c.out, '"')
	}
	c.out = append(c.out, '>')
	for n := e.content; n != nil; n = n.next {
		switch {
		case n.element == nil:
			c.out = append(c.out, textEscapes.Replace(n.text)...)
		case n.element != c.skip:
			c.element(n.element, c.listed(n.element.declared))
		}
	}
	c.out = append(c.out, '<', '/')
	c.name(e.prefix, e.Local)
	c.out = append(c.out, '>')
	c.rendered = c.rendered[:outside]
}

// namespaces writes, sorted by prefix, the declarations that e visibly uses and
// those in kept, as far as no open element has rendered them.
func (c *canonicaliser) namespaces(e *Element, kept []binding) {
	outside := len(c.rendered)
	c.render(binding{e.prefix, e.Space})
	for _, a := range e.attrs {
		if a.prefix != "" && a.prefix != "xml" {
			c.render(binding{a.prefix, a.Space})
		}
	}
	for _, d := range kept {
		c.render(d)
	}
	added := c.rendered[outside:]
	slices.SortFunc(added, func(x, y binding) int { return strings.Compare(x.prefix, y.prefix) })
	for _, d := range added {
		c.out = append(c.out, " xmlns"...)
		if d.prefix != "" {
			c.out = append(c.out, ':')
			c.out = append(c.out, d.prefix...)
		}
		c.out = append(c.out, '=', '"')
		c.out = append(c.out, attributeEscapes.Replace(d.space)...)
		c.out = append(c.out, '"')
	}
}

// render notes d unless it is what an open element rendered last for its
// prefix; without any, the default namespace is "".
func (c *canonicaliser) render(d binding) {
	space, seen := "", d.prefix == ""
	for i := len(c.rendered) - 1; i >= 0; i-- {
		if r := c.rendered[i]; r.prefix == d.prefix {
			space, seen = r.space, true
			break
		}
	}
	if !seen || space != d.space {
		c.rendered = append(c.rendered, d)
	}
}

func (c *canonicaliser) name(prefix, local string) {
	if prefix != "" {
		c.out = append(c.out, prefix...)
		c.out = append(c.out, ':')
	}
	c.out = append(c.out, local...)
}

// The escapes of Canonical XML 1.0 section 2.3.
var (
	textEscapes      = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "\r", "&#xD;")
	attributeEscapes = strings.NewReplacer("&", "&amp;", "<", "&lt;", `"`, "&quot;", "\t", "&#x9;", "\n", "&#xA;", "\r", "&#xD;")
)
