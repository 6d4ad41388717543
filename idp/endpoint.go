package idp

import (
	"cmp"
	"encoding/json"
	"fmt"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/metadata"
)

// state is what an answer needs of its question; the Authenticator keeps it
// meanwhile.
type state struct {
	InResponseTo string      `json:"in_response_to,omitempty"` // empty: nobody asked
	ACS          string      `json:"acs"`
	Binding      string      `json:"binding,omitempty"` // of ACS
	RelayState   string      `json:"relay_state,omitempty"`
	Subject      *subject    `json:"subject,omitempty"`
	EncryptID    bool        `json:"encrypt_id,omitempty"` // NameIDPolicy Format encrypted: an EncryptedID is wanted
	Conditions   *conditions `json:"conditions,omitempty"`
}

// browserBindings are those by which a Response leaves through the browser. PAOS
// is for enhanced clients alone (SAML Profiles 4.2), and Redirect for no Response
// (SAML Profiles 4.1.2).
func browserBindings() []string { return []string{identity.BindingPOST, identity.BindingArtifact} }

// selectEndpoint returns the AssertionConsumerService of the metadata that
// answers to rq go to, by one of the served bindings. A request that wants
// another binding is answered where it can be, and refused by checkBinding.
func selectEndpoint(rq *authnRequest, sp *metadata.SP, served ...string) (metadata.Endpoint, error) {
	acs, err := sp.AssertionConsumerService(rq.AssertionConsumerServiceURL, rq.AssertionConsumerServiceIndex, rq.ProtocolBinding, served...)
	if rq.ProtocolBinding != "" && identity.CodeOf(err) == "sp.binding" {
		return sp.AssertionConsumerService(rq.AssertionConsumerServiceURL, rq.AssertionConsumerServiceIndex, "", served...)
	}
	return acs, err
}

// ask puts the request into our own words.
func (p *Provider) ask(rq *authnRequest, party Party, acs metadata.Endpoint, relayState string) (identity.AuthnRequest, error) {
	policy := rq.NameIDPolicy
	st, err := json.Marshal(state{
		InResponseTo: rq.ID, ACS: acs.Location, Binding: acs.Binding, RelayState: relayState, Subject: rq.Subject,
		EncryptID: policy.Format == identity.FormatEncrypted, Conditions: rq.Conditions,
	})
	if err != nil {
		return identity.AuthnRequest{}, fmt.Errorf("keeping the request: %w", err)
	}
	req := identity.AuthnRequest{
		Issuer: p.issuer(party), RelyingParty: party.ID, Audience: party.EntityID,
		Subject: rq.format(), SPNameQualifier: policy.SPNameQualifier, NoCreate: policy.NoCreate,
		Formats:    party.Metadata.SP.NameIDFormats,
		ForceAuthn: rq.ForceAuthn, IsPassive: rq.IsPassive, Context: rq.RequestedAuthnContext, Scoping: rq.Scoping,
		Resume: p.base + pathResume, State: st,
	}
	if party.ExactAsMinimum && req.Context.Comparison == identity.ComparisonExact {
		req.Context.Comparison = identity.ComparisonMinimum
	}
	p.want(&req, party.Metadata.SP, rq.AttributeConsumingServiceIndex)
	if s := rq.Subject; s != nil {
		switch s.Format {
		case "", identity.FormatEmail, identity.FormatUnspecified:
			req.LoginHint = s.NameID
		default: // an identifier that nobody types
		}
	}
	return req, nil
}

// format is the format in which the person is to be named: the policy's, else
// that of the Subject, which the answer has to match (SAML Core 3.4.1.4). What is
// encrypted may be of any format (SAML Core 3.4.1.1).
func (rq *authnRequest) format() identity.Format {
	f := rq.NameIDPolicy.Format
	if f == identity.FormatEncrypted {
		f = ""
	}
	if rq.Subject != nil && (f == "" || f == identity.FormatUnspecified) {
		f = cmp.Or(rq.Subject.Format, f)
	}
	return f
}

// want notes which attributes the service provider's metadata asks for, under
// our names; those that the catalogue does not have are left out. Without an
// AttributeConsumingService it asks for none in particular.
func (p *Provider) want(req *identity.AuthnRequest, sp *metadata.SP, index *int) {
	service, ok := sp.AttributeConsumingService(index)
	if !ok {
		return
	}
	req.Wanted = []identity.Name{}
	for _, a := range service.Requested {
		row, ok := p.cfg.Catalogue.BySAMLName(a.Name)
		if !ok {
			continue
		}
		req.Wanted = append(req.Wanted, row.Name)
		if a.Required {
			req.Required = append(req.Required, row.Name)
		}
		if len(a.Values) > 0 {
			if req.Only == nil {
				req.Only = identity.Attributes{}
			}
			req.Only[row.Name] = append(req.Only[row.Name], a.Values...)
		}
	}
}
