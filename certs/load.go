package certs

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/samlet-id/samlet/identity"
)

// The sizes, in bits, of keys that samlet holds or trusts (NIST SP 800-131A: 112
// bits of security). A peer's RSA key is bounded above too, since the time that a
// verification takes grows with its square.
const (
	MinRSABits = 2048
	MaxRSABits = 16384
	MinECBits  = 256
)

// The PEM labels of RFC 7468 and of the older formats that openssl writes.
const (
	pemCertificate = "CERTIFICATE"
	pemPKCS8       = "PRIVATE KEY"
	pemPKCS1       = "RSA PRIVATE KEY"
	pemSEC1        = "EC PRIVATE KEY"
	pemEncrypted   = "ENCRYPTED PRIVATE KEY"
)

// Load makes a Key of a private key (PKCS#8, PKCS#1 or SEC 1) and a certificate,
// both in PEM. In a chain the first certificate is taken. It refuses a
// certificate of another key, keys below MinRSABits and MinECBits, algorithms
// other than RSA, ECDSA and Ed25519, and anything but RSA for Encryption. Errors are of
// KindInvalid with code "key.invalid" or "key.mismatch".
func Load(id string, use Use, state State, keyPEM, certPEM []byte) (Key, error) {
	private, err := parsePrivate(keyPEM)
	if err != nil {
		return Key{}, invalid("The private key of key %q cannot be used: %w.", id, err)
	}
	cert, err := parseCertificate(certPEM)
	if err != nil {
		return Key{}, invalid("The certificate of key %q cannot be used: %w.", id, err)
	}
	k := Key{ID: id, Use: use, State: state, Certificate: cert}
	switch use {
	case Signing:
		k.Signer = private
	case Encryption:
		decrypter, ok := private.(crypto.Decrypter)
		if !ok {
			return Key{}, invalid("The key %q cannot be used: %w.", id, errEncryptionRSA)
		}
		k.Decrypter = decrypter
	default:
		return Key{}, invalid("The key %q cannot be used: %w.", id, fmt.Errorf("its use is neither %q nor %q", Signing, Encryption))
	}
	if err := k.check(); err != nil {
		return Key{}, err
	}
	return k, nil
}

var errEncryptionRSA = errors.New("only RSA keys can decrypt")

// check holds for every Key that this package hands out or puts into a Ring.
func (k Key) check() error {
	if k.Certificate == nil || (k.Signer != nil) == (k.Decrypter != nil) || (k.Use == Signing) != (k.Signer != nil) {
		return invalid("The key %q cannot be used: %w.", k.ID, errors.New("it needs a certificate and a private key for its one use"))
	}
	public := k.Public()
	if err := CheckPublic(public); err != nil {
		return invalid("The key %q cannot be used: %w.", k.ID, err)
	}
	if _, isRSA := public.(*rsa.PublicKey); k.Use == Encryption && !isRSA {
		return invalid("The key %q cannot be used: %w.", k.ID, errEncryptionRSA)
	}
	if k.Use == Encryption && k.State == Dedicated {
		return invalid("The key %q cannot be used: %w.", k.ID, errors.New("only signing keys can be dedicated"))
	}
	same, ok := public.(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !same.Equal(k.Certificate.PublicKey) {
		return &identity.Error{
			Kind: identity.KindInvalid, Code: "key.mismatch", Who: identity.WhoOperator,
			Msg:  fmt.Sprintf("The certificate of key %q belongs to another private key.", k.ID),
			Seen: k.Fingerprint256(),
		}
	}
	return nil
}

// CheckPublic reports why a public key must not be relied on: an algorithm that
// SAML signatures here do not use, or a size out of bounds. The
// error ends a sentence; it is a plain one, since only the caller knows whose
// key it is.
func CheckPublic(public crypto.PublicKey) error {
	switch p := public.(type) {
	case *rsa.PublicKey:
		if p.N.BitLen() < MinRSABits {
			return fmt.Errorf("its RSA key has %d bits, at least %d are needed", p.N.BitLen(), MinRSABits)
		}
		if p.N.BitLen() > MaxRSABits {
			return fmt.Errorf("its RSA key has %d bits, at most %d are taken", p.N.BitLen(), MaxRSABits)
		}
		return nil
	case *ecdsa.PublicKey:
		if p.Curve.Params().BitSize < MinECBits {
			return fmt.Errorf("its curve %s has %d bits, at least %d are needed", p.Curve.Params().Name, p.Curve.Params().BitSize, MinECBits)
		}
		return nil
	case ed25519.PublicKey:
		if len(p) != ed25519.PublicKeySize {
			return errors.New("its Ed25519 key is damaged")
		}
		return nil
	}
	return fmt.Errorf("its algorithm is none of RSA, ECDSA and Ed25519 (%T)", public)
}

func parsePrivate(b []byte) (crypto.Signer, error) {
	block, err := firstBlock(b, pemPKCS8, pemPKCS1, pemSEC1, pemEncrypted)
	if err != nil {
		return nil, err
	}
	var parsed crypto.PrivateKey
	switch {
	case block.Type == pemEncrypted || block.Headers["DEK-Info"] != "":
		return nil, errors.New("it is protected by a passphrase")
	case block.Type == pemPKCS1:
		parsed, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case block.Type == pemSEC1:
		parsed, err = x509.ParseECPrivateKey(block.Bytes)
	default:
		parsed, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	}
	if err != nil {
		// The parser's own words name no key material, but they are no help
		// to people either.
		return nil, fmt.Errorf("it is damaged (%w)", err)
	}
	signer, ok := parsed.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("its algorithm is none of RSA, ECDSA and Ed25519 (%T)", parsed)
	}
	return signer, nil
}

func parseCertificate(b []byte) (*x509.Certificate, error) {
	block, err := firstBlock(b, pemCertificate)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("it is damaged (%w)", err)
	}
	return cert, nil
}

// firstBlock returns the first PEM block with one of the labels; others, such as
// the "EC PARAMETERS" that openssl writes first, are passed over.
func firstBlock(b []byte, labels ...string) (*pem.Block, error) {
	for {
		var block *pem.Block
		block, b = pem.Decode(b)
		if block == nil {
			return nil, fmt.Errorf("there is no PEM block %q in it", labels[0])
		}
		for _, l := range labels {
			if block.Type == l {
				return block, nil
			}
		}
	}
}

// invalid makes the error of a key that cannot be used. The reason, the last
// argument, goes into the sentence itself: these sentences are for the operator,
// and without the reason there is nothing to act on.
func invalid(format string, id string, reason error) error {
	err := fmt.Errorf(format, id, reason)
	return &identity.Error{Kind: identity.KindInvalid, Code: "key.invalid", Who: identity.WhoOperator, Msg: err.Error()}
}
