package idp

import (
	"slices"
	"strconv"
	"time"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/xmlsec"
)

// conditions are the saml:Conditions that a request wants our assertion to carry
// (SAML Core 3.4.1, 2.5.1). They make it narrower and never wider.
type conditions struct {
	NotBefore        time.Time         `json:"not_before,omitzero"`
	NotOnOrAfter     time.Time         `json:"not_on_or_after,omitzero"`
	OneTimeUse       bool              `json:"one_time_use,omitempty"`
	ProxyRestriction *proxyRestriction `json:"proxy_restriction,omitempty"`

	audiences [][]identity.EntityID // of each AudienceRestriction
}

// proxyRestriction is a saml:ProxyRestriction (SAML Core 2.5.1.6).
type proxyRestriction struct {
	Count     string              `json:"count,omitempty"` // an xs:nonNegativeInteger; empty: not stated
	Audiences []identity.EntityID `json:"audiences,omitempty"`
}

// parseConditions reads the Conditions. One that we do not know is refused: an
// assertion without it would be worth more than what was asked for.
func (q *authnRequest) parseConditions(e *xmlsec.Element) error {
	el := e.Child(xmlsec.NSAssertion, "Conditions")
	if el == nil {
		return nil
	}
	c := &conditions{}
	var err error
	if c.NotBefore, err = instantOf(el, "NotBefore"); err != nil {
		return err
	}
	if c.NotOnOrAfter, err = instantOf(el, "NotOnOrAfter"); err != nil {
		return err
	}
	if !c.NotBefore.IsZero() && !c.NotOnOrAfter.IsZero() && !c.NotBefore.Before(c.NotOnOrAfter) {
		return malformed("NotBefore not before NotOnOrAfter", "a span of time (SAML Core 2.5.1.2)")
	}
	for _, child := range el.Elements() {
		if err := q.parseCondition(c, child); err != nil {
			return err
		}
	}
	q.Conditions = c
	return nil
}

func (q *authnRequest) parseCondition(c *conditions, e *xmlsec.Element) error {
	switch {
	case e.Is(xmlsec.NSAssertion, "AudienceRestriction"):
		audiences, err := audiencesOf(e)
		if err != nil {
			return err
		}
		if len(audiences) == 0 {
			return malformed("an AudienceRestriction without Audience", "one at least (SAML Core 2.5.1.4)")
		}
		c.audiences = append(c.audiences, audiences)
	case e.Is(xmlsec.NSAssertion, "OneTimeUse") && !c.OneTimeUse:
		c.OneTimeUse = true
	case e.Is(xmlsec.NSAssertion, "ProxyRestriction") && c.ProxyRestriction == nil:
		audiences, err := audiencesOf(e)
		if err != nil {
			return err
		}
		count := collapse(e.Attr("Count"))
		if e.HasAttr("Count") && !isCount(count) {
			return malformed("Count="+strconv.Quote(e.Attr("Count")), "an xs:nonNegativeInteger")
		}
		c.ProxyRestriction = &proxyRestriction{Count: count, Audiences: audiences}
	case e.Is(xmlsec.NSAssertion, "OneTimeUse"), e.Is(xmlsec.NSAssertion, "ProxyRestriction"):
		return malformed("a second "+e.Local, "one at most (SAML Core 2.5.1.5, 2.5.1.6)")
	case e.Is(xmlsec.NSAssertion, "Condition"):
		q.refuse(unsupported("a condition of another kind", "AudienceRestriction, OneTimeUse or ProxyRestriction"))
	default:
		return malformed(e.Local, "a condition (SAML Core 2.5.1)")
	}
	return nil
}

// audiencesOf reads the saml:Audience children of e, which has no others.
func audiencesOf(e *xmlsec.Element) ([]identity.EntityID, error) {
	var found []identity.EntityID
	for _, c := range e.Elements() {
		text, err := c.TrimText()
		if !c.Is(xmlsec.NSAssertion, "Audience") || err != nil || text == "" {
			return nil, malformed(c.Local, "an Audience with a URI (SAML Core 2.5.1.4)")
		}
		found = append(found, identity.EntityID(text))
	}
	return found, nil
}

// isCount reports whether s is an xs:nonNegativeInteger of a sensible size.
func isCount(s string) bool {
	_, err := strconv.ParseUint(s, 10, 31)
	return err == nil
}

// during returns the span within which an assertion may be valid: from and to,
// narrowed as the request wants it. It is empty if to does not lie after from.
func (c *conditions) during(from, to time.Time) (notBefore, notOnOrAfter time.Time) {
	if c == nil {
		return from, to
	}
	if c.NotBefore.After(from) {
		from = c.NotBefore
	}
	if !c.NotOnOrAfter.IsZero() && c.NotOnOrAfter.Before(to) {
		to = c.NotOnOrAfter
	}
	return from, to
}

// check refuses what no assertion of ours at this time can meet: a span that
// leaves nothing, and an audience without the service provider.
func (c *conditions) check(party Party, now time.Time) error {
	if c == nil {
		return nil
	}
	for _, audiences := range c.audiences {
		if !slices.Contains(audiences, party.EntityID) {
			return unmetConditions("an AudienceRestriction without the application", string(party.EntityID))
		}
	}
	if from, to := c.during(now.Add(-validBefore), now.Add(validAfter)); !now.Before(to) || !from.Before(to) {
		return unmetConditions(xmlsec.FormatTime(from)+" to "+xmlsec.FormatTime(to), "a time within "+validAfter.String()+" from now")
	}
	return nil
}

// instantOf reads an attribute of type xs:dateTime; the zero time if it is absent.
func instantOf(e *xmlsec.Element, name string) (time.Time, error) {
	if !e.HasAttr(name) {
		return time.Time{}, nil
	}
	at, err := xmlsec.ParseTime(e.Attr(name))
	if err != nil {
		return time.Time{}, malformed(name+"="+strconv.Quote(e.Attr(name)), "an xs:dateTime in UTC (SAML Core 1.3.3)")
	}
	return at, nil
}

func unmetConditions(seen, expected string) error {
	return &identity.Error{
		Kind: identity.KindInvalid, Code: "sp.conditions", Who: identity.WhoVendor,
		Msg: "The application's request sets conditions under which no answer of ours would count.", Seen: seen, Expected: expected,
	}
}

// write writes the conditions that the assertion carries beside ours, upstream being
// what whoever stands behind us allows. Of ProxyRestrictions there may be one (SAML
// Core 2.5.1.6), so that it says what holds by both.
func (c *conditions) write(w *xmlsec.Writer, upstream identity.ProxyRestriction) {
	if c != nil && c.OneTimeUse {
		w.Element("saml:OneTimeUse", "")
	}
	asked := c != nil && c.ProxyRestriction != nil
	if !asked && !upstream.Given() {
		return
	}
	if asked {
		upstream = upstream.And(c.ProxyRestriction.bounds())
	}
	count := ""
	if upstream.Count != nil {
		count = strconv.Itoa(*upstream.Count)
	}
	w.Open("saml:ProxyRestriction", "Count", count)
	for _, a := range upstream.Audiences {
		w.Element("saml:Audience", string(a))
	}
	w.Close()
}

// bounds is r in our own words.
func (r *proxyRestriction) bounds() identity.ProxyRestriction {
	p := identity.ProxyRestriction{Audiences: r.Audiences}
	if n, err := strconv.ParseInt(r.Count, 10, 32); err == nil { // isCount has seen it; empty: not stated
		count := int(n)
		p.Count = &count
	}
	return p
}
