package sp

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/samlet-id/samlet/binding"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/xmlsec"
)

// Finish proves that in carries this IdP's answer to the request of state, and
// returns what the answer says (SAML Profiles 4.1.4.2 and 4.1.4.3). Attribute
// names are the IdP's own; a principal without a Subject stands for an assertion
// without a NameID. Every refusal is an identity.Error with a code of its own.
func (c *Connector) Finish(ctx context.Context, state []byte, in binding.Received) (identity.Assertion, error) {
	if err := ctx.Err(); err != nil {
		return identity.Assertion{}, err
	}
	p, err := c.question(state)
	if err != nil {
		return identity.Assertion{}, err
	}
	got, err := c.receive(ctx, in)
	if err != nil {
		return identity.Assertion{}, err
	}
	response, signed, err := c.response(got)
	if err != nil {
		return identity.Assertion{}, err
	}
	if !signed && !c.cfg.AllowUnsignedResponse {
		return identity.Assertion{}, c.unsigned(false)
	}
	if err := c.checkResponse(response, signed && !got.artifact, p); err != nil {
		return identity.Assertion{}, err
	}
	if err := checkStatus(response); err != nil {
		return identity.Assertion{}, err
	}
	assertion, came, err := c.assertion(got, response, signed)
	if err != nil {
		return identity.Assertion{}, err
	}
	out, err := c.accept(ctx, assertion, p)
	if err != nil {
		return identity.Assertion{}, err
	}
	out.Remarks = append(out.Remarks, overage(out.Attributes)...)
	out.Remarks = append(out.Remarks, weaknesses(response.Child(xmlsec.NSAssertion, "EncryptedAssertion"), got.root, came)...)
	return out, nil
}

// answer is a Response as it came.
type answer struct {
	doc      *xmlsec.Document
	root     *xmlsec.Element // the Response in doc
	around   *xmlsec.Element // the Response as the signature of the message around it covers it; nil: there is none
	artifact bool            // it was fetched, and did not come by the browser
}

// receive returns what the browser brought, or what that stands for.
func (c *Connector) receive(ctx context.Context, in binding.Received) (answer, error) {
	if carriesArtifact(in) {
		return c.fetch(ctx, in)
	}
	doc, err := decode(in)
	if err != nil {
		return answer{}, err
	}
	return answer{doc: doc, root: doc.Root()}, nil
}

// question reads the state that Begin returned. State of another IdP's request
// means that an honest login was finished at the wrong place (mix-up).
func (c *Connector) question(state []byte) (pending, error) {
	var p pending
	if err := json.Unmarshal(state, &p); err != nil || p.ID == "" {
		return pending{}, unsolicited(err)
	}
	if p.IDP != c.issuer {
		return pending{}, &identity.Error{
			Kind: identity.KindInvalid, Code: "up.mix_up", Who: identity.WhoUser, Seen: string(c.issuer), Expected: string(p.IDP),
			Msg: "The answer came from another identity provider than the one that was asked. Please start again from the application.",
		}
	}
	return p, nil
}

func unsolicited(cause error) *identity.Error {
	return &identity.Error{
		Kind: identity.KindInvalid, Code: "up.unsolicited", Who: identity.WhoUser, Err: cause,
		Msg:  "This answer belongs to no sign-in that was started here. Please start again from the application.",
		Seen: "no request", Expected: "the answer to a request of ours",
	}
}

// decode takes the Response out of the browser's message. A Response may not
// come by Redirect (SAML Profiles 4.1.2).
func decode(in binding.Received) (*xmlsec.Document, error) {
	message, err := binding.Decode(in, binding.ParamResponse)
	if err != nil {
		return nil, unreadable(err)
	}
	if message.Binding != identity.BindingPOST {
		return nil, upstream("up.binding", identity.KindInvalid, "The identity provider answered in a way that this profile does not allow.", message.Binding, identity.BindingPOST)
	}
	doc, err := xmlsec.Parse(message.XML, xmlsec.ResponseLimits())
	if err != nil {
		return nil, unreadable(err)
	}
	return doc, nil
}

// unreadable says that the message is not what SAML allows there. The cause,
// with a code of its own, is for the log.
func unreadable(cause error) *identity.Error {
	e := malformed(string(identity.CodeOf(cause)), "a SAML 2.0 Response")
	e.Err = cause
	return e
}

func malformed(seen, expected string) *identity.Error {
	return upstream("up.format", identity.KindInvalid, "The answer of the identity provider cannot be understood.", seen, expected)
}

// response returns the Response to read and whether a signature protects it: its
// own, or that of the message around it. Without one it is as it came: good enough
// to refuse by, and the assertion then needs a signature.
func (c *Connector) response(got answer) (response *xmlsec.Element, signed bool, err error) {
	root := got.root
	if !root.Is(xmlsec.NSProtocol, "Response") {
		return nil, false, malformed(root.Local, "Response")
	}
	// Two refusals that need no key come first, for the sake of their names.
	if issuer := root.Child(xmlsec.NSAssertion, "Issuer"); issuer != nil {
		if err := c.checkIssuer(issuer); err != nil {
			return nil, false, err
		}
	}
	if n := countAssertions(root); n > 1 {
		return nil, false, severalAssertions(n)
	}
	if !got.doc.HasSignature(root) {
		if got.around != nil {
			return got.around, true, nil
		}
		return root, false, nil
	}
	verified, err := got.doc.Verify(root, c.trust)
	if err != nil {
		return nil, false, c.badSignature(root, err)
	}
	return verified, true, nil
}

// countAssertions counts the assertions in e at any depth, encrypted ones
// included. All signature wrapping attacks need a second one to be somewhere
// (XSW 1 to 8), and no identity provider puts any into an Advice.
func countAssertions(e *xmlsec.Element) int {
	n := 0
	if e.Is(xmlsec.NSAssertion, "Assertion") || e.Is(xmlsec.NSAssertion, "EncryptedAssertion") {
		n++
	}
	for _, child := range e.Elements() {
		n += countAssertions(child)
	}
	return n
}

func severalAssertions(n int) *identity.Error {
	return upstream("up.several_assertions", identity.KindInvalid, "The answer of the identity provider is ambiguous.", fmt.Sprintf("%d assertions", n), "one assertion")
}

// checkResponse checks what the Response itself says of its origin and goal
// (SAML Profiles 4.1.4.3, SAML Bindings 3.5.5.2). A signed one that came by POST has
// to name both.
func (c *Connector) checkResponse(r *xmlsec.Element, signed bool, p pending) error {
	if v := r.Attr("Version"); v != "2.0" {
		return malformed("Version "+v, "Version 2.0")
	}
	// An unsigned Response may leave its Issuer out (SAML Profiles 4.1.4.2, E26).
	if issuer := r.Child(xmlsec.NSAssertion, "Issuer"); issuer != nil || signed {
		if err := c.checkIssuer(issuer); err != nil {
			return err
		}
	}
	if r.HasAttr("Destination") || signed {
		if seen := r.Attr("Destination"); seen != c.cfg.ACS {
			return upstream("up.destination", identity.KindInvalid, "The answer of the identity provider was meant for another address.", seen, c.cfg.ACS)
		}
	}
	return checkInResponseTo(r, p)
}

// checkIssuer compares an Issuer with the IdP that was asked. Its Format, if
// any, says that it is an entityID (SAML Profiles 4.1.4.2).
func (c *Connector) checkIssuer(issuer *xmlsec.Element) error {
	if issuer == nil {
		return upstream("up.missing_issuer", identity.KindInvalid, "The answer does not say which identity provider it comes from.", "no Issuer", string(c.issuer))
	}
	seen, err := issuer.Text()
	if err != nil {
		return unreadable(err)
	}
	if identity.EntityID(seen) != c.issuer {
		return upstream("up.issuer", identity.KindInvalid, "The answer comes from another identity provider than the one that was asked.", seen, string(c.issuer))
	}
	if format := issuer.Attr("Format"); format != "" && identity.Format(format) != identity.FormatEntity {
		return upstream("up.issuer", identity.KindInvalid, "The answer names its identity provider in an unknown way.", format, string(identity.FormatEntity))
	}
	return nil
}

// checkInResponseTo compares the InResponseTo of a Response or of a
// SubjectConfirmationData with the request of this browser.
func checkInResponseTo(e *xmlsec.Element, p pending) error {
	if !e.HasAttr("InResponseTo") {
		return unsolicited(nil)
	}
	if seen := e.Attr("InResponseTo"); seen != p.ID {
		return &identity.Error{
			Kind: identity.KindInvalid, Code: "up.in_response_to", Who: identity.WhoUser, Seen: seen, Expected: p.ID,
			Msg: "This answer belongs to another sign-in than the one in this browser. Please start again from the application.",
		}
	}
	return nil
}

// assertion returns the one assertion of the Response, decrypted if need be,
// and only as a signature protects it: its own, or that of the Response around
// it (SAML Profiles 4.1.4.5). One that carries a signature of its own has to
// carry a valid one either way. It is returned as it came, too, which tells by
// what it was signed and nothing else.
func (c *Connector) assertion(got answer, response *xmlsec.Element, signed bool) (proven, came *xmlsec.Element, err error) {
	holder, a := got.doc, got.root.Child(xmlsec.NSAssertion, "Assertion")
	within := response.Child(xmlsec.NSAssertion, "Assertion")
	if enc := response.Child(xmlsec.NSAssertion, "EncryptedAssertion"); enc != nil {
		if holder, err = c.decrypt(enc, signed); err != nil {
			return nil, nil, err
		}
		a, within = holder.Root(), holder.Root()
	}
	if a == nil || within == nil {
		return nil, nil, upstream("up.missing_assertion", identity.KindInvalid, "The answer of the identity provider says nothing about you.", "no assertion", "one assertion")
	}
	if holder.HasSignature(a) {
		verified, err := holder.Verify(a, c.trust)
		if err != nil {
			return nil, nil, c.badSignature(a, err)
		}
		return verified, a, nil
	}
	if !signed || c.cfg.RequireSignedAssertion {
		return nil, nil, c.unsigned(signed)
	}
	return within, a, nil
}

func (c *Connector) unsigned(response bool) *identity.Error {
	seen, expected := "no signature", "a signed Response or a signed Assertion"
	if response {
		seen = "a signature on the Response alone"
	}
	switch {
	case !c.cfg.AllowUnsignedResponse && c.cfg.RequireSignedAssertion:
		expected = "a signed Response with a signed Assertion"
	case !c.cfg.AllowUnsignedResponse:
		expected = "a signed Response, unless the connection says require: {signed_response: false}"
	case c.cfg.RequireSignedAssertion:
		expected = "a signed Assertion"
	}
	return upstream("up.unsigned", identity.KindInvalid, "The answer of the identity provider is not signed.", seen, expected)
}

// decrypt opens an EncryptedAssertion with whichever of our keys fits. What
// comes out is no more to be believed than the envelope was.
func (c *Connector) decrypt(enc *xmlsec.Element, signed bool) (*xmlsec.Document, error) {
	policy := xmlsec.DecryptPolicy{AllowCBC: c.cfg.AllowCBC && signed, Refused: c.cfg.Refused}
	doc, err := xmlsec.Decrypt(enc, c.decrypters, policy, xmlsec.ResponseLimits())
	if err != nil {
		e := upstream("up.encrypted", identity.KindInvalid, "The answer of the identity provider cannot be decrypted.", "an EncryptedAssertion", "one encrypted to a key of our metadata, with AES-GCM and RSA-OAEP")
		e.Err = err
		return nil, e
	}
	if n := countAssertions(doc.Root()); n > 1 {
		return nil, severalAssertions(n)
	}
	if !doc.Root().Is(xmlsec.NSAssertion, "Assertion") {
		return nil, malformed(doc.Root().Local, "Assertion")
	}
	return doc, nil
}
