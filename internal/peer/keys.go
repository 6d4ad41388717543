package peer

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"sync"
	"testing"
	"time"
)

// keyPair is what a peer signs and decrypts with. All peers of one test binary
// share it: making an RSA key costs more than everything else in a peer's start,
// and nothing that we test depends on two peers having different ones.
type keyPair struct {
	key     *rsa.PrivateKey
	cert    *x509.Certificate
	keyPEM  []byte // PKCS #8
	certPEM []byte
}

var sharedKeyPair = sync.OnceValues(newKeyPair)

func newKeyPair() (keyPair, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return keyPair{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "peer"},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return keyPair{}, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return keyPair{}, err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return keyPair{}, err
	}
	return keyPair{
		key:     key,
		cert:    cert,
		keyPEM:  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}),
		certPEM: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
	}, nil
}

func keys(t testing.TB) keyPair {
	t.Helper()
	k, err := sharedKeyPair()
	if err != nil {
		t.Fatalf("making a key for a peer: %v", err)
	}
	return k
}

func (k keyPair) certBase64() string { return base64.StdEncoding.EncodeToString(k.cert.Raw) }
