package login_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/samlet-id/samlet/identity"
)

// TestAttackSessionFixation plants a session in the victim's browser: after the
// login it is worth nothing, and neither is a made-up value.
func TestAttackSessionFixation(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	w.addPerson("mallory")
	w.addPerson("ada")
	attacker, victim := w.newBrowser(), w.newBrowser()
	attacker.signIn(attacker.ask(identity.AuthnRequest{}), "mallory", goodPass).answer(t)
	planted := attacker.cookie("samlet_session")
	for _, value := range []string{planted, "made-up"} {
		victim.setCookie("samlet_session", value)
		victim.signIn(victim.ask(identity.AuthnRequest{ForceAuthn: true}), "ada", goodPass).answer(t)
		if got := victim.cookie("samlet_session"); got == value || got == "" {
			t.Errorf("the login kept the session %q", value)
		}
		attacker.setCookie("samlet_session", value)
		if p := attacker.ask(identity.AuthnRequest{IsPassive: true}); p.answer(t).Assertion != nil {
			t.Errorf("the planted session %q signs its planter in: %s", value, p.body)
		}
	}
}

// TestAttackSessionTokenIsRenewed repeats a login of the same person: the value
// of before is dead.
func TestAttackSessionTokenIsRenewed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	w.addPerson("ada")
	b := w.newBrowser()
	b.signIn(b.ask(identity.AuthnRequest{}), "ada", goodPass).answer(t)
	copied := b.cookie("samlet_session")
	b.signIn(b.ask(identity.AuthnRequest{ForceAuthn: true}), "ada", goodPass).answer(t)
	thief := w.newBrowser()
	thief.setCookie("samlet_session", copied)
	if got := thief.ask(identity.AuthnRequest{IsPassive: true}).answer(t); got.Code != "sp.passive" {
		t.Errorf("the old session value answered %+v", got)
	}
}

// TestAttackStolenTicket uses a ticket at each of its stations in another
// browser, with and without cookies of its own.
func TestAttackStolenTicket(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{connections: partner()})
	w.addPerson("ada")
	victim, thief, naked := w.newBrowser(), w.newBrowser(), w.newBrowser()
	thief.ask(identity.AuthnRequest{})
	steal := func(station string, p page) {
		t.Helper()
		if p.status != http.StatusBadRequest || !strings.Contains(p.body, "ui.stale") {
			t.Errorf("%s: got %d to %q: %s", station, p.status, p.to, p.body)
		}
	}
	tk := victim.ask(identity.AuthnRequest{}).ticket(t)
	for _, b := range []*browser{thief, naked} {
		steal("page", b.get("/login?t="+tk))
		steal("identifier", b.post("/login", url.Values{"t": {tk}, "identifier": {"ada"}}))
		steal("cancel", b.post("/login", url.Values{"t": {tk}, "cancel": {"1"}}))
	}
	victim.post("/login", url.Values{"t": {tk}, "identifier": {"ada"}})
	steal("password", thief.post("/login", url.Values{"t": {tk}, "password": {goodPass}}))
	done := victim.post("/login", url.Values{"t": {tk}, "password": {goodPass}})
	steal("result", thief.get(done.to))
	steal("result", naked.get(done.to))
	if got := victim.follow(done).answer(t); got.Assertion == nil {
		t.Errorf("the owner of the ticket got %+v", got)
	}
}

// TestAttackLoginCSRF has the victim's browser finish what the attacker began:
// by a form on the attacker's site, by the attacker's ticket, and by the
// attacker's answer of an upstream.
func TestAttackLoginCSRF(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{connections: partner()})
	w.addPerson("mallory")
	w.up.record["mallory"] = "rec-mallory"
	attacker, victim := w.newBrowser(), w.newBrowser()

	tk := attacker.ask(identity.AuthnRequest{}).ticket(t)
	attacker.post("/login", url.Values{"t": {tk}, "identifier": {"mallory"}})
	form := victim.request("/login", url.Values{"t": {tk}, "password": {goodPass}})
	form.Header.Set("Sec-Fetch-Site", "cross-site")
	if p := victim.do(form); p.status != http.StatusForbidden {
		t.Errorf("a form of another site: got %d %s", p.status, p.body)
	}
	if p := victim.post("/login", url.Values{"t": {tk}, "password": {goodPass}}); p.status != http.StatusBadRequest {
		t.Errorf("the attacker's ticket: got %d to %q", p.status, p.to)
	}
	done := attacker.post("/login", url.Values{"t": {tk}, "password": {goodPass}})
	if p := victim.get(done.to); p.status != http.StatusBadRequest {
		t.Errorf("the attacker's finished ticket: got %d %s", p.status, p.body)
	}

	relay := attacker.leave(t, identity.AuthnRequest{Connection: "partner", ForceAuthn: true})
	parked := attacker.crossPost("/saml/acs/partner", url.Values{"SAMLResponse": {"mallory"}, "RelayState": {relay}})
	victim.ask(identity.AuthnRequest{})
	if p := victim.get(parked.to); p.status != http.StatusBadRequest {
		t.Errorf("the attacker's upstream answer: got %d to %q", p.status, p.to)
	}
	if victim.cookie("samlet_session") != "" {
		t.Error("the victim is signed in as the attacker")
	}
	if got := attacker.follow(parked).answer(t); got.Assertion == nil {
		t.Errorf("the attempt in another browser spoiled the answer: %+v", got)
	}
}

// TestAttackLogoutCSRF ends a session from another site.
func TestAttackLogoutCSRF(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	w.addPerson("ada")
	b := w.newBrowser()
	b.signIn(b.ask(identity.AuthnRequest{}), "ada", goodPass).answer(t)
	form := b.request("/logout", nil)
	form.Header.Set("Sec-Fetch-Site", "cross-site")
	if p := b.do(form); p.status != http.StatusForbidden {
		t.Errorf("got %d", p.status)
	}
	// An old browser or a stripping proxy, and a sibling page that can post here.
	for name, proof := range map[string]string{"no proof": "", "somebody else's": strings.Repeat("0", 32)} {
		if p := b.post("/logout", url.Values{"proof": {proof}}); p.status != http.StatusForbidden || proofField.FindString(p.body) == "" {
			t.Errorf("%s: got %d, want a page that asks again: %s", name, p.status, p.body)
		}
	}
	if got := b.ask(identity.AuthnRequest{IsPassive: true}).answer(t); got.Assertion == nil {
		t.Errorf("the session is gone: %+v", got)
	}
}

// TestAttackMixUp answers at another connection than the browser was sent to.
func TestAttackMixUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{connections: append(partner(), identity.Connection{ID: "evil", Type: "saml", Name: "Evil"})})
	w.addPerson("ada")
	w.up.record["ada"] = "rec-ada"
	b := w.newBrowser()
	relay := b.leave(t, identity.AuthnRequest{Connection: "partner"})
	good := url.Values{"SAMLResponse": {"ada"}, "RelayState": {relay}}
	if p := b.crossPost("/saml/acs/evil", good); p.status != http.StatusBadRequest || !strings.Contains(p.body, "up.mix_up") {
		t.Errorf("another connection's address: got %d %s", p.status, p.body)
	}
	parked := b.crossPost("/saml/acs/partner", good)
	if p := b.get(strings.Replace(parked.to, "partner", "evil", 1)); p.status != http.StatusBadRequest {
		t.Errorf("another connection's parked address: got %d to %q", p.status, p.to)
	}
	if got := b.follow(parked).answer(t); got.Assertion == nil {
		t.Errorf("the right connection got %+v", got)
	}

	relay = b.leave(t, identity.AuthnRequest{Connection: "", ForceAuthn: true, LoginHint: "ada@partner.test"})
	parked = b.crossPost("/saml/acs/partner", url.Values{"SAMLResponse": {"ada"}, "RelayState": {relay}})
	b.post("/login", url.Values{"t": {relay}, "connection": {"evil"}})
	if p := b.get(strings.Replace(parked.to, "partner", "evil", 1)); p.status != http.StatusBadRequest {
		t.Errorf("one connection's answer at the other that is awaited now: got %d to %q", p.status, p.to)
	}
}

// TestAttackUnboundTicket posts to a ticket that no browser has been shown.
func TestAttackUnboundTicket(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	w.addPerson("ada")
	b := w.newBrowser()
	start := b.crossPost(ssoPath(t, identity.AuthnRequest{}), nil)
	tk := strings.TrimPrefix(start.to, "/login?t=")
	for _, form := range []url.Values{{"identifier": {"ada"}}, {"password": {goodPass}}, {"cancel": {"1"}}} {
		form.Set("t", tk)
		if p := b.post("/login", form); p.status != http.StatusBadRequest {
			t.Errorf("%v: got %d to %q", form, p.status, p.to)
		}
	}
	if p := b.get("/sso/resume?t=" + tk); p.status != http.StatusBadRequest {
		t.Errorf("result: got %d %s", p.status, p.body)
	}
}

// TestAttackUpstreamReplay delivers one upstream answer twice.
func TestAttackUpstreamReplay(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{connections: partner()})
	w.addPerson("ada")
	w.up.record["ada"] = "rec-ada"
	b := w.newBrowser()
	relay := b.leave(t, identity.AuthnRequest{Connection: "partner"})
	good := url.Values{"SAMLResponse": {"ada"}, "RelayState": {relay}}
	parked := b.crossPost("/saml/acs/partner", good)
	done := b.get(parked.to)
	if done.status != http.StatusSeeOther || !strings.HasPrefix(done.to, "/sso/resume") {
		t.Fatalf("got %d to %q", done.status, done.to)
	}
	if p := b.crossPost("/saml/acs/partner", good); p.status != http.StatusBadRequest || !strings.Contains(p.body, "ui.stale") {
		t.Errorf("a second POST: got %d to %q", p.status, p.to)
	}
	if p := b.get(parked.to); strings.HasPrefix(p.to, "/sso") || !strings.Contains(p.body, "You are signed in") {
		t.Errorf("a reload: got %d to %q %s", p.status, p.to, p.body)
	}
	b.follow(done).answer(t)
}

// TestAttackUnsolicited posts what nobody asked for; none of it is kept.
func TestAttackUnsolicited(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{connections: partner()})
	b := w.newBrowser()
	for name, form := range map[string]url.Values{
		"no RelayState":   {"SAMLResponse": {"ada"}},
		"two RelayStates": {"SAMLResponse": {"ada"}, "RelayState": {"a", "b"}},
		"unknown":         {"SAMLResponse": {"ada"}, "RelayState": {strings.Repeat("a", 52)}},
		"script":          {"SAMLResponse": {"ada"}, "RelayState": {`"><script>alert(1)</script>`}},
	} {
		if p := b.crossPost("/saml/acs/partner", form); p.status != http.StatusBadRequest || strings.Contains(p.body, "<script") {
			t.Errorf("%s: got %d to %q: %s", name, p.status, p.to, p.body)
		}
	}
}
