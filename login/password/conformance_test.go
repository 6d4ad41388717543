package password_test

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
	"github.com/samlet-id/samlet/login/logintest"
	"github.com/samlet-id/samlet/login/password"
	"github.com/samlet-id/samlet/store"
	"github.com/samlet-id/samlet/store/sqlstore"
)

func openStore(tb testing.TB) *sqlstore.Store {
	tb.Helper()
	db, err := sqlstore.Open(tb.Context(), sqlstore.Config{Driver: sqlstore.DriverSQLite, DSN: filepath.Join(tb.TempDir(), "samlet.db")})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := db.Close(); err != nil {
			tb.Errorf("closing the store: %v", err)
		}
	})
	return db
}

func cheap() password.Params { return password.Params{Memory: 64, Time: 1, Lanes: 1} }

func addPerson(tb testing.TB, db store.Store, p password.Params, name, pass string) identity.RecordID {
	tb.Helper()
	secret, err := p.Hash(rand.Reader, pass)
	if err != nil {
		tb.Fatal(err)
	}
	rec := identity.Record{ID: identity.RecordID("rec-" + name), Logins: []string{name}}
	ctx := tb.Context()
	err = db.Update(ctx, func(tx *store.Tx) error {
		if err := tx.Records.Create(ctx, rec); err != nil {
			return err
		}
		return tx.Credentials.Put(ctx, identity.Credential{ID: "pw-" + name, Record: rec.ID, Kind: identity.CredentialPassword, Secret: secret})
	})
	if err != nil {
		tb.Fatal(err)
	}
	return rec.ID
}

func answer(pass string) url.Values { return url.Values{"password": {pass}} }

func TestMethod(t *testing.T) {
	t.Parallel()
	logintest.RunMethod(t, func(t *testing.T) logintest.Holder {
		t.Helper()
		db := openStore(t)
		m, err := password.New(password.Config{Store: db, Params: cheap(), Now: time.Now, Rand: rand.Reader})
		if err != nil {
			t.Fatal(err)
		}
		h := logintest.Holder{
			Method: m, Store: db, Identifier: "ada", Other: "bob", Unknown: "eve",
			Right: answer("correct horse battery"),
			Wrong: []url.Values{
				answer("correct horse batteri"), answer("correct horse battery "), answer("Correct horse battery"),
				answer("another good passphrase"), answer(strings.Repeat("x", 5000)), answer("correct horse battery\x00"),
			},
			Methods: []identity.Method{identity.MethodPassword}, AAL: identity.AAL1,
		}
		h.Record = addPerson(t, db, cheap(), "ada", "correct horse battery")
		h.OtherID = addPerson(t, db, cheap(), "bob", "another good passphrase")
		return h
	})
}

// TestSFA holds that the REFEDS profile of a single factor is claimed of the very
// password that was given, and only where it travels protected.
func TestSFA(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		protected bool
		password  string
		want      []identity.ClassRef
	}{
		"as long as new ones":          {true, "twelve chars", []identity.ClassRef{identity.ClassREFEDSSFA}},
		"shorter, from somewhere else": {true, "eleven char", nil},
		"twelve octets, six letters":   {true, "üüüüüü", nil},
		"not protected":                {false, "twelve chars", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := openStore(t)
			m, err := password.New(password.Config{Store: db, Params: cheap(), Now: time.Now, Rand: rand.Reader, Protected: c.protected})
			if err != nil {
				t.Fatal(err)
			}
			addPerson(t, db, cheap(), "ada", c.password)
			got, err := m.Verify(t.Context(), login.Step{Identifier: "ada", Address: "192.0.2.7"}, answer(c.password))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got.Context.Also); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestLongPasswords takes the longest password, and its octets as they are: the
// decomposed form of its first letter is another password.
func TestLongPasswords(t *testing.T) {
	t.Parallel()
	db := openStore(t)
	m, err := password.New(password.Config{Store: db, Params: cheap(), Now: time.Now, Rand: rand.Reader, Protected: true})
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("ü", password.MaxLength/2)
	addPerson(t, db, cheap(), "ada", long)
	got, err := m.Verify(context.Background(), step("ada", "192.0.2.1"), answer(long))
	if err != nil {
		t.Fatal(err)
	}
	if got.Context.Class != identity.ClassPasswordProtectedTransport {
		t.Errorf("class over https: got %q", got.Context.Class)
	}
	if _, err := m.Verify(context.Background(), step("ada", "192.0.2.1"), answer(strings.Replace(long, "\u00fc", "u\u0308", 1))); err == nil {
		t.Error("another sequence of octets passed for the same characters")
	}
}
