package identity

import (
	"strings"
	"unicode"
)

// LoginKey returns the form under which a sign-in name is stored and looked up:
// surrounding blanks dropped, ASCII letters in lower case, everything else as it
// was typed. It reports false for names that could be mistaken for others or
// break a page: empty, over 256 bytes, with control, formatting or blank
// characters, or with characters outside ASCII that are no letter, mark or
// digit.
func LoginKey(name string) (string, bool) {
	name = strings.TrimSpace(name)
	if name == "" || len(name) > 256 {
		return "", false
	}
	var b strings.Builder
	for _, r := range name {
		switch {
		case 'A' <= r && r <= 'Z':
			r += 'a' - 'A'
		case r <= ' ' || r == 0x7f || r == unicode.ReplacementChar:
			return "", false
		case r > 0x7f && !unicode.In(r, unicode.Letter, unicode.Mark, unicode.Digit):
			return "", false
		}
		b.WriteRune(r)
	}
	return b.String(), true
}

// Domain returns what follows the last '@' of a mail address, in lower case, or
// "" if there is no such part.
func Domain(mail string) string {
	i := strings.LastIndexByte(mail, '@')
	if i <= 0 {
		return ""
	}
	return strings.ToLower(mail[i+1:])
}
