package main

import (
	"context"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/peer"
	"github.com/samlet-id/samlet/store"
)

// startWorld is the demo's world for one test.
func startWorld(t testing.TB) *demo {
	t.Helper()
	d, err := startDemo(context.Background(), t.TempDir(), logTo(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Errorf("closing the world: %v", err)
		}
	})
	return d
}

// logTo shows the log of a test that failed.
func logTo(t testing.TB) io.Writer {
	var log logBuffer
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("samlet's log:\n%s", log.String())
		}
	})
	return &log
}

// TestOneLoginThroughTheWholeHouse is the product in one test: a person signs
// in at an application with a password and arrives at a second one without a
// prompt; another is sent on to the partner by their mail domain, is recorded
// with sourced attributes, and is recognised the second time.
func TestOneLoginThroughTheWholeHouse(t *testing.T) {
	t.Parallel()
	world := startWorld(t)

	t.Run("password, then a second application without a prompt", func(t *testing.T) {
		b := peer.NewBrowser(t)
		page := b.Walk(world.Apps[0]+"/app/signin", peer.Fill{"identifier": "alice", "password": demoPassword})
		wantWords(t, page, "alice@samlet.test", "Adams", "admins", string(identity.FormatPersistent), string(identity.ClassPasswordProtectedTransport))
		page = b.Walk(world.Apps[1]+"/app/signin", nil)
		wantWords(t, page, "alice@samlet.test", "Alice")
	})
	t.Run("partner, twice", func(t *testing.T) {
		var first userRow
		for _, round := range []string{"first", "second"} {
			b := peer.NewBrowser(t)
			b.Walk(world.Apps[0]+"/app/signin", peer.Fill{"identifier": "pat@partner.test"})
			if got := b.Page().URL.String(); !strings.HasPrefix(got, world.Partner) {
				t.Fatalf("the %s sign-in led to %s, want the partner at %s", round, got, world.Partner)
			}
			page := b.Continue(peer.Fill{"identifier": "pat", "password": demoPassword})
			wantWords(t, page, "pat@partner.test", "Park", "staff", world.Partner+"/saml/metadata")

			row := onlyLinked(t, world)
			want := []userValue{
				{"family_name", "Park", "partner"}, {"given_name", "Pat", "partner"},
				{"groups", "staff", "partner"}, {"mail", "pat@partner.test", "partner"},
			}
			if diff := cmp.Diff(want, row.Values); diff != "" {
				t.Errorf("values after the %s sign-in (-want +got):\n%s", round, diff)
			}
			if len(row.Links) != 1 || row.Links[0].Issuer != world.Partner+"/saml/metadata" || row.Links[0].Connection != "partner" {
				t.Errorf("links after the %s sign-in: %+v, want one of the partner", round, row.Links)
			}
			if round == "second" && row.ID != first.ID {
				t.Errorf("the second sign-in made a second record %s beside %s", row.ID, first.ID)
			}
			first = row
		}
	})
	t.Run("OpenID Provider, and out again", func(t *testing.T) {
		b := peer.NewBrowser(t)
		page := b.Walk(world.Apps[0]+"/app/signin", peer.Fill{"identifier": "olga@openid.test"})
		if got := page.URL.String(); !strings.HasPrefix(got, world.OpenID) {
			t.Fatalf("the sign-in led to %s, want the OpenID Provider at %s", got, world.OpenID)
		}
		wantWords(t, b.Continue(peer.Fill{"password": "wrong"}), "do not belong together")
		page = b.Continue(peer.Fill{"password": demoPassword})
		wantWords(t, page, "olga@openid.test", "Orlov", "partners", world.OpenID)
		b.Get(world.Samlet + "/logout")
		b.Submit(b.Page().Forms()[0], nil)
		wantWords(t, b.Continue(nil), "You are signed out")
		page = b.Walk(world.Apps[1]+"/app/signin", peer.Fill{"identifier": "olga@openid.test"})
		if page.Form("password") == nil || !strings.HasPrefix(page.URL.String(), world.OpenID) {
			t.Errorf("after signing out the OpenID Provider did not ask again: %s\n%s", page.URL, page.Text())
		}
	})
	t.Run("directory, and out again", func(t *testing.T) {
		b := peer.NewBrowser(t)
		page := b.Walk(world.Apps[0]+"/app/signin", peer.Fill{"identifier": "dora@directory.test", "password": "wrong"})
		wantWords(t, page, "do not belong together")
		page = b.Continue(peer.Fill{"password": demoPassword})
		wantWords(t, page, "dora@directory.test", "Dahl", "engineers")
		b.Get(world.Samlet + "/logout")
		wantWords(t, b.Submit(b.Page().Forms()[0], nil), "signed out")
		page = b.Walk(world.Apps[1]+"/app/signin", peer.Fill{"identifier": "dora@directory.test"})
		if page.Form("password") == nil {
			t.Errorf("after signing out nobody is asked again: %s\n%s", page.URL, page.Text())
		}
	})
	t.Run("wrong password", func(t *testing.T) {
		b := peer.NewBrowser(t)
		page := b.Walk(world.Apps[0]+"/app/signin", peer.Fill{"identifier": "alice", "password": "wrong horse battery"})
		wantWords(t, page, "do not belong together")
		unknown := peer.NewBrowser(t).Walk(world.Apps[0]+"/app/signin", peer.Fill{"identifier": "nobody", "password": "wrong horse battery"})
		if known := strings.ReplaceAll(page.Text(), "alice", "nobody"); known != unknown.Text() || page.Status != unknown.Status {
			t.Errorf("an unknown person can be told from a wrong password:\n%s\n%s", known, unknown.Text())
		}
	})
	t.Run("sign out of samlet", func(t *testing.T) {
		b := peer.NewBrowser(t)
		b.Walk(world.Apps[0]+"/app/signin", peer.Fill{"identifier": "alice", "password": demoPassword})
		b.Get(world.Samlet + "/logout")
		b.Submit(b.Page().Forms()[0], nil)
		page := b.Walk(world.Apps[1]+"/app/signin", nil)
		if page.Form("identifier") == nil {
			t.Errorf("after signing out application 2 was reached without a prompt:\n%s", page.Text())
		}
	})
	t.Run("cancel", func(t *testing.T) {
		b := peer.NewBrowser(t)
		page := b.Walk(world.Apps[0]+"/app/signin", nil)
		b.Submit(page.Form("cancel"), peer.Fill{"cancel": "1"})
		wantWords(t, b.Continue(nil), "up.status")
		if got := b.Page().URL.String(); !strings.HasPrefix(got, world.Apps[0]) {
			t.Errorf("cancelling ended at %s, want the application", got)
		}
	})
}

// wantWords demands that each word stands on the page.
func wantWords(t *testing.T, p *peer.Page, words ...string) {
	t.Helper()
	text := string(p.Body)
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("%s (status %d) does not say %q:\n%s", p.URL, p.Status, w, p.Text())
		}
	}
}

// onlyLinked returns the one record of the demo's samlet that came from
// upstream.
func onlyLinked(t *testing.T, world *demo) userRow {
	t.Helper()
	rows := linkedUsers(t, world)
	if len(rows) != 1 {
		t.Fatalf("%d records are linked, want 1: %+v", len(rows), rows)
	}
	return rows[0]
}

// linkedUsers lists the records that a connection leads to.
func linkedUsers(t *testing.T, world *demo) []userRow {
	t.Helper()
	rows, err := userRows(t.Context(), world.samlet.store)
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(rows, func(r userRow) bool { return len(r.Links) == 0 })
}

// TestDisabledPersonIsKeptOut holds that disabling ends the session and every
// way in at once.
func TestDisabledPersonIsKeptOut(t *testing.T) {
	t.Parallel()
	world := startWorld(t)
	b := peer.NewBrowser(t)
	b.Walk(world.Apps[0]+"/app/signin", peer.Fill{"identifier": "alice", "password": demoPassword})
	if _, err := setDisabled(t.Context(), world.samlet.store, "alice", true); err != nil {
		t.Fatal(err)
	}
	page := b.Walk(world.Apps[1]+"/app/signin", peer.Fill{"identifier": "alice", "password": demoPassword})
	if page.Form("password") == nil {
		t.Errorf("a disabled person arrived at %s:\n%s", page.URL, page.Text())
	}

	b = peer.NewBrowser(t)
	b.Walk(world.Apps[0]+"/app/signin", peer.Fill{"identifier": "pat@partner.test"})
	b.Continue(peer.Fill{"identifier": "pat", "password": demoPassword})
	if _, err := setDisabled(t.Context(), world.samlet.store, onlyLinked(t, world).ID, true); err != nil {
		t.Fatal(err)
	}
	page = b.Walk(world.Apps[1]+"/app/signin", peer.Fill{"identifier": "pat@partner.test"})
	wantWords(t, page, "user.disabled")
}

// TestReloadKeepsWhatWasGood holds that a faulty configuration is reported and
// changes nothing, and that a good one is in force without dropping a session.
func TestReloadKeepsWhatWasGood(t *testing.T) {
	t.Parallel()
	world := startWorld(t)
	s := world.samlet
	b := peer.NewBrowser(t)
	b.Walk(world.Apps[0]+"/app/signin", peer.Fill{"identifier": "alice", "password": demoPassword})

	good := readAll(t, s.path)
	before := s.house
	if err := replaceFile(s.path, []byte(good+"\nnonsense: 1\n")); err != nil {
		t.Fatal(err)
	}
	if err := s.reload(t.Context()); err == nil || !strings.Contains(err.Error(), "nonsense") {
		t.Errorf("reload() = %v, want the fault", err)
	}
	if s.house != before {
		t.Error("a faulty configuration came into force")
	}
	renamed := strings.Replace(good, "display_name: samlet", "display_name: Renamed", 1)
	renamed = strings.Replace(renamed, "listen: ", "listen: \"127.0.0.1:1\" # ", 1)
	if err := replaceFile(s.path, []byte(renamed)); err != nil {
		t.Fatal(err)
	}
	if err := s.reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s.house == before || s.house.snapshot.Config.Server.Listen != s.started.Server.Listen {
		t.Error("the good configuration is not in force, or took over a setting that needs a restart")
	}
	wantWords(t, b.Get(world.Samlet+"/logout"), "Renamed")
	wantWords(t, b.Walk(world.Apps[1]+"/app/signin", nil), "alice@samlet.test")
}

// TestEventsTellTheStory holds that a login leaves its trail.
func TestEventsTellTheStory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	world, err := startDemo(context.Background(), dir, logTo(t))
	if err != nil {
		t.Fatal(err)
	}
	b := peer.NewBrowser(t)
	b.Walk(world.Apps[0]+"/app/signin", peer.Fill{"identifier": "alice", "password": "wrong horse battery"})
	b.Continue(peer.Fill{"password": demoPassword})
	cfg, path := world.samlet.house.snapshot.Config, world.samlet.path
	if err := world.Close(); err != nil { // what is written behind is written now
		t.Fatal(err)
	}
	db, err := openStore(t.Context(), cfg, path)
	if err != nil {
		t.Fatal(err)
	}
	var got []identity.EventType
	err = db.View(t.Context(), func(tx *store.Tx) error {
		events, err := tx.Events.List(t.Context(), "", 100)
		for _, e := range slices.Backward(events) {
			got = append(got, e.Type)
		}
		return err
	})
	if cerr := db.Close(); err != nil || cerr != nil {
		t.Fatal(err, cerr)
	}
	want := []identity.EventType{identity.EventRecordCreated, identity.EventLoginFailed, identity.EventLogin, identity.EventRelease}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}
