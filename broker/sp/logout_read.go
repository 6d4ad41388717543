package sp

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/crewjam/saml"

	"github.com/samlet-id/samlet/binding"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/xmlsec"
)

// LogoutMessage is what the IdP's LogoutRequest or LogoutResponse says, proved.
type LogoutMessage struct {
	Request    bool // else it is an answer to ours
	ID         string
	RelayState string

	Principal identity.Principal   // of a request: whose sessions end, as the assertion named them
	Indexes   []identity.SessionID // of a request; none means all of them
	Issued    time.Time
	// State is what AnswerLogout and RefuseLogout want, of a request by the
	// browser; nil where the IdP has no endpoint that would take an answer.
	State []byte

	InResponseTo string // of an answer
	Complete     bool   // of an answer: everybody who took part in the session has confirmed
	Status       string // of an answer: its status codes
}

// Judge returns nil if an answer says that the session at the IdP, and all that
// came of it, have ended.
func (m LogoutMessage) Judge() error {
	if m.Complete {
		return nil
	}
	return upstream("up.logout", identity.KindDenied, "The identity provider did not sign the person out everywhere.", m.Status, saml.StatusSuccess)
}

// LogoutOf puts a request into our own words, for the upstream of connection id.
func (c *Connector) LogoutOf(m LogoutMessage, id identity.ConnectionID) identity.Logout {
	return identity.Logout{
		Connection: id, Audience: c.cfg.EntityID, Principal: m.Principal, Indexes: m.Indexes, State: m.State,
		Message: "saml upstream " + string(c.issuer) + " " + m.ID,
		// Until then the request could come again, and be as young as it has to be.
		Expires: m.Issued.Add(logoutLife + 2*c.cfg.Skew),
	}
}

// ReadLogout proves that the browser brings a message of single logout from this
// IdP: signed, over the query by HTTP-Redirect and inside of the XML by HTTP-POST,
// to our address, of today.
func (c *Connector) ReadLogout(in binding.Received) (LogoutMessage, error) {
	msg, err := binding.Decode(in, "")
	if err != nil {
		return LogoutMessage{}, unreadable(err)
	}
	doc, err := xmlsec.Parse(msg.XML, xmlsec.RequestLimits())
	if err != nil {
		return LogoutMessage{}, unreadable(err)
	}
	root, err := c.believeLogout(doc, doc.Root(), msg)
	if err != nil {
		return LogoutMessage{}, err
	}
	if err := c.checkDestination(root, c.cfg.SLO); err != nil {
		return LogoutMessage{}, err
	}
	m, err := c.logoutMessageOf(root)
	if err != nil {
		return LogoutMessage{}, err
	}
	if m.Request != (msg.Param == binding.ParamRequest) {
		return LogoutMessage{}, malformed(root.Local, "a LogoutRequest or a LogoutResponse, each as its own parameter")
	}
	m.RelayState = msg.RelayState
	if _, ok := c.singleLogoutService(msg.Binding); ok && m.Request {
		m.State, err = json.Marshal(logoutState{InResponseTo: m.ID, Binding: msg.Binding, RelayState: msg.RelayState})
		if err != nil {
			return LogoutMessage{}, fmt.Errorf("keeping a LogoutRequest: %w", err)
		}
	}
	return m, nil
}

// ReadLogoutSOAP proves that env brings a LogoutRequest from this IdP (SAML
// Profiles 4.4.3.2). It may leave the Destination out.
func (c *Connector) ReadLogoutSOAP(env binding.Envelope) (LogoutMessage, error) {
	if err := env.Understands(); err != nil {
		return LogoutMessage{}, err
	}
	m, err := c.readSOAP(env)
	if err != nil {
		return LogoutMessage{}, err
	}
	if !m.Request {
		return LogoutMessage{}, malformed("a LogoutResponse", "a LogoutRequest")
	}
	return m, nil
}

func (c *Connector) readSOAP(env binding.Envelope) (LogoutMessage, error) {
	e, err := c.believeLogout(env.Document, env.Body, binding.SAML{Binding: identity.BindingSOAP})
	if err != nil {
		return LogoutMessage{}, err
	}
	if e.Is(xmlsec.NSProtocol, "LogoutRequest") && e.Attr("Destination") != "" {
		if err := c.checkDestination(e, c.cfg.SLOSOAP); err != nil {
			return LogoutMessage{}, err
		}
	}
	return c.logoutMessageOf(e)
}

// believeLogout returns a message as a signature of this IdP covers it. There is
// none without (SAML Profiles 4.4.4.1, 4.4.4.2).
func (c *Connector) believeLogout(doc *xmlsec.Document, e *xmlsec.Element, msg binding.SAML) (*xmlsec.Element, error) {
	if err := c.checkIssuer(e.Child(xmlsec.NSAssertion, "Issuer")); err != nil {
		return nil, err
	}
	if msg.Binding == identity.BindingRedirect {
		if len(msg.Signature) == 0 {
			return nil, unsignedLogout("SigAlg and Signature in the query (SAML Bindings 3.4.4.1)")
		}
		if err := msg.VerifyQuery(c.trust.Keys, c.cfg.Refused...); err != nil {
			return nil, c.badSignature(nil, err)
		}
		return e, nil
	}
	if !doc.HasSignature(e) {
		return nil, unsignedLogout("an enveloped signature (SAML Core 5.4)")
	}
	signed, err := doc.Verify(e, c.trust)
	if err != nil {
		return nil, c.badSignature(e, err)
	}
	return signed, c.checkIssuer(signed.Child(xmlsec.NSAssertion, "Issuer"))
}

func unsignedLogout(expected string) *identity.Error {
	return upstream("up.unsigned", identity.KindInvalid,
		"The identity provider's message of single logout is not signed.", "no signature", expected)
}

func (c *Connector) checkDestination(e *xmlsec.Element, here string) error {
	if seen := e.Attr("Destination"); seen != here || here == "" {
		return upstream("up.destination", identity.KindInvalid, "The identity provider's message was meant for another address.", seen, here)
	}
	return nil
}

// logoutMessageOf reads what a signature covers.
func (c *Connector) logoutMessageOf(e *xmlsec.Element) (LogoutMessage, error) {
	at, err := c.checkLogout(e)
	if err != nil {
		return LogoutMessage{}, err
	}
	m := LogoutMessage{ID: e.Attr("ID"), Issued: at}
	switch {
	case e.Is(xmlsec.NSProtocol, "LogoutRequest"):
		return c.logoutRequestOf(m, e)
	case e.Is(xmlsec.NSProtocol, "LogoutResponse"):
		top := e.Child(xmlsec.NSProtocol, "Status").Child(xmlsec.NSProtocol, "StatusCode")
		second := top.Child(xmlsec.NSProtocol, "StatusCode").Attr("Value")
		m.InResponseTo, m.Status = e.Attr("InResponseTo"), strings.TrimSpace(top.Attr("Value")+" "+second)
		m.Complete = top.Attr("Value") == saml.StatusSuccess && second != saml.StatusPartialLogout
		return m, nil
	}
	return LogoutMessage{}, malformed(e.Local, "a LogoutRequest or a LogoutResponse")
}

// checkLogout checks what requests and answers have in common, and returns when
// the message was issued.
func (c *Connector) checkLogout(e *xmlsec.Element) (time.Time, error) {
	if e.Attr("Version") != "2.0" || e.Attr("ID") == "" {
		return time.Time{}, malformed("no ID, or another Version", "Version 2.0 and an ID")
	}
	at, err := instant(e, "IssueInstant")
	if err != nil {
		return time.Time{}, err
	}
	until, err := instant(e, "NotOnOrAfter")
	if err != nil {
		return time.Time{}, err
	}
	now := c.cfg.Now()
	switch {
	case at.After(now.Add(c.cfg.Skew)):
		return time.Time{}, c.early("IssueInstant", at, now)
	case now.After(at.Add(logoutLife + c.cfg.Skew)):
		return time.Time{}, c.late("IssueInstant", at, now)
	case !until.IsZero() && !now.Before(until.Add(c.cfg.Skew)):
		return time.Time{}, c.late("NotOnOrAfter", until, now)
	}
	return at, nil
}

// logoutRequestOf reads whose sessions end. The NameID may be encrypted.
func (c *Connector) logoutRequestOf(m LogoutMessage, e *xmlsec.Element) (LogoutMessage, error) {
	m.Request = true
	var err error
	if sealed := e.Child(xmlsec.NSAssertion, "EncryptedID"); sealed != nil {
		m.Principal, err = c.sealedName(sealed)
	} else {
		m.Principal, err = c.principal(e)
	}
	if err != nil {
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

// sealedName opens an EncryptedID with any of our keys.
func (c *Connector) sealedName(sealed *xmlsec.Element) (identity.Principal, error) {
	doc, err := xmlsec.DecryptID(sealed, c.decrypters, xmlsec.RequestLimits(), c.cfg.Refused...)
	if err != nil {
		bad := upstream("up.encrypted", identity.KindInvalid, "The message of the identity provider cannot be decrypted.",
			string(identity.CodeOf(err)), "an EncryptedID for a key of our metadata, by AES-GCM")
		bad.Err = err
		return identity.Principal{}, bad
	}
	return c.nameID(doc.Root())
}
