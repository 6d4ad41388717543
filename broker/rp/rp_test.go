package rp_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/samlet-id/samlet/binding"
	"github.com/samlet-id/samlet/identity"
)

const goodAnswer = "code=the-code&state=ticket"

func TestGoodAnswer(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	c := open(t, p)
	state := ask(t, c, p, identity.AuthnRequest{ForceAuthn: true, LoginHint: "ada@partner.example", Context: identity.RequestedContext{Classes: []identity.ClassRef{"urn:two", "urn:one"}}})
	for name, want := range map[string]string{
		"prompt": "login", "max_age": "0", "acr_values": "urn:two urn:one", "login_hint": "ada@partner.example", "state": "ticket", "code_challenge_method": "S256",
		"response_type": "code", "scope": "openid profile email", "redirect_uri": callback, "client_id": clientID,
	} {
		if got := p.asked.Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	got, err := c.Finish(t.Context(), state, binding.Received{Method: http.MethodPost, Form: url.Values{"code": {"the-code"}, "state": {"ticket"}}})
	if err != nil {
		t.Fatal(err)
	}
	attributes := got.Attributes
	got.Attributes = nil
	want := identity.Assertion{
		Principal: identity.Principal{Issuer: identity.EntityID(p.URL), Subject: "ada"}, Session: "s1",
		Context: identity.AuthnContext{Class: "urn:mace:incommon:iap:silver", Methods: []identity.Method{"pwd"}, Instant: noon},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for name, want := range map[identity.Name][]string{"email": {"ada@partner.example"}, "email_verified": {"true"}, "groups": {"a", "b"}, "address": nil} {
		if diff := cmp.Diff(want, attributes[name]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if _, err := c.Finish(t.Context(), state, get(goodAnswer)); identity.KindOf(err) != identity.KindReplayed || identity.CodeOf(err) != "up.replay" {
		t.Errorf("replayed: got %v, want up.replay", err)
	}
}

func TestAttackAnswersAreRefused(t *testing.T) {
	t.Parallel()
	foreign := newKey(t)
	says := func(name string, v any) answer { return answer{claims: map[string]any{name: v}} }
	force := identity.AuthnRequest{ForceAuthn: true}
	tests := []struct {
		name  string
		req   identity.AuthnRequest
		next  answer
		query string
		kind  identity.Kind
		code  identity.Code
	}{
		{name: "expired", next: says("exp", noon.Unix()-181), kind: identity.KindExpired, code: "up.clock"},
		{name: "early", next: says("nbf", noon.Unix()+181), code: "up.clock"},
		{name: "no exp", next: says("exp", nil), code: "up.format"},
		{name: "wrong audience", next: says("aud", "another"), code: "up.audience"},
		{name: "several audiences without azp", next: says("aud", []string{clientID, "b"}), code: "up.audience"},
		{name: "wrong azp", next: says("azp", "another"), code: "up.audience"},
		{name: "wrong issuer", next: says("iss", "https://other.example.test"), code: "up.issuer"},
		{name: "wrong nonce", next: says("nonce", "x"), code: "up.in_response_to"},
		{name: "no nonce", next: says("nonce", nil), code: "up.in_response_to"},
		{name: "wrong state", query: "code=the-code&state=other", code: "up.in_response_to"},
		{name: "state twice", query: goodAnswer + "&state=ticket", code: "up.format"},
		{name: "no code", query: "state=ticket", code: "up.format"},
		{name: "code that the upstream does not know", query: "code=x&state=ticket", code: "up.status"},
		{name: "unsigned", next: answer{alg: "none"}, code: "up.unsigned"},
		{name: "JWT confusion", next: answer{alg: "HS256"}, code: "up.algorithm"},
		{name: "foreign signature", next: answer{key: foreign}, code: "up.signature"},
		{name: "tampered", next: answer{broken: true}, code: "up.signature"},
		{name: "mixed-up IdP", query: goodAnswer + "&iss=https://other.example.test", code: "up.issuer"},
		{name: "no subject", next: says("sub", nil), code: "up.missing_subject"},
		{name: "empty subject", next: says("sub", ""), code: "up.missing_subject"},
		{name: "Sub for sub", next: answer{claims: map[string]any{"sub": nil, "Sub": "ada"}}, code: "up.missing_subject"},
		{name: "sub twice", next: answer{raw: `"sub":"eve"`}, code: "up.format"},
		{name: "bad at_hash", next: says("at_hash", "x"), code: "up.access_token"},
		{name: "no auth_time", req: force, next: says("auth_time", nil), code: "up.stale"},
		{name: "old auth_time", req: force, next: says("auth_time", noon.Unix()-3600), code: "up.stale"},
		{name: "cancelled", query: "state=ticket&error=access_denied&error_description=no%0Away", kind: identity.KindDenied, code: "up.status"},
		{name: "passive", query: "state=ticket&error=login_required", kind: identity.KindNeedsInteraction, code: "up.status"},
		{name: "unmet", query: "state=ticket&error=unmet_authentication_requirements", kind: identity.KindContextUnmet, code: "up.status"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newProvider(t)
			p.next = tt.next
			c := open(t, p)
			if tt.query == "" {
				tt.query = goodAnswer
			}
			if tt.kind == identity.KindInternal {
				tt.kind = identity.KindInvalid
			}
			got, err := c.Finish(t.Context(), ask(t, c, p, tt.req), get(tt.query))
			if identity.KindOf(err) != tt.kind || identity.CodeOf(err) != tt.code {
				t.Errorf("got %+v, %v, want %v %s", got.Principal, err, tt.kind, tt.code)
			}
		})
	}
}

func TestMixUp(t *testing.T) {
	t.Parallel()
	a, b := newProvider(t), newProvider(t)
	b.issRow = true
	ca, cb := open(t, a), open(t, b)
	if _, err := cb.Finish(t.Context(), ask(t, ca, a, identity.AuthnRequest{}), get(goodAnswer)); identity.CodeOf(err) != "up.mix_up" {
		t.Errorf("state of another's question: got %v, want up.mix_up", err)
	}
	if _, err := cb.Finish(t.Context(), ask(t, cb, b, identity.AuthnRequest{}), get(goodAnswer)); identity.CodeOf(err) != "up.issuer" {
		t.Errorf("without the iss that was promised: got %v, want up.issuer", err)
	}
	if _, err := ca.Finish(t.Context(), nil, get(goodAnswer)); identity.CodeOf(err) != "up.unsolicited" {
		t.Errorf("without state: got %v, want up.unsolicited", err)
	}
}

func TestKeyRotationNeedsNothing(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	c := open(t, p)
	for _, kid := range []string{"one", "two"} {
		p.mu.Lock()
		p.kid, p.key = kid, newKey(t)
		p.mu.Unlock()
		if _, err := c.Finish(t.Context(), ask(t, c, p, identity.AuthnRequest{}), get(goodAnswer)); err != nil {
			t.Errorf("signed with key %s: %v", kid, err)
		}
	}
}

// TestOutage holds that a connector is made while its upstream is down, and works
// once the upstream does.
func TestOutage(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	p.down = true
	c := open(t, p)
	_, _, err := c.Begin(t.Context(), identity.AuthnRequest{}, "ticket")
	if identity.KindOf(err) != identity.KindUnavailable || identity.CodeOf(err) != "up.unreachable" {
		t.Errorf("got %v, want up.unreachable", err)
	}
	p.mu.Lock()
	p.down = false
	p.mu.Unlock()
	if _, err := c.Finish(t.Context(), ask(t, c, p, identity.AuthnRequest{}), get(goodAnswer)); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}
