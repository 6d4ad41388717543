package idp

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/samlet-id/samlet/certs"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/xmlsec"
)

// issuer returns the entityID under which a service provider knows us: the
// Issuer of every message and assertion for it.
func (p *Provider) issuer(party Party) identity.EntityID {
	return cmp.Or(party.Issuer, p.cfg.EntityID)
}

// signer returns the key that makes every signature towards a service provider;
// its Hash says how.
func (p *Provider) signer(party Party) (certs.Key, error) { return party.signer(p.cfg.Keys) }

// named returns a key by its id.
func (p *Provider) named(id string) (certs.Key, error) { return named(p.cfg.Keys, id) }

func named(ring *certs.Ring, id string) (certs.Key, error) {
	if k, ok := ring.Named(id); ok {
		return k, nil
	}
	return certs.Key{}, fmt.Errorf("there is no signing key %q that is not retired", id)
}

// signer chooses among the keys of ring. The key is the one that the operator
// named, else an active one. The algorithm is the one that the operator named,
// else the first in the service provider's own list that one of these keys can
// do: what it declares binds us (IIP-MD10), and what is broken on its list, such
// as SHA-1, counts for nothing. One that declares nothing gets what every
// implementation knows, rsa-sha256 (IIP-ALG02), as long as there is an RSA key.
//
// Where nothing fits, the error is of KindUnavailable with code "sp.algorithm".
func (p Party) signer(ring *certs.Ring) (certs.Key, error) {
	keys := ring.ActiveSigning()
	if p.Sign.Key != "" {
		k, err := named(ring, p.Sign.Key)
		if err != nil {
			return certs.Key{}, err
		}
		keys = []certs.Key{k}
	}
	allowed := func(algorithms []string) []string {
		return slices.DeleteFunc(slices.Clone(algorithms), func(a string) bool { return slices.Contains(p.Refused, a) })
	}
	if p.Sign.Algorithm != "" {
		if k, ok := firstAble(keys, allowed([]string{p.Sign.Algorithm}), nil); ok {
			return k, nil
		}
		return certs.Key{}, noAlgorithm(identity.WhoOperator, "No signing key can sign for the application with the algorithm that is configured.",
			[]string{p.Sign.Algorithm}, nil, keys)
	}
	methods, digests := p.Metadata.SP.SigningMethods, p.Metadata.SP.DigestMethods
	if len(methods) == 0 && len(digests) == 0 && len(p.Refused) == 0 {
		return keys[0], nil
	}
	wanted := methods
	if len(wanted) == 0 {
		wanted = usual(keys[0])
	}
	if k, ok := firstAble(keys, allowed(wanted), digests); ok {
		return k, nil
	}
	return certs.Key{}, noAlgorithm(identity.WhoVendor, "The application lists the signature algorithms that it verifies, and we can sign with none of them.",
		methods, digests, keys)
}

// firstAble returns the first key that can do the first algorithm that any can.
func firstAble(keys []certs.Key, algorithms, digests []string) (certs.Key, bool) {
	for _, alg := range algorithms {
		for _, k := range keys {
			if able, ok := xmlsec.Able(k, alg, digests); ok {
				return able, true
			}
		}
	}
	return certs.Key{}, false
}

// usual are the algorithms of a key for a service provider that declares digests
// alone.
func usual(k certs.Key) []string {
	return slices.DeleteFunc(xmlsec.SignatureAlgorithms(), func(alg string) bool {
		_, ok := xmlsec.Able(k, alg, nil)
		return !ok
	})
}

func noAlgorithm(who identity.Who, msg string, methods, digests []string, keys []certs.Key) error {
	ours := make([]string, len(keys))
	for i, k := range keys {
		ours[i] = k.Algorithm()
	}
	return &identity.Error{
		Kind: identity.KindUnavailable, Code: "sp.algorithm", Who: who, Msg: msg,
		Seen: strings.Join(slices.Concat(methods, digests), " "), Expected: "an algorithm of a key of ours: " + strings.Join(ours, ", "),
	}
}
