package login_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/store"
)

// lacking brings a person by an upstream to the page that asks for the password
// beside, and returns it.
func lacking(t *testing.T, w *world, b *browser) page {
	t.Helper()
	w.addPerson("ada")
	w.up.record["ada"], w.up.class, w.up.hint = "rec-ada", identity.ClassUnspecified, "their-id-token"
	req := identity.AuthnRequest{Connection: "partner", Context: identity.RequestedContext{Classes: []identity.ClassRef{identity.ClassPassword}}}
	p := b.arrive("partner", b.leave(t, req), "ada")
	if p.status != http.StatusOK || !strings.Contains(p.body, `name="password"`) || !strings.Contains(p.body, "Partner Inc.") || !strings.Contains(p.body, `value="ada"`) {
		t.Fatalf("got %d to %q, want the page of the password: %s", p.status, p.to, p.body)
	}
	return p
}

// TestStepUp goes on from the page that asks for a password beside an upstream.
func TestStepUp(t *testing.T) {
	t.Parallel()
	for name, run := range map[string]func(t *testing.T, w *world, b *browser, p page){
		"right": func(t *testing.T, w *world, b *browser, p page) {
			before := b.cookie("samlet_session")
			got := b.follow(b.post("/login", url.Values{"t": {p.ticket(t)}, "identifier": {"ada"}, "password": {goodPass}})).answer(t)
			if got.Assertion == nil || got.Assertion.Context.Class != identity.ClassPassword {
				t.Fatalf("got %+v", got)
			}
			s := w.sessionsOf("rec-ada")
			if len(s) != 1 || s[0].Connection != "partner" || s[0].UpstreamIx != "upstream-index" {
				t.Errorf("sessions: %+v, want that of the partner", s)
			}
			w.update(func(ctx context.Context, tx *store.Tx) error {
				_, err := tx.Tickets.Get(ctx, store.PurposeHint, string(s[0].ID), w.now())
				return err // the hint of the upstream is kept
			})
			if b.cookie("samlet_session") == before {
				t.Error("the bearer value of the session is what it was (session fixation)")
			}
		},
		"wrong, then right": func(t *testing.T, _ *world, b *browser, p page) {
			tk := p.ticket(t)
			again := b.post("/login", url.Values{"t": {tk}, "password": {"wrong horse battery"}})
			if again.status != http.StatusForbidden || !strings.Contains(again.body, "Partner Inc.") {
				t.Fatalf("got %d: %s", again.status, again.body)
			}
			if got := b.follow(b.post("/login", url.Values{"t": {tk}, "password": {goodPass}})).answer(t); got.Assertion == nil {
				t.Errorf("got %+v", got)
			}
		},
		"cancelled": func(t *testing.T, _ *world, b *browser, p page) {
			if got := b.follow(b.post("/login", url.Values{"t": {p.ticket(t)}, "cancel": {"1"}})).answer(t); got.Code != "login.cancelled" {
				t.Errorf("got %+v", got)
			}
		},
		"another way": func(t *testing.T, w *world, b *browser, p page) {
			tk := p.ticket(t)
			w.addPerson("bob")
			if other := b.get("/login?t=" + tk + "&again=1"); !strings.Contains(other.body, `value="partner"`) {
				t.Fatalf("no other way is offered: %s", other.body)
			}
			got := b.follow(b.post("/login", url.Values{"t": {tk}, "connection": {"partner"}}))
			w.up.mu.Lock()
			w.up.class = identity.ClassPassword
			w.up.mu.Unlock()
			if strings.Contains(got.body, `name="password"`) {
				t.Fatalf("the same question again: %s", got.body)
			}
			if got := b.arrive("partner", tk, "ada").answer(t); got.Assertion == nil {
				t.Errorf("got %+v", got)
			}
		},
		"signed out meanwhile": func(t *testing.T, _ *world, b *browser, p page) {
			tk := p.ticket(t)
			b.setCookie("samlet_session", "gone")
			if got := b.follow(b.post("/login", url.Values{"t": {tk}, "password": {goodPass}})); strings.HasPrefix(got.body, "{") {
				t.Errorf("got %s", got.body)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, setup{connections: partner()})
			b := w.newBrowser()
			run(t, w, b, lacking(t, w, b))
		})
	}
}

// Nobody completes somebody else's sign-in with a password of their own (step-up
// bypass), and nobody guesses without end.
func TestAttackStepUpBypass(t *testing.T) {
	t.Parallel()
	t.Run("another's password", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, setup{connections: partner()})
		b := w.newBrowser()
		tk := lacking(t, w, b).ticket(t)
		w.addPerson("eve")
		p := b.follow(b.post("/login", url.Values{"t": {tk}, "identifier": {"eve"}, "password": {goodPass}}))
		if strings.HasPrefix(p.body, "{") {
			t.Errorf("got %s", p.body)
		}
	})
	t.Run("the page in another browser", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, setup{connections: partner()})
		tk := lacking(t, w, w.newBrowser()).ticket(t)
		p := w.newBrowser().post("/login", url.Values{"t": {tk}, "identifier": {"ada"}, "password": {goodPass}})
		if p.status != http.StatusBadRequest || !strings.Contains(p.body, "ui.stale") {
			t.Errorf("got %d to %q: %s", p.status, p.to, p.body)
		}
	})
	t.Run("guessing", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, setup{connections: partner()})
		b := w.newBrowser()
		tk := lacking(t, w, b).ticket(t)
		for range 10 {
			b.post("/login", url.Values{"t": {tk}, "password": {"wrong horse battery"}})
		}
		if p := b.post("/login", url.Values{"t": {tk}, "password": {goodPass}}); p.status != http.StatusTooManyRequests {
			t.Errorf("the eleventh try: %d to %q", p.status, p.to)
		}
	})
}

// Somebody who has just proved their account by its password is not asked for it
// once more.
func TestStepUpAfterJoining(t *testing.T) {
	t.Parallel()
	w := joining(t)
	w.up.class = identity.ClassUnspecified
	b := w.newBrowser()
	_, tk := b.asked(t, identity.AuthnRequest{Context: identity.RequestedContext{Classes: []identity.ClassRef{identity.ClassPassword}}})
	b.join(tk, "yes")
	b.follow(b.post("/login", url.Values{"t": {tk}, "identifier": {"ada"}}))
	got := b.follow(b.post("/login", url.Values{"t": {tk}, "identifier": {"ada"}, "password": {goodPass}})).answer(t)
	if got.Assertion == nil || got.Assertion.Context.Class != identity.ClassPassword {
		t.Errorf("got %+v", got)
	}
}

// An upstream that cannot be asked, or whose answer is worth nothing, shows nothing
// to whoever must not be shown anything.
func TestPassiveUpstreamShowsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{connections: partner()})
	b := w.newBrowser()
	req := identity.AuthnRequest{Hint: "partner", IsPassive: true}
	relay := b.leave(t, req)
	if !w.up.asked[0].IsPassive {
		t.Error("the upstream may show a page")
	}
	w.up.fail = &identity.Error{Kind: identity.KindInvalid, Code: "up.signature", Msg: "no"}
	if got := b.arrive("partner", relay, "ada").answer(t); got.Code != "sp.passive" {
		t.Errorf("a bad answer: got %+v", got)
	}
	if got := w.events()[0]; got != "login.failed up.signature" {
		t.Errorf("the audit trail says %q", got)
	}
	w.up.begins = &identity.Error{Kind: identity.KindUnavailable, Code: "up.unreachable", Msg: "no"}
	if got := b.ask(req).answer(t); got.Code != "sp.passive" {
		t.Errorf("an upstream that is down: got %+v", got)
	}
}
