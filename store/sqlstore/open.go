package sqlstore

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/store"
)

// The values of Config.Driver.
const (
	DriverSQLite   = "sqlite"
	DriverPostgres = "postgres"
)

// Memory is the DSN of an SQLite database that lives in memory, belongs to one
// Store alone and ends with it.
const Memory = ":memory:"

// Config says where the data is.
type Config struct {
	// Driver is DriverSQLite or DriverPostgres.
	Driver string
	// DSN is, for SQLite, the path of the database file, or Memory; missing
	// directories are made (0700), and so is the file (0600). For PostgreSQL
	// it is a URL or a keyword/value string as libpq reads it.
	DSN string
	// MaxConns bounds the connections to PostgreSQL; zero means four per
	// processor, at least eight. SQLite does not use it.
	MaxConns int
}

// engine is what differs between the databases.
type engine interface {
	view(ctx context.Context, fn func(*conn) error) error
	update(ctx context.Context, fn func(*conn) error) error
	ping(ctx context.Context) error
	close() error
}

// Store is a store.Store on a database.
type Store struct {
	engine engine
	closed atomic.Bool
}

var _ store.Store = (*Store)(nil)

// Open opens the database of cfg and brings its schema up to date; several
// processes may do so at once. A database that a newer samlet has written, a
// damaged file and a file of another program are refused with KindUnavailable
// (codes store.newer, store.corrupt, store.foreign) and left as they are.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	if cfg.DSN == "" {
		return nil, invalid("The database has no DSN.", nil)
	}
	var e engine
	var err error
	switch cfg.Driver {
	case DriverSQLite:
		e, err = openSQLite(ctx, cfg)
	case DriverPostgres:
		e, err = openPostgres(ctx, cfg)
	default:
		return nil, &identity.Error{
			Kind: identity.KindInvalid, Code: "store.driver", Msg: "The database driver is not known.",
			Seen: cfg.Driver, Expected: DriverSQLite + " or " + DriverPostgres, Who: identity.WhoOperator,
		}
	}
	if err != nil {
		return nil, err
	}
	return &Store{engine: e}, nil
}

// View implements store.Store.
func (s *Store) View(ctx context.Context, fn func(*store.Tx) error) error {
	if s.closed.Load() {
		return closed()
	}
	return s.engine.view(ctx, func(c *conn) error { return fn(c.tx()) })
}

// Update implements store.Store.
func (s *Store) Update(ctx context.Context, fn func(*store.Tx) error) error {
	return s.update(ctx, func(c *conn) error { return fn(c.tx()) })
}

func (s *Store) update(ctx context.Context, fn func(*conn) error) error {
	if s.closed.Load() {
		return closed()
	}
	return s.engine.update(ctx, fn)
}

// Ping implements store.Store.
func (s *Store) Ping(ctx context.Context) error {
	if s.closed.Load() {
		return closed()
	}
	return s.engine.ping(ctx)
}

// Close implements store.Store.
func (s *Store) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	return s.engine.close()
}

// sweepRows bounds one transaction of Sweep, so that a login that comes along
// never waits for a long one.
const sweepRows = 1000

// Sweep implements store.Store.
func (s *Store) Sweep(ctx context.Context, now time.Time) (int, error) {
	total := 0
	for _, statement := range []string{
		`DELETE FROM tickets WHERE (purpose, id) IN (SELECT purpose, id FROM tickets WHERE expires <= $1 LIMIT $2)`,
		`DELETE FROM counters WHERE id IN (SELECT id FROM counters WHERE ends <= $1 LIMIT $2)`,
		`DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE not_after <= $1 LIMIT $2)`,
	} {
		for {
			var n int64
			err := s.update(ctx, func(c *conn) (err error) {
				n, err = c.exec(ctx, statement, micros(now), sweepRows)
				return err
			})
			if err != nil {
				return total, fmt.Errorf("sweeping: %w", err)
			}
			total += int(n)
			if n < sweepRows {
				break
			}
		}
	}
	return total, nil
}
