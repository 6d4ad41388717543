package identity

import (
	"encoding/base32"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
)

var lowerBase32 = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// NewToken returns a bearer value: 256 bits from rand in lower-case base32, 52
// characters that survive any URL, cookie and case-folding peer.
func NewToken(rand io.Reader) (string, error) {
	b := make([]byte, 32)
	if _, err := io.ReadFull(rand, b); err != nil {
		return "", fmt.Errorf("reading randomness: %w", err)
	}
	return lowerBase32.EncodeToString(b), nil
}

// NewSubject returns an opaque subject identifier: 160 bits from rand in
// lower-case base32, 32 characters, safe where peers fold case (SAML Core
// 8.3.7).
func NewSubject(rand io.Reader) (string, error) {
	b := make([]byte, 20)
	if _, err := io.ReadFull(rand, b); err != nil {
		return "", fmt.Errorf("reading randomness: %w", err)
	}
	return lowerBase32.EncodeToString(b), nil
}

// NewMessageID returns an xs:ID for a protocol message or an assertion: an
// underscore and 160 random bits in hexadecimal, an NCName (SAML Core 1.3.4).
func NewMessageID(rand io.Reader) (string, error) {
	var b [20]byte
	if _, err := io.ReadFull(rand, b[:]); err != nil {
		return "", fmt.Errorf("reading randomness: %w", err)
	}
	return "_" + hex.EncodeToString(b[:]), nil
}

// ValidSlug reports whether s can serve as the id of a configured object: a
// lower-case letter or digit, then letters, digits, '-' and '_', 64 at most.
func ValidSlug(s string) bool {
	if s == "" || len(s) > 64 || strings.ContainsAny(s[:1], "-_") {
		return false
	}
	return strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-_") == ""
}
