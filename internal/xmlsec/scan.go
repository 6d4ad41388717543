package xmlsec

import (
	"bytes"
	"regexp"
	"strconv"
	"unicode/utf8"
)

// scanner is the first of two readings of a document: it walks the raw octets
// without allocating, enforces the limits, and is stricter than encoding/xml
// wherever that is laxer than XML 1.0 and Namespaces in XML 1.0. A document is
// accepted only if both readings accept it, so neither alone decides what is
// well-formed.
type scanner struct {
	raw []byte
	pos int
	lim Limits

	depth      int
	elements   int
	attributes int
	runs       int      // of text and CDATA
	unspaced   [][2]int // attribute values with literal tabs or line breaks
}

// declaration is the XML declaration (XML 1.0 production 23); the group is the
// name of the encoding.
var declaration = regexp.MustCompile(`^<\?xml[ \t\r\n]+version[ \t\r\n]*=[ \t\r\n]*(?:"1\.0"|'1\.0')` +
	`(?:[ \t\r\n]+encoding[ \t\r\n]*=[ \t\r\n]*["']([A-Za-z][A-Za-z0-9._-]*)["'])?` +
	`(?:[ \t\r\n]+standalone[ \t\r\n]*=[ \t\r\n]*(?:"(?:yes|no)"|'(?:yes|no)'))?[ \t\r\n]*\?>`)

// scan checks the whole document and leaves in s.raw what encoding/xml is to
// read: without byte order mark and XML declaration, attribute values
// normalised (XML 1.0 section 3.3.3).
func (s *scanner) scan() error {
	if len(s.raw) > s.lim.Bytes {
		return differs(codeSize, "The XML document is too long.", strconv.Itoa(len(s.raw))+" bytes", "at most "+strconv.Itoa(s.lim.Bytes))
	}
	s.raw = bytes.TrimPrefix(s.raw, []byte("\uFEFF"))
	if err := s.characters(); err != nil {
		return err
	}
	if err := s.declaration(); err != nil {
		return err
	}
	for s.pos < len(s.raw) {
		if err := s.construct(); err != nil {
			return err
		}
	}
	if s.depth > 0 || s.elements == 0 {
		return refuse(codeSyntax, "The XML document is incomplete.")
	}
	s.normalise()
	return nil
}

// characters refuses all but UTF-8 of the characters that XML knows
// (production 2).
func (s *scanner) characters() error {
	for i := 0; i < len(s.raw); {
		if b := s.raw[i]; b < utf8.RuneSelf {
			if b < ' ' && b != '\t' && b != '\n' && b != '\r' {
				return refuse(codeEncoding, "The XML document contains a control character at byte %d.", i)
			}
			i++
			continue
		}
		r, size := utf8.DecodeRune(s.raw[i:])
		if r == utf8.RuneError && size == 1 || !xmlRune(r) {
			return refuse(codeEncoding, "The XML document is not in UTF-8 at byte %d.", i)
		}
		i += size
	}
	return nil
}

func (s *scanner) declaration() error {
	if !s.at("<?xml") {
		return nil
	}
	m := declaration.FindSubmatch(s.raw)
	if m == nil {
		return refuse(codePI, "The XML declaration is malformed.")
	}
	if enc := m[1]; len(enc) > 0 && !bytes.EqualFold(enc, []byte("UTF-8")) {
		return differs(codeEncoding, "The XML document declares an encoding that is not read.", string(enc), "UTF-8")
	}
	s.raw = s.raw[len(m[0]):]
	return nil
}

func (s *scanner) at(prefix string) bool {
	return len(s.raw)-s.pos >= len(prefix) && string(s.raw[s.pos:s.pos+len(prefix)]) == prefix
}

// construct steps over one tag, comment, CDATA section or run of text.
func (s *scanner) construct() error {
	switch {
	case s.raw[s.pos] != '<':
		return s.text()
	case s.at("<!--"):
		return s.comment()
	case s.at("<![CDATA["):
		return s.cdata()
	case s.at("<!"):
		return refuse(codeDTD, "The XML document contains a document type or another declaration.")
	case s.at("<?"):
		return refuse(codePI, "The XML document contains a processing instruction.")
	case s.at("</"):
		return s.endTag()
	}
	return s.startTag()
}

func (s *scanner) text() error {
	end := bytes.IndexByte(s.raw[s.pos:], '<')
	if end < 0 {
		end = len(s.raw) - s.pos
	}
	run := s.raw[s.pos : s.pos+end]
	if s.depth == 0 && !blank(run) {
		return refuse(codeTrailing, "The XML document has text outside its root element.")
	}
	s.runs++
	s.pos += end
	return references(run)
}

func (s *scanner) comment() error {
	s.pos += len("<!--")
	end := bytes.Index(s.raw[s.pos:], []byte("--"))
	if end < 0 {
		return refuse(codeSyntax, "The XML document has a comment without end.")
	}
	s.pos += end
	if !s.at("-->") {
		return refuse(codeSyntax, "The XML document has two hyphens within a comment.")
	}
	s.pos += len("-->")
	return nil
}

func (s *scanner) cdata() error {
	end := bytes.Index(s.raw[s.pos:], []byte("]]>"))
	if end < 0 || s.depth == 0 {
		return refuse(codeSyntax, "The XML document has a CDATA section without end or outside its root element.")
	}
	s.runs++
	s.pos += end + len("]]>")
	return nil
}

func (s *scanner) endTag() error {
	s.pos += len("</")
	if err := s.name(); err != nil {
		return err
	}
	s.space()
	if !s.at(">") || s.depth == 0 {
		return refuse(codeSyntax, "The XML document has a malformed end tag at byte %d.", s.pos)
	}
	s.pos++
	s.depth--
	return nil
}

func (s *scanner) startTag() error {
	s.elements++
	switch {
	case s.depth == 0 && s.elements > 1:
		return refuse(codeTrailing, "The XML document has an element after its root element.")
	case s.depth == s.lim.Depth:
		return differs(codeDepth, "The XML document is nested too deeply.", "more", "at most "+strconv.Itoa(s.lim.Depth)+" levels")
	case s.elements > s.lim.Elements:
		return differs(codeElements, "The XML document has too many elements.", "more", "at most "+strconv.Itoa(s.lim.Elements))
	}
	s.pos++
	if err := s.name(); err != nil {
		return err
	}
	for attributes := 0; ; attributes++ {
		spaced := s.space()
		switch {
		case s.at(">"):
			s.pos++
			s.depth++
			return nil
		case s.at("/>"):
			s.pos += 2
			return nil
		case !spaced:
			return refuse(codeSyntax, "The XML document has a malformed tag at byte %d.", s.pos)
		case attributes == s.lim.Attributes:
			return differs(codeAttributes, "The XML document has an element with too many attributes.", "more", "at most "+strconv.Itoa(s.lim.Attributes))
		}
		if err := s.attribute(); err != nil {
			return err
		}
	}
}

func (s *scanner) attribute() error {
	s.attributes++
	if s.attributes > s.lim.Total {
		return differs(codeAttributes, "The XML document has too many attributes.", "more", "at most "+strconv.Itoa(s.lim.Total))
	}
	if err := s.name(); err != nil {
		return err
	}
	s.space()
	if !s.at("=") {
		return refuse(codeSyntax, "The XML document has an attribute without value at byte %d.", s.pos)
	}
	s.pos++
	s.space()
	if !s.at(`"`) && !s.at(`'`) {
		return refuse(codeSyntax, "The XML document has an attribute value without quotes at byte %d.", s.pos)
	}
	quote := s.raw[s.pos]
	s.pos++
	end := bytes.IndexByte(s.raw[s.pos:], quote)
	if end < 0 {
		return refuse(codeSyntax, "The XML document has an attribute value without end.")
	}
	value := s.raw[s.pos : s.pos+end]
	if bytes.IndexByte(value, '<') >= 0 {
		return refuse(codeSyntax, "The XML document has '<' in an attribute value.")
	}
	if bytes.ContainsAny(value, "\t\r\n") {
		s.unspaced = append(s.unspaced, [2]int{s.pos, s.pos + end})
	}
	s.pos += end + 1
	return references(value)
}

// space steps over white space and reports whether there was any.
func (s *scanner) space() bool {
	start := s.pos
	for s.pos < len(s.raw) && isSpace(s.raw[s.pos]) {
		s.pos++
	}
	return s.pos > start
}

// name steps over a QName (Namespaces in XML production 7). encoding/xml lets
// colons stand anywhere and local names begin with digits.
func (s *scanner) name() error {
	start, first, colons := s.pos, true, 0
	for s.pos < len(s.raw) {
		r, size := utf8.DecodeRune(s.raw[s.pos:])
		if r == ':' && !first {
			colons++
			first = true
			s.pos++
			continue
		}
		if !nameStart(r) && (first || !nameRune(r)) {
			break
		}
		first = false
		s.pos += size
	}
	if first || colons > 1 {
		return refuse(codeSyntax, "The XML document has a malformed name at byte %d.", start)
	}
	return nil
}

// nameStart is NameStartChar of XML 1.0 (production 4) without the colon.
func nameStart(r rune) bool {
	switch {
	case r < 0x80:
		return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || r == '_'
	case r < 0x300:
		return r >= 0xC0 && r != 0xD7 && r != 0xF7
	case r < 0x2000:
		return r >= 0x370 && r != 0x37E
	case r < 0x3001:
		return r == 0x200C || r == 0x200D || 0x2070 <= r && r <= 0x218F || 0x2C00 <= r && r <= 0x2FEF
	}
	return r <= 0xD7FF || 0xF900 <= r && r <= 0xFDCF || 0xFDF0 <= r && r <= 0xFFFD || 0x10000 <= r && r <= 0xEFFFF
}

// nameRune is what NameChar (production 4a) adds to NameStartChar.
func nameRune(r rune) bool {
	return '0' <= r && r <= '9' || r == '-' || r == '.' || r == 0xB7 ||
		0x300 <= r && r <= 0x36F || r == 0x203F || r == 0x2040
}

// references checks every reference in text: the five predefined entities, and
// numbers of characters that XML can carry. encoding/xml reads the number of a
// surrogate as U+FFFD.
func references(text []byte) error {
	for {
		i := bytes.IndexByte(text, '&')
		if i < 0 {
			return nil
		}
		text = text[i+1:]
		end := bytes.IndexByte(text, ';')
		if end < 0 || !readable(string(text[:min(end, 12)])) {
			return refuse(codeSyntax, "The XML document has an entity or character reference that is not read.")
		}
		text = text[end:]
	}
}

// readable reports whether name, what stands between '&' and ';', can be read
// without a document type.
func readable(name string) bool {
	switch name {
	case "lt", "gt", "amp", "apos", "quot":
		return true
	}
	if len(name) < 2 || name[0] != '#' {
		return false
	}
	digits, base := name[1:], 10
	if digits[0] == 'x' {
		digits, base = digits[1:], 16
	}
	n, err := strconv.ParseUint(digits, base, 32)
	if err != nil {
		return false
	}
	return n == '\t' || n == '\n' || n == '\r' || ' ' <= n && n <= 0xD7FF || 0xE000 <= n && n <= 0xFFFD || 0x10000 <= n && n <= 0x10FFFF
}

// normalise replaces literal white space in attribute values by blanks (XML 1.0
// section 3.3.3), which encoding/xml leaves undone. Few documents have any.
func (s *scanner) normalise() {
	if len(s.unspaced) == 0 {
		return
	}
	out, done := make([]byte, 0, len(s.raw)), 0
	for _, v := range s.unspaced {
		out = append(out, s.raw[done:v[0]]...)
		for i := v[0]; i < v[1]; i++ {
			switch b := s.raw[i]; {
			case b == '\r' && s.raw[i+1] == '\n':
				// One line break is one blank (section 2.11).
			case isSpace(b):
				out = append(out, ' ')
			default:
				out = append(out, b)
			}
		}
		done = v[1]
	}
	s.raw = append(out, s.raw[done:]...)
}

func isSpace(b byte) bool { return b == ' ' || b == '\t' || b == '\n' || b == '\r' }

func blank(text []byte) bool {
	for _, b := range text {
		if !isSpace(b) {
			return false
		}
	}
	return true
}
