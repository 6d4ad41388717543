package xmlsec

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	_ "crypto/sha1" // the digest that a Trust can allow
	_ "crypto/sha256"
	_ "crypto/sha512"
	"math/big"
	"slices"
)

// VerifyDetached checks a signature over octets that are not XML, as the
// HTTP-Redirect binding makes it over the query (SAML Bindings 3.4.4.1): alg is
// the URI in SigAlg, signed the octets as they were received, signature the
// decoded Signature. The keys are tried in turn; none fails with code
// sig.no_keys. SHA-1 is refused, and so are the further algorithms that the
// operator forbids.
func VerifyDetached(alg string, keys []crypto.PublicKey, signed, signature []byte, refused ...string) (err error) {
	defer rescue(&err)
	if len(keys) == 0 {
		return refuse(codeNoKeys, "No key is known for the sender, so the signature cannot be checked.")
	}
	return checkSignature(alg, Trust{Keys: keys, Refused: refused}, signed, signature)
}

// checkSignature returns nil if one of the trusted keys made signature over
// signed with the algorithm alg, which has to be an accepted one.
func checkSignature(alg string, t Trust, signed, signature []byte) error {
	check, hash := signatureMethod(alg)
	if check == nil || hash == crypto.SHA1 && !t.AllowSHA1 || slices.Contains(t.Refused, alg) {
		return differs(codeAlgorithm, "The signature uses an algorithm that is not accepted.", alg, AlgRSASHA256)
	}
	digest := signed // Ed25519 hashes by itself
	if hash != 0 {
		digest = sum(hash, signed)
	}
	for _, key := range t.Keys {
		if check(key, hash, digest, signature) {
			return nil
		}
	}
	return refuse(codeKey, "The signature was not made by a key that is known for the sender, or what it covers was changed.")
}

// signatureMethod is the list of what is accepted (RFC 9231 section 2.3). HMAC
// has no place on it: the key that checks would be the key that signs.
func signatureMethod(alg string) (func(crypto.PublicKey, crypto.Hash, []byte, []byte) bool, crypto.Hash) {
	switch alg {
	case AlgRSASHA1:
		return checkRSA, crypto.SHA1
	case AlgRSASHA256:
		return checkRSA, crypto.SHA256
	case AlgRSASHA384:
		return checkRSA, crypto.SHA384
	case AlgRSASHA512:
		return checkRSA, crypto.SHA512
	case AlgECDSASHA256:
		return checkECDSA, crypto.SHA256
	case AlgECDSASHA384:
		return checkECDSA, crypto.SHA384
	case AlgECDSASHA512:
		return checkECDSA, crypto.SHA512
	case AlgEd25519:
		return checkEd25519, 0
	}
	return nil, 0
}

// SignatureAlgorithms returns the SignatureMethods that are verified by default,
// the ones to prefer first.
func SignatureAlgorithms() []string {
	return []string{AlgRSASHA256, AlgRSASHA384, AlgRSASHA512, AlgECDSASHA256, AlgECDSASHA384, AlgECDSASHA512, AlgEd25519}
}

func checkRSA(key crypto.PublicKey, hash crypto.Hash, digest, signature []byte) bool {
	k, ok := key.(*rsa.PublicKey)
	return ok && k != nil && rsa.VerifyPKCS1v15(k, hash, digest, signature) == nil
}

// checkEd25519 checks pure EdDSA (RFC 9231 section 2.3.12, RFC 8032). The length
// is checked here because crypto/ed25519 panics where it is wrong.
func checkEd25519(key crypto.PublicKey, _ crypto.Hash, message, signature []byte) bool {
	k, ok := key.(ed25519.PublicKey)
	return ok && len(k) == ed25519.PublicKeySize && ed25519.Verify(k, message, signature)
}

// checkECDSA reads r and s as XML signature writes them: two numbers of the
// length of the curve's order, one after the other (RFC 9231 section 2.3.6).
// crypto/ecdsa refuses zero and too large ones (CVE-2022-21449).
func checkECDSA(key crypto.PublicKey, _ crypto.Hash, digest, signature []byte) bool {
	k, ok := key.(*ecdsa.PublicKey)
	if !ok || k == nil || k.Curve == nil {
		return false
	}
	size := (k.Params().N.BitLen() + 7) / 8
	if len(signature) != 2*size {
		return false
	}
	r, s := new(big.Int).SetBytes(signature[:size]), new(big.Int).SetBytes(signature[size:])
	return ecdsa.Verify(k, digest, r, s)
}
