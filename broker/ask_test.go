package broker_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/samlet-id/samlet/broker"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/store"
)

// asking is a connection that asks people whether they have an account.
func asking(id identity.ConnectionID, typ string, issuer identity.EntityID) broker.Upstream {
	u := owning(id, typ, issuer)
	u.Existing = identity.ExistingAsk
	return u
}

// TestTakeoverByAsking is TestTakeover where the connection asks: no address, of
// whatever kind, links anybody, and none but one that the upstream answers for
// tells whether there is an account.
func TestTakeoverByAsking(t *testing.T) {
	t.Parallel()
	untouched := ways{Passwords: 1, Sessions: 1}
	asked := []identity.EventType{identity.EventLinkAsked}
	typed := func(mail string, source identity.Source) func(*testing.T, *store.Tx) {
		return func(t *testing.T, tx *store.Tx) { has(t, tx, victim, mail, source) }
	}
	tests := []struct {
		name    string
		prepare func(*testing.T, *store.Tx) // nil: the operator gave the victim the address
		via     identity.ConnectionID
		says    identity.Assertion
		want    string // "asked", "told" of an account, "made", or the code of the refusal
		events  []identity.EventType
		ways    ways // of the victim
	}{
		{name: "the upstream answers for the address", via: "acme", says: saysMail(partner, "s1", "ada@acme.test"), want: "told", events: asked},
		{name: "nobody has the address that the upstream answers for", via: "acme", says: saysMail(partner, "s1", "new@acme.test"), want: "made", events: newcomer},
		{name: "squatter with unverified mail", via: "gamma", says: saysMail(gammaIssuer, "s1", "ada@gamma.test", "email_verified", "false"), prepare: typed("ada@gamma.test", identity.SourceOperator), want: "asked", events: asked},
		{name: "unverified mail that nobody has: the same", via: "gamma", says: saysMail(gammaIssuer, "s1", "nobody@gamma.test", "email_verified", "false"), want: "asked", events: asked},
		{name: "verified mail in a domain that is not the upstream's", via: "gamma", says: saysMail(gammaIssuer, "s1", "ada@acme.test", "email_verified", "true"), want: "asked", events: asked},
		{name: "no mail", via: "acme", says: upstreamAssertion("s1"), want: "asked", events: asked},
		{name: "squatter who typed the address and was there first", via: "acme", says: saysMail(partner, "s1", "ada@acme.test"), prepare: typed("ada@acme.test", identity.SourcePerson), want: "told", events: asked},
		{name: "recycled mail", via: "acme", says: saysMail(partner, "successor", "ada@acme.test"), prepare: func(t *testing.T, tx *store.Tx) {
			has(t, tx, victim, "ada@acme.test", "acme")
			linked(t, tx, victim, "acme", partner, "s1")
		}, want: "told", events: asked, ways: ways{1, 1, []string{"acme s1"}}},
		{name: "changed subject", via: "acme", says: saysMail(partner, "s1-of-the-new-app", "ada@acme.test"), prepare: func(t *testing.T, tx *store.Tx) {
			has(t, tx, victim, "ada@acme.test", identity.SourceOperator)
			linked(t, tx, victim, "acme", partner, "s1")
		}, want: "told", events: asked, ways: ways{1, 1, []string{"acme s1"}}},
		{name: "same subject at another issuer", via: "gamma", says: saysMail(gammaIssuer, "s1", "ada@acme.test"), prepare: func(t *testing.T, tx *store.Tx) {
			has(t, tx, victim, "ada@acme.test", identity.SourceOperator)
			linked(t, tx, victim, "acme", partner, "s1")
		}, want: "asked", events: asked, ways: ways{1, 1, []string{"acme s1"}}},
		{name: "look-alike: Cyrillic a", via: "acme", says: saysMail(partner, "s2", "\u0430da@acme.test"), want: "asked", events: asked},
		{name: "look-alike: domain", via: "acme", says: saysMail(partner, "s2", "ada@\u0430cme.test"), want: "asked", events: asked},
		{name: "mixed-up IdP", via: "acme", says: saysMail(gammaIssuer, "s1", "ada@acme.test"), want: "up.mix_up"},
		{name: "a disabled account by another door", via: "acme", says: saysMail(partner, "s1", "ada@acme.test"), prepare: func(t *testing.T, tx *store.Tx) {
			has(t, tx, victim, "ada@acme.test", identity.SourceOperator)
			disable(t, tx, victim)
		}, want: "user.disabled"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := openStore(t)
			update(t, s, func(tx *store.Tx) error {
				if tt.prepare == nil {
					tt.prepare = typed("ada@acme.test", identity.SourceOperator)
				}
				tt.prepare(t, tx)
				return nil
			})
			b := open(t, s, noon, asking("acme", "saml", partner), asking("gamma", "oidc", gammaIssuer))
			_, err := signIn(t, b, tt.via, tt.says)
			got := "made"
			if n, ok := errors.AsType[*identity.Newcomer](err); ok {
				got = map[bool]string{false: "asked", true: "told"}[n.Exists]
				if want := (identity.Principal{Issuer: tt.says.Principal.Issuer, Subject: tt.says.Principal.Subject}); n.Said.Principal.Issuer != want.Issuer || n.Said.Principal.Subject != want.Subject {
					t.Errorf("the newcomer is %+v, want %+v", n.Said.Principal, want)
				}
			} else if err != nil {
				got = string(identity.CodeOf(err))
			}
			if got != tt.want {
				t.Errorf("got %s (%v), want %s", got, err, tt.want)
			}
			if diff := cmp.Diff(tt.events, read(t, s).Events); diff != "" {
				t.Errorf("audit trail (-want +got):\n%s", diff)
			}
			if tt.ways.Passwords == 0 {
				tt.ways = untouched
			}
			if diff := cmp.Diff(tt.ways, waysOf(t, s, victim)); diff != "" {
				t.Errorf("the victim's ways in (-want +got):\n%s", diff)
			}
		})
	}
}

func disable(t *testing.T, tx *store.Tx, id identity.RecordID) {
	t.Helper()
	r, err := tx.Records.Get(t.Context(), id)
	if r.Disabled = true; err == nil {
		err = tx.Records.Replace(t.Context(), r)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// met is the newcomer that somebody is whom nobody is known as.
func met(t *testing.T, b *broker.Broker, via identity.ConnectionID, says identity.Assertion) identity.Newcomer {
	t.Helper()
	_, err := signIn(t, b, via, says)
	n, ok := errors.AsType[*identity.Newcomer](err)
	if !ok {
		t.Fatalf("got %v, want a newcomer", err)
	}
	return *n
}

func TestJoin(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		prepare func(*testing.T, *store.Tx) // after the newcomer was met
		via     identity.ConnectionID       // of the newcomer; empty: acme
		code    identity.Code
		events  []identity.EventType // after the question
		links   []string
	}{
		{name: "linked", events: joined, links: []string{"acme s1"}},
		{name: "linked to the same record meanwhile", prepare: func(t *testing.T, tx *store.Tx) { linked(t, tx, victim, "acme", partner, "s1") }, events: []identity.EventType{identity.EventRecordUpdated}, links: []string{"acme s1"}},
		{name: "linked to another record meanwhile", prepare: func(t *testing.T, tx *store.Tx) {
			has(t, tx, "other", "o@acme.test", identity.SourceOperator)
			linked(t, tx, "other", "acme", partner, "s1")
		}, code: "link.taken"},
		{name: "disabled meanwhile", prepare: func(t *testing.T, tx *store.Tx) { disable(t, tx, victim) }, code: "user.disabled"},
		{name: "the connection is gone", via: "gone", code: "up.unknown"},
		{name: "the connection is another's now", via: "gamma", code: "up.mix_up"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := openStore(t)
			update(t, s, func(tx *store.Tx) error { has(t, tx, victim, "ada@acme.test", identity.SourceOperator); return nil })
			b := open(t, s, noon, asking("acme", "saml", partner), asking("gamma", "oidc", gammaIssuer))
			n := met(t, b, "acme", saysMail(partner, "s1", "Ada@acme.test"))
			if tt.via != "" {
				n.Connection = tt.via
			}
			if tt.prepare != nil {
				update(t, s, func(tx *store.Tx) error { tt.prepare(t, tx); return nil })
			}
			before := len(read(t, s).Events)
			err := s.Update(t.Context(), func(tx *store.Tx) error { return b.Join(t.Context(), tx, n, victim, identity.LocalConnection) })
			if identity.CodeOf(err) != tt.code {
				t.Errorf("got %v, want code %q", err, tt.code)
			}
			if diff := cmp.Diff(tt.events, append([]identity.EventType(nil), read(t, s).Events[before:]...)); diff != "" {
				t.Errorf("audit trail (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.links, waysOf(t, s, victim).Links); diff != "" {
				t.Errorf("links (-want +got):\n%s", diff)
			}
			if tt.code != "" {
				return
			}
			got, err := signIn(t, b, "acme", saysMail(partner, "s1", "Ada@acme.test"))
			if err != nil || got.Principal.Subject != string(victim) {
				t.Errorf("the next sign-in is %+v (%v), want the record", got.Principal, err)
			}
		})
	}
}

func TestEnrol(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		mail   string
		create bool
		code   identity.Code
		events []identity.EventType // after the question
	}{
		{"ada@elsewhere.test", true, "", newcomer},
		{"ada@acme.test", true, "", newcomer},
		{"ada@elsewhere.test", false, "user.not_allowed", nil},
		{"ada@acme.test", false, "link.exists", refused},
	} {
		t.Run(fmt.Sprintf("%s, create %t", tt.mail, tt.create), func(t *testing.T) {
			t.Parallel()
			s := openStore(t)
			update(t, s, func(tx *store.Tx) error { has(t, tx, victim, "ada@acme.test", identity.SourceOperator); return nil })
			u := asking("acme", "saml", partner)
			u.Create = tt.create
			b := open(t, s, noon, u)
			n := met(t, b, "acme", saysMail(partner, "s1", tt.mail))
			got, err := b.Enrol(t.Context(), n)
			if identity.CodeOf(err) != tt.code {
				t.Errorf("got %v, want code %q", err, tt.code)
			}
			if diff := cmp.Diff(tt.events, append([]identity.EventType(nil), read(t, s).Events[1:]...)); diff != "" {
				t.Errorf("audit trail (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(ways{Passwords: 1, Sessions: 1}, waysOf(t, s, victim)); diff != "" {
				t.Errorf("the victim's ways in (-want +got):\n%s", diff)
			}
			if tt.code != "" {
				return
			}
			again, err := b.Enrol(t.Context(), n)
			if err != nil || again.Principal != got.Principal || got.Principal.Subject == string(victim) {
				t.Errorf("enrolled as %+v, then %+v (%v); want one record that is new", got.Principal, again.Principal, err)
			}
			if diff := cmp.Diff([]identity.EntityID{partner, "https://behind.example.test"}, got.Context.Authorities); diff != "" {
				t.Errorf("authorities (-want +got):\n%s", diff)
			}
		})
	}
}

// TestKnownOnly asks of the known alone: whatever the connection does with others,
// it makes and links nobody.
func TestKnownOnly(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	update(t, s, func(tx *store.Tx) error { has(t, tx, victim, "ada@acme.test", identity.SourceOperator); return nil })
	b := open(t, s, noon, owning("acme", "saml", partner))
	_, state, err := b.Begin(t.Context(), "acme", identity.AuthnRequest{KnownOnly: true}, "ticket")
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.Finish(t.Context(), "acme", state, saying(t, saysMail(partner, "s1", "ada@acme.test")))
	if n, ok := errors.AsType[*identity.Newcomer](err); !ok || n.Exists {
		t.Errorf("got %v, want a newcomer of whom nothing is told", err)
	}
	if k := read(t, s); len(k.Records) != 1 || len(k.Links)+len(k.Events) > 0 {
		t.Errorf("it left %+v", k)
	}
}

// TestReclaimEndsSessions takes a record from a squatter: their session ends by
// whoever keeps sessions, and those who took part are told once that is durable.
func TestReclaimEndsSessions(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	update(t, s, func(tx *store.Tx) error { has(t, tx, victim, "ada@acme.test", identity.SourcePerson); return nil })
	var ended, told []identity.SessionID
	b, err := broker.New(broker.Config{
		Store: s, EntityID: entityID, Connections: []broker.Upstream{owning("acme", "saml", partner)}, Rand: rand.Reader,
		End: func(ctx context.Context, tx *store.Tx, id identity.SessionID, _ string) (func(context.Context), error) {
			ended = append(ended, id)
			tell := func(context.Context) {
				if w := waysOf(t, s, victim); w.Sessions > 0 {
					t.Errorf("applications are told of a session that goes on")
				}
				told = append(told, id)
			}
			return tell, tx.Sessions.Delete(ctx, id)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := signIn(t, b, "acme", saysMail(partner, "s1", "ada@acme.test")); err != nil {
		t.Fatal(err)
	}
	want := []identity.SessionID{"session of ada"}
	if diff := cmp.Diff(want, ended) + cmp.Diff(want, told); diff != "" {
		t.Errorf("ended and told (-want +got):\n%s", diff)
	}
}
