package login_test

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/store"
)

// asking is the wiki with a mode of asking.
func asking(mode identity.ConsentMode) identity.RelyingParty {
	return identity.RelyingParty{
		ID: "wiki", Name: "Wiki", EntityID: "https://wiki.example.test/sp", Consent: mode,
		Release: []identity.ReleaseRule{{Attribute: identity.Mail}, {Attribute: identity.Groups}},
	}
}

var digestField = regexp.MustCompile(`name="digest" value="([^"]+)"`)

// asks reports whether p is the page that asks.
func (p page) asks() bool { return digestField.MatchString(p.body) }

// consent presses a button of the page that asks.
func (b *browser) consent(p page, word string) page {
	b.w.tb.Helper()
	m := digestField.FindStringSubmatch(p.body)
	if m == nil {
		b.w.tb.Fatalf("this page does not ask: %d %s %s", p.status, p.to, p.body)
	}
	return b.follow(b.post("/login", url.Values{"t": {p.ticket(b.w.tb)}, "digest": {m[1]}, "consent": {word}}))
}

func (w *world) setValues(id identity.RecordID, v ...identity.Value) {
	w.tb.Helper()
	w.update(func(ctx context.Context, tx *store.Tx) error {
		rec, err := tx.Records.Get(ctx, id)
		if err != nil {
			return err
		}
		rec.Values = v
		return tx.Records.Replace(ctx, rec)
	})
}

func (w *world) consents(id identity.RecordID) []identity.Consent {
	w.tb.Helper()
	var out []identity.Consent
	ctx := w.tb.Context()
	err := w.store.View(ctx, func(tx *store.Tx) (err error) {
		out, err = tx.Consents.OfRecord(ctx, id)
		return err
	})
	if err != nil {
		w.tb.Fatal(err)
	}
	return out
}

func TestConsentModes(t *testing.T) {
	t.Parallel()
	const explicit, prior = identity.ConsentURIExplicit, identity.ConsentURIPrior
	for _, c := range []struct {
		mode identity.ConsentMode
		// The consent that is stated at the first sign-on, the second, and the
		// one after a value has changed. Explicit means that there was a page.
		want []string
	}{
		{identity.ConsentNever, []string{"", "", ""}},
		{identity.ConsentFirstUse, []string{explicit, prior, prior}},
		{identity.ConsentOnChange, []string{explicit, prior, explicit}},
		{identity.ConsentAlways, []string{explicit, explicit, explicit}},
	} {
		t.Run(c.mode.String(), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, setup{})
			rec := w.addPerson("ada", values(identity.SourceOperator, "mail", "ada@example.test", "groups", "staff", "phone_number", "1")...)
			w.addParty(asking(c.mode))
			b := w.newBrowser()
			mail := "ada@example.test"
			var got []string
			for i := range c.want {
				p := b.ask(identity.AuthnRequest{})
				switch i {
				case 0:
					p = b.signIn(p, "ada", goodPass)
				case 1:
					// What does not leave is nobody's business there.
					w.setValues(rec.ID, values(identity.SourceOperator, "mail", "ada@example.test", "groups", "staff", "phone_number", "2")...)
				}
				if p.asks() != (c.want[i] == explicit) {
					t.Fatalf("sign-on %d: asked is %t, want the consent %q", i, p.asks(), c.want[i])
				}
				if p.asks() {
					for _, want := range []string{"Wiki", mail, "staff"} {
						if !strings.Contains(p.body, want) {
							t.Errorf("the page does not show %q: %s", want, p.body)
						}
					}
					p = b.consent(p, "allow")
				}
				a := p.answer(t)
				if a.Assertion == nil {
					t.Fatalf("sign-on %d: got %+v", i, a)
				}
				got = append(got, a.Assertion.Consent)
				if i == 1 {
					mail = "countess@example.test"
					w.setValues(rec.ID, values(identity.SourceOperator, "mail", mail, "groups", "staff")...)
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("consent that is stated (-want +got):\n%s", diff)
			}
		})
	}
}

// TestConsentIsKept holds what is remembered, and what the audit trail says.
func TestConsentIsKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	rec := w.addPerson("ada", values(identity.SourceOperator, "mail", "ada@example.test")...)
	w.addParty(asking(identity.ConsentFirstUse))
	b := w.newBrowser()
	b.consent(b.signIn(b.ask(identity.AuthnRequest{}), "ada", goodPass), "allow").answer(t)
	kept := w.consents(rec.ID)
	if len(kept) != 1 || kept[0].RelyingParty != "wiki" || !cmp.Equal(kept[0].Attributes, []string{"mail"}) || kept[0].Digest == "" {
		t.Errorf("got %+v", kept)
	}
	eventually(t, "consent and answer are recorded", func() bool {
		return cmp.Equal(w.events(), []string{"assertion.issued", "consent.given", "login.succeeded"})
	})
}

func TestConsentDeclined(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	rec := w.addPerson("ada", values(identity.SourceOperator, "mail", "ada@example.test")...)
	w.addParty(asking(identity.ConsentFirstUse))
	b := w.newBrowser()
	p := b.consent(b.signIn(b.ask(identity.AuthnRequest{}), "ada", goodPass), "deny")
	if got := p.answer(t); got.Code != "user.declined" || got.Assertion != nil || got.Kind != "denied" {
		t.Errorf("got %+v, want user.declined", got)
	}
	if kept := w.consents(rec.ID); len(kept) > 0 {
		t.Errorf("got %+v, want no consent", kept)
	}
	if diff := cmp.Diff([]string{"request.refused user.declined", "login.succeeded"}, w.events()); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if p := b.ask(identity.AuthnRequest{}); !p.asks() {
		t.Errorf("whoever declined is not asked again: %d %s", p.status, p.body)
	}
}

// TestNothingToConsentTo: somebody of whom nothing leaves is not asked.
func TestNothingToConsentTo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	w.addPerson("ada")
	w.addParty(asking(identity.ConsentAlways))
	b := w.newBrowser()
	if got := b.signIn(b.ask(identity.AuthnRequest{}), "ada", goodPass).answer(t); got.Assertion == nil || got.Assertion.Consent != "" {
		t.Errorf("got %+v", got)
	}
}

// TestConsentToAnIdentifier: a mail address as the NameID is shown like any other.
func TestConsentToAnIdentifier(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	w.addPerson("ada", values(identity.SourceOperator, "mail", "ada@example.test")...)
	rp := asking(identity.ConsentFirstUse)
	rp.Release, rp.NameID.Format = nil, identity.FormatEmail
	w.addParty(rp)
	b := w.newBrowser()
	if p := b.signIn(b.ask(identity.AuthnRequest{}), "ada", goodPass); !p.asks() || !strings.Contains(p.body, "ada@example.test") {
		t.Errorf("the page does not ask: %d %s", p.status, p.body)
	}
}

// TestConsentOfAPassiveRequest: nobody can be asked.
func TestConsentOfAPassiveRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	w.addPerson("ada", values(identity.SourceOperator, "mail", "ada@example.test")...)
	w.addParty(identity.RelyingParty{ID: "door", EntityID: "https://door.example.test/sp"})
	w.addParty(asking(identity.ConsentFirstUse))
	b := w.newBrowser()
	b.signIn(b.ask(identity.AuthnRequest{RelyingParty: "door"}), "ada", goodPass).answer(t)
	if got := b.ask(identity.AuthnRequest{IsPassive: true}).answer(t); got.Code != "sp.passive" || got.Kind != "needs_interaction" {
		t.Errorf("got %+v, want sp.passive", got)
	}
	b.consent(b.ask(identity.AuthnRequest{}), "allow").answer(t)
	if got := b.ask(identity.AuthnRequest{IsPassive: true}).answer(t); got.Assertion == nil {
		t.Errorf("after consent: got %+v", got)
	}
}

var (
	consentProofField = regexp.MustCompile(`name="proof" value="([^"]+)"`)
	withdrawField     = regexp.MustCompile(`name="withdraw" value="([^"]+)"`)
)

func TestConsentWithdrawn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	rec := w.addPerson("ada", values(identity.SourceOperator, "mail", "ada@example.test")...)
	w.addPerson("bob", values(identity.SourceOperator, "mail", "bob@example.test")...)
	w.addParty(asking(identity.ConsentFirstUse))
	nobody := w.newBrowser()
	if p := nobody.get("/consents"); p.status != http.StatusOK || !strings.Contains(p.body, "Nobody is signed in") {
		t.Errorf("without a session: %d %s", p.status, p.body)
	}
	b, bob := w.newBrowser(), w.newBrowser()
	b.consent(b.signIn(b.ask(identity.AuthnRequest{}), "ada", goodPass), "allow").answer(t)
	bob.consent(bob.signIn(bob.ask(identity.AuthnRequest{}), "bob", goodPass), "allow").answer(t)

	p := b.get("/consents")
	proof, id := consentProofField.FindStringSubmatch(p.body), withdrawField.FindStringSubmatch(p.body)
	if proof == nil || id == nil || id[1] != "wiki" || !strings.Contains(p.body, "Wiki") {
		t.Fatalf("the page does not list the consent: %d %s", p.status, p.body)
	}
	form := url.Values{"proof": {proof[1]}, "withdraw": {id[1]}}
	if p := b.crossPost("/consents", form); p.status != http.StatusForbidden {
		t.Errorf("another site withdraws: %d %s", p.status, p.body)
	}
	if p := bob.post("/consents", form); p.status == http.StatusOK {
		t.Errorf("a form of another session withdraws: %d %s", p.status, p.body)
	}
	if len(w.consents(rec.ID)) != 1 || len(w.consents("rec-bob")) != 1 {
		t.Fatal("a consent is gone already")
	}
	if p := b.post("/consents", form); p.status != http.StatusOK || !strings.Contains(p.body, "Withdrawn.") {
		t.Errorf("withdrawing: %d %s", p.status, p.body)
	}
	if len(w.consents(rec.ID)) != 0 || len(w.consents("rec-bob")) != 1 {
		t.Errorf("consents of ada and bob: got %v and %v", w.consents(rec.ID), w.consents("rec-bob"))
	}
	if got := w.events()[0]; got != "consent.withdrawn" {
		t.Errorf("got the event %q", got)
	}
	if p := b.ask(identity.AuthnRequest{}); !p.asks() {
		t.Errorf("after withdrawing nobody is asked: %d %s", p.status, p.body)
	}
}

// TestAttackConsentSkipped goes on to the answer without having been asked
// (threats.md: flow steps skipped), and then as a person should.
func TestAttackConsentSkipped(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	w.addPerson("ada", values(identity.SourceOperator, "mail", "ada@example.test")...)
	w.addParty(asking(identity.ConsentAlways))
	b := w.newBrowser()
	asked := b.signIn(b.ask(identity.AuthnRequest{}), "ada", goodPass)
	if p := b.get("/sso/resume?t=" + url.QueryEscape(asked.ticket(t))); strings.Contains(p.body, "ada@example.test") || p.body[0] == '{' {
		t.Errorf("the answer left unasked: %d %s", p.status, p.body)
	}
	b.consent(b.follow(b.get("/login?t="+url.QueryEscape(asked.ticket(t)))), "allow").answer(t)
}

// TestAttackConsentToSomethingElse says yes to what was not shown.
func TestAttackConsentToSomethingElse(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	rec := w.addPerson("ada", values(identity.SourceOperator, "mail", "ada@example.test")...)
	w.addParty(asking(identity.ConsentAlways))
	b := w.newBrowser()
	asked := b.signIn(b.ask(identity.AuthnRequest{}), "ada", goodPass)
	ticket := asked.ticket(t)
	for _, digest := range []string{"", strings.Repeat("0", 64)} {
		if p := b.follow(b.post("/login", url.Values{"t": {ticket}, "digest": {digest}, "consent": {"allow"}})); !p.asks() {
			t.Errorf("digest %q counts: %d %s", digest, p.status, p.body)
		}
	}
	w.setValues(rec.ID, values(identity.SourceOperator, "mail", "ada@example.test", "groups", "secret")...)
	p := b.consent(asked, "allow")
	if !p.asks() || !strings.Contains(p.body, "secret") {
		t.Fatalf("a yes to less counts for more: %d %s", p.status, p.body)
	}
	// And what changes between the yes and the answer.
	m := digestField.FindStringSubmatch(p.body)
	last := b.post("/login", url.Values{"t": {ticket}, "digest": {m[1]}, "consent": {"allow"}})
	w.setValues(rec.ID, values(identity.SourceOperator, "mail", "ada@example.test", "groups", "top-secret")...)
	if p := b.follow(last); p.body[0] == '{' {
		t.Errorf("what changed since left: %s", p.body)
	}
}

// Consent at first use covers what was on the page, and nothing that the
// application comes to ask for later.
func TestConsentCoversWhatWasShown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	w.addPerson("ada", values(identity.SourceOperator, "mail", "ada@example.test", "groups", "staff")...)
	rp := asking(identity.ConsentFirstUse)
	rp.Release, rp.ReleaseRequested = nil, true
	w.addParty(rp)
	b := w.newBrowser()
	p := b.signIn(b.ask(identity.AuthnRequest{Wanted: []identity.Name{"groups"}}), "ada", goodPass)
	b.consent(p, "allow").answer(t)
	if p := b.ask(identity.AuthnRequest{Wanted: []identity.Name{"groups"}}); p.asks() {
		t.Error("asked again for the same")
	}
	if p := b.ask(identity.AuthnRequest{Wanted: []identity.Name{"groups", "mail"}}); !p.asks() {
		t.Errorf("not asked for more: %s", p.body)
	}
}
