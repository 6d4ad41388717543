package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

// updateTries bounds how often an Update runs when it keeps losing, and
// longestYield how long it waits in between: about a second in all.
const (
	updateTries  = 24
	longestYield = 64 * time.Millisecond
)

// postgres is the engine on PostgreSQL.
type postgres struct {
	db *sql.DB
	// again holds one token. An Update that lost once runs again only while it
	// has the token, so that those who lost against each other do not meet
	// again; the bounded tries are for other nodes and for newcomers.
	again chan struct{}
}

func openPostgres(ctx context.Context, cfg Config) (engine, error) {
	pc, err := pgx.ParseConfig(cfg.DSN)
	if err != nil {
		return nil, invalid("The PostgreSQL DSN cannot be read.", err)
	}
	if cfg.MaxConns < 0 {
		return nil, invalid("The number of connections is negative.", nil)
	}
	n := cfg.MaxConns
	if n == 0 {
		n = max(8, 4*runtime.GOMAXPROCS(0))
	}
	db := sql.OpenDB(stdlib.GetConnector(*pc))
	db.SetMaxOpenConns(n)
	db.SetMaxIdleConns(n)
	db.SetConnMaxIdleTime(5 * time.Minute)
	db.SetConnMaxLifetime(time.Hour)

	name := fmt.Sprintf("%s at %s:%d", pc.Database, pc.Host, pc.Port)
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 300), lock.WithUnlockTimeout(1, 60))
	if err != nil {
		return nil, opening(name, errors.Join(err, db.Close()))
	}
	err = migrate(ctx, db, goose.DialectPostgres, "migrations/postgres", postgresErrors, goose.WithSessionLocker(locker))
	if err != nil {
		return nil, opening(name, errors.Join(err, db.Close()))
	}
	return &postgres{db: db, again: make(chan struct{}, 1)}, nil
}

func (s *postgres) view(ctx context.Context, fn func(*conn) error) error {
	tx, err := s.db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return postgresErrors.apply(err)
	}
	// Nothing was written, so a failure to end the transaction loses nothing.
	defer func() { _ = tx.Rollback() }()
	return busy((&conn{db: tx, errs: postgresErrors, readOnly: true}).do(fn))
}

// update runs fn in a SERIALIZABLE transaction: what it read is what it would
// read if it had the database to itself, as on SQLite.
func (s *postgres) update(ctx context.Context, fn func(*conn) error) error {
	err := s.attempt(ctx, fn)
	if !errors.Is(err, errConflict) {
		return err
	}
	select {
	case s.again <- struct{}{}:
		defer func() { <-s.again }()
	case <-ctx.Done():
		return cancelled(ctx.Err())
	}
	for try := range updateTries {
		if err := yield(ctx, try); err != nil {
			return err
		}
		if err = s.attempt(ctx, fn); !errors.Is(err, errConflict) {
			return err
		}
	}
	return busy(err)
}

// yield waits before another try, longer each time and never as long as another
// node does: nodes that retry in step would lose to each other for ever.
func yield(ctx context.Context, try int) error {
	most := min(time.Millisecond<<min(try, 16), longestYield)
	wait := time.NewTimer(rand.N(most)) //nolint:gosec // spreads load, and guards nothing
	defer wait.Stop()
	select {
	case <-wait.C:
		return nil
	case <-ctx.Done():
		return cancelled(ctx.Err())
	}
}

// busy turns a conflict that is not to be retried into an answer.
func busy(err error) error {
	if errors.Is(err, errConflict) {
		return unavailable("store.busy", "The database is busy.", err)
	}
	return err
}

// attempt runs fn once; errConflict asks for another attempt.
func (s *postgres) attempt(ctx context.Context, fn func(*conn) error) error {
	tx, err := s.db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelSerializable})
	if err != nil {
		return postgresErrors.apply(err)
	}
	// After a commit this does nothing; else the server has dropped the
	// transaction already, or will when it finds the connection gone.
	defer func() { _ = tx.Rollback() }()
	c := &conn{db: tx, errs: postgresErrors}
	err = c.do(fn)
	if errors.Is(c.failed, errConflict) {
		return errConflict // whatever fn made of it
	}
	if err != nil {
		return err
	}
	return postgresErrors.apply(tx.Commit())
}

func (s *postgres) ping(ctx context.Context) error {
	return postgresErrors.apply(s.db.PingContext(ctx))
}

func (s *postgres) close() error { return postgresErrors.apply(s.db.Close()) }

// postgresErrors tells the SQLSTATEs apart (PostgreSQL manual, appendix A).
var postgresErrors = mapper(func(err error) error {
	unreachable := unavailable("store.unreachable", "PostgreSQL cannot be reached.", err)
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch class := e.Code[:min(2, len(e.Code))]; {
		case class == "40": // serialization_failure, deadlock_detected
			return errConflict
		case e.Code == "23503":
			return dangling(err)
		case class == "54", class == "22": // a limit of PostgreSQL, a value it cannot hold
			return invalid("The value cannot be stored.", err)
		case class == "53": // disk, memory or connections run out
			return unavailable("store.full", "PostgreSQL is out of resources.", err)
		case class == "28", class == "3D": // password, no such database
			return unavailable("store.refused", "PostgreSQL refuses us: "+e.Message+".", err)
		case class == "08", class == "57": // connection lost, shutting down
			return unreachable
		}
		return nil
	}
	_, connect := errors.AsType[*pgconn.ConnectError](err)
	_, network := errors.AsType[net.Error](err)
	broken := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) || errors.Is(err, driver.ErrBadConn)
	if connect || network || broken || pgconn.SafeToRetry(err) {
		return unreachable
	}
	return nil
})
