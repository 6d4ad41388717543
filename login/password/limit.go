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

// Limits says how many tries there are within one window. Zero values mean the
// defaults.
type Limits struct {
	Account int           // per sign-in name, whether or not anybody has it; default 10
	Address int           // per IPv4 address or IPv6 /64, right or wrong; default 100
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

// try counts one try and says whose it is. The address comes first: one that is
// over its limit spends nobody's account. A refused try is recorded in the
// Update that counted it.
func (m *Method) try(ctx context.Context, s login.Step) (claimed, error) {
	now := m.cfg.Now().UTC()
	var who claimed
	var over time.Time // when the tries begin anew; zero while there are some left
	err := m.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		who, over = claimed{}, time.Time{}
		for _, c := range []struct {
			key   string
			limit int
		}{{addressKey(s.Address), m.cfg.Limits.Address}, {accountKey(s.Identifier), m.cfg.Limits.Account}} {
			n, ends, err := tx.Counters.Hit(ctx, c.key, m.cfg.Limits.Window, now)
			if err != nil {
				return fmt.Errorf("counting a try: %w", err)
			}
			if n > c.limit {
				over = ends
				return tx.Events.Append(ctx, m.event(s, "", "rate.limited"))
			}
		}
		var err error
		who, err = m.lookUp(ctx, tx, s.Identifier)
		return err
	})
	if err != nil {
		return claimed{}, err
	}
	if !over.IsZero() {
		return claimed{}, errLimited(over.Sub(now))
	}
	return who, nil
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
