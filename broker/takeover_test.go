package broker_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/samlet-id/samlet/broker"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/store"
)

const (
	betaIssuer  = identity.EntityID("https://idp.beta.example.test")
	gammaIssuer = identity.EntityID("https://op.gamma.example.test")
	victim      = identity.RecordID("ada") // has ada@acme.test, in every world
)

// owning is a connection that links people of one mail domain.
func owning(id identity.ConnectionID, typ string, issuer identity.EntityID) broker.Upstream {
	u := creating(id, issuer)
	u.Type, u.EmailDomains, u.Existing = typ, []string{string(id) + ".test"}, identity.ExistingVerified
	u.Mapping = []identity.MapRule{{To: identity.Mail, From: []string{"email", "upn"}}}
	return u
}

// saysMail is the assertion of somebody with a mail address; more are pairs of
// attribute name and value.
func saysMail(issuer identity.EntityID, subject, mail string, more ...string) identity.Assertion {
	a := upstreamAssertion(subject)
	a.Principal.Issuer = issuer
	a.Attributes = identity.Attributes{"email": {mail}}
	for i := 0; i < len(more); i += 2 {
		a.Attributes[identity.Name(more[i])] = []string{more[i+1]}
	}
	return a
}

// has makes a record with one mail value, a password and a session.
func has(t *testing.T, tx *store.Tx, id identity.RecordID, mail string, source identity.Source) {
	t.Helper()
	ctx := t.Context()
	err := tx.Records.Create(ctx, identity.Record{
		ID: id, Logins: []string{string(id)}, Created: noon, Updated: noon,
		Values: []identity.Value{{Name: identity.Mail, Value: mail, Source: source}},
	})
	if err == nil {
		err = tx.Credentials.Put(ctx, identity.Credential{ID: "password:" + string(id), Record: id, Kind: identity.CredentialPassword, Created: noon, Updated: noon})
	}
	if err == nil {
		err = tx.Sessions.Create(ctx, "token of "+string(id), identity.Session{ID: identity.SessionID("session of " + id), Record: id, Created: noon, NotAfter: noon.AddDate(1, 0, 0)})
	}
	if err != nil {
		t.Fatal(err)
	}
}

func linked(t *testing.T, tx *store.Tx, id identity.RecordID, via identity.ConnectionID, issuer identity.EntityID, subject string) {
	t.Helper()
	p := upstreamAssertion(subject).Principal
	p.Issuer = issuer
	if err := tx.Links.Create(t.Context(), identity.Link{Principal: p, Record: id, Connection: via, Created: noon, LastUsed: noon}); err != nil {
		t.Fatal(err)
	}
}

// ways is by what a record can be signed in to.
type ways struct {
	Passwords, Sessions int
	Links               []string
}

func waysOf(t *testing.T, s store.Store, id identity.RecordID) ways {
	t.Helper()
	var w ways
	err := s.View(t.Context(), func(tx *store.Tx) error {
		passwords, err := tx.Credentials.OfRecord(t.Context(), id, identity.CredentialPassword)
		if err != nil {
			return err
		}
		sessions, err := tx.Sessions.OfRecord(t.Context(), id)
		if err != nil {
			return err
		}
		links, err := tx.Links.OfRecord(t.Context(), id)
		w = ways{Passwords: len(passwords), Sessions: len(sessions)}
		for _, l := range links {
			w.Links = append(w.Links, string(l.Connection)+" "+l.Principal.Subject)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// What a sign-in can leave in the audit trail.
var (
	newcomer = []identity.EventType{identity.EventRecordCreated, identity.EventLinkCreated}
	joined   = []identity.EventType{identity.EventLinkCreated, identity.EventRecordUpdated}
	refused  = []identity.EventType{identity.EventLinkRefused}
)

// TestTakeover is the corpus of account takeover by linking: whoever comes gets
// the record that is theirs, a new one, or none, and the audit trail tells. The
// victim keeps every way in, and gains none that is not theirs.
func TestTakeover(t *testing.T) {
	t.Parallel()
	untouched := ways{Passwords: 1, Sessions: 1}
	tests := []struct {
		name    string
		prepare func(*testing.T, *store.Tx) // nil: the operator gave the victim the address
		via     identity.ConnectionID
		says    identity.Assertion
		mine    bool          // the victim's record is who came
		code    identity.Code // of the refusal; empty, and not mine: a record of their own
		events  []identity.EventType
		ways    ways // of the victim
	}{
		{
			name: "both sides vouch for the address", via: "acme", says: saysMail(partner, "s1", "Ada@ACME.test"),
			mine: true, events: joined, ways: ways{1, 1, []string{"acme s1"}},
		},
		{
			name: "squatter with unverified mail", via: "gamma", says: saysMail(gammaIssuer, "s1", "ada@gamma.test", "email_verified", "false"),
			prepare: func(t *testing.T, tx *store.Tx) { has(t, tx, victim, "ada@gamma.test", identity.SourceOperator) },
			events:  newcomer, ways: untouched,
		},
		{
			name: "squatter whose provider does not say whether the mail is verified", via: "gamma", says: saysMail(gammaIssuer, "s1", "ada@gamma.test"),
			prepare: func(t *testing.T, tx *store.Tx) { has(t, tx, victim, "ada@gamma.test", identity.SourceOperator) },
			events:  newcomer, ways: untouched,
		},
		{
			name: "squatter with verified mail, and the victim's in a claim that nobody verified (nOAuth)", via: "gamma",
			says:    saysMail(gammaIssuer, "s1", "", "upn", "ada@gamma.test", "email_verified", "true"),
			prepare: func(t *testing.T, tx *store.Tx) { has(t, tx, victim, "ada@gamma.test", identity.SourceOperator) },
			events:  newcomer, ways: untouched,
		},
		{
			name: "verified mail at a provider", via: "gamma", says: saysMail(gammaIssuer, "s1", "ada@gamma.test", "email_verified", "true"),
			prepare: func(t *testing.T, tx *store.Tx) { has(t, tx, victim, "ada@gamma.test", identity.SourceOperator) },
			mine:    true, events: joined, ways: ways{1, 1, []string{"gamma s1"}},
		},
		{
			name: "squatter who typed the address and was there first", via: "acme", says: saysMail(partner, "s1", "ada@acme.test"),
			prepare: func(t *testing.T, tx *store.Tx) {
				has(t, tx, victim, "ada@acme.test", identity.SourcePerson)
				linked(t, tx, victim, "beta", betaIssuer, "squatter")
				linked(t, tx, victim, "acme", partner, "squatter")
			},
			mine: true, ways: ways{0, 0, []string{"acme s1"}},
			events: []identity.EventType{
				identity.EventLinkRemoved, identity.EventLinkRemoved, identity.EventLogout, identity.EventLinkReclaimed,
				identity.EventLinkCreated, identity.EventRecordUpdated,
			},
		},
		{
			name: "recycled mail", via: "acme", says: saysMail(partner, "successor", "ada@acme.test"),
			prepare: func(t *testing.T, tx *store.Tx) {
				has(t, tx, victim, "ada@acme.test", "acme")
				linked(t, tx, victim, "acme", partner, "s1")
			},
			code: "link.exists", events: refused, ways: ways{1, 1, []string{"acme s1"}},
		},
		{
			name: "changed subject", via: "acme", says: saysMail(partner, "s1-of-the-new-app", "ada@acme.test"),
			prepare: func(t *testing.T, tx *store.Tx) {
				has(t, tx, victim, "ada@acme.test", identity.SourceOperator)
				linked(t, tx, victim, "acme", partner, "s1")
			},
			code: "link.exists", events: refused, ways: ways{1, 1, []string{"acme s1"}},
		},
		{
			name: "same subject at another issuer", via: "beta", says: saysMail(betaIssuer, "s1", "ada@beta.test"),
			prepare: func(t *testing.T, tx *store.Tx) {
				has(t, tx, victim, "ada@acme.test", identity.SourceOperator)
				linked(t, tx, victim, "acme", partner, "s1")
			},
			events: newcomer, ways: ways{1, 1, []string{"acme s1"}},
		},
		{
			name: "same subject in another case", via: "beta", says: saysMail(betaIssuer, "S1", "other@beta.test"),
			prepare: func(t *testing.T, tx *store.Tx) {
				has(t, tx, victim, "ada@acme.test", identity.SourceOperator)
				linked(t, tx, victim, "beta", betaIssuer, "s1")
			},
			events: newcomer, ways: ways{1, 1, []string{"beta s1"}},
		},
		{name: "look-alike: Cyrillic a", via: "acme", says: saysMail(partner, "s2", "\u0430da@acme.test"), events: newcomer, ways: untouched},
		{name: "look-alike: full-width a", via: "acme", says: saysMail(partner, "s2", "\uff41da@acme.test"), events: newcomer, ways: untouched},
		{name: "look-alike: combining mark", via: "acme", says: saysMail(partner, "s2", "a\u0301da@acme.test"), events: newcomer, ways: untouched},
		{name: "look-alike: zero width", via: "acme", says: saysMail(partner, "s2", "ada\u200b@acme.test"), events: newcomer, ways: untouched},
		{name: "look-alike: domain", via: "acme", says: saysMail(partner, "s2", "ada@\u0430cme.test"), events: newcomer, ways: untouched},
		{
			name: "look-alike: the kelvin sign, which folds to k", via: "acme", says: saysMail(partner, "s2", "\u212aim@acme.test"),
			prepare: func(t *testing.T, tx *store.Tx) { has(t, tx, victim, "kim@acme.test", identity.SourceOperator) },
			events:  newcomer, ways: untouched,
		},
		{name: "an address within another", via: "acme", says: saysMail(partner, "s2", "ada@acme.test@beta.test"), events: newcomer, ways: untouched},
		{name: "second tenant asserting the first tenant's domain", via: "beta", says: saysMail(betaIssuer, "s1", "ada@acme.test"), events: newcomer, ways: untouched},
		{
			name: "second tenant was there first with the first tenant's domain", via: "acme", says: saysMail(partner, "s1", "ada@acme.test"),
			prepare: func(t *testing.T, tx *store.Tx) { has(t, tx, victim, "ada@acme.test", "beta") },
			events:  newcomer, ways: untouched,
		},
		{name: "mixed-up IdP", via: "acme", says: saysMail(betaIssuer, "s1", "ada@acme.test"), code: "up.mix_up", ways: untouched},
		{
			name: "link during a foreign session", via: "acme", says: saysMail(partner, "s2", "bob@acme.test"),
			prepare: func(t *testing.T, tx *store.Tx) {
				has(t, tx, victim, "ada@acme.test", identity.SourceOperator)
				linked(t, tx, victim, "beta", betaIssuer, "s1")
			},
			events: newcomer, ways: ways{1, 1, []string{"beta s1"}},
		},
		{
			name: "two accounts with the address", via: "acme", says: saysMail(partner, "s1", "ada@acme.test"),
			prepare: func(t *testing.T, tx *store.Tx) {
				has(t, tx, victim, "ada@acme.test", identity.SourceOperator)
				has(t, tx, "second", "ADA@acme.test", identity.SourcePerson)
			},
			code: "link.exists", events: refused, ways: untouched,
		},
		{
			name: "a disabled account by another door", via: "acme", says: saysMail(partner, "s1", "ada@acme.test"),
			prepare: func(t *testing.T, tx *store.Tx) {
				has(t, tx, victim, "ada@acme.test", identity.SourceOperator)
				r, err := tx.Records.Get(t.Context(), victim)
				if r.Disabled = true; err == nil {
					err = tx.Records.Replace(t.Context(), r)
				}
				if err != nil {
					t.Fatal(err)
				}
			},
			code: "user.disabled", ways: untouched,
		},
		{name: "a connection that never links", via: "never", says: saysMail("https://never.example.test", "s1", "ada@acme.test"), events: newcomer, ways: untouched},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := openStore(t)
			update(t, s, func(tx *store.Tx) error {
				if tt.prepare == nil {
					has(t, tx, victim, "ada@acme.test", identity.SourceOperator)
				} else {
					tt.prepare(t, tx)
				}
				return nil
			})
			b := open(t, s, noon, owning("acme", "saml", partner), owning("beta", "saml", betaIssuer), owning("gamma", "oidc", gammaIssuer), creating("never", "https://never.example.test"))
			before := read(t, s)
			got, err := signIn(t, b, tt.via, tt.says)
			after := read(t, s)
			if identity.CodeOf(err) != tt.code {
				t.Errorf("got %v, want code %q", err, tt.code)
			}
			if mine := got.Principal.Subject == string(victim); mine != tt.mine {
				t.Errorf("signed in as %q; want the victim: %t", got.Principal.Subject, tt.mine)
			}
			made := 0
			if !tt.mine && tt.code == "" {
				made = 1
			}
			if n := len(after.Records) - len(before.Records); n != made {
				t.Errorf("%d records were made, want %d", n, made)
			}
			if diff := cmp.Diff(tt.events, after.Events); diff != "" {
				t.Errorf("audit trail (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.ways, waysOf(t, s, victim)); diff != "" {
				t.Errorf("the victim's ways in (-want +got):\n%s", diff)
			}
		})
	}
}
