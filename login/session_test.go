package login_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/store"
)

func TestLogout(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	rec := w.addPerson("ada")
	b := w.newBrowser()
	b.signIn(b.ask(identity.AuthnRequest{}), "ada", goodPass).answer(t)
	if p := b.get("/logout"); !strings.Contains(p.body, "ada") || len(w.sessionsOf(rec.ID)) != 1 {
		t.Errorf("GET ended the session or does not say whose it is: %s", p.body)
	}
	token := b.cookie("samlet_session")
	p := b.signOut()
	if p.status != http.StatusOK || !strings.Contains(p.body, "Wiki</bdi> <span>Does not support it") {
		t.Errorf("the page does not say who may still know the person: %d %s", p.status, p.body)
	}
	if b.cookie("samlet_session") != "" || len(w.sessionsOf(rec.ID)) != 0 {
		t.Error("the session is still there")
	}
	b.setCookie("samlet_session", token)
	b.ask(identity.AuthnRequest{}).ticket(t)
	if diff := cmp.Diff([]string{"logout.told", "session.ended"}, w.events()[:2]); diff != "" {
		t.Errorf("latest events (-want +got):\n%s", diff)
	}
	if p := b.post("/logout", nil); p.status != http.StatusOK {
		t.Errorf("a second time: %d", p.status)
	}
}

// TestSignedOutBeforeTheEnd signs out between the password and the answer.
func TestSignedOutBeforeTheEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	w.addPerson("ada")
	b := w.newBrowser()
	tk := b.ask(identity.AuthnRequest{}).ticket(t)
	b.post("/login", url.Values{"t": {tk}, "identifier": {"ada"}})
	done := b.post("/login", url.Values{"t": {tk}, "password": {goodPass}})
	name, value := b.cookieLike("samlet_browser_")
	b.signOut()
	if left, _ := b.cookieLike("samlet_browser_"); left != "" {
		t.Errorf("signing out left %s", left)
	}
	b.setCookie(name, value)
	if got := b.follow(done).answer(t); got.Assertion != nil || got.Code != "ui.stale" {
		t.Errorf("got %+v", got)
	}
}

func TestOtherPersonEndsTheSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	ada, bob := w.addPerson("ada"), w.addPerson("bob")
	b := w.newBrowser()
	b.signIn(b.ask(identity.AuthnRequest{}), "ada", goodPass).answer(t)
	b.signIn(b.ask(identity.AuthnRequest{ForceAuthn: true}), "bob", goodPass).answer(t)
	if a, b := len(w.sessionsOf(ada.ID)), len(w.sessionsOf(bob.ID)); a != 0 || b != 1 {
		t.Errorf("sessions: ada %d, bob %d; want 0 and 1", a, b)
	}
}

// TestOtherPersonEndsItEverywhere signs bob in where ada is: the applications
// that ada used are told as far as that goes without her browser, and the audit
// trail says of each what became of it.
func TestOtherPersonEndsItEverywhere(t *testing.T) {
	t.Parallel()
	d := &downstream{reach: map[identity.RelyingPartyID]identity.Reach{"a-direct": direct, "b-frame": byBrowser("b-frame"), "c-none": {}}}
	w, b, ada := everywhere(t, d, time.Second)
	w.addPerson("bob")
	b.signIn(b.ask(identity.AuthnRequest{ForceAuthn: true}), "bob", goodPass).answer(t)
	if err := w.auth.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	var got []string
	w.update(func(ctx context.Context, tx *store.Tx) error {
		all, err := tx.Events.List(ctx, ada.ID, 100)
		got = nil
		for _, e := range slices.Backward(all) {
			if e.Type == identity.EventLogout || e.Type == identity.EventLogoutTold {
				got = append(got, strings.TrimSpace(fmt.Sprint(e.RelyingParty, " ", e.Detail, " ", e.Code)))
			}
		}
		return err
	})
	want := []string{"somebody else signed in", "a-direct done", "b-frame failed logout.browser", "c-none unsupported"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("audit trail (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"a-direct"}, d.parties()); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
}

func TestSessionKeepsItsParticipants(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	w.addParty(identity.RelyingParty{ID: "mail", EntityID: "https://mail.example.test/sp"})
	rec := w.addPerson("ada")
	b := w.newBrowser()
	b.signIn(b.ask(identity.AuthnRequest{}), "ada", goodPass).answer(t)
	before := w.sessionsOf(rec.ID)
	b.signIn(b.ask(identity.AuthnRequest{RelyingParty: "mail", ForceAuthn: true}), "ada", goodPass).answer(t)
	after := w.sessionsOf(rec.ID)
	if len(after) != 1 || after[0].ID != before[0].ID {
		t.Fatalf("sessions: %+v, before %+v", after, before)
	}
	var got []identity.RelyingPartyID
	w.update(func(ctx context.Context, tx *store.Tx) error {
		all, err := tx.Sessions.Participants(ctx, after[0].ID)
		got = nil
		for _, p := range all {
			got = append(got, p.RelyingParty)
		}
		return err
	})
	if diff := cmp.Diff([]identity.RelyingPartyID{"wiki", "mail"}, got); diff != "" {
		t.Errorf("participants (-want +got):\n%s", diff)
	}
}

// TestJournalOutlivesItsSessions signs out before the answer was recorded: the
// audit trail has it all the same.
func TestJournalOutlivesItsSessions(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	w.addPerson("ada")
	b := w.newBrowser()
	b.signIn(b.ask(identity.AuthnRequest{}), "ada", goodPass).answer(t)
	b.ask(identity.AuthnRequest{}).answer(t)
	b.signOut()
	if err := w.auth.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := w.events()
	slices.Sort(got)
	if diff := cmp.Diff([]string{"assertion.issued", "assertion.issued", "login.succeeded", "logout.told", "session.ended"}, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

// TestTwoTabsOnOneTicket names somebody else in a second tab of one login: the
// password of the first tab's page is tried on nobody.
func TestTwoTabsOnOneTicket(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	w.addPerson("ada")
	w.addPerson("bob")
	b := w.newBrowser()
	tk := b.ask(identity.AuthnRequest{}).ticket(t)
	b.post("/login", url.Values{"t": {tk}, "identifier": {"ada"}})
	again := b.get("/login?t=" + tk + "&again=1")
	if !strings.Contains(again.body, `value="ada"`) || strings.Contains(again.body, `name="password"`) {
		t.Errorf("naming oneself anew shows %s", again.body)
	}
	b.post("/login", url.Values{"t": {tk}, "identifier": {"bob"}})
	p := b.follow(b.post("/login", url.Values{"t": {tk}, "identifier": {"ada"}, "password": {goodPass}}))
	if !strings.Contains(p.body, `value="bob"`) || len(w.events()) != 0 {
		t.Errorf("the first tab's password got %d %s; events %v", p.status, p.body, w.events())
	}
}
