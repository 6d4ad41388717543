package login_test

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/store"
)

// linked gives a record a link to a connection.
func (w *world) linked(id identity.RecordID, via identity.ConnectionID) {
	w.tb.Helper()
	w.update(func(ctx context.Context, tx *store.Tx) error {
		return tx.Links.Create(ctx, identity.Link{
			Principal: identity.Principal{Issuer: "https://" + identity.EntityID(via) + ".test", Subject: string(id)}, Record: id, Connection: via, Created: w.now(), LastUsed: w.now(),
		})
	})
}

func (w *world) linksOf(id identity.RecordID) []identity.ConnectionID {
	w.tb.Helper()
	var out []identity.ConnectionID
	ctx := w.tb.Context()
	err := w.store.View(ctx, func(tx *store.Tx) error {
		links, err := tx.Links.OfRecord(ctx, id)
		out = nil
		for _, l := range links {
			out = append(out, l.Connection)
		}
		return err
	})
	if err != nil {
		w.tb.Fatal(err)
	}
	return out
}

var unlinkField = regexp.MustCompile(`name="unlink" value="([^"]+)"`)

// account presses a button of the account page.
func (b *browser) account(field, value string) page {
	b.w.tb.Helper()
	form := url.Values{field: {value}}
	if m := proofField.FindStringSubmatch(b.get("/account").body); m != nil {
		form.Set("proof", m[1])
	}
	return b.follow(b.post("/account", form))
}

var relayField = regexp.MustCompile(`RelayState=([A-Za-z0-9_-]+)`)

// adding presses the button of the school, and returns the RelayState that the
// browser carries there.
func (b *browser) adding() string {
	b.w.tb.Helper()
	p := b.account("connection", "school")
	m := relayField.FindStringSubmatch(p.body)
	if m == nil || !strings.Contains(p.body, "https://school.example.test/sso?") {
		b.w.tb.Fatalf("the browser is not sent to the school: %d %q %s", p.status, p.to, p.body)
	}
	return m[1]
}

// signedIn is a browser in which ada, who is linked to the partner, has just signed
// in by her password.
func (w *world) signedIn() *browser {
	w.tb.Helper()
	b := w.newBrowser()
	b.signIn(b.ask(identity.AuthnRequest{}), "ada", goodPass)
	return b
}

func TestAccountShowsWays(t *testing.T) {
	t.Parallel()
	w := joining(t)
	w.linked("rec-ada", "partner")
	w.linked("rec-ada", "gone")
	p := w.signedIn().get("/account")
	for _, want := range []string{"You are signed in as", "ada", "Password", "Partner Inc.", "Remove", "switched off at present", `name="connection" value="school"`, `href="/consents"`} {
		if !strings.Contains(p.body, want) {
			t.Errorf("the page lacks %q: %s", want, p.body)
		}
	}
	if strings.Contains(p.body, `value="partner"`) || strings.Contains(p.body, "rec-ada") {
		t.Errorf("the page offers what is there, or tells subjects: %s", p.body)
	}
	if p := w.newBrowser().get("/account"); !strings.Contains(p.body, "Nobody is signed in") || strings.Contains(p.body, "Partner Inc.") {
		t.Errorf("to nobody the page says %s", p.body)
	}
}

// TestAccountBeginsSignIn signs in from the page itself, and again once that was
// too long ago to change anything.
func TestAccountBeginsSignIn(t *testing.T) {
	t.Parallel()
	w := joining(t)
	w.linked("rec-ada", "partner")
	b := w.newBrowser()
	p := b.signIn(b.account("confirm", "1"), "ada", goodPass)
	if !strings.Contains(p.body, "How you sign in") || !strings.Contains(p.body, "Remove") {
		t.Fatalf("the sign-in does not end on the page: %d %s", p.status, p.body)
	}
	id := unlinkField.FindStringSubmatch(p.body)[1]
	w.pass(11 * time.Minute)
	if p := b.get("/account"); strings.Contains(p.body, "Remove") || strings.Contains(p.body, `value="school"`) {
		t.Errorf("an old sign-in may change something: %s", p.body)
	}
	if p := b.account("unlink", id); p.status != http.StatusForbidden || len(w.linksOf("rec-ada")) != 1 {
		t.Errorf("an old sign-in changed something: %d %s", p.status, p.body)
	}
	if p := b.account("connection", "school"); p.status != http.StatusForbidden || len(w.up.asked) > 0 {
		t.Errorf("an old sign-in adds something: %d %s", p.status, p.body)
	}
	p = b.account("confirm", "1")
	if !strings.Contains(p.body, `name="identifier"`) {
		t.Fatalf("the session answers for a fresh sign-in: %s", p.body)
	}
	if p = b.signIn(p, "ada", goodPass); !strings.Contains(p.body, "Remove") {
		t.Errorf("a fresh sign-in may change nothing: %s", p.body)
	}
	p = b.account("confirm", "1")
	p = b.follow(b.post("/login", url.Values{"t": {p.ticket(t)}, "cancel": {"1"}}))
	if !strings.Contains(p.body, "You cancelled") || !strings.Contains(p.body, "You are signed in as") {
		t.Errorf("cancelling ends in %d %s", p.status, p.body)
	}
}

func TestAccountRemovesWay(t *testing.T) {
	t.Parallel()
	w := joining(t)
	w.linked("rec-ada", "partner")
	other := w.newBrowser()
	other.arrive("partner", other.leave(t, identity.AuthnRequest{Connection: "partner"}), "ada")
	b := w.signedIn()
	id := unlinkField.FindStringSubmatch(b.get("/account").body)[1]
	p := b.account("unlink", id)
	if !strings.Contains(p.body, "Removed.") || len(w.linksOf("rec-ada")) > 0 {
		t.Fatalf("the link is still there: %d %s", p.status, p.body)
	}
	if s := w.sessionsOf("rec-ada"); len(s) != 1 || s[0].Connection != identity.LocalConnection {
		t.Errorf("the sessions that are left: %+v; want the one by password", s)
	}
	if events := w.events(); !slices.Contains(events, "link.removed") {
		t.Errorf("no event tells of it: %q", events)
	}
	if p := b.account("unlink", id); p.status != http.StatusOK || strings.Contains(p.body, "Removed.") {
		t.Errorf("undoing it again: %d %s", p.status, p.body)
	}
}

// TestAccountKeepsLastWay removes no link without which nobody could sign in.
func TestAccountKeepsLastWay(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{noLocal: true, connections: partner()})
	w.addPerson("ada")
	w.up.record["ada"] = "rec-ada"
	w.linked("rec-ada", "partner")
	w.linked("rec-ada", "gone")
	b := w.newBrowser()
	b.arrive("partner", b.leave(t, identity.AuthnRequest{}), "ada")
	p := b.get("/account")
	ids := unlinkField.FindAllStringSubmatch(p.body, -1)
	if len(ids) != 1 || !strings.Contains(p.body, "It stays") {
		t.Fatalf("the page offers to remove %d: %s", len(ids), p.body)
	}
	b.account("unlink", ids[0][1])
	if diff := cmp.Diff([]identity.ConnectionID{"partner"}, w.linksOf("rec-ada")); diff != "" {
		t.Errorf("links (-want +got):\n%s", diff)
	}
}

// TestAttackAccountLastWay presses the button of a page on which the link was not
// the last way yet.
func TestAttackAccountLastWay(t *testing.T) {
	t.Parallel()
	w := joining(t)
	w.linked("rec-ada", "partner")
	b := w.signedIn()
	id := unlinkField.FindStringSubmatch(b.get("/account").body)[1]
	w.update(func(ctx context.Context, tx *store.Tx) error { return tx.Credentials.Delete(ctx, "pw-ada") })
	if p := b.account("unlink", id); p.status != http.StatusForbidden || !strings.Contains(p.body, "the only way") || len(w.linksOf("rec-ada")) != 1 {
		t.Errorf("got %d, links %v: %s", p.status, w.linksOf("rec-ada"), p.body)
	}
}

func TestAccountAddsWay(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		prepare func(*world)
		who     string // whom the school says it is
		meddle  func(*browser)
		words   string
		joined  []string
		event   string
	}{
		{name: "somebody new", who: "newcomer", words: "Added.", joined: []string{"newcomer rec-ada local"}},
		{name: "herself", who: "ada", words: "Added."},
		{name: "somebody else", prepare: func(w *world) { w.up.record["bob"] = "rec-bob" }, who: "bob", words: "belongs to another account", event: "link.refused link.taken"},
		{name: "linked to somebody else meanwhile", prepare: func(w *world) {
			w.up.joins = &identity.Error{Kind: identity.KindExists, Code: "link.taken", Msg: "It belongs to another account."}
		}, who: "newcomer", words: "belongs to another account", event: "link.refused link.taken"},
		{name: "whoever was signed in there before", prepare: func(w *world) { w.up.instant = w.now().Add(-time.Hour) }, who: "newcomer", words: "you were not asked again", event: "link.refused link.unproved"},
		{name: "signed out meanwhile", meddle: func(b *browser) { b.setCookie("samlet_session", "") }, who: "newcomer", words: "Nothing was added", event: "link.refused link.session"},
		{name: "disabled meanwhile", meddle: func(b *browser) { b.w.disable("rec-ada") }, who: "newcomer", words: "Nothing was added", event: "link.refused link.session"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := joining(t)
			if c.prepare != nil {
				c.prepare(w)
			}
			b := w.signedIn()
			relay := b.adding()
			asked := w.up.asked[len(w.up.asked)-1]
			if !asked.ForceAuthn || !asked.KnownOnly {
				t.Errorf("the school is asked %+v; want a fresh authentication that makes nobody", asked)
			}
			if c.meddle != nil {
				c.meddle(b)
			}
			p := b.arrive("school", relay, c.who)
			if !strings.Contains(p.body, c.words) {
				t.Errorf("the page lacks %q: %d %s", c.words, p.status, p.body)
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

// TestAccountBackFromUpstream presses the back button at the connection that was
// to be added.
func TestAccountBackFromUpstream(t *testing.T) {
	t.Parallel()
	w := joining(t)
	b := w.signedIn()
	tk := b.adding()
	if p := b.follow(b.get("/login?t=" + tk)); !strings.Contains(p.body, "How you sign in") {
		t.Errorf("got %d %s", p.status, p.body)
	}
	b.arrive("school", tk, "newcomer")
	if len(w.up.joined) > 0 {
		t.Errorf("what was given up was added: %q", w.up.joined)
	}
}

// TestAttackAccountCSRF changes an account from another site, with no proof, and
// with that of another session.
func TestAttackAccountCSRF(t *testing.T) {
	t.Parallel()
	w := joining(t)
	w.linked("rec-ada", "partner")
	mallory := w.newBrowser()
	mallory.signIn(mallory.ask(identity.AuthnRequest{}), "bob", goodPass)
	theirs := proofField.FindStringSubmatch(mallory.get("/account").body)[1]
	b := w.signedIn()
	p := b.get("/account")
	proof, id := proofField.FindStringSubmatch(p.body)[1], unlinkField.FindStringSubmatch(p.body)[1]
	b.crossPost("/account", url.Values{"proof": {proof}, "unlink": {id}})
	for _, form := range []url.Values{
		{"unlink": {id}}, {"unlink": {id}, "proof": {theirs}}, {"connection": {"school"}}, {"connection": {"school"}, "proof": {theirs}},
	} {
		if p := b.post("/account", form); p.status < http.StatusBadRequest {
			t.Errorf("%v: got %d to %q", form, p.status, p.to)
		}
	}
	b.get("/account?proof=" + proof + "&unlink=" + id)
	if len(w.linksOf("rec-ada")) != 1 || len(w.up.asked) > 0 {
		t.Errorf("the account was changed: links %v, asked %d", w.linksOf("rec-ada"), len(w.up.asked))
	}
}

// TestAttackAccountForeignSession signs somebody else in between the button and
// the answer, and brings the answer in another browser: no account gets it.
func TestAttackAccountForeignSession(t *testing.T) {
	t.Parallel()
	w := joining(t)
	b := w.signedIn()
	relay := b.adding()
	mallory := w.newBrowser()
	mallory.signIn(mallory.ask(identity.AuthnRequest{}), "bob", goodPass)
	if p := mallory.arrive("school", relay, "newcomer"); strings.Contains(p.body, "Added.") {
		t.Errorf("another browser's answer counts: %s", p.body)
	}
	b.signIn(b.ask(identity.AuthnRequest{ForceAuthn: true}), "bob", goodPass)
	if p := b.arrive("school", relay, "newcomer"); !strings.Contains(p.body, "Somebody else signed in here meanwhile") {
		t.Errorf("got %d %s", p.status, p.body)
	}
	if len(w.up.joined) > 0 {
		t.Errorf("joined %q", w.up.joined)
	}
}

// TestAttackAccountReplay brings the connection's answer a second time, and the
// ticket to where an application's sign-in ends.
func TestAttackAccountReplay(t *testing.T) {
	t.Parallel()
	w := joining(t)
	b := w.signedIn()
	relay := b.adding()
	if p := b.post("/login", url.Values{"t": {relay}, "identifier": {"bob"}, "password": {goodPass}}); len(w.sessionsOf("rec-bob")) > 0 {
		t.Errorf("the ticket signs somebody in: %d %s", p.status, p.body)
	}
	b2 := w.signedIn()
	relay = b2.adding()
	for range 2 {
		b2.arrive("school", relay, "newcomer")
	}
	if diff := cmp.Diff([]string{"newcomer rec-ada local"}, w.up.joined); diff != "" {
		t.Errorf("joined (-want +got):\n%s", diff)
	}
	if p := b2.get("/sso/resume?t=" + relay); p.status < http.StatusBadRequest {
		t.Errorf("an application is answered: %d %s", p.status, p.body)
	}
}
