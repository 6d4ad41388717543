package broker_test

import (
	"context"
	"crypto/rand"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/samlet-id/samlet/broker"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/peer"
	"github.com/samlet-id/samlet/store"
	"github.com/samlet-id/samlet/store/sqlstore"
)

// kept is everything that a login can have left in a store.
type kept struct {
	Records []identity.Record
	Links   []identity.Link
	Events  []identity.EventType // oldest first
}

func read(t testing.TB, s store.Store) kept {
	t.Helper()
	var k kept
	err := s.View(t.Context(), func(tx *store.Tx) error {
		k = kept{}
		var err error
		if k.Records, err = tx.Records.List(t.Context(), "", 1000); err != nil {
			return err
		}
		for _, r := range k.Records {
			links, err := tx.Links.OfRecord(t.Context(), r.ID)
			if err != nil {
				return err
			}
			k.Links = append(k.Links, links...)
		}
		events, err := tx.Events.List(t.Context(), "", 1000)
		for _, e := range slices.Backward(events) {
			k.Events = append(k.Events, e.Type)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func update(t testing.TB, s store.Store, fn func(*store.Tx) error) {
	t.Helper()
	if err := s.Update(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

func TestFirstLoginMakesRecordAndLink(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	b := open(t, s, noon, creating("acme", partner))
	got, err := signIn(t, b, "acme", upstreamAssertion("ada"))
	if err != nil {
		t.Fatal(err)
	}
	k := read(t, s)
	if len(k.Records) != 1 || len(k.Links) != 1 {
		t.Fatalf("got %d records and %d links, want one each", len(k.Records), len(k.Links))
	}
	id := k.Records[0].ID
	wantRecord := identity.Record{
		ID: id, Created: noon, Updated: noon,
		Values: []identity.Value{{Name: "mail", Value: "ada@example.test", Source: "acme"}},
	}
	wantLink := identity.Link{
		Principal: upstreamAssertion("ada").Principal, Record: id, Connection: "acme", Created: noon, LastUsed: noon,
	}
	said := upstreamAssertion("ada")
	wantAssertion := said
	wantAssertion.Principal = identity.Principal{Issuer: entityID, Subject: string(id)}
	wantAssertion.Upstream = said.Principal
	wantAssertion.Attributes = identity.Attributes{"mail": {"ada@example.test"}}
	wantAssertion.Context.Class = identity.ClassUnspecified // no table trusts it
	wantAssertion.Context.Authorities = []identity.EntityID{partner, "https://behind.example.test"}
	for what, diff := range map[string]string{
		"record":    cmp.Diff(wantRecord, k.Records[0]),
		"link":      cmp.Diff(wantLink, k.Links[0]),
		"assertion": cmp.Diff(wantAssertion, got),
		"events":    cmp.Diff([]identity.EventType{identity.EventRecordCreated, identity.EventLinkCreated}, k.Events),
	} {
		if diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
}

func TestSecondLoginReplacesWhatThatSourceGave(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	first := upstreamAssertion("ada")
	first.Attributes = identity.Attributes{oidMail: {"old@example.test"}, "memberOf": {"staff", "admins"}}
	if _, err := signIn(t, open(t, s, noon, creating("acme", partner)), "acme", first); err != nil {
		t.Fatal(err)
	}
	typed := identity.Value{Name: "groups", Value: "friends", Source: identity.SourceOperator}
	update(t, s, func(tx *store.Tx) error {
		all, err := tx.Records.List(t.Context(), "", 1)
		if err != nil {
			return err
		}
		all[0].Values = append(all[0].Values, typed)
		return tx.Records.Replace(t.Context(), all[0])
	})
	later := noon.Add(time.Hour)
	second := upstreamAssertion("ada")
	second.Attributes = identity.Attributes{oidMail: {"new@example.test"}, "memberOf": {"staff"}}
	got, err := signIn(t, open(t, s, later, creating("acme", partner)), "acme", second)
	if err != nil {
		t.Fatal(err)
	}
	k := read(t, s)
	wantValues := []identity.Value{
		{Name: "groups", Value: "staff", Source: "acme"}, typed, {Name: "mail", Value: "new@example.test", Source: "acme"},
	}
	wantAttributes := identity.Attributes{"mail": {"new@example.test"}, "groups": {"staff", "friends"}}
	wantEvents := []identity.EventType{identity.EventRecordCreated, identity.EventLinkCreated, identity.EventRecordUpdated}
	for what, diff := range map[string]string{
		"values":     cmp.Diff(wantValues, k.Records[0].Values),
		"attributes": cmp.Diff(wantAttributes, got.Attributes),
		"events":     cmp.Diff(wantEvents, k.Events),
		"times":      cmp.Diff([]time.Time{noon, later, later}, []time.Time{k.Records[0].Created, k.Records[0].Updated, k.Links[0].LastUsed}),
	} {
		if diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
}

// TestWhatIsSaidOnceStays holds that an upstream which tells a name at the first
// sign-in alone takes it away with no later one, but changes it, and that all else that
// it is silent of goes.
func TestWhatIsSaidOnceStays(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	up := creating("acme", partner)
	up.Once = []identity.Name{"groups"}
	for _, round := range []struct{ said, want identity.Attributes }{
		{identity.Attributes{oidMail: {"ada@example.test"}, "memberOf": {"staff", "admins"}}, identity.Attributes{"mail": {"ada@example.test"}, "groups": {"staff", "admins"}}},
		{identity.Attributes{}, identity.Attributes{"groups": {"staff", "admins"}}},
		{identity.Attributes{"memberOf": {"admins"}}, identity.Attributes{"groups": {"admins"}}},
	} {
		a := upstreamAssertion("ada")
		a.Attributes = round.said
		got, err := signIn(t, open(t, s, noon, up), "acme", a)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(round.want, got.Attributes); diff != "" {
			t.Errorf("after %v (-want +got):\n%s", round.said, diff)
		}
	}
}

func TestUnchangedLoginTouchesTheLinkAlone(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	if _, err := signIn(t, open(t, s, noon, creating("acme", partner)), "acme", upstreamAssertion("ada")); err != nil {
		t.Fatal(err)
	}
	want := read(t, s)
	later := noon.Add(time.Hour)
	if _, err := signIn(t, open(t, s, later, creating("acme", partner)), "acme", upstreamAssertion("ada")); err != nil {
		t.Fatal(err)
	}
	want.Links[0].LastUsed = later
	if diff := cmp.Diff(want, read(t, s)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestEmailLinking is nOAuth (Descope 2023): an upstream that says a mail
// address gets nobody else's record by it.
func TestEmailLinking(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	const evil = identity.EntityID("https://idp.evil.example.test")
	victim := identity.Record{
		ID: "victim", Logins: []string{"ada@example.test"}, Created: noon, Updated: noon,
		Values: []identity.Value{{Name: "mail", Value: "ada@example.test", Source: identity.SourceOperator}},
	}
	update(t, s, func(tx *store.Tx) error { return tx.Records.Create(t.Context(), victim) })
	b := open(t, s, noon, creating("acme", partner), creating("evil", evil))
	mine := upstreamAssertion("ada")
	elsewhere := mine
	elsewhere.Principal.Issuer = evil
	another := upstreamAssertion("ada@example.test") // even with the mail address for a subject
	subjects := map[string]string{"victim": "the victim"}
	for _, login := range []struct {
		name string
		via  identity.ConnectionID
		says identity.Assertion
	}{
		{"partner's ada", "acme", mine},
		{"same subject and mail at another issuer", "evil", elsewhere},
		{"same mail, another subject", "acme", another},
	} {
		got, err := signIn(t, b, login.via, login.says)
		if err != nil {
			t.Fatalf("%s: %v", login.name, err)
		}
		if other, taken := subjects[got.Principal.Subject]; taken {
			t.Errorf("%s got the record of %s", login.name, other)
		}
		subjects[got.Principal.Subject] = login.name
	}
	for _, r := range read(t, s).Records {
		if r.ID == "victim" {
			if diff := cmp.Diff(victim, r); diff != "" {
				t.Errorf("the victim's record changed (-want +got):\n%s", diff)
			}
		} else if len(r.Logins) > 0 {
			t.Errorf("record %s got the sign-in names %q", r.ID, r.Logins)
		}
	}
}

func TestIdentifierLookAlikesAreOtherPeople(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	b := open(t, s, noon, creating("acme", partner))
	names := []string{"ada", "Ada", "ada ", "аda", "ada\u200b", "ada\u0301"}
	for _, n := range names {
		if _, err := signIn(t, b, "acme", upstreamAssertion(n)); err != nil {
			t.Fatalf("%q: %v", n, err)
		}
	}
	if got := len(read(t, s).Records); got != len(names) {
		t.Errorf("got %d records, want %d", got, len(names))
	}
}

func TestLinkRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		prepare func(testing.TB, store.Store)
		change  func(*identity.Connection, *identity.Assertion)
		kind    identity.Kind
		code    identity.Code
	}{
		{
			name: "no NameID", change: func(_ *identity.Connection, a *identity.Assertion) { a.Principal.Subject = "" },
			kind: identity.KindInvalid, code: "up.missing_subject",
		},
		{
			name: "a transient NameID", change: func(_ *identity.Connection, a *identity.Assertion) { a.Principal.Format = identity.FormatTransient },
			kind: identity.KindInvalid, code: "up.missing_subject",
		},
		{
			name: "nobody yet, and the connection makes nobody", change: func(c *identity.Connection, _ *identity.Assertion) { c.Create = false },
			kind: identity.KindDenied, code: "user.not_allowed",
		},
		{
			name: "a disabled record",
			prepare: func(t testing.TB, s store.Store) {
				update(t, s, func(tx *store.Tx) error {
					if err := tx.Records.Create(t.Context(), identity.Record{ID: "r", Disabled: true, Created: noon, Updated: noon}); err != nil {
						return err
					}
					return tx.Links.Create(t.Context(), identity.Link{
						Principal: upstreamAssertion("ada").Principal, Record: "r", Connection: "acme", Created: noon, LastUsed: noon,
					})
				})
			},
			kind: identity.KindDenied, code: "user.disabled",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, up, says := openStore(t), creating("acme", partner), upstreamAssertion("ada")
			if tt.prepare != nil {
				tt.prepare(t, s)
			}
			if tt.change != nil {
				tt.change(&up.Connection, &says)
			}
			before := read(t, s)
			got, err := signIn(t, open(t, s, noon.Add(time.Hour), up), "acme", says)
			if identity.KindOf(err) != tt.kind || identity.CodeOf(err) != tt.code {
				t.Errorf("got %v, want %v %s", err, tt.kind, tt.code)
			}
			if diff := cmp.Diff(identity.Assertion{}, got); diff != "" {
				t.Errorf("an assertion came with the refusal:\n%s", diff)
			}
			if diff := cmp.Diff(before, read(t, s)); diff != "" {
				t.Errorf("the refusal left something in the store (-before +after):\n%s", diff)
			}
		})
	}
}

// TestConcurrentFirstLogins holds that however many browsers of one new person
// come at once, to two nodes on one database, one record is made.
func TestConcurrentFirstLogins(t *testing.T) {
	t.Parallel()
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		concurrentFirstLogins(t, sqlstore.Config{Driver: sqlstore.DriverSQLite, DSN: filepath.Join(t.TempDir(), "samlet.db")})
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		concurrentFirstLogins(t, sqlstore.Config{Driver: sqlstore.DriverPostgres, DSN: peer.Postgres(t)})
	})
}

func concurrentFirstLogins(t *testing.T, cfg sqlstore.Config) {
	const logins = 32
	var nodes [2]store.Store
	for i := range nodes {
		s, err := sqlstore.Open(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
		nodes[i] = s
	}
	subjects, errs := make([]string, logins), make([]error, logins)
	var wg sync.WaitGroup
	for i := range logins {
		b := open(t, nodes[i%len(nodes)], noon, creating("acme", partner))
		wg.Go(func() {
			var a identity.Assertion
			a, errs[i] = signIn(t, b, "acme", upstreamAssertion("ada"))
			subjects[i] = a.Principal.Subject
		})
	}
	wg.Wait()
	for i, err := range errs {
		if err != nil {
			t.Errorf("login %d: %v", i, err)
		}
	}
	k := read(t, nodes[0])
	if len(k.Records) != 1 || len(k.Links) != 1 {
		t.Fatalf("got %d records and %d links, want one each", len(k.Records), len(k.Links))
	}
	if got := slices.Compact(subjects); !cmp.Equal(got, []string{string(k.Records[0].ID)}) {
		t.Errorf("the logins got %q, want all %q", got, k.Records[0].ID)
	}
	want := []identity.EventType{identity.EventRecordCreated, identity.EventLinkCreated}
	if diff := cmp.Diff(want, k.Events); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

// TestEventsSayWhere holds what an event tells, and that it tells no values.
func TestEventsSayWhere(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	b, err := broker.New(broker.Config{
		Store: s, EntityID: entityID, Connections: []broker.Upstream{creating("acme", partner)}, Rand: rand.Reader,
		Now: func() time.Time { return noon }, RequestID: func(context.Context) string { return "req-1" },
	})
	if err != nil {
		t.Fatal(err)
	}
	a, err := signIn(t, b, "acme", upstreamAssertion("ada"))
	if err != nil {
		t.Fatal(err)
	}
	want := identity.Event{
		At: noon, Type: identity.EventLinkCreated, RequestID: "req-1", Record: identity.RecordID(a.Principal.Subject),
		Connection: "acme", Detail: "attributes from the connection: 1",
	}
	err = s.View(t.Context(), func(tx *store.Tx) error {
		events, err := tx.Events.List(t.Context(), want.Record, 1)
		if diff := cmp.Diff([]identity.Event{want}, events); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestFinishHonoursCancel(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	b := open(t, s, noon, creating("acme", partner))
	_, state, err := b.Begin(t.Context(), "acme", identity.AuthnRequest{}, "t")
	if err != nil {
		t.Fatal(err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.Finish(gone, "acme", state, saying(t, upstreamAssertion("ada"))); err == nil {
		t.Error("a browser that had gone was signed in")
	}
	if k := read(t, s); len(k.Records) != 0 {
		t.Errorf("it left %d records", len(k.Records))
	}
}
