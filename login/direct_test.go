package login_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/login"
	"github.com/samlet-id/samlet/store"
)

// direct signs somebody in at the wiki without a browser.
func (w *world) direct(t testing.TB, from string, req identity.AuthnRequest, name, pass string) (identity.Assertion, error) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/saml/ecp", nil)
	r.Header.Set("Test-Address", from)
	req.Issuer, req.RelyingParty, req.Audience, req.Resume = ourID, "wiki", "https://wiki.example.test/sp", "/sso/resume"
	return w.auth.Authenticate(t.Context(), r, req, name, pass)
}

// TestAuthenticate: a client without a browser is told what the browser is told.
func TestAuthenticate(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{lifetimes: login.Lifetimes{Idle: time.Hour}})
	w.addParty(asking(identity.ConsentNever))
	rec := w.addPerson("ada", identity.Value{Name: identity.Mail, Value: "ada@example.test", Source: identity.SourceOperator})
	req := identity.AuthnRequest{Subject: identity.FormatPersistent, ForceAuthn: true, IsPassive: true}
	got, err := w.direct(t, "192.0.2.1", req, " Ada ", goodPass)
	if err != nil {
		t.Fatal(err)
	}
	b := w.newBrowser()
	want := b.signIn(b.ask(identity.AuthnRequest{Issuer: ourID, RelyingParty: "wiki", Resume: "/sso/resume", Subject: identity.FormatPersistent}), "ada", goodPass).answer(t).Assertion
	if want == nil {
		t.Fatal("the browser is not signed in")
	}
	if diff := cmp.Diff(*want, got, cmpopts.IgnoreFields(identity.Assertion{}, "Session"), cmpopts.EquateApproxTime(time.Minute), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("-browser +client:\n%s", diff)
	}
	if got.Session == want.Session {
		t.Error("the client shares the browser's session")
	}
	sessions := w.sessionsOf(rec.ID)
	if len(sessions) != 2 {
		t.Fatalf("%d sessions, want the client's and the browser's", len(sessions))
	}
	s := sessions[1]
	if life := s.NotAfter.Sub(s.Created); life != time.Hour || s.Connection != identity.LocalConnection {
		t.Errorf("the client's session is %+v", s)
	}
	var joined []identity.Participant
	w.update(func(ctx context.Context, tx *store.Tx) (err error) {
		joined, err = tx.Sessions.Participants(ctx, s.ID)
		return err
	})
	if len(joined) != 1 || joined[0].Principal != got.Principal || joined[0].Index != got.Session {
		t.Errorf("participants %+v, want the wiki as %v", joined, got.Principal)
	}
	for _, e := range []identity.EventType{identity.EventLogin, identity.EventRelease} {
		n := 0
		for _, got := range w.events() {
			if got == string(e) {
				n++
			}
		}
		if n != 2 {
			t.Errorf("%d events %s, want the client's and the browser's: %q", n, e, w.events())
		}
	}
}

// TestAttackECPSpraying: tries without a browser count with those of the form,
// for each account and each address, and nothing tells which names exist.
func TestAttackECPSpraying(t *testing.T) {
	t.Parallel()
	start := func(t *testing.T) *world {
		w := newWorld(t, setup{limits: login.Limits{Account: 3, Address: 6}})
		w.addPerson("ada")
		w.addPerson("bob")
		w.disable(w.addPerson("eve").ID)
		return w
	}
	wrong := func(t *testing.T, w *world, from, name, pass string) {
		t.Helper()
		if _, err := w.direct(t, from, identity.AuthnRequest{}, name, pass); identity.CodeOf(err) != "login.failed" {
			t.Fatalf("%s: got %v, want login.failed", name, err)
		}
	}
	t.Run("an account", func(t *testing.T) {
		t.Parallel()
		w := start(t)
		for _, from := range []string{"192.0.2.1", "192.0.2.2", "192.0.2.3"} {
			wrong(t, w, from, "ada", "guess")
		}
		if _, err := w.direct(t, "192.0.2.4", identity.AuthnRequest{}, "ADA", goodPass); identity.CodeOf(err) != "rate.limited" {
			t.Errorf("the fourth try: got %v, want rate.limited", err)
		}
		b := w.newBrowser()
		if p := b.signIn(b.ask(identity.AuthnRequest{}), "ada", goodPass); p.status != http.StatusTooManyRequests {
			t.Errorf("the form after tries without it: got %d, want 429", p.status)
		}
		if _, err := w.direct(t, "192.0.2.4", identity.AuthnRequest{}, "bob", goodPass); err != nil {
			t.Errorf("somebody else is locked out: %v", err)
		}
		w.pass(16 * time.Minute)
		if _, err := w.direct(t, "192.0.2.4", identity.AuthnRequest{}, "ada", goodPass); err != nil {
			t.Errorf("after the window: %v", err)
		}
	})
	t.Run("an account, from the form on", func(t *testing.T) {
		t.Parallel()
		w := start(t)
		b := w.newBrowser()
		for range 3 {
			b.signIn(b.ask(identity.AuthnRequest{}), "ada", "guess")
		}
		if _, err := w.direct(t, "192.0.2.4", identity.AuthnRequest{}, "ada", goodPass); identity.CodeOf(err) != "rate.limited" {
			t.Errorf("got %v, want rate.limited", err)
		}
	})
	t.Run("an address", func(t *testing.T) {
		t.Parallel()
		w := start(t)
		// Who exists, who does not and who is disabled cost and say the same.
		for _, name := range []string{"ada", "nobody", "eve", "nobody@example.test", "a:b", "x"} {
			wrong(t, w, "192.0.2.1", name, "Winter2026!")
		}
		if _, err := w.direct(t, "192.0.2.1", identity.AuthnRequest{}, "bob", goodPass); identity.CodeOf(err) != "rate.limited" {
			t.Errorf("the seventh try: got %v, want rate.limited", err)
		}
		if _, err := w.direct(t, "192.0.2.2", identity.AuthnRequest{}, "bob", goodPass); err != nil {
			t.Errorf("another address is locked out: %v", err)
		}
	})
	t.Run("a disabled person with the right password", func(t *testing.T) {
		t.Parallel()
		wrong(t, start(t), "192.0.2.1", "eve", goodPass)
	})
}

// TestAttackECPBypass: whatever keeps somebody out in a browser keeps them out
// without one, and no session or answer comes of it.
func TestAttackECPBypass(t *testing.T) {
	t.Parallel()
	never := asking(identity.ConsentNever)
	deny := never
	deny.Access = func(identity.Person) (bool, error) { return false, nil }
	off := never
	off.Disabled = true
	mail := never
	mail.NameID.Format = identity.FormatEmail
	strong := identity.RequestedContext{Comparison: identity.ComparisonExact, Classes: []identity.ClassRef{identity.ClassREFEDSMFA}}
	for name, c := range map[string]struct {
		party identity.RelyingParty
		setup setup
		req   identity.AuthnRequest
		who   string
		kind  identity.Kind
		want  identity.Code
	}{
		"a second factor is demanded":      {party: never, req: identity.AuthnRequest{Context: strong}, kind: identity.KindContextUnmet, want: "sp.authn_context"},
		"consent is due":                   {party: asking(identity.ConsentFirstUse), kind: identity.KindNeedsInteraction, want: "login.page_needed"},
		"consent is always due":            {party: asking(identity.ConsentAlways), kind: identity.KindNeedsInteraction, want: "login.page_needed"},
		"not let in":                       {party: deny, kind: identity.KindDenied, want: "user.not_allowed"},
		"the application is off":           {party: off, kind: identity.KindDenied, want: "sp.unknown"},
		"no value for the identifier":      {party: mail, kind: identity.KindDenied, want: "sp.nameid_missing"},
		"a new identifier is forbidden":    {party: never, req: identity.AuthnRequest{Subject: identity.FormatPersistent, NoCreate: true}, kind: identity.KindDenied, want: "sp.nameid_policy"},
		"people of a partner":              {party: never, setup: setup{connections: partner()}, who: "ada@partner.test", kind: identity.KindNeedsInteraction, want: "login.page_needed"},
		"a partner is asked for":           {party: never, setup: setup{connections: partner()}, req: identity.AuthnRequest{Connection: "partner"}, kind: identity.KindNeedsInteraction, want: "login.page_needed"},
		"another identity provider wanted": {party: never, req: identity.AuthnRequest{Scoping: identity.Scoping{IDPList: []identity.EntityID{"https://elsewhere.example.test"}}}, kind: identity.KindDenied, want: "sp.idp_list"},
		"passwords are off":                {party: never, setup: setup{noLocal: true, connections: partner()}, kind: identity.KindNeedsInteraction, want: "login.page_needed"},
		"nobody":                           {party: never, who: "   ", kind: identity.KindNeedsInteraction, want: "login.page_needed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, c.setup)
			w.addParty(c.party)
			who := c.who
			if who == "" {
				who = "ada"
			}
			id := w.addPerson("ada", identity.Value{Name: identity.Groups, Value: "staff", Source: identity.SourceOperator}).ID
			if c.who != "" && c.who != "   " {
				id = w.addPerson(c.who).ID
			}
			_, err := w.direct(t, "192.0.2.1", c.req, who, goodPass)
			if identity.CodeOf(err) != c.want || identity.KindOf(err) != c.kind {
				t.Errorf("got %v, want %v %s", err, c.kind, c.want)
			}
			if s := w.sessionsOf(id); len(s) > 0 {
				t.Errorf("a session was made: %+v", s)
			}
			if events := w.events(); slices.Contains(events, string(identity.EventRelease)) || slices.Contains(events, string(identity.EventLogin)) {
				t.Errorf("the audit trail has %q", events)
			}
		})
	}
}

// A consent that was given in a browser counts without one.
func TestAuthenticateAfterConsent(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	w.addParty(asking(identity.ConsentFirstUse))
	w.addPerson("ada", identity.Value{Name: identity.Groups, Value: "staff", Source: identity.SourceOperator})
	b := w.newBrowser()
	b.consent(b.signIn(b.ask(identity.AuthnRequest{}), "ada", goodPass), "allow")
	got, err := w.direct(t, "192.0.2.1", identity.AuthnRequest{}, "ada", goodPass)
	if err != nil || got.Consent != identity.ConsentURIPrior {
		t.Errorf("got consent %q, %v", got.Consent, err)
	}
}
