package xmlsec

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rsa"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"slices"
	"strings"

	"github.com/samlet-id/samlet/identity"
)

// DecryptPolicy says what Decrypt accepts beyond AES-GCM.
type DecryptPolicy struct {
	// AllowCBC accepts AES-CBC, which protects nothing from change. Set it only
	// for a peer that cannot do better, and only for an element of a verified
	// Response: else whoever sees the answers can read the plaintext
	// (Jager and Somorovsky 2011).
	AllowCBC bool
	Refused  []string // URIs of algorithms that the operator forbids
}

// accepts reports whether the operator lets an algorithm be used.
func (p DecryptPolicy) accepts(e *Element) bool {
	return !slices.Contains(p.Refused, e.Attr("Algorithm"))
}

// Most EncryptedKeys of one element: as many private key operations it costs, for
// each of our keys. Anybody may send an identifier; there it is one for a key of
// ours and one for its successor.
const (
	maxAssertionKeys  = 8
	maxIdentifierKeys = 2
)

// Decrypt opens a saml:EncryptedAssertion (SAML Core 2.3.4) and returns the
// Assertion in it as a document. Anybody can encrypt to us, so the content is
// unproven until it is verified.
//
// Content may be encrypted with AES-GCM, or AES-CBC by policy; its key with
// RSA-OAEP and any of the digests and mask generation functions of SHA-1 and
// SHA-2. The EncryptedKey stands in the KeyInfo of EncryptedData or beside it;
// nothing is looked for elsewhere. All keys are tried in turn.
//
// Every failure is the same *identity.Error with code xml.decrypt, whose reason
// is for the log alone: which step failed must not be told to a sender.
func Decrypt(enc *Element, keys []crypto.Decrypter, p DecryptPolicy, lim Limits) (*Document, error) {
	return decrypt(enc, sealed{outer: "EncryptedAssertion", inner: "Assertion", keys: maxAssertionKeys}, keys, p, lim)
}

// DecryptID is Decrypt for a saml:EncryptedID that holds a NameID (SAML Core
// 2.2.4). It accepts AES-GCM alone, since what anybody may send has no envelope
// that could be verified first, and none of the refused algorithms.
func DecryptID(enc *Element, keys []crypto.Decrypter, lim Limits, refused ...string) (*Document, error) {
	return decrypt(enc, sealed{outer: "EncryptedID", inner: "NameID", keys: maxIdentifierKeys}, keys, DecryptPolicy{Refused: refused}, lim)
}

// sealed says what stands in what, both of the assertion namespace.
type sealed struct {
	outer, inner string
	keys         int // at most so many EncryptedKeys
}

func decrypt(enc *Element, what sealed, keys []crypto.Decrypter, p DecryptPolicy, lim Limits) (doc *Document, err error) {
	defer func() {
		if err != nil {
			err = &identity.Error{
				Kind: identity.KindInvalid, Code: codeDecrypt,
				Msg: "The encrypted part of the message could not be decrypted.", Err: err,
			}
		}
	}()
	defer rescue(&err)
	if !enc.Is(NSAssertion, what.outer) {
		return nil, errors.New("this is not an " + what.outer)
	}
	data := enc.Children(NSXEnc, "EncryptedData")
	if len(data) != 1 {
		return nil, errors.New("not exactly one EncryptedData")
	}
	method := data[0].Child(NSXEnc, "EncryptionMethod")
	content, ok := contentMethod(method.Attr("Algorithm"), p)
	if !ok || !p.accepts(method) {
		return nil, errors.New("the algorithm of the content is not accepted")
	}
	wrapped, err := encryptedKeys(enc, data[0], what.keys)
	if err != nil {
		return nil, err
	}
	octets, err := cipherValue(data[0])
	if err != nil {
		return nil, err
	}
	plain, err := open(content, wrapped, keys, octets, p)
	if err != nil {
		return nil, err
	}
	doc, err = parse(plain, lim, enc.scope())
	if err != nil {
		return nil, err
	}
	if !doc.Root().Is(NSAssertion, what.inner) {
		return nil, errors.New("the content is not of type " + what.inner)
	}
	return doc, nil
}

// open tries every pair of key and wrapped key until one opens the content.
func open(content method, wrapped []*Element, keys []crypto.Decrypter, sealed []byte, p DecryptPolicy) ([]byte, error) {
	failure := errors.New("no key fits")
	for _, w := range wrapped {
		transport, err := readTransport(w, p)
		if err != nil {
			failure = err
			continue
		}
		for _, k := range keys {
			cek, err := transport.unwrap(k, content.keySize)
			if err != nil {
				// Go on with a key that cannot fit, so that both failures take
				// the same time.
				failure, cek = err, make([]byte, content.keySize)
			}
			plain, openErr := content.open(cek, sealed)
			if err == nil && openErr == nil {
				return plain, nil
			}
			if err == nil {
				failure = openErr
			}
		}
	}
	return nil, failure
}

// encryptedKeys returns the xenc:EncryptedKey elements for data: those in its
// KeyInfo and those beside it in enc, at most so many. Where a
// RetrievalMethod says which of the latter is meant, only that one.
func encryptedKeys(enc, data *Element, most int) ([]*Element, error) {
	info := data.Child(NSDSig, "KeyInfo")
	found := info.Children(NSXEnc, "EncryptedKey")
	beside := enc.Children(NSXEnc, "EncryptedKey")
	if named := info.Children(NSDSig, "RetrievalMethod"); len(named) > 0 {
		beside = slices.DeleteFunc(beside, func(k *Element) bool {
			return !k.HasAttr("Id") || !slices.ContainsFunc(named, func(r *Element) bool { return r.Attr("URI") == "#"+k.Attr("Id") })
		})
	}
	found = append(found, beside...)
	if len(found) == 0 || len(found) > most {
		return nil, errors.New("no EncryptedKey, or too many")
	}
	return found, nil
}

// cipherValue decodes the CipherValue of an EncryptedData or EncryptedKey. A
// CipherReference is never followed (XMLEnc 1.1 section 3.3.1).
func cipherValue(e *Element) ([]byte, error) {
	data := e.Children(NSXEnc, "CipherData")
	if len(data) != 1 {
		return nil, errors.New("not exactly one CipherData")
	}
	values := data[0].Elements()
	if len(values) != 1 || !values[0].Is(NSXEnc, "CipherValue") {
		return nil, errors.New("not exactly one CipherValue")
	}
	text, err := values[0].Text()
	if err != nil {
		return nil, err
	}
	return base64.StdEncoding.DecodeString(strings.Join(fields(text), ""))
}

// transport is RSA-OAEP with its parameters.
type transport struct {
	options rsa.OAEPOptions
	sealed  []byte
}

// readTransport reads an EncryptedKey (XMLEnc 1.1 section 5.5.2). RSA 1.5 is
// not known here: it tells the plaintext to whoever may ask often enough
// (Bleichenbacher 1998).
func readTransport(e *Element, p DecryptPolicy) (*transport, error) {
	m := e.Child(NSXEnc, "EncryptionMethod")
	t := &transport{options: rsa.OAEPOptions{Hash: crypto.SHA1, MGFHash: crypto.SHA1}}
	known := p.accepts(m)
	switch m.Attr("Algorithm") {
	case AlgRSAOAEPMGF1P:
	case AlgRSAOAEP:
		if g := m.Child(NSXEnc11, "MGF"); g != nil {
			t.options.MGFHash, known = maskHash(g.Attr("Algorithm"))
			known = known && p.accepts(g) && p.accepts(m)
		}
	default:
		known = false
	}
	if d := m.Child(NSDSig, "DigestMethod"); d != nil && known {
		t.options.Hash, known = digestMethod(d, true)
		known = known && p.accepts(d)
	}
	if !known {
		return nil, errors.New("the algorithm of the EncryptedKey is not accepted")
	}
	var err error
	if label := m.Child(NSXEnc, "OAEPparams"); label != nil {
		if t.options.Label, err = octets(label); err != nil {
			return nil, err
		}
	}
	t.sealed, err = cipherValue(e)
	return t, err
}

func maskHash(alg string) (crypto.Hash, bool) {
	switch alg {
	case AlgMGF1SHA1:
		return crypto.SHA1, true
	case AlgMGF1SHA256:
		return crypto.SHA256, true
	case AlgMGF1SHA384:
		return crypto.SHA384, true
	case AlgMGF1SHA512:
		return crypto.SHA512, true
	}
	return 0, false
}

// unwrap returns the content encryption key of size octets.
func (t *transport) unwrap(k crypto.Decrypter, size int) ([]byte, error) {
	public, ok := k.Public().(*rsa.PublicKey)
	if !ok || len(t.sealed) != public.Size() {
		return nil, errors.New("the EncryptedKey is not for this key")
	}
	cek, err := k.Decrypt(nil, t.sealed, &t.options)
	if err != nil {
		return nil, err
	}
	if len(cek) != size {
		return nil, errors.New("the wrapped key has the wrong length")
	}
	return cek, nil
}

// method is a block encryption algorithm.
type method struct {
	keySize int
	open    func(key, sealed []byte) ([]byte, error)
}

func contentMethod(alg string, p DecryptPolicy) (method, bool) {
	switch alg {
	case AlgAES128GCM:
		return method{16, openGCM}, true
	case AlgAES192GCM:
		return method{24, openGCM}, true
	case AlgAES256GCM:
		return method{32, openGCM}, true
	case AlgAES128CBC:
		return method{16, openCBC}, p.AllowCBC
	case AlgAES192CBC:
		return method{24, openCBC}, p.AllowCBC
	case AlgAES256CBC:
		return method{32, openCBC}, p.AllowCBC
	}
	return method{}, false
}

// openGCM reads a nonce of 12 octets, the ciphertext and a tag of 16 (XMLEnc
// 1.1 section 5.2.4).
func openGCM(key, sealed []byte) ([]byte, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	if len(sealed) < gcm.NonceSize()+gcm.Overhead() {
		return nil, errors.New("the ciphertext is too short")
	}
	return gcm.Open(nil, sealed[:gcm.NonceSize()], sealed[gcm.NonceSize():], nil)
}

// openCBC reads an initialisation vector and whole blocks, whose last octet
// counts the octets of padding (XMLEnc 1.1 section 5.2.3). The others may be
// anything.
func openCBC(key, sealed []byte) ([]byte, error) {
	if len(sealed) < 2*aes.BlockSize || len(sealed)%aes.BlockSize != 0 {
		return nil, errors.New("the ciphertext is not whole blocks")
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	plain := make([]byte, len(sealed)-aes.BlockSize)
	cipher.NewCBCDecrypter(block, sealed[:aes.BlockSize]).CryptBlocks(plain, sealed[aes.BlockSize:])
	padding := int(plain[len(plain)-1])
	if subtle.ConstantTimeLessOrEq(1, padding)&subtle.ConstantTimeLessOrEq(padding, aes.BlockSize) != 1 {
		return nil, errors.New("the padding is wrong")
	}
	return plain[:len(plain)-padding], nil
}
