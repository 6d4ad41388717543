package main

import (
	"net/http"
	"strings"
	"testing"

	"github.com/samlet-id/samlet/internal/peer"
)

// tab is a sign-in under way in one of the tabs of a browser.
type tab struct {
	app string // where it began and has to end
	at  string // the page that it shows
}

// TestTwentyTabsThroughTheWholeHouse opens twenty tabs at two applications in one
// browser before anybody signs in, and goes on with them in another order: the
// first asks for the password, and each lands at its own application.
func TestTwentyTabsThroughTheWholeHouse(t *testing.T) {
	t.Parallel()
	world := startWorld(t)
	b := peer.NewBrowser(t)
	var tabs []tab
	for i := range 20 {
		app := world.Apps[i%2]
		tabs = append(tabs, tab{app: app, at: b.Walk(app+"/app/signin", nil).URL.String()})
	}
	prompts := 0
	for i := range tabs {
		one := tabs[(i*7+3)%len(tabs)]
		page := b.Get(one.at)
		if page.Form("identifier") != nil || page.Form("password") != nil {
			prompts++
		}
		page = b.Continue(peer.Fill{"identifier": "alice", "password": demoPassword})
		if got := page.URL.String(); !strings.HasPrefix(got, one.app) || !strings.Contains(string(page.Body), "alice@samlet.test") {
			t.Errorf("the tab of %s landed at %s:\n%s", one.app, got, page.Text())
		}
	}
	if prompts == 0 {
		t.Error("nobody was asked for a password")
	}
}

// TestEveryPageHasAWayOn takes people off the path and demands a page that says
// what to do, and a sign-in that works when they do it.
func TestEveryPageHasAWayOn(t *testing.T) {
	t.Parallel()
	world := startWorld(t)
	signIn := world.Apps[0] + "/app/signin"
	asked := func(t *testing.T) *peer.Browser {
		b := peer.NewBrowser(t)
		b.Walk(signIn, peer.Fill{"identifier": "alice"})
		return b
	}
	for _, tc := range []struct {
		name  string
		stray func(t *testing.T, b *peer.Browser) *peer.Page
		words string
	}{
		{"cookies blocked", func(t *testing.T, b *peer.Browser) *peer.Page {
			at := b.Page().URL.String()
			b.Forget(world.Samlet)
			return b.Get(at)
		}, "cookie"},
		{"cookies lost before the password", func(t *testing.T, b *peer.Browser) *peer.Page {
			b.Forget(world.Samlet)
			return b.Submit(b.Page().Form("password"), peer.Fill{"password": demoPassword})
		}, "start again"},
		{"the back button after success", func(t *testing.T, b *peer.Browser) *peer.Page {
			at := b.Page().URL.String()
			b.Continue(peer.Fill{"password": demoPassword})
			return b.Get(at)
		}, "You are signed in"},
		{"the page that posts to the application, reloaded", func(t *testing.T, b *peer.Browser) *peer.Page {
			posting := b.Submit(b.Page().Form("password"), peer.Fill{"password": demoPassword})
			if posting.Message("SAMLResponse") == nil {
				t.Fatalf("no Response waits at %s", posting.URL)
			}
			return b.Get(posting.URL.String())
		}, "signed in already"},
		{"an old tab without a session", func(t *testing.T, b *peer.Browser) *peer.Page {
			at := b.Page().URL.String()
			return peer.NewBrowser(t).Get(at)
		}, "start again"},
		{"a bookmark of the sign-in page", func(t *testing.T, b *peer.Browser) *peer.Page {
			return peer.NewBrowser(t).Get(world.Samlet + "/login")
		}, "start"},
		{"a bookmark of the address for messages", func(t *testing.T, b *peer.Browser) *peer.Page {
			return b.Get(world.Samlet + "/saml/sso")
		}, "start again"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := asked(t)
			page := tc.stray(t, b)
			text := string(page.Body)
			if page.Status >= http.StatusInternalServerError || !strings.Contains(strings.ToLower(text), strings.ToLower(tc.words)) {
				t.Errorf("got %d, want a page that says %q:\n%s", page.Status, tc.words, page.Text())
			}
			if !strings.Contains(text, "Go back to the application") && len(page.Forms()) == 0 {
				t.Errorf("the page has no way on:\n%s", page.Text())
			}
			if end := b.Walk(signIn, peer.Fill{"identifier": "alice", "password": demoPassword}); !strings.HasPrefix(end.URL.String(), world.Apps[0]) {
				t.Errorf("starting again led to %s:\n%s", end.URL, end.Text())
			}
		})
	}
}

// TestDoubleSubmit presses the button twice: the second press changes nothing,
// and the person arrives.
func TestDoubleSubmit(t *testing.T) {
	t.Parallel()
	world := startWorld(t)
	b := peer.NewBrowser(t)
	b.Walk(world.Apps[1]+"/app/signin", peer.Fill{"identifier": "alice"})
	form := b.Page().Form("password")
	first := b.Submit(form, peer.Fill{"password": demoPassword})
	if first.Message("SAMLResponse") == nil {
		t.Fatalf("no Response waits at %s", first.URL)
	}
	posting := first.Forms()[0]
	arrived := b.Submit(posting, nil)
	if !strings.HasPrefix(arrived.URL.String(), world.Apps[1]) || !strings.Contains(string(arrived.Body), "alice@samlet.test") {
		t.Fatalf("arrived at %s:\n%s", arrived.URL, arrived.Text())
	}
	b.Get(first.URL.String())
	if page := b.Page(); !strings.Contains(string(page.Body), "signed in already") {
		t.Errorf("the end a second time says:\n%s", page.Text())
	}
	// The application's own session is as it was.
	if page := b.Get(world.Apps[1] + "/app"); !strings.Contains(string(page.Body), "alice@samlet.test") {
		t.Errorf("the application forgot the person:\n%s", page.Text())
	}
}
