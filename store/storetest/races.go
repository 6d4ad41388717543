package storetest

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/store"
)

// testConflicts lets 64 callers read a number and write the next one. Half of
// them hide from the store what their failures were.
func testConflicts(t *testing.T, s store.Store) {
	ctx := t.Context()
	update(t, s, func(tx *store.Tx) error {
		return tx.Records.Create(ctx, identity.Record{ID: "r1", Values: []identity.Value{{Name: "n", Value: "0"}}})
	})
	increment := func(tx *store.Tx) error {
		r, err := tx.Records.Get(ctx, "r1")
		if err != nil {
			return err
		}
		n, err := strconv.Atoi(r.Values[0].Value)
		if err != nil {
			return err
		}
		r.Values[0].Value = strconv.Itoa(n + 1)
		return tx.Records.Replace(ctx, r)
	}
	errs := compete(callers, func(i int) error {
		return s.Update(ctx, func(tx *store.Tx) error {
			err := increment(tx)
			if err != nil && i%2 == 0 {
				return errOops
			}
			return err
		})
	})
	for _, err := range errs {
		if err != nil {
			t.Error(err)
		}
	}
	if got, want := getRecord(t, s, "r1").Values[0].Value, strconv.Itoa(callers); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// testWriteSkew lets callers each disable another record if one remains enabled:
// they read what others write and write what nobody else writes.
func testWriteSkew(t *testing.T, s store.Store) {
	ctx := t.Context()
	const n = 8
	id := func(i int) identity.RecordID { return identity.RecordID(fmt.Sprintf("r%d", i)) }
	for i := range n {
		makeRecords(t, s, id(i))
	}
	enabled := func(tx *store.Tx) (count int, err error) {
		all, err := tx.Records.List(ctx, "", n)
		for _, r := range all {
			if !r.Disabled {
				count++
			}
		}
		return count, err
	}
	errs := compete(n, func(i int) error {
		return s.Update(ctx, func(tx *store.Tx) error {
			count, err := enabled(tx)
			if err != nil || count < 2 {
				return err
			}
			r, err := tx.Records.Get(ctx, id(i))
			if err != nil {
				return err
			}
			r.Disabled = true
			return tx.Records.Replace(ctx, r)
		})
	})
	for _, err := range errs {
		if err != nil {
			t.Error(err)
		}
	}
	view(t, s, func(tx *store.Tx) error {
		count, err := enabled(tx)
		if count != 1 {
			t.Errorf("got %d enabled records, want 1", count)
		}
		return err
	})
}

func testPutRace(t *testing.T, s store.Store) {
	errs := compete(callers, func(int) error {
		return s.Update(t.Context(), func(tx *store.Tx) error {
			return tx.Tickets.Put(t.Context(), ticket(store.PurposeReplay, "a", ""), start)
		})
	})
	wantOneWinner(t, errs, identity.KindExists)
}

func testTakeRace(t *testing.T, s store.Store) {
	for round := range 4 {
		id := strconv.Itoa(round)
		putTicket(t, s, ticket(store.PurposeLogin, id, ""))
		errs := compete(callers, func(int) error {
			return s.Update(t.Context(), func(tx *store.Tx) error {
				_, err := tx.Tickets.Take(t.Context(), store.PurposeLogin, id, start)
				return err
			})
		})
		wantOneWinner(t, errs, identity.KindNotFound)
	}
}

func testReplaceRace(t *testing.T, s store.Store) {
	putTicket(t, s, ticket(store.PurposeLogin, "a", ""))
	old, err := getTicket(t, s, store.PurposeLogin, "a", start)
	if err != nil {
		t.Fatal(err)
	}
	errs := compete(callers, func(i int) error {
		return s.Update(t.Context(), func(tx *store.Tx) error {
			return tx.Tickets.Replace(t.Context(), old, []byte(strconv.Itoa(i)), start)
		})
	})
	wantOneWinner(t, errs, identity.KindExists)
	got, err := getTicket(t, s, store.PurposeLogin, "a", start)
	if err != nil {
		t.Fatal(err)
	}
	for i, err := range errs {
		if err == nil && string(got.Payload) != strconv.Itoa(i) {
			t.Errorf("%d won, but the payload is %q", i, got.Payload)
		}
	}
}
