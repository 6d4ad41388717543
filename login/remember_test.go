package login_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/login"
)

const wayCookie = "samlet_connection"

// rememberWorld has two connections besides passwords. Lead sends whoever's browser
// remembers partner there without asking.
func rememberWorld(t *testing.T, lead bool) *world {
	t.Helper()
	w := newWorld(t, setup{remember: 24 * time.Hour, connections: []identity.Connection{
		{ID: "other", Type: "saml", Name: "Other Corp"}, {ID: "partner", Type: "saml", Name: "Partner Inc.", EmailDomains: []string{"partner.test"}, LeadRemembered: lead},
	}})
	w.addPerson("ada")
	w.up.record["ada"] = "rec-ada"
	return w
}

// signedOut is a browser in which ada has signed in by partner, and out again.
func signedOut(t *testing.T, w *world) *browser {
	t.Helper()
	b := w.newBrowser()
	b.arrive("partner", b.leave(t, identity.AuthnRequest{Hint: "partner"}), "ada").answer(t)
	b.signOut()
	if got := b.cookie(wayCookie); got != "partner" {
		t.Fatalf("the browser remembers %q, want partner", got)
	}
	return b
}

// TestRemembered holds that a browser is offered the way in that was taken with it last
// before all others, which are still there, and that it forgets on demand.
func TestRemembered(t *testing.T) {
	t.Parallel()
	w := rememberWorld(t, false)
	if p := w.newBrowser().ask(identity.AuthnRequest{}); strings.Contains(p.body, "Continue with Partner Inc.") {
		t.Errorf("a browser that was never here is offered a way:\n%s", p.body)
	}
	b := signedOut(t, w)
	p := b.ask(identity.AuthnRequest{})
	for _, want := range []string{"Continue with <bdi>Partner Inc.</bdi>", "Other Corp", `name="identifier"`, `name="forget"`} {
		if !strings.Contains(p.body, want) {
			t.Errorf("the page has no %s:\n%s", want, p.body)
		}
	}
	if n := strings.Count(p.body, "Partner Inc."); n != 1 {
		t.Errorf("Partner Inc. stands there %d times", n)
	}
	if led := b.follow(b.post("/login", url.Values{"t": {p.ticket(t)}, "connection": {"partner"}})); !strings.Contains(led.to+led.body, "https://partner.example.test/sso") {
		t.Errorf("the button leads to %q:\n%s", led.to, led.body)
	}
	p = b.ask(identity.AuthnRequest{})
	p = b.follow(b.post("/login", url.Values{"t": {p.ticket(t)}, "forget": {"1"}}))
	if strings.Contains(p.body, "Continue with") || !strings.Contains(p.body, "Partner Inc.") || b.cookie(wayCookie) != "" {
		t.Errorf("after forgetting, with cookie %q:\n%s", b.cookie(wayCookie), p.body)
	}
}

// TestRememberedOnSharedDevice holds that whoever signs out can have the device forget.
func TestRememberedOnSharedDevice(t *testing.T) {
	t.Parallel()
	w := rememberWorld(t, false)
	b := w.newBrowser()
	b.arrive("partner", b.leave(t, identity.AuthnRequest{Hint: "partner"}), "ada").answer(t)
	p := b.get("/logout")
	if !strings.Contains(p.body, "Others use this device") {
		t.Errorf("nothing is offered:\n%s", p.body)
	}
	b.post("/logout", url.Values{"proof": {proofField.FindStringSubmatch(p.body)[1]}, "forget": {"1"}})
	if got := b.cookie(wayCookie); got != "" {
		t.Errorf("the browser remembers %q", got)
	}
}

// TestRememberedLeads holds that a connection may be gone to without asking, that whom
// a request names, or proposes, comes first, and that there is a way out.
func TestRememberedLeads(t *testing.T) {
	t.Parallel()
	w := rememberWorld(t, true)
	b := signedOut(t, w)
	if to := b.ask(identity.AuthnRequest{}).to; !strings.HasPrefix(to, "https://partner.example.test/sso") {
		t.Errorf("led to %q", to)
	}
	if to := b.ask(identity.AuthnRequest{Hint: "other"}).to; !strings.HasPrefix(to, "https://other.example.test/sso") {
		t.Errorf("a proposal leads to %q", to)
	}
	if p := b.ask(identity.AuthnRequest{LoginHint: "eve@elsewhere.test"}); p.to != "" || !strings.Contains(p.body, "Continue with") {
		t.Errorf("somebody else who is named is led to %q", p.to)
	}
	for remembered, want := range map[identity.ConnectionID]login.Rule{"partner": login.RuleRemembered, "other": login.RuleLocal, "": login.RuleLocal, "gone": login.RuleLocal} {
		way, err := w.auth.Explain(identity.AuthnRequest{RelyingParty: "wiki"}, "ada", remembered)
		if err != nil || way.Rule != want || remembered == "other" && way.First != "other" {
			t.Errorf("a browser that remembers %q: got %+v, %v, want %s", remembered, way, err, want)
		}
	}
}

// TestAttackPlantedWay holds that a cookie which somebody planted leads nowhere that the
// request would not: not to a connection that is switched off, unknown or not open.
func TestAttackPlantedWay(t *testing.T) {
	t.Parallel()
	w := rememberWorld(t, true)
	w.up.connections = append(w.up.connections, identity.Connection{ID: "off", Type: "saml", Name: "Off Ltd", Disabled: true, LeadRemembered: true})
	for _, planted := range []string{"off", "nobody", "local", "../evil"} {
		b := w.newBrowser()
		b.setCookie(wayCookie, planted)
		if p := b.ask(identity.AuthnRequest{}); p.to != "" || strings.Contains(p.body, "Continue with <bdi>") {
			t.Errorf("%q leads to %q:\n%s", planted, p.to, p.body)
		}
	}
	b := w.newBrowser()
	b.setCookie(wayCookie, "partner")
	if p := b.ask(identity.AuthnRequest{Scoping: identity.Scoping{IDPList: []identity.EntityID{"https://elsewhere.test"}}}); strings.Contains(p.to, "partner") || strings.Contains(p.body, "Partner Inc.") {
		t.Errorf("a connection that is not in the IDPList: %q\n%s", p.to, p.body)
	}
}
