package password

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/samlet-id/samlet/identity"
)

// The lengths of passwords. NIST SP 800-63B section 3.1.1.2 asks for at least
// eight and for no maximum below 64.
const (
	MinLength = 12   // characters of a new password
	MaxLength = 1024 // bytes, of a new password and of an answer
)

// Check judges a new password for the sign-in name it is to serve, which may be
// empty: at least MinLength characters, at most MaxLength bytes, valid UTF-8
// without control characters, not the name itself, and not one character over
// and over. Nothing is asked of its composition (NIST SP 800-63B 3.1.1.2).
//
// A password is its octets: it is not normalised, trimmed or folded, here or at
// login. Browsers send what was typed in the form the keyboard made.
func Check(password, login string) error {
	n := utf8.RuneCountInString(password)
	switch {
	case !utf8.ValidString(password) || strings.ContainsFunc(password, unicode.IsControl):
		return errWeak("The password holds characters that cannot be typed.", "")
	case n < MinLength:
		return errWeak(fmt.Sprintf("The password is too short: it has %d characters and needs at least %d.", n, MinLength), fmt.Sprintf("%d characters or more", MinLength))
	case len(password) > MaxLength:
		return errWeak(fmt.Sprintf("The password is longer than %d bytes.", MaxLength), fmt.Sprintf("at most %d bytes", MaxLength))
	case login != "" && strings.EqualFold(password, login):
		return errWeak("The password is the sign-in name itself.", "")
	}
	first, _ := utf8.DecodeRuneInString(password)
	if strings.Trim(password, string(first)) == "" {
		return errWeak("The password is one character over and over.", "")
	}
	return nil
}

func errWeak(msg, expected string) *identity.Error {
	return &identity.Error{Kind: identity.KindInvalid, Code: "password.weak", Who: identity.WhoUser, Msg: msg, Expected: expected}
}
