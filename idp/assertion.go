package idp

import (
	"cmp"
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
	w.Element("saml:Issuer", string(p.issuer(to.party)))
	if sign {
		w.SignatureSlot()
	}
	writeSubject(w, to, a.Principal)
	writeConditions(w, to)
	writeAuthnStatement(w, a)
	p.writeAttributeStatement(w, a.Released)
	w.Close()
	return nil
}

// writeSubject writes a saml:Subject (SAML Core 2.4.1). There is no Address, as
// many browsers have several, and no NotBefore, which the profile forbids.
func writeSubject(w *xmlsec.Writer, to addressee, p identity.Principal) {
	_, notOnOrAfter := to.valid()
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
		"NotOnOrAfter", xmlsec.FormatTime(notOnOrAfter),
		"Recipient", to.state.ACS)
	w.Close()
	w.Close()
}

// valid returns the span of time in which the assertion counts.
func (to addressee) valid() (notBefore, notOnOrAfter time.Time) {
	return to.state.Conditions.during(to.now.Add(-validBefore), to.now.Add(validAfter))
}

// writeConditions writes saml:Conditions (SAML Core 2.5.1), those of the request
// among them.
func writeConditions(w *xmlsec.Writer, to addressee) {
	notBefore, notOnOrAfter := to.valid()
	w.Open("saml:Conditions",
		"NotBefore", xmlsec.FormatTime(notBefore),
		"NotOnOrAfter", xmlsec.FormatTime(notOnOrAfter))
	w.Open("saml:AudienceRestriction")
	w.Element("saml:Audience", string(to.party.EntityID))
	w.Close()
	to.state.Conditions.write(w)
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
