package main

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/peer"
	"github.com/samlet-id/samlet/store"
)

// TestAccountLinksThroughTheHouse adds the partner to an account on the account
// page, comes in by it, and takes it away again.
func TestAccountLinksThroughTheHouse(t *testing.T) {
	t.Parallel()
	world := startWorld(t)
	b := peer.NewBrowser(t)
	account := world.Samlet + "/account"
	b.Get(account)
	b.Submit(b.Page().Form("confirm"), peer.Fill{"confirm": "1"})
	wantWords(t, b.Continue(peer.Fill{"identifier": "alice", "password": demoPassword}), "How you sign in")
	b.Submit(b.Page().Form("connection"), peer.Fill{"connection": "partner"})
	wantWords(t, b.Continue(peer.Fill{"identifier": "pat", "password": demoPassword}), "Added.")
	if row := onlyLinked(t, world); !slices.Contains(row.Logins, "alice") {
		t.Errorf("who is linked is %+v, want alice", row)
	}
	wantWords(t, byPartner(t, world, peer.NewBrowser(t), world.Apps[0]+"/app/signin"), "alice@samlet.test")

	// Somebody else cannot have it, too.
	var out strings.Builder
	args := []string{"user", "create", "bob", "--password-stdin", "--config", world.samlet.path}
	if code := run(t.Context(), args, strings.NewReader(demoPassword+"\n"), &out, &out); code != exitGood {
		t.Fatalf("user create: %d %s", code, &out)
	}
	other := peer.NewBrowser(t)
	other.Get(account)
	other.Submit(other.Page().Form("confirm"), peer.Fill{"confirm": "1"})
	other.Continue(peer.Fill{"identifier": "bob", "password": demoPassword})
	other.Submit(other.Page().Form("connection"), peer.Fill{"connection": "partner"})
	wantWords(t, other.Continue(peer.Fill{"identifier": "pat", "password": demoPassword}), "belongs to another account")

	b.Get(account)
	form := b.Page().Form("unlink")
	wantWords(t, b.Submit(form, nil), "Removed.")
	want := []identity.EventType{identity.EventLinkCreated, identity.EventLinkRefused, identity.EventLinkRemoved}
	if diff := cmp.Diff(want, linkEvents(t, world)); diff != "" {
		t.Errorf("audit trail (-want +got):\n%s", diff)
	}
	if rows := linkedUsers(t, world); len(rows) > 0 {
		t.Errorf("linked: %+v", rows)
	}
}

// TestReclaimTellsApplications takes a record from whoever typed somebody else's
// mail address: each application at which they are signed in is accounted for.
func TestReclaimTellsApplications(t *testing.T) {
	t.Parallel()
	world := startWorld(t)
	setExisting(t, world, "verified_email")
	var alice identity.Record
	err := world.samlet.store.Update(t.Context(), func(tx *store.Tx) error {
		var err error
		if alice, err = findUser(t.Context(), tx, "alice"); err != nil {
			return err
		}
		alice.Reconcile(identity.SourcePerson, identity.Attributes{identity.Mail: {"pat@partner.test"}})
		return tx.Records.Replace(t.Context(), alice)
	})
	if err != nil {
		t.Fatal(err)
	}
	b := everywhere(t, world)
	joined := participants(t, world)
	byPartner(t, world, peer.NewBrowser(t), world.Apps[0]+"/app/signin")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	told := map[identity.RelyingPartyID]bool{}
	for tick := time.NewTicker(20 * time.Millisecond); len(told) < len(joined); {
		err := world.samlet.store.View(ctx, func(tx *store.Tx) error {
			all, err := tx.Events.List(ctx, alice.ID, 100)
			for _, e := range all {
				if e.Type == identity.EventLogoutTold {
					told[e.RelyingParty] = true
				}
			}
			return err
		})
		if err != nil {
			t.Fatalf("of %d applications, told are %v: %v", len(joined), told, err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	if p := b.Walk(world.Samlet+"/test/signin?force=0", nil); p.Form("identifier") == nil {
		t.Errorf("the squatter's session goes on: %s", p.Text())
	}
}
