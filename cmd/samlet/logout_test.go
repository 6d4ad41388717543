package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/samlet-id/samlet/binding"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/peer"
	"github.com/samlet-id/samlet/store"
)

// everywhere signs alice in at both applications of the demo and at the test
// page.
func everywhere(t *testing.T, world *demo) *peer.Browser {
	t.Helper()
	b := peer.NewBrowser(t)
	b.BlockThirdParty = true
	b.Walk(world.Apps[0]+"/app/signin", peer.Fill{"identifier": "alice", "password": demoPassword})
	for _, at := range []string{world.Apps[1] + "/app/signin", world.Samlet + "/test/signin"} {
		wantWords(t, b.Walk(at, nil), "alice@samlet.test")
	}
	return b
}

// signedIn tells whose sessions there are.
func signedIn(t *testing.T, world *demo, b *peer.Browser) (at []string) {
	t.Helper()
	for name, page := range map[string]string{"application 1": world.Apps[0] + "/app", "application 2": world.Apps[1] + "/app", "test page": world.Samlet + "/test"} {
		if strings.Contains(b.Get(page).Text(), "alice@samlet.test") {
			at = append(at, name)
		}
	}
	if b.Walk(world.Samlet+"/logout", nil).Form("proof") != nil {
		at = append(at, "samlet")
	}
	return at
}

// TestDemoSignsOutOfEverything holds what the demo says of signing out: wherever
// it begins, it ends everywhere.
func TestDemoSignsOutOfEverything(t *testing.T) {
	t.Parallel()
	world := startWorld(t)
	t.Run("at an application", func(t *testing.T) {
		b := everywhere(t, world)
		p := b.Walk(world.Apps[0]+"/app/signout", nil)
		if got, want := p.URL.String(), world.Apps[0]+"/app"; got != want {
			t.Errorf("ended at %s, want %s:\n%s", got, want, p.Text())
		}
		if at := signedIn(t, world, b); len(at) > 0 {
			t.Errorf("still signed in at %v", at)
		}
	})
	t.Run("at samlet", func(t *testing.T) {
		b := everywhere(t, world)
		p := b.Submit(b.Get(world.Samlet+"/logout").Form("proof"), nil)
		wantWords(t, p, "The applications that you used have signed you out, too.")
		if at := signedIn(t, world, b); len(at) > 0 {
			t.Errorf("still signed in at %v", at)
		}
	})
	t.Run("a link elsewhere signs nobody out", func(t *testing.T) {
		b := everywhere(t, world)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, world.Apps[0]+"/app/signout", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Sec-Fetch-Site", "cross-site")
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil || resp.Header.Get("Location") != "/app" || resp.Header.Get("Set-Cookie") != "" {
			t.Errorf("got %v, %v", resp, err)
		}
		if err == nil {
			err = resp.Body.Close()
		}
		if at := signedIn(t, world, b); len(at) != 4 || err != nil {
			t.Errorf("signed in at %v, %v; want everywhere", at, err)
		}
	})
}

// participants returns who takes part in alice's only session.
func participants(t *testing.T, world *demo) map[identity.RelyingPartyID]identity.Participant {
	t.Helper()
	found := map[identity.RelyingPartyID]identity.Participant{}
	await(t, "three took part", func() (bool, string) {
		err := world.samlet.store.View(t.Context(), func(tx *store.Tx) error {
			all, err := tx.Sessions.List(t.Context(), "", 10)
			if err != nil || len(all) != 1 {
				return err
			}
			joined, err := tx.Sessions.Participants(t.Context(), all[0].ID)
			for _, p := range joined {
				found[p.RelyingParty] = p
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return len(found) == 3, ""
	})
	return found
}

// TestAttackCrossSPLogout lets application 2, with its own good signature, name
// alice as application 1 knows her, and her session there: it is another's, and
// goes on (SAML Profiles 4.4.4.1).
func TestAttackCrossSPLogout(t *testing.T) {
	t.Parallel()
	world := startWorld(t)
	b := everywhere(t, world)
	joined := participants(t, world)
	mine, theirs := joined["app2"], joined["app1"]
	attacker := world.connectors[1]
	for name, a := range map[string]identity.Assertion{
		"NameID and SessionIndex": {Principal: theirs.Principal, Session: theirs.Index},
		"NameID":                  {Principal: theirs.Principal},
		"SessionIndex":            {Principal: mine.Principal, Session: theirs.Index},
		"value of the NameID": {
			Principal: identity.Principal{Subject: theirs.Principal.Subject, Format: mine.Principal.Format, NameQualifier: mine.Principal.NameQualifier, SPNameQualifier: mine.Principal.SPNameQualifier},
		},
	} {
		msg, err := attacker.Logout(a, "")
		if err != nil {
			t.Fatal(err)
		}
		// The refusal comes back signed, and is no Success.
		other := peer.NewBrowser(t)
		p := other.Walk(msg.URL, nil)
		if got := p.URL.String(); got != world.Apps[1]+"/app" {
			t.Errorf("%s: ended at %s:\n%s", name, got, p.Text())
		}
		var answered bool
		for _, sent := range other.Sent {
			if _, query, ok := strings.Cut(sent, world.Apps[1]+"/app/slo?"); ok {
				m, err := attacker.ReadLogout(binding.Received{Method: http.MethodGet, RawQuery: query})
				if err != nil || m.Complete {
					t.Errorf("%s: answered with %+v, %v", name, m, err)
				}
				answered = true
			}
		}
		if !answered {
			t.Errorf("%s: not answered: %v", name, other.Sent)
		}
	}
	if at := signedIn(t, world, b); len(at) != 4 {
		t.Errorf("signed in at %v only", at)
	}
	// Its own session it may end.
	msg, err := attacker.Logout(identity.Assertion{Principal: mine.Principal, Session: mine.Index}, "")
	if err != nil {
		t.Fatal(err)
	}
	peer.NewBrowser(t).Walk(msg.URL, nil)
	if at := signedIn(t, world, b); !cmp.Equal(at, []string{"application 2"}) {
		t.Errorf("signed in at %v, want application 2 alone, which was not told what it asked for itself", at)
	}
}

// TestSessionCommands lists and revokes beside the running server.
func TestSessionCommands(t *testing.T) {
	t.Parallel()
	world := startWorld(t)
	b := everywhere(t, world)
	joined := participants(t, world)
	var out strings.Builder
	if code := run(t.Context(), []string{"session", "list", "--user", "alice", "--json", "--config", world.samlet.path}, nil, &out, &out); code != exitGood {
		t.Fatalf("session list: %d\n%s", code, &out)
	}
	var rows []sessionRow
	if err := json.Unmarshal([]byte(out.String()), &rows); err != nil || len(rows) != 1 {
		t.Fatalf("session list: %v\n%s", err, &out)
	}
	if rows[0].ID != string(joined["app1"].Session) || rows[0].Login != "alice" || !cmp.Equal(rows[0].Applications, []string{"app1", "app2", "samlet-test"}) {
		t.Errorf("got %+v", rows[0])
	}
	out.Reset()
	// All of the demo's applications are told through browsers alone.
	if code := run(t.Context(), []string{"session", "revoke", rows[0].ID, "--config", world.samlet.path}, nil, &out, &out); code != exitWarnings {
		t.Errorf("session revoke: %d\n%s", code, &out)
	}
	for _, want := range []string{"Ended 1 session", "app1", "app2", "can only be told through a browser"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("session revoke does not say %q:\n%s", want, &out)
		}
	}
	if p := b.Walk(world.Samlet+"/test/signin?force=0", nil); p.Form("identifier") == nil {
		t.Errorf("the session goes on: %s", p.Text())
	}
	for _, tc := range []struct {
		args []string
		code int
	}{
		{[]string{"session", "revoke", rows[0].ID}, exitFailed},
		{[]string{"session", "revoke", "--user", "nobody"}, exitFailed},
		{[]string{"session", "revoke", "--user", "alice"}, exitGood}, // who has none has none
		{[]string{"session", "revoke"}, exitUsage},
		{[]string{"session", "revoke", "x", "--user", "alice"}, exitUsage},
		{[]string{"session", "list", "--user", "nobody"}, exitFailed},
	} {
		out.Reset()
		if code := run(t.Context(), append(tc.args, "--config", world.samlet.path), nil, &out, &out); code != tc.code {
			t.Errorf("%v: got %d, want %d\n%s", tc.args, code, tc.code, &out)
		}
	}
}

// TestUserDisableTellsApplications disables and enables beside the running
// server: the session ends for good, and every application is accounted for.
func TestUserDisableTellsApplications(t *testing.T) {
	t.Parallel()
	world := startWorld(t)
	b := everywhere(t, world)
	participants(t, world) // they are recorded behind their answers
	for _, step := range []struct {
		verb string
		code int
		want []string
	}{
		{"disable", exitWarnings, []string{"Disabled alice", "Ended 1 session", "app1", "app2", "can only be told through a browser"}},
		{"disable", exitGood, []string{"Disabled alice"}},
		{"enable", exitGood, []string{"Enabled alice"}},
	} {
		var out strings.Builder
		if code := run(t.Context(), []string{"user", step.verb, "alice", "--config", world.samlet.path}, nil, &out, &out); code != step.code {
			t.Errorf("user %s: got %d, want %d\n%s", step.verb, code, step.code, &out)
		}
		for _, want := range step.want {
			if !strings.Contains(out.String(), want) {
				t.Errorf("user %s does not say %q:\n%s", step.verb, want, &out)
			}
		}
	}
	if p := b.Walk(world.Samlet+"/test/signin?force=0", nil); p.Form("identifier") == nil {
		t.Errorf("the session is back: %s", p.Text())
	}
	wantWords(t, b.Walk(world.Samlet+"/test/signin", peer.Fill{"identifier": "alice", "password": demoPassword}), "alice@samlet.test")
}

// TestAttackLogoutSSRF points the SOAP endpoint of an application into places
// that samlet's own machine alone can reach: in production nothing is called.
func TestAttackLogoutSSRF(t *testing.T) {
	t.Parallel()
	var called atomic.Int32
	inside := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		called.Add(1)
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
	}))
	defer inside.Close()
	for _, tc := range []struct {
		name    string
		config  Config
		reached bool
	}{
		{"production", Config{Server: ServerConfig{BaseURL: "https://login.example.test"}}, false},
		{"production, another network is listed", Config{Server: ServerConfig{BaseURL: "https://login.example.test", Outbound: []string{"10.0.0.0/8"}}}, false},
		{"production, this one is listed", Config{Server: ServerConfig{BaseURL: "https://login.example.test", Outbound: []string{"127.0.0.0/8"}}}, true},
		{"development", Config{Server: ServerConfig{BaseURL: "http://127.0.0.1:8080"}}, true},
	} {
		called.Store(0)
		_, err := binding.Call(t.Context(), newOutbound(&tc.config), inside.URL, []byte("<x/>"))
		if got := called.Load() == 1; got != tc.reached || identity.CodeOf(err) != "binding.soap" {
			t.Errorf("%s: reached %d times, %v; want %t", tc.name, called.Load(), err, tc.reached)
		}
	}
	for _, address := range []string{"http://10.1.2.3/", "http://169.254.169.254/latest/", "http://[fd00::1]/", "http://192.168.0.1/", "http://0.0.0.0/"} {
		ctx, cancel := context.WithCancel(t.Context())
		_, err := binding.Call(ctx, newOutbound(&Config{Server: ServerConfig{BaseURL: "http://127.0.0.1:8080"}}), address, []byte("<x/>"))
		cancel()
		if !strings.Contains(err.Error(), "md.address") {
			t.Errorf("development, %s: got %v", address, err)
		}
	}
}

// TestDemoSignsOutThroughTheChain holds that a session at the demo's partner and
// the one that came of it here end together, by SOAP, wherever it begins. The
// application takes no SOAP: a logout that comes from the partner without a browser
// cannot reach it, and the partner reads so.
func TestDemoSignsOutThroughTheChain(t *testing.T) {
	t.Parallel()
	world := startWorld(t)
	for name, begin := range map[string]string{"here": world.Samlet, "at the partner": world.Partner} {
		b := peer.NewBrowser(t)
		b.BlockThirdParty = true
		b.Walk(world.Apps[0]+"/app/signin", peer.Fill{"identifier": "pat@partner.test"})
		wantWords(t, b.Continue(peer.Fill{"identifier": "pat", "password": demoPassword}), "pat@partner.test")
		form := b.Walk(begin+"/logout", nil).Form("proof")
		if form == nil {
			t.Fatalf("%s: there is nobody to sign out", name)
		}
		b.Submit(form, nil)
		b.Continue(nil)
		if begin == world.Partner && strings.Contains(b.Page().Text(), "have signed you out, too") {
			t.Errorf("the partner says that everybody was reached: %s", b.Page().Text())
		}
		for _, at := range []string{world.Samlet, world.Partner} {
			if b.Walk(at+"/logout", nil).Form("proof") != nil {
				t.Errorf("signed out %s: there is still a session at %s", name, at)
			}
		}
		if begin == world.Samlet && strings.Contains(b.Get(world.Apps[0]+"/app").Text(), "pat@partner.test") {
			t.Errorf("signed out %s: the application still knows her", name)
		}
	}
}
