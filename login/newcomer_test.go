package login_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/login"
)

// joining is a world of two people with passwords, a partner whose people are
// asked whether they have an account, and a school at which ada is known.
func joining(t *testing.T) *world {
	t.Helper()
	w := newWorld(t, setup{limits: login.Limits{Account: 3}, connections: append(partner(), identity.Connection{ID: "school", Type: "saml", Name: "School"})})
	w.up.connections[0].Create = true
	w.addPerson("ada")
	w.addPerson("bob")
	w.addPerson("enrolled")
	w.up.record["ada"], w.up.record["enrolled"] = "rec-ada", "rec-enrolled"
	w.up.strangers = map[string]bool{"newcomer": true, "other": true}
	return w
}

// asked signs a newcomer in at the partner, and returns the page that asks them,
// and the ticket.
func (b *browser) asked(t *testing.T, req identity.AuthnRequest) (page, string) {
	t.Helper()
	req.Connection = "partner"
	tk := b.leave(t, req)
	return b.arrive("partner", tk, "newcomer"), tk
}

// join answers that page.
func (b *browser) join(tk, answer string) page {
	b.w.tb.Helper()
	return b.follow(b.post("/login", url.Values{"t": {tk}, "join": {answer}}))
}

// TestNewcomer goes every way of somebody whom an upstream authenticates and
// nobody is known as.
func TestNewcomer(t *testing.T) {
	t.Parallel()
	byPassword := func(b *browser, tk, pass string) page {
		b.follow(b.post("/login", url.Values{"t": {tk}, "identifier": {"ada"}}))
		return b.follow(b.post("/login", url.Values{"t": {tk}, "identifier": {"ada"}, "password": {pass}}))
	}
	bySchool := func(b *browser, tk, name string) page {
		b.post("/login", url.Values{"t": {tk}, "connection": {"school"}})
		return b.arrive("school", tk, name)
	}
	for _, c := range []struct {
		name    string
		prepare func(*world)
		answer  string
		then    func(b *browser, tk string) page
		who     identity.RecordID // whose session there is then; empty: nobody's
		code    identity.Code     // of the refusal that the application is told
		words   string            // on the page, where the application is told nothing
		joined  []string
		event   string
	}{
		{name: "has no account", answer: "no", who: "rec-enrolled", event: "login.succeeded"},
		{name: "proves the account by its password", answer: "yes", then: func(b *browser, tk string) page { return byPassword(b, tk, goodPass) }, who: "rec-ada", joined: []string{"newcomer rec-ada local"}, event: "login.succeeded"},
		{name: "proves the account by another connection", answer: "yes", then: func(b *browser, tk string) page { return bySchool(b, tk, "ada") }, who: "rec-ada", joined: []string{"newcomer rec-ada school"}, event: "login.succeeded"},
		{name: "gives a wrong password", answer: "yes", then: func(b *browser, tk string) page { return byPassword(b, tk, "wrong") }, words: "do not belong together", event: "login.failed login.failed"},
		{name: "proves somebody who is not known either", answer: "yes", then: func(b *browser, tk string) page { return bySchool(b, tk, "other") }, words: "Nobody is known here", event: "login.failed link.unproved"},
		{name: "is not asked again by the other connection", answer: "yes", prepare: func(w *world) { w.up.instant = w.now().Add(-time.Hour) }, then: func(b *browser, tk string) page { return bySchool(b, tk, "ada") }, words: "you were not asked again there", event: "login.failed link.unproved"},
		{name: "thinks better of it", answer: "yes", then: func(b *browser, tk string) page { return b.join(tk, "no") }, who: "rec-enrolled", event: "login.succeeded"},
		{name: "gives up", answer: "yes", then: func(b *browser, tk string) page {
			return b.follow(b.post("/login", url.Values{"t": {tk}, "cancel": {"1"}}))
		}, code: "login.cancelled", event: "request.refused login.cancelled"},
		{name: "account disabled meanwhile", answer: "yes", then: func(b *browser, tk string) page { b.w.disable("rec-ada"); return bySchool(b, tk, "ada") }, code: "user.disabled", event: "login.failed user.disabled"},
		{name: "linked to somebody else meanwhile", answer: "yes", prepare: func(w *world) {
			w.up.joins = &identity.Error{Kind: identity.KindExists, Code: "link.taken", Msg: "taken"}
		}, then: func(b *browser, tk string) page { return byPassword(b, tk, goodPass) }, code: "link.taken", event: "request.refused link.taken"},
		{name: "has no account where none are made", answer: "no", prepare: func(w *world) {
			w.up.enrols = &identity.Error{Kind: identity.KindDenied, Code: "link.exists", Msg: "sign in the old way"}
		}, code: "link.exists", event: "login.failed link.exists"},
		{name: "the partner itself proves nothing", answer: "yes", then: func(b *browser, tk string) page {
			return b.follow(b.post("/login", url.Values{"t": {tk}, "connection": {"partner"}}))
		}, words: "not available any more", event: ""},
		{name: "the sign-in upstream runs out meanwhile", prepare: func(w *world) { w.up.notAfter = w.now().Add(time.Minute) }, answer: "yes", then: func(b *browser, tk string) page {
			b.w.pass(2 * time.Minute)
			return byPassword(b, tk, goodPass)
		}, words: "run out meanwhile"},
		{name: "the ticket runs out meanwhile", answer: "yes", then: func(b *browser, tk string) page {
			b.w.pass(time.Hour)
			return byPassword(b, tk, goodPass)
		}, words: "too long ago"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := joining(t)
			if c.prepare != nil {
				c.prepare(w)
			}
			b := w.newBrowser()
			p, tk := b.asked(t, identity.AuthnRequest{State: []byte("x")})
			if !strings.Contains(p.body, "newcomer@asserted.test") || !strings.Contains(p.body, "Do you have an account here?") {
				t.Fatalf("nobody is asked: %d %s", p.status, p.body)
			}
			p = b.join(tk, c.answer)
			if c.then != nil {
				p = c.then(b, tk)
			}
			for _, id := range []identity.RecordID{"rec-ada", "rec-bob", "rec-enrolled"} {
				s := w.sessionsOf(id)
				if (len(s) == 1) != (id == c.who) {
					t.Errorf("%s has %d sessions; want one of %s", id, len(s), c.who)
				}
				if len(s) == 1 && (s[0].Connection != "partner" || s[0].UpstreamIx != "upstream-index") {
					t.Errorf("the session is not the partner's: %+v", s[0])
				}
			}
			switch {
			case c.words != "":
				if !strings.Contains(p.body, c.words) {
					t.Errorf("the page lacks %q: %d %s", c.words, p.status, p.body)
				}
			default:
				if got := p.answer(t); got.Code != c.code || (got.Assertion != nil) != (c.code == "") || got.App != "x" {
					t.Errorf("the application is told %+v, want code %q", got, c.code)
				}
			}
			if diff := cmp.Diff(c.joined, w.up.joined); diff != "" {
				t.Errorf("joined (-want +got):\n%s", diff)
			}
			if c.event != "" && !slices.Contains(w.events(), c.event) {
				t.Errorf("no event %q among %q", c.event, w.events())
			}
		})
	}
}

// TestNewcomerIsTold tells somebody of an account alone whose upstream answers for
// their address, and lets nobody go on without one where none are made.
func TestNewcomerIsTold(t *testing.T) {
	t.Parallel()
	w := joining(t)
	w.up.exists = true
	p, _ := w.newBrowser().asked(t, identity.AuthnRequest{})
	if !strings.Contains(p.body, "You have an account here") || !strings.Contains(p.body, "Go on without") {
		t.Errorf("the page does not tell of the account: %s", p.body)
	}
	w.up.connections[0].Create = false
	if p, _ := w.newBrowser().asked(t, identity.AuthnRequest{}); !strings.Contains(p.body, "I have no account here") {
		t.Errorf("the page does not let somebody say that they have none: %s", p.body)
	}
}

// TestNewcomerIsNotAsked leaves the question out where it can lead nowhere, and
// where no page may be shown.
func TestNewcomerIsNotAsked(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{noLocal: true, connections: partner()})
	w.addPerson("enrolled")
	w.up.record["enrolled"], w.up.strangers = "rec-enrolled", map[string]bool{"newcomer": true}
	b := w.newBrowser()
	if p, _ := b.asked(t, identity.AuthnRequest{}); p.answer(t).Assertion == nil {
		t.Errorf("nobody is signed in: %s", p.body)
	}
}

// TestAttackLinkDuringForeignSession brings a newcomer into a browser in which
// somebody else is signed in: their session proves nothing.
func TestAttackLinkDuringForeignSession(t *testing.T) {
	t.Parallel()
	w := joining(t)
	b := w.newBrowser()
	b.signIn(b.ask(identity.AuthnRequest{}), "bob", goodPass)
	_, tk := b.asked(t, identity.AuthnRequest{ForceAuthn: true})
	p := b.join(tk, "yes")
	if !strings.Contains(p.body, `name="identifier"`) || strings.Contains(p.body, `"Assertion"`) {
		t.Errorf("bob's session answers for him: %s", p.body)
	}
	b.post("/login", url.Values{"t": {tk}, "connection": {"school"}})
	if asked := w.up.asked[len(w.up.asked)-1]; !asked.ForceAuthn || !asked.KnownOnly || asked.Except != "partner" {
		t.Errorf("the school is asked %+v; want a fresh authentication of somebody known", asked)
	}
	if len(w.up.joined) > 0 {
		t.Errorf("joined %q", w.up.joined)
	}
}

// TestAttackLinkCSRF answers the question from another site, and from another
// browser.
func TestAttackLinkCSRF(t *testing.T) {
	t.Parallel()
	w := joining(t)
	b := w.newBrowser()
	_, tk := b.asked(t, identity.AuthnRequest{})
	for name, p := range map[string]page{
		"another site":    b.crossPost("/login", url.Values{"t": {tk}, "join": {"yes"}}),
		"another browser": w.newBrowser().post("/login", url.Values{"t": {tk}, "join": {"yes"}}),
	} {
		if p.status < http.StatusBadRequest {
			t.Errorf("%s: got %d to %q", name, p.status, p.to)
		}
	}
	if p := b.get("/login?t=" + tk); !strings.Contains(p.body, "Do you have an account here?") {
		t.Errorf("the question was answered: %s", p.body)
	}
}

// TestAttackLinkReplay answers the question again after it was answered, and
// brings a password for a page that was not shown.
func TestAttackLinkReplay(t *testing.T) {
	t.Parallel()
	w := joining(t)
	b := w.newBrowser()
	_, tk := b.asked(t, identity.AuthnRequest{})
	if p := b.post("/login", url.Values{"t": {tk}, "identifier": {"ada"}, "password": {goodPass}}); p.to != "/login?t="+tk {
		t.Errorf("a password counts that nobody asked for: %d to %q", p.status, p.to)
	}
	b.join(tk, "no")
	for _, answer := range []string{"yes", "no"} {
		b.join(tk, answer)
		b.post("/login", url.Values{"t": {tk}, "identifier": {"ada"}, "password": {goodPass}})
	}
	if len(w.up.joined) > 0 || len(w.sessionsOf("rec-ada")) > 0 || len(w.sessionsOf("rec-enrolled")) != 1 {
		t.Errorf("joined %q; ada has %d sessions", w.up.joined, len(w.sessionsOf("rec-ada")))
	}
}

// TestAttackLinkGuessing counts wrong proofs as wrong passwords: the fourth is not
// judged, right as it is.
func TestAttackLinkGuessing(t *testing.T) {
	t.Parallel()
	w := joining(t)
	b := w.newBrowser()
	_, tk := b.asked(t, identity.AuthnRequest{})
	b.join(tk, "yes")
	b.post("/login", url.Values{"t": {tk}, "identifier": {"ada"}})
	var p page
	for _, pass := range []string{"wrong", "wrong", "wrong", goodPass} {
		p = b.post("/login", url.Values{"t": {tk}, "identifier": {"ada"}, "password": {pass}})
	}
	if p.status != http.StatusTooManyRequests || len(w.up.joined) > 0 {
		t.Errorf("got %d, joined %q: %s", p.status, w.up.joined, p.body)
	}
}
