package sp

import (
	"github.com/samlet-id/samlet/binding"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/xmlsec"
)

// Unsolicited reports whether in carries a Response that answers no request and
// says of itself that it is a sign-in at this IdP for us (SAML Profiles 4.1.5). It
// proves nothing, since no signature is looked at: whoever gets true asks the IdP
// afresh, and believes that answer. A refusal of the IdP is none, so that an IdP
// that refuses what it is asked is not asked for ever.
func (c *Connector) Unsolicited(in binding.Received) (bool, error) {
	if carriesArtifact(in) { // which was not asked for, and is not fetched
		return false, nil
	}
	doc, err := decode(in)
	if err != nil {
		return false, err
	}
	response := doc.Root()
	if !response.Is(xmlsec.NSProtocol, "Response") || response.HasAttr("InResponseTo") {
		return false, nil
	}
	if err := checkStatus(response); err != nil {
		return false, err
	}
	if err := c.checkIssuer(response.Child(xmlsec.NSAssertion, "Issuer")); err != nil {
		return false, err
	}
	if seen := response.Attr("Destination"); seen != "" && seen != c.cfg.ACS {
		return false, upstream("up.destination", identity.KindInvalid, "The answer of the identity provider was meant for another address.", seen, c.cfg.ACS)
	}
	return true, nil
}
