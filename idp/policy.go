package idp

import (
	"strconv"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/metadata"
)

// check judges what can be judged before anybody is asked to sign in. The
// endpoint is known by now, so that whatever it refuses is told to the service
// provider. A request that comes twice is no error: the reload of a page must
// not end a login, and an answer reaches nobody but the person who signs in.
func (p *Provider) check(rq *authnRequest, party Party, acs metadata.Endpoint) error {
	for _, step := range []func(*authnRequest, Party) error{
		checkVersion, p.checkLifetime, checkAttributeService, checkUnsupported, checkNameIDPolicy, checkSubject, checkContext, p.checkConditions,
	} {
		if err := step(rq, party); err != nil {
			return err
		}
	}
	return checkBinding(rq, acs)
}

// checkVersion is SAML Core 4.1.3.2.
func checkVersion(rq *authnRequest, _ Party) error {
	major, minor, _ := versionOf(rq.Version) // parsed already
	code := identity.Code("sp.version_high")
	switch {
	case major == 2 && minor == 0:
		return nil
	case major < 2:
		code = "sp.version_low"
	}
	return &identity.Error{
		Kind: identity.KindInvalid, Code: code, Who: identity.WhoVendor,
		Msg: "The application's request is of another version of SAML.", Seen: rq.Version, Expected: "2.0",
	}
}

// checkLifetime refuses requests that are too old or not yet made.
func (p *Provider) checkLifetime(rq *authnRequest, _ Party) error {
	now := p.cfg.Now()
	age := now.Sub(rq.IssueInstant)
	if age > maxAge+p.cfg.Skew {
		return &identity.Error{
			Kind: identity.KindExpired, Code: "sp.expired", Who: identity.WhoUser,
			Msg:  "The application's request is too old. Please start again at the application.",
			Seen: age.String() + " old", Expected: "at most " + (maxAge + p.cfg.Skew).String(),
		}
	}
	if age < -p.cfg.Skew {
		return &identity.Error{
			Kind: identity.KindInvalid, Code: "sp.future", Who: identity.WhoVendor,
			Msg:  "The application's request comes from the future: its clock is wrong, or ours is.",
			Seen: (-age).String() + " ahead", Expected: "at most " + p.cfg.Skew.String(),
		}
	}
	return nil
}

// checkBinding refuses a ProtocolBinding that no endpoint could be selected for
// (SAML Core 3.4.1); the refusal goes by the one that was.
func checkBinding(rq *authnRequest, acs metadata.Endpoint) error {
	if rq.ProtocolBinding == "" || rq.ProtocolBinding == acs.Binding {
		return nil
	}
	return &identity.Error{
		Kind: identity.KindInvalid, Code: "sp.binding", Who: identity.WhoVendor,
		Msg: "The application asks for an answer in a way that we do not offer.", Seen: rq.ProtocolBinding, Expected: acs.Binding,
	}
}

// checkAttributeService refuses an index that the metadata does not have.
func checkAttributeService(rq *authnRequest, party Party) error {
	if rq.AttributeConsumingServiceIndex == nil {
		return nil
	}
	if _, ok := party.Metadata.SP.AttributeConsumingService(rq.AttributeConsumingServiceIndex); ok {
		return nil
	}
	return malformed("AttributeConsumingServiceIndex="+strconv.Itoa(*rq.AttributeConsumingServiceIndex), "an index in the application's metadata")
}

// checkUnsupported tells what was found when the request was read.
func checkUnsupported(rq *authnRequest, _ Party) error {
	if rq.refusal == nil {
		return nil
	}
	return rq.refusal
}

func (p *Provider) checkConditions(rq *authnRequest, party Party) error {
	return rq.Conditions.check(party, p.cfg.Now())
}

// checkNameIDPolicy admits the formats that we issue (SAML Core 3.4.1.1). The
// Authenticator decides whether this one may be issued to this party.
func checkNameIDPolicy(rq *authnRequest, party Party) error {
	f := rq.NameIDPolicy.Format
	if f != "" && f != identity.FormatEncrypted && !issues(party, f) {
		return unmetPolicy(string(f), "persistent, transient, emailAddress, unspecified, encrypted, or the format that is configured")
	}
	q := rq.NameIDPolicy.SPNameQualifier
	if q != "" && q != string(party.EntityID) && q != party.NameID.SPNameQualifier {
		return unmetPolicy("SPNameQualifier="+q, string(party.EntityID))
	}
	return nil
}

// issues reports whether people can be known by a format: one of those that we
// know how to make, or the one that the operator says how to make.
func issues(party Party, f identity.Format) bool {
	switch f {
	case identity.FormatUnspecified, identity.FormatPersistent, identity.FormatTransient, identity.FormatEmail:
		return true
	default:
		return f == party.NameID.Format
	}
}

func unmetPolicy(seen, expected string) error {
	return &identity.Error{
		Kind: identity.KindInvalid, Code: "sp.nameid_policy", Who: identity.WhoOperator,
		Msg: "The application asks for a kind of identifier that we do not issue.", Seen: seen, Expected: expected,
	}
}

func checkContext(rq *authnRequest, _ Party) error {
	if !rq.onlyDeclarations {
		return nil
	}
	return unmetContext("AuthnContextDeclRef", "AuthnContextClassRef")
}

func unmetContext(seen, expected string) error {
	return &identity.Error{
		Kind: identity.KindContextUnmet, Code: "sp.authn_context", Who: identity.WhoOperator,
		Msg: "The application asks for a kind of sign-in that did not take place.", Seen: seen, Expected: expected,
	}
}

// checkAnswer holds an assertion against its question, so that no mistake
// elsewhere becomes a false statement: the policy's format, the context that was
// demanded, the person who was named, and the conditions (SAML Core 3.3.2.2.1,
// 3.4.1.1, 3.4.1.4). It returns the assertion with the context class that answers
// the demand, out of those that the authentication proves.
func checkAnswer(req identity.AuthnRequest, to addressee, a identity.Assertion) (identity.Assertion, error) {
	if named := to.state.Subject; named != nil && !named.matches(a.Principal, req.Audience) {
		return a, errSubject()
	}
	if f := req.Subject; f != "" && f != identity.FormatUnspecified && f != a.Principal.Format {
		return a, unmetPolicy(string(f), string(a.Principal.Format))
	}
	class, met := req.Context.Answer(a.Context)
	if !met {
		return a, unmetContext(string(a.Context.Class), req.Context.Comparison.String()+" of what was requested")
	}
	a.Context.Class = class
	return a, to.state.Conditions.check(to.party, to.now)
}
