package explain

import (
	"slices"
	"strconv"
	"strings"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/xmlsec"
	"github.com/samlet-id/samlet/metadata"
)

// authnRequest judges e in the order of samlet's identity provider: form, sender,
// signature, address; then what can be told to the sender.
func (j *judge) authnRequest(r *Report, e *xmlsec.Element) {
	j.form(r, e, false)
	if j.RequestForm != nil {
		if err := j.RequestForm(e); err != nil {
			r.failed("form", err, identity.WhoVendor)
		} else {
			r.pass("form", "Nothing in it is out of place.")
		}
	}
	sp := j.issuer(r, e, isSP, false)
	receivers := j.others(sp, isIDP)
	e, inXML := j.verify(r, e, sp, false)
	overQuery := j.verifyQuery(r, sp, false)
	signed := overQuery || inXML && j.message.SAML.Binding != identity.BindingRedirect
	j.requestSigned(r, sp, receivers, signed)
	var endpoints []string
	for _, idp := range receivers {
		endpoints = append(endpoints, locations(idp.IDP.SSO)...)
	}
	j.destination(r, e, signed || len(r.Signatures) > 0, false, endpoints)
	j.acs(r, e, sp)
	j.common(r, e, false, maxRequestAge)
	j.attributeService(r, e, sp)
	j.nameIDPolicy(r, e, sp, receivers)
	j.authnContext(r, e, receivers)
	j.passive(r, e)
	requestSubject(r, e)
	requestConditions(r, e)
	if r.ID != "" {
		j.asked[r.ID] = true
	}
}

func locations(endpoints []metadata.Endpoint) []string {
	var found []string
	for _, e := range endpoints {
		found = append(found, e.Location)
		if u := e.ResponseURL(); u != e.Location {
			found = append(found, u)
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// requestSigned judges whether the request may go unsigned.
func (j *judge) requestSigned(r *Report, sp *Entity, receivers []*Entity, signed bool) {
	var why string
	switch {
	case sp == nil:
	case sp.RequireSigned == identity.On:
		why = "this samlet demands it of the application"
	case sp.RequireSigned == identity.Off:
	case sp.SP.AuthnRequestsSigned:
		why = "the application's metadata says AuthnRequestsSigned"
	case slices.ContainsFunc(receivers, func(e *Entity) bool { return e.IDP.WantAuthnRequestsSigned }):
		why = "the identity provider's metadata says WantAuthnRequestsSigned"
	}
	switch {
	case signed:
		r.pass("signature_required", "It is signed.")
	case why != "":
		seen := "no signature that is valid"
		if j.message.SAML.Binding == identity.BindingRedirect && len(r.Signatures) > 0 && r.Signatures[0].Covers != "query" {
			seen = "a signature inside the XML, which by HTTP-Redirect does not count"
		}
		r.fail(Check{ID: "signature_required", Detail: "The request has to be signed: " + why + ".", Seen: seen, Expected: "a valid signature", Who: identity.WhoVendor, Code: "sp.unsigned"})
	case sp == nil:
		r.skip("signature_required", "It is not signed; whether it has to be, the application's metadata tells.")
	default:
		r.pass("signature_required", "It is not signed, and does not have to be.")
	}
}

// acs judges where the answer is to go, by the application's metadata.
func (j *judge) acs(r *Report, e *xmlsec.Element, sp *Entity) {
	url, protocol := e.Attr("AssertionConsumerServiceURL"), e.Attr("ProtocolBinding")
	var index *int
	if s := e.Attr("AssertionConsumerServiceIndex"); s != "" {
		n, err := strconv.ParseUint(strings.TrimSpace(s), 10, 16)
		if err != nil {
			r.fail(Check{ID: "acs", Detail: "The AssertionConsumerServiceIndex is no number.", Seen: s, Expected: "0 to 65535", Who: identity.WhoVendor, Code: "sp.request"})
			return
		}
		i := int(n)
		index = &i
	}
	if index != nil && (url != "" || protocol != "") {
		r.fail(Check{ID: "acs", Detail: "The request names its AssertionConsumerService by index and in another way, too.", Seen: "AssertionConsumerServiceIndex beside AssertionConsumerServiceURL or ProtocolBinding", Expected: "either the one or the others", Who: identity.WhoVendor, Code: "sp.request"})
		return
	}
	if sp == nil {
		r.skip("acs", "%s; which are registered, the application's metadata tells.", orDash(url))
		return
	}
	served := []string{identity.BindingPOST, identity.BindingArtifact}
	if j.message.SAML.Binding == identity.BindingSOAP {
		served = []string{identity.BindingPAOS} // an enhanced client carries it
	}
	at, err := sp.SP.AssertionConsumerService(url, index, protocol, served...)
	if err == nil {
		r.pass("acs", "The answer goes to %s by %s.", at.Location, bindingWords(at.Binding))
		r.pass("protocol_binding", "%s", orDash(bindingWords(protocol)))
		return
	}
	id, er := "acs", identity.AsError(err)
	if er.Code == "sp.binding" {
		id = "protocol_binding"
	}
	c := Check{ID: id, Detail: er.Msg, Seen: er.Seen, Expected: er.Expected, Who: identity.WhoVendor, Code: er.Code}
	if id == "acs" && url != "" {
		var registered []string
		for _, a := range sp.SP.ACS {
			registered = append(registered, a.Location)
		}
		c.Seen, c.Expected = parted(url, closest(url, registered)), strings.Join(registered, " or ")
	}
	r.fail(c)
}

func (j *judge) attributeService(r *Report, e *xmlsec.Element, sp *Entity) {
	s := e.Attr("AttributeConsumingServiceIndex")
	if s == "" {
		return
	}
	n, err := strconv.ParseUint(strings.TrimSpace(s), 10, 16)
	index := int(n)
	switch {
	case err != nil:
		r.fail(Check{ID: "attribute_service", Detail: "The AttributeConsumingServiceIndex is no number.", Seen: s, Expected: "0 to 65535", Who: identity.WhoVendor, Code: "sp.request"})
	case sp == nil:
		r.skip("attribute_service", "%d; which there are, the application's metadata tells.", index)
	default:
		if _, ok := sp.SP.AttributeConsumingService(&index); !ok {
			r.fail(Check{ID: "attribute_service", Detail: "The application's metadata has no AttributeConsumingService of this index.", Seen: s, Expected: "an index in the metadata, or none", Who: identity.WhoVendor, Code: "sp.request"})
			return
		}
		r.pass("attribute_service", "%d is in the application's metadata.", index)
	}
}

// nameIDPolicy judges whether the receivers issue what is asked for.
func (j *judge) nameIDPolicy(r *Report, e *xmlsec.Element, sp *Entity, receivers []*Entity) {
	policy := e.Child(xmlsec.NSProtocol, "NameIDPolicy")
	if policy == nil {
		r.pass("nameid_policy", "There is none, which leaves the kind of NameID to the identity provider.")
		return
	}
	format, qualifier := policy.Attr("Format"), policy.Attr("SPNameQualifier")
	if qualifier != "" && qualifier != r.Issuer && (sp == nil || qualifier != sp.NameID.SPNameQualifier) {
		r.fail(Check{ID: "nameid_policy", Detail: "The request wants an identifier of another application's.", Seen: "SPNameQualifier " + qualifier, Expected: r.Issuer, Who: identity.WhoVendor, Code: "sp.nameid_policy"})
		return
	}
	var offered []string
	for _, idp := range receivers {
		for _, f := range idp.IDP.NameIDFormats {
			offered = append(offered, string(f))
		}
	}
	if sp != nil && len(offered) > 0 {
		offered = append(offered, string(sp.NameID.Format))
		if len(sp.SP.Encryption) > 0 {
			offered = append(offered, string(identity.FormatEncrypted))
		}
	}
	words := nameIDWords(format)
	if s := policy.Attr("AllowCreate"); s == "false" || s == "0" {
		words += `; AllowCreate="false" forbids to make an identifier for somebody new`
	}
	switch {
	case format == "" || format == string(identity.FormatUnspecified):
		r.pass("nameid_policy", "%s.", words)
	case len(offered) == 0:
		r.skip("nameid_policy", "It asks for %s; what is issued, the identity provider's metadata tells.", words)
	case slices.Contains(offered, format):
		r.pass("nameid_policy", "It asks for %s.", words)
	default:
		r.fail(Check{ID: "nameid_policy", Detail: "The identity provider does not issue identifiers of this format.", Seen: format + " (" + nameIDWords(format) + ")", Expected: strings.Join(slices.DeleteFunc(offered, func(s string) bool { return s == "" }), " or "), Who: identity.WhoOperator, Code: "sp.nameid_policy"})
	}
}

// authnContext judges whether the demand can be met at all; whether it is met,
// only a sign-in tells.
func (j *judge) authnContext(r *Report, e *xmlsec.Element, receivers []*Entity) {
	context := e.Child(xmlsec.NSProtocol, "RequestedAuthnContext")
	if context == nil {
		r.pass("authn_context", "There is none: any kind of sign-in will do.")
		return
	}
	want := identity.RequestedContext{}
	switch v := context.Attr("Comparison"); v {
	case "", "exact":
	case "minimum":
		want.Comparison = identity.ComparisonMinimum
	case "maximum":
		want.Comparison = identity.ComparisonMaximum
	case "better":
		want.Comparison = identity.ComparisonBetter
	default:
		r.fail(Check{ID: "authn_context", Detail: "The Comparison is none that SAML knows.", Seen: v, Expected: "exact, minimum, maximum or better", Who: identity.WhoVendor, Code: "sp.request"})
		return
	}
	var names []string
	for _, c := range context.Children(xmlsec.NSAssertion, "AuthnContextClassRef") {
		want.Classes = append(want.Classes, identity.ClassRef(text(c)))
		names = append(names, text(c))
	}
	seen := want.Comparison.String() + " " + strings.Join(names, " or ")
	ours := slices.ContainsFunc(receivers, func(e *Entity) bool { return e.Ours })
	switch {
	case len(names) == 0:
		r.fail(Check{ID: "authn_context", Detail: "The request demands declarations of an authentication context, or nothing; only classes can be compared.", Seen: "no AuthnContextClassRef", Expected: "AuthnContextClassRef", Who: identity.WhoVendor, Code: "sp.authn_context"})
	case !ours || len(j.SignIns) == 0:
		r.skip("authn_context", "%s; which the identity provider can meet, it does not publish.", seen)
	case slices.ContainsFunc(j.SignIns, want.Satisfied):
		r.pass("authn_context", "%s; there is a sign-in that meets it.", seen)
	default:
		var can []string
		for _, c := range j.SignIns {
			can = append(can, string(c.Class))
		}
		r.fail(Check{ID: "authn_context", Detail: "No sign-in that is set up here meets the demand.", Seen: seen, Expected: strings.Join(can, " or "), Who: identity.WhoOperator, Code: "sp.authn_context"})
	}
}

func (j *judge) passive(r *Report, e *xmlsec.Element) {
	for _, name := range []string{"IsPassive", "ForceAuthn"} {
		switch strings.TrimSpace(e.Attr(name)) {
		case "", "true", "false", "1", "0":
		default:
			r.fail(Check{ID: "passive", Detail: name + " is neither true nor false.", Seen: e.Attr(name), Expected: "true or false", Who: identity.WhoVendor, Code: "sp.request"})
			return
		}
	}
	on := func(name string) bool { v := strings.TrimSpace(e.Attr(name)); return v == "true" || v == "1" }
	switch {
	case on("IsPassive") && on("ForceAuthn"):
		r.pass("passive", "IsPassive with ForceAuthn: to authenticate afresh without a page is hardly ever possible, so NoPassive is the likely answer.")
	case on("IsPassive"):
		r.pass("passive", "IsPassive: without a session the answer is NoPassive, and no page is shown.")
	case on("ForceAuthn"):
		r.pass("passive", "ForceAuthn: the person signs in afresh, whatever session there is.")
	default:
		r.pass("passive", "Neither is set: a session is used if there is one, else the person is asked.")
	}
}

// requestConditions judges the Conditions that the application wishes for its
// assertion.
func requestConditions(r *Report, e *xmlsec.Element) {
	conditions := e.Child(xmlsec.NSAssertion, "Conditions")
	if conditions == nil {
		return
	}
	for _, c := range conditions.Elements() {
		if !c.Is(xmlsec.NSAssertion, "AudienceRestriction") && !c.Is(xmlsec.NSAssertion, "OneTimeUse") && !c.Is(xmlsec.NSAssertion, "ProxyRestriction") {
			r.fail(Check{ID: "request_conditions", Detail: "The application wishes for a condition that samlet does not have.", Seen: c.Local, Expected: "AudienceRestriction, OneTimeUse or ProxyRestriction", Who: identity.WhoVendor, Code: "sp.unsupported"})
			return
		}
	}
	r.pass("request_conditions", "The assertion is to have them, too, as far as they leave one that counts.")
}

func requestSubject(r *Report, e *xmlsec.Element) {
	s := e.Child(xmlsec.NSAssertion, "Subject")
	if s == nil {
		return
	}
	if s.Child(xmlsec.NSAssertion, "BaseID") != nil {
		r.fail(Check{ID: "request_subject", Detail: "The request names a person by an identifier that samlet does not have.", Seen: "BaseID", Expected: "NameID", Who: identity.WhoVendor, Code: "sp.unsupported"})
		return
	}
	if s.Child(xmlsec.NSAssertion, "SubjectConfirmation") != nil {
		r.fail(Check{ID: "request_subject", Detail: "The Subject of a request must not hold a SubjectConfirmation.", Seen: "a SubjectConfirmation", Expected: "a NameID alone", Who: identity.WhoVendor, Code: "sp.unsupported"})
		return
	}
	id := s.Child(xmlsec.NSAssertion, "NameID")
	r.pass("request_subject", "The answer has to be about one person, named by %s.", nameIDWords(id.Attr("Format")))
}
