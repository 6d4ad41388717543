package login_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/store"
)

// TestAccess tries who may be signed in, on every way in.
func TestAccess(t *testing.T) {
	t.Parallel()
	staff := func(p identity.Person) (bool, error) { return slices.Contains(p.Attributes["groups"], "staff"), nil }
	for _, c := range []struct {
		name   string
		access identity.Condition
		code   identity.Code
	}{
		{"no condition", nil, ""},
		{"holds", staff, ""},
		{"does not hold", func(p identity.Person) (bool, error) { return !slices.Contains(p.Attributes["groups"], "staff"), nil }, "user.not_allowed"},
		{"cannot tell", func(identity.Person) (bool, error) { return true, errors.New("out of range") }, "user.not_allowed"},
		{"connection, class and party", func(p identity.Person) (bool, error) {
			return p.Connection == identity.LocalConnection && p.Context.Class == identity.ClassPassword && p.RelyingParty != "", nil
		}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, setup{})
			w.addPerson("ada", values(identity.SourceOperator, "groups", "staff", "mail", "ada@example.test")...)
			w.addParty(identity.RelyingParty{ID: "door", EntityID: "https://door.example.test/sp"})
			rp := asking(identity.ConsentNever)
			rp.Access = c.access
			w.addParty(rp)
			asks := asking(identity.ConsentAlways)
			asks.ID, asks.Access = "asks", c.access
			w.addParty(asks)
			b, fresh := w.newBrowser(), w.newBrowser()
			b.signIn(b.ask(identity.AuthnRequest{RelyingParty: "door"}), "ada", goodPass).answer(t)
			got := map[string]identity.Code{
				"session":       b.ask(identity.AuthnRequest{}).answer(t).Code,
				"passive":       b.ask(identity.AuthnRequest{IsPassive: true}).answer(t).Code,
				"login":         fresh.signIn(fresh.ask(identity.AuthnRequest{}), "ada", goodPass).answer(t).Code,
				"posted":        fresh.follow(fresh.crossPost(ssoPath(t, identity.AuthnRequest{}), nil)).answer(t).Code,
				"signs in anew": fresh.signIn(fresh.ask(identity.AuthnRequest{ForceAuthn: true}), "ada", goodPass).answer(t).Code,
			}
			want := map[string]identity.Code{"session": c.code, "passive": c.code, "login": c.code, "posted": c.code, "signs in anew": c.code}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("refusals (-want +got):\n%s", diff)
			}
			if p := b.ask(identity.AuthnRequest{RelyingParty: "asks"}); p.asks() != (c.code == "") {
				t.Errorf("whoever may not is asked for consent, or who may is not: %d %s", p.status, p.body)
			}
			if c.code == "" {
				return
			}
			eventually(t, "every refusal is recorded", func() bool {
				return strings.Count(strings.Join(w.events(), ","), "request.refused user.not_allowed") == 6
			})
		})
	}
}

// TestRequiredAttributes: what is missing is in the audit event and the log, and
// the answer goes out all the same.
func TestRequiredAttributes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	w.addPerson("ada", values(identity.SourceOperator, "mail", "ada@example.test")...)
	w.addParty(asking(identity.ConsentNever))
	b := w.newBrowser()
	req := identity.AuthnRequest{Wanted: []identity.Name{"mail", "groups", "phone_number"}, Required: []identity.Name{"mail", "groups", "phone_number"}}
	got := b.signIn(b.ask(req), "ada", goodPass).answer(t)
	if got.Assertion == nil || !cmp.Equal(got.Assertion.Lacking, []identity.Name{"groups", "phone_number"}) {
		t.Fatalf("got %+v", got)
	}
	var detail string
	ctx := t.Context()
	if err := w.store.View(ctx, func(tx *store.Tx) error {
		all, err := tx.Events.List(ctx, "", 1)
		detail = string(all[0].Code) + " " + all[0].Detail
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if want := "sp.required_attribute name_id=" + string(identity.FormatTransient) + " attributes=mail missing=groups,phone_number"; detail != want {
		t.Errorf("the event says %q, want %q", detail, want)
	}
	if log := w.logs.String(); !strings.Contains(log, "code=sp.required_attribute") || !strings.Contains(log, "missing=groups,phone_number") || strings.Contains(log, "ada@example.test") {
		t.Errorf("the log says %s", log)
	}
}

// TestPreview compares what is shown with what is sent afterwards, and holds that
// showing it leaves no trace.
func TestPreview(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	rec := w.addPerson("ada", values(identity.SourceOperator, "mail", "ada@example.test")...)
	rp := asking(identity.ConsentFirstUse)
	rp.NameID.Format = identity.FormatPersistent
	w.addParty(rp)
	barred := asking(identity.ConsentNever)
	barred.ID, barred.Access = "barred", func(identity.Person) (bool, error) { return false, nil }
	w.addParty(barred)
	req := identity.AuthnRequest{Issuer: ourID, RelyingParty: "wiki", Audience: rp.EntityID, Required: []identity.Name{"groups"}}

	first, minted, err := w.auth.Preview(t.Context(), rec.ID, req)
	if err != nil || !minted {
		t.Fatalf("got %+v, minted %t, error %v", first, minted, err)
	}
	if again, _, err := w.auth.Preview(t.Context(), rec.ID, req); err != nil || again.Principal.Subject == first.Principal.Subject {
		t.Errorf("the identifier of the preview was kept: %v, %v", again.Principal, err)
	}
	if events, kept := w.events(), w.consents(rec.ID); len(events) > 0 || len(kept) > 0 {
		t.Errorf("the preview wrote %v, %v", events, kept)
	}
	b := w.newBrowser()
	sent := b.consent(b.signIn(b.ask(identity.AuthnRequest{Required: req.Required}), "ada", goodPass), "allow").answer(t).Assertion
	then, minted, err := w.auth.Preview(t.Context(), rec.ID, req)
	if err != nil || minted {
		t.Fatalf("after the sign-in: minted %t, error %v", minted, err)
	}
	type seen struct {
		Principal identity.Principal
		Released  []identity.Released
		Lacking   []identity.Name
		Class     identity.ClassRef
	}
	of := func(a identity.Assertion) seen { return seen{a.Principal, a.Released, a.Lacking, a.Context.Class} }
	if diff := cmp.Diff(of(*sent), of(then)); diff != "" {
		t.Errorf("preview (-sent +shown):\n%s", diff)
	}
	req.RelyingParty = "barred"
	if _, _, err := w.auth.Preview(t.Context(), rec.ID, req); identity.CodeOf(err) != "user.not_allowed" {
		t.Errorf("got %v, want user.not_allowed", err)
	}
	w.disable(rec.ID)
	if _, _, err := w.auth.Preview(t.Context(), rec.ID, req); identity.CodeOf(err) != "user.disabled" {
		t.Errorf("got %v, want user.disabled", err)
	}
}
