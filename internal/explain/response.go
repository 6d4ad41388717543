package explain

import (
	"crypto"
	"errors"
	"slices"
	"strings"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/xmlsec"
)

// outer is what a message says of the assertions in it.
type outer struct {
	signed bool // a valid signature of the message covers them
	acs    string
	idp    *Entity
	within bool // the assertion came in a message at all
}

// response judges e in the order of samlet's service provider role.
func (j *judge) response(r *Report, e *xmlsec.Element) {
	j.form(r, e, true)
	var idp *Entity
	if e.Child(xmlsec.NSAssertion, "Issuer") != nil {
		idp = j.issuer(r, e, isIDP, true)
	} else {
		r.pass("issuer", "There is none, as an unsigned Response may have it; that of the assertion counts.")
	}
	n := countAssertions(e)
	if n > 1 {
		r.fail(Check{ID: "assertions", Detail: "The Response holds several assertions. One would be read and another one believed: this is what signature wrapping looks like.",
			Seen: plural(n), Expected: "one assertion", Who: whose(idp, true), Code: "up.several_assertions"})
	}
	read, signed := j.verify(r, e, idp, true)
	j.responseSigned(r, e, signed)
	var endpoints []string
	for _, sp := range j.others(idp, isSP) {
		endpoints = append(endpoints, consumers(sp)...)
	}
	j.destination(r, read, signed, true, endpoints)
	j.common(r, read, true, 0)
	j.inResponseTo(r, read)
	success := j.status(r, read)
	out := outer{signed: signed, acs: read.Attr("Destination"), idp: idp, within: true}
	switch {
	case success && n == 0:
		r.fail(Check{ID: "assertions", Detail: "The Response says that all went well, and holds no assertion.", Seen: "no assertion", Expected: "one assertion", Who: whose(idp, true), Code: "up.missing_assertion"})
	case n == 1 && success:
		r.pass("assertions", "There is one.")
	}
	for _, a := range e.Children(xmlsec.NSAssertion, "Assertion") {
		in := Report{JudgedAt: r.JudgedAt, Checks: []Check{}}
		in.head(a)
		j.assertion(&in, a, out)
		r.Inside = append(r.Inside, in)
	}
	for _, enc := range e.Children(xmlsec.NSAssertion, "EncryptedAssertion") {
		in := Report{JudgedAt: r.JudgedAt, Checks: []Check{}}
		in.head(enc)
		j.decrypt(&in, enc, out)
		r.Inside = append(r.Inside, in)
	}
}

func (r *Report) head(e *xmlsec.Element) {
	r.Kind, r.element = e.Local, e
	r.ID, r.IssueInstant, r.Issuer = e.Attr("ID"), e.Attr("IssueInstant"), exact(e.Child(xmlsec.NSAssertion, "Issuer"))
}

func plural(n int) string { return strings.Repeat("an assertion and ", n-1) + "an assertion" }

// consumers are the addresses at which sp takes Responses.
func consumers(sp *Entity) []string {
	var found []string
	for _, a := range sp.SP.ACS {
		found = append(found, a.Location)
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// countAssertions counts the assertions in e at any depth.
func countAssertions(e *xmlsec.Element) int {
	n := 0
	if e.Is(xmlsec.NSAssertion, "Assertion") || e.Is(xmlsec.NSAssertion, "EncryptedAssertion") {
		n++
	}
	for _, c := range e.Elements() {
		n += countAssertions(c)
	}
	return n
}

// responseSigned judges whether a Response with assertions is signed in one of
// the two places.
func (j *judge) responseSigned(r *Report, e *xmlsec.Element, signed bool) {
	a := e.Child(xmlsec.NSAssertion, "Assertion")
	switch {
	case signed:
		r.pass("signature_required", "The Response is signed.")
	case countAssertions(e) == 0:
		r.pass("signature_required", "It holds no assertion, so it need not be signed.")
	case a != nil && a.Document().HasSignature(a):
		r.pass("signature_required", "The Response is not protected; its assertion carries a signature of its own.")
	case a == nil:
		r.skip("signature_required", "The Response is not protected; whether the encrypted assertion is signed shows when it is opened.")
	default:
		r.fail(Check{ID: "signature_required", Detail: "Neither the Response nor its assertion carries a signature that is valid.", Seen: "no valid signature", Expected: "a signed Response or a signed Assertion", Who: whose(j.lookup(r.Issuer, isIDP), true), Code: "up.unsigned"})
	}
}

// status judges the Status, in words, and reports whether it is a success.
func (j *judge) status(r *Report, e *xmlsec.Element) bool {
	status := e.Child(xmlsec.NSProtocol, "Status")
	code := status.Child(xmlsec.NSProtocol, "StatusCode")
	if code == nil {
		r.fail(Check{ID: "status", Detail: "The answer has no Status.", Seen: "no StatusCode", Expected: "a Status", Who: identity.WhoPartner, Code: "up.format"})
		return false
	}
	top := code.Attr("Value")
	words, seen := statusWords(top), []string{short(bindingWords(top))}
	for c := code.Child(xmlsec.NSProtocol, "StatusCode"); c != nil; c = c.Child(xmlsec.NSProtocol, "StatusCode") {
		words += "; " + statusWords(c.Attr("Value"))
		seen = append(seen, short(bindingWords(c.Attr("Value"))))
	}
	if m := text(status.Child(xmlsec.NSProtocol, "StatusMessage")); m != "" {
		words += "; its message: " + m
	}
	if top == "urn:oasis:names:tc:SAML:2.0:status:Success" {
		r.pass("status", "%s: %s.", strings.Join(seen, ", "), words)
		return true
	}
	r.fail(Check{ID: "status", Detail: "The answer is a refusal: " + words + ".", Seen: strings.Join(seen, ", "), Expected: "Success", Who: statusWho(top), Code: "up.status"})
	return false
}

func statusWho(top string) identity.Who {
	if strings.HasSuffix(top, ":Requester") || strings.HasSuffix(top, ":VersionMismatch") {
		return identity.WhoVendor
	}
	return identity.WhoPartner
}

// decrypt opens an EncryptedAssertion and judges what is in it.
func (j *judge) decrypt(r *Report, enc *xmlsec.Element, out outer) {
	data := enc.Child(xmlsec.NSXEnc, "EncryptedData")
	content := data.Child(xmlsec.NSXEnc, "EncryptionMethod").Attr("Algorithm")
	if len(j.Decrypters) == 0 {
		r.skip("decrypt", "It is encrypted (%s), and no private key is at hand.", orDash(short(content)))
		return
	}
	doc, err := xmlsec.Decrypt(enc, j.Decrypters, xmlsec.DecryptPolicy{AllowCBC: true}, xmlsec.ResponseLimits())
	if err != nil && !j.holdsKeyOf(j.others(out.idp, isSP)) {
		r.skip("decrypt", "It is encrypted (%s) for a receiver whose private key is not at hand.", orDash(short(content)))
		return
	}
	if err != nil {
		cause := errors.Unwrap(identity.AsError(err))
		r.fail(Check{ID: "decrypt", Detail: "The assertion cannot be opened with the keys at hand: " + cause.Error() + ".", Seen: short(content), Expected: "AES-GCM and RSA-OAEP for a key of the receiver's metadata", Who: identity.WhoPartner, Code: "up.encrypted"})
		return
	}
	if strings.HasSuffix(content, "-cbc") {
		r.fail(Check{ID: "decrypt", Detail: "The assertion is encrypted with AES-CBC, which protects nothing from change; samlet takes it only of a connection that says so.", Seen: short(content), Expected: "AES-GCM", Who: identity.WhoPartner, Code: "up.encrypted"})
	} else {
		r.pass("decrypt", "Opened (%s).", short(content))
	}
	in := Report{JudgedAt: r.JudgedAt, Checks: []Check{}}
	in.head(doc.Root())
	j.assertion(&in, doc.Root(), out)
	r.Inside = append(r.Inside, in)
}

// holdsKeyOf reports whether one of the private keys at hand is published by one
// of those entities, so that what is encrypted for it must open.
func (j *judge) holdsKeyOf(entities []*Entity) bool {
	for _, e := range entities {
		for _, public := range e.SP.Encryption {
			for _, k := range j.Decrypters {
				if same, ok := k.Public().(interface{ Equal(crypto.PublicKey) bool }); ok && same.Equal(public) {
					return true
				}
			}
		}
	}
	return false
}

// audienceOf returns the entityIDs of those whom an assertion for acs can be
// meant for.
func (j *judge) audienceOf(out outer) []string {
	var all, there []string
	for _, sp := range j.others(out.idp, isSP) {
		all = append(all, string(sp.EntityID))
		if slices.Contains(consumers(sp), out.acs) {
			there = append(there, string(sp.EntityID))
		}
	}
	if len(there) > 0 {
		return there
	}
	return all
}
