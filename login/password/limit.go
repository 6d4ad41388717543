package password

import (
	"context"
	"fmt"
	"time"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/login"
	"github.com/samlet-id/samlet/store"
)

// claim returns whom the step's name stands for, unless the address or the
// account has no tries left.
func (m *Method) claim(ctx context.Context, s login.Step) (claimed, error) {
	now := m.cfg.Now().UTC()
	var who claimed
	var over time.Time // when the tries begin anew; zero while there are some left
	err := m.cfg.Store.View(ctx, func(tx *store.Tx) error {
		who, over = claimed{}, time.Time{}
		var err error
		if over, err = m.cfg.Limits.Over(ctx, tx, s, now); err != nil || !over.IsZero() {
			return err
		}
		who, err = m.lookUp(ctx, tx, s.Identifier)
		return err
	})
	if err != nil {
		return claimed{}, err
	}
	if over.IsZero() {
		return who, nil
	}
	err = m.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		return tx.Events.Append(ctx, m.event(s, "", "rate.limited"))
	})
	if err != nil {
		return claimed{}, fmt.Errorf("recording a try over the limit: %w", err)
	}
	return claimed{}, login.ErrLimited(over.Sub(now))
}

// wrong counts and records a wrong answer, and returns the one answer to all of
// them.
func (m *Method) wrong(ctx context.Context, s login.Step, who claimed, code identity.Code) error {
	now := m.cfg.Now().UTC()
	err := m.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		if err := m.cfg.Limits.Hit(ctx, tx, s, now); err != nil {
			return err
		}
		return tx.Events.Append(ctx, m.event(s, who.record.ID, code))
	})
	if err != nil {
		return fmt.Errorf("recording a failed login: %w", err)
	}
	return &identity.Error{
		Kind: identity.KindDenied, Code: "login.failed", Who: identity.WhoUser,
		Msg: "That name and password do not belong together. Try again.",
	}
}
