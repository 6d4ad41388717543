package main

import (
	"net/url"
	"strings"
	"testing"

	"github.com/samlet-id/samlet/internal/peer"
)

// TestExplainIsTheRedirect lets a browser go where `samlet explain` says that
// somebody is led, and compares.
func TestExplainIsTheRedirect(t *testing.T) {
	t.Parallel()
	w := startWorld(t)
	for name, c := range map[string]struct {
		identifier, hint string
		rule, connection string
	}{
		"the domain of a connection":     {"pat@partner.test", "", "domain", "partner"},
		"in capitals and with blanks":    {" Pat@PARTNER.test ", "", "domain", "partner"},
		"a domain below it":              {"pat@sub.partner.test", "", "local", "local"},
		"nobody's domain":                {"ada@nowhere.test", "", "local", "local"},
		"no address":                     {"alice", "", "local", "local"},
		"a proposal by id":               {"alice", "partner", "hint", "partner"},
		"a proposal by entityID":         {"alice", w.Partner + "/saml/metadata", "hint", "partner"},
		"a proposal of nobody we know":   {"alice", "https://evil.test", "local", "local"},
		"an address beyond the proposal": {"ada@nowhere.test", "partner", "hint", "partner"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := openStage(t.Context(), stageConfig{Snapshot: w.samlet.house.snapshot})
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := s.Close(t.Context()); err != nil {
					t.Error(err)
				}
			}()
			got, err := s.explain("app1", c.identifier, c.hint, "")
			if err != nil || got.Rule != c.rule || got.Connection != c.connection {
				t.Fatalf("explained: %+v, %v; want %s to %s", got, err, c.rule, c.connection)
			}

			b := peer.NewBrowser(t)
			p := b.Get(w.requestOf(t, c.hint))
			if c.rule != "hint" {
				p = b.Submit(p.Form("identifier"), peer.Fill{"identifier": c.identifier})
			}
			where := "local"
			if strings.HasPrefix(p.URL.String(), w.Partner) {
				where = "partner"
			}
			if where != got.Connection || where == "local" && !strings.Contains(p.Text(), "Password") {
				t.Errorf("explained as %s, and led to %s: %s", got.Connection, p.URL, p.Text())
			}
		})
	}
}

// requestOf is where application 1 sends people who sign in, with a proposal.
func (d *demo) requestOf(t testing.TB, hint string) string {
	t.Helper()
	b := peer.NewBrowser(t)
	b.Get(d.Apps[0] + "/app/signin")
	for _, sent := range b.Sent {
		if target, ok := strings.CutPrefix(sent, "GET "+d.Samlet); ok && strings.Contains(target, "SAMLRequest") {
			if hint == "" {
				return d.Samlet + target
			}
			return d.Samlet + target + "&idp_hint=" + url.QueryEscape(hint)
		}
	}
	t.Fatalf("no AuthnRequest among %q", b.Sent)
	return ""
}
