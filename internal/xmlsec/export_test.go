package xmlsec

import "strings"

// AllText is all text that stands directly in e, for comparison with other
// parsers. Outside of tests nobody may read mixed content.
func AllText(e *Element) string {
	var b strings.Builder
	for n := e.content; n != nil; n = n.next {
		b.WriteString(n.text)
	}
	return b.String()
}

// Canonical is canonical without bound, for comparison with other
// implementations.
func Canonical(e, skip *Element, prefixes []string) []byte {
	out, err := canonical(e, skip, prefixes, 1<<30)
	if err != nil {
		panic(err)
	}
	return out
}
