package xmlsec

import (
	"bytes"
	"fmt"
	"unicode"
)

// Pretty writes e for people to read: indented, with the namespace declarations
// where they stood, those of its ancestors copied down. It is for display alone:
// the blanks that it adds break every signature, and what a terminal or an editor
// could take for a command (control characters, changes of the direction of
// writing) is written as a character reference.
func Pretty(e *Element) []byte {
	if e == nil {
		return nil
	}
	p := &printer{}
	p.element(e, e.scope(), 0)
	return p.out.Bytes()
}

type printer struct{ out bytes.Buffer }

// element writes e and its content. Its recursion is bounded by Limits.Depth.
func (p *printer) element(e *Element, declared []binding, depth int) {
	for range depth {
		p.out.WriteString("  ")
	}
	p.out.WriteByte('<')
	p.name(e.prefix, e.Local)
	for _, d := range declared {
		if d.prefix == "" {
			p.attribute("", "xmlns", d.space)
		} else {
			p.attribute("xmlns", d.prefix, d.space)
		}
	}
	for _, a := range e.attrs {
		p.attribute(a.prefix, a.Local, a.Value)
	}
	text, err := e.Text()
	switch {
	case err == nil && text == "":
		p.out.WriteString("/>\n")
		return
	case err == nil:
		p.out.WriteByte('>')
		p.text(text, false)
	default:
		p.content(e, depth)
	}
	p.out.WriteString("</")
	p.name(e.prefix, e.Local)
	p.out.WriteString(">\n")
}

// content writes child elements on lines of their own, and text between them,
// which SAML knows in no element of its own, too.
func (p *printer) content(e *Element, depth int) {
	p.out.WriteString(">\n")
	for n := e.content; n != nil; n = n.next {
		switch {
		case n.element != nil:
			p.element(n.element, n.element.declared, depth+1)
		case !blank([]byte(n.text)):
			p.text(n.text, false)
			p.out.WriteByte('\n')
		}
	}
	for range depth {
		p.out.WriteString("  ")
	}
}

func (p *printer) attribute(prefix, local, value string) {
	p.out.WriteByte(' ')
	p.name(prefix, local)
	p.out.WriteString(`="`)
	p.text(value, true)
	p.out.WriteByte('"')
}

func (p *printer) name(prefix, local string) {
	if prefix != "" {
		p.out.WriteString(prefix)
		p.out.WriteByte(':')
	}
	p.out.WriteString(local)
}

func (p *printer) text(s string, inAttribute bool) {
	for _, r := range s {
		switch {
		case r == '&':
			p.out.WriteString("&amp;")
		case r == '<':
			p.out.WriteString("&lt;")
		case r == '>':
			p.out.WriteString("&gt;")
		case r == '"' && inAttribute:
			p.out.WriteString("&quot;")
		case (r == '\n' || r == '\t') && !inAttribute:
			p.out.WriteRune(r)
		case unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp):
			fmt.Fprintf(&p.out, "&#x%X;", r)
		default:
			p.out.WriteRune(r)
		}
	}
}
