package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/mattn/go-sqlite3"
	"github.com/pressly/goose/v3"

	"github.com/samlet-id/samlet/identity"
)

// applicationID marks our files (PRAGMA application_id): "SMLT".
const applicationID = 0x534d4c54

// checkedSize is the largest file, in bytes, that is checked from end to end
// when it is opened. Larger ones would delay the start; what is damaged in them
// shows when it is read.
const checkedSize = 4 << 20

// How often, and after which pause, opening a file is tried that another process
// has locked.
const (
	busyTries = 100
	busyPause = 50 * time.Millisecond
)

// sqlite is the engine on SQLite. In memory, readers and writer are one pool of
// one connection, since the database is that connection's own.
type sqlite struct {
	readers *sql.DB
	writer  *sql.DB
	group   *group
}

// sqliteConnector opens connections of one kind, so that no driver has to be
// registered under a global name.
type sqliteConnector struct {
	driver *sqlite3.SQLiteDriver
	dsn    string
}

// Connect implements driver.Connector.
func (c sqliteConnector) Connect(context.Context) (driver.Conn, error) { return c.driver.Open(c.dsn) }

// Driver implements driver.Connector.
func (c sqliteConnector) Driver() driver.Driver { return c.driver }

// pool opens a pool of n connections to the database file at path. The settings
// that go-sqlite3 does not know as DSN keys are made by pragmas on each new
// connection.
func pool(path string, n int, settings string, pragmas ...string) *sql.DB {
	uri := path
	if path != Memory {
		uri = "file:" + (&url.URL{Path: filepath.ToSlash(path)}).EscapedPath()
	}
	d := &sqlite3.SQLiteDriver{ConnectHook: func(c *sqlite3.SQLiteConn) error {
		for _, p := range pragmas {
			if _, err := c.Exec(p, nil); err != nil {
				return fmt.Errorf("%s: %w", p, err)
			}
		}
		return nil
	}}
	db := sql.OpenDB(sqliteConnector{driver: d, dsn: uri + "?" + settings})
	db.SetMaxOpenConns(n)
	db.SetMaxIdleConns(n)
	return db
}

const (
	// sharedSettings are those of readers and writer. The cache is in KiB. A
	// connection is used by one goroutine at a time, so SQLite's own mutexes
	// are not needed. Unknown keys would be ignored in silence; TestSettings
	// asks the connections.
	sharedSettings = "_busy_timeout=5000&_foreign_keys=on&_mutex=no&_cache_size=-65536&_stmt_cache_size=64"
	// writerSettings: immediate transactions take the write lock at once and
	// never have to give up half-way; FULL flushes the log at every commit.
	writerSettings = sharedSettings + "&_txlock=immediate&_journal_mode=WAL&_synchronous=FULL"
	readerSettings = sharedSettings + "&mode=ro&_query_only=1"

	pragmaMmap    = `PRAGMA mmap_size = 268435456`         // 256 MiB
	pragmaJournal = `PRAGMA journal_size_limit = 67108864` // 64 MiB
)

func openSQLite(ctx context.Context, cfg Config) (engine, error) {
	if cfg.DSN == Memory {
		return openMemory(ctx)
	}
	path, err := filepath.Abs(cfg.DSN)
	if err != nil {
		return nil, opening(cfg.DSN, err)
	}
	if err := makeFile(path); err != nil {
		return nil, opening(path, unavailable("store.unreachable", "The file cannot be opened.", err))
	}
	if err := inspect(ctx, path); err != nil {
		return nil, opening(path, sqliteErrors.apply(err))
	}
	s := &sqlite{
		writer:  pool(path, 1, writerSettings, pragmaMmap, pragmaJournal),
		readers: pool(path, 2*runtime.GOMAXPROCS(0), readerSettings, pragmaMmap),
	}
	if err := s.migrate(ctx); err != nil {
		return nil, opening(path, errors.Join(err, s.writer.Close(), s.readers.Close()))
	}
	s.group = newGroup(s.writer, sqliteErrors)
	return s, nil
}

// migrate brings the schema up to date. While a new file goes over to the
// write-ahead log, SQLite refuses other processes without waiting for the busy
// timeout; so the waiting is done here.
func (s *sqlite) migrate(ctx context.Context) error {
	for range busyTries {
		err := migrate(ctx, s.writer, goose.DialectSQLite3, "migrations/sqlite", sqliteErrors)
		if identity.CodeOf(err) != "store.busy" {
			return err
		}
		select {
		case <-ctx.Done():
			return cancelled(ctx.Err())
		case <-time.After(busyPause):
		}
	}
	return unavailable("store.busy", "Another process does not let go of it.", nil)
}

func openMemory(ctx context.Context) (engine, error) {
	db := pool(Memory, 1, sharedSettings)
	if err := migrate(ctx, db, goose.DialectSQLite3, "migrations/sqlite", sqliteErrors); err != nil {
		return nil, opening(Memory, errors.Join(err, db.Close()))
	}
	return &sqlite{writer: db, readers: db, group: newGroup(db, sqliteErrors)}, nil
}

// makeFile makes the file if there is none, for its owner alone; SQLite gives
// the files beside it (-wal, -shm) the same mode.
func makeFile(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

// inspect refuses what must not be written to: a file that is damaged or no
// database, and another program's database. It changes nothing.
func inspect(ctx context.Context, path string) (err error) {
	db := pool(path, 1, "mode=rw&_busy_timeout=5000")
	defer func() { err = errors.Join(err, db.Close()) }()
	tx, err := db.BeginTx(ctx, nil) // the next two have to tell of the same moment
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, tx.Rollback()) }()
	var id, tables int
	if err := tx.QueryRowContext(ctx, `PRAGMA application_id`).Scan(&id); err != nil {
		return err
	}
	// The first migration sets the ID; goose makes its table before that.
	err = tx.QueryRowContext(ctx, `SELECT COUNT(name) FROM sqlite_schema WHERE name NOT IN ('goose_db_version', 'sqlite_sequence')`).Scan(&tables)
	if err != nil {
		return err
	}
	if id != applicationID && (id != 0 || tables > 0) {
		return unavailable("store.foreign", "The file is another program's database.", nil)
	}
	info, err := os.Stat(path)
	if err != nil || info.Size() > checkedSize {
		return err
	}
	var verdict string
	if err := tx.QueryRowContext(ctx, `PRAGMA quick_check(1)`).Scan(&verdict); err != nil {
		return err
	}
	if verdict != "ok" {
		return corrupt(errors.New(verdict))
	}
	return nil
}

func (s *sqlite) update(ctx context.Context, fn func(*conn) error) error {
	return s.group.update(ctx, fn)
}

// view begins and ends its transaction by statement rather than by sql.Tx, which
// would start a goroutine for itself and one for each query, to wait for a
// context that cannot end: a third of what a View costs.
func (s *sqlite) view(ctx context.Context, fn func(*conn) error) error {
	db, err := s.readers.Conn(ctx)
	if err != nil {
		return sqliteErrors.apply(err)
	}
	steady := context.WithoutCancel(ctx)
	if _, err := db.ExecContext(steady, `BEGIN`); err != nil {
		return sqliteErrors.apply(errors.Join(err, db.Close()))
	}
	defer func() {
		// Nothing was written, so neither can lose anything.
		_, _ = db.ExecContext(steady, `ROLLBACK`)
		_ = db.Close()
	}()
	return (&conn{db: db, errs: sqliteErrors, readOnly: true, steady: true}).do(fn)
}

func (s *sqlite) ping(ctx context.Context) error {
	return s.view(ctx, func(c *conn) error {
		var one int
		_, err := c.one(ctx, []any{&one}, `SELECT 1 FROM records LIMIT 1`)
		return err
	})
}

// close ends the readers first: the last connection that closes folds the
// write-ahead log into the file, and only the writer may do so.
func (s *sqlite) close() error {
	s.group.close()
	return sqliteErrors.apply(errors.Join(s.readers.Close(), s.writer.Close()))
}

func corrupt(err error) error {
	return unavailable("store.corrupt", "The file is damaged or is not a database.", err)
}

// sqliteErrors tells SQLite's result codes apart.
var sqliteErrors = mapper(func(err error) error {
	e, ok := errors.AsType[sqlite3.Error](err)
	if !ok {
		return nil
	}
	switch e.Code {
	case sqlite3.ErrCorrupt, sqlite3.ErrNotADB:
		return corrupt(err)
	case sqlite3.ErrBusy, sqlite3.ErrLocked:
		return unavailable("store.busy", "The database is busy.", err)
	case sqlite3.ErrFull:
		return unavailable("store.full", "The disk is full.", err)
	case sqlite3.ErrIoErr, sqlite3.ErrCantOpen, sqlite3.ErrPerm, sqlite3.ErrReadonly, sqlite3.ErrNomem:
		return unavailable("store.unreachable", "The database file cannot be read or written.", err)
	case sqlite3.ErrTooBig:
		return invalid("The value is too long.", err)
	case sqlite3.ErrConstraint:
		if e.ExtendedCode == sqlite3.ErrConstraintForeignKey {
			return dangling(err)
		}
	}
	return nil
})
