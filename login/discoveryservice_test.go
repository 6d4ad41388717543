package login_test

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/login"
)

const (
	wikiID    = "https://wiki.example.test/sp"
	wikiDisco = "https://wiki.example.test/disco"
)

// wiki asks where people sign in.
func wiki() login.Asker {
	return login.Asker{RelyingParty: "wiki", Issuer: ourID, Locations: []string{wikiDisco, "https://wiki.example.test/second?kept=1"}}
}

// authorities are two connections, of which a browser may remember partner.
func authorities(lead bool) []identity.Connection {
	return []identity.Connection{
		{ID: "other", Type: "saml", Name: "Other Corp", Issuer: "https://other.example.test/idp"},
		{ID: "partner", Type: "saml", Name: "Partner Inc.", Issuer: "https://partner.example.test/idp?a=1&b=2", LeadRemembered: lead},
		{ID: "off", Type: "saml", Name: "Off Ltd", Issuer: "https://off.example.test/idp", Disabled: true},
	}
}

// discovery is the address of a request by the wiki.
func discovery(more url.Values) string {
	q := url.Values{"entityID": {wikiID}}
	for name, values := range more {
		q[name] = values
	}
	return "/saml/discovery?" + q.Encode()
}

var (
	link = regexp.MustCompile(`<a [^>]*href="([^"]*)"[^>]*>(.*)</a>`)
	tag  = regexp.MustCompile(`<[^>]*>`)
)

// links are the names of a page's links, and where they lead.
func (p page) links() map[string]string {
	m := map[string]string{}
	for _, l := range link.FindAllStringSubmatch(p.body, -1) {
		m[html.UnescapeString(tag.ReplaceAllString(l[2], ""))] = html.UnescapeString(l[1])
	}
	return m
}

// TestDiscoveryService asks as the wiki does where somebody signs in (Identity Provider
// Discovery Service Protocol 2.4).
func TestDiscoveryService(t *testing.T) {
	t.Parallel()
	const (
		other   = "https%3A%2F%2Fother.example.test%2Fidp"
		partner = "https%3A%2F%2Fpartner.example.test%2Fidp%3Fa%3D1%26b%3D2"
		own     = "https%3A%2F%2Flogin.example.test%2Fsaml%2Fmetadata"
	)
	passive := url.Values{"isPassive": {"true"}}
	for name, tc := range map[string]struct {
		setup  setup
		before func(t *testing.T, w *world, b *browser)
		query  url.Values
		to     string            // where the browser is sent at once
		links  map[string]string // else what the page offers
	}{
		"a list": {setup: setup{connections: authorities(false)}, links: map[string]string{
			"Other Corp": wikiDisco + "?entityID=" + other, "Partner Inc.": wikiDisco + "?entityID=" + partner,
			"Sign in with an account here": wikiDisco + "?entityID=" + own, "Cancel and go back to Wiki": wikiDisco,
		}},
		"the names that were asked for": {setup: setup{connections: authorities(false), noLocal: true}, query: url.Values{
			"return": {"https://wiki.example.test/second?kept=1&state=a%20b"}, "returnIDParam": {"idp=&"}, "policy": {"urn:oasis:names:tc:SAML:profiles:SSO:idp-discovery-protocol:single"},
			"isPassive": {"false"},
		}, links: map[string]string{
			"Other Corp": "https://wiki.example.test/second?kept=1&state=a%20b&idp%3D%26=" + other, "Partner Inc.": "https://wiki.example.test/second?kept=1&state=a%20b&idp%3D%26=" + partner,
			"Cancel and go back to Wiki": "https://wiki.example.test/second?kept=1&state=a%20b",
		}},
		"one way alone":                    {setup: setup{connections: authorities(false)[:1], noLocal: true}, to: wikiDisco + "?entityID=" + other},
		"accounts here alone":              {setup: setup{noUpstream: true}, to: wikiDisco + "?entityID=" + own},
		"nothing known, and nothing shown": {setup: setup{connections: authorities(false)}, query: passive, to: wikiDisco},
		"what the browser remembers": {setup: setup{connections: authorities(false), remember: time.Hour}, before: outAgain, links: map[string]string{
			"Continue with Partner Inc.": wikiDisco + "?entityID=" + partner, "Other Corp": wikiDisco + "?entityID=" + other,
			"Sign in with an account here": wikiDisco + "?entityID=" + own, "Cancel and go back to Wiki": wikiDisco,
		}},
		"what it remembers, and nothing shown": {setup: setup{connections: authorities(false), remember: time.Hour}, before: outAgain, query: passive, to: wikiDisco + "?entityID=" + partner},
		"what it remembers leads":              {setup: setup{connections: authorities(true), remember: time.Hour}, before: outAgain, to: wikiDisco + "?entityID=" + partner},
		"a session": {setup: setup{connections: authorities(false)}, before: func(t *testing.T, _ *world, b *browser) {
			b.arrive("other", b.leave(t, identity.AuthnRequest{Hint: "other"}), "ada").answer(t)
		}, to: wikiDisco + "?entityID=" + other},
		"a session of an account here": {setup: setup{connections: authorities(false)}, before: func(t *testing.T, _ *world, b *browser) {
			b.signIn(b.ask(identity.AuthnRequest{}), "ada", goodPass).answer(t)
		}, query: passive, to: wikiDisco + "?entityID=" + own},
		"a session by what is off now": {setup: setup{connections: authorities(false)}, before: func(t *testing.T, w *world, b *browser) {
			b.arrive("other", b.leave(t, identity.AuthnRequest{Hint: "other"}), "ada").answer(t)
			w.up.connections[0].Disabled = true
		}, query: passive, to: wikiDisco},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tc.setup.asker = wiki()
			w := newWorld(t, tc.setup)
			w.addPerson("ada")
			w.up.record["ada"] = "rec-ada"
			b := w.newBrowser()
			if tc.before != nil {
				tc.before(t, w, b)
			}
			sessions := len(w.sessionsOf("rec-ada"))
			p := b.get(discovery(tc.query))
			if tc.to != "" {
				if p.status != http.StatusSeeOther || p.to != tc.to {
					t.Errorf("got %d to %q, want %q:\n%s", p.status, p.to, tc.to, p.body)
				}
				return
			}
			if diff := cmp.Diff(tc.links, p.links()); diff != "" || p.status != http.StatusOK {
				t.Errorf("%d (-want +got):\n%s%s", p.status, diff, p.body)
			}
			if got := len(w.sessionsOf("rec-ada")); got != sessions {
				t.Errorf("asking made %d sessions of %d", got, sessions)
			}
		})
	}
}

// outAgain has ada sign in by partner, and out.
func outAgain(t *testing.T, _ *world, b *browser) {
	t.Helper()
	b.arrive("partner", b.leave(t, identity.AuthnRequest{Hint: "partner"}), "ada").answer(t)
	b.signOut()
}

// TestDiscoveryServiceSearch finds one of many without a script, and keeps what was asked.
func TestDiscoveryServiceSearch(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{connections: crowd(1000), asker: wiki()})
	query := url.Values{"return": {wikiDisco + "?s=1"}, "returnIDParam": {"idp"}}
	first := w.newBrowser().get(discovery(query))
	if n := len(first.links()); n != 22 || !strings.Contains(first.body, "1003") {
		t.Errorf("the first page has %d links, want 20, an account here, and a way back:\n%s", n, first.body)
	}
	form := url.Values{"q": {"hospital north"}}
	for _, m := range regexp.MustCompile(`type="hidden" name="([^"]+)" value="([^"]+)"`).FindAllStringSubmatch(first.body, -1) {
		form.Set(m[1], html.UnescapeString(m[2]))
	}
	found := w.newBrowser().get("/saml/discovery?" + form.Encode())
	want := map[string]string{
		"Hospital of the North":        wikiDisco + "?s=1&idp=https%3A%2F%2Fidp.north.test",
		"Sign in with an account here": wikiDisco + "?s=1&idp=" + url.QueryEscape(string(ourID)), "Cancel and go back to Wiki": wikiDisco + "?s=1",
	}
	if diff := cmp.Diff(want, found.links()); diff != "" {
		t.Errorf("(-want +got):\n%s%s", diff, found.body)
	}
}

// TestAttackDiscoveryReturn asks for answers at addresses that are not registered, which
// would send people, and what is known about them, to anybody (2.5, open redirect).
func TestAttackDiscoveryReturn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{connections: authorities(false)[:1], noLocal: true, asker: wiki()})
	b := w.newBrowser()
	refuse := func(what string, q url.Values, status int, code string) {
		t.Helper()
		p := b.get("/saml/discovery?" + q.Encode())
		if p.status != status || p.to != "" || !strings.Contains(p.body, code) {
			t.Errorf("%s: got %d to %q, want %d %s:\n%s", what, p.status, p.to, status, code, p.body)
		}
		if strings.Contains(p.body, `href="https://evil`) || strings.Contains(p.body, `href="javascript`) {
			t.Errorf("%s: the page links there:\n%s", what, p.body)
		}
	}
	for _, to := range []string{
		"https://evil.test/", "https://evil.test/?" + wikiDisco, "javascript:alert(1)", "//wiki.example.test/disco", "/disco",
		"http://wiki.example.test/disco", "https://wiki.example.test:444/disco", "https://wiki.example.test/disco/", "https://wiki.example.test/disc",
		"https://wiki.example.test/disco/../evil", "https://wiki.example.test/disco;x", "https://wiki.example.test/disco%2f..", "https://WIKI.example.test/disco",
		"https://wiki.example.test.evil.test/disco", "https://wiki.example.test@evil.test/disco", "https://ada:pw@wiki.example.test/disco",
		wikiDisco + "#entityID=x", wikiDisco + "?a#b", wikiDisco + "?a=%zz", wikiDisco + "\\@evil.test", wikiDisco + "\r\nSet-Cookie: a=b", " " + wikiDisco, "?" + wikiDisco,
	} {
		refuse(to, url.Values{"entityID": {wikiID}, "return": {to}}, http.StatusBadRequest, "sp.discovery_return")
	}
	for what, q := range map[string]url.Values{
		"two returns":                    {"entityID": {wikiID}, "return": {wikiDisco, "https://evil.test/"}},
		"two applications":               {"entityID": {wikiID, "https://evil.test/"}, "return": {wikiDisco}},
		"two names":                      {"entityID": {wikiID}, "returnIDParam": {"a", "b"}},
		"an answer that is there":        {"entityID": {wikiID}, "return": {wikiDisco + "?entityID=https://evil.test"}},
		"an answer there, written oddly": {"entityID": {wikiID}, "return": {wikiDisco + "?%65ntityID=x"}},
		"another one that is there":      {"entityID": {wikiID}, "return": {wikiDisco + "?idp=x"}, "returnIDParam": {"idp"}},
		"a long name":                    {"entityID": {wikiID}, "returnIDParam": {strings.Repeat("x", 65)}},
		"another policy":                 {"entityID": {wikiID}, "policy": {"urn:x"}},
		"neither true nor false":         {"entityID": {wikiID}, "isPassive": {"1"}},
		"nobody":                         {"return": {wikiDisco}},
	} {
		refuse(what, q, http.StatusBadRequest, "sp.discovery<")
	}
	refuse("a stranger", url.Values{"entityID": {"https://evil.test/"}, "return": {"https://evil.test/"}}, http.StatusNotFound, "sp.unknown")
	if p := b.get("/saml/discovery?entityID=" + url.QueryEscape(wikiID) + "&return=%zz"); p.status != http.StatusBadRequest || !strings.Contains(p.body, "sp.discovery<") {
		t.Errorf("a query that cannot be read: %d %s", p.status, p.body)
	}
	unregistered := newWorld(t, setup{connections: authorities(false)[:1], noLocal: true, asker: login.Asker{RelyingParty: "wiki", Issuer: ourID}})
	b = unregistered.newBrowser()
	refuse("of whom no address is registered", url.Values{"entityID": {wikiID}}, http.StatusBadRequest, "sp.discovery_return")
	refuse("the same with a return", url.Values{"entityID": {wikiID}, "return": {wikiDisco}}, http.StatusBadRequest, "sp.discovery_return")
}
