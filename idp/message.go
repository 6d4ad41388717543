package idp

import (
	"strconv"
	"time"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/xmlsec"
)

// message is what requests and responses of all protocols have in common (SAML
// Core 3.2.1, 3.2.2).
type message struct {
	ID           string
	Version      string
	IssueInstant time.Time
	Destination  string
	Issuer       identity.EntityID
}

// parseMessage reads what is common to the message e of this name, whose children
// come in this order. Like parseAuthnRequest it judges form alone, and says with
// malformed what is wrong with it.
func parseMessage(e *xmlsec.Element, malformed func(seen, expected string) *identity.Error, local string, order ...xmlName) (message, error) {
	if !e.Is(xmlsec.NSProtocol, local) {
		return message{}, malformed(e.Local, "samlp:"+local)
	}
	if c := outOfOrder(e, order); c != nil {
		return message{}, malformed(c.Local, "the children of a "+local+" in the order of the schema")
	}
	m := message{ID: e.Attr("ID"), Version: e.Attr("Version"), Destination: e.Attr("Destination")}
	if !isNCName(m.ID) {
		return m, malformed("ID="+strconv.Quote(m.ID), "an xs:ID (SAML Core 3.2.1)")
	}
	if m.Version == "" {
		return m, malformed("no Version", "2.0 (SAML Core 3.2.1)")
	}
	var err error
	if m.IssueInstant, err = xmlsec.ParseTime(e.Attr("IssueInstant")); err != nil {
		return m, malformed("IssueInstant="+strconv.Quote(e.Attr("IssueInstant")), "an xs:dateTime in UTC (SAML Core 1.3.3)")
	}
	issuer := e.Child(xmlsec.NSAssertion, "Issuer")
	if f := issuer.Attr("Format"); f != "" && f != string(identity.FormatEntity) {
		return m, malformed("an Issuer of Format "+f, "the application's entityID (SAML Core 2.2.5)")
	}
	text, err := issuer.Text()
	if err != nil || text == "" {
		return m, malformed("no Issuer, or none that can be read", "the application's entityID (SAML Core 2.2.5)")
	}
	m.Issuer = identity.EntityID(text)
	return m, nil
}

// xmlName is an element in the sequence of a schema; many says that it may come
// several times.
type xmlName struct {
	space, local string
	many         bool
}

// outOfOrder returns the first child of e that is not of the schema, or not where
// it belongs; nil if there is none.
func outOfOrder(e *xmlsec.Element, order []xmlName) *xmlsec.Element {
	next := 0
	for _, c := range e.Elements() {
		at := next
		for at < len(order) && !c.Is(order[at].space, order[at].local) {
			at++
		}
		if at == len(order) {
			return c
		}
		next = at + 1
		if order[at].many {
			next = at
		}
	}
	return nil
}
