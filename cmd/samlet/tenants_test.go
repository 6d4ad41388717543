package main

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/samlet-id/samlet/certs"
	"github.com/samlet-id/samlet/identity"
)

// tenants is a samlet of two organizations, each with an identity provider and an
// application: acme with fed and the wiki, beta with rival and the payroll.
func tenants(t *testing.T) initiated {
	t.Helper()
	w := newInitiatedWith(t, "", logTo(t))
	const rival = `    organization: acme
  - {id: rival, type: saml, organization: beta, metadata: {inline: {entity_id: "https://rival.example.test", sso: ["https://rival.example.test/sso"], certificates: ["file:certs/other.crt"]}}}
`
	text := strings.NewReplacer("    require: {weak_algorithms: []}\n", rival, "{id: wiki, ", "{id: wiki, organizations: [acme], ", "{id: payroll, ", "{id: payroll, organizations: [beta], ").Replace(readAll(t, w.path))
	writeFile(t, w.path, text+"organizations: [{id: acme}, {id: beta}]\n")
	if err := w.reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	return w
}

// question begins a sign-in at an application, and returns where it is asked.
func (v *visitor) question(t *testing.T, sp string) *url.URL {
	t.Helper()
	rec := v.goes(t, "/saml/idp-initiated?sp="+sp)
	u, err := url.Parse(rec.Header().Get("Location"))
	if err != nil || u.Query().Get("SAMLRequest") == "" {
		t.Fatalf("no question for %s: %d to %s\n%s", sp, rec.Code, u, rec.Body)
	}
	return u
}

// brings posts a Response to the AssertionConsumerService of a connection.
func (v *visitor) brings(t *testing.T, connection string, response []byte, relayState string) *httptest.ResponseRecorder {
	t.Helper()
	form := url.Values{"SAMLResponse": {base64.StdEncoding.EncodeToString(response)}, "RelayState": {relayState}}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://127.0.0.1:8080"+pathACS+connection, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	return v.follow(t, v.send(t, r, true))
}

// byRival has an answer say that it is beta's.
func byRival() weakAnswer {
	return weakAnswer{edits: []string{"https://idp.example.test</saml:Issuer>", "https://rival.example.test</saml:Issuer>"}}
}

// TestAttackTenantsShareNothing holds that nothing of one organization is worth anything
// at another's: not the key of its identity provider, not a question that was asked
// elsewhere nor its RelayState, not a session; and that nobody can use up what another
// has yet to say.
func TestAttackTenantsShareNothing(t *testing.T) {
	t.Parallel()
	const payrollACS = "https://payroll.example.test/acs"
	for name, attack := range map[string]struct {
		code identity.Code
		goes func(t *testing.T, w initiated, v *visitor) *httptest.ResponseRecorder
	}{
		"the rival's key": {"up.signature", func(t *testing.T, w initiated, v *visitor) *httptest.ResponseRecorder {
			q := v.question(t, "wiki")
			return v.brings(t, "fed", weakAnswer{}.response(t, readRequest(t, q.String()), w.other, w.to), q.Query().Get("RelayState"))
		}},
		"the rival's name and key": {"up.issuer", func(t *testing.T, w initiated, v *visitor) *httptest.ResponseRecorder {
			q := v.question(t, "wiki")
			return v.brings(t, "fed", byRival().response(t, readRequest(t, q.String()), w.other, w.to), q.Query().Get("RelayState"))
		}},
		"the rival's ACS, with a question that it was not asked": {"up.mix_up", func(t *testing.T, w initiated, v *visitor) *httptest.ResponseRecorder {
			q := v.question(t, "wiki")
			return v.brings(t, "rival", byRival().response(t, readRequest(t, q.String()), w.other, w.to), q.Query().Get("RelayState"))
		}},
		"the rival's question, with the RelayState of the other": {"up.mix_up", func(t *testing.T, w initiated, v *visitor) *httptest.ResponseRecorder {
			own, q := v.question(t, "payroll"), v.question(t, "wiki")
			return v.brings(t, "rival", byRival().response(t, readRequest(t, own.String()), w.other, w.to), q.Query().Get("RelayState"))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := tenants(t)
			v := w.visitor()
			rec := attack.goes(t, w, v)
			if !strings.Contains(rec.Body.String(), ">"+string(attack.code)+"<") {
				t.Errorf("want a page with %s: %d\n%s", attack.code, rec.Code, rec.Body)
			}
			for _, acs := range []string{wikiACS, payrollACS} {
				if xml := handed(t, rec, acs); strings.Contains(xml, "status:Success") {
					t.Errorf("%s is told of somebody: %s", acs, xml)
				}
			}
			if v.cookies[sessionCookieName] != "" {
				t.Error("somebody is signed in")
			}
		})
	}
	t.Run("IDs and sessions", func(t *testing.T) {
		t.Parallel()
		w := tenants(t)
		signsIn := func(sp, connection string, a weakAnswer, key certs.Key, acs string) *visitor {
			t.Helper()
			v := w.visitor()
			q := v.question(t, sp)
			a.edits = append(a.edits, "{UNIQUE}", "the-same")
			rec := v.brings(t, connection, a.response(t, readRequest(t, q.String()), key, w.to), q.Query().Get("RelayState"))
			if xml := handed(t, rec, acs); !strings.Contains(xml, "status:Success") {
				t.Fatalf("%s by %s: %d\n%s%s", sp, connection, rec.Code, xml, rec.Body)
			}
			return v
		}
		ada := signsIn("wiki", "fed", weakAnswer{}, w.idp, wikiACS)
		signsIn("payroll", "rival", byRival(), w.other, payrollACS)
		rec := ada.goes(t, "/saml/idp-initiated?sp=payroll")
		if xml := handed(t, rec, payrollACS); strings.Contains(xml, "status:Success") {
			t.Errorf("a session of acme signs in to an application of beta: %s", xml)
		}
	})
}
