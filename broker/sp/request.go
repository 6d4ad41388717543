package sp

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/samlet-id/samlet/binding"
	"github.com/samlet-id/samlet/certs"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/xmlsec"
)

// pending is what Finish has to know of the AuthnRequest. It is kept on our
// side and never travels.
type pending struct {
	ID         string            `json:"id"`
	Issued     time.Time         `json:"issued"`
	IDP        identity.EntityID `json:"idp"`
	ForceAuthn bool              `json:"force_authn,omitempty"`
}

// Begin writes the AuthnRequest that takes the browser to the IdP, and returns
// with it the state for Finish (SAML Core 3.4.1, SAML Profiles 4.1.4.1). Of req
// it hands ForceAuthn, IsPassive, Context and Scoping on; which NameID is asked for
// is a matter of the connection.
func (c *Connector) Begin(ctx context.Context, req identity.AuthnRequest, relayState string) (binding.Message, []byte, error) {
	if err := ctx.Err(); err != nil {
		return binding.Message{}, nil, err
	}
	if !req.Scoping.Proxies(1) {
		return binding.Message{}, nil, &identity.Error{
			Kind: identity.KindDenied, Code: "sp.proxy_count", Who: identity.WhoVendor,
			Msg: "The application does not accept a sign-in that another organization vouches for.", Expected: "ProxyCount 1 at least",
		}
	}
	id, err := identity.NewMessageID(c.cfg.Rand)
	if err != nil {
		return binding.Message{}, nil, fmt.Errorf("making a request ID: %w", err)
	}
	p := pending{ID: id, Issued: c.cfg.Now().UTC(), IDP: c.issuer, ForceAuthn: req.ForceAuthn}
	state, err := json.Marshal(p)
	if err != nil {
		return binding.Message{}, nil, fmt.Errorf("keeping the request: %w", err)
	}
	msg, err := c.send(p, req, relayState)
	if err != nil {
		return binding.Message{}, nil, fmt.Errorf("writing the AuthnRequest: %w", err)
	}
	return msg, state, nil
}

// send encodes the AuthnRequest for the binding of the IdP's endpoint. By
// Redirect the signature is detached and covers the query (SAML Bindings
// 3.4.4.1); by POST it is enveloped.
func (c *Connector) send(p pending, req identity.AuthnRequest, relayState string) (binding.Message, error) {
	if c.destination.Binding == identity.BindingRedirect {
		octets, err := c.authnRequest(p, req, false)
		if err != nil {
			return binding.Message{}, err
		}
		var key *certs.Key
		if c.signsRequests() {
			k := c.cfg.Keys.Signing()
			key = &k
		}
		return binding.Redirect(c.destination.Location, binding.ParamRequest, octets, relayState, key)
	}
	octets, err := c.authnRequest(p, req, c.signsRequests())
	if err != nil {
		return binding.Message{}, err
	}
	return binding.Post(c.destination.Location, binding.ParamRequest, octets, relayState), nil
}

func (c *Connector) signsRequests() bool {
	switch c.cfg.SignRequests {
	case identity.On:
		return true
	case identity.Off:
		return false
	case identity.Auto:
		return c.idp.WantAuthnRequestsSigned
	}
	return c.idp.WantAuthnRequestsSigned
}

// authnRequest writes the AuthnRequest. The AssertionConsumerService is named by
// its URL, never by an index that the IdP might resolve otherwise.
func (c *Connector) authnRequest(p pending, req identity.AuthnRequest, signed bool) ([]byte, error) {
	w := xmlsec.NewWriter()
	w.Open("samlp:AuthnRequest",
		"ID", p.ID, "Version", "2.0", "IssueInstant", xmlsec.FormatTime(p.Issued),
		"Destination", c.destination.Location, "AssertionConsumerServiceURL", c.cfg.ACS, "ProtocolBinding", c.answersBy(),
		"ForceAuthn", trueOrAbsent(req.ForceAuthn), "IsPassive", trueOrAbsent(req.IsPassive))
	w.Element("saml:Issuer", string(c.cfg.EntityID))
	if signed {
		w.SignatureSlot()
	}
	if c.cfg.NameIDPolicy || c.cfg.NameIDFormat != "" {
		w.Open("samlp:NameIDPolicy", "AllowCreate", "true", "Format", string(c.cfg.NameIDFormat))
		w.Close()
	}
	if classes := req.Context.Classes; len(classes) > 0 {
		w.Open("samlp:RequestedAuthnContext", "Comparison", req.Context.Comparison.String())
		for _, class := range classes {
			w.Element("saml:AuthnContextClassRef", string(class))
		}
		w.Close()
	}
	writeScoping(w, req)
	w.Close()
	if signed {
		return w.Sign(c.cfg.Keys.Signing())
	}
	return w.Bytes()
}

// answersBy is the binding that answers are asked for by.
func (c *Connector) answersBy() string {
	if c.cfg.Artifact {
		return identity.BindingArtifact
	}
	return identity.BindingPOST
}

// writeScoping passes on what the relying party said about scope, the ProxyCount
// one less, and itself as the last of the requesters (SAML Core 3.4.1.2, 3.4.1.5).
// Where it said nothing we say nothing: there are identity providers that refuse
// any Scoping, AD FS among them.
func writeScoping(w *xmlsec.Writer, req identity.AuthnRequest) {
	s := req.Scoping
	if !s.Given() {
		return
	}
	count := ""
	if s.ProxyCount != nil {
		count = strconv.Itoa(*s.ProxyCount - 1)
	}
	w.Open("samlp:Scoping", "ProxyCount", count)
	if len(s.IDPList) > 0 {
		w.Open("samlp:IDPList")
		for _, id := range s.IDPList {
			w.Element("samlp:IDPEntry", "", "ProviderID", string(id))
		}
		w.Close()
	}
	for _, id := range append(slices.Clone(s.Requesters), req.Audience) {
		w.Element("samlp:RequesterID", string(id))
	}
	w.Close()
}

// trueOrAbsent leaves out what is false, as that is the specified default.
func trueOrAbsent(b bool) string {
	if b {
		return "true"
	}
	return ""
}
