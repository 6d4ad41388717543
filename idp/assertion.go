package idp

import (
	"cmp"
	"net/url"
	"slices"
	"time"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/xmlsec"
)

// An assertion is valid for five minutes in all. It begins a little before it is
// made, for service providers whose clocks are slow and which tolerate nothing.
const (
	validBefore = 30 * time.Second
	validAfter  = 5*time.Minute - validBefore
)

const methodBearer = "urn:oasis:names:tc:SAML:2.0:cm:bearer"

// assertion writes a saml:Assertion (SAML Core 2.3.3) for the Web Browser SSO
// profile (SAML Profiles 4.1.4.2): one subject with one bearer confirmation, one
// audience, one AuthnStatement, and at most one AttributeStatement.
func (p *Provider) assertion(w *xmlsec.Writer, to addressee, a identity.Assertion, sign bool) error {
	id, err := identity.NewMessageID(p.cfg.Rand)
	if err != nil {
		return err
	}
	w.Open("saml:Assertion",
		"ID", id,
		"Version", "2.0",
		"IssueInstant", xmlsec.FormatTime(to.now))
	w.Element("saml:Issuer", string(p.cfg.EntityID))
	if sign {
		w.SignatureSlot()
	}
	writeSubject(w, to, a.Principal)
	writeConditions(w, to)
	writeAuthnStatement(w, a)
	p.writeAttributeStatement(w, to.party.Release, a.Attributes)
	w.Close()
	return nil
}

// writeSubject writes a saml:Subject (SAML Core 2.4.1). There is no Address, as
// many browsers have several, and no NotBefore, which the profile forbids.
func writeSubject(w *xmlsec.Writer, to addressee, p identity.Principal) {
	w.Open("saml:Subject")
	if p.Subject != "" {
		w.Element("saml:NameID", p.Subject,
			"Format", string(p.Format),
			"NameQualifier", p.NameQualifier,
			"SPNameQualifier", p.SPNameQualifier)
	}
	w.Open("saml:SubjectConfirmation", "Method", methodBearer)
	w.Element("saml:SubjectConfirmationData", "",
		"InResponseTo", to.state.InResponseTo,
		"NotOnOrAfter", xmlsec.FormatTime(to.now.Add(validAfter)),
		"Recipient", to.state.ACS)
	w.Close()
	w.Close()
}

// writeConditions writes saml:Conditions (SAML Core 2.5.1).
func writeConditions(w *xmlsec.Writer, to addressee) {
	w.Open("saml:Conditions",
		"NotBefore", xmlsec.FormatTime(to.now.Add(-validBefore)),
		"NotOnOrAfter", xmlsec.FormatTime(to.now.Add(validAfter)))
	w.Open("saml:AudienceRestriction")
	w.Element("saml:Audience", string(to.party.EntityID))
	w.Close()
	w.Close()
}

// writeAuthnStatement writes a saml:AuthnStatement (SAML Core 2.7.2).
func writeAuthnStatement(w *xmlsec.Writer, a identity.Assertion) {
	notOnOrAfter := ""
	if !a.NotAfter.IsZero() {
		notOnOrAfter = xmlsec.FormatTime(a.NotAfter)
	}
	w.Open("saml:AuthnStatement",
		"AuthnInstant", xmlsec.FormatTime(a.Context.Instant),
		"SessionIndex", string(a.Session),
		"SessionNotOnOrAfter", notOnOrAfter)
	w.Open("saml:AuthnContext")
	w.Element("saml:AuthnContextClassRef", string(cmp.Or(a.Context.Class, identity.ClassUnspecified)))
	for _, authority := range a.Context.Authorities {
		w.Element("saml:AuthenticatingAuthority", string(authority))
	}
	w.Close()
	w.Close()
}

// writeAttributeStatement writes a saml:AttributeStatement (SAML Core 2.7.3), or
// nothing where nothing is released: it must not be empty.
func (p *Provider) writeAttributeStatement(w *xmlsec.Writer, rules []identity.ReleaseRule, attributes identity.Attributes) {
	names := attributes.Names()
	if len(names) == 0 {
		return
	}
	w.Open("saml:AttributeStatement")
	for _, n := range names {
		for _, on := range p.wireNames(n, rules) {
			w.Open("saml:Attribute",
				"Name", on.name,
				"NameFormat", string(on.format),
				"FriendlyName", on.friendly)
			for _, v := range attributes[n] {
				w.Element("saml:AttributeValue", v)
			}
			w.Close()
		}
	}
	w.Close()
}

// wireName is what one service provider calls an attribute.
type wireName struct {
	name     string
	format   identity.NameFormat
	friendly string
}

// wireNames returns what the service provider calls n: as each of its rules for
// n says, else as the catalogue does. A name that is unknown on the wire goes by
// our own.
func (p *Provider) wireNames(n identity.Name, rules []identity.ReleaseRule) []wireName {
	row, _ := p.cfg.Catalogue.Lookup(n) // the zero row has no SAML name
	usual := wireName{name: row.SAMLName, format: row.NameFormat, friendly: row.FriendlyName}
	if usual.name == "" {
		usual = wireName{name: string(n), format: identity.NameFormatBasic}
	}
	var out []wireName
	for _, r := range rules {
		if r.Attribute != n {
			continue
		}
		on := usual
		if r.As != "" {
			on = wireName{name: r.As, format: cmp.Or(r.NameFormat, formatOf(r.As)), friendly: row.FriendlyName}
		}
		if !slices.Contains(out, on) {
			out = append(out, on)
		}
	}
	if len(out) == 0 {
		return []wireName{usual}
	}
	return out
}

// formatOf guesses the format of a name that the operator chose.
func formatOf(name string) identity.NameFormat {
	if u, err := url.Parse(name); err == nil && u.IsAbs() {
		return identity.NameFormatURI
	}
	return identity.NameFormatBasic
}
