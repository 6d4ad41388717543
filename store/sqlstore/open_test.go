package sqlstore_test

import (
	"bytes"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/peer"
	"github.com/samlet-id/samlet/store"
	"github.com/samlet-id/samlet/store/sqlstore"
)

func sqlite(path string) sqlstore.Config {
	return sqlstore.Config{Driver: sqlstore.DriverSQLite, DSN: path}
}

// raw runs statements on the file at path, beside the store.
func raw(t testing.TB, path string, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite3", path)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range statements {
		if _, err := db.ExecContext(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// filled makes a closed database of some hundred records and returns its path.
func filled(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "samlet.db")
	s, err := sqlstore.Open(t.Context(), sqlite(path))
	if err != nil {
		t.Fatal(err)
	}
	err = s.Update(t.Context(), func(tx *store.Tx) error {
		for i := range 500 {
			r := identity.Record{ID: identity.RecordID(fmt.Sprintf("r%04d", i)), Logins: []string{fmt.Sprint("login ", i)}}
			if err := tx.Records.Create(t.Context(), r); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestOpenRefuses checks that what cannot be used is refused with one sentence
// that names the file, and is left as it was.
func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	overwrite := func(from, n int) func(testing.TB, string) {
		return func(t testing.TB, path string) {
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			copy(b[from:from+n], bytes.Repeat([]byte{0xa5}, n))
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	replace := func(content string) func(testing.TB, string) {
		return func(t testing.TB, path string) {
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, c := range []struct {
		name  string
		spoil func(t testing.TB, path string)
		code  identity.Code
	}{
		{"text", replace("server:\n  base_url: https://login.example.test\n"), "store.corrupt"},
		{"long text", replace(strings.Repeat("not a database\n", 4096)), "store.corrupt"},
		{"header overwritten", overwrite(0, 100), "store.corrupt"},
		{"schema overwritten", overwrite(100, 3000), "store.corrupt"},
		{"a page in the middle overwritten", overwrite(3*4096, 4096), "store.corrupt"},
		{"cut off", func(t testing.TB, path string) {
			if err := os.Truncate(path, 10_000); err != nil {
				t.Fatal(err)
			}
		}, "store.corrupt"},
		{"another program's database", func(t testing.TB, path string) {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			raw(t, path, `CREATE TABLE records (id TEXT)`)
		}, "store.foreign"},
		{"a newer schema", func(t testing.TB, path string) {
			raw(t, path, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)`)
		}, "store.newer"},
		{"a directory", func(t testing.TB, path string) {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
		}, "store.unreachable"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := filled(t)
			c.spoil(t, path)
			before, _ := os.ReadFile(path) // nothing for the directory
			s, err := sqlstore.Open(t.Context(), sqlite(path))
			if err == nil {
				t.Fatalf("opened; Close: %v", s.Close())
			}
			got := identity.AsError(err)
			if got.Kind != identity.KindUnavailable || got.Code != c.code {
				t.Errorf("got %v, want kind unavailable, code %s", err, c.code)
			}
			if !strings.Contains(got.Msg, path) || strings.Contains(got.Msg, "\n") {
				t.Errorf("got message %q, want one line that names the file", got.Msg)
			}
			after, _ := os.ReadFile(path) // as above
			if !bytes.Equal(before, after) {
				t.Error("the file was changed")
			}
		})
	}
}

func TestOpenConfig(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		cfg  sqlstore.Config
		kind identity.Kind
	}{
		{"nothing", sqlstore.Config{}, identity.KindInvalid},
		{"no DSN", sqlstore.Config{Driver: "sqlite"}, identity.KindInvalid},
		{"unknown driver", sqlstore.Config{Driver: "mysql", DSN: "x"}, identity.KindInvalid},
		{"malformed URL", sqlstore.Config{Driver: "postgres", DSN: "postgres://u:hunter2@:x/"}, identity.KindInvalid},
		{"negative pool", sqlstore.Config{Driver: "postgres", DSN: "postgres://u:hunter2@127.0.0.1:1/x", MaxConns: -1}, identity.KindInvalid},
		{"nobody listens", sqlstore.Config{Driver: "postgres", DSN: "postgres://u:hunter2@127.0.0.1:1/x?sslmode=disable"}, identity.KindUnavailable},
		{"below a file", sqlite("/dev/null/x/samlet.db"), identity.KindUnavailable},
	} {
		_, err := sqlstore.Open(t.Context(), c.cfg)
		if err == nil || identity.KindOf(err) != c.kind {
			t.Errorf("%s: got %v, want kind %s", c.name, err, c.kind)
		}
		if strings.Contains(fmt.Sprint(err), "hunter2") {
			t.Errorf("%s: the error tells the password: %v", c.name, err)
		}
	}
}

func TestOpenPostgresNewer(t *testing.T) {
	t.Parallel()
	cfg := sqlstore.Config{Driver: sqlstore.DriverPostgres, DSN: peer.Postgres(t)}
	open(t, cfg)
	db, err := sql.Open("pgx", cfg.DSN)
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.ExecContext(t.Context(), `INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, TRUE)`)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = sqlstore.Open(t.Context(), cfg)
	if got := identity.CodeOf(err); got != "store.newer" {
		t.Errorf("got %v, want code store.newer", err)
	}
}

// TestFileModes checks that nobody but the owner can read the data, whatever
// the umask.
func TestFileModes(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new", "data dir %41?#")
	s := open(t, sqlite(filepath.Join(dir, "samlet.db")))
	if err := s.Update(t.Context(), func(tx *store.Tx) error { return tx.Records.Create(t.Context(), identity.Record{ID: "r"}) }); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]os.FileMode{".": 0o700, "samlet.db": 0o600, "samlet.db-wal": 0o600, "samlet.db-shm": 0o600} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Error(err)
			continue
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s: got mode %o, want %o", name, got, want)
		}
	}
}

// TestBearerValuesHashed searches the files for what must not be in them.
func TestBearerValuesHashed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, sqlite(filepath.Join(dir, "samlet.db")))
	ctx, now := t.Context(), time.Now()
	err := s.Update(ctx, func(tx *store.Tx) error {
		if err := tx.Records.Create(ctx, identity.Record{ID: "visible"}); err != nil {
			return err
		}
		if err := tx.Sessions.Create(ctx, "bearer-of-session", identity.Session{ID: "s", Record: "visible"}); err != nil {
			return err
		}
		if _, _, err := tx.Counters.Hit(ctx, "bearer-of-counter", time.Hour, now); err != nil {
			return err
		}
		return tx.Tickets.Put(ctx, store.Ticket{Purpose: store.PurposeLogin, ID: "bearer-of-ticket", Expires: now.Add(time.Hour)}, now)
	})
	if err != nil {
		t.Fatal(err)
	}
	var all []byte
	for _, name := range []string{"samlet.db", "samlet.db-wal"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b...)
	}
	if !bytes.Contains(all, []byte("visible")) {
		t.Error("the record is not in the files: the test looks in the wrong place")
	}
	if i := bytes.Index(all, []byte("bearer-of-")); i >= 0 {
		t.Errorf("found %q in the files", all[i:i+20])
	}
}

// TestSharedFile opens one new file from several sides at once, as a server and
// command lines do, and lets all of them write.
func TestSharedFile(t *testing.T) {
	t.Parallel()
	shared(t, sqlite(filepath.Join(t.TempDir(), "samlet.db")))
}

// TestSharedPostgres does the same with nodes over one PostgreSQL.
func TestSharedPostgres(t *testing.T) {
	t.Parallel()
	shared(t, sqlstore.Config{Driver: sqlstore.DriverPostgres, DSN: peer.Postgres(t), MaxConns: 4})
}

func shared(t *testing.T, cfg sqlstore.Config) {
	const sides, each = 4, 25
	ctx := t.Context()
	var wg sync.WaitGroup
	for i := range sides {
		wg.Go(func() {
			s, err := sqlstore.Open(ctx, cfg)
			if err != nil {
				t.Errorf("side %d: Open: %v", i, err)
				return
			}
			for j := range each {
				err := s.Update(ctx, func(tx *store.Tx) error {
					_, _, err := tx.Counters.Hit(ctx, "shared", time.Hour, time.Now())
					if err != nil {
						return err
					}
					return tx.Records.Create(ctx, identity.Record{ID: identity.RecordID(fmt.Sprintf("%d-%02d", i, j))})
				})
				if err != nil {
					t.Errorf("side %d: Update: %v", i, err)
				}
			}
			if err := s.Close(); err != nil {
				t.Errorf("side %d: Close: %v", i, err)
			}
		})
	}
	wg.Wait()
	s := open(t, cfg)
	err := s.Update(ctx, func(tx *store.Tx) error {
		count, _, err := tx.Counters.Hit(ctx, "shared", time.Hour, time.Now())
		if err != nil {
			return err
		}
		if want := sides*each + 1; count != want {
			t.Errorf("got count %d, want %d", count, want)
		}
		all, err := tx.Records.List(ctx, "", 1000)
		if want := sides * each; len(all) != want {
			t.Errorf("got %d records, want %d", len(all), want)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestPostgresConnectionLost cuts the connections in the middle of an Update.
func TestPostgresConnectionLost(t *testing.T) {
	t.Parallel()
	cfg := sqlstore.Config{Driver: sqlstore.DriverPostgres, DSN: peer.Postgres(t)}
	s, ctx := open(t, cfg), t.Context()
	db, err := sql.Open("pgx", cfg.DSN)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	create := func(tx *store.Tx, id identity.RecordID) error {
		return tx.Records.Create(ctx, identity.Record{ID: id})
	}
	err = s.Update(ctx, func(tx *store.Tx) error {
		if err := create(tx, "lost"); err != nil {
			return err
		}
		_, err := db.ExecContext(ctx, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`)
		if err != nil {
			t.Error(err)
		}
		return create(tx, "lost too")
	})
	if got := identity.KindOf(err); err == nil || got != identity.KindUnavailable {
		t.Errorf("got %v, want kind unavailable", err)
	}
	if err := s.Update(ctx, func(tx *store.Tx) error { return create(tx, "kept") }); err != nil {
		t.Errorf("the next Update: %v", err)
	}
	err = s.View(ctx, func(tx *store.Tx) error {
		all, err := tx.Records.List(ctx, "", 10)
		if len(all) != 1 || all[0].ID != "kept" {
			t.Errorf("got records %v, want the kept one alone", all)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
