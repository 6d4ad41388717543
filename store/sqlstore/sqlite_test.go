package sqlstore

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/store"
)

func TestSmoke(t *testing.T) {
	for _, dsn := range []string{Memory, filepath.Join(t.TempDir(), "a b%?#.db")} {
		s, err := Open(t.Context(), Config{Driver: DriverSQLite, DSN: dsn})
		if err != nil {
			t.Fatal(err)
		}
		r := identity.Record{ID: "r1", Logins: []string{"a", "b"}, Values: []identity.Value{{Name: "mail", Value: "x@example.test", Source: "local"}}, Created: time.Unix(5, 0)}
		if err := s.Update(t.Context(), func(tx *store.Tx) error {
			if err := tx.Records.Create(t.Context(), r); err != nil {
				return err
			}
			c, e, err := tx.Counters.Hit(t.Context(), "k", time.Hour, time.Now())
			t.Log(c, e, err)
			return tx.Events.Append(t.Context(), identity.Event{Record: "r1"})
		}); err != nil {
			t.Fatal(err)
		}
		if err := s.View(t.Context(), func(tx *store.Tx) error {
			g, err := tx.Records.ByLogin(t.Context(), "b")
			t.Logf("%+v", g)
			l, _ := tx.Records.List(t.Context(), "", 5)
			t.Log(len(l))
			return err
		}); err != nil {
			t.Fatal(err)
		}
		n, err := s.Sweep(t.Context(), time.Now().Add(48*time.Hour))
		t.Log(n, err)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
