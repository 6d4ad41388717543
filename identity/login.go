package identity

import (
	"strings"
	"unicode"
)

// LoginKey returns the form under which a sign-in name is stored and looked up:
// surrounding blanks dropped, ASCII letters in lower case, everything else as it
// was typed. It reports false for names that could be mistaken for others or
// break a page: empty, over 256 bytes, with control, formatting or blank
// characters, with characters outside ASCII that are no letter, mark or digit,
// or with Latin letters beside those of a script that looks like it (UTS #39
// 5.1).
func LoginKey(name string) (string, bool) {
	name = strings.TrimSpace(name)
	if name == "" || len(name) > 256 {
		return "", false
	}
	var b strings.Builder
	latin, alike := false, false
	for _, r := range name {
		latin = latin || unicode.Is(unicode.Latin, r)
		alike = alike || unicode.In(r, unicode.Cyrillic, unicode.Greek, unicode.Armenian, unicode.Cherokee)
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
	if latin && alike {
		return "", false
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
