package main

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/peer"
	"github.com/samlet-id/samlet/store"
)

// byPartner signs pat in at the demo's partner, for one of its applications.
func byPartner(t *testing.T, world *demo, b *peer.Browser, at string) *peer.Page {
	t.Helper()
	b.Walk(at, peer.Fill{"identifier": "pat@partner.test"})
	return b.Continue(peer.Fill{"identifier": "pat", "password": demoPassword})
}

// command runs one command line beside the running server.
func command(t *testing.T, world *demo, want int, args ...string) string {
	t.Helper()
	var out strings.Builder
	if code := run(t.Context(), append(args, "--config", world.samlet.path), nil, &out, &out); code != want {
		t.Errorf("%v: got %d, want %d\n%s", args, code, want, &out)
	}
	return out.String()
}

// TestLinksAreUndone shows, removes and makes links by the command line: a
// session that came by a link ends with it, and from then on the subject is
// whoever it is linked to.
func TestLinksAreUndone(t *testing.T) {
	t.Parallel()
	world := startWorld(t)
	b := peer.NewBrowser(t)
	wantWords(t, byPartner(t, world, b, world.Apps[0]+"/app/signin"), "pat@partner.test")
	pat := onlyLinked(t, world)
	link := pat.Links[0]

	var shown userRow
	if err := json.Unmarshal([]byte(command(t, world, exitGood, "user", "show", pat.ID, "--json")), &shown); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(pat, shown); diff != "" {
		t.Errorf("user show (-list +show):\n%s", diff)
	}
	if out := command(t, world, exitGood, "user", "show", pat.ID); !strings.Contains(out, "link      partner: "+link.Subject+" at "+link.Issuer) {
		t.Errorf("user show says\n%s", out)
	}
	if out := command(t, world, exitFailed, "user", "link", "alice", "--connection", "partner", "--subject", link.Subject); !strings.Contains(out, pat.ID) {
		t.Errorf("linking somebody else's subject says\n%s", out)
	}
	command(t, world, exitFailed, "user", "unlink", pat.ID, "--connection", "partner", "--subject", "nobody")
	command(t, world, exitFailed, "user", "unlink", "alice", "--connection", "partner")
	command(t, world, exitFailed, "user", "link", "alice", "--connection", "nowhere", "--subject", "x")
	command(t, world, exitUsage, "user", "link", "alice", "--connection", "partner")

	// The demo's applications can only be told through a browser.
	out := command(t, world, exitWarnings, "user", "unlink", pat.ID, "--connection", "partner")
	if !strings.Contains(out, "Removed 1 link") || !strings.Contains(out, "Ended 1 session") {
		t.Errorf("user unlink says\n%s", out)
	}
	command(t, world, exitGood, "user", "link", "alice", "--connection", "partner", "--subject", link.Subject)
	wantWords(t, byPartner(t, world, b, world.Apps[0]+"/app/signin"), "alice@samlet.test")

	var trail []identity.EventType
	err := world.samlet.store.View(t.Context(), func(tx *store.Tx) error {
		events, err := tx.Events.List(t.Context(), identity.RecordID(pat.ID), 100)
		for _, e := range slices.Backward(events) {
			if e.Type == identity.EventLinkCreated || e.Type == identity.EventLinkRemoved || e.Type == identity.EventLogout {
				trail = append(trail, e.Type)
			}
		}
		return err
	})
	if diff := cmp.Diff([]identity.EventType{identity.EventLinkCreated, identity.EventLinkRemoved, identity.EventLogout}, trail); err != nil || diff != "" {
		t.Errorf("audit trail: %v (-want +got):\n%s", err, diff)
	}
}

// TestTakeover is one case more of the corpus in broker, which takes a browser:
// link during a foreign session. Pat signs in where alice is, and becomes nobody
// but pat.
func TestTakeover(t *testing.T) {
	t.Parallel()
	world := startWorld(t)
	b := peer.NewBrowser(t)
	b.Walk(world.Apps[0]+"/app/signin", peer.Fill{"identifier": "alice", "password": demoPassword})
	page := byPartner(t, world, b, world.Samlet+"/test/signin?force=1")
	wantWords(t, page, "pat@partner.test")
	if strings.Contains(page.Text(), "alice") {
		t.Errorf("pat is told to be alice, too:\n%s", page.Text())
	}
	if pat := onlyLinked(t, world); len(pat.Logins) > 0 {
		t.Errorf("pat was linked to %+v", pat)
	}
}

// TestExistingAccountIsFoundByMail holds link.existing through the whole house:
// the account that the operator gave the address is who comes by the partner,
// and with the default it stays somebody else's.
func TestExistingAccountIsFoundByMail(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		existing string
		same     bool
	}{{"never", false}, {"verified_email", true}} {
		t.Run(tt.existing, func(t *testing.T) {
			t.Parallel()
			world := startWorld(t)
			setExisting(t, world, tt.existing)
			command(t, world, exitGood, "user", "create", "patricia", "--set", "mail=Pat@partner.test")
			byPartner(t, world, peer.NewBrowser(t), world.Apps[0]+"/app/signin")
			if row := onlyLinked(t, world); slices.Contains(row.Logins, "patricia") != tt.same {
				t.Errorf("who came is %+v; want patricia: %t", row, tt.same)
			}
		})
	}
}

// setExisting gives the demo's partner a rule for people who have an account.
func setExisting(t *testing.T, world *demo, existing string) {
	t.Helper()
	s := world.samlet
	good := readAll(t, s.path)
	linking := regexp.MustCompile(`(?m)^( *)email_domains: \[partner\.test\]\n`).ReplaceAllString(good, "${0}${1}link: {existing: "+existing+"}\n")
	if linking == good {
		t.Fatal("the demo's configuration has changed")
	}
	if err := replaceFile(s.path, []byte(linking)); err != nil {
		t.Fatal(err)
	}
	if err := s.reload(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestTakeoverByAsking walks the whole house as somebody whose mail address an account
// has: they get that account by proving it and by nothing else, and the audit
// trail tells how.
func TestTakeoverByAsking(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		answer func(*testing.T, *peer.Browser) *peer.Page
		words  string
		linked string // the sign-in name of whom pat is then; "-" for somebody without
		events []identity.EventType
	}{
		{"proves it", func(_ *testing.T, b *peer.Browser) *peer.Page {
			b.Submit(b.Page().Form("join"), peer.Fill{"join": "yes"})
			b.Submit(b.Page().Form("identifier"), peer.Fill{"identifier": "patricia"})
			b.Submit(b.Page().Form("password"), peer.Fill{"password": demoPassword})
			return b.Continue(nil)
		}, "Pat@partner.test", "patricia", []identity.EventType{identity.EventLinkAsked, identity.EventLinkCreated}},
		{"does not", func(_ *testing.T, b *peer.Browser) *peer.Page {
			b.Submit(b.Page().Form("join"), peer.Fill{"join": "no"})
			return b.Continue(nil)
		}, "pat@partner.test", "-", []identity.EventType{identity.EventLinkAsked, identity.EventRecordCreated, identity.EventLinkCreated}},
		{"guesses", func(_ *testing.T, b *peer.Browser) *peer.Page {
			b.Submit(b.Page().Form("join"), peer.Fill{"join": "yes"})
			b.Submit(b.Page().Form("identifier"), peer.Fill{"identifier": "patricia"})
			return b.Submit(b.Page().Form("password"), peer.Fill{"password": "a guess"})
		}, "do not belong together", "", []identity.EventType{identity.EventLinkAsked}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			world := startWorld(t)
			setExisting(t, world, "ask")
			var out strings.Builder
			args := []string{"user", "create", "patricia", "--set", "mail=Pat@partner.test", "--set", "display_name=patricia", "--password-stdin", "--config", world.samlet.path}
			if code := run(t.Context(), args, strings.NewReader(demoPassword+"\n"), &out, &out); code != exitGood {
				t.Fatalf("user create: %d %s", code, &out)
			}
			b := peer.NewBrowser(t)
			wantWords(t, byPartner(t, world, b, world.Apps[0]+"/app/signin"), "You have an account here")
			wantWords(t, tt.answer(t, b), tt.words)
			if tt.linked == "" {
				if rows := linkedUsers(t, world); len(rows) > 0 {
					t.Errorf("linked: %+v", rows)
				}
			} else if row := onlyLinked(t, world); slices.Contains(row.Logins, "patricia") != (tt.linked == "patricia") {
				t.Errorf("who came is %+v; want %s", row, tt.linked)
			}
			if diff := cmp.Diff(tt.events, linkEvents(t, world)); diff != "" {
				t.Errorf("audit trail (-want +got):\n%s", diff)
			}
		})
	}
}

// linkEvents lists what the audit trail tells of links and people that came from
// outside, oldest first.
func linkEvents(t *testing.T, world *demo) []identity.EventType {
	t.Helper()
	var types []identity.EventType
	err := world.samlet.store.View(t.Context(), func(tx *store.Tx) error {
		all, err := tx.Events.List(t.Context(), "", 1000)
		types = nil
		for _, e := range slices.Backward(all) {
			if strings.HasPrefix(string(e.Type), "link.") || e.Type == identity.EventRecordCreated && e.Connection != "" {
				types = append(types, e.Type)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return types
}
