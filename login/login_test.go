package login_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/store"
)

func TestPasswordLogin(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	rec := w.addPerson("ada", identity.Value{Name: identity.Mail, Value: "ada@example.test", Source: identity.SourceOperator})
	w.addParty(identity.RelyingParty{
		ID: "wiki", Name: "Wiki", EntityID: "https://wiki.example.test/sp",
		NameID: identity.NameIDRule{Format: identity.FormatPersistent}, Release: []identity.ReleaseRule{{Attribute: identity.Mail}},
	})
	b := w.newBrowser()
	p := b.ask(identity.AuthnRequest{State: []byte("tab")})
	if !strings.Contains(p.body, "Wiki") {
		t.Errorf("the sign-in page does not name the application: %s", p.body)
	}
	got := b.signIn(p, " Ada ", goodPass).answer(t)
	if got.App != "tab" || got.Assertion == nil {
		t.Fatalf("got %+v", got)
	}
	s := w.sessionsOf(rec.ID)
	if len(s) != 1 {
		t.Fatalf("sessions: got %d, want 1", len(s))
	}
	a := *got.Assertion
	if a.Principal.Subject == "" || a.Principal.Subject == string(rec.ID) || a.Session == "" || a.Session == s[0].ID {
		t.Errorf("inner identifiers left, or none: %+v of session %s", a, s[0].ID)
	}
	if age := w.now().Sub(a.Context.Instant); age < 0 || age > time.Minute {
		t.Errorf("AuthnInstant is %v old", age)
	}
	want := identity.Assertion{
		Principal: identity.Principal{
			Issuer: ourID, Subject: a.Principal.Subject, Format: identity.FormatPersistent,
			NameQualifier: string(ourID), SPNameQualifier: "https://wiki.example.test/sp",
		},
		Context: identity.AuthnContext{
			Class: identity.ClassPassword, Methods: []identity.Method{identity.MethodPassword}, AAL: identity.AAL1, Instant: a.Context.Instant,
		},
		Released: []identity.Released{{Attribute: identity.Mail, Values: []string{"ada@example.test"}}},
		Session:  a.Session,
	}
	if diff := cmp.Diff(want, a); diff != "" {
		t.Errorf("assertion (-want +got):\n%s", diff)
	}

	second := b.get(ssoPath(t, identity.AuthnRequest{}))
	again := second.answer(t)
	if again.Assertion == nil || again.Assertion.Principal != a.Principal || again.Assertion.Session != a.Session {
		t.Errorf("the session answered %+v, before it was %+v", again, a)
	}
	eventually(t, "the answer from the session is recorded", func() bool {
		return cmp.Equal(w.events(), []string{"assertion.issued", "assertion.issued", "login.succeeded"})
	})
}

// TestExistingSessionIsSilent proves goal 13: no ticket, no redirect, and no
// write before the answer.
func TestExistingSessionIsSilent(t *testing.T) {
	t.Parallel()
	faults := &faulty{}
	w := newWorld(t, setup{wrap: faults.wrap})
	w.addPerson("ada")
	b := w.newBrowser()
	b.signIn(b.ask(identity.AuthnRequest{}), "ada", goodPass).answer(t)
	faults.refuseWrites(true)
	for range 3 {
		if got := b.get(ssoPath(t, identity.AuthnRequest{})).answer(t); got.Assertion == nil {
			t.Fatalf("while writes fail the session answered %+v", got)
		}
	}
	eventually(t, "a failed journal is reported", func() bool { return strings.Contains(w.logs.String(), "recording answers failed") })
	faults.refuseWrites(false)
	if err := w.auth.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []string{"assertion.issued", "assertion.issued", "assertion.issued", "assertion.issued", "login.succeeded"}
	if diff := cmp.Diff(want, w.events()); diff != "" {
		t.Errorf("events after Close (-want +got):\n%s", diff)
	}
	if p := b.get(ssoPath(t, identity.AuthnRequest{})); p.answer(t).Code != "login.journal" {
		t.Errorf("an answer was given that nobody would record: %s", p.body)
	}
}

func TestCrossSitePostFindsTheSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	w.addPerson("ada")
	b := w.newBrowser()
	b.signIn(b.ask(identity.AuthnRequest{}), "ada", goodPass).answer(t)
	p := b.crossPost(ssoPath(t, identity.AuthnRequest{State: []byte("posted"), IsPassive: true}), url.Values{"SAMLRequest": {"x"}})
	if p.status != http.StatusSeeOther || !strings.HasPrefix(p.to, "/login?t=") {
		t.Fatalf("got %d to %q", p.status, p.to)
	}
	if got := b.follow(p).answer(t); got.Assertion == nil || got.App != "posted" {
		t.Errorf("got %+v", got)
	}
}

func TestTerms(t *testing.T) {
	t.Parallel()
	mfa := identity.RequestedContext{Classes: []identity.ClassRef{identity.ClassREFEDSMFA}}
	for _, c := range []struct {
		name     string
		signedIn bool
		later    time.Duration
		req      identity.AuthnRequest
		want     string // "answer", "page" or the code of a refusal
	}{
		{"nobody signed in", false, 0, identity.AuthnRequest{}, "page"},
		{"session", true, 0, identity.AuthnRequest{}, "answer"},
		{"passive without session", false, 0, identity.AuthnRequest{IsPassive: true}, "sp.passive"},
		{"passive with session", true, 0, identity.AuthnRequest{IsPassive: true}, "answer"},
		{"forced with session", true, time.Minute, identity.AuthnRequest{ForceAuthn: true}, "page"},
		{"forced and passive", true, 0, identity.AuthnRequest{ForceAuthn: true, IsPassive: true}, "sp.passive"},
		{"young enough", true, time.Minute, identity.AuthnRequest{MaxAge: time.Hour}, "answer"},
		{"too old", true, 2 * time.Hour, identity.AuthnRequest{MaxAge: time.Hour}, "page"},
		{"class met", true, 0, identity.AuthnRequest{Context: identity.RequestedContext{Classes: []identity.ClassRef{identity.ClassPassword}}}, "answer"},
		{"class out of reach", true, 0, identity.AuthnRequest{Context: mfa}, "sp.authn_context"},
		{"class out of reach for anybody", false, 0, identity.AuthnRequest{Context: mfa}, "sp.authn_context"},
		{"connection unknown", false, 0, identity.AuthnRequest{Connection: "nowhere"}, "login.connection"},
		{"application unknown", true, 0, identity.AuthnRequest{RelyingParty: "gone"}, "sp.unknown"},
		{"idle too long", true, 13 * time.Hour, identity.AuthnRequest{}, "page"},
		{"absolute end", true, 8 * 24 * time.Hour, identity.AuthnRequest{}, "page"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, setup{})
			w.addPerson("ada")
			b := w.newBrowser()
			var first time.Time
			if c.signedIn {
				first = b.signIn(b.ask(identity.AuthnRequest{}), "ada", goodPass).answer(t).Assertion.Context.Instant
			}
			w.pass(c.later)
			p := b.ask(c.req)
			got := "page"
			if strings.HasPrefix(p.body, "{") {
				a := p.answer(t)
				got = string(a.Code)
				if a.Assertion != nil {
					got = "answer"
				}
			}
			if got != c.want {
				t.Errorf("got %q, want %q: %s", got, c.want, p.body)
			}
			if c.req.ForceAuthn && !c.req.IsPassive {
				a := b.signIn(p, "ada", goodPass).answer(t)
				if a.Assertion == nil || a.Assertion.Context.Instant.Sub(first) < c.later {
					t.Errorf("after the forced login: %+v, want AuthnInstant %v after %v", a, c.later, first)
				}
			}
		})
	}
}

// TestIdleIsFromTheLatestAnswer keeps a session alive by use, up to its
// absolute end.
func TestIdleIsFromTheLatestAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	rec := w.addPerson("ada")
	b := w.newBrowser()
	b.signIn(b.ask(identity.AuthnRequest{}), "ada", goodPass).answer(t)
	for range 3 {
		w.pass(11 * time.Hour)
		if got := b.ask(identity.AuthnRequest{}).answer(t); got.Assertion == nil {
			t.Fatalf("a session in use ended: %+v", got)
		}
		eventually(t, "the participant is refreshed", func() bool { return w.now().Sub(w.lastJoin(rec.ID)) < time.Hour })
	}
	w.pass(12*time.Hour + time.Minute)
	b.ask(identity.AuthnRequest{}).ticket(t)
}

func (w *world) lastJoin(id identity.RecordID) time.Time {
	w.tb.Helper()
	var last time.Time
	for _, s := range w.sessionsOf(id) {
		ctx := w.tb.Context()
		err := w.store.View(ctx, func(tx *store.Tx) error {
			all, err := tx.Sessions.Participants(ctx, s.ID)
			for _, p := range all {
				last = p.At
			}
			return err
		})
		if err != nil {
			w.tb.Fatal(err)
		}
	}
	return last
}

func TestDisabledPersonIsRefusedAtTheNextRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	rec := w.addPerson("ada")
	b := w.newBrowser()
	b.signIn(b.ask(identity.AuthnRequest{}), "ada", goodPass).answer(t)
	waiting := w.newBrowser()
	tk := waiting.ask(identity.AuthnRequest{State: []byte("waiting")}).ticket(t)
	waiting.post("/login", url.Values{"t": {tk}, "identifier": {"ada"}})
	p := waiting.post("/login", url.Values{"t": {tk}, "password": {goodPass}})
	w.disable(rec.ID)
	if got := b.ask(identity.AuthnRequest{IsPassive: true}).answer(t); got.Code != "sp.passive" {
		t.Errorf("the session of a disabled person answered %+v", got)
	}
	if got := waiting.follow(p).answer(t); got.Code != "user.disabled" || got.App != "waiting" {
		t.Errorf("a login that was finished but not fetched answered %+v", got)
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	b := w.newBrowser()
	tk := b.ask(identity.AuthnRequest{State: []byte("x")}).ticket(t)
	got := b.follow(b.post("/login", url.Values{"t": {tk}, "cancel": {"1"}})).answer(t)
	want := answer{App: "x", Kind: "denied", Code: "login.cancelled"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("answer (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"request.refused login.cancelled"}, w.events()); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

// TestTwentyTabs begins twenty logins at once in a browser that has no cookie
// yet, and finishes each: all land at their own request.
func TestTwentyTabs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	rec := w.addPerson("ada")
	b := w.newBrowser()
	tabs := make([]page, 20)
	var wg sync.WaitGroup
	for i := range tabs {
		wg.Go(func() { tabs[i] = b.ask(identity.AuthnRequest{State: fmt.Append(nil, i)}) })
	}
	wg.Wait()
	for i, p := range tabs {
		tk := p.ticket(t)
		p = b.follow(b.post("/login", url.Values{"t": {tk}, "identifier": {"ada"}}))
		if i%2 == 0 && !strings.HasPrefix(p.body, "{") {
			p = b.follow(b.post("/login", url.Values{"t": {tk}, "identifier": {"ada"}, "password": {goodPass}}))
		}
		if got := p.answer(t); got.Assertion == nil || got.App != fmt.Sprint(i) {
			t.Errorf("tab %d got %+v", i, got)
		}
	}
	if s := w.sessionsOf(rec.ID); len(s) != 1 {
		t.Errorf("twenty tabs of one browser left %d sessions", len(s))
	}
}

func TestParallelPasswords(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	w.addPerson("ada")
	b := w.newBrowser()
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			p := b.ask(identity.AuthnRequest{State: fmt.Append(nil, i)})
			if strings.HasPrefix(p.body, "{") {
				return // another tab was quicker: its session answered
			}
			tk := p.ticket(t)
			p = b.follow(b.post("/login", url.Values{"t": {tk}, "identifier": {"ada"}}))
			if !strings.HasPrefix(p.body, "{") {
				p = b.follow(b.post("/login", url.Values{"t": {tk}, "password": {goodPass}}))
			}
			if got := p.answer(t); got.Assertion == nil || got.App != fmt.Sprint(i) {
				t.Errorf("tab %d got %+v", i, got)
			}
		})
	}
	wg.Wait()
}

func TestOldPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	w.addPerson("ada")
	b := w.newBrowser()
	start := b.ask(identity.AuthnRequest{})
	tk := start.ticket(t)
	identified := url.Values{"t": {tk}, "identifier": {"ada"}}
	b.post("/login", identified)
	done := b.post("/login", url.Values{"t": {tk}, "password": {goodPass}})
	resume := done.to
	b.follow(done).answer(t)

	for _, c := range []struct {
		name string
		p    page
	}{
		{"back to the page", b.get("/login?t=" + tk)},
		{"an old form", b.post("/login", identified)},
		{"no ticket", b.get("/login")},
	} {
		if c.p.status != http.StatusOK || !strings.Contains(c.p.body, "You are signed in") {
			t.Errorf("%s: got %d %s", c.name, c.p.status, c.p.body)
		}
	}
	if p := b.get(resume); p.status != http.StatusBadRequest || !strings.Contains(p.body, "ui.stale") || !strings.Contains(p.body, "signed in already") {
		t.Errorf("the end a second time: got %d %s", p.status, p.body)
	}
	stranger := w.newBrowser()
	if p := stranger.get("/login?t=" + tk); p.status != http.StatusBadRequest || !strings.Contains(p.body, "ui.stale") {
		t.Errorf("an old ticket without a session: got %d %s", p.status, p.body)
	}
	expired := stranger.ask(identity.AuthnRequest{}).ticket(t)
	w.pass(31 * time.Minute)
	if p := stranger.post("/login", url.Values{"t": {expired}, "identifier": {"ada"}}); p.status != http.StatusBadRequest || !strings.Contains(p.body, "ui.stale") {
		t.Errorf("an expired ticket: got %d %s", p.status, p.body)
	}
}

func TestLostCookies(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	b := w.newBrowser()
	p := b.get(ssoPath(t, identity.AuthnRequest{}))
	if p := w.newBrowser().get(p.to); p.status != http.StatusBadRequest || !strings.Contains(p.body, "cookie") {
		t.Errorf("got %d %s", p.status, p.body)
	}
}
