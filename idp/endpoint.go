package idp

import (
	"encoding/json"
	"fmt"

	"github.com/samlet-id/samlet/binding"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/metadata"
)

// state is what an answer needs of its question; the Authenticator keeps it
// meanwhile.
type state struct {
	InResponseTo string   `json:"in_response_to"`
	ACS          string   `json:"acs"`
	RelayState   string   `json:"relay_state,omitempty"`
	Subject      *subject `json:"subject,omitempty"`
}

// selectEndpoint returns the URL that answers to rq go to: an
// AssertionConsumerService of the metadata that takes the POST binding, the only
// one by which we answer (SAML Profiles 4.1.2 forbids Redirect). A request that
// wants another binding is answered there, too, and refused by check.
func selectEndpoint(rq *authnRequest, sp *metadata.SP) (string, error) {
	wanted := rq.ProtocolBinding
	if wanted != identity.BindingPOST {
		wanted = ""
	}
	acs, err := sp.AssertionConsumerService(rq.AssertionConsumerServiceURL, rq.AssertionConsumerServiceIndex, wanted)
	return acs.Location, err
}

// ask puts the request into our own words.
func (p *Provider) ask(rq *authnRequest, party Party, acs string, msg binding.SAML) (identity.AuthnRequest, error) {
	st, err := json.Marshal(state{InResponseTo: rq.ID, ACS: acs, RelayState: msg.RelayState, Subject: rq.Subject})
	if err != nil {
		return identity.AuthnRequest{}, fmt.Errorf("keeping the request: %w", err)
	}
	req := identity.AuthnRequest{
		Issuer: p.issuer(party), RelyingParty: party.ID, Audience: party.EntityID,
		Subject: rq.NameIDPolicy.Format, SPNameQualifier: rq.NameIDPolicy.SPNameQualifier, NoCreate: rq.NameIDPolicy.NoCreate,
		Formats:    party.Metadata.SP.NameIDFormats,
		ForceAuthn: rq.ForceAuthn, IsPassive: rq.IsPassive, Context: rq.RequestedAuthnContext,
		Wanted: p.wanted(rq, party.Metadata.SP),
		Resume: p.base + pathResume, State: st,
	}
	if s := rq.Subject; s != nil && (s.Format == "" || s.Format == string(identity.FormatEmail) || s.Format == string(identity.FormatUnspecified)) {
		req.LoginHint = s.NameID
	}
	return req, nil
}

// wanted returns the attributes that the service provider's metadata asks for,
// by our names; those that the catalogue does not have are left out. Nil means
// that it asks for none in particular.
func (p *Provider) wanted(rq *authnRequest, sp *metadata.SP) []identity.Name {
	service, ok := sp.AttributeConsumingService(rq.AttributeConsumingServiceIndex)
	if !ok {
		return nil
	}
	names := []identity.Name{}
	for _, a := range service.Requested {
		if row, ok := p.cfg.Catalogue.BySAMLName(a.Name); ok {
			names = append(names, row.Name)
		}
	}
	return names
}
