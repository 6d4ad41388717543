package idp

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/crewjam/saml"

	"github.com/samlet-id/samlet/binding"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/web"
	"github.com/samlet-id/samlet/internal/xmlsec"
	"github.com/samlet-id/samlet/store"
)

// pathArtifact is the ArtifactResolutionService, of which there is one.
const (
	pathArtifact          = "/saml/artifact"
	artifactEndpointIndex = 0
)

// artifactLife is how long a Response waits to be fetched: as long as one browser
// may take over one redirect, on a bad day (SAML Bindings 3.6.5.2 wants it short).
const artifactLife = 2 * time.Minute

// kept is a Response that an artifact stands for. It is for nobody but Audience.
type kept struct {
	Audience identity.EntityID `json:"audience"`
	Response []byte            `json:"response"`
}

// sendByArtifact keeps a Response and has the browser carry its artifact to the
// endpoint (SAML Profiles 4.1.3.5, SAML Bindings 3.6).
func (p *Provider) sendByArtifact(ctx context.Context, to addressee, response []byte) (binding.Message, error) {
	a, err := binding.NewArtifact(p.issuer(to.party), artifactEndpointIndex, p.cfg.Rand)
	if err != nil {
		return binding.Message{}, err
	}
	payload, err := json.Marshal(kept{Audience: to.party.EntityID, Response: response})
	if err != nil {
		return binding.Message{}, fmt.Errorf("keeping a Response: %w", err)
	}
	t := store.Ticket{Purpose: store.PurposeArtifact, ID: a.String(), Payload: payload, Expires: to.now.Add(artifactLife)}
	err = p.cfg.Store.Update(ctx, func(tx *store.Tx) error { return tx.Tickets.Put(ctx, t, to.now) })
	if err != nil {
		return binding.Message{}, fmt.Errorf("keeping a Response: %w", err)
	}
	return binding.RedirectArtifact(to.state.ACS, a, to.state.RelayState)
}

// artifactResolve is a samlp:ArtifactResolve (SAML Core 3.5.1).
type artifactResolve struct {
	message
	Artifact string // as it was sent
}

func parseArtifactResolve(e *xmlsec.Element) (*artifactResolve, error) {
	m, err := parseMessage(e, malformedResolve, "ArtifactResolve",
		xmlName{xmlsec.NSAssertion, "Issuer", false}, xmlName{xmlsec.NSDSig, "Signature", false}, xmlName{xmlsec.NSProtocol, "Extensions", false},
		xmlName{xmlsec.NSProtocol, "Artifact", false})
	if err != nil {
		return nil, err
	}
	artifact := e.Child(xmlsec.NSProtocol, "Artifact")
	if artifact == nil {
		return nil, malformedResolve("no Artifact", "an Artifact (SAML Core 3.5.1)")
	}
	text, err := artifact.TrimText()
	if err != nil {
		return nil, malformedResolve("markup in the Artifact", "an Artifact (SAML Core 3.5.1)")
	}
	return &artifactResolve{message: m, Artifact: text}, nil
}

func malformedResolve(seen, expected string) *identity.Error {
	return &identity.Error{
		Kind: identity.KindInvalid, Code: "sp.artifact", Who: identity.WhoVendor,
		Msg: "The application's ArtifactResolve is not as the specification wants it.", Seen: seen, Expected: expected,
	}
}

// resolveArtifact is the ArtifactResolutionService (SAML Profiles 5, SAML Core
// 3.5). A message that cannot be believed is a SOAP fault; from then on
// everything is a signed ArtifactResponse.
func (p *Provider) resolveArtifact(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	rq, party, err := p.readResolve(w, r)
	if err != nil {
		return err
	}
	s := status{top: saml.StatusSuccess}
	response, err := p.redeem(ctx, rq, party)
	switch {
	case identity.CodeOf(err) == codeNoArtifact:
		// Whoever asks for what is not theirs learns no more than whoever
		// asks for what never was (SAML Core 3.5.3).
		p.logRefusal(ctx, "artifact stands for nothing", party.ID, err)
	case err != nil:
		p.logRefusal(ctx, "artifact refused", party.ID, err)
		s = statusOf(identity.AsError(err), web.RequestID(ctx))
	}
	octets, err := p.artifactResponse(party, rq.ID, s, response)
	if err != nil {
		return err
	}
	binding.WriteSOAP(w, http.StatusOK, binding.SOAP(nil, octets))
	return nil
}

// readResolve returns a request that its sender's signature covers, and the
// sender. There is no other way to know who asks: TLS may end before us.
func (p *Provider) readResolve(w http.ResponseWriter, r *http.Request) (*artifactResolve, Party, error) {
	env, err := binding.ReceiveSOAP(w, r, 0)
	if err != nil {
		return nil, Party{}, err
	}
	if err := env.Understands(); err != nil {
		return nil, Party{}, err
	}
	rq, err := parseArtifactResolve(env.Body)
	if err != nil {
		return nil, Party{}, err
	}
	party, signed, err := p.believe(r.Context(), "", rq.Issuer, env.Document, env.Body, binding.SAML{Binding: identity.BindingSOAP})
	if err != nil {
		return nil, Party{}, err
	}
	if rq, err = parseArtifactResolve(signed); err != nil {
		return nil, Party{}, err
	}
	if rq.Destination == "" { // which this binding does not demand
		return rq, party, nil
	}
	return rq, party, addressed(rq.Destination, p.cfg.BaseURL+pathArtifact)
}

// codeNoArtifact is an artifact that stands for nothing, as far as the asking
// service provider may know. It is in the log alone.
const codeNoArtifact identity.Code = "sp.no_artifact"

func noArtifact(seen string, err error) error {
	return &identity.Error{
		Kind: identity.KindNotFound, Code: codeNoArtifact, Who: identity.WhoVendor,
		Msg: "The artifact stands for nothing.", Seen: seen, Expected: "an artifact of ours, less than " + artifactLife.String() + " old, for the first time, by the application that it was made for", Err: err,
	}
}

// redeem returns the Response that an artifact stands for, once. An artifact of
// another service provider stays as it is: whoever saw it pass by cannot use it
// up.
func (p *Provider) redeem(ctx context.Context, rq *artifactResolve, party Party) (*xmlsec.Element, error) {
	same := &authnRequest{Version: rq.Version, IssueInstant: rq.IssueInstant}
	if err := checkVersion(same, party); err != nil {
		return nil, err
	}
	if err := p.checkLifetime(same, party); err != nil {
		return nil, err
	}
	a, err := binding.ParseArtifact(rq.Artifact)
	if err != nil {
		return nil, noArtifact("a damaged one", err)
	}
	if a.SourceID != binding.SourceID(p.issuer(party)) || a.EndpointIndex != artifactEndpointIndex {
		return nil, noArtifact("one that was not made here for the application", nil)
	}
	var found kept
	now := p.cfg.Now()
	err = p.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		found = kept{}
		t, err := tx.Tickets.Get(ctx, store.PurposeArtifact, a.String(), now)
		if err != nil {
			return err
		}
		if err := json.Unmarshal(t.Payload, &found); err != nil {
			return fmt.Errorf("decoding a kept Response: %w", err)
		}
		if found.Audience != party.EntityID {
			return noArtifact("one for "+string(found.Audience), nil)
		}
		_, err = tx.Tickets.Take(ctx, store.PurposeArtifact, a.String(), now)
		return err
	})
	switch {
	case identity.CodeOf(err) == codeNoArtifact:
		return nil, err
	case err != nil && identity.KindOf(err) == identity.KindNotFound:
		return nil, noArtifact("an old one, one that was used, or a guess", err)
	case err != nil:
		return nil, fmt.Errorf("reading a kept Response: %w", err)
	}
	doc, err := xmlsec.Parse(found.Response, xmlsec.ResponseLimits())
	if err != nil {
		return nil, fmt.Errorf("reading a kept Response: %w", err)
	}
	return doc.Root(), nil
}

// artifactResponse writes a signed samlp:ArtifactResponse (SAML Core 3.5.2) with
// response in it, or with nothing if that is nil.
func (p *Provider) artifactResponse(party Party, inResponseTo string, s status, response *xmlsec.Element) ([]byte, error) {
	key, err := p.signer(party)
	if err != nil {
		return nil, err
	}
	id, err := identity.NewMessageID(p.cfg.Rand)
	if err != nil {
		return nil, err
	}
	w := xmlsec.NewWriter()
	w.Open("samlp:ArtifactResponse",
		"ID", id,
		"Version", "2.0",
		"IssueInstant", xmlsec.FormatTime(p.cfg.Now()),
		"InResponseTo", inResponseTo)
	w.Element("saml:Issuer", string(p.issuer(party)))
	w.SignatureSlot()
	s.write(w)
	if response != nil {
		w.Embed(response)
	}
	w.Close()
	return w.Sign(key)
}
