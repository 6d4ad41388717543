package idp

import (
	"context"
	"crypto"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/crewjam/saml"

	"github.com/samlet-id/samlet/binding"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/web"
	"github.com/samlet-id/samlet/internal/xmlsec"
	"github.com/samlet-id/samlet/metadata"
	"github.com/samlet-id/samlet/templates"
)

// Logouts ends sessions and tells everybody who took part in them. It is safe
// for concurrent use.
type Logouts interface {
	// Logout ends the sessions that l names, durably, and begins to tell the
	// others. It returns the path of ours from where the answer to l is sent in
	// the end, or "" if everybody has confirmed already and l is to be answered
	// at once. Nothing named is an identity.Error of KindNotFound, a message that
	// was taken before one of KindReplayed.
	Logout(ctx context.Context, l identity.Logout) (redirect string, err error)
	// LogoutDirectly is Logout where there is no browser. Complete says that
	// everybody has confirmed.
	LogoutDirectly(ctx context.Context, l identity.Logout) (complete bool, err error)
	// LogoutAnswered takes the answer of rp to the message of that ID: why is
	// nil if rp confirms. It returns the path of ours where the logout is
	// watched. An answer that nobody awaits of rp is an identity.Error.
	LogoutAnswered(ctx context.Context, message string, rp identity.RelyingPartyID, why error) (path string, err error)
}

// logoutState is what an answer needs of its LogoutRequest; Logouts keeps it
// meanwhile.
type logoutState struct {
	InResponseTo string                  `json:"in_response_to"`
	RelyingParty identity.RelyingPartyID `json:"relying_party"`
	Audience     identity.EntityID       `json:"audience"`
	Binding      string                  `json:"binding"` // of the request
	RelayState   string                  `json:"relay_state,omitempty"`
}

// singleLogout is the SingleLogoutService by HTTP-Redirect and HTTP-POST (SAML
// Profiles 4.4.3): it takes LogoutRequests, and answers to ours. As at the
// SingleSignOnService, what cannot be believed is answered to the person alone.
func (p *Provider) singleLogout(w http.ResponseWriter, r *http.Request) error {
	in, err := binding.Receive(w, r, 0)
	if err != nil {
		return err
	}
	msg, err := binding.Decode(in, "")
	if err != nil {
		return err
	}
	if msg.Param == binding.ParamResponse {
		return p.logoutAnswered(w, r, msg)
	}
	ctx, at := r.Context(), identity.RelyingPartyID(r.PathValue("sp"))
	doc, err := xmlsec.Parse(msg.XML, xmlsec.RequestLimits())
	if err != nil {
		return err
	}
	rq, err := parseLogoutRequest(doc.Root())
	if err != nil {
		return err
	}
	party, signed, err := p.believe(ctx, at, rq.Issuer, doc, doc.Root(), msg)
	if err != nil {
		return err
	}
	if rq, err = parseLogoutRequest(signed); err != nil {
		return err
	}
	if err := addressed(rq.Destination, p.logoutURL(at, identity.BindingPOST)); err != nil {
		return err
	}
	st := logoutState{InResponseTo: rq.ID, RelyingParty: party.ID, Audience: party.EntityID, Binding: msg.Binding, RelayState: msg.RelayState}
	redirect, err := p.endSessions(ctx, rq, party, st)
	switch {
	case err != nil:
		return p.refuseLogout(w, r, rq, st, err)
	case redirect != "":
		p.cfg.Web.Redirect(w, r, redirect)
		return nil
	}
	return p.answerLogout(w, r, st, status{top: saml.StatusSuccess})
}

// endSessions does what a believable request asks for. Nobody waits for an
// answer that the service provider does not want, or has no endpoint for.
func (p *Provider) endSessions(ctx context.Context, rq *logoutRequest, party Party, st logoutState) (string, error) {
	l, err := p.logoutOf(rq, party)
	if err != nil {
		return "", err
	}
	if _, ok := logoutEndpoint(party, st.Binding); ok && !rq.Asynchronous {
		if l.State, err = json.Marshal(st); err != nil {
			return "", fmt.Errorf("keeping a LogoutRequest: %w", err)
		}
	}
	return p.cfg.Authenticator.Logout(ctx, l)
}

// logoutOf checks a request that is authentic, and puts it into our own words.
func (p *Provider) logoutOf(rq *logoutRequest, party Party) (identity.Logout, error) {
	now := p.cfg.Now()
	same := &authnRequest{Version: rq.Version, IssueInstant: rq.IssueInstant}
	if err := checkVersion(same, party); err != nil {
		return identity.Logout{}, err
	}
	if err := p.checkLifetime(same, party); err != nil {
		return identity.Logout{}, err
	}
	// SAML Core 3.7.3.2: such a request must not be carried out any more.
	if !rq.NotOnOrAfter.IsZero() && !now.Before(rq.NotOnOrAfter.Add(p.cfg.Skew)) {
		return identity.Logout{}, &identity.Error{
			Kind: identity.KindExpired, Code: "logout.expired", Who: identity.WhoVendor,
			Msg:  "The application's request to sign out has expired.",
			Seen: "NotOnOrAfter " + xmlsec.FormatTime(rq.NotOnOrAfter), Expected: "later than " + xmlsec.FormatTime(now.Add(-p.cfg.Skew)),
		}
	}
	if party.NoLogout {
		return identity.Logout{}, &identity.Error{
			Kind: identity.KindDenied, Code: "logout.denied", Who: identity.WhoOperator,
			Msg: "The application may not sign people out here.", Seen: string(party.ID),
		}
	}
	name, err := p.nameOf(rq, party)
	if err != nil {
		return identity.Logout{}, err
	}
	return identity.Logout{
		RelyingParty: party.ID, Audience: party.EntityID, Principal: name, Indexes: rq.SessionIndex,
		Message: "saml " + string(party.EntityID) + " " + rq.ID,
		// Until then the request could come again, and be as young as it has to be.
		Expires: rq.IssueInstant.Add(maxAge + 2*p.cfg.Skew),
	}, nil
}

// nameOf returns the identifier of a request, decrypted with any of our keys if
// need be (IIP-IDP19).
func (p *Provider) nameOf(rq *logoutRequest, party Party) (identity.Principal, error) {
	if rq.BaseID {
		return identity.Principal{}, &identity.Error{
			Kind: identity.KindInvalid, Code: "logout.base_id", Who: identity.WhoVendor,
			Msg: "The application's request to sign out names somebody by an identifier that is not supported.", Seen: "a BaseID", Expected: "a NameID or an EncryptedID",
		}
	}
	if rq.EncryptedID == nil {
		return rq.NameID, nil
	}
	var keys []crypto.Decrypter
	for _, k := range p.cfg.Keys.Encryption() {
		keys = append(keys, k.Decrypter)
	}
	doc, err := xmlsec.DecryptID(rq.EncryptedID, keys, xmlsec.RequestLimits(), party.Refused...)
	if err != nil {
		return identity.Principal{}, &identity.Error{
			Kind: identity.KindInvalid, Code: "logout.encrypted_id", Who: identity.WhoVendor, Err: err,
			Msg: "The application's request to sign out names somebody in a way that cannot be decrypted.", Expected: "an EncryptedID for the encryption key in our metadata",
		}
	}
	return readNameID(doc.Root())
}

// believe returns the service provider that sent a message of single logout, or
// an ArtifactResolve, and the message as its signature covers it. There is none
// without a signature (SAML Profiles 4.4.4.1, 4.4.4.2): over the query by
// HTTP-Redirect, inside of the XML else. at is the service provider whose own
// address took it, or of which it is awaited, or "".
func (p *Provider) believe(ctx context.Context, at identity.RelyingPartyID, issuer identity.EntityID, doc *xmlsec.Document, e *xmlsec.Element, msg binding.SAML) (Party, *xmlsec.Element, error) {
	party, err := p.sender(ctx, at, issuer)
	if err != nil {
		return Party{}, nil, err
	}
	trusted := party.Metadata.SP.Signing
	if msg.Binding == identity.BindingRedirect {
		if len(msg.Signature) == 0 {
			return Party{}, nil, unsigned(party, "SigAlg and Signature in the query (SAML Bindings 3.4.4.1)")
		}
		if err := msg.VerifyQuery(trusted, party.Refused...); err != nil {
			return Party{}, nil, badSignature(party, err)
		}
		return party, e, nil
	}
	if !doc.HasSignature(e) {
		return Party{}, nil, unsigned(party, "an enveloped signature (SAML Core 5.4)")
	}
	signed, err := doc.Verify(e, xmlsec.Trust{Keys: trusted, Refused: party.Refused})
	if err != nil {
		return Party{}, nil, badSignature(party, err)
	}
	return party, signed, nil
}

func unsigned(party Party, expected string) error {
	return &identity.Error{
		Kind: identity.KindInvalid, Code: "sp.unsigned", Who: identity.WhoVendor,
		Msg: "The application must sign such messages, and this one is not signed.", Seen: string(party.EntityID), Expected: expected,
	}
}

// addressed is checkDestination for messages that are always signed.
func addressed(destination, here string) error {
	if destination == here {
		return nil
	}
	return &identity.Error{
		Kind: identity.KindInvalid, Code: "sp.destination", Who: identity.WhoVendor,
		Msg: "The application's message was meant for another address.", Seen: destination, Expected: here,
	}
}

// singleLogoutSOAP is the SingleLogoutService by SOAP (SAML Profiles 4.4.3.2). A
// message that cannot be believed is a SOAP fault, which acknowledges nothing;
// from then on everything is a LogoutResponse.
func (p *Provider) singleLogoutSOAP(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	rq, party, err := p.readLogoutSOAP(w, r)
	if err != nil {
		return err
	}
	s := status{top: saml.StatusSuccess}
	complete := false
	l, err := p.logoutOf(rq, party)
	if err == nil {
		complete, err = p.cfg.Authenticator.LogoutDirectly(ctx, l)
	}
	switch {
	case err != nil:
		p.logRefusal(ctx, "logout refused", party.ID, err)
		s = logoutStatus(identity.AsError(err), web.RequestID(ctx))
	case !complete:
		s.second = saml.StatusPartialLogout
	}
	octets, err := p.logoutResponse(party, rq.ID, "", s, true)
	if err != nil {
		return err
	}
	binding.WriteSOAP(w, http.StatusOK, binding.SOAP(nil, octets))
	return nil
}

func (p *Provider) readLogoutSOAP(w http.ResponseWriter, r *http.Request) (*logoutRequest, Party, error) {
	at := identity.RelyingPartyID(r.PathValue("sp"))
	env, err := binding.ReceiveSOAP(w, r, 0)
	if err != nil {
		return nil, Party{}, err
	}
	if err := env.Understands(); err != nil {
		return nil, Party{}, err
	}
	rq, err := parseLogoutRequest(env.Body)
	if err != nil {
		return nil, Party{}, err
	}
	party, signed, err := p.believe(r.Context(), at, rq.Issuer, env.Document, env.Body, binding.SAML{Binding: identity.BindingSOAP})
	if err != nil {
		return nil, Party{}, err
	}
	if rq, err = parseLogoutRequest(signed); err != nil {
		return nil, Party{}, err
	}
	if rq.Destination == "" { // which this binding does not demand
		return rq, party, nil
	}
	return rq, party, addressed(rq.Destination, p.logoutURL(at, identity.BindingSOAP))
}

// logoutAnswered takes an answer to one of our LogoutRequests, in the frame that
// led there or in a page of its own. It needs no cookie: the message that is
// answered is known by its ID, and who answers by the signature.
func (p *Provider) logoutAnswered(w http.ResponseWriter, r *http.Request, msg binding.SAML) error {
	ctx, at := r.Context(), identity.RelyingPartyID(r.PathValue("sp"))
	doc, err := xmlsec.Parse(msg.XML, xmlsec.RequestLimits())
	if err != nil {
		return err
	}
	rs, err := parseLogoutResponse(doc.Root())
	if err != nil {
		return err
	}
	party, signed, err := p.believe(ctx, at, rs.Issuer, doc, doc.Root(), msg)
	if err != nil {
		return err
	}
	if rs, err = parseLogoutResponse(signed); err != nil {
		return err
	}
	if err := addressed(rs.Destination, p.logoutURL(at, identity.BindingPOST)); err != nil {
		return err
	}
	why := rs.judge()
	path, err := p.cfg.Authenticator.LogoutAnswered(ctx, rs.InResponseTo, party.ID, why)
	if err != nil {
		return err
	}
	if r.Header.Get("Sec-Fetch-Dest") == "document" {
		// The application broke out of its frame: back to the page around it.
		p.cfg.Web.Redirect(w, r, path)
		return nil
	}
	page := templates.Heard{}
	if why != nil {
		page.Problem = identity.AsError(why).Msg
	}
	return p.cfg.Web.Render(w, r, http.StatusOK, page, web.RenderOptions{Framed: true})
}

// refuseLogout tells the service provider why nothing came of its request; the
// person reads it if nobody is to be told.
func (p *Provider) refuseLogout(w http.ResponseWriter, r *http.Request, rq *logoutRequest, st logoutState, why error) error {
	party, err := p.sender(r.Context(), st.RelyingParty, st.Audience)
	if err != nil {
		return err
	}
	if _, ok := logoutEndpoint(party, st.Binding); !ok || rq.Asynchronous {
		return why
	}
	p.logRefusal(r.Context(), "logout refused", party.ID, why)
	return p.answerLogout(w, r, st, logoutStatus(identity.AsError(why), web.RequestID(r.Context())))
}

// answerLogout sends the browser back with the answer.
func (p *Provider) answerLogout(w http.ResponseWriter, r *http.Request, st logoutState, s status) error {
	msg, err := p.logoutAnswer(r.Context(), st, s)
	if err != nil {
		return err
	}
	return p.cfg.Web.Send(w, r, msg.URL, msg.Form)
}

// AnswerLogout returns the message that answers the LogoutRequest of which state
// is what Logouts was given to keep. Where not everybody has confirmed, the
// status is Success all the same, as our own session has ended, with PartialLogout
// below it (SAML Profiles 4.4.3.5).
func (p *Provider) AnswerLogout(ctx context.Context, state []byte, complete bool) (binding.Message, error) {
	var st logoutState
	if err := json.Unmarshal(state, &st); err != nil {
		return binding.Message{}, fmt.Errorf("reading what was kept of a LogoutRequest: %w", err)
	}
	s := status{top: saml.StatusSuccess}
	if !complete {
		s.second = saml.StatusPartialLogout
	}
	return p.logoutAnswer(ctx, st, s)
}

// logoutAnswer writes the answer for the endpoint of the request's binding, at
// its ResponseLocation (IIP-IDP20), with the RelayState that came.
func (p *Provider) logoutAnswer(ctx context.Context, st logoutState, s status) (binding.Message, error) {
	party, err := p.sender(ctx, st.RelyingParty, st.Audience)
	if err != nil {
		return binding.Message{}, err
	}
	e, ok := logoutEndpoint(party, st.Binding)
	if !ok {
		return binding.Message{}, fmt.Errorf("answering a LogoutRequest: %s has no SingleLogoutService any more", party.EntityID)
	}
	octets, err := p.logoutResponse(party, st.InResponseTo, e.ResponseURL(), s, e.Binding == identity.BindingPOST)
	if err != nil {
		return binding.Message{}, err
	}
	return p.byBrowser(party, e.Binding, e.ResponseURL(), binding.ParamResponse, octets, st.RelayState)
}

// byBrowser makes the browser's message of octets, and signs the query where
// they carry no signature of their own.
func (p *Provider) byBrowser(party Party, by, location, param string, octets []byte, relayState string) (binding.Message, error) {
	if by == identity.BindingPOST {
		return binding.Post(location, param, octets, relayState), nil
	}
	key, err := p.signer(party)
	if err != nil {
		return binding.Message{}, err
	}
	return binding.Redirect(location, param, octets, relayState, &key)
}

// logoutURL is ssoURL for the SingleLogoutService of a binding.
func (p *Provider) logoutURL(at identity.RelyingPartyID, by string) string {
	path, own := pathLogout, pathOwnLogout
	if by == identity.BindingSOAP {
		path, own = pathLogoutSOAP, pathOwnLogoutSOAP
	}
	if at == "" {
		return p.cfg.BaseURL + path
	}
	return p.cfg.BaseURL + strings.Replace(own, "{sp}", string(at), 1)
}

// logoutEndpoint returns where a browser takes messages of single logout to: by
// the binding that is wanted if the service provider has it, else by Redirect
// rather than by POST, which needs a page.
func logoutEndpoint(party Party, wanted string) (metadata.Endpoint, bool) {
	if wanted != identity.BindingPOST {
		wanted = identity.BindingRedirect
	}
	return metadata.Find(party.Metadata.SP.SLO, wanted, identity.BindingRedirect, identity.BindingPOST)
}

// logoutStatus is statusOf for LogoutRequests.
func logoutStatus(e *identity.Error, requestID string) status {
	s := statusOf(e, requestID)
	switch {
	case s.top == saml.StatusVersionMismatch:
	case e.Code == "logout.unknown":
		s.top, s.second = saml.StatusRequester, saml.StatusUnknownPrincipal
	case e.Code == "logout.base_id":
		s.top, s.second = saml.StatusRequester, saml.StatusRequestUnsupported
	case e.Kind == identity.KindInternal, e.Kind == identity.KindUnavailable:
		s.top, s.second = saml.StatusResponder, ""
	default:
		s.top, s.second = saml.StatusRequester, saml.StatusRequestDenied
	}
	return s
}

// logoutLife is how long our LogoutRequests count: much longer than anybody is
// waited for, so that clocks may differ.
const logoutLife = 5 * time.Minute
