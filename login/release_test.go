package login_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/samlet-id/samlet/identity"
)

func values(source identity.Source, pairs ...string) []identity.Value {
	var out []identity.Value
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, identity.Value{Name: identity.Name(pairs[i]), Value: pairs[i+1], Source: source})
	}
	return out
}

// mixed has values of several origins.
func mixed() []identity.Value {
	return append(values(identity.SourceOperator, "groups", "app-users", "groups", "app-/admins", "groups", "staff", "mail", "ada@example.test"),
		append(values("partner", "mail", "countess@partner.test", "department", "engines"), values(identity.SourcePerson, "mail", "ada@home.test", "department", "")...)...)
}

func TestReleaseAttributes(t *testing.T) {
	t.Parallel()
	rules := func(r ...identity.ReleaseRule) identity.RelyingParty { return identity.RelyingParty{Release: r} }
	one := func(n identity.Name, v ...string) []identity.Released {
		return []identity.Released{{Attribute: n, Values: v}}
	}
	allMail := []string{"ada@example.test", "countess@partner.test", "ada@home.test"}
	upper := func(p identity.Person) ([]string, error) {
		return []string{strings.ToUpper(p.Attributes.First("mail"))}, nil
	}
	broken := func(identity.Person) ([]string, error) { return []string{"leak"}, errors.New("out of range") }
	for _, c := range []struct {
		name string
		rp   identity.RelyingParty
		req  identity.AuthnRequest
		want []identity.Released
	}{
		{"nothing by default", rules(), identity.AuthnRequest{Wanted: []identity.Name{"mail"}, Required: []identity.Name{"mail"}}, nil},
		{"listed", rules(identity.ReleaseRule{Attribute: "mail"}), identity.AuthnRequest{}, one("mail", allMail...)},
		{"listed, another wanted", rules(identity.ReleaseRule{Attribute: "mail"}), identity.AuthnRequest{Wanted: []identity.Name{"groups"}}, one("mail", allMail...)},
		{"missing value", rules(identity.ReleaseRule{Attribute: "phone_number"}), identity.AuthnRequest{}, nil},
		{"empty value", rules(identity.ReleaseRule{Attribute: "department"}), identity.AuthnRequest{}, one("department", "engines")},

		{"globs", rules(identity.ReleaseRule{Attribute: "groups", Only: []string{"app-*"}}), identity.AuthnRequest{}, one("groups", "app-users", "app-/admins")},
		{"malformed glob", rules(identity.ReleaseRule{Attribute: "groups", Only: []string{"["}}), identity.AuthnRequest{}, nil},
		{"two rules narrow", rules(identity.ReleaseRule{Attribute: "groups"}, identity.ReleaseRule{Attribute: "groups", Only: []string{"app-users"}}), identity.AuthnRequest{}, one("groups", "app-users")},
		{"in either order", rules(identity.ReleaseRule{Attribute: "groups", Only: []string{"app-users"}}, identity.ReleaseRule{Attribute: "groups"}), identity.AuthnRequest{}, one("groups", "app-users")},
		{"one name from two attributes: what both have", rules(identity.ReleaseRule{Attribute: "groups", As: "role"}, identity.ReleaseRule{Constant: []string{"staff", "root"}, As: "role"}), identity.AuthnRequest{},
			[]identity.Released{{Attribute: "groups", As: "role", Values: []string{"staff"}}}},
		{"narrowed before it is joined", rules(identity.ReleaseRule{Attribute: "groups", Join: ";"}, identity.ReleaseRule{Attribute: "groups", Only: []string{"app-*"}}), identity.AuthnRequest{}, one("groups", "app-users;app-/admins")},
		{"two names, a filter each", rules(identity.ReleaseRule{Attribute: "groups", As: "all"}, identity.ReleaseRule{Attribute: "groups", As: "some", Only: []string{"staff"}}), identity.AuthnRequest{},
			[]identity.Released{{Attribute: "groups", As: "all", Values: []string{"app-users", "app-/admins", "staff"}}, {Attribute: "groups", As: "some", Values: []string{"staff"}}}},

		{"typed by the operator", rules(identity.ReleaseRule{Attribute: "mail", Sources: []identity.Source{identity.SourceOperator}}), identity.AuthnRequest{}, one("mail", "ada@example.test")},
		{"from upstream", rules(identity.ReleaseRule{Attribute: "mail", Sources: []identity.Source{"partner"}}), identity.AuthnRequest{}, one("mail", "countess@partner.test")},
		{"from a source that said nothing", rules(identity.ReleaseRule{Attribute: "groups", Sources: []identity.Source{"partner"}}), identity.AuthnRequest{}, nil},
		{"an expression sees its sources alone", rules(identity.ReleaseRule{Value: upper, As: "m", Sources: []identity.Source{"partner"}}), identity.AuthnRequest{}, []identity.Released{{As: "m", Values: []string{"COUNTESS@PARTNER.TEST"}}}},

		{"renamed", rules(identity.ReleaseRule{Attribute: "department", As: "urn:x:dept", NameFormat: identity.NameFormatUnspecified, FriendlyName: "dept"}), identity.AuthnRequest{},
			[]identity.Released{{Attribute: "department", As: "urn:x:dept", NameFormat: identity.NameFormatUnspecified, FriendlyName: "dept", Values: []string{"engines"}}}},
		{"constant", rules(identity.ReleaseRule{Constant: []string{"gold", "silver"}, As: "plan"}), identity.AuthnRequest{}, []identity.Released{{As: "plan", Values: []string{"gold", "silver"}}}},
		{"expression", rules(identity.ReleaseRule{Value: upper, As: "m"}), identity.AuthnRequest{}, []identity.Released{{As: "m", Values: []string{"ADA@EXAMPLE.TEST"}}}},
		{"filtered expression", rules(identity.ReleaseRule{Value: upper, As: "m", Only: []string{"x*"}}), identity.AuthnRequest{}, nil},
		{"expression that fails", rules(identity.ReleaseRule{Value: broken, As: "m"}), identity.AuthnRequest{}, nil},
		{"first", rules(identity.ReleaseRule{Attribute: "mail", First: true}), identity.AuthnRequest{}, one("mail", "ada@example.test")},
		{"join", rules(identity.ReleaseRule{Attribute: "groups", Join: ", "}), identity.AuthnRequest{}, one("groups", "app-users, app-/admins, staff")},

		{"requested", identity.RelyingParty{ReleaseRequested: true}, identity.AuthnRequest{Wanted: []identity.Name{"mail", "phone_number", "mail"}}, one("mail", allMail...)},
		{"requested, nothing wanted", identity.RelyingParty{ReleaseRequested: true}, identity.AuthnRequest{}, nil},
		{"requested by value", identity.RelyingParty{ReleaseRequested: true}, identity.AuthnRequest{Wanted: []identity.Name{"groups"}, Only: identity.Attributes{"groups": {"staff", "root"}}}, one("groups", "staff")},
		{"requested, required alone", identity.RelyingParty{ReleaseRequested: true, ReleaseRequired: true}, identity.AuthnRequest{Wanted: []identity.Name{"mail", "department"}, Required: []identity.Name{"department"}}, one("department", "engines")},
		{"a rule holds against what is wanted", identity.RelyingParty{ReleaseRequested: true, Release: []identity.ReleaseRule{{Attribute: "groups", Only: []string{"none"}}}}, identity.AuthnRequest{Wanted: []identity.Name{"groups"}}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, setup{})
			w.addPerson("ada", mixed()...)
			c.rp.ID, c.rp.EntityID = "wiki", "https://wiki.example.test/sp"
			w.addParty(c.rp)
			b := w.newBrowser()
			byLogin := b.signIn(b.ask(c.req), "ada", goodPass).answer(t)
			bySession := b.ask(c.req).answer(t)
			for way, got := range map[string]answer{"login": byLogin, "session": bySession} {
				if got.Assertion == nil {
					t.Fatalf("%s: got %+v", way, got)
				}
				if diff := cmp.Diff(c.want, got.Assertion.Released, cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("%s: attributes (-want +got):\n%s", way, diff)
				}
				if len(got.Assertion.Attributes) > 0 {
					t.Errorf("%s: what is known left with what is released: %v", way, got.Assertion.Attributes)
				}
			}
		})
	}
}

func TestSessionTowardsTheParty(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	w.addParty(identity.RelyingParty{ID: "wiki", EntityID: "https://wiki.example.test/sp", SessionLifetime: 8 * time.Hour})
	w.addParty(identity.RelyingParty{ID: "year", EntityID: "https://year.example.test/sp", SessionLifetime: 365 * 24 * time.Hour})
	rec := w.addPerson("ada")
	b := w.newBrowser()
	first := b.signIn(b.ask(identity.AuthnRequest{}), "ada", goodPass).answer(t).Assertion
	year := b.ask(identity.AuthnRequest{RelyingParty: "year"}).answer(t).Assertion
	if d := first.NotAfter.Sub(w.now()); d < 7*time.Hour || d > 8*time.Hour {
		t.Errorf("SessionNotOnOrAfter is %v ahead, want 8 h", d)
	}
	if got, want := year.NotAfter, w.sessionsOf(rec.ID)[0].NotAfter; !got.Equal(want) {
		t.Errorf("SessionNotOnOrAfter is %v, want our session's end %v", got, want)
	}
	if first.Session == year.Session {
		t.Error("two relying parties were told one SessionIndex")
	}
}

func TestRefusedReleaseIsRecorded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	w.addParty(identity.RelyingParty{ID: "wiki", EntityID: "https://wiki.example.test/sp", NameID: identity.NameIDRule{Format: identity.FormatEmail}})
	w.addPerson("ada")
	b := w.newBrowser()
	b.signIn(b.ask(identity.AuthnRequest{}), "ada", goodPass).answer(t)
	b.ask(identity.AuthnRequest{}).answer(t)
	const refusal = "request.refused sp.nameid_missing"
	eventually(t, "both refusals are recorded", func() bool {
		return cmp.Equal(w.events(), []string{refusal, refusal, "login.succeeded"})
	})
}
