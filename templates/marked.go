package templates

import "unicode/utf8"

// Marked is a text of which the middle is marked: the part in which two texts
// differ. The marking is no more than a help to the eye.
type Marked struct{ Head, Differs, Tail string }

// Plain is a text without a mark.
func Plain(s string) Marked { return Marked{Head: s} }

// Any reports whether there is any text.
func (m Marked) Any() bool { return m != Marked{} }

// alike is how many octets of two texts have to agree, at their ends, for them to
// be compared: "https://" alone makes no two addresses alike.
const alike = len("https://") + 1

// Compare marks what differs between two texts that have a beginning or an end in
// common; others it leaves unmarked.
func Compare(a, b string) (Marked, Marked) {
	head := 0
	for head < min(len(a), len(b)) && a[head] == b[head] {
		head++
	}
	for head > 0 && head < len(a) && !utf8.RuneStart(a[head]) {
		head--
	}
	tail := 0
	for tail < min(len(a), len(b))-head && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	for tail > 0 && !utf8.RuneStart(a[len(a)-tail]) {
		tail--
	}
	if a == b || head+tail < alike {
		return Plain(a), Plain(b)
	}
	return Marked{a[:head], a[head : len(a)-tail], a[len(a)-tail:]}, Marked{b[:head], b[head : len(b)-tail], b[len(b)-tail:]}
}
