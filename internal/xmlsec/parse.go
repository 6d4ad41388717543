package xmlsec

import (
	"bytes"
	"cmp"
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
)

// Document is one parsed document. It and its elements never change, and are
// safe for concurrent use.
type Document struct {
	root  *Element
	lim   Limits
	outer []binding // declared around the place that the document was cut from
}

// Root returns the root element, as it stands in a document that nobody has
// vouched for yet; see [Document.Verify].
func (d *Document) Root() *Element {
	if d == nil {
		return nil
	}
	return d.root
}

// Parse reads one document within lim. Beyond what XML 1.0 and Namespaces in
// XML 1.0 demand, it refuses:
//
//   - document types, declarations and processing instructions (IIP-G03);
//   - encodings other than UTF-8;
//   - namespace names that are not absolute URIs, since canonicalisation fails
//     on them in some implementations;
//   - elements whose text is in several pieces, because a comment or a CDATA
//     section splits it. So what Text returns, what the canonical form holds
//     and what any other parser reads is the same string. Comments between
//     elements are accepted and forgotten;
//   - attributes that look like the ID that a signature refers to without being
//     it, and values of IDs that occur twice.
//
// Errors are *identity.Error with codes xml.*.
func Parse(raw []byte, lim Limits) (doc *Document, err error) {
	defer rescue(&err)
	return parse(raw, lim, nil)
}

// binding is one namespace declaration. The empty prefix is the default
// namespace, the empty space takes that away again.
type binding struct{ prefix, space string }

// parse is Parse for a document that was cut out of another one, where the
// namespaces of scope were declared.
func parse(raw []byte, lim Limits, scope []binding) (*Document, error) {
	s := &scanner{raw: raw, lim: lim}
	if err := s.scan(); err != nil {
		return nil, err
	}
	b := &builder{
		doc:      &Document{lim: lim, outer: scope},
		raw:      s.raw,
		scope:    slices.Clone(scope),
		elements: make([]Element, 0, s.elements),
		attrs:    make([]Attr, 0, s.attributes),
		nodes:    make([]node, 0, s.elements+s.runs),
	}
	if err := b.build(); err != nil {
		return nil, err
	}
	if len(b.elements) != s.elements || b.attributes != s.attributes {
		return nil, refuse(codeSyntax, "The XML document is understood differently by two parsers.")
	}
	return b.doc, nil
}

// builder makes the tree from the tokens of encoding/xml.
type builder struct {
	doc   *Document
	raw   []byte
	scope []binding // declarations in scope, innermost last
	open  []opened
	ids   map[string]struct{}

	// The scanner counted these, so they never grow: pointers into them stay.
	elements   []Element
	attrs      []Attr
	nodes      []node
	attributes int // seen, namespace declarations included
}

// opened is an element whose end tag is still to come.
type opened struct {
	e       *Element
	prefix  string
	last    *node
	scope   int // len(scope) outside of it
	pieces  int // runs of text that are not blank
	comment bool
	cdata   bool
}

func (b *builder) build() error {
	d := xml.NewDecoder(bytes.NewReader(b.raw))
	for {
		at := d.InputOffset()
		token, err := d.RawToken()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return refuse(codeSyntax, "The XML document is not well-formed: %v.", err)
		}
		if err := b.token(token, b.raw[at:]); err != nil {
			return err
		}
	}
	if len(b.open) > 0 || b.doc.root == nil {
		return refuse(codeSyntax, "The XML document is incomplete.")
	}
	return nil
}

func (b *builder) token(token xml.Token, raw []byte) error {
	switch t := token.(type) {
	case xml.StartElement:
		return b.start(t)
	case xml.EndElement:
		return b.end(t)
	case xml.CharData:
		b.text(t, bytes.HasPrefix(raw, []byte("<![CDATA[")))
		return nil
	case xml.Comment:
		if len(b.open) > 0 {
			b.open[len(b.open)-1].comment = true
		}
		return nil
	}
	return refuse(codeDTD, "The XML document contains a declaration or a processing instruction.")
}

func (b *builder) start(t xml.StartElement) error {
	if len(b.elements) == cap(b.elements) {
		return refuse(codeSyntax, "The XML document is understood differently by two parsers.")
	}
	b.elements = append(b.elements, Element{Local: t.Name.Local, prefix: t.Name.Space, doc: b.doc})
	e := &b.elements[len(b.elements)-1]
	outside := len(b.scope)
	for _, a := range t.Attr {
		if err := b.declare(a, outside); err != nil {
			return err
		}
	}
	if len(b.scope) > outside {
		e.declared = slices.Clone(b.scope[outside:])
	}
	space, ok := b.lookup(e.prefix)
	if !ok || e.prefix == "xml" {
		return refuse(codeNamespace, "The XML document has an element %q whose prefix is not declared.", e.prefix+":"+e.Local)
	}
	e.Space = space
	if err := b.attach(e, t.Attr); err != nil {
		return err
	}
	if len(b.open) == 0 {
		b.doc.root = e
	} else {
		e.parent = b.open[len(b.open)-1].e
		b.append(node{element: e})
	}
	b.open = append(b.open, opened{e: e, prefix: t.Name.Space, scope: outside})
	return nil
}

// declare brings the namespace declaration a, if it is one, into scope.
func (b *builder) declare(a xml.Attr, outside int) error {
	prefix := a.Name.Local
	switch {
	case a.Name.Space == "" && a.Name.Local == "xmlns":
		prefix = ""
	case a.Name.Space != "xmlns":
		return nil
	}
	switch {
	case prefix == "xml" && a.Value == NSXML:
		// It may be declared as what it is (Namespaces in XML 1.0, section 3),
		// as the Shibboleth IdP's metadata does; canonical form leaves it out.
		return nil
	case prefix == "xml" || prefix == "xmlns" || a.Value == NSXML || a.Value == NSXMLNS:
		return refuse(codeNamespace, "The XML document declares a reserved prefix or namespace.")
	case a.Value == "" && prefix != "":
		return refuse(codeNamespace, "The XML document takes the prefix %q away, which XML 1.0 cannot.", prefix)
	case a.Value != "" && !absoluteURI(a.Value):
		return differs(codeNamespace, "The XML document declares a namespace that is not an absolute URI.", a.Value, "an absolute URI")
	case slices.ContainsFunc(b.scope[outside:], func(d binding) bool { return d.prefix == prefix }):
		return refuse(codeDuplicateAttribute, "The XML document declares the prefix %q twice in one tag.", prefix)
	case len(b.scope) >= b.doc.lim.Namespaces:
		return differs(codeNamespaces, "The XML document declares too many namespaces.", "more", "at most "+strconv.Itoa(b.doc.lim.Namespaces)+" at once")
	}
	b.scope = append(b.scope, binding{prefix, a.Value})
	return nil
}

// absoluteURI reports whether s begins with a scheme (RFC 3986 section 3.1)
// and has more after it.
func absoluteURI(s string) bool {
	scheme, rest, ok := strings.Cut(s, ":")
	if !ok || scheme == "" || rest == "" || strings.ContainsAny(s, " \t\r\n") {
		return false
	}
	for i, c := range []byte(scheme) {
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !letter && (i == 0 || (c < '0' || c > '9') && c != '+' && c != '-' && c != '.') {
			return false
		}
	}
	return true
}

// lookup returns the namespace of prefix. No default namespace is the namespace
// "".
func (b *builder) lookup(prefix string) (string, bool) {
	switch prefix {
	case "xml":
		return NSXML, true
	case "xmlns":
		return "", false
	}
	for i := len(b.scope) - 1; i >= 0; i-- {
		if b.scope[i].prefix == prefix {
			return b.scope[i].space, true
		}
	}
	return "", prefix == ""
}

// attach gives e its attributes, in the order of the canonical form: by
// namespace name, then by local name (Canonical XML 1.1 section 4.7).
func (b *builder) attach(e *Element, attrs []xml.Attr) error {
	first := len(b.attrs)
	for _, a := range attrs {
		b.attributes++
		if a.Name.Space == "xmlns" || a.Name.Space == "" && a.Name.Local == "xmlns" {
			continue
		}
		if len(b.attrs) == cap(b.attrs) {
			return refuse(codeSyntax, "The XML document is understood differently by two parsers.")
		}
		space := ""
		if a.Name.Space != "" { // The default namespace does not apply to attributes.
			var ok bool
			if space, ok = b.lookup(a.Name.Space); !ok {
				return refuse(codeNamespace, "The XML document has an attribute %q whose prefix is not declared.", a.Name.Space+":"+a.Name.Local)
			}
		}
		b.attrs = append(b.attrs, Attr{Space: space, Local: a.Name.Local, Value: a.Value, prefix: a.Name.Space})
	}
	e.attrs = b.attrs[first:len(b.attrs):len(b.attrs)]
	slices.SortFunc(e.attrs, func(x, y Attr) int {
		return cmp.Or(cmp.Compare(x.Space, y.Space), cmp.Compare(x.Local, y.Local))
	})
	for i, a := range e.attrs {
		if i > 0 && a.Space == e.attrs[i-1].Space && a.Local == e.attrs[i-1].Local {
			return refuse(codeDuplicateAttribute, "The XML document has an element with two attributes %q.", a.Local)
		}
		if err := b.id(e, a); err != nil {
			return err
		}
	}
	return nil
}

// id refuses attributes that one reader and not another could take for the ID
// that a signature refers to, and values that occur twice. SAML spells it ID,
// XML signature and encryption spell it Id, neither has a namespace; foreign
// elements (extensions, values of attributes) may spell it as they like.
func (b *builder) id(e *Element, a Attr) error {
	if !strings.EqualFold(a.Local, "ID") {
		return nil
	}
	want := a.Local
	switch {
	case a.Space != "":
		return refuse(codeID, "The XML document has an ID attribute with a prefix.")
	case strings.HasPrefix(e.Space, "urn:oasis:names:tc:SAML:"):
		want = "ID"
	case e.Space == NSDSig || e.Space == NSXEnc || e.Space == NSDSig11 || e.Space == NSXEnc11:
		want = "Id"
	}
	if a.Local != want {
		return differs(codeID, "The XML document spells the name of an ID attribute wrongly.", a.Local, want)
	}
	if a.Value == "" || strings.ContainsAny(a.Value, " \t\r\n") {
		return refuse(codeID, "The XML document has an ID that is empty or contains blanks.")
	}
	if _, taken := b.ids[a.Value]; taken {
		return refuse(codeDuplicateID, "The XML document has the same ID twice.")
	}
	if b.ids == nil {
		b.ids = make(map[string]struct{})
	}
	b.ids[a.Value] = struct{}{}
	return nil
}

func (b *builder) end(t xml.EndElement) error {
	if len(b.open) == 0 {
		return refuse(codeSyntax, "The XML document has an end tag too many.")
	}
	o := b.open[len(b.open)-1]
	if o.e.Local != t.Name.Local || o.prefix != t.Name.Space {
		return refuse(codeSyntax, "The XML document has an element %q that is not closed.", o.e.Local)
	}
	if o.comment && o.pieces > 0 || o.cdata && o.pieces > 1 {
		return refuse(codeSplitText, "The XML document has a comment or a CDATA section amid the text of an element %q.", o.e.Local)
	}
	o.e.comment = o.comment
	b.scope = b.scope[:o.scope]
	b.open = b.open[:len(b.open)-1]
	return nil
}

func (b *builder) text(t xml.CharData, cdata bool) {
	if len(b.open) == 0 {
		return // The scanner has seen that it is blank.
	}
	o := &b.open[len(b.open)-1]
	o.cdata = o.cdata || cdata
	if len(t) == 0 {
		return
	}
	if !blank(t) {
		o.pieces++
	}
	b.append(node{text: string(t)})
}

// append adds n to the content of the innermost open element.
func (b *builder) append(n node) {
	o := &b.open[len(b.open)-1]
	b.nodes = append(b.nodes, n)
	at := &b.nodes[len(b.nodes)-1]
	if o.last == nil {
		o.e.content = at
	} else {
		o.last.next = at
	}
	o.last = at
}
