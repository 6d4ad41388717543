package sp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/crewjam/saml"

	"github.com/samlet-id/samlet/binding"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/xmlsec"
	"github.com/samlet-id/samlet/metadata"
)

// What we write of single logout (SAML Profiles 4.4): requests to the IdP when a
// session of ours has ended, and answers to its own.

// logoutLife is how long a LogoutRequest counts, ours and the IdP's.
const logoutLife = 5 * time.Minute

// logoutState is what an answer needs of the IdP's LogoutRequest.
type logoutState struct {
	InResponseTo string `json:"in_response_to"`
	Binding      string `json:"binding"` // of the request
	RelayState   string `json:"relay_state,omitempty"`
}

// Logout returns the message that asks the IdP to end the session of an
// assertion. Our own session has ended before (saml2int SDP-SP34).
func (c *Connector) Logout(a identity.Assertion, relayState string) (binding.Message, error) {
	msg, _, err := c.lead(identity.UpstreamSession{Principal: a.Principal, Index: a.Session}, identity.LogoutByUser, relayState)
	return msg, err
}

// CanLogout reports whether the IdP offers single logout to browsers, and we are
// told of it.
func (c *Connector) CanLogout() bool { return c.Reach().Browser }

// Reach says by what the IdP's metadata offers how it can be told of a logout.
// Without an endpoint of ours it could not answer by the browser.
func (c *Connector) Reach() identity.Reach {
	var reach identity.Reach
	_, soap := metadata.Find(c.idp.SLO, identity.BindingSOAP)
	reach.Direct = soap && c.cfg.HTTP != nil
	e, ok := c.singleLogoutService(identity.BindingRedirect)
	if !ok || c.cfg.SLO == "" {
		return reach
	}
	reach.Browser = true
	if u, err := url.Parse(e.Location); err == nil && u.Host != "" {
		reach.Origins = []string{u.Scheme + "://" + u.Host}
	}
	return reach
}

// Lead returns the message by which the browser takes a LogoutRequest to the IdP,
// and its ID.
func (c *Connector) Lead(_ context.Context, s identity.UpstreamSession, why identity.LogoutReason) (binding.Message, string, error) {
	return c.lead(s, why, "")
}

func (c *Connector) lead(s identity.UpstreamSession, why identity.LogoutReason, relayState string) (binding.Message, string, error) {
	e, ok := c.singleLogoutService(identity.BindingRedirect)
	if !ok {
		return binding.Message{}, "", noLogout("a SingleLogoutService by HTTP-Redirect or HTTP-POST")
	}
	octets, id, err := c.logoutRequest(s, why, e)
	if err != nil {
		return binding.Message{}, "", err
	}
	msg, err := c.byBrowser(e.Binding, e.Location, binding.ParamRequest, octets, relayState)
	return msg, id, err
}

// Tell sends a LogoutRequest by SOAP and returns nil once the IdP has answered it
// well: signed, to this very request, with Success.
func (c *Connector) Tell(ctx context.Context, s identity.UpstreamSession, why identity.LogoutReason) error {
	e, ok := metadata.Find(c.idp.SLO, identity.BindingSOAP)
	if !ok || c.cfg.HTTP == nil {
		return noLogout("a SingleLogoutService by SOAP")
	}
	octets, id, err := c.logoutRequest(s, why, e)
	if err != nil {
		return err
	}
	env, err := binding.Call(ctx, c.cfg.HTTP, e.Location, octets)
	if err != nil {
		return err
	}
	m, err := c.readSOAP(env)
	if err != nil {
		return err
	}
	if m.Request || m.InResponseTo != id {
		return malformed("an answer to "+m.InResponseTo, id)
	}
	return m.Judge()
}

func noLogout(expected string) *identity.Error {
	return upstream("up.no_slo", identity.KindUnavailable, "The identity provider has no single logout.", "", expected)
}

// AnswerLogout returns the message that tells the IdP that the sessions of its
// LogoutRequest have ended here, and whether everybody else has confirmed, too
// (SAML Profiles 4.4.3.5).
func (c *Connector) AnswerLogout(_ context.Context, state []byte, complete bool) (binding.Message, error) {
	s := logoutStatus{top: saml.StatusSuccess}
	if !complete {
		s.second = saml.StatusPartialLogout
	}
	return c.answerLogout(state, s)
}

// RefuseLogout returns the message that tells the IdP why nothing came of its
// LogoutRequest.
func (c *Connector) RefuseLogout(state []byte, why error) (binding.Message, error) {
	return c.answerLogout(state, refusedLogout(why))
}

// AnswerLogoutSOAP returns the LogoutResponse, signed, to a LogoutRequest by SOAP.
// Why, unless it is nil, says why nothing came of it.
func (c *Connector) AnswerLogoutSOAP(m LogoutMessage, complete bool, why error) ([]byte, error) {
	s := logoutStatus{top: saml.StatusSuccess}
	switch {
	case why != nil:
		s = refusedLogout(why)
	case !complete:
		s.second = saml.StatusPartialLogout
	}
	return c.logoutResponse(m.ID, "", s, true)
}

func (c *Connector) answerLogout(state []byte, s logoutStatus) (binding.Message, error) {
	var st logoutState
	if err := json.Unmarshal(state, &st); err != nil {
		return binding.Message{}, fmt.Errorf("reading what was kept of a LogoutRequest: %w", err)
	}
	e, ok := c.singleLogoutService(st.Binding)
	if !ok {
		return binding.Message{}, errors.New("sp: the identity provider takes no answer to its LogoutRequest")
	}
	octets, err := c.logoutResponse(st.InResponseTo, e.ResponseURL(), s, e.Binding == identity.BindingPOST)
	if err != nil {
		return binding.Message{}, err
	}
	return c.byBrowser(e.Binding, e.ResponseURL(), binding.ParamResponse, octets, st.RelayState)
}

// logoutStatus is the status of an answer.
type logoutStatus struct{ top, second, message string }

func refusedLogout(why error) logoutStatus {
	e := identity.AsError(why)
	s := logoutStatus{top: saml.StatusRequester, second: saml.StatusRequestDenied, message: string(e.Code)}
	switch {
	case e.Kind == identity.KindNotFound:
		s.second = saml.StatusUnknownPrincipal
	case e.Kind == identity.KindInternal, e.Kind == identity.KindUnavailable:
		s.top, s.second = saml.StatusResponder, ""
	}
	return s
}

// singleLogoutService is the IdP's endpoint for browsers, by a binding if it has
// it.
func (c *Connector) singleLogoutService(by string) (metadata.Endpoint, bool) {
	bindings := []string{identity.BindingRedirect, identity.BindingPOST}
	if by == identity.BindingPOST {
		slices.Reverse(bindings)
	}
	return metadata.Find(c.idp.SLO, bindings...)
}

// logoutRequest writes a LogoutRequest (SAML Core 3.7.1) that names the person
// just as the assertion did. It carries a signature, but by HTTP-Redirect, where
// the query does.
func (c *Connector) logoutRequest(s identity.UpstreamSession, why identity.LogoutReason, e metadata.Endpoint) (octets []byte, id string, err error) {
	attrs := []string{"Reason", string(why), "NotOnOrAfter", xmlsec.FormatTime(c.cfg.Now().Add(logoutLife))}
	return c.logoutMessage("samlp:LogoutRequest", e.Location, e.Binding != identity.BindingRedirect, func(w *xmlsec.Writer) {
		n := s.Principal
		w.Element("saml:NameID", n.Subject, "Format", string(n.Format), "NameQualifier", n.NameQualifier, "SPNameQualifier", n.SPNameQualifier)
		if s.Index != "" {
			w.Element("samlp:SessionIndex", string(s.Index))
		}
	}, attrs...)
}

func (c *Connector) logoutResponse(inResponseTo, destination string, s logoutStatus, sign bool) ([]byte, error) {
	octets, _, err := c.logoutMessage("samlp:LogoutResponse", destination, sign, func(w *xmlsec.Writer) {
		w.Open("samlp:Status")
		w.Open("samlp:StatusCode", "Value", s.top)
		if s.second != "" {
			w.Element("samlp:StatusCode", "", "Value", s.second)
		}
		w.Close()
		if s.message != "" {
			w.Element("samlp:StatusMessage", s.message)
		}
		w.Close()
	}, "InResponseTo", inResponseTo)
	return octets, err
}

// logoutMessage writes a message. An empty destination is left out.
func (c *Connector) logoutMessage(name, destination string, sign bool, content func(*xmlsec.Writer), attrs ...string) (octets []byte, id string, err error) {
	if id, err = identity.NewMessageID(c.cfg.Rand); err != nil {
		return nil, "", fmt.Errorf("making a message ID: %w", err)
	}
	w := xmlsec.NewWriter()
	w.Open(name, append([]string{
		"ID", id, "Version", "2.0", "IssueInstant", xmlsec.FormatTime(c.cfg.Now()), "Destination", destination,
	}, attrs...)...)
	w.Element("saml:Issuer", string(c.cfg.EntityID))
	if sign {
		w.SignatureSlot()
	}
	content(w)
	w.Close()
	if sign {
		octets, err = w.Sign(c.cfg.Keys.Signing())
	} else {
		octets, err = w.Bytes()
	}
	if err != nil {
		return nil, "", fmt.Errorf("writing a %s: %w", name, err)
	}
	return octets, id, nil
}

// byBrowser makes the browser's message of octets, and signs the query where
// they carry no signature of their own.
func (c *Connector) byBrowser(by, location, param string, octets []byte, relayState string) (binding.Message, error) {
	if by == identity.BindingPOST {
		return binding.Post(location, param, octets, relayState), nil
	}
	key := c.cfg.Keys.Signing()
	return binding.Redirect(location, param, octets, relayState, &key)
}
