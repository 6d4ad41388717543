package idp

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/samlet-id/samlet/binding"
	"github.com/samlet-id/samlet/certs"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/xmlsec"
)

// maxAge is how old a request may be on arrival, beside the tolerated skew. A
// person may look at a page of the application for a while before the browser
// sends the form on.
const maxAge = 5 * time.Minute

// sso is the SingleSignOnService (SAML Profiles 4.1.3): it takes an AuthnRequest
// by HTTP-Redirect or HTTP-POST. Errors that it returns are for the person at the
// browser alone; see the package comment.
func (p *Provider) sso(w http.ResponseWriter, r *http.Request) error {
	in, err := binding.Receive(w, r, 0)
	if err != nil {
		return err
	}
	msg, err := binding.Decode(in, binding.ParamRequest)
	if err != nil {
		return err
	}
	rq, party, err := p.authenticate(r.Context(), identity.RelyingPartyID(r.PathValue("sp")), msg)
	if err != nil {
		return err
	}
	acs, err := selectEndpoint(rq, party.Metadata.SP, browserBindings()...)
	if err != nil {
		return err
	}
	p.openSubject(rq, party)
	req, err := p.ask(rq, party, acs, msg.RelayState)
	if err != nil {
		return err
	}
	if err := p.check(rq, party, acs); err != nil {
		return p.refuse(w, r, req, err)
	}
	return p.start(w, r, req)
}

// start begins the login that answers req.
func (p *Provider) start(w http.ResponseWriter, r *http.Request, req identity.AuthnRequest) error {
	takeHints(&req, r.URL.Query())
	return p.begin(w, r, req)
}

// begin hands a request to the authenticator.
func (p *Provider) begin(w http.ResponseWriter, r *http.Request, req identity.AuthnRequest) error {
	out, err := p.cfg.Authenticator.Start(w, r, req)
	if err != nil {
		return p.refuse(w, r, req, err)
	}
	if out.Redirect != "" {
		p.cfg.Web.Redirect(w, r, out.Redirect)
		return nil
	}
	return p.respond(w, r, req, out.Assertion)
}

// resume is where the browser comes back to when the login has ended.
func (p *Provider) resume(w http.ResponseWriter, r *http.Request) error {
	req, a, err := p.cfg.Authenticator.Result(w, r)
	switch {
	case err != nil && req.Resume == "":
		return err
	case err != nil:
		return p.refuse(w, r, req, err)
	}
	return p.respond(w, r, req, a)
}

// authenticate returns the request in msg and the service provider that sent it,
// as far as signatures can tell. at is the service provider whose own address
// took msg, or "".
func (p *Provider) authenticate(ctx context.Context, at identity.RelyingPartyID, msg binding.SAML) (*authnRequest, Party, error) {
	doc, err := xmlsec.Parse(msg.XML, xmlsec.RequestLimits())
	if err != nil {
		return nil, Party{}, err
	}
	q, err := p.identify(ctx, at, doc, doc.Root(), msg)
	if err != nil {
		return nil, Party{}, err
	}
	return q.authnRequest, q.party, p.checkDestination(q.authnRequest, at, q.signed)
}

// asked is a request, who sent it, and whether a signature says so.
type asked struct {
	*authnRequest
	party  Party
	signed bool
}

// identify reads e, the request in doc, which msg brought. Where a signature is
// inside of the XML, the request is read anew from the very octets that it
// covers.
func (p *Provider) identify(ctx context.Context, at identity.RelyingPartyID, doc *xmlsec.Document, e *xmlsec.Element, msg binding.SAML) (asked, error) {
	rq, err := parseAuthnRequest(e)
	if err != nil {
		return asked{}, err
	}
	party, err := p.sender(ctx, at, rq.Issuer)
	if err != nil {
		return asked{}, err
	}
	signed := false
	if doc.HasSignature(e) {
		covered, err := doc.Verify(e, xmlsec.Trust{Keys: party.Metadata.SP.Signing, Refused: party.Refused})
		if err != nil {
			return asked{}, badSignature(party, err)
		}
		if rq, err = parseAuthnRequest(covered); err != nil {
			return asked{}, err
		}
		// On Redirect it is no substitute for one over the query, which covers
		// the RelayState, too (SAML Bindings 3.4.4.1).
		signed = msg.Binding != identity.BindingRedirect
	}
	if len(msg.Signature) > 0 {
		if err := msg.VerifyQuery(party.Metadata.SP.Signing, party.Refused...); err != nil {
			return asked{}, badSignature(party, err)
		}
		signed = true
	}
	if !signed && p.requiresSignature(party) {
		return asked{}, &identity.Error{
			Kind: identity.KindInvalid, Code: "sp.unsigned", Who: identity.WhoVendor,
			Msg: "The application must sign its requests, and this one is not signed.", Seen: string(rq.Issuer), Expected: "a signature",
		}
	}
	return asked{rq, party, signed}, nil
}

// sender looks up who sent a message, or is to be sent one: by its entityID and,
// where it is known which entry it is about, only that one. So several entries can
// be about one entityID, each with an entityID of ours and an address for itself:
// all domains of Microsoft 365 are urn:federation:MicrosoftOnline.
func (p *Provider) sender(ctx context.Context, at identity.RelyingPartyID, id identity.EntityID) (Party, error) {
	if at == "" {
		return p.party(ctx, id)
	}
	party, err := p.partyByID(ctx, at)
	if err == nil && party.EntityID != id {
		return Party{}, unknownParty(string(id), string(party.EntityID), nil)
	}
	return party, err
}

// partyByID is party by the id of an entry.
func (p *Provider) partyByID(ctx context.Context, id identity.RelyingPartyID) (Party, error) {
	party, err := p.cfg.PartyByID(ctx, id)
	return usable(party, string(id), err)
}

// party looks the service provider up (Shibboleth: SAML metadata lookup).
func (p *Provider) party(ctx context.Context, id identity.EntityID) (Party, error) {
	party, err := p.cfg.Party(ctx, id)
	if err == nil && party.EntityID != id {
		return Party{}, unknownParty(string(id), "", nil)
	}
	return usable(party, string(id), err)
}

// usable returns party as it was found by asked, unless it cannot be served.
func usable(party Party, asked string, err error) (Party, error) {
	switch {
	case err != nil && identity.KindOf(err) != identity.KindNotFound:
		return Party{}, fmt.Errorf("looking up a service provider: %w", err)
	case err != nil:
		return Party{}, unknownParty(asked, identity.AsError(err).Expected, err)
	case party.Metadata == nil || party.Metadata.SP == nil || party.Disabled:
		return Party{}, unknownParty(asked, "", nil)
	}
	return party, nil
}

func unknownParty(seen, expected string, cause error) *identity.Error {
	return &identity.Error{
		Kind: identity.KindNotFound, Code: "sp.unknown", Who: identity.WhoOperator,
		Msg: "This sign-in service does not know the application that sent you here.", Seen: seen, Expected: expected, Err: cause,
	}
}

func (p *Provider) requiresSignature(party Party) bool {
	switch party.Sign.RequireRequests {
	case identity.On:
		return true
	case identity.Off:
		return false
	case identity.Auto:
		return p.cfg.RequireSignedRequests || party.Metadata.SP.AuthnRequestsSigned
	}
	return true
}

// badSignature says which keys were tried; the cause says what failed.
func badSignature(party Party, err error) error {
	return &identity.Error{
		Kind: identity.KindInvalid, Code: "sp.signature", Who: identity.WhoVendor,
		Msg:      "The signature of the application's request could not be verified.",
		Seen:     strings.TrimSpace(string(identity.CodeOf(err)) + " " + identity.AsError(err).Seen),
		Expected: tried(party),
		Err:      err,
	}
}

// tried names the keys of which one would have had to sign, so that the vendor
// can compare fingerprints, and the age of the metadata that they are from.
func tried(party Party) string {
	const most = 3
	s := fmt.Sprintf("a signature by one of the %d signing keys in the metadata of %s", len(party.Metadata.SP.Signing), party.EntityID)
	if !party.Read.IsZero() {
		s += ", read on " + xmlsec.FormatTime(party.Read)
	}
	shown := 0
	for _, c := range party.Metadata.SP.Certificates {
		if c.Use != "encryption" && shown < most {
			s += fmt.Sprintf("; SHA-256 %s", certs.Key{Certificate: c.Certificate}.Fingerprint256())
			shown++
		}
	}
	return s
}

// checkDestination refuses what was meant for another address, so that a message
// cannot be passed on to us (SAML Core 3.2.1). A signed one has to name its
// address (SAML Bindings 3.4.5.2, 3.5.5.2).
func (p *Provider) checkDestination(rq *authnRequest, at identity.RelyingPartyID, signed bool) error {
	here := p.ssoURL(at)
	if rq.Destination == here || rq.Destination == "" && !signed {
		return nil
	}
	return &identity.Error{
		Kind: identity.KindInvalid, Code: "sp.destination", Who: identity.WhoVendor,
		Msg: "The application's request was meant for another address.", Seen: rq.Destination, Expected: here,
	}
}
