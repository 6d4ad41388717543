package directory_test

import (
	"context"
	"errors"
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/login"
	"github.com/samlet-id/samlet/login/directory"
	"github.com/samlet-id/samlet/store"
	"github.com/samlet-id/samlet/store/sqlstore"
	"github.com/samlet-id/samlet/templates"
)

// source is a directory in which ada has a password, and whatever else it is told.
type source struct {
	asked  int
	answer map[string]error // by name
}

func (s *source) Authenticate(_ context.Context, name, password string) (identity.Assertion, error) {
	s.asked++
	if err := s.answer[name]; err != nil {
		return identity.Assertion{}, err
	}
	if name != "ada" || password != "right" {
		return identity.Assertion{}, denied("login.failed", "That name and password do not belong together. Try again.")
	}
	return identity.Assertion{Principal: identity.Principal{Issuer: "https://login.example.test", Subject: "rec-ada"}}, nil
}

func denied(code identity.Code, msg string) *identity.Error {
	return &identity.Error{Kind: identity.KindDenied, Code: code, Who: identity.WhoUser, Msg: msg}
}

type world struct {
	*directory.Method
	source *source
	store  store.Store
	now    time.Time
}

func newWorld(t *testing.T, answer map[string]error) *world {
	t.Helper()
	db, err := sqlstore.Open(t.Context(), sqlstore.Config{Driver: sqlstore.DriverSQLite, DSN: filepath.Join(t.TempDir(), "samlet.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	w := &world{source: &source{answer: answer}, store: db, now: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)}
	w.Method, err = directory.New(directory.Config{Store: db, Source: w.source, Connection: "corp", Now: func() time.Time { return w.now }})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) try(t *testing.T, name, password string) (login.Factor, *identity.Error) {
	t.Helper()
	f, err := w.Verify(t.Context(), login.Step{Identifier: name, Address: "192.0.2.1", RequestID: "req"}, url.Values{templates.FieldPassword: {password}})
	if err == nil {
		return f, nil
	}
	return f, identity.AsError(err)
}

// codes are those of the audit trail, the oldest first.
func (w *world) codes(t *testing.T) []identity.Code {
	t.Helper()
	var codes []identity.Code
	err := w.store.View(t.Context(), func(tx *store.Tx) error {
		events, err := tx.Events.List(t.Context(), "", 100)
		for i := len(events) - 1; i >= 0; i-- {
			codes = append(codes, events[i].Code)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return codes
}

// TestVerify holds what a right password proves, and what people are told of whatever
// is wrong: of an expired password so, of an outage so, and of all else that may tell
// who has an account here the same.
func TestVerify(t *testing.T) {
	t.Parallel()
	w := newWorld(t, map[string]error{
		"old":      denied("login.expired", "Your password has expired."),
		"locked":   denied("login.locked", "That name and password do not belong together. Try again."),
		"disabled": denied("user.disabled", "This account is switched off."),
		"gone":     &identity.Error{Kind: identity.KindUnavailable, Code: "up.unreachable", Who: identity.WhoOperator, Msg: "It does not answer."},
	})
	f, err := w.try(t, "ada", "right")
	want := identity.AuthnContext{Class: identity.ClassPasswordProtectedTransport, Methods: []identity.Method{identity.MethodPassword}, AAL: identity.AAL1, Instant: w.now}
	if err != nil || f.Record != "rec-ada" || cmp.Diff(want, f.Context) != "" {
		t.Errorf("the right password: got %+v, %v", f, err)
	}
	for _, name := range []string{"ada", "nobody", "locked", "disabled"} {
		_, err := w.try(t, name, "wrong")
		if err == nil || err.Code != "login.failed" || err.Msg != "That name and password do not belong together. Try again." {
			t.Errorf("%s: got %+v", name, err)
		}
	}
	if _, err := w.try(t, "old", "right"); err == nil || err.Code != "login.expired" {
		t.Errorf("an expired password: got %v", err)
	}
	if _, err := w.try(t, "gone", "right"); err == nil || err.Kind != identity.KindUnavailable {
		t.Errorf("an outage: got %v", err)
	}
	if _, err := w.try(t, "ada", ""); err == nil || err.Code != "login.form" {
		t.Errorf("no password: got %v", err)
	}
	trail := []identity.Code{"login.failed", "login.failed", "login.locked", "user.disabled", "login.expired"}
	if diff := cmp.Diff(trail, w.codes(t)); diff != "" {
		t.Errorf("audit trail (-want +got):\n%s", diff)
	}
}

// TestAttackGuessing holds that a name is tried so often and no more, whether there is
// anybody by it or not, that the directory is not asked then, and that the count ends
// with time and with the right password.
func TestAttackGuessing(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"ada", "nobody"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil)
			tries := 0
			for ; tries < 100; tries++ {
				if _, err := w.try(t, name, "wrong"); err.Code == "rate.limited" {
					break
				}
			}
			if tries == 0 || tries >= 100 || w.source.asked != tries {
				t.Errorf("%d tries, of which the directory heard %d", tries, w.source.asked)
			}
			if _, err := w.try(t, name, "right"); err == nil || err.Code != "rate.limited" {
				t.Errorf("the right password, too late: got %v", err)
			}
			w.now = w.now.Add(time.Hour)
			if _, err := w.try(t, name, "right"); name == "ada" && err != nil || name != "ada" && err.Code != "login.failed" {
				t.Errorf("an hour later: got %v", err)
			}
		})
	}
}

// TestGoneBrowser holds that whoever goes away is no wrong password.
func TestGoneBrowser(t *testing.T) {
	t.Parallel()
	w := newWorld(t, map[string]error{"ada": context.Canceled})
	if _, err := w.Verify(t.Context(), login.Step{Identifier: "ada"}, url.Values{templates.FieldPassword: {"right"}}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if got := w.codes(t); len(got) != 0 {
		t.Errorf("audit trail: %v", got)
	}
}
