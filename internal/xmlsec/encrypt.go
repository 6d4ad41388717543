package xmlsec

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rsa"
	_ "crypto/sha1" // MGF1 with SHA-1 is what rsa-oaep-mgf1p is defined with
	"encoding/base64"
	"fmt"
	"io"
	"slices"
)

// EncryptTo says for whom and how to encrypt, by the identifiers of XML
// Encryption 1.1. An empty Content means AES-256-GCM. An empty KeyTransport means
// rsa-oaep-mgf1p, which every peer can do; its mask generation is MGF1 with
// SHA-1 by definition, and an empty Digest means SHA-1 there, the default of the
// specification (section 5.5.2) and all that xmlsec1 before 1.3 can read. With
// the newer rsa-oaep, an empty Digest means SHA-256 and an empty MGF means MGF1
// with SHA-256. OAEP does not rest on the collision resistance that SHA-1 has
// lost.
//
// AES-CBC protects nothing from change: choose it only for a peer that cannot do
// better, and only inside of what is signed. RSA PKCS #1 v1.5 cannot be chosen.
type EncryptTo struct {
	Key          crypto.PublicKey // *rsa.PublicKey
	Content      string           // AlgAES256GCM, AlgAES128GCM, AlgAES256CBC or AlgAES128CBC
	KeyTransport string           // AlgRSAOAEPMGF1P or AlgRSAOAEP
	Digest       string           // AlgSHA1, AlgSHA256, AlgSHA384 or AlgSHA512
	MGF          string           // AlgMGF1SHA1, AlgMGF1SHA256, … ; only with AlgRSAOAEP
}

// EncryptedData writes plain, the octets of one element, encrypted into the open
// element, as an xenc:EncryptedData (XML Encryption 1.1, section 4.1). The key that was made for it stands in an EncryptedKey within the
// KeyInfo.
func (w *Writer) EncryptedData(plain []byte, to EncryptTo, random io.Reader) {
	if w.err != nil {
		return
	}
	to, err := to.complete()
	if err != nil {
		w.fail(err)
		return
	}
	key, content, err := seal(w.s.sealed[:0], plain, to.Content, random)
	if err != nil {
		w.fail(fmt.Errorf("encrypting: %w", err))
		return
	}
	w.s.sealed = content
	wrapped, err := to.wrap(key, random)
	if err != nil {
		w.fail(fmt.Errorf("encrypting the content key: %w", err))
		return
	}
	w.Open("xenc:EncryptedData", "Type", TypeElement)
	w.Element("xenc:EncryptionMethod", "", "Algorithm", to.Content)
	w.Open("ds:KeyInfo")
	w.Open("xenc:EncryptedKey")
	w.Open("xenc:EncryptionMethod", "Algorithm", to.KeyTransport)
	w.Element("ds:DigestMethod", "", "Algorithm", to.Digest)
	if to.KeyTransport == AlgRSAOAEP {
		w.Element("xenc11:MGF", "", "Algorithm", to.MGF)
	}
	w.Close()
	w.cipherData(wrapped)
	w.Close()
	w.Close()
	w.cipherData(content)
	w.Close()
}

func (w *Writer) cipherData(octets []byte) {
	w.Open("xenc:CipherData")
	w.Open("xenc:CipherValue")
	if w.err == nil {
		w.s.buf = base64.StdEncoding.AppendEncode(w.s.buf, octets)
	}
	w.Close()
	w.Close()
}

// Supported says why EncryptedData could not encrypt so, or returns nil.
func (to EncryptTo) Supported() error {
	_, err := to.complete()
	return err
}

// complete fills in the defaults and refuses what cannot be done.
func (to EncryptTo) complete() (EncryptTo, error) {
	fill := func(field *string, value string) {
		if *field == "" {
			*field = value
		}
	}
	fill(&to.Content, AlgAES256GCM)
	fill(&to.KeyTransport, AlgRSAOAEPMGF1P)
	switch to.KeyTransport {
	case AlgRSAOAEPMGF1P:
		fill(&to.Digest, AlgSHA1)
		fill(&to.MGF, AlgMGF1SHA1)
		if to.MGF != AlgMGF1SHA1 {
			return to, fmt.Errorf("encrypting: %s has one mask generation function, not %q", to.KeyTransport, to.MGF)
		}
	case AlgRSAOAEP:
		fill(&to.Digest, AlgSHA256)
		fill(&to.MGF, AlgMGF1SHA256)
	default:
		return to, fmt.Errorf("encrypting: cannot transport a key with %q", to.KeyTransport)
	}
	if _, ok := to.Key.(*rsa.PublicKey); !ok {
		return to, fmt.Errorf("encrypting: cannot encrypt to a %T", to.Key)
	}
	if keySize(to.Content) == 0 {
		return to, fmt.Errorf("encrypting: cannot encrypt with %q", to.Content)
	}
	if oaepHash(to.Digest) == 0 || mgfHash(to.MGF) == 0 {
		return to, fmt.Errorf("encrypting: cannot do OAEP with digest %q and mask generation %q", to.Digest, to.MGF)
	}
	return to, nil
}

// keySize returns the octets of a content key, 0 for an algorithm that is not
// offered.
func keySize(algorithm string) int {
	switch algorithm {
	case AlgAES256GCM, AlgAES256CBC:
		return 32
	case AlgAES128GCM, AlgAES128CBC:
		return 16
	}
	return 0
}

// seal encrypts plain under a fresh key, into room as far as that suffices.
func seal(room, plain []byte, algorithm string, random io.Reader) (key, sealed []byte, err error) {
	key = make([]byte, keySize(algorithm))
	if _, err := io.ReadFull(random, key); err != nil {
		return nil, nil, fmt.Errorf("reading randomness: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, nil, err
	}
	if algorithm == AlgAES256CBC || algorithm == AlgAES128CBC {
		sealed, err = sealCBC(block, plain, random)
	} else {
		sealed, err = sealGCM(room, block, plain, random)
	}
	return key, sealed, err
}

// sealGCM returns the nonce of 96 bits, the ciphertext, and the tag of 128 bits
// (XML Encryption 1.1, section 5.2.4).
func sealGCM(room []byte, block cipher.Block, plain []byte, random io.Reader) ([]byte, error) {
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	nonce := gcm.NonceSize()
	sealed := slices.Grow(room[:0], nonce+len(plain)+gcm.Overhead())[:nonce]
	if _, err := io.ReadFull(random, sealed); err != nil {
		return nil, fmt.Errorf("reading randomness: %w", err)
	}
	return gcm.Seal(sealed, sealed[:nonce], plain, nil), nil
}

// sealCBC returns the initialisation vector and the ciphertext. The last octet of
// the last block counts those of the padding, which are random before it (XML
// Encryption 1.1, section 5.2.3).
func sealCBC(block cipher.Block, plain []byte, random io.Reader) ([]byte, error) {
	size := block.BlockSize()
	padding := size - len(plain)%size
	sealed := make([]byte, size+len(plain)+padding)
	copy(sealed[size:], plain)
	for _, part := range [][]byte{sealed[:size], sealed[size+len(plain):]} {
		if _, err := io.ReadFull(random, part); err != nil {
			return nil, fmt.Errorf("reading randomness: %w", err)
		}
	}
	sealed[len(sealed)-1] = byte(padding)
	cipher.NewCBCEncrypter(block, sealed[:size]).CryptBlocks(sealed[size:], sealed[size:])
	return sealed, nil
}

// wrap encrypts the content key.
func (to EncryptTo) wrap(key []byte, random io.Reader) ([]byte, error) {
	pub, _ := to.Key.(*rsa.PublicKey) // complete has made sure
	opts := rsa.OAEPOptions{Hash: oaepHash(to.Digest), MGFHash: mgfHash(to.MGF)}
	return rsa.EncryptOAEPWithOptions(random, pub, key, &opts)
}

func oaepHash(algorithm string) crypto.Hash {
	switch algorithm {
	case AlgSHA1:
		return crypto.SHA1
	case AlgSHA256:
		return crypto.SHA256
	case AlgSHA384:
		return crypto.SHA384
	case AlgSHA512:
		return crypto.SHA512
	}
	return 0
}

func mgfHash(algorithm string) crypto.Hash {
	switch algorithm {
	case AlgMGF1SHA1:
		return crypto.SHA1
	case AlgMGF1SHA256:
		return crypto.SHA256
	case AlgMGF1SHA384:
		return crypto.SHA384
	case AlgMGF1SHA512:
		return crypto.SHA512
	}
	return 0
}
