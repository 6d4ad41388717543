package idp

import (
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/xmlsec"
)

// authnRequest is a samlp:AuthnRequest (SAML Core 3.4.1). Three of its parts are
// read and not kept, knowingly: ProviderName and Consent, since what an
// application says of itself proves nothing to the person, and Extensions, but
// for the channel bindings of enhanced clients. docs/requests.md says what follows from each part.
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
	encryptedID           *xmlsec.Element // in Subject's place until it is opened
	NameIDPolicy          nameIDPolicy
	Conditions            *conditions
	RequestedAuthnContext identity.RequestedContext
	onlyDeclarations      bool // RequestedAuthnContext names declarations, of which we have none
	Scoping               identity.Scoping
	ChannelBindings       []channelBinding // of Extensions; they are for enhanced clients alone

	// refusal is why a request of valid form cannot be answered; it is told as
	// soon as it is known to whom.
	refusal *identity.Error
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

// refuse keeps the first refusal.
func (q *authnRequest) refuse(why *identity.Error) {
	if q.refusal == nil {
		q.refusal = why
	}
}

// unsupported is a part of SAML that a request may contain and that we do not
// have.
func unsupported(seen, expected string) *identity.Error {
	return &identity.Error{
		Kind: identity.KindInvalid, Code: "sp.unsupported", Who: identity.WhoVendor,
		Msg: "The application asks for something that this sign-in service does not offer.", Seen: seen, Expected: expected,
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
	q := &authnRequest{ID: e.Attr("ID"), Version: e.Attr("Version")}
	if !isNCName(q.ID) {
		return nil, malformed("ID="+strconv.Quote(q.ID), "an xs:ID (SAML Core 3.2.1)")
	}
	if _, _, ok := versionOf(q.Version); !ok {
		return nil, malformed("Version="+strconv.Quote(q.Version), "2.0 (SAML Core 3.2.1)")
	}
	for _, step := range []func(*xmlsec.Element) error{
		q.parseIssueInstant, q.parseURIs, q.parseFlags, q.parseIndexes, q.parseIssuer,
		q.parseSubject, q.parsePolicy, q.parseConditions, q.parseContext, q.parseScoping,
	} {
		if err := step(e); err != nil {
			return nil, err
		}
	}
	q.ChannelBindings = channelBindingsIn(e.Child(xmlsec.NSProtocol, "Extensions"))
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

func (q *authnRequest) parseIssueInstant(e *xmlsec.Element) (err error) {
	if !e.HasAttr("IssueInstant") {
		return malformed("no IssueInstant", "an xs:dateTime in UTC (SAML Core 3.2.1)")
	}
	q.IssueInstant, err = instantOf(e, "IssueInstant")
	return err
}

// parseURIs reads the attributes that are URIs. None may be blank (SAML Core
// 1.3.2); to be known is what ends all further questions, except for Consent,
// which nothing is compared with.
func (q *authnRequest) parseURIs(e *xmlsec.Element) error {
	q.Destination, q.AssertionConsumerServiceURL, q.ProtocolBinding = e.Attr("Destination"), e.Attr("AssertionConsumerServiceURL"), e.Attr("ProtocolBinding")
	for _, name := range []string{"Destination", "AssertionConsumerServiceURL", "ProtocolBinding"} {
		if e.HasAttr(name) && collapse(e.Attr(name)) == "" {
			return malformed("a blank "+name, "a URI, or no such attribute (SAML Core 1.3.2)")
		}
	}
	if consent := e.Attr("Consent"); e.HasAttr("Consent") && !absolute(consent) {
		return malformed("Consent="+strconv.Quote(consent), "an absolute URI (SAML Core 3.2.1)")
	}
	return nil
}

// parseIssuer wants what the profile wants of an Issuer (SAML Profiles 4.1.4.1):
// an entityID, which no qualifier belongs to (SAML Core 8.3.6).
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
	for _, name := range []string{"NameQualifier", "SPNameQualifier", "SPProvidedID"} {
		if issuer.HasAttr(name) {
			return bad("an Issuer with " + name)
		}
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
	for _, ref := range c.Elements() {
		uri, err := ref.TrimText()
		if err != nil || uri == "" {
			return malformed("a "+ref.Local+" without text", "the URI of a class or of a declaration")
		}
		switch {
		case ref.Is(xmlsec.NSAssertion, "AuthnContextClassRef") && !q.onlyDeclarations:
			q.RequestedAuthnContext.Classes = append(q.RequestedAuthnContext.Classes, identity.ClassRef(uri))
		case ref.Is(xmlsec.NSAssertion, "AuthnContextDeclRef") && len(q.RequestedAuthnContext.Classes) == 0:
			q.onlyDeclarations = true
		default:
			return malformed(ref.Local, "classes, or declarations in their place")
		}
	}
	if len(q.RequestedAuthnContext.Classes) == 0 && !q.onlyDeclarations {
		return malformed("an empty RequestedAuthnContext", "classes or declarations")
	}
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

// versionOf reads a Version (SAML Core 4.1).
func versionOf(s string) (major, minor uint64, ok bool) {
	before, after, found := strings.Cut(s, ".")
	major, err := strconv.ParseUint(before, 10, 16)
	if err != nil || !found {
		return 0, 0, false
	}
	minor, err = strconv.ParseUint(after, 10, 16)
	return major, minor, err == nil
}

// absolute reports whether s is an absolute URI (SAML Core 1.3.2).
func absolute(s string) bool {
	u, err := url.Parse(collapse(s))
	return err == nil && u.IsAbs()
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
