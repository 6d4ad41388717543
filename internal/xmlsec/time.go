package xmlsec

import (
	"errors"
	"strings"
	"time"
)

// FormatTime writes t as SAML wants it: UTC, with Z, whole seconds (SAML Core
// 1.3.3).
func FormatTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

// ParseTime reads an xs:dateTime and returns it in UTC. Fractions of any length
// are taken, since a sender may be finer than we are (SAML Core 1.3.3). A zone
// other than Z is converted, and none at all means UTC, as SAML Core says of
// every time.
func ParseTime(s string) (time.Time, error) {
	s = strings.Trim(s, " \t\r\n")
	for _, layout := range []string{"2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, errors.New("not an xs:dateTime")
}
