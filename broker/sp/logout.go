package sp

import (
	"errors"
	"fmt"
	"time"

	"github.com/crewjam/saml"

	"github.com/samlet-id/samlet/binding"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/xmlsec"
	"github.com/samlet-id/samlet/metadata"
)

// Single logout is spoken by HTTP-Redirect alone (SAML Profiles 4.4), the one
// binding that every IdP has for it.

// logoutLife is how long a LogoutRequest counts, ours and the IdP's.
const logoutLife = 5 * time.Minute

// LogoutMessage is what the IdP's LogoutRequest or LogoutResponse says, proved.
type LogoutMessage struct {
	Request    bool // else it is an answer to ours
	ID         string
	RelayState string

	Principal identity.Principal   // of a request: whose sessions end, as the assertion named them
	Indexes   []identity.SessionID // of a request; none means all of them

	Complete bool // of an answer: everybody who took part in the session has confirmed
}

// Logout returns the message that asks the IdP to end the session of an
// assertion. Our own session has ended before (saml2int SDP-SP34).
func (c *Connector) Logout(a identity.Assertion, relayState string) (binding.Message, error) {
	e, ok := c.singleLogoutService()
	if !ok {
		return binding.Message{}, upstream("up.no_slo", identity.KindUnavailable,
			"The identity provider has no single logout.", "", "a SingleLogoutService by HTTP-Redirect")
	}
	now := c.cfg.Now()
	return c.sendLogout("samlp:LogoutRequest", e.Location, binding.ParamRequest, relayState, func(w *xmlsec.Writer) {
		n := a.Principal
		w.Element("saml:NameID", n.Subject, "Format", string(n.Format), "NameQualifier", n.NameQualifier, "SPNameQualifier", n.SPNameQualifier)
		if a.Session != "" {
			w.Element("samlp:SessionIndex", string(a.Session))
		}
	}, "Reason", string(identity.LogoutByUser), "NotOnOrAfter", xmlsec.FormatTime(now.Add(logoutLife)))
}

// AnswerLogout returns the message that tells the IdP that the sessions of its
// LogoutRequest have ended here.
func (c *Connector) AnswerLogout(m LogoutMessage) (binding.Message, error) {
	e, ok := c.singleLogoutService()
	if !ok {
		return binding.Message{}, errors.New("sp: the identity provider takes no answer to its LogoutRequest")
	}
	return c.sendLogout("samlp:LogoutResponse", e.ResponseURL(), binding.ParamResponse, m.RelayState, func(w *xmlsec.Writer) {
		w.Open("samlp:Status")
		w.Element("samlp:StatusCode", "", "Value", saml.StatusSuccess)
		w.Close()
	}, "InResponseTo", m.ID)
}

// CanLogout reports whether the IdP offers single logout, and we are told of it.
func (c *Connector) CanLogout() bool {
	_, ok := c.singleLogoutService()
	return ok && c.cfg.SLO != ""
}

func (c *Connector) singleLogoutService() (metadata.Endpoint, bool) {
	return metadata.Find(c.idp.SLO, identity.BindingRedirect)
}

// sendLogout writes a message, whose query is signed.
func (c *Connector) sendLogout(name, location, param, relayState string, content func(*xmlsec.Writer), attrs ...string) (binding.Message, error) {
	id, err := identity.NewMessageID(c.cfg.Rand)
	if err != nil {
		return binding.Message{}, fmt.Errorf("making a message ID: %w", err)
	}
	w := xmlsec.NewWriter()
	w.Open(name, append([]string{
		"ID", id, "Version", "2.0", "IssueInstant", xmlsec.FormatTime(c.cfg.Now()), "Destination", location,
	}, attrs...)...)
	w.Element("saml:Issuer", string(c.cfg.EntityID))
	content(w)
	w.Close()
	octets, err := w.Bytes()
	if err != nil {
		return binding.Message{}, fmt.Errorf("writing a %s: %w", name, err)
	}
	key := c.cfg.Keys.Signing()
	return binding.Redirect(location, param, octets, relayState, &key)
}

// ReadLogout proves that the browser brings a message of single logout from this
// IdP: signed over the query, to our address, of today.
func (c *Connector) ReadLogout(in binding.Received) (LogoutMessage, error) {
	msg, err := binding.Decode(in, "")
	if err != nil {
		return LogoutMessage{}, unreadable(err)
	}
	if msg.Binding != identity.BindingRedirect || len(msg.Signature) == 0 {
		return LogoutMessage{}, upstream("up.unsigned", identity.KindInvalid,
			"The identity provider's message of single logout is not signed.", msg.Binding, "HTTP-Redirect with SigAlg and Signature")
	}
	doc, err := xmlsec.Parse(msg.XML, xmlsec.RequestLimits())
	if err != nil {
		return LogoutMessage{}, unreadable(err)
	}
	root := doc.Root()
	if err := c.checkIssuer(root.Child(xmlsec.NSAssertion, "Issuer")); err != nil {
		return LogoutMessage{}, err
	}
	if err := msg.VerifyQuery(c.trust.Keys, c.cfg.Refused...); err != nil {
		return LogoutMessage{}, badSignature(err)
	}
	if err := c.checkLogout(root); err != nil {
		return LogoutMessage{}, err
	}
	m := LogoutMessage{ID: root.Attr("ID"), RelayState: msg.RelayState}
	switch {
	case root.Is(xmlsec.NSProtocol, "LogoutRequest") && msg.Param == binding.ParamRequest:
		return c.logoutRequest(m, root)
	case root.Is(xmlsec.NSProtocol, "LogoutResponse") && msg.Param == binding.ParamResponse:
		top := root.Child(xmlsec.NSProtocol, "Status").Child(xmlsec.NSProtocol, "StatusCode")
		m.Complete = top.Attr("Value") == saml.StatusSuccess && top.Child(xmlsec.NSProtocol, "StatusCode") == nil
		return m, nil
	}
	return LogoutMessage{}, malformed(root.Local, "a LogoutRequest or a LogoutResponse")
}

// checkLogout checks what requests and answers have in common.
func (c *Connector) checkLogout(e *xmlsec.Element) error {
	if e.Attr("Version") != "2.0" || e.Attr("ID") == "" {
		return malformed("no ID, or another Version", "Version 2.0 and an ID")
	}
	if seen := e.Attr("Destination"); seen != c.cfg.SLO {
		return upstream("up.destination", identity.KindInvalid, "The identity provider's message was meant for another address.", seen, c.cfg.SLO)
	}
	at, err := instant(e, "IssueInstant")
	if err != nil {
		return err
	}
	until, err := instant(e, "NotOnOrAfter")
	if err != nil {
		return err
	}
	now := c.cfg.Now()
	switch {
	case at.After(now.Add(c.cfg.Skew)):
		return c.early("IssueInstant", at, now)
	case now.After(at.Add(logoutLife + c.cfg.Skew)):
		return c.late("IssueInstant", at, now)
	case !until.IsZero() && !now.Before(until.Add(c.cfg.Skew)):
		return c.late("NotOnOrAfter", until, now)
	}
	return nil
}

func (c *Connector) logoutRequest(m LogoutMessage, e *xmlsec.Element) (LogoutMessage, error) {
	m.Request = true
	var err error
	if m.Principal, err = c.principal(e); err != nil {
		return LogoutMessage{}, err
	}
	if m.Principal.Subject == "" {
		return LogoutMessage{}, malformed("no NameID", "a NameID")
	}
	for _, index := range e.Children(xmlsec.NSProtocol, "SessionIndex") {
		text, err := index.Text()
		if err != nil {
			return LogoutMessage{}, unreadable(err)
		}
		m.Indexes = append(m.Indexes, identity.SessionID(text))
	}
	return m, nil
}
