package main

import (
	"maps"
	"slices"
	"strings"

	"github.com/samlet-id/samlet/identity"
)

// Algorithms by the names that config.yaml has for them (RFC 9231, XML
// Encryption 1.1). They are looked up and never changed.
var (
	signAlgorithms = map[string]string{
		"rsa-sha256":   "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
		"rsa-sha384":   "http://www.w3.org/2001/04/xmldsig-more#rsa-sha384",
		"rsa-sha512":   "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512",
		"ecdsa-sha256": "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256",
		"ecdsa-sha384": "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384",
		"ecdsa-sha512": "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512",
		"ed25519":      "http://www.w3.org/2021/04/xmldsig-more#eddsa-ed25519",
	}
	contentAlgorithms = map[string]string{
		"aes256-gcm": "http://www.w3.org/2009/xmlenc11#aes256-gcm",
		"aes128-gcm": "http://www.w3.org/2009/xmlenc11#aes128-gcm",
		"aes256-cbc": "http://www.w3.org/2001/04/xmlenc#aes256-cbc",
		"aes128-cbc": "http://www.w3.org/2001/04/xmlenc#aes128-cbc",
	}
)

// The ways of wrapping a content key: RSA-OAEP with the digest SHA-1, which
// every implementation knows, or SHA-256.
const (
	keyTransportOAEP   = "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p"
	keyTransportOAEP11 = "http://www.w3.org/2009/xmlenc11#rsa-oaep"
	digestSHA256       = "http://www.w3.org/2001/04/xmlenc#sha256"
)

// algorithmNamed returns the URI of an algorithm by its name in config.yaml, or
// the URI that it is already.
func algorithmNamed(s string) (string, bool) {
	for _, table := range []map[string]string{signAlgorithms, contentAlgorithms} {
		if uri, ok := table[s]; ok {
			return uri, true
		}
	}
	return s, absoluteURI(s)
}

func algorithmNames() []string {
	return slices.Sorted(func(yield func(string) bool) {
		for _, table := range []map[string]string{signAlgorithms, contentAlgorithms} {
			for name := range table {
				if !yield(name) {
					return
				}
			}
		}
	})
}

// refusedAlgorithms returns what the operator forbids towards everybody, by URI.
func refusedAlgorithms(c *Config) []string {
	var uris []string
	for _, name := range c.RefuseAlgorithms {
		uri, _ := algorithmNamed(name) // checked with the configuration
		uris = append(uris, uri)
	}
	return uris
}

func encryptRule(c EncryptConfig) identity.EncryptRule {
	r := identity.EncryptRule{Content: contentAlgorithms[c.Content], AllowCBC: strings.HasSuffix(c.Content, "-cbc")}
	switch c.Mode {
	case "off":
		r.Mode = identity.Never
	case "required":
		r.Mode = identity.Required
	default:
		r.Mode = identity.IfAvailable
	}
	switch c.KeyTransport {
	case "rsa-oaep":
		r.KeyTransport = keyTransportOAEP
	case "rsa-oaep-sha256":
		r.KeyTransport, r.Digest = keyTransportOAEP11, digestSHA256
	}
	return r
}

// namesOf returns the names of a table of algorithms, and "" for none.
func namesOf(table map[string]string) []string {
	return append(slices.Sorted(maps.Keys(table)), "")
}
