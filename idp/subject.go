package idp

import (
	"cmp"
	"crypto"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/xmlsec"
)

// subject is the saml:NameID of a request's saml:Subject: the person whom the
// answer has to be about (SAML Core 3.4.1.4).
type subject struct {
	NameID          string          `json:"name_id"`
	Format          identity.Format `json:"format,omitempty"`
	NameQualifier   string          `json:"name_qualifier,omitempty"`
	SPNameQualifier string          `json:"sp_name_qualifier,omitempty"`
	SPProvidedID    string          `json:"sp_provided_id,omitempty"`
}

// parseSubject reads a saml:Subject (SAML Core 2.4.1): one identifier, then
// confirmations. The latter must not be there (SAML Profiles 4.1.4.1): how the
// assertion is confirmed is the profile's matter and never the requester's.
func (q *authnRequest) parseSubject(e *xmlsec.Element) error {
	s := e.Child(xmlsec.NSAssertion, "Subject")
	if s == nil {
		return nil
	}
	children := s.Elements()
	if len(children) == 0 {
		return malformed("an empty Subject", "an identifier (SAML Core 2.4.1)")
	}
	for i, c := range children {
		switch {
		case c.Is(xmlsec.NSAssertion, "SubjectConfirmation"):
			q.refuse(unsupported("a SubjectConfirmation", "none in the Subject of a request (SAML Profiles 4.1.4.1)"))
		case i > 0:
			return malformed(c.Local, "one identifier, before all confirmations (SAML Core 2.4.1)")
		case c.Is(xmlsec.NSAssertion, "NameID"):
			var err error
			if q.Subject, err = nameIDOf(c); err != nil {
				return err
			}
		case c.Is(xmlsec.NSAssertion, "EncryptedID"):
			q.encryptedID = c
		case c.Is(xmlsec.NSAssertion, "BaseID"):
			q.refuse(unsupported("a BaseID", "a NameID"))
		default:
			return malformed(c.Local, "a NameID (SAML Core 2.4.1)")
		}
	}
	return nil
}

// nameIDOf reads a saml:NameID (SAML Core 2.2.3).
func nameIDOf(e *xmlsec.Element) (*subject, error) {
	text, err := e.Text()
	if err != nil || text == "" {
		return nil, malformed("a NameID without text", "the identifier of a person")
	}
	return &subject{
		NameID: text, Format: identity.Format(e.Attr("Format")), NameQualifier: e.Attr("NameQualifier"),
		SPNameQualifier: e.Attr("SPNameQualifier"), SPProvidedID: e.Attr("SPProvidedID"),
	}, nil
}

// openSubject decrypts an EncryptedID. One that does not open names nobody whom
// we know; why it does not is for the log alone.
func (p *Provider) openSubject(rq *authnRequest, party Party) {
	if rq.encryptedID == nil || rq.refusal != nil {
		return
	}
	var keys []crypto.Decrypter
	for _, k := range p.cfg.Keys.Encryption() {
		keys = append(keys, k.Decrypter)
	}
	doc, err := xmlsec.DecryptID(rq.encryptedID, keys, xmlsec.RequestLimits(), party.Refused...)
	if err == nil {
		rq.Subject, err = nameIDOf(doc.Root())
	}
	if err != nil {
		why := errSubject()
		why.Err = err
		rq.refuse(why)
	}
}

// checkSubject refuses a Subject that no answer could match, before anybody is
// asked to sign in: its format is not the one that the policy demands, or none
// that we issue.
func checkSubject(rq *authnRequest, party Party) error {
	s, policy := rq.Subject, rq.NameIDPolicy.Format
	if s == nil || s.Format == "" || s.Format == identity.FormatUnspecified {
		return nil
	}
	if policy != "" && policy != identity.FormatUnspecified && policy != identity.FormatEncrypted && policy != s.Format {
		return unmetPolicy(string(policy), string(s.Format)+", the format of the Subject")
	}
	if !issues(party, s.Format) || s.SPProvidedID != "" {
		return errSubject()
	}
	return nil
}

// matches is the strong match of SAML Core 3.3.4: what the request leaves out
// matches, and a Subject of no particular format goes by its value. What an
// assertion leaves out are the qualifiers that everybody knows.
func (s *subject) matches(p identity.Principal, audience identity.EntityID) bool {
	format := s.Format == "" || s.Format == identity.FormatUnspecified || s.Format == p.Format
	return s.NameID != "" && s.NameID == p.Subject && format && s.SPProvidedID == "" &&
		(s.NameQualifier == "" || s.NameQualifier == cmp.Or(p.NameQualifier, string(p.Issuer))) &&
		(s.SPNameQualifier == "" || s.SPNameQualifier == cmp.Or(p.SPNameQualifier, string(audience)))
}

func errSubject() *identity.Error {
	return &identity.Error{
		Kind: identity.KindNotFound, Code: "sp.subject", Who: identity.WhoUser,
		Msg: "The application asked for somebody else than the person who is signed in.",
	}
}
