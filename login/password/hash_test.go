package password

import (
	"context"
	"crypto/rand"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/login"
	"github.com/samlet-id/samlet/store"
	"github.com/samlet-id/samlet/store/sqlstore"
)

// TestReferenceHash reads what the reference implementation's command wrote:
// echo -n password | argon2 somesalt -id -t 2 -m 16 -p 1 -l 32 -e, and its test
// vectors in test.c.
func TestReferenceHash(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		"$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
		"$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
		"$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc",
	} {
		h, err := parsePHC(s)
		if err != nil {
			t.Errorf("%s: %v", s, err)
			continue
		}
		if !h.matches("password") || h.matches("passwort") {
			t.Errorf("%s does not tell right from wrong", s)
		}
	}
}

func TestHashRoundTrip(t *testing.T) {
	t.Parallel()
	p := Params{Memory: 64, Time: 1, Lanes: 2}
	one, err := p.Hash(rand.Reader, "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	two, err := p.Hash(rand.Reader, "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	if one.Reveal() == two.Reveal() {
		t.Error("two hashes of one password are the same: the salt is not fresh")
	}
	h, err := parsePHC(one.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(p, h.Params); diff != "" {
		t.Errorf("params (-want +got):\n%s", diff)
	}
	if !h.matches("correct horse") {
		t.Error("the hash does not match its password")
	}
}

func TestParsePHCRefuses(t *testing.T) {
	t.Parallel()
	const salt, key = "c29tZXNhbHQ", "CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	for name, s := range map[string]string{
		"empty":             "",
		"plain text":        "correct horse battery",
		"argon2i":           "$argon2i$v=19$m=64,t=1,p=1$" + salt + "$" + key,
		"version 16":        "$argon2id$v=16$m=64,t=1,p=1$" + salt + "$" + key,
		"no version":        "$argon2id$m=64,t=1,p=1$" + salt + "$" + key,
		"all memory":        "$argon2id$v=19$m=4294967295,t=1,p=1$" + salt + "$" + key,
		"memory overflow":   "$argon2id$v=19$m=4294967360,t=1,p=1$" + salt + "$" + key,
		"too many passes":   "$argon2id$v=19$m=64,t=100000,p=1$" + salt + "$" + key,
		"too many lanes":    "$argon2id$v=19$m=65536,t=1,p=255$" + salt + "$" + key,
		"lanes overflow":    "$argon2id$v=19$m=64,t=1,p=257$" + salt + "$" + key,
		"no passes":         "$argon2id$v=19$m=64,t=0,p=1$" + salt + "$" + key,
		"no lanes":          "$argon2id$v=19$m=64,t=1,p=0$" + salt + "$" + key,
		"other order":       "$argon2id$v=19$t=1,m=64,p=1$" + salt + "$" + key,
		"leading zero":      "$argon2id$v=19$m=064,t=1,p=1$" + salt + "$" + key,
		"sign":              "$argon2id$v=19$m=+64,t=1,p=1$" + salt + "$" + key,
		"further parameter": "$argon2id$v=19$m=64,t=1,p=1,x=1$" + salt + "$" + key,
		"no salt":           "$argon2id$v=19$m=64,t=1,p=1$$" + key,
		"no key":            "$argon2id$v=19$m=64,t=1,p=1$" + salt + "$",
		"short key":         "$argon2id$v=19$m=64,t=1,p=1$" + salt + "$AAAA",
		"padded":            "$argon2id$v=19$m=64,t=1,p=1$" + salt + "$" + key + "=",
		"line break":        "$argon2id$v=19$m=64,t=1,p=1$" + salt + "$" + key + "\n",
		"further part":      "$argon2id$v=19$m=64,t=1,p=1$" + salt + "$" + key + "$x",
		"long":              "$argon2id$v=19$m=64,t=1,p=1$" + salt + "$" + strings.Repeat("A", 5000),
	} {
		if h, err := parsePHC(s); err == nil {
			t.Errorf("%s: read as %+v", name, h.Params)
		}
	}
}

func FuzzParsePHC(f *testing.F) {
	f.Add("$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc")
	f.Add("$argon2id$v=19$m=4294967295,t=1,p=255$$")
	f.Add("$$$$$")
	f.Fuzz(func(t *testing.T, s string) {
		h, err := parsePHC(s)
		if err != nil {
			return
		}
		if h.String() != s {
			t.Errorf("%q was read, and is written as %q", s, h.String())
		}
		if err := h.check(); err != nil {
			t.Errorf("%q was read beyond the bounds: %v", s, err)
		}
	})
}

func testMethod(t *testing.T, workers, queue int) (*Method, store.Store) {
	t.Helper()
	db, err := sqlstore.Open(t.Context(), sqlstore.Config{Driver: sqlstore.DriverSQLite, DSN: filepath.Join(t.TempDir(), "samlet.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("closing the store: %v", err)
		}
	})
	m, err := New(Config{Store: db, Params: Params{Memory: 64, Time: 1, Lanes: 1}, Workers: workers, Queue: queue, Now: time.Now, Rand: rand.Reader})
	if err != nil {
		t.Fatal(err)
	}
	return m, db
}

// TestAttackEnumeration compares the work of a known, an unknown, a disabled and
// a passwordless name: hashes and their costs, tries counted, events written.
func TestAttackEnumeration(t *testing.T) {
	t.Parallel()
	m, db := testMethod(t, 1, 10)
	secret, err := m.cfg.Params.Hash(rand.Reader, "correct horse battery")
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	err = db.Update(ctx, func(tx *store.Tx) error {
		for _, r := range []identity.Record{{ID: "known", Logins: []string{"known"}}, {ID: "disabled", Logins: []string{"disabled"}, Disabled: true}, {ID: "federated", Logins: []string{"federated"}}} {
			if err := tx.Records.Create(ctx, r); err != nil {
				return err
			}
			if r.ID == "federated" {
				continue
			}
			if err := tx.Credentials.Put(ctx, identity.Credential{ID: string(r.ID), Record: r.ID, Kind: identity.CredentialPassword, Secret: secret}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	type work struct {
		Hashes uint64
		Costs  Params
		Events int
		Tries  int
		Told   string
	}
	measure := func(name string) work {
		t.Helper()
		hashes, events := m.pool.hashes.Load(), countEvents(t, db)
		_, err := m.Verify(ctx, login.Step{Identifier: name, Address: "192.0.2.1"}, url.Values{"password": {"wrong password"}})
		w := work{Hashes: m.pool.hashes.Load() - hashes, Events: countEvents(t, db) - events, Told: err.Error()}
		err = db.Update(ctx, func(tx *store.Tx) error {
			who, err := m.lookUp(ctx, tx, name)
			w.Costs = who.hash.Params
			if err != nil {
				return err
			}
			w.Tries = tries(t, m, tx, name)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	want := measure("known")
	if want.Hashes != 1 || want.Events != 1 || want.Tries != 1 {
		t.Errorf("a wrong password: %+v", want)
	}
	for _, name := range []string{"unknown", "disabled", "federated", "name with\tblank"} {
		if diff := cmp.Diff(want, measure(name)); diff != "" {
			t.Errorf("%s can be told from a wrong password (-wrong +%s):\n%s", name, name, diff)
		}
	}
}

func countEvents(t *testing.T, db store.Store) int {
	t.Helper()
	n := 0
	err := db.View(t.Context(), func(tx *store.Tx) error {
		all, err := tx.Events.List(t.Context(), "", 1000)
		n = len(all)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestBusy fills the pool: whoever comes then is told at once, and nothing is
// spent on them.
func TestBusy(t *testing.T) {
	t.Parallel()
	m, db := testMethod(t, 1, 2)
	hold, held := make(chan struct{}), make(chan struct{})
	results := make(chan error, 3)
	for i := range 3 {
		if err := m.pool.enter(); err != nil {
			t.Fatal(err)
		}
		go func() {
			defer m.pool.leave()
			results <- m.pool.run(context.Background(), func() {
				if i == 0 {
					close(held)
				}
				<-hold
			})
		}()
		if i == 0 {
			<-held
		}
	}
	_, err := m.Verify(t.Context(), login.Step{Identifier: "ada", Address: "192.0.2.1"}, url.Values{"password": {"x"}})
	if identity.CodeOf(err) != "rate.busy" || identity.KindOf(err) != identity.KindUnavailable {
		t.Errorf("a full queue: got %v", err)
	}
	if n := countEvents(t, db); n != 0 {
		t.Errorf("a full queue cost %d writes", n)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := m.pool.run(ctx, func() { t.Error("computed for a request that had ended") }); identity.CodeOf(err) != "rate.busy" {
		t.Errorf("an ended request: got %v", err)
	}
	close(hold)
	for range 3 {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	if _, err := m.Verify(t.Context(), login.Step{Identifier: "ada", Address: "192.0.2.1"}, url.Values{"password": {"x"}}); identity.CodeOf(err) != "login.failed" {
		t.Errorf("after the storm: %v", err)
	}
}

func BenchmarkVerify(b *testing.B) {
	h := phc{Params: DefaultParams(), salt: make([]byte, saltLen), key: make([]byte, keyLen)}
	for b.Loop() {
		if h.matches("correct horse battery") {
			b.Fatal("matched")
		}
	}
}

// tries returns how many wrong answers of an account are counted, by using up
// those that are left from another address.
func tries(t *testing.T, m *Method, tx *store.Tx, name string) int {
	t.Helper()
	for used := range m.cfg.Limits.Account + 1 {
		s := login.Step{Identifier: name, Address: "192.0.2.200"}
		over, err := m.cfg.Limits.Over(t.Context(), tx, s, time.Now())
		if err == nil && over.IsZero() {
			err = m.cfg.Limits.Hit(t.Context(), tx, s, time.Now())
		}
		if err != nil {
			t.Fatal(err)
		}
		if !over.IsZero() {
			return m.cfg.Limits.Account - used
		}
	}
	return 0
}
