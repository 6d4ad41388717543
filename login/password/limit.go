package password

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/login"
	"github.com/samlet-id/samlet/store"
)

// Limits says how many wrong answers there may be within one window. Right ones
// do not count, or an office behind one address would lock itself out. Zero
// values mean the defaults.
type Limits struct {
	Account int           // per sign-in name, whether or not anybody has it; default 10
	Address int           // per IPv4 address or IPv6 /64; default 100
	Window  time.Duration // default 15 min
}

func (l Limits) withDefaults() (Limits, error) {
	if l.Account < 0 || l.Address < 0 || l.Window < 0 {
		return Limits{}, errors.New("a limit is negative")
	}
	if l.Account == 0 {
		l.Account = 10
	}
	if l.Address == 0 {
		l.Address = 100
	}
	if l.Window == 0 {
		l.Window = 15 * time.Minute
	}
	return l, nil
}

// limit is one counter of wrong answers.
type limit struct {
	key  string
	most int
}

func (m *Method) limits(s login.Step) [2]limit {
	return [2]limit{{addressKey(s.Address), m.cfg.Limits.Address}, {accountKey(s.Identifier), m.cfg.Limits.Account}}
}

// claim returns whom the step's name stands for, unless the address or the
// account has no tries left.
func (m *Method) claim(ctx context.Context, s login.Step) (claimed, error) {
	now := m.cfg.Now().UTC()
	var who claimed
	var over time.Time // when the tries begin anew; zero while there are some left
	err := m.cfg.Store.View(ctx, func(tx *store.Tx) error {
		who, over = claimed{}, time.Time{}
		for _, l := range m.limits(s) {
			n, ends, err := tx.Counters.Count(ctx, l.key, now)
			if err != nil {
				return fmt.Errorf("counting wrong answers: %w", err)
			}
			if n >= l.most {
				over = ends
				return nil
			}
		}
		var err error
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
	return claimed{}, errLimited(over.Sub(now))
}

// wrong counts and records a wrong answer, and returns the one answer to all of
// them.
func (m *Method) wrong(ctx context.Context, s login.Step, who claimed, code identity.Code) error {
	now := m.cfg.Now().UTC()
	err := m.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		for _, l := range m.limits(s) {
			if _, _, err := tx.Counters.Hit(ctx, l.key, m.cfg.Limits.Window, now); err != nil {
				return fmt.Errorf("counting a wrong answer: %w", err)
			}
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

func errLimited(wait time.Duration) *identity.Error {
	minutes := int((wait + time.Minute - 1) / time.Minute)
	when := fmt.Sprintf("in %d minutes", minutes)
	if minutes <= 1 {
		when = "in a minute"
	}
	return &identity.Error{
		Kind: identity.KindDenied, Code: "rate.limited", Who: identity.WhoUser,
		Msg: "There were too many tries. Try again " + when + ".",
	}
}

// accountKey names the counter of a sign-in name. Names are hashed: what people
// type by mistake is sometimes their password.
func accountKey(name string) string {
	key, ok := identity.LoginKey(name)
	if !ok {
		key = "\x00" + strings.ToLower(name) // no name that anybody has
	}
	return "password/account/" + digest(key)
}

// addressKey names the counter of an address. Whoever has one IPv6 address has
// its whole /64.
func addressKey(address string) string {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return "password/address/" + digest(address)
	}
	a = a.Unmap().WithZone("")
	if a.Is4() {
		return "password/address/" + a.String()
	}
	return "password/address/" + netip.PrefixFrom(a, 64).Masked().String()
}

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:16])
}
