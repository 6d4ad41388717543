package certs

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // fingerprints for people to compare, nothing relies on them
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"log/slog"
	"strings"
)

// Use says what a key is for. A key has one use only: SAML Metadata 2.4.1.1.
type Use int

// The uses. The zero value is none of them.
const (
	Signing Use = iota + 1
	Encryption
)

// String returns the use as metadata and config.yaml spell it.
func (u Use) String() string {
	switch u {
	case Signing:
		return "signing"
	case Encryption:
		return "encryption"
	}
	return "invalid"
}

// ParseUse reads what Use.String writes.
func ParseUse(s string) (Use, error) {
	for _, u := range []Use{Signing, Encryption} {
		if s == u.String() {
			return u, nil
		}
	}
	return 0, fmt.Errorf("key use %q is neither %q nor %q", s, Signing, Encryption)
}

// State is a key's place in its life: it is published before it is used, and
// stays published after it was used, so that no peer meets an unknown key.
type State int

// The states in the order in which a key passes through them. The zero value is
// none of them.
const (
	Next     State = iota + 1 // published, not used for signing yet
	Active                    // published and in use; one for encryption, one of each algorithm for signing
	Retiring                  // still published and accepted, no longer used for signing
	Retired                   // kept on record only
	// Dedicated is no step of that life: the key signs for those parties alone
	// that name it, and is published to nobody else.
	Dedicated
)

// String returns the state as config.yaml spells it.
func (s State) String() string {
	switch s {
	case Next:
		return "next"
	case Active:
		return "active"
	case Retiring:
		return "retiring"
	case Retired:
		return "retired"
	case Dedicated:
		return "dedicated"
	}
	return "invalid"
}

// ParseState reads what State.String writes.
func ParseState(s string) (State, error) {
	for _, st := range []State{Next, Active, Retiring, Retired, Dedicated} {
		if s == st.String() {
			return st, nil
		}
	}
	return 0, fmt.Errorf("key state %q is none of next, active, retiring, retired, dedicated", s)
}

// Key is one private key with its certificate. Exactly one of Signer and
// Decrypter is set, according to Use. The certificate carries the public key to
// peers; its dates and its issuer mean nothing in SAML (SAML Metadata
// Interoperability Profile 2.6.1).
//
// A Key prints, logs and marshals as its description, never as its contents.
type Key struct {
	ID          string
	Use         Use
	State       State
	Signer      crypto.Signer    // RSA, ECDSA or Ed25519; set for Signing
	Decrypter   crypto.Decrypter // RSA; set for Encryption
	Certificate *x509.Certificate
	// Hash is what signatures are made with. Zero means SHA-256, or for an ECDSA
	// key the hash as strong as its curve; Ed25519 has its own.
	Hash crypto.Hash
}

// Public returns the public key, or nil for the zero Key.
func (k Key) Public() crypto.PublicKey {
	switch {
	case k.Signer != nil:
		return k.Signer.Public()
	case k.Decrypter != nil:
		return k.Decrypter.Public()
	}
	return nil
}

// Algorithm names the public key's algorithm and size for people, such as
// "RSA 2048", "ECDSA P-256" or "Ed25519".
func (k Key) Algorithm() string {
	switch p := k.Public().(type) {
	case *rsa.PublicKey:
		return fmt.Sprintf("RSA %d", p.N.BitLen())
	case *ecdsa.PublicKey:
		return "ECDSA " + p.Curve.Params().Name
	case ed25519.PublicKey:
		return "Ed25519"
	}
	return "none"
}

// kind is Algorithm without the size of an RSA key: peers that verify signatures
// of one key verify those of any other key of its kind.
func (k Key) kind() string {
	if _, isRSA := k.Public().(*rsa.PublicKey); isRSA {
		return RSA.String()
	}
	return k.Algorithm()
}

// PEM returns the certificate in PEM, as vendors ask for it, or nil for the
// zero Key.
func (k Key) PEM() []byte {
	if k.Certificate == nil {
		return nil
	}
	return pem.EncodeToMemory(&pem.Block{Type: pemCertificate, Bytes: k.Certificate.Raw})
}

// Fingerprint256 returns the SHA-256 fingerprint of the certificate as pairs of
// upper-case hexadecimal digits parted by colons, or "" without a certificate.
func (k Key) Fingerprint256() string {
	if k.Certificate == nil {
		return ""
	}
	sum := sha256.Sum256(k.Certificate.Raw)
	return fingerprint(sum[:])
}

// Fingerprint1 is Fingerprint256 with SHA-1. Some vendors' consoles show
// nothing else; it is for people to compare and proves nothing.
func (k Key) Fingerprint1() string {
	if k.Certificate == nil {
		return ""
	}
	sum := sha1.Sum(k.Certificate.Raw) //nolint:gosec // see above
	return fingerprint(sum[:])
}

func fingerprint(sum []byte) string {
	return strings.ReplaceAll(fmt.Sprintf("% X", sum), " ", ":")
}

// String describes the key without its contents.
func (k Key) String() string {
	return fmt.Sprintf("%s key %q (%s, %s)", k.Use, k.ID, k.Algorithm(), k.State)
}

// GoString implements fmt.GoStringer, for %#v.
func (k Key) GoString() string { return k.String() }

// MarshalText implements encoding.TextMarshaler, and with it JSON, so that no
// private exponent is ever written by accident.
func (k Key) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// LogValue implements slog.LogValuer.
func (k Key) LogValue() slog.Value { return slog.StringValue(k.String()) }
