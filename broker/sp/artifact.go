package sp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/crewjam/saml"

	"github.com/samlet-id/samlet/binding"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/xmlsec"
	"github.com/samlet-id/samlet/metadata"
)

// artifactTime is how long fetching a Response may take, in which a person waits.
const artifactTime = 10 * time.Second

// paramArtifact is the parameter of SAML Bindings 3.6.3.
const paramArtifact = "SAMLart"

// carriesArtifact reports whether the browser brought an artifact in place of a
// Response.
func carriesArtifact(in binding.Received) bool {
	if in.Method == http.MethodPost {
		return in.Form.Has(paramArtifact)
	}
	query, err := url.ParseQuery(in.RawQuery)
	return err == nil && query.Has(paramArtifact)
}

// fetch gets the Response that an artifact stands for from the IdP (SAML Profiles 5,
// SAML Bindings 3.6): by a signed ArtifactResolve, at the address in the metadata.
// A signature of the ArtifactResponse protects what is in it. Without one the
// Response needs its own, as if the browser had brought it: who answered is not
// known by TLS, of which the metadata says nothing.
func (c *Connector) fetch(ctx context.Context, in binding.Received) (answer, error) {
	if !c.cfg.Artifact {
		return answer{}, upstream("up.binding", identity.KindInvalid, "The identity provider answered in a way that is not agreed on.", identity.BindingArtifact, identity.BindingPOST)
	}
	m, err := binding.Limits{}.DecodeArtifact(in)
	if err != nil {
		return answer{}, unreadable(err)
	}
	at, err := c.artifactResolution(m.Artifact)
	if err != nil {
		return answer{}, err
	}
	octets, id, err := c.artifactResolve(m.Artifact, at)
	if err != nil {
		return answer{}, fmt.Errorf("writing the ArtifactResolve: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, artifactTime)
	defer cancel()
	env, err := binding.Call(ctx, c.cfg.HTTP, at, octets)
	if xml, broken := brokenXML(err); broken {
		return answer{}, unreadable(xml)
	}
	if err != nil {
		e := artifactFault(identity.KindUnavailable, identity.AsError(err).Seen, "an ArtifactResponse")
		e.Err = err
		return answer{}, e
	}
	return c.artifactResponse(env, id)
}

// brokenXML returns what a parser has against an answer, if that is what err is about.
func brokenXML(err error) (*identity.Error, bool) {
	for e, ok := errors.AsType[*identity.Error](err); ok; e, ok = errors.AsType[*identity.Error](e.Err) {
		if strings.HasPrefix(string(e.Code), "xml.") {
			return e, true
		}
	}
	return nil, false
}

// artifactResolution returns where an artifact is resolved, which only the IdP that
// was asked may have made: its SourceID says so (SAML Bindings 3.6.4.2).
func (c *Connector) artifactResolution(a binding.Artifact) (string, error) {
	if a.SourceID != binding.SourceID(c.issuer) {
		return "", artifactFault(identity.KindInvalid, "an artifact of another entity", "one of "+string(c.issuer))
	}
	i := slices.IndexFunc(c.idp.ArtifactResolution, func(e metadata.IndexedEndpoint) bool {
		return e.Binding == identity.BindingSOAP && e.Index == int(a.EndpointIndex)
	})
	if i < 0 {
		return "", artifactFault(identity.KindInvalid, fmt.Sprintf("endpoint index %d", a.EndpointIndex), "one of an ArtifactResolutionService by SOAP in the metadata")
	}
	return c.idp.ArtifactResolution[i].Location, nil
}

// artifactResolve writes the request (SAML Core 3.5.1) and returns its ID.
func (c *Connector) artifactResolve(a binding.Artifact, at string) ([]byte, string, error) {
	id, err := identity.NewMessageID(c.cfg.Rand)
	if err != nil {
		return nil, "", err
	}
	w := xmlsec.NewWriter()
	w.Open("samlp:ArtifactResolve", "ID", id, "Version", "2.0", "IssueInstant", xmlsec.FormatTime(c.cfg.Now()), "Destination", at)
	w.Element("saml:Issuer", string(c.cfg.EntityID))
	w.SignatureSlot()
	w.Element("samlp:Artifact", a.String())
	w.Close()
	octets, err := w.Sign(c.cfg.Keys.Signing())
	return octets, id, err
}

// artifactResponse takes the Response out of the answer to the request of id (SAML
// Core 3.5.2).
func (c *Connector) artifactResponse(env binding.Envelope, id string) (answer, error) {
	e := env.Body
	if !e.Is(xmlsec.NSProtocol, "ArtifactResponse") {
		return answer{}, artifactFault(identity.KindInvalid, e.Local, "an ArtifactResponse")
	}
	if n := countAssertions(env.Document.Root()); n > 1 {
		return answer{}, severalAssertions(n)
	}
	out := answer{doc: env.Document, root: e.Child(xmlsec.NSProtocol, "Response"), artifact: true}
	if env.Document.HasSignature(e) {
		signed, err := env.Document.Verify(e, c.trust)
		if err != nil {
			return answer{}, c.badSignature(e, err)
		}
		e, out.around = signed, signed.Child(xmlsec.NSProtocol, "Response")
	}
	if issuer := e.Child(xmlsec.NSAssertion, "Issuer"); issuer != nil {
		if err := c.checkIssuer(issuer); err != nil {
			return answer{}, err
		}
	}
	if seen := e.Attr("InResponseTo"); seen != id {
		return answer{}, artifactFault(identity.KindInvalid, "InResponseTo "+seen, id)
	}
	status := e.Child(xmlsec.NSProtocol, "Status").Child(xmlsec.NSProtocol, "StatusCode").Attr("Value")
	switch {
	case status != saml.StatusSuccess:
		return answer{}, artifactFault(identity.KindDenied, status, "Success")
	case out.root == nil || e.Child(xmlsec.NSProtocol, "Response") == nil:
		return answer{}, artifactFault(identity.KindInvalid, "no Response: the artifact stands for nothing, or not any more", "a Response")
	}
	return out, nil
}

func artifactFault(kind identity.Kind, seen, expected string) *identity.Error {
	return upstream("up.artifact", kind, "The answer of the identity provider could not be fetched from it. Please start again from the application.", seen, expected)
}
