package explain

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/xmlsec"
)

// assertion judges a, of which out says how it came.
func (j *judge) assertion(r *Report, a *xmlsec.Element, out outer) {
	j.form(r, a, true)
	idp := j.issuer(r, a, isIDP, true)
	if out.idp != nil && idp != nil && out.idp.EntityID != idp.EntityID {
		r.fail(Check{ID: "issuer", Detail: "The assertion is of another identity provider than the Response around it.", Seen: r.Issuer, Expected: string(out.idp.EntityID), Who: identity.WhoPartner, Code: "up.issuer"})
	}
	read, signed := j.verify(r, a, idp, true)
	j.assertionSigned(r, a, signed, out)
	j.common(r, read, true, 0)
	audiences := j.audienceOf(out)
	j.subject(r, read, out)
	j.conditions(r, read, audiences)
	j.authnStatement(r, read)
	j.attributes(r, read)
}

func (j *judge) assertionSigned(r *Report, a *xmlsec.Element, signed bool, out outer) {
	switch {
	case signed:
		r.pass("signature_required", "The assertion is signed.")
	case a.Document().HasSignature(a):
		r.skip("signature_required", "Its signature is judged above.")
	case out.signed:
		r.pass("signature_required", "The signature of the Response protects it.")
	default:
		r.fail(Check{ID: "signature_required", Detail: "No valid signature protects the assertion.", Seen: "no valid signature", Expected: "a signed Response or a signed Assertion", Who: whose(j.lookup(r.Issuer, isIDP), true), Code: "up.unsigned"})
	}
}

// bearer is the one way of confirmation that web single sign-on uses.
const bearer = "urn:oasis:names:tc:SAML:2.0:cm:bearer"

// subject judges whom the assertion is about and who may bring it.
func (j *judge) subject(r *Report, a *xmlsec.Element, out outer) {
	s := a.Child(xmlsec.NSAssertion, "Subject")
	if s == nil {
		r.fail(Check{ID: "subject", Detail: "The assertion says nothing of whom it is about.", Seen: "no Subject", Expected: "a Subject", Who: identity.WhoPartner, Code: "up.missing_subject"})
		return
	}
	switch id := s.Child(xmlsec.NSAssertion, "NameID"); {
	case s.Child(xmlsec.NSAssertion, "EncryptedID") != nil:
		r.skip("subject", "The NameID is encrypted.")
	case id == nil:
		r.pass("subject", "There is no NameID: attributes alone tell who it is.")
	case text(id) == "":
		r.fail(Check{ID: "subject", Detail: "The NameID is empty, or holds more than text.", Seen: "an empty NameID", Expected: "an identifier", Who: identity.WhoPartner, Code: "up.missing_subject"})
	case len(text(id)) > 256 && id.Attr("Format") == string(identity.FormatPersistent):
		r.fail(Check{ID: "subject", Detail: "A persistent NameID has at most 256 characters.", Seen: strconv.Itoa(len(text(id))), Expected: "at most 256", Who: identity.WhoPartner})
	default:
		r.pass("subject", "The NameID is %s.", nameIDWords(id.Attr("Format")))
	}
	j.confirmation(r, s, out)
}

// confirmation wants one bearer SubjectConfirmation that is wholly valid; of
// several, the first that is, else the first.
func (j *judge) confirmation(r *Report, s *xmlsec.Element, out outer) {
	var methods []string
	var best *Report
	for _, c := range s.Children(xmlsec.NSAssertion, "SubjectConfirmation") {
		methods = append(methods, c.Attr("Method"))
		if c.Attr("Method") != bearer {
			continue
		}
		one := &Report{Issuer: r.Issuer}
		j.confirmationData(one, c.Child(xmlsec.NSAssertion, "SubjectConfirmationData"), out)
		if best == nil || best.Failed() && !one.Failed() {
			best = one
		}
	}
	if best == nil {
		r.fail(Check{ID: "confirmation", Detail: "Nothing says that whoever brings the assertion may use it.", Seen: orDash(strings.Join(methods, " ")), Expected: bearer, Who: identity.WhoPartner, Code: "up.confirmation"})
		return
	}
	r.Checks = append(r.Checks, best.Checks...)
}

func (j *judge) confirmationData(r *Report, d *xmlsec.Element, out outer) {
	if d == nil || d.HasAttr("NotBefore") {
		r.fail(Check{ID: "confirmation", Detail: "The bearer confirmation has no SubjectConfirmationData, or one with NotBefore.", Seen: orDash(d.Attr("NotBefore")), Expected: "Recipient and NotOnOrAfter, and no NotBefore", Who: identity.WhoPartner, Code: "up.confirmation"})
		return
	}
	r.pass("confirmation", "A bearer may use it.")
	j.recipient(r, d, out)
	until, err := xmlsec.ParseTime(d.Attr("NotOnOrAfter"))
	if err != nil {
		r.fail(Check{ID: "confirmation_time", Detail: "The confirmation does not say until when it counts.", Seen: orDash(d.Attr("NotOnOrAfter")), Expected: "a NotOnOrAfter", Who: identity.WhoPartner, Code: "up.confirmation"})
		return
	}
	j.until(r, "confirmation_time", "NotOnOrAfter", until, "up.clock")
	if d.HasAttr("InResponseTo") {
		j.inResponseTo(r, d)
	}
}

func (j *judge) recipient(r *Report, d *xmlsec.Element, out outer) {
	var known []string
	for _, sp := range j.others(out.idp, isSP) {
		known = append(known, consumers(sp)...)
	}
	seen := d.Attr("Recipient")
	switch {
	case seen == "":
		r.fail(Check{ID: "recipient", Detail: "The confirmation does not say where the assertion may be used.", Seen: "no Recipient", Expected: "the AssertionConsumerService", Who: identity.WhoPartner, Code: "up.recipient"})
	case out.acs != "" && seen != out.acs:
		r.fail(Check{ID: "recipient", Detail: "The assertion may be used at another address than the one that the Response was sent to.", Seen: parted(seen, out.acs), Expected: out.acs, Who: identity.WhoPartner, Code: "up.recipient"})
	case len(known) == 0:
		r.skip("recipient", "%s; no metadata of the application is at hand.", seen)
	case !slices.Contains(known, seen):
		r.fail(Check{ID: "recipient", Detail: "The assertion may be used at an address that is no AssertionConsumerService of the application.", Seen: parted(seen, closest(seen, known)), Expected: strings.Join(known, " or "), Who: identity.WhoPartner, Code: "up.recipient"})
	default:
		r.pass("recipient", "%s", seen)
	}
}

// until judges a NotOnOrAfter or the like.
func (j *judge) until(r *Report, id, name string, until time.Time, code identity.Code) {
	if !j.now.Before(until.Add(j.Skew)) {
		r.fail(Check{ID: id, Detail: "It is over: it came too late, or one of the clocks is wrong.", Seen: name + " " + xmlsec.FormatTime(until) + ", " + ago(until, j.now), Expected: "later than " + xmlsec.FormatTime(j.now) + ", give or take " + j.Skew.String(), Who: identity.WhoPartner, Code: code})
		return
	}
	r.pass(id, "until %s.", xmlsec.FormatTime(until))
}

func (j *judge) conditions(r *Report, a *xmlsec.Element, audiences []string) {
	c := a.Child(xmlsec.NSAssertion, "Conditions")
	if c == nil {
		r.fail(Check{ID: "audience", Detail: "The assertion does not say for whom it is.", Seen: "no Conditions", Expected: "Conditions with an AudienceRestriction", Who: identity.WhoPartner, Code: "up.missing_conditions"})
		return
	}
	j.conditionsTime(r, c)
	restricted := false
	for _, e := range c.Elements() {
		switch {
		case e.Is(xmlsec.NSAssertion, "AudienceRestriction"):
			restricted = true
			j.audience(r, e, audiences)
		case e.Is(xmlsec.NSAssertion, "OneTimeUse"):
			r.pass("conditions", "OneTimeUse: it must not be kept for later.")
		case e.Is(xmlsec.NSAssertion, "ProxyRestriction"):
			r.pass("conditions", "ProxyRestriction with Count %s: who may pass it on is limited.", orDash(e.Attr("Count")))
		default:
			r.fail(Check{ID: "conditions", Detail: "It is bound to a condition that nobody here understands, so it cannot be held to be valid.", Seen: e.Local, Expected: "AudienceRestriction, OneTimeUse or ProxyRestriction", Who: identity.WhoPartner, Code: "up.condition"})
		}
	}
	if !restricted {
		r.fail(Check{ID: "audience", Detail: "The assertion does not say for whom it is.", Seen: "no AudienceRestriction", Expected: strings.Join(audiences, " or "), Who: identity.WhoPartner, Code: "up.audience"})
	}
}

func (j *judge) conditionsTime(r *Report, c *xmlsec.Element) {
	from, fromErr := xmlsec.ParseTime(c.Attr("NotBefore"))
	until, untilErr := xmlsec.ParseTime(c.Attr("NotOnOrAfter"))
	switch {
	case c.HasAttr("NotBefore") && fromErr != nil || c.HasAttr("NotOnOrAfter") && untilErr != nil:
		r.fail(Check{ID: "conditions_time", Detail: "A time in the Conditions cannot be read.", Seen: c.Attr("NotBefore") + " to " + c.Attr("NotOnOrAfter"), Expected: "xs:dateTime", Who: identity.WhoPartner, Code: "up.format"})
	case c.HasAttr("NotBefore") && j.now.Add(j.Skew).Before(from):
		r.fail(Check{ID: "conditions_time", Detail: "It is not valid yet: one of the clocks is wrong.", Seen: "NotBefore " + xmlsec.FormatTime(from) + ", " + ago(from, j.now), Expected: "at most " + j.Skew.String() + " after " + xmlsec.FormatTime(j.now), Who: identity.WhoPartner, Code: "up.clock"})
	case c.HasAttr("NotOnOrAfter"):
		j.until(r, "conditions_time", "NotOnOrAfter", until, "up.clock")
	default:
		r.pass("conditions_time", "No end is stated.")
	}
}

func (j *judge) audience(r *Report, e *xmlsec.Element, want []string) {
	var seen []string
	for _, a := range e.Children(xmlsec.NSAssertion, "Audience") {
		seen = append(seen, text(a))
	}
	shown := strings.Join(seen, " ")
	switch {
	case len(want) == 0:
		r.skip("audience", "%s; no metadata of the application is at hand.", orDash(shown))
	case slices.ContainsFunc(seen, func(s string) bool { return slices.Contains(want, s) }):
		r.pass("audience", "%s", shown)
	default:
		if len(seen) == 1 {
			shown = parted(shown, closest(shown, want))
		}
		r.fail(Check{ID: "audience", Detail: "The assertion is for another application.", Seen: orDash(shown), Expected: strings.Join(want, " or "), Who: identity.WhoPartner, Code: "up.audience"})
	}
}

func (j *judge) authnStatement(r *Report, a *xmlsec.Element) {
	all := a.Children(xmlsec.NSAssertion, "AuthnStatement")
	if len(all) == 0 {
		r.fail(Check{ID: "authn_statement", Detail: "The assertion does not say that anybody signed in.", Seen: "no AuthnStatement", Expected: "an AuthnStatement", Who: identity.WhoPartner, Code: "up.format"})
		return
	}
	at, err := xmlsec.ParseTime(all[0].Attr("AuthnInstant"))
	class := text(all[0].Child(xmlsec.NSAssertion, "AuthnContext").Child(xmlsec.NSAssertion, "AuthnContextClassRef"))
	switch {
	case err != nil:
		r.fail(Check{ID: "authn_statement", Detail: "The AuthnInstant is not a time.", Seen: orDash(all[0].Attr("AuthnInstant")), Expected: "an xs:dateTime", Who: identity.WhoPartner, Code: "up.format"})
	case at.After(j.now.Add(j.Skew)):
		r.fail(Check{ID: "authn_statement", Detail: "The sign-in lies in the future: one of the clocks is wrong.", Seen: "AuthnInstant " + xmlsec.FormatTime(at) + ", " + ago(at, j.now), Expected: "at most " + j.Skew.String() + " ahead", Who: identity.WhoPartner, Code: "up.clock"})
	default:
		r.pass("authn_statement", "Signed in %s, class %s, SessionIndex %s.", ago(at, j.now), orDash(class), orDash(all[0].Attr("SessionIndex")))
	}
	for _, s := range all {
		if !s.HasAttr("SessionNotOnOrAfter") {
			continue
		}
		end, err := xmlsec.ParseTime(s.Attr("SessionNotOnOrAfter"))
		if err != nil {
			r.fail(Check{ID: "session_end", Detail: "The SessionNotOnOrAfter is not a time.", Seen: s.Attr("SessionNotOnOrAfter"), Expected: "an xs:dateTime", Who: identity.WhoPartner, Code: "up.format"})
			continue
		}
		j.until(r, "session_end", "SessionNotOnOrAfter", end, "up.clock")
	}
}

func (j *judge) attributes(r *Report, a *xmlsec.Element) {
	var names, bare, twice []string
	for _, s := range a.Children(xmlsec.NSAssertion, "AttributeStatement") {
		for _, at := range s.Children(xmlsec.NSAssertion, "Attribute") {
			name := at.Attr("Name")
			if slices.Contains(names, name) {
				twice = append(twice, name)
			}
			if at.Attr("NameFormat") == "" {
				bare = append(bare, name)
			}
			names = append(names, name)
			if name == "" {
				r.fail(Check{ID: "attributes", Detail: "An attribute has no name.", Seen: "no Name", Expected: "a Name", Who: identity.WhoPartner, Code: "up.format"})
				return
			}
		}
	}
	words := strconv.Itoa(len(names)) + " attributes"
	if len(names) > 0 {
		words += ": " + strings.Join(names, ", ")
	}
	if len(bare) > 0 {
		words += "; some receivers do not find one without a NameFormat (" + strings.Join(bare, ", ") + ")"
	}
	if len(twice) > 0 {
		words += "; twice: " + strings.Join(twice, ", ")
	}
	r.pass("attributes", "%s.", words)
}
