package login_test

import (
	"context"
	"sync/atomic"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/store"
)

// faulty is a real store whose writes can be made to fail, as on a full disk.
type faulty struct {
	store.Store
	down atomic.Bool
}

func (f *faulty) wrap(s store.Store) store.Store {
	f.Store = s
	return f
}

func (f *faulty) refuseWrites(on bool) { f.down.Store(on) }

func (f *faulty) Update(ctx context.Context, fn func(*store.Tx) error) error {
	if f.down.Load() {
		return &identity.Error{Kind: identity.KindUnavailable, Code: "store.full", Msg: "The disk is full."}
	}
	return f.Store.Update(ctx, fn)
}
