package main

import (
	"crypto/x509"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/samlet-id/samlet/certs"
	"github.com/samlet-id/samlet/identity"
)

// TestOrganizationsAreTheirOwnIdP holds that an application of one organization knows
// samlet by the entityID and the key of that organization, that none is told another's,
// that applications of everybody, or of several, know the common ones, and that all is
// the same after the organization was removed and made again.
func TestOrganizationsAreTheirOwnIdP(t *testing.T) {
	t.Parallel()
	path, err := initialise(t.Context(), filepath.Join(t.TempDir(), "samlet"), "http://127.0.0.1:8080")
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"acme", "beta"} {
		if err := makeKey(filepath.Dir(path), certs.Signing, key, key+".example.test"); err != nil {
			t.Fatal(err)
		}
	}
	const organizations = `organizations:
  - {id: acme, idp: {entity_id: "https://acme.example.test/idp", signing_key: acme}}
  - {id: beta, idp: {entity_id: "https://beta.example.test/idp", signing_key: beta}}
`
	const parties = `service_providers:
  - {id: for-acme, organizations: [acme], metadata: {inline: {entity_id: "https://one.test", acs: ["https://one.test/acs"]}}}
  - {id: for-beta, organizations: [beta], metadata: {inline: {entity_id: "https://two.test", acs: ["https://two.test/acs"]}}}
  - {id: for-both, organizations: [acme, beta], metadata: {inline: {entity_id: "https://three.test", acs: ["https://three.test/acs"]}}}
  - {id: for-all, metadata: {inline: {entity_id: "https://four.test", acs: ["https://four.test/acs"]}}}
  - {id: own, organizations: [acme], idp: {entity_id: "https://own.test/idp"}, metadata: {inline: {entity_id: "https://five.test", acs: ["https://five.test/acs"]}}}
`
	before := readAll(t, path)
	text := strings.Replace(before, "service_providers: []\n", parties, 1)
	for _, key := range []string{"beta", "acme"} { // before the first of the list
		text = strings.Replace(text, "keys:\n", "keys:\n  - {id: "+key+", use: signing, state: dedicated, key: \"file:certs/"+key+".key\", cert: \"file:certs/"+key+".crt\"}\n", 1)
	}
	writeFile(t, path, text+organizations)
	s := openAt(t, path, logTo(t))
	check := func(what string) {
		t.Helper()
		ring := s.current().Keys
		common := ring.Signing().Certificate
		for id, want := range map[identity.RelyingPartyID]struct {
			entityID string
			key      string
		}{
			"for-acme": {"https://acme.example.test/idp", "acme"}, "for-beta": {"https://beta.example.test/idp", "beta"},
			"for-both": {"http://127.0.0.1:8080/saml/metadata", ""}, "for-all": {"http://127.0.0.1:8080/saml/metadata", ""}, "own": {"https://own.test/idp", "acme"},
		} {
			at := "http://127.0.0.1:8080/saml/metadata"
			if want.key != "" { // else it is told what everybody is
				at += "/" + string(id)
			}
			rec := httptest.NewRecorder()
			s.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, at, nil))
			for name, cert := range map[string]*x509.Certificate{"": common, "acme": certOf(t, ring, "acme"), "beta": certOf(t, ring, "beta")} {
				if strings.Contains(rec.Body.String(), base64.StdEncoding.EncodeToString(cert.Raw)) != (name == want.key) {
					t.Errorf("%s: %s is told the key %q, or not its own:\n%s", what, id, name, rec.Body)
				}
			}
			if !strings.Contains(rec.Body.String(), `entityID="`+want.entityID+`"`) {
				t.Errorf("%s: %s does not know us as %s:\n%s", what, id, want.entityID, rec.Body)
			}
		}
	}
	check("at first")
	writeFile(t, path, before)
	if err := s.reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	writeFile(t, path, text+organizations)
	if err := s.reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	check("made again")
}

func certOf(t *testing.T, ring *certs.Ring, id string) *x509.Certificate {
	t.Helper()
	k, ok := ring.Named(id)
	if !ok {
		t.Fatalf("no key %s", id)
	}
	return k.Certificate
}
