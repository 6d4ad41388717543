package password_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/login"
	"github.com/samlet-id/samlet/login/password"
	"github.com/samlet-id/samlet/store"
)

func step(name, address string) login.Step { return login.Step{Identifier: name, Address: address} }

// clock is a Now that tests move.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time       { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *clock) pass(d time.Duration) { c.ahead.Add(int64(d)) }

func newMethod(t *testing.T, db store.Store, c *clock, limits login.Limits) *password.Method {
	t.Helper()
	m, err := password.New(password.Config{Store: db, Params: cheap(), Limits: limits, Now: c.now, Rand: rand.Reader})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestAttackGuessing tries one account, known or not, until no try is left: the
// right password is refused like the others then, and passes after the window.
func TestAttackGuessing(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"ada", "nobody", "no\u200bname"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db, c := openStore(t), &clock{}
			m := newMethod(t, db, c, login.Limits{})
			addPerson(t, db, cheap(), "ada", "correct horse battery")
			for i := range 12 {
				_, err := m.Verify(t.Context(), step(name, fmt.Sprintf("192.0.2.%d", i)), answer("wrong"))
				want := identity.Code("login.failed")
				if i >= 10 {
					want = "rate.limited"
				}
				if got := identity.CodeOf(err); got != want {
					t.Fatalf("try %d: got %q, want %q", i+1, got, want)
				}
			}
			_, err := m.Verify(t.Context(), step(strings.ToUpper(name), "198.51.100.1"), answer("correct horse battery"))
			if e := identity.AsError(err); e.Code != "rate.limited" || !strings.Contains(e.Msg, "in 15 minutes") {
				t.Errorf("the right password after too many tries: %v", err)
			}
			c.pass(16 * time.Minute)
			_, err = m.Verify(t.Context(), step(name, "198.51.100.1"), answer("correct horse battery"))
			if name == "ada" && err != nil {
				t.Errorf("after the window: %v", err)
			}
		})
	}
}

// TestAttackGuessingInParallel sends all tries at once: with one worker none slips
// through between judging and counting.
func TestAttackGuessingInParallel(t *testing.T) {
	t.Parallel()
	db, c := openStore(t), &clock{}
	m, err := password.New(password.Config{Store: db, Params: cheap(), Workers: 1, Queue: 1000, Now: c.now, Rand: rand.Reader})
	if err != nil {
		t.Fatal(err)
	}
	addPerson(t, db, cheap(), "ada", "correct horse battery")
	var judged atomic.Int64
	var wg sync.WaitGroup
	for range 40 {
		wg.Go(func() {
			_, err := m.Verify(t.Context(), step("ada", "192.0.2.1"), answer("wrong"))
			if identity.CodeOf(err) == "login.failed" {
				judged.Add(1)
			}
		})
	}
	wg.Wait()
	if got := judged.Load(); got != 10 {
		t.Errorf("%d of 40 tries were judged, want 10", got)
	}
}

// TestAttackSpraying tries one password on many accounts: the address runs out
// of tries, and so do its IPv6 neighbours, while others and the accounts go on.
func TestAttackSpraying(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, from, neighbour, stranger string }{
		{"IPv4", "192.0.2.1", "::ffff:192.0.2.1", "192.0.2.2"},
		{"IPv6", "2001:db8::1", "2001:db8::ffff:1%eth0", "2001:db8:0:1::1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			db, clk := openStore(t), &clock{}
			m := newMethod(t, db, clk, login.Limits{Address: 20})
			addPerson(t, db, cheap(), "ada", "correct horse battery")
			for i := range 20 {
				if _, err := m.Verify(t.Context(), step(fmt.Sprintf("user%d", i), c.from), answer("Winter2026!!")); identity.CodeOf(err) != "login.failed" {
					t.Fatalf("try %d: %v", i+1, err)
				}
			}
			for _, from := range []string{c.from, c.neighbour} {
				for range 15 {
					if _, err := m.Verify(t.Context(), step("ada", from), answer("correct horse battery")); identity.CodeOf(err) != "rate.limited" {
						t.Fatalf("from %s: %v", from, err)
					}
				}
			}
			if _, err := m.Verify(t.Context(), step("ada", c.stranger), answer("correct horse battery")); err != nil {
				t.Errorf("the refused tries spent the account of somebody else's: %v", err)
			}
		})
	}
}

// TestRightPasswordsNeverLock signs the same person in from one address more
// often than wrong answers would be allowed, one after the other and at once.
func TestRightPasswordsNeverLock(t *testing.T) {
	t.Parallel()
	db, c := openStore(t), &clock{}
	m, err := password.New(password.Config{Store: db, Params: cheap(), Queue: 1000, Limits: login.Limits{Account: 3, Address: 5}, Now: c.now, Rand: rand.Reader})
	if err != nil {
		t.Fatal(err)
	}
	addPerson(t, db, cheap(), "ada", "correct horse battery")
	var wg sync.WaitGroup
	for range 30 {
		if _, err := m.Verify(t.Context(), step("ada", "192.0.2.1"), answer("correct horse battery")); err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			if _, err := m.Verify(t.Context(), step("ada", "192.0.2.1"), answer("correct horse battery")); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestSuccessForgetsTheAccountsTries(t *testing.T) {
	t.Parallel()
	db, c := openStore(t), &clock{}
	m := newMethod(t, db, c, login.Limits{Account: 3})
	addPerson(t, db, cheap(), "ada", "correct horse battery")
	for range 4 {
		for range 2 {
			if _, err := m.Verify(t.Context(), step("ada", "192.0.2.1"), answer("wrong")); identity.CodeOf(err) != "login.failed" {
				t.Fatal(err)
			}
		}
		f, err := m.Verify(t.Context(), step("ada", "192.0.2.1"), answer("correct horse battery"))
		if err != nil {
			t.Fatal(err)
		}
		if err := db.Update(t.Context(), func(tx *store.Tx) error { return f.Settle(t.Context(), tx) }); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRehash(t *testing.T) {
	t.Parallel()
	db, c := openStore(t), &clock{}
	old := password.Params{Memory: 32, Time: 2, Lanes: 2}
	id := addPerson(t, db, old, "ada", "correct horse battery")
	m := newMethod(t, db, c, login.Limits{})
	stored := func() string {
		t.Helper()
		var out string
		err := db.View(t.Context(), func(tx *store.Tx) error {
			all, err := tx.Credentials.OfRecord(t.Context(), id, identity.CredentialPassword)
			if err == nil && len(all) == 1 {
				out = all[0].Secret.Reveal()
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	login := func() login.Factor {
		t.Helper()
		f, err := m.Verify(t.Context(), step("ada", "192.0.2.1"), answer("correct horse battery"))
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	settle := func(f func(context.Context, *store.Tx) error) {
		t.Helper()
		if err := db.Update(t.Context(), func(tx *store.Tx) error { return f(t.Context(), tx) }); err != nil {
			t.Fatal(err)
		}
	}
	late := login()
	settle(login().Settle)
	first := stored()
	if !strings.HasPrefix(first, "$argon2id$v=19$m=64,t=1,p=1$") {
		t.Fatalf("after a login with other parameters: %s", first)
	}
	settle(late.Settle)
	if got := stored(); got != first {
		t.Error("a hash that was replaced meanwhile was replaced again")
	}
	settle(login().Settle)
	if got := stored(); got != first {
		t.Error("a hash of today's parameters was replaced")
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	good := password.Config{Store: openStore(t), Now: time.Now, Rand: rand.Reader}
	for name, spoil := range map[string]func(*password.Config){
		"no store":       func(c *password.Config) { c.Store = nil },
		"no memory":      func(c *password.Config) { c.Params = password.Params{Memory: 1, Time: 1, Lanes: 1} },
		"all memory":     func(c *password.Config) { c.Params = password.Params{Memory: 1 << 31, Time: 1, Lanes: 1} },
		"negative limit": func(c *password.Config) { c.Limits.Account = -1 },
		"negative queue": func(c *password.Config) { c.Queue = -1 },
	} {
		cfg := good
		spoil(&cfg)
		if _, err := password.New(cfg); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, password, login, want string
	}{
		{"good", "correct horse", "ada", ""},
		{"twelve characters of several bytes", "ääääääääääää1", "", ""},
		{"no composition asked for", "aaaaaaaaaaab", "", ""},
		{"longest", strings.Repeat("ab", 512), "", ""},
		{"too short", "elevenchars", "", "at least 12"},
		{"eleven characters of 22 bytes", "äöüäöüäöüäö", "", "has 11 characters"},
		{"empty", "", "", "too short"},
		{"too long", strings.Repeat("ab", 513), "", "longer than 1024"},
		{"control", "correct\nhorse battery", "", "cannot be typed"},
		{"no UTF-8", "correct horse \xff", "", "cannot be typed"},
		{"the name", "Ada@Example.test", "ada@example.test", "sign-in name"},
		{"one character", strings.Repeat("x", 20), "", "over and over"},
	} {
		err := password.Check(c.password, c.login)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.want != "" && (identity.CodeOf(err) != "password.weak" || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
}

var _ login.Method = (*password.Method)(nil)
