package idp

import "github.com/samlet-id/samlet/identity"

// Question returns the request of a service provider that asks for nothing in
// particular: its default AssertionConsumerService and attributes, any format of
// the NameID, any kind of sign-in. No message stands behind it; whoever wants to
// know what a party would be told asks with it.
func (p *Provider) Question(party Party) (identity.AuthnRequest, error) {
	rq := &authnRequest{Version: "2.0", Issuer: party.EntityID, IssueInstant: p.cfg.Now()}
	acs, err := selectEndpoint(rq, party.Metadata.SP, browserBindings()...)
	if err != nil {
		return identity.AuthnRequest{}, err
	}
	return p.ask(rq, party, acs, "")
}
