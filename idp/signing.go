package idp

import (
	"cmp"

	"github.com/samlet-id/samlet/certs"
	"github.com/samlet-id/samlet/identity"
)

// issuer returns the entityID under which a service provider knows us: the
// Issuer of every message and assertion for it.
func (p *Provider) issuer(party Party) identity.EntityID {
	return cmp.Or(party.Issuer, p.cfg.EntityID)
}

// signer returns the key that makes every signature towards a service provider;
// its Hash says how.
func (p *Provider) signer(Party) (certs.Key, error) {
	return p.cfg.Keys.Signing(), nil
}
