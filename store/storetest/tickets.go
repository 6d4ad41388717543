package storetest

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/store"
)

func ticket(p store.Purpose, id, payload string) store.Ticket {
	return store.Ticket{Purpose: p, ID: id, Payload: []byte(payload), Expires: start.Add(time.Minute)}
}

func putTicket(t testing.TB, s store.Store, v store.Ticket) {
	t.Helper()
	update(t, s, func(tx *store.Tx) error { return tx.Tickets.Put(t.Context(), v, start) })
}

func getTicket(t testing.TB, s store.Store, p store.Purpose, id string, now time.Time) (v store.Ticket, err error) {
	t.Helper()
	err = s.View(t.Context(), func(tx *store.Tx) (err error) {
		v, err = tx.Tickets.Get(t.Context(), p, id, now)
		return err
	})
	return v, err
}

func testTickets(t *testing.T, s store.Store) {
	ctx := t.Context()
	large := ticket(store.PurposeParked, "a", "")
	large.Payload = bytes.Repeat([]byte{0, 0xff, '\''}, 1<<18)
	hostile := ticket(store.PurposeLogin, "\x00\xff'; DROP TABLE tickets --", "x")
	empty := ticket(store.PurposeReplay, "a", "")
	empty.Payload = nil
	for _, want := range []store.Ticket{ticket(store.PurposeLogin, "a", "1"), large, hostile, empty} {
		putTicket(t, s, want)
		got, err := getTicket(t, s, want.Purpose, want.ID, start)
		if err != nil {
			t.Fatalf("Get: %v", err)
		}
		want.Version = got.Version
		if !bytes.Equal(want.Payload, got.Payload) {
			t.Errorf("Get %q: got %d octets, want the %d that were put", want.ID, len(got.Payload), len(want.Payload))
		}
		want.Payload, got.Payload = nil, nil
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("Get (-want +got):\n%s", diff)
		}
	}
	update(t, s, func(tx *store.Tx) error {
		wantKind(t, "Put of a live ID", tx.Tickets.Put(ctx, ticket(store.PurposeLogin, "a", "2"), start), identity.KindExists)
		got, err := tx.Tickets.Take(ctx, store.PurposeLogin, "a", start)
		if err != nil {
			return err
		}
		got.Version = 0
		if diff := cmp.Diff(ticket(store.PurposeLogin, "a", "1"), got); diff != "" {
			t.Errorf("Take (-want +got):\n%s", diff)
		}
		_, err = tx.Tickets.Take(ctx, store.PurposeLogin, "a", start)
		wantKind(t, "a second Take", err, identity.KindNotFound)
		_, err = tx.Tickets.Get(ctx, store.PurposeLogin, "a", start)
		wantKind(t, "Get after Take", err, identity.KindNotFound)
		_, err = tx.Tickets.Get(ctx, store.PurposeParked, "a", start)
		return err
	})
}

func testTicketExpiry(t *testing.T, s store.Store) {
	ctx := t.Context()
	putTicket(t, s, ticket(store.PurposeLogin, "a", "old"))
	over := start.Add(time.Minute)
	if _, err := getTicket(t, s, store.PurposeLogin, "a", over.Add(-time.Microsecond)); err != nil {
		t.Errorf("at its last moment: %v", err)
	}
	old, err := getTicket(t, s, store.PurposeLogin, "a", start)
	if err != nil {
		t.Fatal(err)
	}
	update(t, s, func(tx *store.Tx) error {
		_, err := tx.Tickets.Get(ctx, store.PurposeLogin, "a", over)
		wantKind(t, "Get", err, identity.KindNotFound)
		_, err = tx.Tickets.Take(ctx, store.PurposeLogin, "a", over)
		wantKind(t, "Take", err, identity.KindNotFound)
		wantKind(t, "Replace", tx.Tickets.Replace(ctx, old, nil, over), identity.KindNotFound)
		fresh := ticket(store.PurposeLogin, "a", "new")
		fresh.Expires = over.Add(time.Minute)
		return tx.Tickets.Put(ctx, fresh, over)
	})
	got, err := getTicket(t, s, store.PurposeLogin, "a", over)
	if err != nil || string(got.Payload) != "new" {
		t.Errorf("after a new Put: got %q, %v; want \"new\"", got.Payload, err)
	}
	err = s.Update(ctx, func(tx *store.Tx) error { return tx.Tickets.Replace(ctx, old, []byte("late"), over) })
	wantKind(t, "Replace by whoever holds the old one", err, identity.KindExists)
}

func testTicketReplace(t *testing.T, s store.Store) {
	ctx := t.Context()
	putTicket(t, s, ticket(store.PurposeLogin, "a", "1"))
	first, err := getTicket(t, s, store.PurposeLogin, "a", start)
	if err != nil {
		t.Fatal(err)
	}
	replace := func(old store.Ticket, payload string) error {
		return s.Update(ctx, func(tx *store.Tx) error { return tx.Tickets.Replace(ctx, old, []byte(payload), start) })
	}
	if err := replace(first, "2"); err != nil {
		t.Fatalf("Replace: %v", err)
	}
	wantKind(t, "Replace of what was replaced", replace(first, "3"), identity.KindExists)
	second, err := getTicket(t, s, store.PurposeLogin, "a", start)
	if err != nil || string(second.Payload) != "2" || !second.Expires.Equal(first.Expires) {
		t.Fatalf("after Replace: got %q until %s, %v; want \"2\" until %s", second.Payload, second.Expires, err, first.Expires)
	}
	if err := replace(second, "3"); err != nil {
		t.Errorf("Replace of the present one: %v", err)
	}
	wantKind(t, "Replace of nothing", replace(ticket(store.PurposeLogin, "b", ""), "1"), identity.KindNotFound)
}

func testCounters(t *testing.T, s store.Store) {
	ctx := t.Context()
	for i, c := range []struct {
		key   string
		after time.Duration // since start
		count int
		ends  time.Duration
	}{
		{"a", 0, 1, time.Minute},
		{"a", time.Second, 2, time.Minute},
		{"b", time.Second, 1, time.Minute + time.Second},
		{"a", time.Minute - time.Microsecond, 3, time.Minute},
		{"a", time.Minute, 1, 2 * time.Minute},
		{"a\x00\xff", time.Minute, 1, 2 * time.Minute},
	} {
		update(t, s, func(tx *store.Tx) error {
			count, ends, err := tx.Counters.Hit(ctx, c.key, time.Minute, start.Add(c.after))
			if count != c.count || !ends.Equal(start.Add(c.ends)) {
				t.Errorf("hit %d: got %d until %s, want %d until %s", i, count, ends, c.count, start.Add(c.ends))
			}
			return err
		})
	}
	for _, c := range []struct {
		key   string
		after time.Duration
		count int
	}{{"a", time.Minute, 1}, {"a", 2*time.Minute - time.Microsecond, 1}, {"a", 2 * time.Minute, 0}, {"b", time.Second, 1}, {"never", 0, 0}} {
		err := s.View(ctx, func(tx *store.Tx) error {
			count, _, err := tx.Counters.Count(ctx, c.key, start.Add(c.after))
			if count != c.count {
				t.Errorf("Count(%q) after %s: got %d, want %d", c.key, c.after, count, c.count)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	update(t, s, func(tx *store.Tx) error {
		if err := tx.Counters.Reset(ctx, "a"); err != nil {
			return err
		}
		count, _, err := tx.Counters.Hit(ctx, "a", time.Minute, start.Add(time.Minute))
		if count != 1 {
			t.Errorf("after Reset: got %d, want 1", count)
		}
		return err
	})
}

func testEvents(t *testing.T, s store.Store) {
	ctx := t.Context()
	event := func(detail string, r identity.RecordID, after time.Duration) identity.Event {
		return identity.Event{
			At: start.Add(after), Type: identity.EventLogin, RequestID: "q", Record: r, Session: "s",
			RelyingParty: "app", Connection: "partner", Code: "x.y", Detail: detail,
		}
	}
	a, b, c := event("a", "r1", 0), event("b", "r2", 0), event("c", "r1", -time.Second)
	c.RequestID, c.Seen, c.Expected, c.Who = "another", "this", "that", identity.WhoPartner
	update(t, s, func(tx *store.Tx) error {
		if err := tx.Events.Append(ctx); err != nil {
			return err
		}
		if err := tx.Events.Append(ctx, a, b); err != nil {
			return err
		}
		return tx.Events.Append(ctx, c)
	})
	view(t, s, func(tx *store.Tx) error {
		for id, want := range map[string][]identity.Event{"q": {a, b}, "another": {c}, "none": nil} {
			got, err := tx.Events.OfRequest(ctx, id)
			if err != nil {
				return err
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("OfRequest %s (-want +got):\n%s", id, diff)
			}
		}
		return nil
	})
	for _, q := range []struct {
		record identity.RecordID
		limit  int
		want   []identity.Event
	}{
		{"", 10, []identity.Event{b, a, c}},
		{"", 2, []identity.Event{b, a}},
		{"r1", 10, []identity.Event{a, c}},
		{"r1", 1, []identity.Event{a}},
		{"r3", 10, nil},
	} {
		view(t, s, func(tx *store.Tx) error {
			got, err := tx.Events.List(ctx, q.record, q.limit)
			if diff := cmp.Diff(q.want, got); diff != "" {
				t.Errorf("List(%q, %d) (-want +got):\n%s", q.record, q.limit, diff)
			}
			return err
		})
	}
}
