package idp

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/crewjam/saml"

	"github.com/samlet-id/samlet/binding"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/web"
	"github.com/samlet-id/samlet/internal/xmlsec"
	"github.com/samlet-id/samlet/templates"
)

// Respond returns the message that tells the service provider of req what a
// says: a Response with one assertion, signed, and encrypted where that is due
// (SAML Profiles 4.1.4.2). It releases exactly what is in a. An answer that does
// not answer the question is an identity.Error, to be given to Refuse.
func (p *Provider) Respond(ctx context.Context, req identity.AuthnRequest, a identity.Assertion) (binding.Message, error) {
	to, err := p.addressee(ctx, req)
	if err != nil {
		return binding.Message{}, err
	}
	octets, err := p.answer(ctx, req, to, a)
	if err != nil {
		return binding.Message{}, err
	}
	return p.deliver(ctx, to, octets)
}

// Response returns the Response that Respond would send, by whatever binding; it
// keeps and sends nothing.
func (p *Provider) Response(ctx context.Context, req identity.AuthnRequest, a identity.Assertion) ([]byte, error) {
	to, err := p.addressee(ctx, req)
	if err != nil {
		return nil, err
	}
	return p.answer(ctx, req, to, a)
}

// answer writes the Response that Respond sends.
func (p *Provider) answer(ctx context.Context, req identity.AuthnRequest, to addressee, a identity.Assertion) ([]byte, error) {
	a, err := checkAnswer(req, to, a)
	if err != nil {
		return nil, err
	}
	if err := checkStrings(a); err != nil {
		return nil, err
	}
	how, err := p.protection(to.party)
	if err != nil {
		return nil, fmt.Errorf("protecting the response: %w", err)
	}
	octets, err := p.success(to, a, how)
	if err != nil {
		return nil, fmt.Errorf("writing the response: %w", err)
	}
	if how.weakness != "" {
		p.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "weak encryption", slog.String("request_id", web.RequestID(ctx)),
			slog.String("relying_party", string(to.party.ID)), slog.String("reason", how.weakness))
	}
	return octets, nil
}

// deliver puts a Response on its way through the browser, by the binding of the
// endpoint.
func (p *Provider) deliver(ctx context.Context, to addressee, response []byte) (binding.Message, error) {
	if to.state.Binding == identity.BindingArtifact {
		return p.sendByArtifact(ctx, to, response)
	}
	return binding.Post(to.state.ACS, binding.ParamResponse, response, to.state.RelayState), nil
}

// Refuse returns the message that tells the service provider of req why there is
// no assertion: a signed Response whose status says so to machines, and whose
// StatusMessage carries our code and the request ID.
func (p *Provider) Refuse(ctx context.Context, req identity.AuthnRequest, why error) (binding.Message, error) {
	to, err := p.addressee(ctx, req)
	if err != nil {
		return binding.Message{}, err
	}
	octets, err := p.failure(to, statusOf(identity.AsError(why), web.RequestID(ctx)))
	if err != nil {
		return binding.Message{}, fmt.Errorf("writing the response: %w", err)
	}
	return p.deliver(ctx, to, octets)
}

// addressee is where an answer goes.
type addressee struct {
	party  Party
	state  state
	advice advice // what the assertion says beside its statements
	now    time.Time
}

// addressee finds it. The endpoint is held against the metadata once more: it may
// have left it since the request.
func (p *Provider) addressee(ctx context.Context, req identity.AuthnRequest) (addressee, error) {
	to := addressee{now: p.cfg.Now()}
	if err := json.Unmarshal(req.State, &to.state); err != nil {
		return addressee{}, fmt.Errorf("reading what was kept of the request: %w", err)
	}
	var err error
	if to.party, err = p.sender(ctx, req.RelyingParty, req.Audience); err != nil {
		return addressee{}, err
	}
	_, err = to.party.Metadata.SP.AssertionConsumerService(to.state.ACS, nil, "", cmp.Or(to.state.Binding, identity.BindingPOST))
	return to, err
}

// respond sends the answer, or the refusal where there is none.
func (p *Provider) respond(w http.ResponseWriter, r *http.Request, req identity.AuthnRequest, a identity.Assertion) error {
	msg, err := p.Respond(r.Context(), req, a)
	if err != nil {
		return p.refuse(w, r, req, err)
	}
	via := ""
	if len(a.Context.Authorities) > 0 {
		via = string(a.Context.Authorities[0])
	}
	p.cfg.Log.LogAttrs(r.Context(), slog.LevelInfo, "signed in",
		slog.String("request_id", web.RequestID(r.Context())), slog.String("relying_party", string(req.RelyingParty)),
		slog.String("via", via), slog.String("class", string(a.Context.Class)), slog.Bool("unsolicited", req.Unsolicited))
	return p.send(w, r, msg)
}

// send carries a Response, or the artifact of one, through the browser. Where the
// browser comes back from the form of the sign-in, the form-action of that page
// stops a redirect to another origin even behind our own (CSP3 6.4.1), so that an
// artifact gets a page that leads on instead.
func (p *Provider) send(w http.ResponseWriter, r *http.Request, msg binding.Message) error {
	if msg.Form == nil && r.URL.Path == p.base+pathResume {
		return p.cfg.Web.Render(w, r, http.StatusOK, templates.Forward{URL: msg.URL}, web.RenderOptions{})
	}
	return p.cfg.Web.Send(w, r, msg.URL, msg.Form)
}

// refuse sends the refusal to the service provider, unless that did not ask: then
// the person, who did, is told. This is where it is logged,
// since no error is returned then; if it cannot be sent, the person learns of it
// instead.
func (p *Provider) refuse(w http.ResponseWriter, r *http.Request, req identity.AuthnRequest, why error) error {
	if req.Unsolicited {
		return why
	}
	ctx := r.Context()
	msg, err := p.Refuse(ctx, req, why)
	if err != nil {
		return fmt.Errorf("refusing a request (%w): %w", why, err)
	}
	e := identity.AsError(why)
	level := slog.LevelInfo
	if e.Kind == identity.KindInternal || e.Kind == identity.KindUnavailable {
		level = slog.LevelError
	}
	p.cfg.Log.LogAttrs(ctx, level, "request refused",
		slog.String("request_id", web.RequestID(ctx)), slog.String("relying_party", string(req.RelyingParty)),
		slog.String("code", string(e.Code)), slog.String("kind", e.Kind.String()),
		slog.String("seen", e.Seen), slog.String("expected", e.Expected), slog.String("err", why.Error()))
	return p.send(w, r, msg)
}

// success writes a Response with an assertion: one that is encrypted is signed
// first, as a document of its own, and the Response afterwards (SAML Core 6.2).
func (p *Provider) success(to addressee, a identity.Assertion, how protection) ([]byte, error) {
	w, err := p.openResponse(to, a.Consent, how.response)
	if err != nil {
		return nil, err
	}
	status{top: saml.StatusSuccess}.write(w)
	if how.encrypt == nil {
		if err := p.assertion(w, to, a, how); err != nil {
			return nil, err
		}
	} else {
		plain, err := p.assertionAlone(to, a, how)
		if err != nil {
			return nil, err
		}
		w.Open("saml:EncryptedAssertion")
		w.EncryptedData(plain, *how.encrypt, p.cfg.Rand)
		w.Close()
	}
	w.Close()
	if how.encrypt != nil && !how.response { // the signature is inside, and encrypted
		return w.Bytes()
	}
	return w.Sign(how.key)
}

// assertionAlone writes the assertion as a document.
func (p *Provider) assertionAlone(to addressee, a identity.Assertion, how protection) ([]byte, error) {
	w := xmlsec.NewWriter()
	if err := p.assertion(w, to, a, how); err != nil {
		return nil, err
	}
	if how.assertion {
		return w.Sign(how.key)
	}
	return w.Bytes()
}

// failure writes a Response without an assertion (SAML Profiles 4.1.4.2). It is
// signed, whatever the rule for assertions, so that nobody else can end a
// person's login in our name; save where the reason is that there is no
// signature that the service provider would verify.
func (p *Provider) failure(to addressee, s status) ([]byte, error) {
	key, err := p.signer(to.party)
	signed := err == nil
	if !signed && identity.CodeOf(err) != "sp.algorithm" {
		return nil, err
	}
	w, err := p.openResponse(to, "", signed)
	if err != nil {
		return nil, err
	}
	s.write(w)
	w.Close()
	if !signed {
		return w.Bytes()
	}
	return w.Sign(key)
}

// openResponse writes a samlp:Response up to its Status (SAML Core 3.2.2).
func (p *Provider) openResponse(to addressee, consent string, sign bool) (*xmlsec.Writer, error) {
	id, err := identity.NewMessageID(p.cfg.Rand)
	if err != nil {
		return nil, err
	}
	w := xmlsec.NewWriter()
	w.Open("samlp:Response",
		"ID", id,
		"Version", "2.0",
		"IssueInstant", xmlsec.FormatTime(to.now),
		"Destination", to.state.ACS,
		"Consent", consent,
		"InResponseTo", to.state.InResponseTo)
	w.Element("saml:Issuer", string(p.issuer(to.party)))
	if sign {
		w.SignatureSlot()
	}
	return w, nil
}

// signs says what is signed towards a service provider; see the package comment.
func (p Party) signs() (assertion, response bool) {
	assertion = p.Sign.Assertion == identity.On || p.Sign.Assertion == identity.Auto && p.Metadata.SP.WantAssertionsSigned
	return assertion, p.Sign.Response != identity.Off
}
