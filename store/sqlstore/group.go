package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
)

// groupSize bounds how many Updates share one commit.
const groupSize = 256

// group is the writer of an SQLite database: one goroutine that owns the only
// writing connection. It opens a transaction when the first Update arrives,
// lets every Update that is waiting have its turn in a savepoint of its own,
// commits once, and then answers them all. A synchronous commit costs a disk
// flush, so 64 concurrent callers pay for a few flushes rather than for 64.
//
// A turn runs on the goroutine of its caller, while the writer waits: a panic
// (or runtime.Goexit) in a caller's function unwinds that caller's stack and
// rolls back that caller's savepoint, and nobody else's.
type group struct {
	db    *sql.DB
	errs  mapper
	queue chan *turn
	quit  chan struct{} // closed by close
	done  chan struct{} // closed when the writer has ended
	once  sync.Once
}

// turn is one Update in the queue.
type turn struct {
	ctx    context.Context
	start  chan *sql.Tx // the writer hands over the transaction
	ran    chan error   // the caller hands it back: nil, or why the group is lost
	result chan error   // the writer tells how the commit ended
}

func newGroup(db *sql.DB, errs mapper) *group {
	g := &group{db: db, errs: errs, queue: make(chan *turn), quit: make(chan struct{}), done: make(chan struct{})}
	go g.write()
	return g
}

// close stops the writer and waits until it has answered the turns it began.
func (g *group) close() {
	g.once.Do(func() { close(g.quit) })
	<-g.done
}

// update runs fn in the next shared transaction and returns when it is durable.
func (g *group) update(ctx context.Context, fn func(*conn) error) error {
	t := &turn{ctx: ctx, start: make(chan *sql.Tx), ran: make(chan error, 1), result: make(chan error, 1)}
	select {
	case g.queue <- t:
	case <-ctx.Done():
		return cancelled(ctx.Err())
	case <-g.quit:
		return closed()
	}
	select {
	case tx := <-t.start:
		err := g.take(t, tx, fn)
		if lost := <-t.result; lost != nil {
			return g.errs.apply(lost)
		}
		return err
	case err := <-t.result: // no transaction could be opened
		return g.errs.apply(err)
	case <-ctx.Done():
		return cancelled(ctx.Err())
	}
}

// take runs fn within a savepoint of tx and hands tx back, whatever happens.
func (g *group) take(t *turn, tx *sql.Tx, fn func(*conn) error) error {
	c := &conn{db: tx, errs: g.errs, steady: true}
	kept := false
	defer func() {
		if kept {
			t.ran <- nil
			return
		}
		// A full disk or a failing one makes SQLite roll back everything,
		// savepoints included: then the group is lost with this turn.
		if err := execAll(tx, `ROLLBACK TO turn`, `RELEASE turn`); err != nil {
			t.ran <- errors.Join(c.failed, err)
			return
		}
		t.ran <- nil
	}()
	if err := execAll(tx, `SAVEPOINT turn`); err != nil {
		return c.fail(err)
	}
	if err := c.do(fn); err != nil {
		return err
	}
	if err := execAll(tx, `RELEASE turn`); err != nil {
		return c.fail(err)
	}
	kept = true
	return nil
}

// execAll runs statements one after the other. They are not interruptible, because
// SQLite answers an interrupted write by rolling back the whole transaction.
func execAll(tx *sql.Tx, statements ...string) error {
	for _, s := range statements {
		if _, err := tx.ExecContext(context.Background(), s); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
	}
	return nil
}

// write is the writer goroutine.
func (g *group) write() {
	defer close(g.done)
	for {
		select {
		case t := <-g.queue:
			g.commit(t)
		case <-g.quit:
			return
		}
	}
}

// commit gives first, and everybody who waits by the time it is their turn, one
// common transaction.
func (g *group) commit(first *turn) {
	tx, err := g.db.BeginTx(context.Background(), nil)
	if err != nil {
		for t, n := first, 0; t != nil; n++ {
			t.result <- err
			t = g.next(n)
		}
		return
	}
	var turns []*turn
	for t := first; t != nil; t = g.next(len(turns)) {
		select {
		case t.start <- tx:
			turns = append(turns, t)
			err = <-t.ran
		case <-t.ctx.Done(): // it gave up while it was queued
		}
		if err != nil {
			break
		}
	}
	if err == nil {
		err = tx.Commit()
	} else {
		err = errors.Join(err, tx.Rollback())
	}
	for _, t := range turns {
		t.result <- err
	}
}

// next returns a waiting turn, or nil if nobody waits or n turns are enough.
func (g *group) next(n int) *turn {
	if n >= groupSize {
		return nil
	}
	select {
	case t := <-g.queue:
		return t
	default:
		return nil
	}
}
