package login

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/store"
)

// journalEvery is the longest that an answer waits to be recorded, and
// journalFull how many may wait. When the store refuses writes for so long that
// it is full, no more answers are given: none goes unrecorded.
const (
	journalEvery = 100 * time.Millisecond
	journalAgain = 2 * time.Second // after a failure
	journalFull  = 1 << 16
)

// entry is what there is to record of one answer from a live session. A refusal
// has no participant.
type entry struct {
	participant identity.Participant
	event       identity.Event
}

// journal records answers behind them, many in one Update, so that an answer
// from a live session waits for no disk. Nothing is lost at an orderly end; a
// crash may lose the entries of the last journalEvery.
type journal struct {
	db  store.Store
	log *slog.Logger

	wake    chan struct{} // one pending wake-up is enough
	stop    chan struct{}
	done    chan struct{}
	writing sync.Mutex // held while a batch is on its way
	mu      sync.Mutex
	queue   []entry
	closed  bool
}

func newJournal(db store.Store, log *slog.Logger) *journal {
	j := &journal{db: db, log: log, wake: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{})}
	go j.run()
	return j
}

// add queues e. It fails when the journal is full or closed; then the answer
// must not be given.
func (j *journal) add(e entry) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed || len(j.queue) >= journalFull {
		return &identity.Error{
			Kind: identity.KindUnavailable, Code: "login.journal", Who: identity.WhoOperator,
			Msg: "We cannot record sign-ins at the moment, so we give no answers. Try again soon.",
		}
	}
	j.queue = append(j.queue, e)
	select {
	case j.wake <- struct{}{}:
	default: // the journal is awake already
	}
	return nil
}

func (j *journal) run() {
	defer close(j.done)
	timer := time.NewTimer(journalEvery)
	defer timer.Stop()
	for {
		select {
		case <-j.stop:
			return
		case <-j.wake:
		}
		for wait := journalEvery; wait > 0; {
			timer.Reset(wait)
			select {
			case <-j.stop:
				return
			case <-timer.C:
			}
			wait = 0
			if err := j.flush(context.Background()); err != nil {
				j.log.Error("recording answers failed; trying again", slog.String("err", err.Error()))
				wait = journalAgain
			}
		}
	}
}

// close records what is left.
func (j *journal) close(ctx context.Context) error {
	j.mu.Lock()
	first := !j.closed
	j.closed = true
	j.mu.Unlock()
	if first {
		close(j.stop)
	}
	<-j.done
	return j.flush(ctx)
}

// flush writes the queue in one Update. What could not be written stays queued.
// When it returns nil, everything that was added before is in the store: a batch
// that another caller writes at the moment is waited for.
func (j *journal) flush(ctx context.Context) error {
	j.writing.Lock()
	defer j.writing.Unlock()
	j.mu.Lock()
	batch := j.queue
	j.queue = nil
	j.mu.Unlock()
	if len(batch) == 0 {
		return nil
	}
	err := j.write(ctx, batch)
	if err == nil {
		return nil
	}
	j.mu.Lock()
	j.queue = append(batch, j.queue...)
	j.mu.Unlock()
	return fmt.Errorf("recording %d answers: %w", len(batch), err)
}

// write records a batch: every event, and of each session and relying party the
// latest participant. A session that ended meanwhile has no participants any
// more, and a refusal has none, while their events stay.
func (j *journal) write(ctx context.Context, batch []entry) error {
	type key struct {
		session identity.SessionID
		party   identity.RelyingPartyID
	}
	latest := make(map[key]entry, len(batch))
	events := make([]identity.Event, len(batch))
	for i, e := range batch {
		latest[key{e.participant.Session, e.participant.RelyingParty}] = e
		events[i] = e.event
	}
	return j.db.Update(ctx, func(tx *store.Tx) error {
		if err := tx.Events.Append(ctx, events...); err != nil {
			return err
		}
		for _, e := range latest {
			there, err := exists(ctx, tx, e.event.Record, e.participant.Session)
			if err != nil {
				return err
			}
			if !there {
				continue
			}
			if err := tx.Sessions.Join(ctx, e.participant); err != nil {
				return err
			}
		}
		return nil
	})
}

// exists reports whether a record's session is still there.
func exists(ctx context.Context, tx *store.Tx, rec identity.RecordID, id identity.SessionID) (bool, error) {
	all, err := tx.Sessions.OfRecord(ctx, rec)
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(all, func(s identity.Session) bool { return s.ID == id }), nil
}
