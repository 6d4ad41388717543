package login_test

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/store"
)

func TestNameID(t *testing.T) {
	t.Parallel()
	// SAML Core 8.3.7 and 8.3.8: transient ones are NCNames.
	opaque, ncName := regexp.MustCompile(`^[a-z2-7]{32}$`), regexp.MustCompile(`^_[a-z2-7]{32}$`)
	const kerberos identity.Format = "urn:oasis:names:tc:SAML:2.0:nameid-format:kerberos"
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
		qualif   string // "" when it is not looked at
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
		{name: "persistent from a source", person: withMail, rp: identity.RelyingParty{NameID: identity.NameIDRule{Format: identity.FormatPersistent, Source: "staff_no"}}, format: identity.FormatPersistent, subject: "4711"},
		{name: "persistent from a source makes nothing", person: withMail, rp: identity.RelyingParty{NameID: identity.NameIDRule{Format: identity.FormatPersistent, Source: "staff_no"}}, req: identity.AuthnRequest{NoCreate: true}, format: identity.FormatPersistent, subject: "4711"},
		{name: "source of another format", person: withMail, rp: identity.RelyingParty{NameID: identity.NameIDRule{Format: identity.FormatUnspecified, Source: "staff_no"}}, req: identity.AuthnRequest{Subject: identity.FormatPersistent}, format: identity.FormatPersistent, spQualif: "https://wiki.example.test/sp"},
		{name: "source without a format", person: withMail, rp: identity.RelyingParty{NameID: identity.NameIDRule{Source: "staff_no"}}, req: identity.AuthnRequest{Formats: []identity.Format{identity.FormatPersistent}}, format: identity.FormatPersistent, subject: "4711"},
		{name: "mail from a source", person: withMail, rp: identity.RelyingParty{NameID: identity.NameIDRule{Format: identity.FormatEmail, Source: "upn"}}, refusal: "sp.nameid_missing"},
		{name: "transient has no source", person: withMail, rp: identity.RelyingParty{NameID: identity.NameIDRule{Source: "staff_no"}}, req: identity.AuthnRequest{Subject: identity.FormatTransient}, format: identity.FormatTransient},
		{name: "blank source", person: values(identity.SourceOperator, "staff_no", " \t"), rp: identity.RelyingParty{NameID: identity.NameIDRule{Format: identity.FormatUnspecified, Source: "staff_no"}}, refusal: "sp.nameid_missing"},
		{name: "long source", person: values(identity.SourceOperator, "staff_no", strings.Repeat("4", 257)), rp: identity.RelyingParty{NameID: identity.NameIDRule{Format: identity.FormatPersistent, Source: "staff_no"}}, refusal: "sp.nameid_missing"},
		{name: "another format with a source", person: withMail, rp: identity.RelyingParty{NameID: identity.NameIDRule{Format: kerberos, Source: "staff_no"}}, format: kerberos, subject: "4711"},
		{name: "another format, asked for", person: withMail, rp: identity.RelyingParty{NameID: identity.NameIDRule{Format: kerberos, Source: "staff_no"}}, req: identity.AuthnRequest{Subject: kerberos}, format: kerberos, subject: "4711"},
		{name: "configured qualifiers", rp: identity.RelyingParty{NameID: identity.NameIDRule{Format: identity.FormatPersistent, NameQualifier: "acme.slack.com", SPNameQualifier: "https://slack.com"}}, format: identity.FormatPersistent, qualif: "acme.slack.com", spQualif: "https://slack.com"},
		{name: "qualifiers of a mail address", person: withMail, rp: identity.RelyingParty{NameID: identity.NameIDRule{Format: identity.FormatEmail, SPNameQualifier: "urn:x"}}, format: identity.FormatEmail, subject: "ada@example.test", spQualif: "urn:x"},
		{name: "configured qualifier asked for", rp: identity.RelyingParty{NameID: identity.NameIDRule{Format: identity.FormatPersistent, SPNameQualifier: "urn:group"}}, req: identity.AuthnRequest{SPNameQualifier: "urn:group"}, format: identity.FormatPersistent, spQualif: "urn:group"},
		{name: "none", person: withMail, rp: identity.RelyingParty{NameID: identity.NameIDRule{None: true}}, format: "", subject: "none"},
		{name: "none, whatever it asks for", rp: identity.RelyingParty{NameID: identity.NameIDRule{None: true}}, req: identity.AuthnRequest{Subject: identity.FormatPersistent}, refusal: "sp.nameid_policy"},
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
				if c.subject == "none" {
					if p != (identity.Principal{Issuer: ourID}) {
						t.Errorf("%s: got %+v, want nobody", way, p)
					}
					continue
				}
				if p.Format != c.format || p.SPNameQualifier != c.spQualif || p.Issuer != ourID || c.qualif != "" && p.NameQualifier != c.qualif {
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

// TestStoredIdentifiersStay changes all that an identifier could be thought to be
// made of, and compares.
func TestStoredIdentifiersStay(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{scope: "example.test"})
	rec := w.addPerson("ada", values(identity.SourceOperator, "mail", "ada@example.test")...)
	rp := identity.RelyingParty{
		ID: "wiki", EntityID: "https://wiki.example.test/sp", NameID: identity.NameIDRule{Format: identity.FormatPersistent}, SubjectID: identity.SubjectIDPairwise,
	}
	w.addParty(rp)
	req := identity.AuthnRequest{Issuer: ourID, RelyingParty: "wiki", Audience: rp.EntityID}
	b := w.newBrowser()
	told := func(a *identity.Assertion) string {
		t.Helper()
		if a == nil || len(a.Released) != 1 || a.Released[0].As != string(identity.FormatPairwiseID) || a.Released[0].NameFormat != identity.NameFormatURI {
			t.Fatalf("got %+v", a)
		}
		return a.Principal.Subject + " " + a.Released[0].Values[0]
	}
	first := told(b.signIn(b.ask(req), "ada", goodPass).answer(t).Assertion)
	if !regexp.MustCompile(`^[a-z2-7]{32} [a-z2-7]{32}@example\.test$`).MatchString(first) {
		t.Errorf("got %q", first)
	}
	again := func(what string, req identity.AuthnRequest) {
		t.Helper()
		a, minted, err := w.auth.Preview(t.Context(), rec.ID, req)
		if err != nil || minted {
			t.Fatalf("%s: minted %t, error %v", what, minted, err)
		}
		if got := told(&a); got != first {
			t.Errorf("%s: %q became %q", what, first, got)
		}
	}
	again("nothing", req)
	w.update(func(ctx context.Context, tx *store.Tx) error {
		r, err := tx.Records.Get(ctx, rec.ID)
		r.Logins, r.Values = []string{"countess"}, values(identity.SourceOperator, "mail", "countess@example.test")
		return errors.Join(err, tx.Records.Replace(ctx, r))
	})
	again("sign-in name and mail address", req)
	rp.NameID.SPNameQualifier = "urn:elsewhere"
	w.addParty(rp)
	again("qualifier", req)

	// Another name of ours: it is taken over when the person next signs in.
	alias := req
	alias.Issuer = "urn:samlet:for-wiki"
	a, _, err := w.auth.Preview(t.Context(), rec.ID, alias)
	if err != nil || told(&a) != first {
		t.Errorf("our entityID: %q became %q (%v)", first, told(&a), err)
	}
	// The application's own name is another application.
	moved := req
	moved.Audience = "https://other.example.test/sp"
	if a, minted, err := w.auth.Preview(t.Context(), rec.ID, moved); err != nil || !minted || told(&a) == first {
		t.Errorf("another entityID is told the same: %v (minted %t, error %v)", a, minted, err)
	}
}

// TestSubjectID compares what applications learn by the three rules.
func TestSubjectID(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, scope string
		rule        identity.SubjectIDRule
		attribute   identity.Format // "" for none
		shared      bool            // by two applications
	}{
		{"none", "example.test", identity.SubjectIDNone, "", false},
		{"not asked for", "example.test", identity.SubjectIDRequested, "", false},
		{"general", "example.test", identity.SubjectIDGeneral, identity.FormatSubjectID, true},
		{"pairwise", "example.test", identity.SubjectIDPairwise, identity.FormatPairwiseID, false},
		{"without a scope", "", identity.SubjectIDGeneral, "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, setup{scope: c.scope})
			w.addPerson("ada")
			w.addParty(identity.RelyingParty{ID: "wiki", EntityID: "https://wiki.example.test/sp", SubjectID: c.rule})
			w.addParty(identity.RelyingParty{ID: "mail", EntityID: "https://mail.example.test/sp", SubjectID: c.rule})
			b := w.newBrowser()
			wiki := b.signIn(b.ask(identity.AuthnRequest{}), "ada", goodPass).answer(t).Assertion.Released
			again := b.ask(identity.AuthnRequest{}).answer(t).Assertion.Released
			mail := b.ask(identity.AuthnRequest{RelyingParty: "mail"}).answer(t).Assertion.Released
			if diff := cmp.Diff(wiki, again, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("told twice (-first +second):\n%s", diff)
			}
			if c.attribute == "" {
				if len(wiki) > 0 {
					t.Errorf("got %v, want nothing", wiki)
				}
				return
			}
			if len(wiki) != 1 || len(mail) != 1 || wiki[0].As != string(c.attribute) || !strings.HasSuffix(wiki[0].Values[0], "@"+c.scope) {
				t.Fatalf("got %v and %v", wiki, mail)
			}
			if shared := wiki[0].Values[0] == mail[0].Values[0]; shared != c.shared {
				t.Errorf("two applications were told %s and %s", wiki[0].Values[0], mail[0].Values[0])
			}
		})
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
