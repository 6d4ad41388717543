package idp

import (
	"slices"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/xmlsec"
	"github.com/samlet-id/samlet/metadata"
)

// encryption returns how to encrypt to the service provider, or nil if its
// assertions are sent in plain text: where the operator says so, or where
// encryption is not available and need not be. It is not, either, where the
// metadata lists CBC or RSA PKCS #1 v1.5 and nothing better (crewjam/saml's
// does): what is broken protects nothing that TLS would not.
func (p Party) encryption() (*xmlsec.EncryptTo, error) {
	if p.Encrypt.Mode == identity.Never {
		return nil, nil
	}
	sp := p.Metadata.SP
	if len(sp.Encryption) > 0 {
		to := xmlsec.EncryptTo{Key: sp.Encryption[0]}
		if chooseContent(&to, sp.EncryptionMethods) && chooseTransport(&to, sp.EncryptionMethods) {
			return &to, nil
		}
	}
	if p.Encrypt.Mode != identity.Required {
		return nil, nil
	}
	return nil, &identity.Error{
		Kind: identity.KindUnavailable, Code: "sp.encryption", Who: identity.WhoVendor,
		Msg:      "Assertions for the application must be encrypted, and its metadata has no key for it, or lists no algorithm that is safe.",
		Seen:     names(sp.EncryptionMethods),
		Expected: "a key, and " + xmlsec.AlgAES256GCM + " or " + xmlsec.AlgAES128GCM + " with RSA-OAEP",
	}
}

// What a service provider lists in its metadata binds us (IIP-MD10), in its
// order. One that lists no algorithm of a sort gets what every implementation of
// the profile has (IIP-ALG04, IIP-ALG06): AES-256-GCM, and RSA-OAEP with SHA-1,
// where nothing rests on the collision resistance that SHA-1 has lost.

func chooseContent(to *xmlsec.EncryptTo, methods []metadata.EncryptionMethod) bool {
	listed := false
	for _, m := range methods {
		switch {
		case m.Algorithm == xmlsec.AlgAES256GCM, m.Algorithm == xmlsec.AlgAES128GCM:
			to.Content = m.Algorithm
			return true
		case !isTransport(m.Algorithm):
			listed = true
		}
	}
	return !listed
}

func chooseTransport(to *xmlsec.EncryptTo, methods []metadata.EncryptionMethod) bool {
	listed := false
	for _, m := range methods {
		switch m.Algorithm {
		case xmlsec.AlgRSAOAEPMGF1P:
			to.KeyTransport, to.Digest = m.Algorithm, m.DigestMethod
			return true
		case xmlsec.AlgRSAOAEP:
			to.KeyTransport, to.Digest, to.MGF = m.Algorithm, m.DigestMethod, m.MGF
			return true
		}
		listed = listed || isTransport(m.Algorithm)
	}
	return !listed
}

// isTransport reports whether an algorithm wraps keys, be it one that we refuse.
func isTransport(algorithm string) bool {
	const rsa15 = xmlsec.NSXEnc + "rsa-1_5"
	return slices.Contains([]string{xmlsec.AlgRSAOAEPMGF1P, xmlsec.AlgRSAOAEP, rsa15}, algorithm)
}

func names(methods []metadata.EncryptionMethod) string {
	s := ""
	for _, m := range methods {
		s += m.Algorithm + " "
	}
	return s
}
