package storetest

import (
	"context"
	"fmt"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/store"
)

// Fault is what happens to one Update.
type Fault int

// The faults. FailAfter is the nasty one: the writes are durable and the caller
// is told that they failed, as when a connection breaks during COMMIT.
const (
	NoFault Fault = iota
	FailBefore
	FailAfter
)

// String returns the fault's name.
func (f Fault) String() string {
	switch f {
	case FailBefore:
		return "fail before"
	case FailAfter:
		return "fail after"
	case NoFault:
		return "none"
	}
	return "none"
}

// Faulty is a Store whose Updates fail as Plan says; all else is the Store's.
type Faulty struct {
	store.Store
	// Plan returns the fate of the nth Update, counted from 0. It must be safe
	// for concurrent use.
	Plan func(n int64) Fault

	updates atomic.Int64
}

// Update implements store.Store.
func (f *Faulty) Update(ctx context.Context, fn func(*store.Tx) error) error {
	injected := &identity.Error{Kind: identity.KindUnavailable, Code: "store.injected", Msg: "Injected."}
	fault := f.Plan(f.updates.Add(1) - 1)
	if fault == FailBefore {
		return injected
	}
	if err := f.Store.Update(ctx, fn); err != nil {
		return err
	}
	if fault == FailAfter {
		return injected
	}
	return nil
}

// bothFaults fails two of five Updates, one each way.
func bothFaults(n int64) Fault {
	switch n % 5 {
	case 1:
		return FailBefore
	case 3:
		return FailAfter
	}
	return NoFault
}

// insistently repeats an Update for as long as it is KindUnavailable.
func insistently(ctx context.Context, s store.Store, fn func(*store.Tx) error) error {
	for {
		err := s.Update(ctx, fn)
		if err == nil || identity.KindOf(err) != identity.KindUnavailable || ctx.Err() != nil {
			return err
		}
	}
}

// testFaultyLogins signs 16 people in, four times each and all at once. Whoever
// comes first makes record and link. Callers repeat what failed.
func testFaultyLogins(t *testing.T, inner store.Store) {
	ctx := t.Context()
	s := &Faulty{Store: inner, Plan: bothFaults}
	const people = 16
	errs := compete(callers, func(i int) error {
		subject := fmt.Sprintf("subject %d", i%people)
		mine := identity.RecordID(fmt.Sprintf("r%d", i))
		return insistently(ctx, s, func(tx *store.Tx) error {
			_, err := tx.Links.Get(ctx, "https://idp.example.test", subject)
			if identity.KindOf(err) != identity.KindNotFound || err == nil {
				return err
			}
			if err := tx.Records.Create(ctx, identity.Record{ID: mine, Logins: []string{subject}, Created: start}); err != nil {
				return err
			}
			return tx.Links.Create(ctx, identity.Link{
				Principal: identity.Principal{Issuer: "https://idp.example.test", Subject: subject}, Record: mine, Created: start,
			})
		})
	})
	for _, err := range errs {
		if err != nil {
			t.Error(err)
		}
	}
	view(t, s, func(tx *store.Tx) error {
		all, err := tx.Records.List(ctx, "", callers)
		if len(all) != people {
			t.Errorf("got %d records, want %d", len(all), people)
		}
		for _, r := range all {
			l, err := tx.Links.OfRecord(ctx, r.ID)
			if err != nil {
				return err
			}
			if len(l) != 1 || len(r.Logins) != 1 || l[0].Principal.Subject != r.Logins[0] {
				t.Errorf("record %s: got links %v and logins %q, want one of each for the same subject", r.ID, l, r.Logins)
			}
		}
		return err
	})
}

// testFaultyReplay consumes 64 messages, each once: the ID is put into the
// replay cache in the same Update that has the effect, so that a repetition
// after a failure that was none finds it there.
func testFaultyReplay(t *testing.T, inner store.Store) {
	ctx := t.Context()
	s := &Faulty{Store: inner, Plan: bothFaults}
	errs := compete(callers, func(i int) error {
		id := "message " + strconv.Itoa(i)
		err := insistently(ctx, s, func(tx *store.Tx) error {
			if err := tx.Tickets.Put(ctx, ticket(store.PurposeReplay, id, ""), start); err != nil {
				return err
			}
			return tx.Events.Append(ctx, identity.Event{At: start, Type: identity.EventLogin, RequestID: id})
		})
		if identity.KindOf(err) == identity.KindExists {
			return nil
		}
		return err
	})
	for _, err := range errs {
		if err != nil {
			t.Error(err)
		}
	}
	view(t, s, func(tx *store.Tx) error {
		all, err := tx.Events.List(ctx, "", 10*callers)
		seen := map[string]int{}
		for _, e := range all {
			seen[e.RequestID]++
		}
		for i := range callers {
			if id := "message " + strconv.Itoa(i); seen[id] != 1 {
				t.Errorf("%s had its effect %d times, want once", id, seen[id])
			}
		}
		return err
	})
}

// testFaultyTake lets 64 callers insist on taking one ticket. If the Take that
// won is reported as failed nobody may win; two may never.
func testFaultyTake(t *testing.T, inner store.Store) {
	ctx := t.Context()
	for _, c := range []struct {
		fault Fault
		least int
	}{{NoFault, 1}, {FailBefore, 1}, {FailAfter, 0}} {
		putTicket(t, inner, ticket(store.PurposeLogin, c.fault.String(), ""))
		s := &Faulty{Store: inner, Plan: func(n int64) Fault {
			if n%2 == 0 {
				return c.fault
			}
			return NoFault
		}}
		won := 0
		for _, err := range compete(callers, func(int) error {
			return insistently(ctx, s, func(tx *store.Tx) error {
				_, err := tx.Tickets.Take(ctx, store.PurposeLogin, c.fault.String(), start)
				return err
			})
		}) {
			if err == nil {
				won++
				continue
			}
			wantKind(t, c.fault.String()+": a loser", err, identity.KindNotFound)
		}
		if won < c.least || won > 1 {
			t.Errorf("%s: got %d winners, want %d to 1", c.fault, won, c.least)
		}
		_, err := getTicket(t, inner, store.PurposeLogin, c.fault.String(), start)
		wantKind(t, c.fault.String()+": the ticket", err, identity.KindNotFound)
	}
}
