package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/store"
)

func getRecord(t testing.TB, s store.Store, id identity.RecordID) identity.Record {
	t.Helper()
	var r identity.Record
	view(t, s, func(tx *store.Tx) (err error) {
		r, err = tx.Records.Get(t.Context(), id)
		return err
	})
	return r
}

func testRecords(t *testing.T, s store.Store) {
	ctx := t.Context()
	alice := identity.Record{
		ID:     "r-alice",
		Logins: []string{"alice", "a.adams"},
		Values: []identity.Value{
			{Name: identity.Mail, Value: "alice@example.test", Source: "partner"},
			{Name: identity.Mail, Value: "alice@example.test", Source: identity.SourcePerson},
			{Name: identity.Groups, Value: "staff", Source: "partner"},
			{Name: identity.Groups, Value: "admins", Source: identity.SourceOperator},
		},
		Created: start,
		Updated: start,
	}
	bob := identity.Record{ID: "r-bob", Logins: []string{"bob"}, Disabled: true, Organization: "acme", Created: start, Updated: start.Add(time.Second)}
	update(t, s, func(tx *store.Tx) error { return tx.Records.Create(ctx, alice) })
	update(t, s, func(tx *store.Tx) error { return tx.Records.Create(ctx, bob) })

	for _, want := range []identity.Record{alice, bob} {
		if diff := cmp.Diff(want, getRecord(t, s, want.ID)); diff != "" {
			t.Errorf("Get(%s) (-want +got):\n%s", want.ID, diff)
		}
	}
	view(t, s, func(tx *store.Tx) error {
		got, err := tx.Records.ByLogin(ctx, "a.adams")
		if diff := cmp.Diff(alice, got); diff != "" {
			t.Errorf("ByLogin (-want +got):\n%s", diff)
		}
		_, missing := tx.Records.ByLogin(ctx, "A.Adams")
		wantKind(t, "ByLogin of another spelling", missing, identity.KindNotFound)
		_, missing = tx.Records.Get(ctx, "r-carol")
		wantKind(t, "Get of nobody", missing, identity.KindNotFound)
		return err
	})

	update(t, s, func(tx *store.Tx) error {
		wantKind(t, "Create with a taken ID", tx.Records.Create(ctx, identity.Record{ID: "r-alice"}), identity.KindExists)
		wantKind(t, "Create with a taken login", tx.Records.Create(ctx, identity.Record{ID: "r-eve", Logins: []string{"eve", "bob"}}), identity.KindExists)
		wantKind(t, "Create with a login twice", tx.Records.Create(ctx, identity.Record{ID: "r-eve", Logins: []string{"eve", "eve"}}), identity.KindExists)
		_, err := tx.Records.Get(ctx, "r-eve")
		wantKind(t, "Get of a refused record", err, identity.KindNotFound)
		wantKind(t, "Replace of nobody", tx.Records.Replace(ctx, identity.Record{ID: "r-eve"}), identity.KindNotFound)
		taken := bob
		taken.Logins = []string{"bob", "alice"}
		wantKind(t, "Replace with a taken login", tx.Records.Replace(ctx, taken), identity.KindExists)
		return nil
	})

	alice.Logins = []string{"a.adams", "ally"}
	alice.Values = append(alice.Values[1:], identity.Value{Name: identity.DisplayName, Value: "Alice", Source: "partner"})
	alice.Updated = start.Add(time.Hour)
	bob.Disabled = false
	bob.Logins = []string{"bob", "alice"} // a name that Alice gave up
	update(t, s, func(tx *store.Tx) error {
		if err := tx.Records.Replace(ctx, alice); err != nil {
			return err
		}
		return tx.Records.Replace(ctx, bob)
	})
	for _, want := range []identity.Record{alice, bob} {
		if diff := cmp.Diff(want, getRecord(t, s, want.ID)); diff != "" {
			t.Errorf("after Replace, Get(%s) (-want +got):\n%s", want.ID, diff)
		}
	}
	update(t, s, func(tx *store.Tx) error { return tx.Records.Replace(ctx, bob) })
	if diff := cmp.Diff(bob, getRecord(t, s, bob.ID)); diff != "" {
		t.Errorf("after Replace with the same (-want +got):\n%s", diff)
	}

	for _, c := range []struct {
		after identity.RecordID
		limit int
		want  []identity.Record
	}{
		{"", 10, []identity.Record{alice, bob}},
		{"", 1, []identity.Record{alice}},
		{"r-alice", 10, []identity.Record{bob}},
		{"r-bob", 10, nil},
		{"", 0, nil},
		{"", -1, nil},
	} {
		view(t, s, func(tx *store.Tx) error {
			got, err := tx.Records.List(ctx, c.after, c.limit)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("List(%q, %d) (-want +got):\n%s", c.after, c.limit, diff)
			}
			return err
		})
	}
}

func testManyValues(t *testing.T, s store.Store) {
	r := identity.Record{ID: "r1", Created: start, Updated: start}
	for i := range 2000 {
		r.Values = append(r.Values, identity.Value{Name: identity.Groups, Value: fmt.Sprintf("group %d", i), Source: "partner"})
	}
	update(t, s, func(tx *store.Tx) error { return tx.Records.Create(t.Context(), r) })
	if diff := cmp.Diff(r, getRecord(t, s, r.ID)); diff != "" {
		t.Errorf("after Create (-want +got):\n%s", diff)
	}
	r.Values = append(r.Values[:7:7], r.Values[8:]...)
	update(t, s, func(tx *store.Tx) error { return tx.Records.Replace(t.Context(), r) })
	if diff := cmp.Diff(r, getRecord(t, s, r.ID)); diff != "" {
		t.Errorf("after Replace (-want +got):\n%s", diff)
	}
}

// testPaging walks the list while others write: every record that was there
// from the beginning comes exactly once, whole.
func testPaging(t *testing.T, s store.Store) {
	ctx := t.Context()
	const n = 100
	record := func(kind string, i int) identity.Record {
		return identity.Record{
			ID:      identity.RecordID(fmt.Sprintf("r-%03d-%s", i, kind)),
			Logins:  []string{fmt.Sprintf("%s-%d", kind, i)},
			Values:  []identity.Value{{Name: identity.Mail, Value: fmt.Sprintf("%s-%d@example.test", kind, i), Source: "partner"}},
			Created: start,
			Updated: start,
		}
	}
	update(t, s, func(tx *store.Tx) error {
		for i := range n {
			if err := tx.Records.Create(ctx, record("old", i)); err != nil {
				return err
			}
		}
		return nil
	})

	seen := map[identity.RecordID]int{}
	errs := compete(5, func(i int) error {
		if i > 0 {
			for j := range n / 4 {
				err := s.Update(ctx, func(tx *store.Tx) error { return tx.Records.Create(ctx, record(fmt.Sprintf("new%d", i), j*4)) })
				if err != nil {
					return err
				}
			}
			return nil
		}
		for after := identity.RecordID(""); ; {
			var page []identity.Record
			err := s.View(ctx, func(tx *store.Tx) (err error) {
				page, err = tx.Records.List(ctx, after, 7)
				return err
			})
			if err != nil || len(page) == 0 {
				return err
			}
			for _, r := range page {
				seen[r.ID]++
				if r.ID <= after {
					return fmt.Errorf("%s comes after %s", r.ID, after)
				}
				if len(r.Logins) != 1 || len(r.Values) != 1 {
					return fmt.Errorf("%s is not whole: %+v", r.ID, r)
				}
				after = r.ID
			}
		}
	})
	for _, err := range errs {
		if err != nil {
			t.Error(err)
		}
	}
	for i := range n {
		if got := seen[record("old", i).ID]; got != 1 {
			t.Errorf("record %d was listed %d times, want once", i, got)
		}
	}
}
