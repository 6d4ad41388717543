package idp

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"github.com/samlet-id/samlet/certs"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/xmlsec"
	"github.com/samlet-id/samlet/metadata"
)

// protection is what is signed and encrypted towards a service provider, and how.
type protection struct {
	assertion, response bool              // what is signed
	key                 certs.Key         // that signs
	encrypt             *xmlsec.EncryptTo // nil: plain text
	weakness            string            // see Party.Weakness
}

// protection returns how answers to a service provider are protected.
func (p *Provider) protection(party Party) (protection, error) {
	var how protection
	var err error
	how.assertion, how.response = party.signs()
	if !how.assertion && !how.response {
		return how, errors.New("the configuration forbids every signature")
	}
	if how.key, err = p.signer(party); err != nil {
		return how, err
	}
	if how.encrypt, err = party.encryption(); err != nil {
		return how, err
	}
	how.weakness = party.weakness(how.encrypt)
	return how, nil
}

// Weakness returns a sentence for the operator if assertions to the service
// provider cannot be signed with these keys, or are encrypted less well than its
// metadata asks for, or in a way that is broken, or cannot be; else nothing.
func (p Party) Weakness(keys *certs.Ring) string {
	_, err := p.signer(keys)
	if err != nil {
		return identity.AsError(err).Msg
	}
	to, err := p.encryption()
	if err != nil {
		return identity.AsError(err).Msg
	}
	return p.weakness(to)
}

func (p Party) weakness(to *xmlsec.EncryptTo) string {
	switch {
	case to != nil && isCBC(to.Content):
		return "Assertions are encrypted with AES-CBC, which protects nothing from change."
	case to == nil && p.Encrypt.Mode != identity.Never && len(p.Metadata.SP.Encryption) > 0:
		return "The metadata has a key for encryption but lists no algorithm that is safe: assertions are sent in plain text."
	}
	return ""
}

// encryption returns how to encrypt to the service provider, or nil if its
// assertions are sent in plain text: where the operator says so, or where
// encryption is not available and need not be. It is not, either, where the
// metadata lists CBC or RSA PKCS #1 v1.5 and nothing better (crewjam/saml's
// does): what it lists binds us, and what is broken protects nothing that TLS
// would not.
func (p Party) encryption() (*xmlsec.EncryptTo, error) {
	if p.Encrypt.Mode == identity.Never {
		return nil, nil
	}
	sp := p.Metadata.SP
	if len(sp.Encryption) > 0 {
		to := xmlsec.EncryptTo{Key: sp.Encryption[0]}
		if p.chooseContent(&to) && p.chooseTransport(&to) {
			return &to, p.checkContent(to.Content)
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

// checkContent keeps AES-CBC inside of signed Responses, where nobody can change
// it and learn from what the application says (Jager and Somorovsky 2011).
func (p Party) checkContent(algorithm string) error {
	if _, response := p.signs(); response || !isCBC(algorithm) {
		return nil
	}
	return &identity.Error{
		Kind: identity.KindUnavailable, Code: "sp.encryption", Who: identity.WhoOperator,
		Msg: "Assertions are encrypted with AES-CBC in signed Responses alone.", Seen: "sign.response: false", Expected: "sign.response: true",
	}
}

// What the operator names is used. Else, what a service provider lists in its
// metadata binds us (IIP-MD10), in its order. One that lists no algorithm of a
// sort gets what every implementation of the profile has (IIP-ALG04, IIP-ALG06):
// AES-256-GCM, and RSA-OAEP with SHA-1, where nothing rests on the collision
// resistance that SHA-1 has lost.

func (p Party) chooseContent(to *xmlsec.EncryptTo) bool {
	if to.Content = p.Encrypt.Content; to.Content != "" {
		return p.Encrypt.AllowCBC || !isCBC(to.Content)
	}
	listed, weak := false, ""
	for _, m := range p.Metadata.SP.EncryptionMethods {
		switch {
		case slices.Contains(p.Refused, m.Algorithm):
			listed = listed || !isTransport(m.Algorithm)
			continue
		case m.Algorithm == xmlsec.AlgAES256GCM, m.Algorithm == xmlsec.AlgAES128GCM:
			to.Content = m.Algorithm
			return true
		case !isTransport(m.Algorithm):
			listed = true
		}
		if weak == "" && isCBC(m.Algorithm) && p.Encrypt.AllowCBC {
			weak = m.Algorithm
		}
	}
	to.Content = weak
	if weak != "" || listed {
		return weak != ""
	}
	for _, usual := range []string{xmlsec.AlgAES256GCM, xmlsec.AlgAES128GCM} {
		if !slices.Contains(p.Refused, usual) {
			to.Content = usual
			return true
		}
	}
	return false
}

func (p Party) chooseTransport(to *xmlsec.EncryptTo) bool {
	if p.Encrypt.KeyTransport != "" {
		to.KeyTransport, to.Digest = p.Encrypt.KeyTransport, p.Encrypt.Digest
		return to.Supported() == nil
	}
	listed := false
	for _, m := range p.Metadata.SP.EncryptionMethods {
		if !isTransport(m.Algorithm) {
			continue
		}
		listed = true
		to.KeyTransport, to.Digest, to.MGF = m.Algorithm, cmp.Or(p.Encrypt.Digest, m.DigestMethod), m.MGF
		if to.Supported() == nil && !slices.Contains(p.Refused, m.Algorithm) && !slices.Contains(p.Refused, to.Digest) {
			return true
		}
	}
	to.KeyTransport, to.Digest, to.MGF = "", p.Encrypt.Digest, ""
	return !listed && to.Supported() == nil && !slices.Contains(p.Refused, xmlsec.AlgRSAOAEPMGF1P)
}

func isCBC(algorithm string) bool {
	return strings.HasSuffix(algorithm, "-cbc")
}

// isTransport reports whether an algorithm wraps keys, be it one that we refuse.
func isTransport(algorithm string) bool {
	const rsa15 = xmlsec.NSXEnc + "rsa-1_5"
	return slices.Contains([]string{xmlsec.AlgRSAOAEPMGF1P, xmlsec.AlgRSAOAEP, rsa15}, algorithm)
}

func names(methods []metadata.EncryptionMethod) string {
	s := make([]string, len(methods))
	for i, m := range methods {
		s[i] = m.Algorithm
	}
	return strings.Join(s, " ")
}
