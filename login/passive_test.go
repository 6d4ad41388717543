package login_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/samlet-id/samlet/identity"
)

// TestPassiveUpstream holds that an upstream is asked, without a page, by a passive
// request that no session here answers: the one that is certain or else likeliest (SAML
// Core 3.4.1). Where it knows nobody the answer is NoPassive.
func TestPassiveUpstream(t *testing.T) {
	t.Parallel()
	signedIn := func(t *testing.T, _ *world, b *browser) {
		t.Helper()
		b.arrive("partner", b.leave(t, identity.AuthnRequest{Hint: "partner"}), "ada").answer(t)
	}
	for name, tc := range map[string]struct {
		before func(t *testing.T, w *world, b *browser)
		off    bool // the partner, by then
		req    identity.AuthnRequest
		asks   string // the upstream's host; none, if empty
	}{
		"a session that is too old":       {before: signedIn, req: identity.AuthnRequest{MaxAge: time.Minute}, asks: "partner"},
		"a session, to be done afresh":    {before: signedIn, req: identity.AuthnRequest{ForceAuthn: true}, asks: "partner"},
		"a session, and another is named": {before: signedIn, req: identity.AuthnRequest{Hint: "other", MaxAge: time.Minute}, asks: "other"},
		"a session, and it is off now":    {before: signedIn, req: identity.AuthnRequest{MaxAge: time.Minute}, off: true},
		"a session that is not allowed": {before: signedIn, req: identity.AuthnRequest{
			MaxAge: time.Minute, Scoping: identity.Scoping{IDPList: []identity.EntityID{"https://other.example.test/idp"}},
		}, asks: "other"},
		"a session of a password": {before: func(t *testing.T, _ *world, b *browser) {
			b.signIn(b.ask(identity.AuthnRequest{}), "ada", goodPass).answer(t)
		}, req: identity.AuthnRequest{MaxAge: time.Minute}},
		"nobody, and it is remembered": {before: outAgain, asks: "partner"},
		"nobody, and nothing is known": {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, by := range []string{"Redirect", "POST"} {
				w := newWorld(t, setup{connections: authorities(false), remember: 24 * time.Hour})
				w.addPerson("ada")
				w.up.record["ada"] = "rec-ada"
				b := w.newBrowser()
				if tc.before != nil {
					tc.before(t, w, b)
				}
				w.pass(5 * time.Minute)
				w.up.connections[1].Disabled = tc.off
				tc.req.IsPassive = true
				asked := len(w.up.asked)
				p := b.ask(tc.req)
				if by == "POST" {
					p = b.follow(b.crossPost(ssoPath(t, tc.req), url.Values{"SAMLRequest": {"x"}}))
				}
				if tc.asks == "" {
					if got := p.answer(t); got.Code != "sp.passive" || len(w.up.asked) != asked {
						t.Errorf("%s: got %+v, want sp.passive, with nobody asked", by, got)
					}
					continue
				}
				u, err := url.Parse(p.to)
				if err != nil || !strings.HasPrefix(u.Host, tc.asks+".") || !w.up.asked[len(w.up.asked)-1].IsPassive {
					t.Fatalf("%s: led to %q, want %s, passively:\n%s", by, p.to, tc.asks, p.body)
				}
				w.up.fail = &identity.Error{Kind: identity.KindNeedsInteraction, Code: "up.status"}
				if got := b.arrive(tc.asks, u.Query().Get("RelayState"), "ada").answer(t); got.Kind != "needs_interaction" {
					t.Errorf("%s: the upstream knows nobody: got %+v, want that somebody has to be asked", by, got)
				}
				if n := len(w.sessionsOf("rec-ada")); tc.before != nil && name != "nobody, and it is remembered" && n != 1 {
					t.Errorf("%s: %d sessions are left, want the one that was there", by, n)
				}
			}
		})
	}
}
