package idp

import (
	"strconv"
	"time"

	"github.com/crewjam/saml"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/xmlsec"
)

// nsAsynchronous is the namespace of the Asynchronous Single Logout extension.
const nsAsynchronous = "urn:oasis:names:tc:SAML:2.0:protocol:ext:async-slo"

// logoutMessage is what LogoutRequest and LogoutResponse have in common (SAML
// Core 3.2.1, 3.2.2).
type logoutMessage struct {
	ID           string
	Version      string
	IssueInstant time.Time
	Destination  string
	Issuer       identity.EntityID
}

// logoutRequest is a samlp:LogoutRequest (SAML Core 3.7.1). Its Reason changes
// nothing, as we do the same for every one.
type logoutRequest struct {
	logoutMessage
	NotOnOrAfter time.Time          // zero: not stated
	NameID       identity.Principal // without EncryptedID and BaseID
	EncryptedID  *xmlsec.Element    // or nil
	BaseID       bool               // there is one instead
	SessionIndex []identity.SessionID
	Asynchronous bool // nobody waits for a response
}

// logoutResponse is a samlp:LogoutResponse (SAML Core 3.7.2).
type logoutResponse struct {
	logoutMessage
	InResponseTo string
	Status       string // the top-level StatusCode
	Second       string // the one below, if any
	Message      string
}

func malformedLogout(seen, expected string) *identity.Error {
	return &identity.Error{
		Kind: identity.KindInvalid, Code: "sp.logout", Who: identity.WhoVendor,
		Msg: "The application's message of single logout is not as the specification wants it.", Seen: seen, Expected: expected,
	}
}

// parseMessage reads what both have in common. Like parseAuthnRequest it judges
// form alone.
func parseMessage(e *xmlsec.Element, local string, order ...xmlName) (logoutMessage, error) {
	if !e.Is(xmlsec.NSProtocol, local) {
		return logoutMessage{}, malformedLogout(e.Local, "samlp:"+local)
	}
	if err := inOrder(e, order); err != nil {
		return logoutMessage{}, err
	}
	m := logoutMessage{ID: e.Attr("ID"), Version: e.Attr("Version"), Destination: e.Attr("Destination")}
	if !isNCName(m.ID) {
		return m, malformedLogout("ID="+strconv.Quote(m.ID), "an xs:ID (SAML Core 3.2.1)")
	}
	if m.Version == "" {
		return m, malformedLogout("no Version", "2.0 (SAML Core 3.2.1)")
	}
	var err error
	if m.IssueInstant, err = xmlsec.ParseTime(e.Attr("IssueInstant")); err != nil {
		return m, malformedLogout("IssueInstant="+strconv.Quote(e.Attr("IssueInstant")), "an xs:dateTime in UTC (SAML Core 1.3.3)")
	}
	issuer := e.Child(xmlsec.NSAssertion, "Issuer")
	if f := issuer.Attr("Format"); f != "" && f != string(identity.FormatEntity) {
		return m, malformedLogout("an Issuer of Format "+f, "the application's entityID (SAML Profiles 4.4.4.1)")
	}
	text, err := issuer.Text()
	if err != nil || text == "" {
		return m, malformedLogout("no Issuer, or none that can be read", "the application's entityID (SAML Profiles 4.4.4.1)")
	}
	m.Issuer = identity.EntityID(text)
	return m, nil
}

type xmlName struct {
	space, local string
	many         bool
}

// inOrder wants the children of e to be those of the schema, in its order.
func inOrder(e *xmlsec.Element, order []xmlName) error {
	next := 0
	for _, c := range e.Elements() {
		at := next
		for at < len(order) && !c.Is(order[at].space, order[at].local) {
			at++
		}
		if at == len(order) {
			return malformedLogout(c.Local, "the children of a "+e.Local+" in the order of the schema")
		}
		next = at + 1
		if order[at].many {
			next = at
		}
	}
	return nil
}

func parseLogoutRequest(e *xmlsec.Element) (*logoutRequest, error) {
	m, err := parseMessage(e, "LogoutRequest",
		xmlName{xmlsec.NSAssertion, "Issuer", false}, xmlName{xmlsec.NSDSig, "Signature", false}, xmlName{xmlsec.NSProtocol, "Extensions", false},
		xmlName{xmlsec.NSAssertion, "BaseID", false}, xmlName{xmlsec.NSAssertion, "NameID", false}, xmlName{xmlsec.NSAssertion, "EncryptedID", false},
		xmlName{xmlsec.NSProtocol, "SessionIndex", true})
	if err != nil {
		return nil, err
	}
	rq := &logoutRequest{logoutMessage: m, EncryptedID: e.Child(xmlsec.NSAssertion, "EncryptedID"), BaseID: e.Child(xmlsec.NSAssertion, "BaseID") != nil}
	rq.Asynchronous = e.Child(xmlsec.NSProtocol, "Extensions").Child(nsAsynchronous, "Asynchronous") != nil
	if e.HasAttr("NotOnOrAfter") {
		if rq.NotOnOrAfter, err = xmlsec.ParseTime(e.Attr("NotOnOrAfter")); err != nil {
			return nil, malformedLogout("NotOnOrAfter="+strconv.Quote(e.Attr("NotOnOrAfter")), "an xs:dateTime in UTC")
		}
	}
	for _, c := range e.Children(xmlsec.NSProtocol, "SessionIndex") {
		text, err := c.Text()
		if err != nil || text == "" {
			return nil, malformedLogout("a SessionIndex without text", "the SessionIndex of an assertion")
		}
		rq.SessionIndex = append(rq.SessionIndex, identity.SessionID(text))
	}
	name := e.Child(xmlsec.NSAssertion, "NameID")
	given := 0
	for _, there := range []bool{rq.BaseID, name != nil, rq.EncryptedID != nil} {
		if there {
			given++
		}
	}
	if given != 1 {
		return nil, malformedLogout(strconv.Itoa(given)+" identifiers", "one NameID or EncryptedID (SAML Core 3.7.1)")
	}
	if name != nil {
		rq.NameID, err = readNameID(name)
	}
	return rq, err
}

// readNameID reads a saml:NameID (SAML Core 2.2.3). An SPProvidedID we never
// issue, so that with one it names nobody whom we know.
func readNameID(e *xmlsec.Element) (identity.Principal, error) {
	text, err := e.Text()
	if err != nil || text == "" || e.HasAttr("SPProvidedID") {
		return identity.Principal{}, malformedLogout("a NameID without text, or with an SPProvidedID", "the NameID of an assertion, as it was")
	}
	return identity.Principal{
		Subject: text, Format: identity.Format(e.Attr("Format")),
		NameQualifier: e.Attr("NameQualifier"), SPNameQualifier: e.Attr("SPNameQualifier"),
	}, nil
}

func parseLogoutResponse(e *xmlsec.Element) (*logoutResponse, error) {
	m, err := parseMessage(e, "LogoutResponse",
		xmlName{xmlsec.NSAssertion, "Issuer", false}, xmlName{xmlsec.NSDSig, "Signature", false},
		xmlName{xmlsec.NSProtocol, "Extensions", false}, xmlName{xmlsec.NSProtocol, "Status", false})
	if err != nil {
		return nil, err
	}
	rs := &logoutResponse{logoutMessage: m, InResponseTo: e.Attr("InResponseTo")}
	st := e.Child(xmlsec.NSProtocol, "Status")
	top := st.Child(xmlsec.NSProtocol, "StatusCode")
	rs.Status, rs.Second = top.Attr("Value"), top.Child(xmlsec.NSProtocol, "StatusCode").Attr("Value")
	if rs.Message, err = st.Child(xmlsec.NSProtocol, "StatusMessage").TrimText(); err != nil {
		return nil, err
	}
	if rs.InResponseTo == "" || rs.Status == "" {
		return nil, malformedLogout("no InResponseTo, or no StatusCode", "an answer to a LogoutRequest of ours")
	}
	return rs, nil
}

// judge returns nil if the service provider confirms that its session ended.
func (rs *logoutResponse) judge() error {
	if rs.Status == saml.StatusSuccess && rs.Second != saml.StatusPartialLogout {
		return nil
	}
	return &identity.Error{
		Kind: identity.KindDenied, Code: "logout.status", Who: identity.WhoVendor,
		Msg: "The application did not end its session.", Seen: joined(rs.Status, rs.Second, rs.Message), Expected: saml.StatusSuccess,
	}
}

// joined puts what a status says into one line.
func joined(words ...string) string {
	s := ""
	for _, w := range words {
		if w != "" && s != "" {
			s += " "
		}
		s += w
	}
	return s
}
