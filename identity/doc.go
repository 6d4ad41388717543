// Package identity is samlet's vocabulary: the one set of words that every
// other package speaks. It holds pure data and pure functions only; it does no
// I/O, knows no HTTP and no XML, and imports nothing beyond the standard
// library.
//
// The value that flows through the house is [Assertion]: "issuer X says that
// subject Y was authenticated thus, and has these attributes". The word is that
// of NIST SP 800-63C, neutral between a SAML assertion and an OIDC ID token.
// [AuthnRequest] is the question that an Assertion answers.
package identity
