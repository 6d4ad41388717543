// Package metadata owns SAML metadata (SAML Metadata 2.0) in both directions:
// it reads one peer's EntityDescriptor into an [Entity], fetches such files, and
// writes and serves our own.
//
// What a peer may do follows from its Entity alone: its endpoints, its keys, its
// wishes. Certificates are key carriers; their dates and issuers mean nothing
// (SAML Metadata Interoperability Profile 2.6.1).
//
// The package does not know which peers are configured, what they may receive,
// or where their files are kept; it keeps nothing and refreshes nothing.
package metadata
