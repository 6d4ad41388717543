package login_test

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/samlet-id/samlet/identity"
)

var listedName = regexp.MustCompile(`<button class="choice"[^>]*><bdi>([^<]*)</bdi>`)

func (p page) listed() []string {
	var names []string
	for _, m := range listedName.FindAllStringSubmatch(p.body, -1) {
		names = append(names, m[1])
	}
	return names
}

// crowd is n connections and a few that are easily looked for.
func crowd(n int) []identity.Connection {
	list := []identity.Connection{
		{ID: "north", Type: "saml", Name: "Hospital of the North", EmailDomains: []string{"north.test"}, Issuer: "https://idp.north.test"},
		{ID: "south", Type: "saml", Name: "Südklinik", EmailDomains: []string{"south.test"}},
		{ID: "gone", Type: "saml", Name: "Gone Hospital", Disabled: true},
	}
	for i := range n {
		list = append(list, identity.Connection{ID: identity.ConnectionID(fmt.Sprintf("c%d", i)), Type: "saml", Name: fmt.Sprintf("Company %04d", i), EmailDomains: []string{fmt.Sprintf("c%d.test", i)}})
	}
	return append(list, identity.Connection{ID: "last", Type: "saml", Name: "North Star"})
}

// TestDiscovery looks for one organization among a thousand, without scripts, from
// the page that asks for an identifier.
func TestDiscovery(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]setup{"beside passwords": {}, "alone": {noLocal: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s.connections = crowd(1000)
			w := newWorld(t, s)
			w.addPerson("ada")
			w.up.record["ada"] = "rec-ada"
			b := w.newBrowser()
			first := b.ask(identity.AuthnRequest{State: []byte("x")})
			if got := first.listed(); len(got) > 0 || !strings.Contains(first.body, `name="identifier"`) {
				t.Errorf("the first page lists %q, want a field and no list", got)
			}
			tk := first.ticket(t)
			all := b.get("/login?t=" + tk + "&choose=1")
			if got := all.listed(); len(got) != 20 || !strings.Contains(first.body, "/login?t="+tk+"&amp;choose=1") || !strings.Contains(all.body, "<bdi>1003</bdi>") {
				t.Errorf("got %q, want the first 20 of 1003:\n%s", got, all.body)
			}
			if back := "/login?t=" + tk + "&amp;again=1"; !strings.Contains(all.body, back) {
				t.Errorf("no way back to %s", back)
			}
			for query, want := range map[string][]string{
				"north":          {"North Star", "Hospital of the North"}, // what begins with it first
				"NORTH":          {"North Star", "Hospital of the North"},
				"north hospital": {"Hospital of the North"},
				"south.test":     {"Südklinik"},
				"SÜD":            {"Südklinik"},
				" company 0042 ": {"Company 0042"},
				"gone":           nil,
				"nowhere":        nil,
				"c77.test":       {"Company 0077"},
			} {
				found := b.get("/login?" + url.Values{"t": {tk}, "choose": {"1"}, "q": {query}}.Encode())
				if diff := cmp.Diff(want, found.listed()); diff != "" || found.status != http.StatusOK {
					t.Errorf("%q (-want +got):\n%s", query, diff)
				}
			}
			p := b.post("/login", url.Values{"t": {tk}, "connection": {"c77"}})
			if !strings.Contains(p.to+p.body, "https://c77.example.test/sso") {
				t.Fatalf("the button leads to %d %q: %s", p.status, p.to, p.body)
			}
			if got := b.arrive("c77", tk, "ada").answer(t); got.Assertion == nil {
				t.Errorf("got %+v", got)
			}
		})
	}
}

// TestDiscoveryIsBounded looks for what is no name.
func TestDiscoveryIsBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{connections: crowd(30)})
	b := w.newBrowser()
	tk := b.ask(identity.AuthnRequest{}).ticket(t)
	for _, query := range []string{strings.Repeat("ü", 5000), strings.Repeat("a ", 3000), "\xff\xfe", `"><script>alert(1)</script>`, "%00"} {
		p := b.get("/login?" + url.Values{"t": {tk}, "choose": {"1"}, "q": {query}}.Encode())
		if p.status != http.StatusOK || len(p.listed()) > 20 || strings.Contains(p.body, "<script>alert") {
			t.Errorf("%.20q: got %d, %d listed", query, p.status, len(p.listed()))
		}
	}
}

// TestDiscoveryKeepsToTheRequest lists no connection that the request leaves out.
func TestDiscoveryKeepsToTheRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{connections: crowd(30)})
	b := w.newBrowser()
	req := identity.AuthnRequest{Issuer: ourID, RelyingParty: "wiki", Resume: "/sso/resume"}
	req.Scoping.IDPList = []identity.EntityID{ourID, "https://idp.north.test"}
	tk := b.ask(req).ticket(t)
	got := b.get("/login?t=" + tk + "&choose=1&q=company").listed()
	if diff := cmp.Diff([]string{"Hospital of the North"}, got); diff != "" {
		t.Errorf("listed (-want +got):\n%s", diff)
	}
}
