package xmlsec

import (
	"bytes"
	"slices"
	"strings"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"

	"github.com/samlet-id/samlet/identity"
)

// agreed is canonical with a second opinion: goxmldsig canonicalises the same
// element, and a signature counts only if both come to the same octets. An
// error in either then refuses a message; it takes the same error in both to
// accept one.
func agreed(e, skip *Element, prefixes []string, most int) ([]byte, error) {
	ours, err := canonical(e, skip, prefixes, most)
	if err != nil || slices.Contains(prefixes, "") {
		return ours, err // goxmldsig does not know #default
	}
	tree := toETree(e, skip, e.scope())
	theirs, err := dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList(strings.Join(prefixes, " ")).Canonicalize(tree)
	if err != nil || !bytes.Equal(ours, theirs) {
		return nil, &identity.Error{Kind: identity.KindInvalid, Code: codeCanonical, Err: err,
			Msg: "The signed content has no canonical form that can be relied on."}
	}
	return ours, nil
}

// toETree copies e without skip. The declarations are those in scope at the apex
// and, below it, those of each element.
func toETree(e, skip *Element, declared []binding) *etree.Element {
	out := &etree.Element{Space: e.prefix, Tag: e.Local}
	for _, d := range declared {
		if d.prefix == "" {
			out.CreateAttr("xmlns", d.space)
		} else {
			out.CreateAttr("xmlns:"+d.prefix, d.space)
		}
	}
	for _, a := range e.attrs {
		key := a.Local
		if a.prefix != "" {
			key = a.prefix + ":" + a.Local
		}
		out.CreateAttr(key, a.Value)
	}
	for n := e.content; n != nil; n = n.next {
		switch {
		case n.element == nil:
			out.CreateText(n.text)
		case n.element != skip:
			out.AddChild(toETree(n.element, skip, n.element.declared))
		}
	}
	return out
}
