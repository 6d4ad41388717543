// Package storetest is the proof that a store.Store keeps its contract. An
// implementation's test calls Run with a function that opens an empty store.
// The package knows the contract only, nothing of any database.
package storetest

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/store"
)

// Run holds the stores that open returns against the contract. Each call of
// open returns an empty store of its own, and arranges for it to be closed when
// the test ends.
func Run(t *testing.T, open func(testing.TB) store.Store) {
	for _, c := range []struct {
		name string
		test func(*testing.T, store.Store)
	}{
		{"records", testRecords},
		{"records by mail", testByMail},
		{"record of two thousand values", testManyValues},
		{"links", testLinks},
		{"credentials", testCredentials},
		{"name identifiers", testNameIDs},
		{"consents", testConsents},
		{"sessions", testSessions},
		{"participants", testParticipants},
		{"references", testReferences},
		{"tickets", testTickets},
		{"ticket expiry", testTicketExpiry},
		{"ticket replace", testTicketReplace},
		{"counters", testCounters},
		{"events", testEvents},
		{"sweep", testSweep},
		{"times", testTimes},
		{"text", testText},
		{"refused text", testRefusedText},
		{"rollback", testRollback},
		{"failure that fn ignores", testIgnoredFailure},
		{"view is read-only", testViewReadOnly},
		{"view is a snapshot", testViewSnapshot},
		{"transaction after its end", testDeadTx},
		{"cancelled", testCancelled},
		{"closed", testClosed},
		{"conflicts are retried", testConflicts},
		{"write skew", testWriteSkew},
		{"one of 64 puts", testPutRace},
		{"one of 64 takes", testTakeRace},
		{"one of 64 replaces", testReplaceRace},
		{"paging while writing", testPaging},
		{"faults: nothing lost or doubled", testFaultyLogins},
		{"faults: a message is consumed once", testFaultyReplay},
		{"faults: a ticket is taken once", testFaultyTake},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.test(t, open(t))
		})
	}
}

// callers is how many goroutines compete.
const callers = 64

// start is the present of the tests.
var start = time.Date(2026, 11, 23, 12, 0, 0, 123456000, time.UTC)

func update(t testing.TB, s store.Store, fn func(*store.Tx) error) {
	t.Helper()
	if err := s.Update(t.Context(), fn); err != nil {
		t.Fatalf("Update: %v", err)
	}
}

func view(t testing.TB, s store.Store, fn func(*store.Tx) error) {
	t.Helper()
	if err := s.View(t.Context(), fn); err != nil {
		t.Fatalf("View: %v", err)
	}
}

// wantKind checks that err is an Error of kind k.
func wantKind(t testing.TB, what string, err error, k identity.Kind) {
	t.Helper()
	switch {
	case err == nil:
		t.Errorf("%s: got no error, want kind %s", what, k)
	case identity.KindOf(err) != k:
		t.Errorf("%s: got kind %s (%v), want %s", what, identity.KindOf(err), err, k)
	}
}

// makeRecords stores records of the given IDs, without values.
func makeRecords(t testing.TB, s store.Store, ids ...identity.RecordID) {
	t.Helper()
	update(t, s, func(tx *store.Tx) error {
		for _, id := range ids {
			if err := tx.Records.Create(t.Context(), identity.Record{ID: id, Created: start, Updated: start}); err != nil {
				return err
			}
		}
		return nil
	})
}

// compete runs fn on n goroutines at once and returns their errors by number.
func compete(n int, fn func(i int) error) []error {
	errs := make([]error, n)
	ready := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-ready
			errs[i] = fn(i)
		})
	}
	close(ready)
	wg.Wait()
	return errs
}

// wantOneWinner checks that one error is nil and all others are of kind k.
func wantOneWinner(t testing.TB, errs []error, k identity.Kind) {
	t.Helper()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
			continue
		}
		wantKind(t, "a loser", err, k)
	}
	if won != 1 {
		t.Errorf("got %d winners, want 1", won)
	}
}

// errOops is a failure of the caller's own.
var errOops = errors.New("oops")
