package main

import (
	"fmt"

	"github.com/samlet-id/samlet/internal/xmlsec"
)

// readEnvelope reads what is said outside of the assertion.
func (r *rehearsal) readEnvelope(octets []byte) error {
	doc, err := xmlsec.Parse(octets, xmlsec.ResponseLimits())
	if err != nil {
		return fmt.Errorf("reading our own Response: %w", err)
	}
	root := doc.Root()
	r.Destination = root.Attr("Destination")
	r.Signed.Response = signatureOf(root)
	if sealed := root.Child(xmlsec.NSAssertion, "EncryptedAssertion"); sealed != nil {
		data := sealed.Child(xmlsec.NSXEnc, "EncryptedData")
		r.Encrypted = &rehearsedEncryption{Content: methodOf(data)}
		if key := find(sealed, xmlsec.NSXEnc, "EncryptedKey"); key != nil {
			r.Encrypted.KeyTransport = methodOf(key)
		}
	}
	return nil
}

// readAssertion reads the assertion of a Response that has it in clear.
func (r *rehearsal) readAssertion(octets []byte) error {
	doc, err := xmlsec.Parse(octets, xmlsec.ResponseLimits())
	if err != nil {
		return fmt.Errorf("reading our own Response: %w", err)
	}
	a := doc.Root().Child(xmlsec.NSAssertion, "Assertion")
	if a == nil {
		return fmt.Errorf("there is no assertion in our own Response")
	}
	r.Issuer = textOf(a.Child(xmlsec.NSAssertion, "Issuer"))
	r.Audience = textOf(find(a, xmlsec.NSAssertion, "Audience"))
	r.Signed.Assertion = signatureOf(a)
	r.readSubject(a)
	if s := a.Child(xmlsec.NSAssertion, "AuthnStatement"); s != nil {
		r.SessionUntil = s.Attr("SessionNotOnOrAfter")
		r.Context.Class = textOf(find(s, xmlsec.NSAssertion, "AuthnContextClassRef"))
		if c := s.Child(xmlsec.NSAssertion, "AuthnContext"); c != nil {
			for _, authority := range c.Children(xmlsec.NSAssertion, "AuthenticatingAuthority") {
				r.Context.Authorities = append(r.Context.Authorities, textOf(authority))
			}
		}
	}
	statement := a.Child(xmlsec.NSAssertion, "AttributeStatement")
	if statement == nil {
		return nil
	}
	for _, e := range statement.Children(xmlsec.NSAssertion, "Attribute") {
		r.Attributes = append(r.Attributes, readAttribute(e))
	}
	return nil
}

func (r *rehearsal) readSubject(a *xmlsec.Element) {
	if id := find(a, xmlsec.NSAssertion, "NameID"); id != nil {
		r.NameID = &rehearsedName{
			Value: textOf(id), Format: id.Attr("Format"),
			NameQualifier: id.Attr("NameQualifier"), SPNameQualifier: id.Attr("SPNameQualifier"),
		}
	}
	if data := find(a, xmlsec.NSAssertion, "SubjectConfirmationData"); data != nil {
		r.Recipient = data.Attr("Recipient")
	}
}

func readAttribute(e *xmlsec.Element) rehearsedAttribute {
	out := rehearsedAttribute{Name: e.Attr("Name"), NameFormat: e.Attr("NameFormat"), FriendlyName: e.Attr("FriendlyName")}
	for _, v := range e.Children(xmlsec.NSAssertion, "AttributeValue") {
		text := textOf(v)
		if inner := v.Child(xmlsec.NSAssertion, "NameID"); inner != nil {
			text = textOf(inner) // as in eduPersonTargetedID
		}
		out.Values = append(out.Values, rehearsedValue{Value: text, Sources: []string{"samlet"}})
	}
	return out
}

// signatureOf is the algorithm of the signature that is a child of e, or "".
func signatureOf(e *xmlsec.Element) string {
	s := e.Child(xmlsec.NSDSig, "Signature")
	if s == nil {
		return ""
	}
	if m := find(s, xmlsec.NSDSig, "SignatureMethod"); m != nil {
		return m.Attr("Algorithm")
	}
	return ""
}

func methodOf(e *xmlsec.Element) string {
	if e == nil {
		return ""
	}
	if m := e.Child(xmlsec.NSXEnc, "EncryptionMethod"); m != nil {
		return m.Attr("Algorithm")
	}
	return ""
}

// find returns the first descendant of that name in document order, or nil.
func find(e *xmlsec.Element, space, local string) *xmlsec.Element {
	for _, c := range e.Elements() {
		if c.Is(space, local) {
			return c
		}
		if found := find(c, space, local); found != nil {
			return found
		}
	}
	return nil
}

// textOf is the text of an element of ours; "" if it is not there.
func textOf(e *xmlsec.Element) string {
	if e == nil {
		return ""
	}
	text, err := e.Text()
	if err != nil { // markup inside
		return ""
	}
	return text
}
