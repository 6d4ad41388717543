package idp

import (
	"strconv"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/xmlsec"
)

// parseScoping reads a samlp:Scoping (SAML Core 3.4.1.2): through whom the answer
// may come. Name, Loc and GetComplete are read past: we know identity providers
// by their metadata alone, and never fetch an address that a request names; a
// list that is not complete then bounds us more than it had to.
func (q *authnRequest) parseScoping(e *xmlsec.Element) error {
	s := e.Child(xmlsec.NSProtocol, "Scoping")
	if s == nil {
		return nil
	}
	if s.HasAttr("ProxyCount") {
		n, err := strconv.ParseUint(collapse(s.Attr("ProxyCount")), 10, 31)
		if err != nil {
			return malformed("ProxyCount="+strconv.Quote(s.Attr("ProxyCount")), "an xs:nonNegativeInteger")
		}
		count := int(n)
		q.Scoping.ProxyCount = &count
	}
	for i, c := range s.Elements() {
		switch {
		case c.Is(xmlsec.NSProtocol, "IDPList") && i == 0:
			if err := q.parseIDPList(c); err != nil {
				return err
			}
		case c.Is(xmlsec.NSProtocol, "RequesterID"):
			id, err := c.TrimText()
			if err != nil || id == "" {
				return malformed("a RequesterID without text", "an entityID")
			}
			q.Scoping.Requesters = append(q.Scoping.Requesters, identity.EntityID(id))
		default:
			return malformed(c.Local, "an IDPList, then RequesterIDs (SAML Core 3.4.1.2)")
		}
	}
	return nil
}

// parseIDPList reads a samlp:IDPList (SAML Core 3.4.1.3).
func (q *authnRequest) parseIDPList(list *xmlsec.Element) error {
	children := list.Elements()
	for i, c := range children {
		if c.Is(xmlsec.NSProtocol, "GetComplete") && i > 0 && i == len(children)-1 {
			continue
		}
		id := collapse(c.Attr("ProviderID"))
		if !c.Is(xmlsec.NSProtocol, "IDPEntry") || id == "" {
			return malformed(c.Local, "IDPEntries with a ProviderID, then at most one GetComplete (SAML Core 3.4.1.3)")
		}
		q.Scoping.IDPList = append(q.Scoping.IDPList, identity.EntityID(id))
	}
	if len(q.Scoping.IDPList) == 0 {
		return malformed("an empty IDPList", "an IDPEntry (SAML Core 3.4.1.3)")
	}
	return nil
}
