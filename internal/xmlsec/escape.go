package xmlsec

import (
	"fmt"
	"unicode/utf8"

	"github.com/samlet-id/samlet/identity"
)

// escape appends text as canonical form writes it: in an attribute value also
// quotes, tabs and line feeds are references, and everywhere carriage returns
// (Canonical XML 1.0, section 2.3).
func (w *Writer) escape(text string, inAttribute bool) {
	s := w.s
	from := 0
	for i := 0; i < len(text); {
		c := text[i]
		// Letters, digits and most punctuation, which nearly all text is, come first.
		if c > '>' && c < utf8.RuneSelf || c > '&' && c < '<' || c == ' ' {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(text[i:])
			if !xmlRune(r) || r == utf8.RuneError && size == 1 {
				w.fail(badRune(s.open[len(s.open)-1].name, text[i:i+size]))
				return
			}
			i += size
			continue
		}
		ref := ""
		switch {
		case c == '&':
			ref = "&amp;"
		case c == '<':
			ref = "&lt;"
		case c == '\r':
			ref = "&#xD;"
		case c == '>' && !inAttribute:
			ref = "&gt;"
		case c == '"' && inAttribute:
			ref = "&quot;"
		case c == '\t' && inAttribute:
			ref = "&#x9;"
		case c == '\n' && inAttribute:
			ref = "&#xA;"
		case c < ' ' && c != '\t' && c != '\n':
			w.fail(badRune(s.open[len(s.open)-1].name, text[i:i+1]))
			return
		}
		i++
		if ref != "" {
			s.buf = append(s.buf, text[from:i-1]...)
			s.buf = append(s.buf, ref...)
			from = i
		}
	}
	s.buf = append(s.buf, text[from:]...)
}

// xmlRune reports whether a rune outside ASCII is a Char of XML 1.0, section
// 2.2. Surrogates never come out of a decoder.
func xmlRune(r rune) bool { return r != 0xFFFE && r != 0xFFFF }

func badRune(element, octets string) error {
	return &identity.Error{
		Kind: identity.KindInvalid, Code: "xml.character", Who: identity.WhoOperator,
		Msg:      "A value contains a character that XML cannot carry, so it cannot be sent.",
		Seen:     fmt.Sprintf("%+q in %s", octets, element),
		Expected: "characters of XML 1.0, encoded as UTF-8",
	}
}
