package web

import (
	"net/url"
	"strings"
)

// LocalPath checks a return URL that came from outside: it accepts only a path
// of this host, with or without query and fragment, and returns it. Whatever a
// browser could read as another origin or a script is refused: a scheme, a
// second slash or a backslash at the start, control characters and blanks that
// browsers strip (WHATWG URL 4.1), and what does not parse.
func LocalPath(s string) (string, bool) {
	if !strings.HasPrefix(s, "/") || strings.HasPrefix(s, "//") || len(s) > 2048 {
		return "", false
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f || s[i] == '\\' {
			return "", false
		}
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "" {
		return "", false
	}
	// "/%2Fevil.test" stays here in browsers, but not behind a proxy that decodes.
	if strings.HasPrefix(u.Path, "//") || strings.Contains(u.Path, "\\") {
		return "", false
	}
	// "/./" and "/../" are resolved by browsers, and "/.//evil.test" would become
	// a path that starts with two slashes.
	for segment := range strings.SplitSeq(u.Path, "/") {
		if segment == "." || segment == ".." {
			return "", false
		}
	}
	return s, true
}
