package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/samlet-id/samlet/identity"
)

func openEngine(t *testing.T) *sqlite {
	t.Helper()
	return openPath(t, filepath.Join(t.TempDir(), "samlet.db"))
}

func openPath(t *testing.T, path string) *sqlite {
	t.Helper()
	e, err := openSQLite(t.Context(), Config{DSN: path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return e.(*sqlite)
}

// TestSettings asks connections of both pools for what the DSN wanted, because
// go-sqlite3 says nothing about a key that it does not know.
func TestSettings(t *testing.T) {
	t.Parallel()
	s := openEngine(t)
	shared := map[string]string{
		"busy_timeout": "5000", "foreign_keys": "1", "cache_size": "-65536", "mmap_size": "268435456", "journal_mode": "wal",
	}
	for _, p := range []struct {
		name string
		db   *sql.DB
		own  map[string]string
	}{
		{"writer", s.writer, map[string]string{"synchronous": "2", "query_only": "0", "journal_size_limit": "67108864", "application_id": "1397574740"}},
		{"reader", s.readers, map[string]string{"query_only": "1"}},
	} {
		for _, settings := range []map[string]string{shared, p.own} {
			for name, want := range settings {
				var got string
				if err := p.db.QueryRowContext(t.Context(), "PRAGMA "+name).Scan(&got); err != nil {
					t.Errorf("%s: %s: %v", p.name, name, err)
				}
				if got != want {
					t.Errorf("%s: %s: got %s, want %s", p.name, name, got, want)
				}
			}
		}
	}
	if _, err := s.readers.ExecContext(t.Context(), `DELETE FROM records`); err == nil {
		t.Error("a reader could write")
	}
	if got := s.writer.Stats().MaxOpenConnections; got != 1 {
		t.Errorf("got %d writers, want 1", got)
	}
}

// TestImmediate checks that a writing transaction has the write lock from its
// first moment.
func TestImmediate(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "samlet.db")
	s := openPath(t, path)
	tx, err := s.writer.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := tx.Rollback(); err != nil {
			t.Error(err)
		}
	}()
	other, err := sql.Open("sqlite3", path+"?_busy_timeout=1")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := other.Close(); err != nil {
			t.Error(err)
		}
	}()
	_, err = other.ExecContext(t.Context(), `DELETE FROM records`)
	if got := identity.CodeOf(sqliteErrors.apply(err)); got != "store.busy" {
		t.Errorf("another writer: got %v, want it to be locked out", err)
	}
}

// queued lets fns queue up behind one Update that is held back, releases that
// one, and returns the errors of all, the held one's first. It has to be called
// within a synctest bubble.
func queued(t *testing.T, s *sqlite, held func(*conn) error, fns ...func(*conn) error) []error {
	t.Helper()
	errs := make([]error, len(fns)+1)
	inside, release := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		errs[0] = s.update(t.Context(), func(c *conn) error {
			close(inside)
			<-release
			return held(c)
		})
	})
	<-inside
	for i, fn := range fns {
		wg.Go(func() { errs[i+1] = s.update(t.Context(), fn) })
	}
	synctest.Wait() // until they all stand in the queue
	close(release)
	wg.Wait()
	return errs
}

func create(id identity.RecordID) func(*conn) error {
	return func(c *conn) error { return records{c}.Create(context.Background(), identity.Record{ID: id}) }
}

func stored(t *testing.T, s *sqlite) (ids []identity.RecordID) {
	t.Helper()
	err := s.view(t.Context(), func(c *conn) error {
		all, err := records{c}.List(t.Context(), "", 1000)
		for _, r := range all {
			ids = append(ids, r.ID)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

// TestGroupShares checks that Updates which wait together run in one
// transaction, and that one which fails takes nothing else with it.
func TestGroupShares(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := openEngine(t)
		transactions := make(chan session, 3)
		in := func(fn func(*conn) error) func(*conn) error {
			return func(c *conn) error {
				transactions <- c.db
				return fn(c)
			}
		}
		refused := func(c *conn) error {
			if err := create("refused")(c); err != nil {
				return err
			}
			return exists("record")
		}
		errs := queued(t, s, create("a"), in(create("b")), in(refused), in(create("c")))
		if errs[0] != nil || errs[1] != nil || errs[3] != nil || identity.KindOf(errs[2]) != identity.KindExists {
			t.Errorf("got errors %v, want none but the third's own", errs)
		}
		first := <-transactions
		for range 2 {
			if next := <-transactions; next != first {
				t.Error("Updates that waited together ran in different transactions")
			}
		}
		if diff := cmp.Diff([]identity.RecordID{"a", "b", "c"}, stored(t, s)); diff != "" {
			t.Errorf("stored (-want +got):\n%s", diff)
		}
	})
}

// TestGroupLost checks that when SQLite drops the whole transaction, as it does
// when the disk is full, everybody in it is told so, and the next one works.
func TestGroupLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := openEngine(t)
		full := func(c *conn) error {
			// What an automatic rollback leaves behind: no transaction.
			if _, err := c.db.ExecContext(context.Background(), `ROLLBACK`); err != nil {
				t.Error(err)
			}
			return c.fail(unavailable("store.full", "The disk is full.", nil))
		}
		errs := queued(t, s, create("a"), full)
		for i, err := range errs {
			if got := identity.CodeOf(err); got != "store.full" {
				t.Errorf("caller %d: got %v, want code store.full", i, err)
			}
		}
		if err := s.update(t.Context(), create("b")); err != nil {
			t.Errorf("the next one: %v", err)
		}
		if diff := cmp.Diff([]identity.RecordID{"b"}, stored(t, s)); diff != "" {
			t.Errorf("stored (-want +got):\n%s", diff)
		}
	})
}

// TestSteady checks that the end of a caller's context does not interrupt a
// statement: SQLite would answer by rolling back the whole group.
func TestSteady(t *testing.T) {
	t.Parallel()
	s := openEngine(t)
	err := s.update(t.Context(), func(c *conn) error {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		_, err := c.exec(ctx, `
INSERT INTO counters (id, count, ends)
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000)
SELECT CAST(i AS BLOB), 1, 1 FROM n`)
		if err != nil {
			t.Errorf("the statement that ran when the context ended: %v", err)
		}
		<-ctx.Done()
		_, err = c.exec(ctx, `DELETE FROM counters`)
		return err
	})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the next statement: got %v, want context.DeadlineExceeded", err)
	}
}

// TestCloseWaits checks that Close completes the Update that runs and refuses
// the one that waits.
func TestCloseWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := openEngine(t)
		errs := queued(t, s, func(c *conn) error {
			go s.group.close()
			<-s.group.quit
			return create("a")(c)
		}, create("b"))
		<-s.group.done
		if errs[0] != nil {
			t.Errorf("the running Update: %v", errs[0])
		}
		if errs[1] != nil && identity.CodeOf(errs[1]) != "store.closed" {
			t.Errorf("the waiting Update: got %v, want it done or refused with store.closed", errs[1])
		}
	})
}
