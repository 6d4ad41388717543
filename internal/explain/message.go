package explain

import (
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/samlet-id/samlet/binding"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/xmlsec"
	"github.com/samlet-id/samlet/metadata"
)

// report opens the message and has its kind judged.
func (j *judge) report() Report {
	m := j.message
	r := Report{
		Source: m.Source, Binding: m.SAML.Binding, URL: m.URL, RelayState: m.SAML.RelayState, Checks: []Check{},
		JudgedAt: xmlsec.FormatTime(j.now),
	}
	if m.Err != nil {
		r.failed("encoding", m.Err, identity.WhoVendor)
		return r
	}
	if m.SAML.Binding != "" {
		r.pass("encoding", "%s, as the binding has it.", bindingWords(m.SAML.Binding))
	}
	if m.Artifact != nil {
		j.artifact(&r, *m.Artifact)
		j.relayState(&r)
		return r
	}
	doc, err := xmlsec.Parse(m.SAML.XML, xmlsec.MetadataLimits())
	if err != nil {
		r.failed("xml", err, identity.WhoVendor)
		return r
	}
	r.pass("xml", "%d octets that every parser reads alike.", len(m.SAML.XML))
	j.element(&r, doc.Root())
	if m.SAML.Param != "" {
		j.relayState(&r)
	}
	return r
}

// element judges e by what it is.
func (j *judge) element(r *Report, e *xmlsec.Element) {
	r.Kind, r.element = e.Local, e
	r.ID, r.IssueInstant, r.Issuer = e.Attr("ID"), e.Attr("IssueInstant"), exact(e.Child(xmlsec.NSAssertion, "Issuer"))
	switch {
	case e.Is(xmlsec.NSProtocol, "AuthnRequest"):
		j.kind(r, binding.ParamRequest, "an AuthnRequest: an application asks for a sign-in")
		j.authnRequest(r, e)
	case e.Is(xmlsec.NSProtocol, "Response"):
		j.kind(r, binding.ParamResponse, "a Response: an identity provider answers an application")
		j.response(r, e)
	case e.Is(xmlsec.NSAssertion, "Assertion"):
		j.kind(r, "", "an Assertion: what an identity provider says of a person")
		j.assertion(r, e, outer{})
	case e.Is(xmlsec.NSAssertion, "EncryptedAssertion"):
		j.kind(r, "", "an EncryptedAssertion")
		j.decrypt(r, e, outer{})
	case e.Is(xmlsec.NSProtocol, "LogoutRequest"):
		j.kind(r, binding.ParamRequest, "a LogoutRequest: one side ends a session")
		j.logoutRequest(r, e)
	case e.Is(xmlsec.NSProtocol, "LogoutResponse"):
		j.kind(r, binding.ParamResponse, "a LogoutResponse: the other side tells how the logout went")
		j.logoutResponse(r, e)
	case e.Is(xmlsec.NSProtocol, "ArtifactResolve"):
		j.kind(r, "", "an ArtifactResolve: one side fetches the message that an artifact stands for")
		j.artifactResolve(r, e)
	case e.Is(xmlsec.NSProtocol, "ArtifactResponse"):
		j.kind(r, "", "an ArtifactResponse: the message that an artifact stood for")
		j.artifactResponse(r, e)
	case e.Is(xmlsec.NSSOAP11, "Envelope"):
		j.envelope(r)
	case e.Is(xmlsec.NSMetadata, "EntityDescriptor"), e.Is(xmlsec.NSMetadata, "EntitiesDescriptor"):
		j.kind(r, "", "metadata")
		j.metadata(r, e)
	default:
		r.fail(Check{ID: "type", Detail: "The XML is no SAML 2.0 message that is explained here.", Seen: "{" + e.Space + "}" + e.Local,
			Expected: "AuthnRequest, Response, Assertion, LogoutRequest, LogoutResponse, ArtifactResolve, ArtifactResponse, SOAP or metadata", Who: identity.WhoVendor})
	}
}

// kind notes what the message is, and whether it came as the parameter that such
// a message comes as.
func (j *judge) kind(r *Report, param, words string) {
	if got := j.message.SAML.Param; got != "" && param != "" && got != param && r.Source != "" {
		r.fail(Check{ID: "type", Detail: "This is " + words + ", sent under the name of another kind.", Seen: got, Expected: param, Who: identity.WhoVendor, Code: "binding.unexpected"})
		return
	}
	r.pass("type", "This is %s.", words)
}

// common judges what every request and response has (SAML Core 3.2.1, 3.2.2).
// maxAge bounds the age of requests; zero does not.
func (j *judge) common(r *Report, e *xmlsec.Element, idp bool, maxAge time.Duration) {
	who := whose(j.lookup(r.Issuer, nil), idp)
	switch v := e.Attr("Version"); v {
	case "2.0":
		r.pass("version", "2.0")
	default:
		r.fail(Check{ID: "version", Detail: "The message is of another version of SAML.", Seen: orDash(v), Expected: "2.0", Who: who, Code: versionCode(v, idp)})
	}
	at, err := xmlsec.ParseTime(e.Attr("IssueInstant"))
	if err != nil {
		return // issue_instant_format has told
	}
	seen := e.Attr("IssueInstant") + ", " + ago(at, j.now)
	switch {
	case at.After(j.now.Add(j.Skew)):
		r.fail(Check{ID: "issue_instant", Detail: "The message comes from the future: the sender's clock is ahead, or ours is behind.",
			Seen: seen, Expected: "at most " + j.Skew.String() + " ahead of " + xmlsec.FormatTime(j.now), Who: who, Code: timeCode(idp, "future")})
	case maxAge > 0 && at.Before(j.now.Add(-maxAge-j.Skew)):
		r.fail(Check{ID: "issue_instant", Detail: "The message is too old. A copy that waited, or the sender's clock is behind.",
			Seen: seen, Expected: "at most " + (maxAge + j.Skew).String() + " before " + xmlsec.FormatTime(j.now), Who: who, Code: timeCode(idp, "expired")})
	default:
		r.pass("issue_instant", "%s", seen)
	}
}

func versionCode(v string, idp bool) identity.Code {
	switch {
	case idp:
		return "up.format"
	case v == "":
		return "sp.request"
	case strings.HasPrefix(v, "0.") || strings.HasPrefix(v, "1."):
		return "sp.version_low"
	}
	return "sp.version_high"
}

func timeCode(idp bool, slug string) identity.Code {
	if idp {
		return "up.clock"
	}
	return identity.Code("sp." + slug)
}

// form judges ID and IssueInstant by their form alone.
func (j *judge) form(r *Report, e *xmlsec.Element, idp bool) {
	who := whose(j.lookup(r.Issuer, nil), idp)
	code := identity.Code("sp.request")
	if idp {
		code = "up.format"
	}
	id := e.Attr("ID")
	if id == "" || !strings.ContainsAny(id[:1], "_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") && id[0] < 0x80 || strings.Contains(id, ":") {
		r.fail(Check{ID: "id", Detail: "The ID cannot be an xs:ID, to which the answer's InResponseTo could refer.", Seen: orDash(id), Expected: "a letter or _ first, and no colon", Who: who, Code: code})
	} else {
		r.pass("id", "%s", id)
	}
	s := e.Attr("IssueInstant")
	switch _, err := xmlsec.ParseTime(s); {
	case err != nil:
		r.fail(Check{ID: "issue_instant_format", Detail: "The IssueInstant is not a time.", Seen: orDash(s), Expected: "an xs:dateTime such as " + xmlsec.FormatTime(j.now), Who: who, Code: code})
	case !strings.HasSuffix(s, "Z"):
		r.pass("issue_instant_format", "%s; it should be in UTC and end with Z, and is read all the same.", s)
	default:
		r.pass("issue_instant_format", "%s", s)
	}
}

// issuer judges who sent the message and returns the entity, nil if it is not
// known.
func (j *judge) issuer(r *Report, e *xmlsec.Element, has func(*metadata.Entity) bool, idp bool) *Entity {
	issuer := e.Child(xmlsec.NSAssertion, "Issuer")
	if issuer == nil || r.Issuer == "" {
		r.fail(Check{ID: "issuer", Detail: "The message does not say who sent it.", Seen: "no Issuer", Expected: "an Issuer with the sender's entityID", Who: whose(nil, idp), Code: missingIssuer(idp)})
		return nil
	}
	if f := issuer.Attr("Format"); f != "" && f != string(identity.FormatEntity) {
		r.fail(Check{ID: "issuer", Detail: "The Issuer names its sender in a way that is not an entityID.", Seen: "Format " + f, Expected: "no Format, or " + string(identity.FormatEntity), Who: whose(nil, idp), Code: codeOf("issuer", idp)})
		return nil
	}
	if found := j.lookup(r.Issuer, has); found != nil {
		r.pass("issuer", "%s, known from %s.", r.Issuer, found.From)
		return found
	}
	if len(j.others(nil, has)) == 0 && j.lookup(r.Issuer, nil) == nil && !j.knows(has) {
		r.skip("issuer", "%s; no metadata of such senders is at hand.", r.Issuer)
		return nil
	}
	c := Check{ID: "issuer", Detail: "Nobody of this entityID is known in that role.", Seen: r.Issuer, Who: identity.WhoOperator, Code: codeOf("unknown", idp)}
	if idp {
		c.Code = "up.issuer"
	}
	if near := j.nearest(r.Issuer, has); near != "" {
		c.Seen, c.Expected = parted(r.Issuer, near), near
	}
	r.fail(c)
	return nil
}

func missingIssuer(idp bool) identity.Code {
	if idp {
		return "up.missing_issuer"
	}
	return "sp.issuer"
}

// knows reports whether metadata of anybody in a role is at hand.
func (j *judge) knows(has func(*metadata.Entity) bool) bool {
	for _, e := range j.Entities {
		if has(e.Entity) {
			return true
		}
	}
	return false
}

// destination judges Destination against the endpoints of those who can be the
// receiver. A signed message that a browser carries has to name it.
func (j *judge) destination(r *Report, e *xmlsec.Element, signed, idp bool, endpoints []string) {
	seen := e.Attr("Destination")
	who := whose(j.lookup(r.Issuer, nil), idp)
	browser := j.message.SAML.Binding == identity.BindingRedirect || j.message.SAML.Binding == identity.BindingPOST
	switch {
	case seen == "" && signed && browser:
		r.fail(Check{ID: "destination", Detail: "A signed message has to say where it was sent.", Seen: "no Destination", Expected: strings.Join(endpoints, " or "), Who: who, Code: codeOf("destination", idp)})
	case seen == "":
		r.pass("destination", "There is none, as an unsigned message may have it.")
	case j.message.URL != "" && r.Source != "" && strings.HasPrefix(j.message.URL, "http") && seen != j.message.URL:
		r.fail(Check{ID: "destination", Detail: "The message was sent elsewhere than it says.", Seen: parted(seen, j.message.URL), Expected: j.message.URL, Who: who, Code: codeOf("destination", idp)})
	case len(endpoints) == 0:
		r.skip("destination", "%s; no metadata of the receiver is at hand.", seen)
	case !slices.Contains(endpoints, seen):
		near := closest(seen, endpoints)
		r.fail(Check{ID: "destination", Detail: "The message was meant for another address than those of the receiver.", Seen: parted(seen, near), Expected: strings.Join(endpoints, " or "), Who: who, Code: codeOf("destination", idp)})
	default:
		r.pass("destination", "%s", seen)
	}
}

// closest returns the one of all that shares the most with s from either end.
func closest(s string, all []string) string {
	best, most := "", -1
	for _, a := range all {
		if head, tail := shared(s, a); head+tail > most {
			best, most = a, head+tail
		}
	}
	return best
}

// inResponseTo judges whether the answer belongs to a request of the same input.
func (j *judge) inResponseTo(r *Report, e *xmlsec.Element) {
	id := e.Attr("InResponseTo")
	switch {
	case id == "":
		r.skip("in_response_to", "There is none: nobody asked. Whether that is allowed is for the receiver to say.")
	case j.asked[id]:
		r.pass("in_response_to", "%s, a request of this input.", id)
	default:
		r.skip("in_response_to", "%s; the request is not part of this input.", id)
	}
}

// relayState judges its length (SAML Bindings 3.4.3).
func (j *judge) relayState(r *Report) {
	m := j.message.SAML
	switch n := len(m.RelayState); {
	case !m.HasRelayState:
		r.pass("relay_state", "There is none.")
	case n > binding.DefaultMaxRelayState:
		r.fail(Check{ID: "relay_state", Detail: "The RelayState is longer than samlet accepts.", Seen: strconv.Itoa(n) + " octets", Expected: "80 octets, at most " + strconv.Itoa(binding.DefaultMaxRelayState), Who: identity.WhoVendor, Code: "binding.relay_state"})
	case n > 80:
		r.pass("relay_state", "%d octets: more than the 80 that SAML grants, which some receivers cut off.", n)
	default:
		r.pass("relay_state", "%d octets.", n)
	}
}

// artifact judges an artifact, which tells its sender and nothing else. Its
// handle is a bearer value and is not shown.
func (j *judge) artifact(r *Report, a binding.Artifact) {
	r.Kind = "Artifact"
	source := hex.EncodeToString(a.SourceID[:])
	for _, e := range j.Entities {
		if binding.SourceID(e.EntityID) == a.SourceID {
			r.Issuer = string(e.EntityID)
			r.pass("artifact", "A message of %s (SourceID %s), to be fetched from its ArtifactResolutionService of index %d.", e.EntityID, source, a.EndpointIndex)
			return
		}
	}
	if len(j.Entities) == 0 {
		r.skip("artifact", "SourceID %s, endpoint index %d; whose that is only metadata tells.", source, a.EndpointIndex)
		return
	}
	r.fail(Check{ID: "artifact", Detail: "The artifact is of nobody that is known.", Seen: "SourceID " + source, Expected: "the SHA-1 of a known entityID", Who: identity.WhoOperator, Code: "binding.artifact"})
}
