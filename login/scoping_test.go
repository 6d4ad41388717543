package login_test

import (
	"strings"
	"testing"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/store"
)

// Two organizations and what is behind them; the fake upstream's answers come
// from the first.
func scopedConnections() []identity.Connection {
	return []identity.Connection{
		{ID: "partner", Type: "saml", Name: "Partner", Issuer: "https://idp.example.test"},
		{ID: "other", Type: "saml", Name: "Other", Issuer: "https://other.example.test"},
		{ID: "closed", Type: "saml", Name: "Closed", Issuer: "https://closed.example.test", Disabled: true},
	}
}

// TestScoping holds SAML Core 3.4.1.2 for people who come without a session, with
// a password's and with an upstream's.
func TestScoping(t *testing.T) {
	t.Parallel()
	none, one := 0, 1
	list := func(ids ...identity.EntityID) identity.Scoping { return identity.Scoping{IDPList: ids} }
	const partner, other, closed = identity.EntityID("https://idp.example.test"), identity.EntityID("https://other.example.test"), identity.EntityID("https://closed.example.test")
	for name, c := range map[string]struct {
		scoping                      identity.Scoping
		nobody, password, passedOn   string // "answer", "page", the host of an upstream, or a code
		passive                      bool
		withoutLocal, withoutPartner bool
	}{
		"nothing said":                       {nobody: "page", password: "answer", passedOn: "answer"},
		"no proxy":                           {scoping: identity.Scoping{ProxyCount: &none}, nobody: "page", password: "answer", passedOn: "page"},
		"one proxy":                          {scoping: identity.Scoping{ProxyCount: &one}, nobody: "page", password: "answer", passedOn: "answer"},
		"no proxy, and nobody signs in here": {scoping: identity.Scoping{ProxyCount: &none}, withoutLocal: true, nobody: "sp.proxy_count", passedOn: "sp.proxy_count"},
		"us":                                 {scoping: list(ourID), nobody: "page", password: "answer", passedOn: "page"},
		"one upstream":                       {scoping: list(partner), nobody: "partner.example.test", password: "partner.example.test", passedOn: "answer"},
		"another upstream":                   {scoping: list(other), nobody: "other.example.test", password: "other.example.test", passedOn: "other.example.test"},
		"both":                               {scoping: list(partner, other), nobody: "page", password: "page", passedOn: "answer"},
		"nobody known":                       {scoping: list("urn:x"), nobody: "sp.idp_list", password: "sp.idp_list", passedOn: "sp.idp_list"},
		"nobody known, passive":              {scoping: list("urn:x"), passive: true, nobody: "sp.idp_list", password: "sp.idp_list", passedOn: "sp.idp_list"},
		"one that is switched off":           {scoping: list(closed), nobody: "sp.idp_unavailable", password: "sp.idp_unavailable", passedOn: "sp.idp_unavailable"},
		"us, and nobody signs in here":       {scoping: list(ourID), withoutLocal: true, nobody: "sp.idp_unavailable", passedOn: "sp.idp_unavailable"},
		"an upstream, and no proxy":          {scoping: identity.Scoping{ProxyCount: &none, IDPList: []identity.EntityID{partner}}, nobody: "sp.proxy_count", password: "sp.proxy_count", passedOn: "sp.proxy_count"},
		"the asker's own chain changes nothing": {
			scoping: identity.Scoping{Requesters: []identity.EntityID{"urn:first"}}, nobody: "page", password: "answer", passedOn: "answer",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, setup{connections: scopedConnections(), noLocal: c.withoutLocal})
			w.addPerson("ada")
			w.up.record["ada"] = "rec-ada"
			ask := func(b *browser, want, who string) {
				t.Helper()
				if want == "" {
					return
				}
				p := b.ask(identity.AuthnRequest{Scoping: c.scoping, IsPassive: c.passive})
				got := "page"
				switch {
				case strings.Contains(p.to, ".example.test/sso"):
					got = strings.TrimPrefix(p.to[:strings.Index(p.to, "/sso")], "https://")
				case strings.HasPrefix(p.body, "{"):
					if a := p.answer(t); a.Assertion != nil {
						got = "answer"
					} else {
						got = string(a.Code)
					}
				}
				if got != want {
					t.Errorf("%s: got %s, want %s: %s", who, got, want, p.body)
				}
			}
			ask(w.newBrowser(), c.nobody, "nobody")
			if c.password != "" {
				b := w.newBrowser()
				b.signIn(b.ask(identity.AuthnRequest{}), "ada", goodPass).answer(t)
				ask(b, c.password, "with a password")
			}
			b := w.newBrowser()
			b.arrive("partner", b.leave(t, identity.AuthnRequest{Scoping: list(partner)}), "ada").answer(t)
			ask(b, c.passedOn, "through an upstream")
		})
	}
}

// TestScopingBoundsTheAnswer refuses what comes back through more organizations
// than may stand behind us.
func TestScopingBoundsTheAnswer(t *testing.T) {
	t.Parallel()
	one := 1
	w := newWorld(t, setup{connections: scopedConnections(), noLocal: true})
	w.addPerson("ada")
	w.up.record["ada"] = "rec-ada"
	w.up.behind = []identity.EntityID{"https://deep.example.test"}
	b := w.newBrowser()
	scoping := identity.Scoping{ProxyCount: &one, IDPList: []identity.EntityID{"https://idp.example.test"}}
	got := b.arrive("partner", b.leave(t, identity.AuthnRequest{Scoping: scoping}), "ada").answer(t)
	if got.Code != "sp.proxy_count" {
		t.Errorf("got %+v, want sp.proxy_count", got)
	}
	if asked := w.up.asked[0].Scoping; asked.ProxyCount == nil || *asked.ProxyCount != 1 || len(asked.IDPList) != 1 {
		t.Errorf("the upstream was asked with %+v", asked)
	}
}

// TestUnsolicitedIsRecorded tells answers that nobody asked for apart, with a
// session and without.
func TestUnsolicitedIsRecorded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{})
	rec := w.addPerson("ada")
	b := w.newBrowser()
	b.signIn(b.ask(identity.AuthnRequest{Unsolicited: true}), "ada", goodPass).answer(t)
	b.get(ssoPath(t, identity.AuthnRequest{Unsolicited: true})).answer(t)
	b.get(ssoPath(t, identity.AuthnRequest{})).answer(t)
	if err := w.auth.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	unsolicited, solicited := 0, 0
	var events []identity.Event
	err := w.store.View(t.Context(), func(tx *store.Tx) (err error) {
		events, err = tx.Events.List(t.Context(), rec.ID, 100)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		switch {
		case e.Type != identity.EventRelease:
		case strings.HasSuffix(e.Detail, " unsolicited"):
			unsolicited++
		default:
			solicited++
		}
	}
	if unsolicited != 2 || solicited != 1 {
		t.Errorf("got %d unsolicited and %d others, want 2 and 1", unsolicited, solicited)
	}
}
