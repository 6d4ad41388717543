package rp_test

import (
	"crypto/rsa"
	"net/url"
	"strings"
	"testing"

	"github.com/samlet-id/samlet/binding"
	"github.com/samlet-id/samlet/broker"
	"github.com/samlet-id/samlet/broker/brokertest"
	"github.com/samlet-id/samlet/identity"
)

// scripted is brokertest's OpenID Provider.
type scripted struct {
	main, other *provider
	foreign     *rsa.PrivateKey
}

// TestConnector holds that of all answers the good one alone counts.
func TestConnector(t *testing.T) {
	t.Parallel()
	brokertest.RunOpenID(t, scripted{newProvider(t), newProvider(t), newKey(t)})
}

func (s scripted) Open(t testing.TB) broker.Connector      { return open(t, s.main) }
func (s scripted) OpenOther(t testing.TB) broker.Connector { return open(t, s.other) }

func (s scripted) Says() identity.Assertion {
	return identity.Assertion{
		Principal: identity.Principal{Issuer: identity.EntityID(s.main.URL), Subject: "ada"}, Session: "s1",
		Context: identity.AuthnContext{Class: "urn:mace:incommon:iap:silver", Methods: []identity.Method{"pwd"}, Instant: noon},
		Attributes: identity.Attributes{
			"sub": {"ada"}, "email": {"ada@partner.example"}, "email_verified": {"true"}, "groups": {"a", "b"}, // groups by UserInfo
			"acr": {"urn:mace:incommon:iap:silver"}, "amr": {"pwd"}, "address.locality": {"x"}, "realm_access.roles": {"r1", "r2"},
		},
	}
}

// Answer implements brokertest.Peer.
func (s scripted) Answer(t testing.TB, c brokertest.Case, asked binding.Message) (binding.Received, bool) {
	t.Helper()
	s.main.hear(t, asked)
	next, told := s.token(c)
	query, said := queries(s.other.URL)[c]
	if !said {
		query = "code=the-code&state={state}"
	}
	s.main.mu.Lock()
	defer s.main.mu.Unlock()
	s.main.next = next
	return get(strings.ReplaceAll(query, "{state}", url.QueryEscape(s.main.asked.Get("state")))), told || said || c == brokertest.Good
}

// queries are the answers that go wrong on the way through the browser.
func queries(other string) map[brokertest.Case]string {
	const code = "code=the-code&state={state}"
	return map[brokertest.Case]string{
		brokertest.WrongState: "code=the-code&state=other", brokertest.StateTwice: code + "&state={state}", brokertest.NoCode: "state={state}",
		brokertest.ForeignCode: "code=x&state={state}", brokertest.MixedUp: code + "&iss=" + url.QueryEscape(other),
		brokertest.Cancelled:     "state={state}&error=access_denied&error_description=no%0Away",
		brokertest.LoginRequired: "state={state}&error=login_required", brokertest.ServerError: "state={state}&error=server_error",
		brokertest.UnmetContext: "state={state}&error=unmet_authentication_requirements",
	}
}

// token is how the token endpoint answers.
func (s scripted) token(c brokertest.Case) (answer, bool) {
	says := func(name string, v any) answer { return answer{claims: map[string]any{name: v}} }
	instead := func(token string) answer { return answer{token: &token} }
	a, ok := map[brokertest.Case]answer{
		brokertest.Expired:           says("exp", noon.Unix()-180),
		brokertest.Early:             says("nbf", noon.Unix()+181),
		brokertest.NoExpiry:          says("exp", nil),
		brokertest.NoIssuedAt:        says("iat", nil),
		brokertest.DamagedTime:       says("exp", "tomorrow"),
		brokertest.WrongAudience:     says("aud", "another"),
		brokertest.NoAudience:        says("aud", nil),
		brokertest.SeveralAudiences:  says("aud", []string{clientID, "b"}),
		brokertest.WrongParty:        says("azp", "another"),
		brokertest.WrongIssuer:       says("iss", "https://other.example.test"),
		brokertest.MissingIssuer:     says("iss", nil),
		brokertest.WrongInResponseTo: says("nonce", "x"),
		brokertest.NoNonce:           says("nonce", nil),
		brokertest.NoSubject:         says("sub", nil),
		brokertest.EmptySubject:      says("sub", ""),
		brokertest.LongSubject:       says("sub", strings.Repeat("a", 256)),
		brokertest.NumberSubject:     says("sub", 1),
		brokertest.CasedSubject:      {claims: map[string]any{"sub": nil, "Sub": "ada"}},
		brokertest.SubjectTwice:      {raw: `"sub":"eve"`},
		brokertest.WrongAccessToken:  says("at_hash", "x"),
		brokertest.NoIDToken:         instead(""),
		brokertest.NotJWS:            instead("no token"),
		brokertest.Unsigned:          {alg: "none"},
		brokertest.JWTConfusion:      {alg: "HS256"},
		brokertest.ForeignSignature:  {key: s.foreign},
		brokertest.Tampered:          {broken: true},
		brokertest.ForeignKeySet:     {key: s.foreign, jku: s.other.URL + "/jwks"},
		brokertest.UnknownKey:        {kid: "nobody's"},
		brokertest.OtherUserInfo:     {userInfo: map[string]any{"sub": "eve"}},
		brokertest.NoUserInfoSub:     {userInfo: map[string]any{"sub": nil}},
		brokertest.LogoutToken:       {typ: "logout+jwt", claims: map[string]any{"nonce": nil, "events": map[string]any{logoutEvent: map[string]any{}}}},
	}[c]
	return a, ok
}
