package sp

import (
	"context"
	"time"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/xmlsec"
)

// accept checks a verified assertion and returns what it says. That it was
// consumed is noted last, so that a refused one can be tried again once the
// fault is repaired.
func (c *Connector) accept(ctx context.Context, a *xmlsec.Element, p pending) (identity.Assertion, error) {
	if a.Attr("Version") != "2.0" || a.Attr("ID") == "" {
		return identity.Assertion{}, malformed("an Assertion without ID or of another Version", "Version 2.0 and an ID")
	}
	if err := c.checkIssuer(a.Child(xmlsec.NSAssertion, "Issuer")); err != nil {
		return identity.Assertion{}, err
	}
	subject := a.Child(xmlsec.NSAssertion, "Subject")
	if subject == nil {
		return identity.Assertion{}, upstream("up.missing_subject", identity.KindInvalid, "The answer does not say whom it is about.", "no Subject", "a Subject with a bearer confirmation")
	}
	principal, err := c.principal(subject)
	if err != nil {
		return identity.Assertion{}, err
	}
	now := c.cfg.Now()
	until, proxy, err := c.checkConditions(a.Child(xmlsec.NSAssertion, "Conditions"), now)
	if err != nil {
		return identity.Assertion{}, err
	}
	confirmed, err := c.checkConfirmations(subject, p, now)
	if err != nil {
		return identity.Assertion{}, err
	}
	out, err := c.statements(a, p, now)
	if err != nil {
		return identity.Assertion{}, err
	}
	out.Principal, out.Proxy = principal, proxy
	if out.Attributes, err = attributes(a); err != nil {
		return identity.Assertion{}, err
	}
	if out.Remarks, err = c.checkScopes(out.Attributes); err != nil {
		return identity.Assertion{}, err
	}
	if until.IsZero() || confirmed.Before(until) {
		until = confirmed
	}
	if err := c.consume(ctx, a.Attr("ID"), until, now); err != nil {
		return identity.Assertion{}, err
	}
	return out, nil
}

// principal reads the NameID. An assertion without one names nobody, which is
// the broker's to judge; an encrypted one is refused, as encrypting the whole
// assertion is the way that works everywhere (saml2int SDP-IDP11).
func (c *Connector) principal(subject *xmlsec.Element) (identity.Principal, error) {
	p := identity.Principal{Issuer: c.issuer}
	if subject.Child(xmlsec.NSAssertion, "EncryptedID") != nil {
		return p, upstream("up.encrypted", identity.KindInvalid, "The answer of the identity provider cannot be decrypted.", "an EncryptedID", "a NameID, within an EncryptedAssertion if need be")
	}
	id := subject.Child(xmlsec.NSAssertion, "NameID")
	if id == nil {
		return p, nil
	}
	return c.nameID(id)
}

// nameID reads a NameID of this IdP (SAML Core 2.2.2).
func (c *Connector) nameID(id *xmlsec.Element) (identity.Principal, error) {
	p := identity.Principal{Issuer: c.issuer}
	text, err := id.Text()
	if err != nil {
		return p, unreadable(err)
	}
	p.Subject = text
	p.Format = identity.Format(id.Attr("Format"))
	p.NameQualifier = id.Attr("NameQualifier")
	p.SPNameQualifier = id.Attr("SPNameQualifier")
	return p, nil
}

// statements reads the AuthnStatements (SAML Core 2.7.2): the first says how and
// when, all of them bound the session.
func (c *Connector) statements(a *xmlsec.Element, p pending, now time.Time) (identity.Assertion, error) {
	all := a.Children(xmlsec.NSAssertion, "AuthnStatement")
	if len(all) == 0 {
		return identity.Assertion{}, malformed("no AuthnStatement", "an AuthnStatement")
	}
	out, err := authnStatement(all[0])
	if err != nil {
		return identity.Assertion{}, err
	}
	if err := c.checkInstant(out.Context.Instant, p, now); err != nil {
		return identity.Assertion{}, err
	}
	for _, s := range all {
		end, err := instant(s, "SessionNotOnOrAfter")
		if err != nil {
			return identity.Assertion{}, err
		}
		if end.IsZero() {
			continue
		}
		if !now.Before(end.Add(c.cfg.Skew)) {
			return identity.Assertion{}, c.late("SessionNotOnOrAfter", end, now)
		}
		if out.NotAfter.IsZero() || end.Before(out.NotAfter) {
			out.NotAfter = end
		}
	}
	return out, nil
}

func authnStatement(s *xmlsec.Element) (identity.Assertion, error) {
	at, err := instant(s, "AuthnInstant")
	if err != nil {
		return identity.Assertion{}, err
	}
	if at.IsZero() {
		return identity.Assertion{}, malformed("no AuthnInstant", "an AuthnStatement with an AuthnInstant")
	}
	out := identity.Assertion{Session: identity.SessionID(s.Attr("SessionIndex"))}
	out.Context.Instant = at
	context := s.Child(xmlsec.NSAssertion, "AuthnContext")
	class, err := context.Child(xmlsec.NSAssertion, "AuthnContextClassRef").TrimText()
	if err != nil {
		return identity.Assertion{}, unreadable(err)
	}
	out.Context.Class = identity.ClassRef(class)
	for _, authority := range context.Children(xmlsec.NSAssertion, "AuthenticatingAuthority") {
		id, err := authority.TrimText()
		if err != nil {
			return identity.Assertion{}, unreadable(err)
		}
		out.Context.Authorities = append(out.Context.Authorities, identity.EntityID(id))
	}
	return out, nil
}

// checkInstant refuses an authentication in the future, and after ForceAuthn one
// that is older than our request (OWASP ASVS 6.8.4).
func (c *Connector) checkInstant(at time.Time, p pending, now time.Time) error {
	if at.After(now.Add(c.cfg.Skew)) {
		return c.early("AuthnInstant", at, now)
	}
	if p.ForceAuthn && at.Before(p.Issued.Add(-c.cfg.Skew)) {
		return upstream("up.stale", identity.KindExpired, "Your organization was asked to sign you in afresh, and did not.",
			xmlsec.FormatTime(at), "AuthnInstant not before "+xmlsec.FormatTime(p.Issued))
	}
	return nil
}
