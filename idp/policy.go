package idp

import (
	"strconv"

	"github.com/samlet-id/samlet/identity"
)

// check judges what can be judged before anybody is asked to sign in. The
// endpoint is known by now, so that whatever it refuses is told to the service
// provider. A request that comes twice is no error: the reload of a page must
// not end a login, and an answer reaches nobody but the person who signs in.
func (p *Provider) check(rq *authnRequest, party Party) error {
	for _, step := range []func(*authnRequest, Party) error{
		p.checkVersion, p.checkLifetime, checkBinding, checkAttributeService, checkNameIDPolicy, checkContext,
	} {
		if err := step(rq, party); err != nil {
			return err
		}
	}
	return nil
}

// checkVersion is SAML Core 4.1.3.2.
func (p *Provider) checkVersion(rq *authnRequest, _ Party) error {
	if rq.Version == "2.0" {
		return nil
	}
	return &identity.Error{
		Kind: identity.KindInvalid, Code: "sp.version", Who: identity.WhoVendor,
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

func checkBinding(rq *authnRequest, _ Party) error {
	if rq.ProtocolBinding == "" || rq.ProtocolBinding == identity.BindingPOST {
		return nil
	}
	return &identity.Error{
		Kind: identity.KindInvalid, Code: "sp.binding", Who: identity.WhoVendor,
		Msg: "The application asks for an answer in a way that we do not offer.", Seen: rq.ProtocolBinding, Expected: identity.BindingPOST,
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

// checkNameIDPolicy admits the formats that we issue (SAML Core 3.4.1.1). The
// Authenticator decides whether this one may be issued to this party.
func checkNameIDPolicy(rq *authnRequest, party Party) error {
	switch rq.NameIDPolicy.Format {
	case "", identity.FormatUnspecified, identity.FormatPersistent, identity.FormatTransient, identity.FormatEmail:
	default:
		return unmetPolicy(string(rq.NameIDPolicy.Format), "persistent, transient, emailAddress or unspecified")
	}
	if q := rq.NameIDPolicy.SPNameQualifier; q != "" && q != string(party.EntityID) {
		return unmetPolicy("SPNameQualifier="+q, string(party.EntityID))
	}
	return nil
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
// demanded, and the person who was named (SAML Core 3.3.2.2.1, 3.4.1.1, SAML
// Profiles 4.1.4.1).
func checkAnswer(req identity.AuthnRequest, named *subject, a identity.Assertion) error {
	if f := req.Subject; f != "" && f != identity.FormatUnspecified && f != a.Principal.Format {
		return unmetPolicy(string(f), string(a.Principal.Format))
	}
	if !req.Context.Satisfied(a.Context.Class) {
		return unmetContext(string(a.Context.Class), req.Context.Comparison.String()+" of what was requested")
	}
	if named != nil && !named.matches(a.Principal) {
		return &identity.Error{
			Kind: identity.KindNotFound, Code: "sp.subject", Who: identity.WhoUser,
			Msg: "The application asked for somebody else than the person who is signed in.",
		}
	}
	return nil
}

// matches is the strong match of SAML Core 3.3.4: what the request leaves out,
// matches.
func (s *subject) matches(p identity.Principal) bool {
	format := s.Format == "" || s.Format == string(identity.FormatUnspecified) || s.Format == string(p.Format)
	return s.NameID != "" && s.NameID == p.Subject && format &&
		(s.NameQualifier == "" || s.NameQualifier == p.NameQualifier) &&
		(s.SPNameQualifier == "" || s.SPNameQualifier == p.SPNameQualifier)
}
