package login_test

import (
	"regexp"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/samlet-id/samlet/identity"
)

func values(source identity.Source, pairs ...string) []identity.Value {
	var out []identity.Value
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, identity.Value{Name: identity.Name(pairs[i]), Value: pairs[i+1], Source: source})
	}
	return out
}

func TestReleaseAttributes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name      string
		rules     []identity.ReleaseRule
		requested bool
		wanted    []identity.Name
		want      identity.Attributes
	}{
		{"nothing by default", nil, false, []identity.Name{"mail"}, identity.Attributes{}},
		{"listed", []identity.ReleaseRule{{Attribute: "mail"}}, false, nil, identity.Attributes{"mail": {"ada@example.test"}}},
		{"listed, another wanted", []identity.ReleaseRule{{Attribute: "mail"}}, false, []identity.Name{"groups"}, identity.Attributes{"mail": {"ada@example.test"}}},
		{"requested", nil, true, []identity.Name{"mail", "phone_number"}, identity.Attributes{"mail": {"ada@example.test"}}},
		{"requested, nothing wanted", nil, true, nil, identity.Attributes{}},
		{"globs", []identity.ReleaseRule{{Attribute: "groups", Only: []string{"app-*"}}}, false, nil, identity.Attributes{"groups": {"app-users", "app-/admins"}}},
		{"globs hold against wanted", []identity.ReleaseRule{{Attribute: "groups", Only: []string{"none"}}}, true, []identity.Name{"groups"}, identity.Attributes{}},
		{"malformed glob", []identity.ReleaseRule{{Attribute: "groups", Only: []string{"["}}}, false, nil, identity.Attributes{}},
		{"two rules narrow", []identity.ReleaseRule{{Attribute: "groups"}, {Attribute: "groups", Only: []string{"app-users"}}}, false, nil, identity.Attributes{"groups": {"app-users"}}},
		{"missing value", []identity.ReleaseRule{{Attribute: "phone_number"}}, false, nil, identity.Attributes{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, setup{})
			w.addPerson("ada", values(identity.SourceOperator, "groups", "app-users", "groups", "app-/admins", "groups", "staff", "mail", "ada@example.test")...)
			w.addParty(identity.RelyingParty{ID: "wiki", EntityID: "https://wiki.example.test/sp", Release: c.rules, ReleaseRequested: c.requested})
			b := w.newBrowser()
			got := b.signIn(b.ask(identity.AuthnRequest{Wanted: c.wanted}), "ada", goodPass).answer(t)
			if got.Assertion == nil {
				t.Fatalf("got %+v", got)
			}
			if diff := cmp.Diff(c.want, got.Assertion.Attributes); diff != "" {
				t.Errorf("attributes (-want +got):\n%s", diff)
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
	transient := identity.AuthnRequest{Subject: identity.FormatTransient}
	if a, b := subject(b, transient), subject(b, transient); a == b {
		t.Errorf("a transient identifier was told twice: %q", a)
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
