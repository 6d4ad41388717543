package xmlsec

import (
	"math"
	"slices"
	"strings"
)

// Element is one element of a Document, its name resolved to a namespace. It is
// read-only. All methods can be called on nil, which is an element that is not
// there: without attributes, content or name.
type Element struct {
	Space, Local string

	prefix   string
	doc      *Document
	parent   *Element
	attrs    []Attr // in canonical order
	declared []binding
	content  *node
	comment  bool // a comment stood directly in it
}

// Attr is one attribute. Space is empty for an attribute without prefix.
type Attr struct {
	Space, Local, Value string

	prefix string
}

// node is a child element, or a run of text if element is nil.
type node struct {
	next    *node
	element *Element
	text    string
}

// Document returns the document that e belongs to.
func (e *Element) Document() *Document {
	if e == nil {
		return nil
	}
	return e.doc
}

// Is reports whether e has this name.
func (e *Element) Is(space, local string) bool {
	return e != nil && e.Space == space && e.Local == local
}

// Attr returns the value of the attribute local that has no namespace, or "".
func (e *Element) Attr(local string) string { return e.AttrNS("", local) }

// HasAttr reports whether e has the attribute local that has no namespace.
func (e *Element) HasAttr(local string) bool {
	_, ok := e.attr("", local)
	return ok
}

// AttrNS returns the value of the attribute local in namespace space, or "".
func (e *Element) AttrNS(space, local string) string {
	v, _ := e.attr(space, local)
	return v
}

func (e *Element) attr(space, local string) (string, bool) {
	if e == nil {
		return "", false
	}
	for _, a := range e.attrs {
		if a.Local == local && a.Space == space {
			return a.Value, true
		}
	}
	return "", false
}

// Attrs returns all attributes but the namespace declarations, sorted by
// namespace and local name.
func (e *Element) Attrs() []Attr {
	if e == nil {
		return nil
	}
	return slices.Clone(e.attrs)
}

// Child returns the first child element of this name, or nil.
func (e *Element) Child(space, local string) *Element {
	for c := e.firstChild(); c != nil; c = c.next {
		if c.element.Is(space, local) {
			return c.element
		}
	}
	return nil
}

// Children returns the child elements of this name, in document order.
func (e *Element) Children(space, local string) []*Element {
	var found []*Element
	for c := e.firstChild(); c != nil; c = c.next {
		if c.element.Is(space, local) {
			found = append(found, c.element)
		}
	}
	return found
}

// Elements returns all child elements, in document order.
func (e *Element) Elements() []*Element {
	var found []*Element
	for c := e.firstChild(); c != nil; c = c.next {
		if c.element != nil {
			found = append(found, c.element)
		}
	}
	return found
}

func (e *Element) firstChild() *node {
	if e == nil {
		return nil
	}
	return e.content
}

// Text returns the whole text of e, exactly as it is (SAML Core 1.3.1 compares
// strings octet for octet). It is an error with code xml.mixed if e has child
// elements.
func (e *Element) Text() (string, error) {
	first := e.firstChild()
	if first == nil {
		return "", nil
	}
	if first.next == nil && first.element == nil {
		return first.text, nil
	}
	var b strings.Builder
	for c := first; c != nil; c = c.next {
		if c.element != nil {
			return "", refuse(codeMixed, "The element %q has an element %q where only text can be.", e.Local, c.element.Local)
		}
		b.WriteString(c.text)
	}
	return b.String(), nil
}

// TrimText is Text without the white space around it, for values of types that
// XML Schema collapses: URIs, times, numbers.
func (e *Element) TrimText() (string, error) {
	s, err := e.Text()
	return strings.Trim(s, " \t\r\n"), err
}

// Raw returns e as a document of its own, in canonical form except that every
// namespace declaration is kept and those of the ancestors are copied down.
func (e *Element) Raw() []byte {
	if e == nil {
		return nil
	}
	c := &canonicaliser{all: true, most: math.MaxInt}
	c.element(e, e.scope())
	return c.out
}

// scope returns the namespaces that are declared for the content of e, one for
// each prefix.
func (e *Element) scope() []binding {
	var scope []binding
	add := func(declared []binding) {
		for _, d := range declared {
			if !slices.ContainsFunc(scope, func(s binding) bool { return s.prefix == d.prefix }) {
				scope = append(scope, d)
			}
		}
	}
	for at := e; at != nil; at = at.parent {
		add(at.declared)
	}
	add(e.doc.outer)
	return scope
}
