package certs

import "crypto"

// ParsePrivateKey reads a private key (PKCS#8, PKCS#1 or SEC 1 in PEM) that comes
// without a certificate, for tools that open what was encrypted to it. A Key of
// ours has both; see Load.
func ParsePrivateKey(keyPEM []byte) (crypto.Signer, error) { return parsePrivate(keyPEM) }
