package sqlstore_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/peer"
	"github.com/samlet-id/samlet/store"
	"github.com/samlet-id/samlet/store/sqlstore"
)

// drivers runs a benchmark on SQLite in a file and on PostgreSQL.
func drivers(b *testing.B, bench func(*testing.B, *sqlstore.Store)) {
	b.Run("sqlite", func(b *testing.B) { bench(b, open(b, sqlite(filepath.Join(b.TempDir(), "samlet.db")))) })
	b.Run("postgres", func(b *testing.B) {
		bench(b, open(b, sqlstore.Config{Driver: sqlstore.DriverPostgres, DSN: peer.Postgres(b)}))
	})
}

// BenchmarkSession reads a session by its token: what an existing-session SSO
// asks of the store.
func BenchmarkSession(b *testing.B) {
	drivers(b, func(b *testing.B, s *sqlstore.Store) {
		ctx, now := b.Context(), time.Now()
		fill(b, s, 1)
		v := identity.Session{ID: "s", Record: "r0", Created: now, NotAfter: now.Add(time.Hour)}
		if err := s.Update(ctx, func(tx *store.Tx) error { return tx.Sessions.Create(ctx, "token", v) }); err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			err := s.View(ctx, func(tx *store.Tx) error {
				_, err := tx.Sessions.Get(ctx, "token", now)
				return err
			})
			if err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkUpdate puts one ticket in each Update, durably, from one caller and
// from 64 at once, which share commits on SQLite. PostgreSQL's figures are of a
// server that does not sync to disk.
func BenchmarkUpdate(b *testing.B) {
	for _, callers := range []int{1, 64} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			drivers(b, func(b *testing.B, s *sqlstore.Store) {
				ctx, now := b.Context(), time.Now()
				var n atomic.Int64
				put := func() error {
					v := store.Ticket{Purpose: store.PurposeLogin, ID: fmt.Sprint(n.Add(1)), Payload: make([]byte, 512), Expires: now.Add(time.Hour)}
					return s.Update(ctx, func(tx *store.Tx) error { return tx.Tickets.Put(ctx, v, now) })
				}
				if callers == 1 {
					for b.Loop() {
						if err := put(); err != nil {
							b.Fatal(err)
						}
					}
				} else {
					b.SetParallelism(callers / runtime.GOMAXPROCS(0))
					b.ResetTimer()
					b.RunParallel(func(pb *testing.PB) {
						for pb.Next() {
							if err := put(); err != nil {
								b.Error(err)
							}
						}
					})
				}
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
			})
		})
	}
}

// BenchmarkLogin looks a record up by its sign-in name among few and many.
func BenchmarkLogin(b *testing.B) {
	for _, n := range []int{1_000, 100_000} {
		b.Run(fmt.Sprintf("records=%d", n), func(b *testing.B) {
			s := open(b, sqlite(filepath.Join(b.TempDir(), "samlet.db")))
			fill(b, s, n)
			ctx, i := b.Context(), 0
			for b.Loop() {
				i = (i + 7919) % n
				err := s.View(ctx, func(tx *store.Tx) error {
					r, err := tx.Records.ByLogin(ctx, fmt.Sprint("login ", i))
					if len(r.Values) != 3 {
						return errors.Join(err, fmt.Errorf("got %d values, want 3", len(r.Values)))
					}
					return err
				})
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkMail looks records up by a mail address among few and many.
func BenchmarkMail(b *testing.B) {
	for _, n := range []int{1_000, 100_000} {
		b.Run(fmt.Sprintf("records=%d", n), func(b *testing.B) {
			s := open(b, sqlite(filepath.Join(b.TempDir(), "samlet.db")))
			fill(b, s, n)
			ctx, i := b.Context(), 0
			for b.Loop() {
				i = (i + 7919) % n
				err := s.View(ctx, func(tx *store.Tx) error {
					found, err := tx.Records.ByMail(ctx, fmt.Sprint(identity.Mail, "-", i))
					if len(found) != 1 {
						return errors.Join(err, fmt.Errorf("got %d records, want 1", len(found)))
					}
					return err
				})
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// fill stores n records.
func fill(b *testing.B, s *sqlstore.Store, n int) {
	b.Helper()
	ctx := b.Context()
	for i := 0; i < n; i += 1000 {
		err := s.Update(ctx, func(tx *store.Tx) error {
			for j := i; j < min(i+1000, n); j++ {
				r := identity.Record{ID: identity.RecordID(fmt.Sprint("r", j)), Logins: []string{fmt.Sprint("login ", j)}}
				for _, name := range []identity.Name{identity.Mail, identity.DisplayName, identity.Groups} {
					r.Values = append(r.Values, identity.Value{Name: name, Value: fmt.Sprint(name, "-", j), Source: "partner"})
				}
				if err := tx.Records.Create(ctx, r); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}
