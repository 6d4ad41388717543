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
func (p *Provider) assertion(w *xmlsec.Writer, to addressee, a identity.Assertion, how protection) error {
	id, err := identity.NewMessageID(p.cfg.Rand)
	if err != nil {
		return err
	}
	w.Open("saml:Assertion",
		"ID", id,
		"Version", "2.0",
		"IssueInstant", xmlsec.FormatTime(to.now))
	w.Element("saml:Issuer", string(p.issuer(to.party)))
	if how.assertion {
		w.SignatureSlot()
	}
	if err := p.writeSubject(w, to, a.Principal, how); err != nil {
		return err
	}
	writeConditions(w, to, a.Proxy)
	to.advice.write(w)
	writeAuthnStatement(w, a)
	p.writeAttributeStatement(w, a.Released)
	w.Close()
	return nil
}

// writeSubject writes a saml:Subject (SAML Core 2.4.1). There is no Address, as
// many browsers have several, and no NotBefore, which the profile forbids.
func (p *Provider) writeSubject(w *xmlsec.Writer, to addressee, person identity.Principal, how protection) error {
	_, notOnOrAfter := to.valid()
	w.Open("saml:Subject")
	switch {
	case person.Subject == "":
	case to.state.EncryptID:
		if err := p.writeEncryptedID(w, person, how); err != nil {
			return err
		}
	default:
		writeNameID(w, person)
	}
	w.Open("saml:SubjectConfirmation", "Method", methodBearer)
	w.Element("saml:SubjectConfirmationData", "",
		"InResponseTo", to.state.InResponseTo,
		"NotOnOrAfter", xmlsec.FormatTime(notOnOrAfter),
		"Recipient", to.state.ACS)
	w.Close()
	w.Close()
	return nil
}

// writeNameID writes a saml:NameID (SAML Core 2.2.3).
func writeNameID(w *xmlsec.Writer, person identity.Principal) {
	w.Element("saml:NameID", person.Subject,
		"Format", string(person.Format),
		"NameQualifier", person.NameQualifier,
		"SPNameQualifier", person.SPNameQualifier)
}

// writeEncryptedID writes a saml:EncryptedID with the NameID in it (SAML Core
// 2.2.4), as a NameIDPolicy with the Format encrypted wants it (SAML Core
// 3.4.1.1).
func (p *Provider) writeEncryptedID(w *xmlsec.Writer, person identity.Principal, how protection) error {
	if how.encrypt == nil {
		return unmetPolicy(string(identity.FormatEncrypted), "an encryption key in the application's metadata, and a safe algorithm for it")
	}
	alone := xmlsec.NewWriter()
	writeNameID(alone, person)
	plain, err := alone.Bytes()
	if err != nil {
		return err
	}
	w.Open("saml:EncryptedID")
	w.EncryptedData(plain, *how.encrypt, p.cfg.Rand)
	w.Close()
	return nil
}

// valid returns the span of time in which the assertion counts.
func (to addressee) valid() (notBefore, notOnOrAfter time.Time) {
	return to.state.Conditions.during(to.now.Add(-validBefore), to.now.Add(validAfter))
}

// writeConditions writes saml:Conditions (SAML Core 2.5.1), those of the request
// and of an upstream among them.
func writeConditions(w *xmlsec.Writer, to addressee, proxy identity.ProxyRestriction) {
	notBefore, notOnOrAfter := to.valid()
	w.Open("saml:Conditions",
		"NotBefore", xmlsec.FormatTime(notBefore),
		"NotOnOrAfter", xmlsec.FormatTime(notOnOrAfter))
	w.Open("saml:AudienceRestriction")
	w.Element("saml:Audience", string(to.party.EntityID))
	w.Close()
	to.state.Conditions.write(w, proxy)
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
