package login_test

import (
	"errors"
	"regexp"
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

func TestNameID(t *testing.T) {
	t.Parallel()
	// SAML Core 8.3.7 and 8.3.8: transient ones are NCNames.
	opaque, ncName := regexp.MustCompile(`^[a-z2-7]{32}$`), regexp.MustCompile(`^_[a-z2-7]{32}$`)
	mail := []identity.ReleaseRule{{Attribute: identity.Mail}}
	withMail := values(identity.SourceOperator, "mail", "ada@example.test", "username", "lovelace", "staff_no", "4711")
	for _, c := range []struct {
		name     string
		person   []identity.Value
		rp       identity.RelyingParty
		req      identity.AuthnRequest
		format   identity.Format
		subject  string // "" when it is opaque
		refusal  identity.Code
		spQualif string
	}{
		{name: "nothing said", format: identity.FormatTransient},
		{name: "request", req: identity.AuthnRequest{Subject: identity.FormatPersistent}, format: identity.FormatPersistent, spQualif: "https://wiki.example.test/sp"},
		{name: "request before configuration", rp: identity.RelyingParty{NameID: identity.NameIDRule{Format: identity.FormatPersistent}}, req: identity.AuthnRequest{Subject: identity.FormatTransient}, format: identity.FormatTransient},
		{name: "configuration before metadata", rp: identity.RelyingParty{NameID: identity.NameIDRule{Format: identity.FormatTransient}}, req: identity.AuthnRequest{Formats: []identity.Format{identity.FormatPersistent}}, format: identity.FormatTransient},
		{name: "metadata", req: identity.AuthnRequest{Formats: []identity.Format{"urn:x", identity.FormatPersistent}}, format: identity.FormatPersistent, spQualif: "https://wiki.example.test/sp"},
		{name: "metadata wants mail that is not released", person: withMail, req: identity.AuthnRequest{Formats: []identity.Format{identity.FormatEmail}}, format: identity.FormatTransient},
		{name: "unspecified leaves it to us", rp: identity.RelyingParty{NameID: identity.NameIDRule{Format: identity.FormatEmail}}, person: withMail, req: identity.AuthnRequest{Subject: identity.FormatUnspecified}, format: identity.FormatEmail, subject: "ada@example.test"},
		{name: "mail asked for and released", rp: identity.RelyingParty{Release: mail}, person: withMail, req: identity.AuthnRequest{Subject: identity.FormatEmail}, format: identity.FormatEmail, subject: "ada@example.test"},
		{name: "mail asked for and accepted", rp: identity.RelyingParty{ReleaseRequested: true}, person: withMail, req: identity.AuthnRequest{Subject: identity.FormatEmail}, format: identity.FormatEmail, subject: "ada@example.test"},
		{name: "mail asked for and kept", person: withMail, req: identity.AuthnRequest{Subject: identity.FormatEmail}, refusal: "sp.nameid_policy"},
		{name: "no mail", rp: identity.RelyingParty{Release: mail}, req: identity.AuthnRequest{Subject: identity.FormatEmail}, refusal: "sp.nameid_missing"},
		{name: "user name attribute", person: withMail, rp: identity.RelyingParty{NameID: identity.NameIDRule{Format: identity.FormatUnspecified}}, format: identity.FormatUnspecified, subject: "lovelace"},
		{name: "sign-in name", rp: identity.RelyingParty{NameID: identity.NameIDRule{Format: identity.FormatUnspecified}}, format: identity.FormatUnspecified, subject: "ada"},
		{name: "source", person: withMail, rp: identity.RelyingParty{NameID: identity.NameIDRule{Format: identity.FormatUnspecified, Source: "staff_no"}}, format: identity.FormatUnspecified, subject: "4711"},
		{name: "source without a value", rp: identity.RelyingParty{NameID: identity.NameIDRule{Format: identity.FormatUnspecified, Source: "staff_no"}}, refusal: "sp.nameid_missing"},
		{name: "format that we do not issue", req: identity.AuthnRequest{Subject: "urn:oasis:names:tc:SAML:1.1:nameid-format:X509SubjectName"}, refusal: "sp.nameid_policy"},
		{name: "foreign qualifier", req: identity.AuthnRequest{Subject: identity.FormatPersistent, SPNameQualifier: "https://other.example.test"}, refusal: "sp.nameid_policy"},
		{name: "own qualifier", req: identity.AuthnRequest{Subject: identity.FormatTransient, SPNameQualifier: "https://wiki.example.test/sp"}, format: identity.FormatTransient, spQualif: "https://wiki.example.test/sp"},
		{name: "never mints", req: identity.AuthnRequest{Subject: identity.FormatPersistent, NoCreate: true}, refusal: "sp.nameid_policy"},
		{name: "transient needs no mint", req: identity.AuthnRequest{Subject: identity.FormatTransient, NoCreate: true}, format: identity.FormatTransient},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, setup{})
			w.addPerson("ada", c.person...)
			c.rp.ID, c.rp.EntityID = "wiki", "https://wiki.example.test/sp"
			w.addParty(c.rp)
			w.addParty(identity.RelyingParty{ID: "door", EntityID: "https://door.example.test/sp"})
			b := w.newBrowser()
			b.signIn(b.ask(identity.AuthnRequest{RelyingParty: "door"}), "ada", goodPass).answer(t)
			got := b.ask(c.req).answer(t) // answered from the session
			fresh := w.newBrowser()
			p := fresh.ask(c.req)
			if p.body[0] != '{' {
				p = fresh.signIn(p, "ada", goodPass)
			}
			for way, got := range map[string]answer{"session": got, "login": p.answer(t)} {
				if got.Code != c.refusal {
					t.Fatalf("%s: got %+v, want refusal %q", way, got, c.refusal)
				}
				if c.refusal != "" {
					continue
				}
				p := got.Assertion.Principal
				if p.Format != c.format || p.SPNameQualifier != c.spQualif || p.Issuer != ourID {
					t.Errorf("%s: got %+v, want format %q, qualifier %q", way, p, c.format, c.spQualif)
				}
				random := opaque
				if c.format == identity.FormatTransient {
					random = ncName
				}
				if c.subject != "" && p.Subject != c.subject || c.subject == "" && !random.MatchString(p.Subject) {
					t.Errorf("%s: subject: got %q, want %q or else %s", way, p.Subject, c.subject, random)
				}
			}
		})
	}
}

// TestPersistentIsPairwiseAndStable compares what two parties and two logins
// learn, and a party that a person is already known to with AllowCreate=false.
func TestPersistentIsPairwiseAndStable(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	w.addParty(identity.RelyingParty{ID: "mail", EntityID: "https://mail.example.test/sp"})
	w.addPerson("ada")
	subject := func(b *browser, req identity.AuthnRequest) string {
		t.Helper()
		p := b.ask(req)
		if p.body[0] != '{' {
			p = b.signIn(p, "ada", goodPass)
		}
		got := p.answer(t)
		if got.Assertion == nil {
			t.Fatalf("got %+v", got)
		}
		return got.Assertion.Principal.Subject
	}
	persistent := identity.AuthnRequest{Subject: identity.FormatPersistent}
	atMail := identity.AuthnRequest{Subject: identity.FormatPersistent, RelyingParty: "mail"}
	b := w.newBrowser()
	first, other := subject(b, persistent), subject(b, atMail)
	if first == other {
		t.Errorf("two relying parties know the person as %q", first)
	}
	if again := subject(b, persistent); again != first {
		t.Errorf("the session told %q, then %q", first, again)
	}
	if again := subject(w.newBrowser(), persistent); again != first {
		t.Errorf("two logins told %q and %q", first, again)
	}
	persistent.NoCreate = true
	if again := subject(b, persistent); again != first {
		t.Errorf("AllowCreate=false told %q, not %q", again, first)
	}
}

// TestTransientOfASession compares what sessions and parties learn: a logout has
// to find the person again, and nobody else may.
func TestTransientOfASession(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	w.addParty(identity.RelyingParty{ID: "mail", EntityID: "https://mail.example.test/sp"})
	w.addPerson("ada")
	subject := func(b *browser, rp identity.RelyingPartyID) string {
		t.Helper()
		p := b.ask(identity.AuthnRequest{Subject: identity.FormatTransient, RelyingParty: rp})
		if p.body[0] != '{' {
			p = b.signIn(p, "ada", goodPass)
		}
		return p.answer(t).Assertion.Principal.Subject
	}
	first, second := w.newBrowser(), w.newBrowser()
	wiki := subject(first, "wiki")
	if again := subject(first, "wiki"); again != wiki {
		t.Errorf("one session told %q, then %q", wiki, again)
	}
	if mail := subject(first, "mail"); mail == wiki {
		t.Errorf("two relying parties know the person as %q", mail)
	}
	if other := subject(second, "wiki"); other == wiki {
		t.Errorf("two sessions told %q", other)
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
