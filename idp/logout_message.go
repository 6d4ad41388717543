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

// logoutRequest is a samlp:LogoutRequest (SAML Core 3.7.1). Its Reason changes
// nothing, as we do the same for every one.
type logoutRequest struct {
	message
	NotOnOrAfter time.Time          // zero: not stated
	NameID       identity.Principal // without EncryptedID and BaseID
	EncryptedID  *xmlsec.Element    // or nil
	BaseID       bool               // there is one instead
	SessionIndex []identity.SessionID
	Asynchronous bool // nobody waits for a response
}

// logoutResponse is a samlp:LogoutResponse (SAML Core 3.7.2).
type logoutResponse struct {
	message
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

func parseLogoutRequest(e *xmlsec.Element) (*logoutRequest, error) {
	m, err := parseMessage(e, malformedLogout, "LogoutRequest",
		xmlName{xmlsec.NSAssertion, "Issuer", false}, xmlName{xmlsec.NSDSig, "Signature", false}, xmlName{xmlsec.NSProtocol, "Extensions", false},
		xmlName{xmlsec.NSAssertion, "BaseID", false}, xmlName{xmlsec.NSAssertion, "NameID", false}, xmlName{xmlsec.NSAssertion, "EncryptedID", false},
		xmlName{xmlsec.NSProtocol, "SessionIndex", true})
	if err != nil {
		return nil, err
	}
	rq := &logoutRequest{message: m, EncryptedID: e.Child(xmlsec.NSAssertion, "EncryptedID"), BaseID: e.Child(xmlsec.NSAssertion, "BaseID") != nil}
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
	m, err := parseMessage(e, malformedLogout, "LogoutResponse",
		xmlName{xmlsec.NSAssertion, "Issuer", false}, xmlName{xmlsec.NSDSig, "Signature", false},
		xmlName{xmlsec.NSProtocol, "Extensions", false}, xmlName{xmlsec.NSProtocol, "Status", false})
	if err != nil {
		return nil, err
	}
	rs := &logoutResponse{message: m, InResponseTo: e.Attr("InResponseTo")}
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
