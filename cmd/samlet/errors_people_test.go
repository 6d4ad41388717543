package main

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/peer"
	"github.com/samlet-id/samlet/store"
)

// TestErrorsOfPeopleAgree provokes the refusals of people who sign in, in a whole
// world, and demands that page, log line and audit event agree, and that each page
// shows one way on.
func TestErrorsOfPeopleAgree(t *testing.T) {
	t.Parallel()
	var log logBuffer
	world, err := startDemo(context.Background(), t.TempDir(), &log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := world.Close(); err != nil {
			t.Errorf("closing the world: %v", err)
		}
	})
	app := world.Apps[0] + "/app/signin"
	atPassword := func(t *testing.T, name string) *peer.Browser {
		b := peer.NewBrowser(t)
		b.Walk(app, peer.Fill{"identifier": name})
		return b
	}
	for _, tc := range []struct {
		name    string
		provoke func(t *testing.T) *peer.Page
		status  int
		code    string // on the page and in the log
		event   string // in the audit trail, if there is one
		words   string
	}{
		{"a ticket that nobody has", func(t *testing.T) *peer.Page {
			return peer.NewBrowser(t).Get(world.Samlet + "/login?t=nope")
		}, http.StatusBadRequest, "ui.stale", "", "start again"},
		{"cookies lost on the way", func(t *testing.T) *peer.Page {
			b := atPassword(t, "alice")
			b.Forget(world.Samlet)
			return b.Submit(b.Page().Form("password"), peer.Fill{"password": demoPassword})
		}, http.StatusBadRequest, "ui.stale", "", "start again"},
		{"the back button after success", func(t *testing.T) *peer.Page {
			b := atPassword(t, "alice")
			old := b.Page().URL.String()
			b.Submit(b.Page().Form("password"), peer.Fill{"password": demoPassword})
			b.Continue(nil)
			return b.Get(old)
		}, http.StatusOK, "ui.stale", "", "You are signed in"},
		{"the same form once more after success", func(t *testing.T) *peer.Page {
			b := atPassword(t, "alice")
			form := b.Page().Form("password")
			old := b.Page().URL.String()
			b.Submit(form, peer.Fill{"password": demoPassword})
			b.Continue(nil)
			b.Get(old)
			return b.Page()
		}, http.StatusOK, "ui.stale", "", "You are signed in"},
		{"too many wrong passwords", func(t *testing.T) *peer.Page {
			b := atPassword(t, "mallory")
			for range 30 {
				p := b.Submit(b.Page().Form("password"), peer.Fill{"password": "wrong"})
				if p.Status == http.StatusTooManyRequests {
					return p
				}
			}
			return b.Page()
		}, http.StatusTooManyRequests, "", "rate.limited", "try again"},
		{"a wrong password", func(t *testing.T) *peer.Page {
			b := atPassword(t, "alice")
			return b.Submit(b.Page().Form("password"), peer.Fill{"password": "wrong"})
		}, http.StatusForbidden, "", "login.failed", "do not belong together"},
		{"given up", func(t *testing.T) *peer.Page {
			b := atPassword(t, "alice")
			return b.Submit(b.Page().Form("cancel"), peer.Fill{"cancel": "1"})
		}, http.StatusOK, "", "login.cancelled", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			page := tc.provoke(t)
			text := string(page.Body)
			if page.Status != tc.status || !strings.Contains(strings.ToLower(text), strings.ToLower(tc.words)) {
				t.Errorf("got %d, want %d with %q:\n%s", page.Status, tc.status, tc.words, page.Text())
			}
			if got := onPage(text); got.code != tc.code {
				t.Errorf("the page has the code %q, want %q", got.code, tc.code)
			} else if got.code != "" && tc.status >= http.StatusBadRequest && logged(log.String(), got) == nil {
				t.Errorf("no log line has %+v:\n%s", got, log.String())
			}
			if tc.event != "" && !hasEvent(t, world.samlet, tc.event) {
				t.Errorf("no audit event has the code %s", tc.event)
			}
		})
	}
}

// hasEvent reports whether the audit trail tells of a code with a request ID.
func hasEvent(t *testing.T, s *server, code string) bool {
	t.Helper()
	var found bool
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	err := s.store.View(ctx, func(tx *store.Tx) error {
		events, err := tx.Events.List(ctx, "", 200)
		found = slices.ContainsFunc(events, func(e identity.Event) bool { return string(e.Code) == code && e.RequestID != "" })
		return err
	})
	if err != nil && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	return found
}
