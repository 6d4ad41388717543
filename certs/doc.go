// Package certs owns samlet's private keys and their certificates: it makes,
// reads, checks and lists them, and says which are published and which are in
// use. It hands keys out as crypto.Signer and crypto.Decrypter only, so that a
// key may just as well live in a module or behind a wire.
//
// It knows nothing of XML, of metadata or of how a key is configured: callers
// bring the bytes or the paths, and the state of each key.
package certs
