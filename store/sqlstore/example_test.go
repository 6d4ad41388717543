package sqlstore_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/store"
	"github.com/samlet-id/samlet/store/sqlstore"
)

func Example() {
	ctx := context.Background()
	s, err := sqlstore.Open(ctx, sqlstore.Config{Driver: sqlstore.DriverSQLite, DSN: sqlstore.Memory})
	if err != nil {
		log.Fatal(err)
	}
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	// The message is consumed and its effect kept together, or neither.
	consume := func() error {
		return s.Update(ctx, func(tx *store.Tx) error {
			used := store.Ticket{Purpose: store.PurposeReplay, ID: "_4711", Expires: now.Add(time.Hour)}
			if err := tx.Tickets.Put(ctx, used, now); err != nil {
				return err
			}
			return tx.Records.Create(ctx, identity.Record{ID: "r1", Logins: []string{"alice"}, Created: now, Updated: now})
		})
	}
	fmt.Println(consume())
	fmt.Println(identity.KindOf(consume()))

	err = s.View(ctx, func(tx *store.Tx) error {
		r, err := tx.Records.ByLogin(ctx, "alice")
		fmt.Println(r.ID, r.Created)
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := s.Close(); err != nil {
		log.Fatal(err)
	}
	// Output:
	// <nil>
	// exists
	// r1 2026-11-23 12:00:00 +0000 UTC
}
