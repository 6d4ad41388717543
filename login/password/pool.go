package password

import (
	"context"
	"sync/atomic"

	"github.com/samlet-id/samlet/identity"
)

// pool bounds how many hashes are computed at once, so that a storm of logins
// leaves a processor to everybody who is signed in already, and how many may
// wait, so that whoever would wait too long is told at once. It has no
// goroutines: callers compute for themselves when it is their turn.
type pool struct {
	turns  chan struct{}
	inside atomic.Int64
	room   int64
	hashes atomic.Uint64 // how many were computed
}

func newPool(workers, queue int) *pool {
	return &pool{turns: make(chan struct{}, workers), room: int64(workers + queue)}
}

// enter reserves a place, or refuses at once. Every enter that succeeded is
// followed by one leave.
func (p *pool) enter() error {
	if p.inside.Add(1) > p.room {
		p.inside.Add(-1)
		return &identity.Error{
			Kind: identity.KindUnavailable, Code: "rate.busy", Who: identity.WhoOperator,
			Msg: "Very many people are signing in at the moment. Try again in a few seconds.",
		}
	}
	return nil
}

func (p *pool) leave() { p.inside.Add(-1) }

// run waits for a turn and calls fn, which computes one hash at most.
func (p *pool) run(ctx context.Context, fn func()) error {
	select {
	case p.turns <- struct{}{}:
	case <-ctx.Done():
		return &identity.Error{
			Kind: identity.KindUnavailable, Code: "rate.busy", Who: identity.WhoUser,
			Msg: "The request ended before it was its turn.", Err: ctx.Err(),
		}
	}
	defer func() { <-p.turns }()
	fn()
	return nil
}
