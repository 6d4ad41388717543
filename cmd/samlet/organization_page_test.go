package main

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/samlet-id/samlet/certs"
)

// TestOrganizationPage holds that the page of an organization lists the applications that
// its people may open, each with a link that leads to its own connection, and nothing of
// another's; and that one that is switched off or unknown has none.
func TestOrganizationPage(t *testing.T) {
	t.Parallel()
	path, err := initialise(t.Context(), filepath.Join(t.TempDir(), "samlet"), "http://127.0.0.1:8080")
	if err != nil {
		t.Fatal(err)
	}
	const local = "  - {id: local, type: local, name: Password}\n"
	const connections = `  - {id: acme-sso, type: saml, name: Acme, organization: acme, metadata: {inline: {entity_id: "https://idp.acme.test", sso: ["https://idp.acme.test/sso"], certificates: ["file:certs/acme.crt"]}}}
  - {id: beta-sso, type: saml, name: Beta, organization: beta, metadata: {inline: {entity_id: "https://idp.beta.test", sso: ["https://idp.beta.test/sso"], certificates: ["file:certs/acme.crt"]}}}
  - {id: beta-old, type: saml, name: Beta, organization: beta, metadata: {inline: {entity_id: "https://old.beta.test", sso: ["https://old.beta.test/sso"], certificates: ["file:certs/acme.crt"]}}}
`
	const more = `organizations: [{id: acme, name: Acme Corp}, {id: beta}, {id: gone, disabled: true}]
service_providers:
  - {id: wiki, name: Wiki, session: {idp_initiated: true}, metadata: {inline: {entity_id: "https://wiki.test", acs: ["https://wiki.test/acs"]}}}
  - {id: crm, name: CRM of Acme, organizations: [acme], session: {idp_initiated: true}, metadata: {inline: {entity_id: "https://crm.test", acs: ["https://crm.test/acs"]}}}
  - {id: hr, name: HR of Beta, organizations: [beta], session: {idp_initiated: true}, metadata: {inline: {entity_id: "https://hr.test", acs: ["https://hr.test/acs"]}}}
  - {id: sheets, name: Sheets, metadata: {inline: {entity_id: "https://sheets.test", acs: ["https://sheets.test/acs"]}}}
`
	if err := makeKey(filepath.Dir(path), certs.Signing, "acme", "acme.example.test"); err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(readAll(t, path), local, local+connections, 1)
	writeFile(t, path, strings.Replace(text, "service_providers: []\n", more, 1))
	w := initiated{server: openAt(t, path, logTo(t))}
	page := w.visitor().goes(t, "/o/acme").Body.String()
	for name, want := range map[string]bool{"Acme Corp": true, "Wiki": true, "CRM of Acme": true, "HR of Beta": false, "Sheets": false} {
		if strings.Contains(page, name) != want {
			t.Errorf("the page has %s: want %t:\n%s", name, want, page)
		}
	}
	if to := w.visitor().goes(t, "/saml/idp-initiated?idp_hint=acme&sp=crm").Header().Get("Location"); !strings.HasPrefix(to, "https://idp.acme.test/sso") {
		t.Errorf("the link leads to %q, want the connection of acme", to)
	}
	if rec := w.visitor().goes(t, "/saml/idp-initiated?idp_hint=beta&sp=hr"); rec.Header().Get("Location") != "" || strings.Contains(rec.Body.String(), "Acme") {
		t.Errorf("of two connections one was chosen, or another's is offered: %q\n%s", rec.Header().Get("Location"), rec.Body)
	}
	for id, status := range map[string]int{"gone": http.StatusForbidden, "nobody": http.StatusNotFound, "..%2facme": http.StatusNotFound} {
		if rec := w.visitor().goes(t, "/o/"+id); rec.Code != status {
			t.Errorf("%s: got %d, want %d", id, rec.Code, status)
		}
	}
}
