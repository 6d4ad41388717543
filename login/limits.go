package login

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

// WithDefaults returns l with its defaults filled in.
func (l Limits) WithDefaults() (Limits, error) {
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

func (l Limits) of(s Step) [2]limit {
	return [2]limit{{addressKey(s.Address), l.Address}, {accountKey(s.Identifier), l.Account}}
}

// Over returns when the tries of the step's address or account begin anew, and
// zero while there are some left.
func (l Limits) Over(ctx context.Context, tx *store.Tx, s Step, now time.Time) (time.Time, error) {
	for _, c := range l.of(s) {
		n, ends, err := tx.Counters.Count(ctx, c.key, now)
		if err != nil {
			return time.Time{}, fmt.Errorf("counting wrong answers: %w", err)
		}
		if n >= c.most {
			return ends, nil
		}
	}
	return time.Time{}, nil
}

// Hit counts a wrong answer.
func (l Limits) Hit(ctx context.Context, tx *store.Tx, s Step, now time.Time) error {
	for _, c := range l.of(s) {
		if _, _, err := tx.Counters.Hit(ctx, c.key, l.Window, now); err != nil {
			return fmt.Errorf("counting a wrong answer: %w", err)
		}
	}
	return nil
}

// Forget forgets the account's wrong answers, after a right one.
func (l Limits) Forget(ctx context.Context, tx *store.Tx, s Step) error {
	if err := tx.Counters.Reset(ctx, accountKey(s.Identifier)); err != nil {
		return fmt.Errorf("forgetting the account's tries: %w", err)
	}
	return nil
}

// ErrLimited is the answer to a try too many.
func ErrLimited(wait time.Duration) *identity.Error {
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
