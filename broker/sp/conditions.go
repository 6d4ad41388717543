package sp

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/xmlsec"
	"github.com/samlet-id/samlet/store"
)

// checkConditions checks the Conditions (SAML Core 2.5.1) and returns their
// NotOnOrAfter, zero if there is none, and what we in turn may issue. A condition
// that we do not know makes the assertion's validity unknown, so it is refused.
func (c *Connector) checkConditions(conditions *xmlsec.Element, now time.Time) (until time.Time, proxy identity.ProxyRestriction, err error) {
	if conditions == nil {
		return until, proxy, upstream("up.missing_conditions", identity.KindInvalid, "The answer does not say for whom and how long it counts.", "no Conditions", "Conditions with an AudienceRestriction")
	}
	until, err = c.checkWindow(conditions, now)
	if err != nil {
		return until, proxy, err
	}
	restricted := false
	for _, condition := range conditions.Elements() {
		switch {
		case condition.Is(xmlsec.NSAssertion, "AudienceRestriction"):
			restricted = true
			err = c.checkAudience(condition)
		case condition.Is(xmlsec.NSAssertion, "OneTimeUse"):
			// Every assertion is consumed once here (SAML Core 2.5.1.5).
		case condition.Is(xmlsec.NSAssertion, "ProxyRestriction"):
			var one identity.ProxyRestriction
			one, err = proxyRestriction(condition)
			proxy = proxy.And(one)
		default:
			err = upstream("up.condition", identity.KindInvalid, "The answer is bound to a condition that is not known here.", condition.Local, "AudienceRestriction, OneTimeUse or ProxyRestriction")
		}
		if err != nil {
			return until, proxy, err
		}
	}
	if !restricted {
		return until, proxy, c.wrongAudience("no AudienceRestriction")
	}
	return until, proxy, nil
}

// checkWindow checks NotBefore and NotOnOrAfter of e against now, give or take
// the skew, and returns the latter.
func (c *Connector) checkWindow(e *xmlsec.Element, now time.Time) (until time.Time, err error) {
	from, err := instant(e, "NotBefore")
	if err != nil {
		return until, err
	}
	if until, err = instant(e, "NotOnOrAfter"); err != nil {
		return until, err
	}
	if !from.IsZero() && now.Add(c.cfg.Skew).Before(from) {
		return until, c.early("NotBefore", from, now)
	}
	if !until.IsZero() && !now.Before(until.Add(c.cfg.Skew)) {
		return until, c.late("NotOnOrAfter", until, now)
	}
	return until, nil
}

// checkAudience wants our entityID among the Audiences of one
// AudienceRestriction; several restrictions must each have it (SAML Core
// 2.5.1.4).
func (c *Connector) checkAudience(restriction *xmlsec.Element) error {
	listed, err := audiences(restriction)
	if err != nil {
		return err
	}
	if !slices.Contains(listed, c.cfg.EntityID) {
		seen := make([]string, len(listed))
		for i, id := range listed {
			seen[i] = string(id)
		}
		return c.wrongAudience(strings.Join(seen, " "))
	}
	return nil
}

// audiences reads the Audience elements of a condition.
func audiences(condition *xmlsec.Element) ([]identity.EntityID, error) {
	var listed []identity.EntityID
	for _, audience := range condition.Children(xmlsec.NSAssertion, "Audience") {
		text, err := audience.TrimText()
		if err != nil {
			return nil, unreadable(err)
		}
		listed = append(listed, identity.EntityID(text))
	}
	return listed, nil
}

func (c *Connector) wrongAudience(seen string) *identity.Error {
	return upstream("up.audience", identity.KindInvalid, "The answer of the identity provider was meant for another application.", seen, string(c.cfg.EntityID))
}

// proxyRestriction reads what an upstream allows to be issued on the strength of
// its assertion, which is all that we do with it: one that forbids it outright is
// refused (SAML Core 2.5.1.6). For whom is judged when it is known who asks.
func proxyRestriction(condition *xmlsec.Element) (identity.ProxyRestriction, error) {
	var p identity.ProxyRestriction
	if condition.HasAttr("Count") {
		text := strings.TrimSpace(condition.Attr("Count"))
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil && !errors.Is(err, strconv.ErrRange) || n < 0 {
			return p, malformed("ProxyRestriction with Count "+strconv.Quote(text), "an xs:nonNegativeInteger")
		}
		if n == 0 {
			return p, proxyRestricted("Count " + text)
		}
		count := int(min(n, math.MaxInt32))
		p.Count = &count
	}
	var err error
	p.Audiences, err = audiences(condition)
	return p, err
}

func proxyRestricted(seen string) *identity.Error {
	return upstream("up.proxy_restriction", identity.KindDenied, "Your organization does not allow its sign-in to be passed on.", "a ProxyRestriction with "+seen, "none, or a Count of at least 1")
}

// checkConfirmations wants one bearer SubjectConfirmation that is wholly valid
// and ignores all others (SAML Profiles 4.1.4.3). When none is, the first
// bearer's fault is returned. It returns the latest NotOnOrAfter of any bearer
// confirmation: until then the assertion could come again.
func (c *Connector) checkConfirmations(subject *xmlsec.Element, p pending, now time.Time) (until time.Time, err error) {
	const bearer = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
	valid := false
	for _, confirmation := range subject.Children(xmlsec.NSAssertion, "SubjectConfirmation") {
		if confirmation.Attr("Method") != bearer {
			continue
		}
		end, fault := c.checkConfirmation(confirmation.Child(xmlsec.NSAssertion, "SubjectConfirmationData"), p, now)
		if end.After(until) {
			until = end
		}
		valid = valid || fault == nil
		if err == nil {
			err = fault
		}
	}
	switch {
	case valid:
		return until, nil
	case err != nil:
		return until, err
	}
	return until, unconfirmed("no bearer SubjectConfirmation", "one")
}

// checkConfirmation checks the data of one bearer confirmation: NotOnOrAfter has
// to be there, NotBefore may not (SAML Profiles 4.1.4.2).
func (c *Connector) checkConfirmation(data *xmlsec.Element, p pending, now time.Time) (until time.Time, err error) {
	if data == nil {
		return until, unconfirmed("no SubjectConfirmationData", "SubjectConfirmationData")
	}
	if data.HasAttr("NotBefore") || !data.HasAttr("NotOnOrAfter") {
		return until, unconfirmed("a bearer confirmation with NotBefore or without NotOnOrAfter", "NotOnOrAfter alone")
	}
	if until, err = c.checkWindow(data, now); err != nil {
		return until, err
	}
	if seen := data.Attr("Recipient"); seen != c.cfg.ACS {
		return until, upstream("up.recipient", identity.KindInvalid, "The answer of the identity provider was meant for another address.", seen, c.cfg.ACS)
	}
	return until, checkInResponseTo(data, p)
}

func unconfirmed(seen, expected string) *identity.Error {
	return upstream("up.confirmation", identity.KindInvalid, "The answer does not confirm that it is about you.", seen, expected)
}

// consume notes that the assertion was used, in the store that all nodes share
// and that outlives restarts, for as long as it could be presented again (SAML
// Profiles 4.1.4.5). IDs are unique per issuer only. No ID of XML holds a
// blank, so that the key is unambiguous.
func (c *Connector) consume(ctx context.Context, id string, until, now time.Time) error {
	ticket := store.Ticket{Purpose: store.PurposeReplay, ID: "saml " + string(c.issuer) + " " + id, Expires: until.Add(c.cfg.Skew)}
	err := c.cfg.Store.Update(ctx, func(tx *store.Tx) error { return tx.Tickets.Put(ctx, ticket, now) })
	if errors.Is(err, &identity.Error{Kind: identity.KindExists}) {
		return &identity.Error{
			Kind: identity.KindReplayed, Code: "up.replay", Who: identity.WhoUser, Err: err, Seen: id, Expected: "an assertion that was not used before",
			Msg: "This sign-in was used already. Please start again from the application.",
		}
	}
	if err != nil {
		return fmt.Errorf("noting that an assertion was consumed: %w", err)
	}
	return nil
}

// instant reads an xs:dateTime attribute, zero if it is absent.
func instant(e *xmlsec.Element, name string) (time.Time, error) {
	if !e.HasAttr(name) {
		return time.Time{}, nil
	}
	t, err := xmlsec.ParseTime(e.Attr(name))
	if err != nil || t.IsZero() {
		return time.Time{}, malformed(name+" "+e.Attr(name), "a time such as 2026-11-23T18:00:00Z")
	}
	return t, nil
}

func (c *Connector) early(what string, at, now time.Time) *identity.Error {
	return c.offClock(identity.KindInvalid, fmt.Sprintf("%s lies %d s ahead of our clock", what, int(at.Sub(now).Seconds())))
}

func (c *Connector) late(what string, at, now time.Time) *identity.Error {
	return c.offClock(identity.KindExpired, fmt.Sprintf("%s lies %d s behind our clock", what, int(now.Sub(at).Seconds())))
}

func (c *Connector) offClock(kind identity.Kind, seen string) *identity.Error {
	return upstream("up.clock", kind, "The answer of the identity provider does not count at this time. Please start again from the application.",
		seen, fmt.Sprintf("%d s at most", int(c.cfg.Skew.Seconds())))
}
