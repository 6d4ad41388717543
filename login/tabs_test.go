package login_test

import (
	"strings"
	"testing"

	"github.com/samlet-id/samlet/identity"
)

// Whoever names bob in one tab is not answered for by ada, who signed in with
// another, and least of all after a wrong password.
func TestNamedInAnotherTab(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	w.addPerson("ada")
	w.addPerson("bob")
	w.addParty(identity.RelyingParty{ID: "wiki", Name: "Wiki", EntityID: "https://wiki.example.test/sp"})
	b := w.newBrowser()
	req := identity.AuthnRequest{RelyingParty: "wiki"}
	second, first := b.ask(req), b.ask(req)
	b.signIn(first, "ada", goodPass).answer(t)
	if p := b.signIn(second, "bob", "a wrong password"); !strings.Contains(p.body, "do not belong together") {
		t.Errorf("got %d, want to be told that it is wrong:\n%s", p.status, p.body)
	}
}
