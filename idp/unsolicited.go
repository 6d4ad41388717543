package idp

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/samlet-id/samlet/binding"
	"github.com/samlet-id/samlet/identity"
)

// pathUnsolicited is where a link or a launcher begins a sign-in for an
// application:
//
//	GET BASE/saml/idp-initiated?sp=ENTITYID&RelayState=…
//
// The id of the entry in config.yaml stands for an entityID that is not known.
const pathUnsolicited = "/saml/idp-initiated"

const (
	paramParty      = "sp"
	paramRelayState = "RelayState"
)

// unsolicited begins a sign-in that no service provider asked for (SAML Profiles
// 4.1.5). The Response goes to the default AssertionConsumerService and answers
// no request. Whatever is wrong is told to the person, who alone asked.
func (p *Provider) unsolicited(w http.ResponseWriter, r *http.Request) error {
	id, relayState, err := readLink(r.URL.RawQuery)
	if err != nil {
		return err
	}
	party, err := p.party(r.Context(), id)
	if identity.KindOf(err) == identity.KindNotFound && err != nil {
		// Where several entries are about one entityID, their ids tell them apart.
		if byID, ierr := p.partyByID(r.Context(), identity.RelyingPartyID(id)); ierr == nil {
			party, err = byID, nil
		}
	}
	if err != nil {
		return err
	}
	return p.launch(w, r, party, relayState, func(req *identity.AuthnRequest) { takeHints(req, r.URL.Query()) })
}

// Land begins a sign-in at the relying party of id for somebody whom connection via
// sent here. The person is led back there, and no session answers, since it may be
// somebody else's. The person alone is told what is wrong.
func (p *Provider) Land(w http.ResponseWriter, r *http.Request, id identity.RelyingPartyID, via identity.ConnectionID) error {
	party, err := p.partyByID(r.Context(), id)
	if err != nil {
		return err
	}
	return p.launch(w, r, party, "", func(req *identity.AuthnRequest) { req.Connection, req.Afresh = via, true })
}

// launch begins a sign-in at party under terms.
func (p *Provider) launch(w http.ResponseWriter, r *http.Request, party Party, relayState string, terms func(*identity.AuthnRequest)) error {
	if !party.IDPInitiated {
		return &identity.Error{
			Kind: identity.KindDenied, Code: "sp.idp_initiated", Who: identity.WhoOperator,
			Msg: "This application takes no sign-in that begins here. Open the application itself.", Seen: string(party.EntityID), Expected: "idp_initiated: true",
		}
	}
	acs, err := party.Metadata.SP.AssertionConsumerService("", nil, "", browserBindings()...)
	if err != nil {
		return err
	}
	req, err := p.ask(&authnRequest{}, party, acs, relayState)
	if err != nil {
		return err
	}
	req.Unsolicited = true
	terms(&req)
	return p.begin(w, r, req)
}

// readLink reads the query. Unlike a message of an application it was put
// together by a person, so that whatever is not understood is a mistake worth
// telling.
func readLink(raw string) (id identity.EntityID, relayState string, err error) {
	if len(raw) > binding.DefaultMaxQuery {
		return "", "", badLink("a query of "+strconv.Itoa(len(raw))+" bytes", "a short one")
	}
	q, err := url.ParseQuery(raw)
	if err != nil {
		return "", "", badLink("a query that cannot be decoded", "percent-encoded values")
	}
	for name, values := range q {
		switch {
		case !slices.Contains([]string{paramParty, paramRelayState, paramIDPHint, paramLoginHint}, name):
			return "", "", badLink("the parameter "+strconv.Quote(name), "sp, RelayState, idp_hint and login_hint")
		case len(values) > 1:
			return "", "", badLink(name+" more than once", "once")
		}
	}
	id, relayState = identity.EntityID(q.Get(paramParty)), q.Get(paramRelayState)
	if id == "" {
		return "", "", badLink("no sp", "sp=ENTITYID")
	}
	return id, relayState, checkRelayState(relayState)
}

// checkRelayState refuses what could do harm at an application that takes a
// RelayState for an address to go to, as many do here. In an answer to a request
// it is the application's own and comes back whatever it is.
func checkRelayState(s string) error {
	if len(s) > binding.DefaultMaxRelayState {
		return badLink("a RelayState of "+strconv.Itoa(len(s))+" bytes", "at most "+strconv.Itoa(binding.DefaultMaxRelayState))
	}
	if strings.ContainsFunc(s, unicode.IsControl) {
		return badLink("a RelayState with control characters", "text")
	}
	scheme, _, found := strings.Cut(strings.TrimSpace(s), ":")
	scripts := []string{"javascript", "vbscript", "data", "blob", "file"}
	if found && slices.Contains(scripts, strings.ToLower(strings.TrimSpace(scheme))) {
		return badLink("a RelayState that begins with "+scheme+":", "an address with https, a path, or a word that the application knows")
	}
	return nil
}

func badLink(seen, expected string) error {
	return &identity.Error{
		Kind: identity.KindInvalid, Code: "sp.link", Who: identity.WhoUser,
		Msg: "This link is not one by which a sign-in can begin.", Seen: seen, Expected: expected,
	}
}
