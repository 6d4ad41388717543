package main

import (
	"context"
	"regexp"
	"strings"
	"testing"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/peer"
	"github.com/samlet-id/samlet/store"
)

// configure adds lines to the entry of an application of the demo.
func (d *demo) configure(t *testing.T, app string, lines ...string) {
	t.Helper()
	err := editConfig(d.samlet.path, func(raw []byte) ([]byte, error) {
		added := "${0}"
		for _, l := range lines {
			added += "${1}  " + l + "\n"
		}
		return regexp.MustCompile(`( *)- id: `+app+`\n`).ReplaceAll(raw, []byte(added)), nil
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.samlet.reload(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// trail returns the audit events of somebody, newest first, as "type party code".
func (d *demo) trail(t *testing.T, user string) []string {
	t.Helper()
	var out []string
	ctx := t.Context()
	err := d.samlet.store.View(ctx, func(tx *store.Tx) error {
		r, err := tx.Records.ByLogin(ctx, user)
		if err != nil {
			return err
		}
		all, err := tx.Events.List(ctx, r.ID, 100)
		out = nil
		for _, e := range all {
			out = append(out, strings.TrimSpace(strings.Join([]string{string(e.Type), string(e.RelyingParty), string(e.Code)}, " ")))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestConsentThroughTheWholeHouse asks, is refused, asks again, remembers,
// withdraws and asks once more, with an application at the other end.
func TestConsentThroughTheWholeHouse(t *testing.T) {
	t.Parallel()
	world := startWorld(t)
	world.configure(t, "app1", "consent: first_use")
	world.configure(t, "app2", `access: {require: '"nobody" in user.groups', message: Nobody may use this.}`)
	b := peer.NewBrowser(t)
	page := b.Walk(world.Apps[0]+"/app/signin", peer.Fill{"identifier": "alice", "password": demoPassword})
	wantWords(t, page, "May", "learn this about you?", "Application 1", "alice@samlet.test", "E-mail", "admins")

	answer := func(word string) *peer.Page {
		b.Submit(b.Page().Form("consent"), peer.Fill{"consent": word})
		return b.Continue(nil)
	}
	page = answer("deny")
	wantWords(t, page, "RequestDenied", "user.declined")
	b.Walk(world.Apps[0]+"/app/signin", nil)
	page = answer("allow")
	wantWords(t, page, "alice@samlet.test", "Adams")
	page = b.Walk(world.Apps[0]+"/app/signin", nil)
	wantWords(t, page, "alice@samlet.test", "Adams")

	page = b.Get(world.Samlet + "/consents")
	wantWords(t, page, "What you allowed", "Application 1", "E-mail", "First name", "Last name", "Groups")
	page = b.Submit(page.Form("withdraw"), peer.Fill{"withdraw": "app1"})
	wantWords(t, page, "Withdrawn.", "There is nothing that you allowed.")
	page = b.Walk(world.Apps[0]+"/app/signin", nil)
	wantWords(t, page, "learn this about you?")

	page = b.Walk(world.Apps[1]+"/app/signin", nil)
	wantWords(t, page, "AuthnFailed", "user.not_allowed", "Nobody may use this.")
	if err := world.samlet.house.login.Close(context.Background()); err != nil { // what is written behind
		t.Fatal(err)
	}
	trail := strings.Join(world.trail(t, "alice"), "\n")
	for _, want := range []string{
		"request.refused app2 user.not_allowed", string(identity.EventConsentWithdrawn) + " app1",
		string(identity.EventConsentGiven) + " app1", "request.refused app1 user.declined",
	} {
		if !strings.Contains(trail, want) {
			t.Errorf("the audit trail lacks %q:\n%s", want, trail)
		}
	}
}
