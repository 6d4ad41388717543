package xmlsec

import (
	"errors"
	"fmt"
	"strings"
	"sync"
)

// Writer writes one XML document straight into exclusive canonical form
// (Exclusive XML Canonicalization 1.0), so that signing needs no tree and no
// second pass: the octets of an element in the buffer are the octets that are
// hashed.
//
// A document is written top to bottom:
//
//	w := xmlsec.NewWriter()
//	w.Open("samlp:Response", "ID", id, "Version", "2.0")
//	w.Element("saml:Issuer", issuer)
//	w.SignatureSlot()
//	…
//	w.Close()
//	octets, err := w.Sign(key)
//
// Names are written with the prefixes that the specifications use (saml, samlp, md, ds, …). Attributes
// are alternating names and values, as in slog; an attribute with an empty value
// is left out, since no attribute of SAML may be empty (SAML Core 1.3.1). Every
// text and value is escaped here and checked for characters that XML cannot
// carry; there is no way to paste markup, only to Embed what was parsed.
//
// Why one buffer serves two signatures. A prefix is declared on the first
// element that visibly uses it, as exclusive canonicalization demands, and the
// declarations of an element depend only on what its ancestors declared. So the
// octets of an Assertion inside a Response are also its canonical form as an apex
// of its own exactly if it uses no prefix that an ancestor declared. SAML's own
// layout has that property: samlp is used by the Response and never inside an
// Assertion, and saml is first used by siblings, each of which declares it for
// itself. The Writer does not trust the layout: it notes which open elements
// borrow a declaration, and refuses to sign one that does.
//
// Errors are kept and returned by Sign or Bytes, which also end the Writer. A
// Writer is not safe for concurrent use.
type Writer struct {
	s   *scratch // nil once the Writer has ended
	err error
}

// scratch is what Writers share through a pool, to save its allocation.
type scratch struct {
	buf   []byte
	sigs  []byte // the ds:Signature elements, in the order of signing
	open  []frame
	scope []declared
	slots []slot
	attrs []attribute

	sealed []byte // room for what is encrypted
}

type frame struct {
	name    string
	id      string
	start   int  // offset of '<'
	scope   int  // len(scope) outside the element
	slot    int  // 1 + index of its slot, 0 without
	borrows bool // uses a prefix that an ancestor declared
}

type declared struct {
	prefix string
	depth  int // index of the declaring frame
}

// slot is the place of one ds:Signature.
type slot struct {
	id             string
	start, at, end int // of the signed element, and the place within it
	from, to       int // of the signature, in scratch.sigs
}

type attribute struct{ space, local, name, value string }

const maxPooled = 1 << 20 // larger buffers are left to the garbage collector

var pool = sync.Pool{New: func() any { return new(scratch) }}

var errEnded = errors.New("xmlsec: the Writer has ended")

// NewWriter returns an empty Writer.
func NewWriter() *Writer {
	return &Writer{s: pool.Get().(*scratch)} //nolint:errcheck // the pool holds nothing else
}

// namespaceOf lists the namespaces that can be written, each with the one prefix
// that the specifications use for it.
func namespaceOf(prefix string) (string, bool) {
	switch prefix {
	case "saml":
		return NSAssertion, true
	case "samlp":
		return NSProtocol, true
	case "md":
		return NSMetadata, true
	case "ds":
		return NSDSig, true
	case "xenc":
		return NSXEnc, true
	case "xenc11":
		return NSXEnc11, true
	case "mdui":
		return NSMDUI, true
	case "alg":
		return NSMDAlg, true
	case "mdattr":
		return NSMDAttr, true
	case "mdrpi":
		return NSMDRPI, true
	case "shibmd":
		return NSShibMD, true
	case "S":
		return NSSOAP11, true
	case "ecp":
		return NSECP, true
	case "cb":
		return NSChannelBinding, true
	case "samlec":
		return NSSAMLEC, true
	}
	return "", false
}

// Open starts the element name, written as prefix:local.
func (w *Writer) Open(name string, attrs ...string) {
	if w.err != nil {
		return
	}
	s := w.s
	if len(s.open) == 0 && len(s.buf) > 0 {
		w.fail(fmt.Errorf("xmlsec: %s would be a second root", name))
		return
	}
	s.open = append(s.open, frame{name: name, start: len(s.buf), scope: len(s.scope)})
	s.attrs = s.attrs[:0]
	prefix, _, _ := strings.Cut(name, ":")
	w.collect(name, attrs)

	s.buf = append(s.buf, '<')
	s.buf = append(s.buf, name...)
	before := len(s.scope)
	w.use(prefix)
	for _, a := range s.attrs {
		if a.space != "" && a.space != NSXML {
			p, _, _ := strings.Cut(a.name, ":")
			w.use(p)
		}
	}
	w.declare(before)
	for _, a := range s.attrs {
		s.buf = append(s.buf, ' ')
		s.buf = append(s.buf, a.name...)
		s.buf = append(s.buf, '=', '"')
		w.escape(a.value, true)
		s.buf = append(s.buf, '"')
	}
	s.buf = append(s.buf, '>')
}

// collect puts the attributes into canonical order: by namespace, then by local
// name (Canonical XML 1.0, section 2.2).
func (w *Writer) collect(element string, attrs []string) {
	if len(attrs)%2 != 0 {
		w.fail(fmt.Errorf("xmlsec: %s: an attribute name without a value", element))
		return
	}
	s := w.s
	for i := 0; i < len(attrs); i += 2 {
		a := attribute{local: attrs[i], name: attrs[i], value: attrs[i+1]}
		if a.value == "" {
			continue
		}
		if prefix, local, ok := strings.Cut(a.name, ":"); ok {
			a.local = local
			if a.space, ok = namespaceOf(prefix); prefix == "xml" {
				a.space, ok = NSXML, true
			}
			if !ok {
				w.fail(fmt.Errorf("xmlsec: %s: attribute %s has no known prefix", element, a.name))
			}
		}
		if a.name == "ID" {
			s.open[len(s.open)-1].id = a.value
		}
		at := len(s.attrs)
		for at > 0 && a.less(s.attrs[at-1]) {
			at--
		}
		s.attrs = append(s.attrs, a)
		if at < len(s.attrs)-1 {
			copy(s.attrs[at+1:], s.attrs[at:])
			s.attrs[at] = a
		}
		if at > 0 && !s.attrs[at-1].less(a) {
			w.fail(fmt.Errorf("xmlsec: %s: attribute %s is given twice", element, a.name))
		}
	}
}

func (a attribute) less(b attribute) bool {
	if a.space != b.space {
		return a.space < b.space
	}
	return a.local < b.local
}

// use notes that the innermost open element visibly uses prefix: it declares it,
// or borrows an ancestor's declaration, and then so does every element between
// the two.
func (w *Writer) use(prefix string) {
	s := w.s
	for i := len(s.scope) - 1; i >= 0; i-- {
		if s.scope[i].prefix != prefix {
			continue
		}
		for d := s.scope[i].depth + 1; d < len(s.open); d++ {
			s.open[d].borrows = true
		}
		return
	}
	if _, ok := namespaceOf(prefix); !ok {
		w.fail(fmt.Errorf("xmlsec: %s has no known prefix", s.open[len(s.open)-1].name))
		return
	}
	s.scope = append(s.scope, declared{prefix: prefix, depth: len(s.open) - 1})
}

// declare writes the namespace declarations that the innermost open element
// added, sorted by prefix as canonical form has them.
func (w *Writer) declare(before int) {
	s := w.s
	added := s.scope[before:]
	for i := 1; i < len(added); i++ {
		for j := i; j > 0 && added[j].prefix < added[j-1].prefix; j-- {
			added[j], added[j-1] = added[j-1], added[j]
		}
	}
	for _, d := range added {
		space, _ := namespaceOf(d.prefix) // use has refused unknown prefixes
		s.buf = append(s.buf, " xmlns:"...)
		s.buf = append(s.buf, d.prefix...)
		s.buf = append(s.buf, '=', '"')
		s.buf = append(s.buf, space...)
		s.buf = append(s.buf, '"')
	}
}

// Text writes character data into the open element.
func (w *Writer) Text(text string) {
	if w.err != nil {
		return
	}
	s := w.s
	if len(s.open) == 0 {
		w.fail(errors.New("xmlsec: text outside of the root"))
		return
	}
	w.escape(text, false)
}

// Element writes a whole element that holds nothing but text.
func (w *Writer) Element(name, text string, attrs ...string) {
	w.Open(name, attrs...)
	w.Text(text)
	w.Close()
}

// Close ends the innermost open element.
func (w *Writer) Close() {
	if w.err != nil {
		return
	}
	s := w.s
	if len(s.open) == 0 {
		w.fail(errors.New("xmlsec: no element is open"))
		return
	}
	e := s.open[len(s.open)-1]
	s.buf = append(s.buf, '<', '/')
	s.buf = append(s.buf, e.name...)
	s.buf = append(s.buf, '>')
	s.open = s.open[:len(s.open)-1]
	s.scope = s.scope[:e.scope]
	if e.slot == 0 {
		return
	}
	if e.borrows {
		w.fail(fmt.Errorf("xmlsec: %s is to be signed, but uses a namespace that is declared outside of it", e.name))
		return
	}
	s.slots[e.slot-1].end = len(s.buf)
}

// SignatureSlot says that the innermost open element is to be signed and that
// its ds:Signature stands here. The schemas want it after the Issuer (SAML Core
// 2.3.3, 3.2.1, 3.2.2) or first of all (SAML Metadata 2.3). The element needs an
// ID.
func (w *Writer) SignatureSlot() {
	if w.err != nil {
		return
	}
	s := w.s
	if len(s.open) == 0 {
		w.fail(errors.New("xmlsec: a signature outside of the root"))
		return
	}
	e := &s.open[len(s.open)-1]
	switch n := len(s.slots); {
	case !plainID(e.id):
		w.fail(fmt.Errorf("xmlsec: %s is to be signed, but its ID %q is no plain NCName", e.name, e.id))
	case n > 0 && s.slots[n-1].start >= e.start:
		w.fail(fmt.Errorf("xmlsec: the signature of %s must come once, and before that of any element inside", e.name))
	}
	for _, d := range s.scope {
		if d.prefix == "ds" {
			w.fail(fmt.Errorf("xmlsec: the signature of %s would borrow the declaration of ds", e.name))
		}
	}
	if w.err != nil {
		return
	}
	s.slots = append(s.slots, slot{id: e.id, start: e.start, at: len(s.buf)})
	e.slot = len(s.slots)
}

// plainID reports whether id is an NCName of ASCII characters, which can stand in
// a Reference as it is.
func plainID(id string) bool {
	const first = "_ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	return id != "" && strings.Contains(first, id[:1]) && strings.Trim(id, first+"0123456789-.") == ""
}

// Bytes returns a document without signatures and ends the Writer.
func (w *Writer) Bytes() ([]byte, error) {
	defer w.end()
	if err := w.complete(); err != nil {
		return nil, err
	}
	if len(w.s.slots) > 0 {
		return nil, errors.New("xmlsec: a document with places for signatures must be signed")
	}
	return append([]byte(nil), w.s.buf...), nil
}

// complete returns the first error of the Writer, or what is missing.
func (w *Writer) complete() error {
	switch {
	case w.err != nil:
		return w.err
	case len(w.s.buf) == 0:
		return errors.New("xmlsec: the document is empty")
	case len(w.s.open) > 0:
		return fmt.Errorf("xmlsec: %s is still open", w.s.open[len(w.s.open)-1].name)
	}
	return nil
}

// end gives the buffers back. Everything that the Writer returned is a copy.
func (w *Writer) end() {
	s := w.s
	w.s = nil
	if w.err == nil {
		w.err = errEnded
	}
	if s == nil || cap(s.buf) > maxPooled {
		return
	}
	clear(s.attrs[:cap(s.attrs)]) // keeps no values alive
	s.buf, s.sigs, s.open, s.scope, s.slots, s.attrs = s.buf[:0], s.sigs[:0], s.open[:0], s.scope[:0], s.slots[:0], s.attrs[:0]
	pool.Put(s)
}

// fail keeps the first error.
func (w *Writer) fail(err error) {
	if w.err == nil {
		w.err = err
	}
}
