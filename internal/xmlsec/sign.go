package xmlsec

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"math/big"
	"slices"

	"github.com/samlet-id/samlet/certs"
)

// scheme is how one key signs: the algorithms by their identifiers, and the
// hash that both the digest and the signature use.
type scheme struct {
	signature string // SignatureMethod (RFC 9231, sections 2.3.2 to 2.3.6 and 2.3.12)
	digest    string // DigestMethod
	hash      crypto.Hash
	whole     bool // signs the octets themselves, as Ed25519 does, not their hash
	octets    int  // of r and of s each; 0 unless ECDSA
}

// schemeOf returns how k signs.
func schemeOf(k certs.Key) (scheme, error) {
	if k.Signer == nil || k.Use != certs.Signing {
		return scheme{}, fmt.Errorf("key %q is not a signing key", k.ID)
	}
	sc := scheme{hash: k.Hash}
	family := 0
	switch pub := k.Signer.Public().(type) {
	case *rsa.PublicKey:
	case *ecdsa.PublicKey:
		family = 1
		sc.octets = (pub.Curve.Params().BitSize + 7) / 8
	case ed25519.PublicKey:
		family = 2
		sc.whole = true
	default:
		return scheme{}, fmt.Errorf("key %q: cannot sign XML with a %T", k.ID, pub)
	}
	if sc.hash == 0 {
		sc.hash = defaultHash(sc.octets)
	}
	var signature [3]string // by family
	switch sc.hash {
	case crypto.SHA256:
		sc.digest, signature = AlgSHA256, [3]string{AlgRSASHA256, AlgECDSASHA256, AlgEd25519}
	case crypto.SHA384:
		sc.digest, signature = AlgSHA384, [3]string{AlgRSASHA384, AlgECDSASHA384, AlgEd25519}
	case crypto.SHA512:
		sc.digest, signature = AlgSHA512, [3]string{AlgRSASHA512, AlgECDSASHA512, AlgEd25519}
	default:
		return scheme{}, fmt.Errorf("key %q: cannot sign XML with %v", k.ID, sc.hash)
	}
	sc.signature = signature[family]
	return sc, nil
}

// Able returns k with the Hash with which it makes signatures of an algorithm,
// a SignatureMethod, over digests of one of those listed (DigestMethods; nil:
// any). It reports false if k cannot.
func Able(k certs.Key, signature string, digests []string) (certs.Key, bool) {
	for _, h := range []crypto.Hash{0, crypto.SHA256, crypto.SHA384, crypto.SHA512} {
		k.Hash = h
		sc, err := schemeOf(k)
		if err == nil && sc.signature == signature && (digests == nil || slices.Contains(digests, sc.digest)) {
			return k, true
		}
	}
	return certs.Key{}, false
}

func defaultHash(octets int) crypto.Hash {
	switch {
	case octets > 48:
		return crypto.SHA512
	case octets > 32:
		return crypto.SHA384
	}
	return crypto.SHA256
}

// sign returns the signature over the parts, one after the other, as XML wants it:
// PKCS #1 v1.5 for RSA, and for ECDSA r and s side by side, each as long as the
// curve's order (RFC 9231, section 2.3.6). It makes use of h, a hash of sc.
func (sc scheme) sign(k certs.Key, h hash.Hash, parts ...[]byte) ([]byte, error) {
	var sum [64]byte
	var message []byte
	opts := crypto.SignerOpts(sc.hash)
	if sc.whole {
		message, opts = slices.Concat(parts...), crypto.Hash(0)
	} else {
		h.Reset()
		for _, p := range parts {
			h.Write(p)
		}
		message = h.Sum(sum[:0])
	}
	// PKCS #1 v1.5 takes no randomness and Go's ECDSA takes its own; a signer
	// in hardware may want a reader all the same.
	sig, err := k.Signer.Sign(rand.Reader, message, opts)
	if err != nil {
		return nil, fmt.Errorf("signing with key %q: %w", k.ID, err)
	}
	if sc.octets == 0 {
		return sig, nil
	}
	var p struct{ R, S *big.Int }
	rest, err := asn1.Unmarshal(sig, &p)
	if err != nil || len(rest) > 0 || p.R.Sign() <= 0 || p.S.Sign() <= 0 ||
		p.R.BitLen() > 8*sc.octets || p.S.BitLen() > 8*sc.octets {
		return nil, fmt.Errorf("signing with key %q: the signer returned no ECDSA signature", k.ID)
	}
	raw := make([]byte, 2*sc.octets)
	p.R.FillBytes(raw[:sc.octets])
	p.S.FillBytes(raw[sc.octets:])
	return raw, nil
}

// SignatureAlgorithm returns the identifier of the algorithm that SignDetached
// uses with k. The Redirect binding signs it together with the message, so it is
// needed first (SAML Bindings 3.4.4.1).
func SignatureAlgorithm(k certs.Key) (string, error) {
	sc, err := schemeOf(k)
	return sc.signature, err
}

// SignDetached signs octets for the Redirect binding and returns the algorithm's
// identifier and the signature, not yet in base64 (SAML Bindings 3.4.4.1).
func SignDetached(k certs.Key, octets []byte) (alg string, sig []byte, err error) {
	sc, err := schemeOf(k)
	if err != nil {
		return "", nil, err
	}
	sig, err = sc.sign(k, sc.hash.New(), octets)
	return sc.signature, sig, err
}

// The parts of a ds:Signature between its five variable values, in exclusive
// canonical form. SignedInfo is hashed as an apex, which then declares ds itself;
// in the document its parent does.
const (
	sigHead      = `<ds:Signature xmlns:ds="` + NSDSig + `"><ds:SignedInfo`
	infoApex     = `<ds:SignedInfo xmlns:ds="` + NSDSig + `"`
	infoMethod   = `><ds:CanonicalizationMethod Algorithm="` + AlgExcC14N + `"></ds:CanonicalizationMethod><ds:SignatureMethod Algorithm="`
	infoID       = `"></ds:SignatureMethod><ds:Reference URI="#`
	infoDigest   = `"><ds:Transforms><ds:Transform Algorithm="` + AlgEnveloped + `"></ds:Transform><ds:Transform Algorithm="` + AlgExcC14N + `"></ds:Transform></ds:Transforms><ds:DigestMethod Algorithm="`
	infoValue    = `"></ds:DigestMethod><ds:DigestValue>`
	infoEnd      = `</ds:DigestValue></ds:Reference></ds:SignedInfo>`
	sigValue     = `<ds:SignatureValue>`
	sigKeyInfo   = `</ds:SignatureValue><ds:KeyInfo><ds:X509Data><ds:X509Certificate>`
	sigEnd       = `</ds:X509Certificate></ds:X509Data></ds:KeyInfo></ds:Signature>`
	sigEndNoCert = `</ds:SignatureValue></ds:Signature>`
)

// Sign fills the places that SignatureSlot left, innermost first, since the
// digest of a Response covers the signature of the Assertion in it; it returns
// the document and ends the Writer. The KeyInfo holds the key's certificate, as a
// hint that no signature covers.
func (w *Writer) Sign(k certs.Key) ([]byte, error) {
	defer w.end()
	if err := w.complete(); err != nil {
		return nil, err
	}
	if len(w.s.slots) == 0 {
		return nil, errors.New("xmlsec: no element is to be signed")
	}
	sc, err := schemeOf(k)
	if err != nil {
		return nil, err
	}
	// SignatureSlot admits no element that was opened before its predecessor,
	// so backwards is inside out.
	hash := sc.hash.New()
	for i := len(w.s.slots) - 1; i >= 0; i-- {
		if err := w.s.sign(i, k, sc, hash); err != nil {
			return nil, err
		}
	}
	return w.s.assemble(), nil
}

// sign appends the ds:Signature of slot i to s.sigs.
func (s *scratch) sign(i int, k certs.Key, sc scheme, h hash.Hash) error {
	var sum [64]byte // the longest digest is SHA-512's
	own := &s.slots[i]
	h.Reset()
	s.write(h, i)
	digest := h.Sum(sum[:0])

	own.from = len(s.sigs)
	s.sigs = append(s.sigs, sigHead...)
	info := len(s.sigs)
	s.sigs = append(s.sigs, infoMethod...)
	s.sigs = append(s.sigs, sc.signature...)
	s.sigs = append(s.sigs, infoID...)
	s.sigs = append(s.sigs, own.id...)
	s.sigs = append(s.sigs, infoDigest...)
	s.sigs = append(s.sigs, sc.digest...)
	s.sigs = append(s.sigs, infoValue...)
	s.sigs = base64.StdEncoding.AppendEncode(s.sigs, digest)
	s.sigs = append(s.sigs, infoEnd...)

	sig, err := sc.sign(k, h, []byte(infoApex), s.sigs[info:])
	if err != nil {
		return err
	}
	s.sigs = append(s.sigs, sigValue...)
	s.sigs = base64.StdEncoding.AppendEncode(s.sigs, sig)
	if k.Certificate == nil {
		s.sigs = append(s.sigs, sigEndNoCert...)
	} else {
		s.sigs = append(s.sigs, sigKeyInfo...)
		s.sigs = base64.StdEncoding.AppendEncode(s.sigs, k.Certificate.Raw)
		s.sigs = append(s.sigs, sigEnd...)
	}
	own.to = len(s.sigs)
	return nil
}

// write hashes the element of slot i without its own signature (the
// enveloped-signature transform), with those of the elements inside it.
func (s *scratch) write(h hash.Hash, i int) {
	from := s.slots[i].start
	for _, in := range s.slots[i+1:] {
		if in.start >= s.slots[i].end {
			break
		}
		h.Write(s.buf[from:in.at])
		h.Write(s.sigs[in.from:in.to])
		from = in.at
	}
	h.Write(s.buf[from:s.slots[i].end])
}

// assemble returns a copy of the document with the signatures in their places.
func (s *scratch) assemble() []byte {
	out := make([]byte, 0, len(s.buf)+len(s.sigs))
	from := 0
	for _, sl := range s.slots {
		out = append(out, s.buf[from:sl.at]...)
		out = append(out, s.sigs[sl.from:sl.to]...)
		from = sl.at
	}
	return append(out, s.buf[from:]...)
}
