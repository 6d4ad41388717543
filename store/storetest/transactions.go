package storetest

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/store"
)

// testTimes checks that every point in time comes back as it was, in UTC.
func testTimes(t *testing.T, s store.Store) {
	zone := time.FixedZone("far east", 14*60*60)
	for name, c := range map[string]struct{ in, want time.Time }{
		"another zone":    {start.In(zone), start},
		"zero":            {time.Time{}, time.Time{}},
		"before 1970":     {time.Date(1815, 12, 10, 1, 2, 3, 4000, time.UTC), time.Date(1815, 12, 10, 1, 2, 3, 4000, time.UTC)},
		"end of xs:dates": {time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 999999000, time.UTC)},
		"nanoseconds":     {start.Add(999 * time.Nanosecond), start},
	} {
		id := identity.RecordID(name)
		update(t, s, func(tx *store.Tx) error {
			return tx.Records.Create(t.Context(), identity.Record{ID: id, Created: c.in, Updated: start})
		})
		got := getRecord(t, s, id).Created
		if !got.Equal(c.want) || got.Location() != time.UTC {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
}

// testText checks that no text is read as SQL, folded, trimmed, normalised or
// cut off.
func testText(t *testing.T, s store.Store) {
	ctx := t.Context()
	texts := []string{
		"", " ", "a", "A", "a ", "á", "a\u0301", "ß", "ss", "ı", "I",
		"'; DROP TABLE records; --", `"`, "`", `\`, `\'`, "%", "_", "$1", "?", ":a", "@a", "{}",
		"\x01\x1b[31m\x7f", "a\r\nb\tc", "\u202e\u200b\ufeff\ufffd", "\ufffe\uffff",
		"𝔘𝔫𝔦", "👩‍👩‍👧‍👦", "\U0010ffff", "日本語", strings.Repeat("𐍈", 200),
	}
	want := identity.Record{ID: "r1", Created: start, Updated: start}
	for _, v := range texts {
		want.Values = append(want.Values, identity.Value{Name: identity.DisplayName, Value: v, Source: identity.Source(v)})
		want.Logins = append(want.Logins, v)
	}
	update(t, s, func(tx *store.Tx) error {
		if err := tx.Records.Create(ctx, want); err != nil {
			return err
		}
		for i, v := range texts {
			p := identity.Principal{Issuer: "https://idp.example.test", Subject: v, Format: identity.Format(v), NameQualifier: v, SPNameQualifier: v}
			if err := tx.Links.Create(ctx, identity.Link{Principal: p, Record: "r1", Created: start.Add(time.Duration(i) * time.Second)}); err != nil {
				return err
			}
		}
		return nil
	})
	if diff := cmp.Diff(want, getRecord(t, s, "r1")); diff != "" {
		t.Errorf("values and sign-in names (-want +got):\n%s", diff)
	}
	view(t, s, func(tx *store.Tx) error {
		for _, v := range texts {
			l, err := tx.Links.Get(ctx, "https://idp.example.test", v)
			if err != nil {
				return err
			}
			if got := []string{l.Principal.Subject, string(l.Principal.Format), l.Principal.NameQualifier, l.Principal.SPNameQualifier}; !cmp.Equal(got, []string{v, v, v, v}) {
				t.Errorf("link: got %q, want %q", got, v)
			}
		}
		return nil
	})
}

func testRefusedText(t *testing.T, s store.Store) {
	for name, v := range map[string]string{"NUL": "a\x00b", "not UTF-8": "a\xff", "half a rune": "\xf0\x9f\x98"} {
		err := s.Update(t.Context(), func(tx *store.Tx) error {
			return tx.Records.Create(t.Context(), identity.Record{ID: identity.RecordID(name), Values: []identity.Value{{Name: "n", Value: v}}})
		})
		wantKind(t, name, err, identity.KindInvalid)
	}
}

// wantNothing checks that the record "kept" was not kept, and that the store
// still works.
func wantNothing(t testing.TB, s store.Store, after string) {
	t.Helper()
	err := s.Update(context.WithoutCancel(t.Context()), func(tx *store.Tx) error {
		_, err := tx.Records.Get(context.WithoutCancel(t.Context()), "kept")
		return err
	})
	wantKind(t, after+": Get", err, identity.KindNotFound)
}

func testRollback(t *testing.T, s store.Store) {
	ctx := t.Context()
	create := func(tx *store.Tx) {
		if err := tx.Records.Create(ctx, identity.Record{ID: "kept"}); err != nil {
			t.Errorf("Create: %v", err)
		}
	}
	err := s.Update(ctx, func(tx *store.Tx) error {
		create(tx)
		return errOops
	})
	if !errors.Is(err, errOops) {
		t.Errorf("got error %v, want the function's own", err)
	}
	wantNothing(t, s, "after an error")

	func() {
		defer func() {
			if got := recover(); got != errOops { //nolint:errorlint // the very value that was panicked with
				t.Errorf("recovered %v, want the function's own panic", got)
			}
		}()
		err := s.Update(ctx, func(tx *store.Tx) error {
			create(tx)
			panic(errOops)
		})
		t.Errorf("Update returned %v after a panic", err)
	}()
	wantNothing(t, s, "after a panic")

	ended := make(chan struct{})
	go func() {
		defer close(ended)
		err := s.Update(ctx, func(tx *store.Tx) error {
			create(tx)
			runtime.Goexit() // as t.Fatal does
			return nil
		})
		t.Errorf("Update returned %v after Goexit", err)
	}()
	<-ended
	wantNothing(t, s, "after Goexit")
}

// testIgnoredFailure checks that a failed statement fails its transaction even
// if the function goes on as if nothing had happened.
func testIgnoredFailure(t *testing.T, s store.Store) {
	ctx := t.Context()
	err := s.Update(ctx, func(tx *store.Tx) error {
		if err := tx.Records.Create(ctx, identity.Record{ID: "kept"}); err != nil {
			return err
		}
		wantKind(t, "Create of a dangling link", tx.Links.Create(ctx, identity.Link{Record: "nobody"}), identity.KindNotFound)
		return nil
	})
	wantKind(t, "Update", err, identity.KindNotFound)
	wantNothing(t, s, "after a failed statement")
}

func testViewReadOnly(t *testing.T, s store.Store) {
	ctx := t.Context()
	view(t, s, func(tx *store.Tx) error {
		wantMisuse(t, "Create", tx.Records.Create(ctx, identity.Record{ID: "kept"}))
		_, err := tx.Tickets.Take(ctx, store.PurposeLogin, "a", start)
		wantMisuse(t, "Take", err)
		_, _, err = tx.Counters.Hit(ctx, "a", time.Second, start)
		wantMisuse(t, "Hit", err)
		return nil
	})
	wantNothing(t, s, "after a View")
	if err := s.View(ctx, func(*store.Tx) error { return errOops }); !errors.Is(err, errOops) {
		t.Errorf("View: got error %v, want the function's own", err)
	}
}

// testViewSnapshot checks that what is committed during a View does not appear
// in it. The writer may have to wait for the View to end.
func testViewSnapshot(t *testing.T, s store.Store) {
	ctx := t.Context()
	written := make(chan error, 1)
	view(t, s, func(tx *store.Tx) error {
		_, err := tx.Records.Get(ctx, "kept")
		wantKind(t, "before the write", err, identity.KindNotFound)
		go func() {
			written <- s.Update(ctx, func(tx *store.Tx) error { return tx.Records.Create(ctx, identity.Record{ID: "kept"}) })
		}()
		select {
		case err := <-written:
			written <- err
		case <-time.After(100 * time.Millisecond): // a store that lets the writer wait
		}
		_, err = tx.Records.Get(ctx, "kept")
		wantKind(t, "after the write", err, identity.KindNotFound)
		return nil
	})
	if err := <-written; err != nil {
		t.Fatalf("Update: %v", err)
	}
	getRecord(t, s, "kept")
}

// wantMisuse checks that err says that the caller broke the contract.
func wantMisuse(t testing.TB, what string, err error) {
	t.Helper()
	if identity.KindOf(err) != identity.KindInternal || identity.CodeOf(err) != "store.misuse" {
		t.Errorf("%s: got %v, want kind internal, code store.misuse", what, err)
	}
}

func testDeadTx(t *testing.T, s store.Store) {
	ctx := t.Context()
	var leaked []*store.Tx
	leak := func(tx *store.Tx) error {
		leaked = append(leaked, tx)
		return nil
	}
	view(t, s, leak)
	update(t, s, leak)
	for _, tx := range leaked {
		_, err := tx.Records.Get(ctx, "r1")
		wantMisuse(t, "Get", err)
		wantMisuse(t, "Create", tx.Records.Create(ctx, identity.Record{ID: "kept"}))
	}
	wantNothing(t, s, "after its end")
}

// testCancelled ends the context before and in the middle of a transaction, and
// while it waits for its turn.
func testCancelled(t *testing.T, s store.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	inside, release := make(chan struct{}), make(chan struct{})
	blocker := make(chan error, 1)
	go func() {
		blocker <- s.Update(t.Context(), func(*store.Tx) error {
			close(inside)
			<-release
			return nil
		})
	}()
	<-inside
	waiting := make(chan error, 1)
	go func() {
		waiting <- s.Update(ctx, func(tx *store.Tx) error { return tx.Records.Create(ctx, identity.Record{ID: "kept"}) })
	}()
	cancel()
	err := <-waiting
	wantKind(t, "while it waited", err, identity.KindUnavailable)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want it to wrap context.Canceled", err)
	}
	close(release)
	if err := <-blocker; err != nil {
		t.Errorf("the one it waited for: %v", err)
	}
	wantNothing(t, s, "after waiting in vain")

	wantKind(t, "Update when it is over", s.Update(ctx, func(*store.Tx) error { return nil }), identity.KindUnavailable)
	wantKind(t, "View when it is over", s.View(ctx, func(*store.Tx) error { return nil }), identity.KindUnavailable)

	ctx, cancel = context.WithCancel(t.Context())
	defer cancel()
	err = s.Update(ctx, func(tx *store.Tx) error {
		if err := tx.Records.Create(ctx, identity.Record{ID: "kept"}); err != nil {
			return err
		}
		cancel()
		return tx.Records.Create(ctx, identity.Record{ID: "other"})
	})
	wantKind(t, "in the middle", err, identity.KindUnavailable)
	wantNothing(t, s, "in the middle")
}

func testClosed(t *testing.T, s store.Store) {
	if err := s.Ping(t.Context()); err != nil {
		t.Errorf("Ping: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	nothing := func(*store.Tx) error { return nil }
	wantKind(t, "View", s.View(t.Context(), nothing), identity.KindUnavailable)
	wantKind(t, "Update", s.Update(t.Context(), nothing), identity.KindUnavailable)
	wantKind(t, "Ping", s.Ping(t.Context()), identity.KindUnavailable)
	if err := s.Close(); err != nil {
		t.Errorf("a second Close: %v", err)
	}
}
