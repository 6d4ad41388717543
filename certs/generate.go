package certs

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"time"
)

// Algorithm is the algorithm of a key to be generated.
type Algorithm int

// The algorithms. RSA is the zero value, since every SAML peer verifies it.
const (
	RSA       Algorithm = iota
	ECDSAP256           // thirty times faster to sign with; for peers that are known to verify it
	ECDSAP384
	Ed25519
)

// String returns the algorithm's name.
func (a Algorithm) String() string {
	switch a {
	case RSA:
		return "RSA"
	case ECDSAP256:
		return "ECDSA P-256"
	case ECDSAP384:
		return "ECDSA P-384"
	case Ed25519:
		return "Ed25519"
	}
	return "invalid"
}

// GenerateConfig says which key to make.
type GenerateConfig struct {
	ID         string
	Use        Use
	State      State         // zero means Active
	CommonName string        // of the certificate, for people; cut to 64 characters (RFC 5280 A.1)
	Algorithm  Algorithm     // Encryption needs RSA
	Bits       int           // of an RSA key; zero means 2048
	ValidFor   time.Duration // of the certificate; zero means ten years
	Now        func() time.Time
	Rand       io.Reader
}

const (
	defaultBits     = 2048
	defaultValidFor = 10 * 365 * 24 * time.Hour
	maxCommonName   = 64
	// backdate keeps peers whose clocks are behind, and that check the dates
	// against the profile, from refusing a key that is a minute old.
	backdate = time.Hour
)

// Generate makes a private key and a self-signed certificate with a random
// serial number, and returns the Key together with both in PEM (PKCS#8). Keep
// keyPEM secret and hand it to nothing but WriteFiles.
func Generate(cfg GenerateConfig) (k Key, keyPEM, certPEM []byte, err error) {
	if err := cfg.complete(); err != nil {
		return Key{}, nil, nil, err
	}
	private, err := cfg.private()
	if err != nil {
		return Key{}, nil, nil, fmt.Errorf("generating the %s key: %w", cfg.Use, err)
	}
	certDER, err := cfg.certificate(private)
	if err != nil {
		return Key{}, nil, nil, fmt.Errorf("making the certificate of the %s key: %w", cfg.Use, err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return Key{}, nil, nil, fmt.Errorf("encoding the %s key: %w", cfg.Use, err)
	}
	keyPEM = pem.EncodeToMemory(&pem.Block{Type: pemPKCS8, Bytes: keyDER})
	certPEM = pem.EncodeToMemory(&pem.Block{Type: pemCertificate, Bytes: certDER})
	k, err = Load(cfg.ID, cfg.Use, cfg.State, keyPEM, certPEM)
	if err != nil {
		return Key{}, nil, nil, err
	}
	return k, keyPEM, certPEM, nil
}

func (cfg *GenerateConfig) complete() error {
	if cfg.Now == nil || cfg.Rand == nil {
		return errors.New("certs: GenerateConfig needs Now and Rand")
	}
	if cfg.Use != Signing && cfg.Use != Encryption {
		return errors.New("certs: GenerateConfig needs a Use")
	}
	if cfg.CommonName == "" {
		return errors.New("certs: GenerateConfig needs a CommonName")
	}
	if cfg.State == 0 {
		cfg.State = Active
	}
	if cfg.Bits == 0 {
		cfg.Bits = defaultBits
	}
	if cfg.ValidFor == 0 {
		cfg.ValidFor = defaultValidFor
	}
	if name := []rune(cfg.CommonName); len(name) > maxCommonName {
		cfg.CommonName = string(name[:maxCommonName])
	}
	return nil
}

func (cfg *GenerateConfig) private() (crypto.Signer, error) {
	switch cfg.Algorithm {
	case RSA:
		return rsa.GenerateKey(cfg.Rand, cfg.Bits)
	case ECDSAP256:
		return ecdsa.GenerateKey(elliptic.P256(), cfg.Rand)
	case ECDSAP384:
		return ecdsa.GenerateKey(elliptic.P384(), cfg.Rand)
	case Ed25519:
		_, private, err := ed25519.GenerateKey(cfg.Rand)
		return private, err
	}
	return nil, fmt.Errorf("unknown algorithm %d", cfg.Algorithm)
}

func (cfg *GenerateConfig) certificate(private crypto.Signer) ([]byte, error) {
	var serial [16]byte
	if _, err := io.ReadFull(cfg.Rand, serial[:]); err != nil {
		return nil, fmt.Errorf("reading randomness: %w", err)
	}
	serial[0] = serial[0]&0x7f | 0x40 // positive, of constant length, never zero (RFC 5280 4.1.2.2)
	now := cfg.Now().UTC().Truncate(time.Second)
	template := &x509.Certificate{
		SerialNumber:          new(big.Int).SetBytes(serial[:]),
		Subject:               pkix.Name{CommonName: cfg.CommonName},
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.Add(cfg.ValidFor),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true,
	}
	if cfg.Use == Encryption {
		template.KeyUsage = x509.KeyUsageKeyEncipherment
	}
	return x509.CreateCertificate(cfg.Rand, template, template, private.Public(), private)
}
