package explain

import (
	"strconv"
	"time"

	"github.com/samlet-id/samlet/binding"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/xmlsec"
	"github.com/samlet-id/samlet/metadata"
)

func anybody(*metadata.Entity) bool { return true }

// asIDP reports whether e acts as an identity provider where both roles send the
// same messages.
func (e *Entity) asIDP() bool { return e != nil && e.IDP != nil }

// addresses are the logout endpoints of who can be at the other end.
func (j *judge) addresses(sender *Entity) []string {
	var found []string
	for _, e := range j.others(sender, anybody) {
		for _, role := range []*metadata.Role{e.role(true), e.role(false)} {
			if role != nil {
				found = append(found, locations(role.SLO)...)
			}
		}
	}
	return found
}

// logoutRequest judges e in the order in which a session is ended.
func (j *judge) logoutRequest(r *Report, e *xmlsec.Element) {
	read, sender := j.backAndForth(r, e, maxRequestAge)
	if r.ID != "" {
		j.asked[r.ID] = true
	}
	idp := sender.asIDP()
	if s := read.Attr("NotOnOrAfter"); s != "" {
		if until, err := xmlsec.ParseTime(s); err != nil {
			r.fail(Check{ID: "not_on_or_after", Detail: "The NotOnOrAfter is not a time.", Seen: s, Expected: "an xs:dateTime", Who: whose(sender, idp)})
		} else {
			j.until(r, "not_on_or_after", "NotOnOrAfter", until, "")
		}
	}
	id := read.Child(xmlsec.NSAssertion, "NameID")
	sessions := len(read.Children(xmlsec.NSProtocol, "SessionIndex"))
	switch {
	case read.Child(xmlsec.NSAssertion, "EncryptedID") != nil:
		r.skip("logout_subject", "The NameID is encrypted.")
	case id == nil || text(id) == "":
		r.fail(Check{ID: "logout_subject", Detail: "The request does not say whose session ends.", Seen: "no NameID", Expected: "the NameID of the sign-in, with its qualifiers", Who: whose(sender, idp)})
	case sessions == 0:
		r.pass("logout_subject", "%s; no SessionIndex: every session of the person ends.", nameIDWords(id.Attr("Format")))
	default:
		r.pass("logout_subject", "%s; %d SessionIndex.", nameIDWords(id.Attr("Format")), sessions)
	}
}

// logoutResponse judges e.
func (j *judge) logoutResponse(r *Report, e *xmlsec.Element) {
	read, _ := j.backAndForth(r, e, 0)
	j.inResponseTo(r, read)
	j.status(r, read)
}

// backAndForth judges what all messages have that either side may send. It
// returns the element to read on.
func (j *judge) backAndForth(r *Report, e *xmlsec.Element, maxAge time.Duration) (*xmlsec.Element, *Entity) {
	sender := j.lookup(r.Issuer, nil)
	idp := sender.asIDP()
	j.form(r, e, idp)
	sender = j.issuer(r, e, anybody, idp)
	read, inXML := j.verify(r, e, sender, idp)
	overQuery := j.verifyQuery(r, sender, idp)
	signed := overQuery || inXML && j.message.SAML.Binding != identity.BindingRedirect
	browser := j.message.SAML.Binding == identity.BindingRedirect || j.message.SAML.Binding == identity.BindingPOST
	switch {
	case signed:
		r.pass("signature_required", "It is signed.")
	case browser:
		r.fail(Check{ID: "signature_required", Detail: "What travels through a browser has to be signed, or anybody could end sessions.", Seen: "no valid signature", Expected: "a valid signature", Who: whose(sender, idp), Code: codeOf("unsigned", idp)})
	default:
		r.skip("signature_required", "It is not signed; whether the connection proved the sender, the message does not tell.")
	}
	j.destination(r, read, signed, idp, j.addresses(sender))
	j.common(r, read, idp, maxAge)
	return read, sender
}

// artifactResolve judges the fetching of a message.
func (j *judge) artifactResolve(r *Report, e *xmlsec.Element) {
	sender := j.lookup(r.Issuer, nil)
	idp := sender.asIDP()
	j.form(r, e, idp)
	sender = j.issuer(r, e, anybody, idp)
	read, signed := j.verify(r, e, sender, idp)
	if signed {
		r.pass("signature_required", "It is signed.")
	} else {
		r.skip("signature_required", "It is not signed; whether the connection proved the sender, the message does not tell.")
	}
	j.common(r, read, idp, maxRequestAge)
	if r.ID != "" {
		j.asked[r.ID] = true
	}
	a, err := binding.ParseArtifact(text(read.Child(xmlsec.NSProtocol, "Artifact")))
	if err != nil {
		r.failed("artifact", err, whose(sender, idp))
		return
	}
	in := Report{}
	j.artifact(&in, a)
	r.Checks = append(r.Checks, in.Checks...)
}

// artifactResponse judges the fetched message, and what it holds by itself: the
// connection brought it, so that no signature of its own is demanded of it here
// (SAML Bindings 3.6.7).
func (j *judge) artifactResponse(r *Report, e *xmlsec.Element) {
	sender := j.lookup(r.Issuer, nil)
	idp := sender.asIDP()
	j.form(r, e, idp)
	sender = j.issuer(r, e, anybody, idp)
	read, _ := j.verify(r, e, sender, idp)
	j.common(r, read, idp, 0)
	j.inResponseTo(r, read)
	success := j.status(r, read)
	children := read.Elements()
	at := -1
	for i, c := range children {
		if c.Is(xmlsec.NSProtocol, "Status") {
			at = i + 1
		}
	}
	if at < 0 || at >= len(children) {
		if success {
			r.pass("content", "It is empty: the artifact was unknown, used before, or of somebody else.")
		}
		return
	}
	r.pass("content", "It holds a %s.", children[at].Local)
	in := Report{JudgedAt: r.JudgedAt, Checks: []Check{}}
	inner := *j
	inner.message = Message{SAML: binding.SAML{Binding: identity.BindingArtifact}}
	inner.element(&in, children[at])
	r.Inside = append(r.Inside, in)
}

// envelope judges SOAP around a message.
func (j *judge) envelope(r *Report) {
	env, err := binding.ParseSOAP(j.message.SAML.XML)
	if err != nil {
		r.failed("content", err, identity.WhoVendor)
		return
	}
	if env.Body.Is(xmlsec.NSSOAP11, "Fault") {
		r.fail(Check{ID: "content", Detail: "The other side could not answer at all: " + text(env.Body.Child("", "faultstring")), Seen: orDash(text(env.Body.Child("", "faultcode"))), Expected: "a SAML message", Who: identity.WhoPartner, Code: "binding.soap"})
		return
	}
	r.pass("content", "SOAP 1.1 with %s header blocks and a %s.", strconv.Itoa(len(env.Headers)), env.Body.Local)
	in := Report{JudgedAt: r.JudgedAt, Checks: []Check{}}
	inner := *j
	inner.message.SAML.Binding = identity.BindingSOAP
	inner.message.URL = ""
	inner.element(&in, env.Body)
	r.Inside = append(r.Inside, in)
}
