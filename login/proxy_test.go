package login_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/samlet-id/samlet/identity"
)

// TestProxyRestriction holds whom an upstream lets be told of its sign-ins, and
// what those are told in turn: at the sign-in itself, and from the session.
func TestProxyRestriction(t *testing.T) {
	t.Parallel()
	const wiki, other = identity.EntityID("https://wiki.example.test/sp"), identity.EntityID("https://other.example.test/sp")
	zero, one, two := 0, 1, 2
	for name, tt := range map[string]struct {
		said identity.ProxyRestriction
		want identity.ProxyRestriction
		code identity.Code
	}{
		"none":             {},
		"two steps":        {said: identity.ProxyRestriction{Count: &two}, want: identity.ProxyRestriction{Count: &one}},
		"the last step":    {said: identity.ProxyRestriction{Count: &one}, want: identity.ProxyRestriction{Count: &zero}},
		"listed":           {said: identity.ProxyRestriction{Audiences: []identity.EntityID{other, wiki}}, want: identity.ProxyRestriction{Audiences: []identity.EntityID{other, wiki}}},
		"others listed":    {said: identity.ProxyRestriction{Audiences: []identity.EntityID{other}}, code: "up.proxy_restriction"},
		"listed and count": {said: identity.ProxyRestriction{Count: &two, Audiences: []identity.EntityID{wiki}}, want: identity.ProxyRestriction{Count: &one, Audiences: []identity.EntityID{wiki}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, setup{connections: partner()})
			w.addPerson("ada")
			w.up.record["ada"], w.up.proxy = "rec-ada", tt.said
			b := w.newBrowser()
			got := b.arrive("partner", b.leave(t, identity.AuthnRequest{Connection: "partner"}), "ada").answer(t)
			if tt.code != "" {
				if got.Code != tt.code {
					t.Errorf("got %+v, want %s", got, tt.code)
				}
				b.ask(identity.AuthnRequest{}).ticket(t) // the session does not answer either
				return
			}
			again := b.ask(identity.AuthnRequest{}).answer(t)
			for what, a := range map[string]answer{"at the sign-in": got, "from the session": again} {
				if a.Assertion == nil {
					t.Fatalf("%s: got %+v", what, a)
				}
				if diff := cmp.Diff(tt.want, a.Assertion.Proxy); diff != "" {
					t.Errorf("%s (-want +got):\n%s", what, diff)
				}
			}
		})
	}
}
