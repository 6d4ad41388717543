package idp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"unicode/utf8"

	"github.com/samlet-id/samlet/binding"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/web"
	"github.com/samlet-id/samlet/internal/xmlsec"
	"github.com/samlet-id/samlet/metadata"
)

// DirectAuthenticator answers an AuthnRequest of a client that cannot be shown
// anything. It is safe for concurrent use.
type DirectAuthenticator interface {
	// Authenticate verifies the name and password under the same rules and the
	// same count of tries as any other login. Errors with the codes
	// "login.failed" and "login.form" are wrong credentials, "rate.limited" too
	// many tries, "rate.busy" a server with too much to do; any other
	// identity.Error of somebody who proved themselves answers the request.
	Authenticate(ctx context.Context, r *http.Request, req identity.AuthnRequest, identifier, password string) (identity.Assertion, error)
}

// ecpRequest is what an enhanced client brought (SAML V2.0 Enhanced Client or
// Proxy Profile Version 2.0, section 2.3.5).
type ecpRequest struct {
	asked
	acs      metadata.Endpoint
	bindings []channelBinding // as the client sees its channel to the service provider
	wantsKey bool             // the client asks for a key that it will share with the service provider
}

// ecp is the SingleSignOnService for enhanced clients (SAML Profiles 4.2): an
// AuthnRequest comes in a SOAP envelope, and a name and password with it by HTTP
// Basic (RFC 7617). A message that cannot be believed is a SOAP fault, and wrong
// credentials are HTTP's 401; everything else is a Response, for the client to
// carry to the service provider.
func (p *Provider) ecp(w http.ResponseWriter, r *http.Request) error {
	q, err := p.readECP(w, r)
	if err != nil {
		return err
	}
	req, err := p.ask(q.authnRequest, q.party, q.acs, "")
	if err != nil {
		return err
	}
	to, err := p.addressee(r.Context(), req)
	if err != nil {
		return err
	}
	if to.advice, err = p.checkECP(q); err != nil {
		return p.refuseECP(w, r, q, req, to, err)
	}
	a, err := p.authenticateDirectly(r, q, req)
	if err != nil {
		if status := credentialStatus(err); status != 0 {
			p.challenge(w, r, status, err)
			return nil
		}
		return p.refuseECP(w, r, q, req, to, err)
	}
	response, err := p.answer(r.Context(), req, to, a)
	if err != nil {
		return p.refuseECP(w, r, q, req, to, err)
	}
	p.cfg.Log.LogAttrs(r.Context(), slog.LevelInfo, "signed in", slog.String("request_id", web.RequestID(r.Context())),
		slog.String("relying_party", string(req.RelyingParty)), slog.String("class", string(a.Context.Class)), slog.String("profile", "ecp"))
	return writeECP(w, q, to, response)
}

// The header blocks that a client may send us. Those of the service provider it
// has to take away (ECP 2.0, 2.3.4), and if they must be understood, we do not.
const (
	headerChannelBindings = "{" + xmlsec.NSChannelBinding + "}ChannelBindings"
	headerSessionKey      = "{" + xmlsec.NSSAMLEC + "}SessionKey"
)

// readECP returns a request that can be believed, and whose answer has somewhere
// to go. Its Destination, if there is one, is ours; a service provider need not
// know which identity provider its client will choose.
func (p *Provider) readECP(w http.ResponseWriter, r *http.Request) (ecpRequest, error) {
	env, err := binding.ReceiveSOAP(w, r, 0)
	if err != nil {
		return ecpRequest{}, err
	}
	if err := env.Understands(headerChannelBindings, headerSessionKey); err != nil {
		return ecpRequest{}, err
	}
	var q ecpRequest
	if q.asked, err = p.identify(r.Context(), "", env.Document, env.Body, binding.SAML{Binding: identity.BindingSOAP}); err != nil {
		return ecpRequest{}, err
	}
	if q.Destination != "" {
		if err := addressed(q.Destination, p.cfg.BaseURL+pathECP); err != nil {
			return ecpRequest{}, err
		}
	}
	if q.acs, err = selectEndpoint(q.authnRequest, q.party.Metadata.SP, identity.BindingPAOS); err != nil {
		return ecpRequest{}, err
	}
	for _, h := range env.Headers {
		switch {
		case h.Is(xmlsec.NSChannelBinding, "ChannelBindings"):
			q.bindings = append(q.bindings, parseChannelBinding(h))
		case h.Is(xmlsec.NSSAMLEC, "SessionKey"):
			q.wantsKey = true
		}
	}
	p.openSubject(q.authnRequest, q.party)
	return q, nil
}

// checkECP judges what can be judged before anybody's password is looked at, and
// returns what the assertion shall advise.
func (p *Provider) checkECP(q ecpRequest) (advice, error) {
	if !q.party.ECP {
		return advice{}, &identity.Error{
			Kind: identity.KindDenied, Code: "sp.ecp", Who: identity.WhoOperator,
			Msg: "Clients that are no browsers may not sign in to the application here.", Seen: string(q.party.ID), Expected: "ecp: true",
		}
	}
	if err := p.check(q.authnRequest, q.party, q.acs); err != nil {
		return advice{}, err
	}
	return p.advise(q)
}

// authenticateDirectly has the name and password judged. A client that brings
// none is asked for them, unless the request forbids to bother anybody.
func (p *Provider) authenticateDirectly(r *http.Request, q ecpRequest, req identity.AuthnRequest) (identity.Assertion, error) {
	name, password, err := basicCredentials(r)
	if err != nil && q.IsPassive {
		return identity.Assertion{}, &identity.Error{
			Kind: identity.KindNeedsInteraction, Code: "sp.passive", Who: identity.WhoUser,
			Msg: "The application asked not to bother anybody, and the client brought no password.", Err: err,
		}
	}
	if err != nil {
		return identity.Assertion{}, err
	}
	return p.cfg.Direct.Authenticate(r.Context(), r, req, name, password)
}

// errNoCredentials is what a client without a name and password is told; it is
// what one with wrong ones is told, too.
func errNoCredentials(seen string) error {
	return &identity.Error{
		Kind: identity.KindDenied, Code: "login.failed", Who: identity.WhoUser,
		Msg: "That name and password do not belong together. Try again.", Seen: seen, Expected: "HTTP Basic (RFC 7617) in UTF-8",
	}
}

// basicCredentials returns the name and password of RFC 7617, which are UTF-8, as
// the challenge says.
func basicCredentials(r *http.Request) (name, password string, err error) {
	name, password, ok := r.BasicAuth()
	switch {
	case len(r.Header.Values("Authorization")) > 1:
		return "", "", errNoCredentials("two Authorization headers")
	case !ok:
		return "", "", errNoCredentials("no credentials")
	case name == "" || !utf8.ValidString(name) || !utf8.ValidString(password):
		return "", "", errNoCredentials("no name, or one that is not UTF-8")
	}
	return name, password, nil
}

// credentialStatus is the HTTP status of an error that concerns the client alone,
// as the page of the browser's sign-in has it; zero for what answers the request.
func credentialStatus(err error) int {
	e := identity.AsError(err)
	switch {
	case e.Code == "login.failed", e.Code == "login.form":
		return http.StatusUnauthorized
	case e.Code == "rate.limited":
		return http.StatusTooManyRequests
	case e.Kind == identity.KindUnavailable:
		return http.StatusServiceUnavailable
	case e.Kind == identity.KindInternal:
		return http.StatusInternalServerError
	}
	return 0
}

// challenge answers a client whose credentials did not do. Which of the two was
// wrong, or whether there were any, makes no difference to what it is told.
func (p *Provider) challenge(w http.ResponseWriter, r *http.Request, status int, why error) {
	switch status {
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", `Basic realm="`+realm+`", charset="UTF-8"`)
		if e := identity.AsError(why); e.Code == "login.form" {
			why = fmt.Errorf("%w: %w", errNoCredentials(e.Seen), why)
		}
	case http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", "5")
	}
	p.fault(w, r, status, why)
}

// pathECP is below the path of BaseURL. No other site may have a browser post to
// it: browsers remember passwords of HTTP Basic, and send them along.
const pathECP = "/saml/ecp"

// realm names what the password is for.
const realm = "samlet"

// refuseECP answers with a Response whose status says why there is no assertion.
func (p *Provider) refuseECP(w http.ResponseWriter, r *http.Request, q ecpRequest, req identity.AuthnRequest, to addressee, why error) error {
	p.logRefusal(r.Context(), "request refused", req.RelyingParty, why)
	response, err := p.failure(to, statusOf(identity.AsError(why), web.RequestID(r.Context())))
	if err != nil {
		return fmt.Errorf("refusing a request (%w): %w", why, err)
	}
	to.advice = advice{}
	return writeECP(w, q, to, response)
}

// writeECP sends a Response, with the address at which the service provider wants
// it in front, for the client to compare (ECP 2.0, 2.3.6).
func writeECP(w http.ResponseWriter, q ecpRequest, to addressee, response []byte) error {
	header, err := to.headers(q.signed)
	if err != nil {
		return err
	}
	binding.WriteSOAP(w, http.StatusOK, binding.SOAP(header, response))
	return nil
}

// headers returns the header blocks of an answer: where it goes, and whether the
// request was authentic, which tells the client that nobody between them put in
// another address.
func (to addressee) headers(authentic bool) ([]byte, error) {
	var blocks [][]byte
	var failed error
	block := func(name, text string, attrs ...string) {
		w := xmlsec.NewWriter()
		w.Element(name, text, append(attrs, "S:actor", binding.ActorNext)...)
		octets, err := w.Bytes()
		failed = errors.Join(failed, err)
		blocks = append(blocks, octets)
	}
	block("ecp:Response", "", "AssertionConsumerServiceURL", to.state.ACS, "S:mustUnderstand", "1")
	if authentic {
		block("ecp:RequestAuthenticated", "")
	}
	for _, b := range to.advice.bindings {
		block("cb:ChannelBindings", "", "Type", b, "S:mustUnderstand", "1")
	}
	if to.advice.key != "" {
		block("samlec:GeneratedKey", to.advice.key)
	}
	if failed != nil {
		return nil, fmt.Errorf("writing the header of an answer: %w", failed)
	}
	return slices.Concat(blocks...), nil
}
