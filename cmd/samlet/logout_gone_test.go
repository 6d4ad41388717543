package main

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/samlet-id/samlet/store"
)

// TestLogoutAfterTheConnectionIsGone holds that whoever came by a connection, or belongs
// to an organization, that is switched off or gone meanwhile can sign out all the same:
// the session ends, and the page says so.
func TestLogoutAfterTheConnectionIsGone(t *testing.T) {
	t.Parallel()
	for name, change := range map[string][]string{
		"connection switched off":   {"  - id: fed\n", "  - id: fed\n    disabled: true\n"},
		"organization switched off": {"{id: acme}", "{id: acme, disabled: true}"},
		"connection gone": {`  - id: fed
    type: saml
    metadata: {inline: {entity_id: "https://idp.example.test", sso: ["https://idp.example.test/sso"], certificates: ["file:certs/idp.crt"]}}
    organization: acme
`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := tenants(t)
			v := w.visitor()
			q := v.question(t, "wiki")
			rec := v.brings(t, "fed", weakAnswer{}.response(t, readRequest(t, q.String()), w.idp, w.to), q.Query().Get("RelayState"))
			if xml := handed(t, rec, wikiACS); !strings.Contains(xml, "status:Success") {
				t.Fatalf("nobody is signed in: %d\n%s%s", rec.Code, xml, rec.Body)
			}
			before := readAll(t, w.path)
			after := strings.NewReplacer(change...).Replace(before)
			if after == before {
				t.Fatalf("config.yaml is not as this test expects it:\n%s", before)
			}
			writeFile(t, w.path, after)
			if err := w.reload(t.Context()); err != nil {
				t.Fatal(err)
			}
			page := v.goes(t, "/logout")
			if proof := regexp.MustCompile(`name="proof" value="([^"]+)"`).FindStringSubmatch(page.Body.String()); proof != nil {
				r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://127.0.0.1:8080/logout", strings.NewReader(url.Values{"proof": {proof[1]}}.Encode()))
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				r.Header.Set("Sec-Fetch-Site", "same-origin")
				page = v.follow(t, v.send(t, r, false))
			}
			if page.Code != http.StatusOK || !strings.Contains(page.Body.String(), "signed out") || strings.Contains(page.Body.String(), "idp.example.test/") {
				t.Errorf("got %d to %q:\n%s", page.Code, page.Header().Get("Location"), page.Body)
			}
			if n := sessions(t, w.server); n != 0 {
				t.Errorf("%d sessions are left", n)
			}
			if xml := handed(t, v.goes(t, "/saml/idp-initiated?sp=wiki"), wikiACS); strings.Contains(xml, "status:Success") {
				t.Errorf("the person is still signed in: %s", xml)
			}
		})
	}
}

// sessions counts those of everybody.
func sessions(t *testing.T, s *server) (n int) {
	t.Helper()
	err := s.store.View(t.Context(), func(tx *store.Tx) error {
		n = 0
		everybody, err := tx.Records.List(t.Context(), "", 100)
		for _, r := range everybody {
			of, err := tx.Sessions.OfRecord(t.Context(), r.ID)
			if err != nil {
				return err
			}
			n += len(of)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}
