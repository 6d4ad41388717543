package idp

import (
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/xmlsec"
)

// authnRequest is a samlp:AuthnRequest (SAML Core 3.4.1), as far as we act on
// it. Extensions, Conditions and Scoping are read past: we may supplement what
// the requester asks for in Conditions, and answer without a proxy of Scoping's.
type authnRequest struct {
	ID           string
	Version      string
	IssueInstant time.Time
	Destination  string
	Issuer       identity.EntityID

	ForceAuthn, IsPassive bool

	AssertionConsumerServiceURL    string
	AssertionConsumerServiceIndex  *int
	ProtocolBinding                string
	AttributeConsumingServiceIndex *int

	Subject               *subject
	NameIDPolicy          nameIDPolicy
	RequestedAuthnContext identity.RequestedContext
	onlyDeclarations      bool // RequestedAuthnContext names declarations, of which we have none
}

// subject is the saml:NameID of a request's saml:Subject.
type subject struct {
	NameID          string `json:"name_id"`
	Format          string `json:"format,omitempty"`
	NameQualifier   string `json:"name_qualifier,omitempty"`
	SPNameQualifier string `json:"sp_name_qualifier,omitempty"`
}

// nameIDPolicy is a samlp:NameIDPolicy (SAML Core 3.4.1.1).
type nameIDPolicy struct {
	Format          identity.Format
	SPNameQualifier string
	NoCreate        bool // AllowCreate="false", stated outright
}

// malformed is a request that breaks the schema or the text of SAML Core.
func malformed(seen, expected string) *identity.Error {
	return &identity.Error{
		Kind: identity.KindInvalid, Code: "sp.request", Who: identity.WhoVendor,
		Msg: "The application's request is not a valid AuthnRequest.", Seen: seen, Expected: expected,
	}
}

// The children of an AuthnRequest in the order of the schema; each at most once.
var requestOrder = [...]struct{ space, local string }{
	{xmlsec.NSAssertion, "Issuer"},
	{xmlsec.NSDSig, "Signature"},
	{xmlsec.NSProtocol, "Extensions"},
	{xmlsec.NSAssertion, "Subject"},
	{xmlsec.NSProtocol, "NameIDPolicy"},
	{xmlsec.NSAssertion, "Conditions"},
	{xmlsec.NSProtocol, "RequestedAuthnContext"},
	{xmlsec.NSProtocol, "Scoping"},
}

// parseAuthnRequest reads e. It judges form alone: what the request asks for, and
// whether it is of this version and of today, is judged when it is known whom to
// tell.
func parseAuthnRequest(e *xmlsec.Element) (*authnRequest, error) {
	if !e.Is(xmlsec.NSProtocol, "AuthnRequest") {
		return nil, malformed(e.Local, "samlp:AuthnRequest")
	}
	if err := checkOrder(e); err != nil {
		return nil, err
	}
	q := &authnRequest{
		ID: e.Attr("ID"), Version: e.Attr("Version"), Destination: e.Attr("Destination"),
		AssertionConsumerServiceURL: e.Attr("AssertionConsumerServiceURL"), ProtocolBinding: e.Attr("ProtocolBinding"),
	}
	if !isNCName(q.ID) {
		return nil, malformed("ID="+strconv.Quote(q.ID), "an xs:ID (SAML Core 3.2.1)")
	}
	if q.Version == "" {
		return nil, malformed("no Version", "2.0 (SAML Core 3.2.1)")
	}
	for _, step := range []func(*xmlsec.Element) error{
		q.parseIssueInstant, q.parseIssuer, q.parseFlags, q.parseIndexes, q.parseSubject, q.parsePolicy, q.parseContext,
	} {
		if err := step(e); err != nil {
			return nil, err
		}
	}
	return q, nil
}

func checkOrder(e *xmlsec.Element) error {
	next := 0
	for _, c := range e.Elements() {
		at := next
		for at < len(requestOrder) && !c.Is(requestOrder[at].space, requestOrder[at].local) {
			at++
		}
		if at == len(requestOrder) {
			return malformed(c.Local, "the children of an AuthnRequest once each, in the order of the schema")
		}
		next = at + 1
	}
	return nil
}

func (q *authnRequest) parseIssueInstant(e *xmlsec.Element) error {
	at, err := xmlsec.ParseTime(e.Attr("IssueInstant"))
	if err != nil {
		return malformed("IssueInstant="+strconv.Quote(e.Attr("IssueInstant")), "an xs:dateTime in UTC (SAML Core 1.3.3)")
	}
	q.IssueInstant = at
	return nil
}

// parseIssuer wants what the profile wants of an Issuer (SAML Profiles 4.1.4.1).
func (q *authnRequest) parseIssuer(e *xmlsec.Element) error {
	bad := func(seen string) error {
		err := malformed(seen, "an Issuer with the application's entityID (SAML Profiles 4.1.4.1)")
		err.Code = "sp.issuer"
		return err
	}
	issuer := e.Child(xmlsec.NSAssertion, "Issuer")
	if issuer == nil {
		return bad("no Issuer")
	}
	if f := issuer.Attr("Format"); f != "" && f != string(identity.FormatEntity) {
		return bad("Format=" + strconv.Quote(f))
	}
	text, err := issuer.Text()
	if err != nil {
		return bad("markup in the Issuer")
	}
	if text == "" {
		return bad("an empty Issuer")
	}
	q.Issuer = identity.EntityID(text)
	return nil
}

func (q *authnRequest) parseFlags(e *xmlsec.Element) (err error) {
	if q.ForceAuthn, err = booleanOf(e, "ForceAuthn", false); err != nil {
		return err
	}
	q.IsPassive, err = booleanOf(e, "IsPassive", false)
	return err
}

// parseIndexes reads both indexes. URL and binding on one side and the index on
// the other exclude each other (SAML Core 3.4.1).
func (q *authnRequest) parseIndexes(e *xmlsec.Element) (err error) {
	if q.AssertionConsumerServiceIndex, err = indexOf(e, "AssertionConsumerServiceIndex"); err != nil {
		return err
	}
	if q.AttributeConsumingServiceIndex, err = indexOf(e, "AttributeConsumingServiceIndex"); err != nil {
		return err
	}
	if q.AssertionConsumerServiceIndex != nil && (q.AssertionConsumerServiceURL != "" || q.ProtocolBinding != "") {
		return malformed("AssertionConsumerServiceIndex beside AssertionConsumerServiceURL or ProtocolBinding", "either the one or the others (SAML Core 3.4.1)")
	}
	return nil
}

// parseSubject takes the NameID of a Subject. Confirmations must not be there
// (SAML Profiles 4.1.4.1), and other identifiers than NameID we do not issue, so
// that none can name anybody that we know.
func (q *authnRequest) parseSubject(e *xmlsec.Element) error {
	s := e.Child(xmlsec.NSAssertion, "Subject")
	if s == nil {
		return nil
	}
	if s.Child(xmlsec.NSAssertion, "SubjectConfirmation") != nil {
		return malformed("a SubjectConfirmation", "none in the Subject of a request (SAML Profiles 4.1.4.1)")
	}
	id := s.Child(xmlsec.NSAssertion, "NameID")
	if id == nil {
		q.Subject = &subject{}
		return nil
	}
	text, err := id.Text()
	if err != nil || text == "" {
		return malformed("a NameID without text", "the identifier of a person")
	}
	q.Subject = &subject{
		NameID: text, Format: id.Attr("Format"),
		NameQualifier: id.Attr("NameQualifier"), SPNameQualifier: id.Attr("SPNameQualifier"),
	}
	return nil
}

func (q *authnRequest) parsePolicy(e *xmlsec.Element) error {
	n := e.Child(xmlsec.NSProtocol, "NameIDPolicy")
	if n == nil {
		return nil
	}
	q.NameIDPolicy = nameIDPolicy{Format: identity.Format(n.Attr("Format")), SPNameQualifier: n.Attr("SPNameQualifier")}
	// By the text an absent AllowCreate is false, but hardly anybody who leaves
	// it out means to forbid; only the word does.
	create, err := booleanOf(n, "AllowCreate", true)
	q.NameIDPolicy.NoCreate = !create
	return err
}

// parseContext reads a RequestedAuthnContext (SAML Core 3.3.2.2.1): a list of
// classes or, in its place, of declarations.
func (q *authnRequest) parseContext(e *xmlsec.Element) error {
	c := e.Child(xmlsec.NSProtocol, "RequestedAuthnContext")
	if c == nil {
		return nil
	}
	switch v := c.Attr("Comparison"); v {
	case "", "exact":
		q.RequestedAuthnContext.Comparison = identity.ComparisonExact
	case "minimum":
		q.RequestedAuthnContext.Comparison = identity.ComparisonMinimum
	case "maximum":
		q.RequestedAuthnContext.Comparison = identity.ComparisonMaximum
	case "better":
		q.RequestedAuthnContext.Comparison = identity.ComparisonBetter
	default:
		return malformed("Comparison="+strconv.Quote(v), "exact, minimum, maximum or better")
	}
	for _, ref := range c.Children(xmlsec.NSAssertion, "AuthnContextClassRef") {
		class, err := ref.TrimText()
		if err != nil || class == "" {
			return malformed("an AuthnContextClassRef without text", "the URI of a class")
		}
		q.RequestedAuthnContext.Classes = append(q.RequestedAuthnContext.Classes, identity.ClassRef(class))
	}
	declarations := c.Children(xmlsec.NSAssertion, "AuthnContextDeclRef")
	classes := len(q.RequestedAuthnContext.Classes)
	if (classes == 0) == (len(declarations) == 0) {
		return malformed("a RequestedAuthnContext with neither or both", "classes or declarations")
	}
	q.onlyDeclarations = classes == 0
	return nil
}

// booleanOf reads an attribute of type xs:boolean.
func booleanOf(e *xmlsec.Element, name string, absent bool) (bool, error) {
	if !e.HasAttr(name) {
		return absent, nil
	}
	switch collapse(e.Attr(name)) {
	case "true", "1":
		return true, nil
	case "false", "0":
		return false, nil
	}
	return false, malformed(name+"="+strconv.Quote(e.Attr(name)), "an xs:boolean")
}

// indexOf reads an attribute of type xs:unsignedShort; nil if it is absent.
func indexOf(e *xmlsec.Element, name string) (*int, error) {
	if !e.HasAttr(name) {
		return nil, nil
	}
	n, err := strconv.ParseUint(collapse(e.Attr(name)), 10, 16)
	if err != nil {
		return nil, malformed(name+"="+strconv.Quote(e.Attr(name)), "an xs:unsignedShort")
	}
	index := int(n)
	return &index, nil
}

// collapse drops the blanks around a value whose schema type collapses them.
func collapse(s string) string { return strings.Trim(s, " \t\r\n") }

// isNCName reports whether s can be an xs:ID: it comes back in InResponseTo.
func isNCName(s string) bool {
	for i, r := range s {
		letter := r == '_' || unicode.IsLetter(r)
		if !letter && (i == 0 || r != '-' && r != '.' && !unicode.In(r, unicode.Digit, unicode.Mark)) {
			return false
		}
	}
	return s != ""
}
