package xmlsec

import (
	"errors"
	"math"
)

// Embed writes e, an element of a parsed document, with all that is in it, in
// the form that exclusive canonicalisation gives it at this place: prefixes that
// are declared around it are not declared again. Signatures within e stay valid,
// since each is over an element by itself.
//
// No element that was opened inside the root and is still open can be signed
// then, since e may use declarations from outside of it; the root can.
func (w *Writer) Embed(e *Element) {
	if w.err != nil {
		return
	}
	s := w.s
	if len(s.open) == 0 || e == nil {
		w.fail(errors.New("xmlsec: only an element can be embedded, and only in another one"))
		return
	}
	for i := 1; i < len(s.open); i++ {
		s.open[i].borrows = true
	}
	c := &canonicaliser{out: s.buf, most: math.MaxInt}
	for _, d := range s.scope {
		space, _ := namespaceOf(d.prefix) // use has refused unknown prefixes
		c.rendered = append(c.rendered, binding{prefix: d.prefix, space: space})
	}
	c.element(e, nil)
	s.buf = c.out
}
