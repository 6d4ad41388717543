package idp

import (
	"context"
	"fmt"
	"slices"

	"github.com/samlet-id/samlet/binding"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/web"
	"github.com/samlet-id/samlet/internal/xmlsec"
	"github.com/samlet-id/samlet/metadata"
)

// Reach says by what its metadata offers how the service provider of a
// participant can be told of a logout: directly by SOAP, or by the browser. One
// that knows the person by no NameID cannot be told about whom it is.
func (p *Provider) Reach(ctx context.Context, who identity.Participant) identity.Reach {
	party, err := p.sender(ctx, who.RelyingParty, who.Audience)
	if err != nil || party.NoLogout || who.Principal.Subject == "" {
		return identity.Reach{}
	}
	sp := party.Metadata.SP
	_, direct := metadata.Find(sp.SLO, identity.BindingSOAP)
	reach := identity.Reach{Direct: direct && p.cfg.HTTP != nil}
	add := func(location string) {
		if origin, ok := web.Origin(location); ok && !slices.Contains(reach.Origins, origin) {
			reach.Origins = append(reach.Origins, origin)
		}
	}
	for _, e := range sp.SLO {
		if e.Binding == identity.BindingRedirect || e.Binding == identity.BindingPOST {
			reach.Browser = true
			add(e.Location)
			add(e.ResponseURL())
		}
	}
	for _, e := range sp.ACS {
		add(e.Location)
	}
	return reach
}

// Tell sends a LogoutRequest by SOAP and returns nil once the service provider
// has answered it well: signed, to this very request, with Success. Every other
// end is an error.
func (p *Provider) Tell(ctx context.Context, who identity.Participant, why identity.LogoutReason) error {
	party, err := p.sender(ctx, who.RelyingParty, who.Audience)
	if err != nil {
		return err
	}
	e, ok := metadata.Find(party.Metadata.SP.SLO, identity.BindingSOAP)
	if !ok {
		return fmt.Errorf("telling %s of a logout: its metadata has no SingleLogoutService by SOAP", party.EntityID)
	}
	octets, id, err := p.logoutRequest(party, who, why, e, true)
	if err != nil {
		return fmt.Errorf("writing a LogoutRequest: %w", err)
	}
	env, err := binding.Call(ctx, p.cfg.HTTP, e.Location, octets)
	if err != nil {
		return err
	}
	rs, err := parseLogoutResponse(env.Body)
	if err != nil {
		return err
	}
	if rs.Issuer != party.EntityID {
		return malformedLogout("an answer of "+string(rs.Issuer), string(party.EntityID))
	}
	_, signed, err := p.believe(ctx, who.RelyingParty, rs.Issuer, env.Document, env.Body, binding.SAML{Binding: identity.BindingSOAP})
	if err != nil {
		return err
	}
	if rs, err = parseLogoutResponse(signed); err != nil {
		return err
	}
	if rs.InResponseTo != id {
		return malformedLogout("an answer to "+rs.InResponseTo, id)
	}
	return rs.judge()
}

// Lead returns the message by which the browser takes a LogoutRequest to the
// service provider, and the ID of the request.
func (p *Provider) Lead(ctx context.Context, who identity.Participant, why identity.LogoutReason) (binding.Message, string, error) {
	party, err := p.sender(ctx, who.RelyingParty, who.Audience)
	if err != nil {
		return binding.Message{}, "", err
	}
	e, ok := logoutEndpoint(party, identity.BindingRedirect)
	if !ok {
		return binding.Message{}, "", fmt.Errorf("telling %s of a logout: its metadata has no SingleLogoutService for browsers", party.EntityID)
	}
	octets, id, err := p.logoutRequest(party, who, why, e, e.Binding == identity.BindingPOST)
	if err != nil {
		return binding.Message{}, "", fmt.Errorf("writing a LogoutRequest: %w", err)
	}
	msg, err := p.byBrowser(party, e.Binding, e.Location, binding.ParamRequest, octets, "")
	return msg, id, err
}

// logoutRequest writes a samlp:LogoutRequest (SAML Core 3.7.1) that names the
// person just as the assertion did. With sign it carries a signature; by
// HTTP-Redirect the query does.
func (p *Provider) logoutRequest(party Party, who identity.Participant, why identity.LogoutReason, e metadata.Endpoint, sign bool) (octets []byte, id string, err error) {
	if id, err = identity.NewMessageID(p.cfg.Rand); err != nil {
		return nil, "", err
	}
	now := p.cfg.Now()
	w := xmlsec.NewWriter()
	w.Open("samlp:LogoutRequest",
		"ID", id,
		"Version", "2.0",
		"IssueInstant", xmlsec.FormatTime(now),
		"Destination", e.Location,
		"Reason", string(why),
		"NotOnOrAfter", xmlsec.FormatTime(now.Add(logoutLife)))
	w.Element("saml:Issuer", string(p.issuer(party)))
	if sign {
		w.SignatureSlot()
	}
	if err := p.writeLogoutName(w, party, who.Principal); err != nil {
		return nil, "", err
	}
	w.Element("samlp:SessionIndex", string(who.Index))
	w.Close()
	octets, err = p.closeMessage(w, party, sign)
	return octets, id, err
}

// writeLogoutName writes the NameID, encrypted where the operator wants nothing
// about people to be sent in plain text.
func (p *Provider) writeLogoutName(w *xmlsec.Writer, party Party, n identity.Principal) error {
	name := func(w *xmlsec.Writer) {
		w.Element("saml:NameID", n.Subject, "Format", string(n.Format), "NameQualifier", n.NameQualifier, "SPNameQualifier", n.SPNameQualifier)
	}
	if party.Encrypt.Mode != identity.Required {
		name(w)
		return nil
	}
	to, err := party.encryption()
	if err != nil {
		return err
	}
	alone := xmlsec.NewWriter()
	name(alone)
	plain, err := alone.Bytes()
	if err != nil {
		return err
	}
	w.Open("saml:EncryptedID")
	w.EncryptedData(plain, *to, p.cfg.Rand)
	w.Close()
	return nil
}

// logoutResponse writes a samlp:LogoutResponse (SAML Core 3.7.2). An empty
// destination is left out.
func (p *Provider) logoutResponse(party Party, inResponseTo, destination string, s status, sign bool) ([]byte, error) {
	id, err := identity.NewMessageID(p.cfg.Rand)
	if err != nil {
		return nil, err
	}
	w := xmlsec.NewWriter()
	w.Open("samlp:LogoutResponse",
		"ID", id,
		"Version", "2.0",
		"IssueInstant", xmlsec.FormatTime(p.cfg.Now()),
		"Destination", destination,
		"InResponseTo", inResponseTo)
	w.Element("saml:Issuer", string(p.issuer(party)))
	if sign {
		w.SignatureSlot()
	}
	s.write(w)
	w.Close()
	octets, err := p.closeMessage(w, party, sign)
	if err != nil {
		return nil, fmt.Errorf("writing a LogoutResponse: %w", err)
	}
	return octets, nil
}

// closeMessage finishes a document, signed or not.
func (p *Provider) closeMessage(w *xmlsec.Writer, party Party, sign bool) ([]byte, error) {
	if !sign {
		return w.Bytes()
	}
	key, err := p.signer(party)
	if err != nil {
		return nil, err
	}
	return w.Sign(key)
}
