package idp_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/samlet-id/samlet/identity"
)

// Several entries can be about one entityID; then the address that a request came
// to tells which of them asks. At another's address nobody is known.
func TestOwnAddress(t *testing.T) {
	t.Parallel()
	const own = "https://login.example.test/saml/as/app/sso"
	for name, c := range map[string]struct {
		at, destination, issuer string
		code                    identity.Code
	}{
		"its own":                         {own, own, spID, ""},
		"its own, meant for everybody's":  {own, ssoURL, spID, "sp.destination"},
		"everybody's, meant for its own":  {ssoURL, own, spID, "sp.destination"},
		"everybody's":                     {ssoURL, ssoURL, spID, ""},
		"nobody's":                        {strings.Replace(own, "app", "nobody", 1), own, spID, "sp.unknown"},
		"its own, by another application": {own, own, "https://other.example.test/sp", "sp.unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil, nil)
			w.party.Issuer = "https://alias.example.test/saml"
			xml := edited(replace(`Destination="`+ssoURL, `Destination="`+c.destination), replace(spID, c.issuer))
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, c.at+"?"+redirectQuery(t, xml, "", nil), nil)
			got := w.send(r)
			if c.code == "" && (got.response == nil || w.auth.asked.Issuer != w.party.Issuer) {
				t.Errorf("got %d as %q, want a Response as %q", got.status, w.auth.asked.Issuer, w.party.Issuer)
			}
			if c.code != "" && (got.response != nil || !strings.Contains(got.page, string(c.code))) {
				t.Errorf("got %d, want a page with %s:\n%s", got.status, c.code, got.page)
			}
		})
	}
}

// TestOwnAddressOfLogout is TestOwnAddress for LogoutRequests and answers to ours.
func TestOwnAddressOfLogout(t *testing.T) {
	t.Parallel()
	sp := loadKey(t, "sp")
	own := strings.Replace(sloURL, "/saml/slo", "/saml/as/app/slo", 1)
	for name, c := range map[string]struct {
		at, destination string
		code            identity.Code
	}{
		"its own":                        {"/saml/as/app/slo", own, ""},
		"its own, by SOAP":               {"/saml/as/app/slo/soap", own + "/soap", ""},
		"its own, meant for everybody's": {"/saml/as/app/slo", sloURL, "sp.destination"},
		"everybody's, meant for its own": {"/saml/slo", own, "sp.destination"},
		"nobody's":                       {"/saml/as/nobody/slo", own, "sp.unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, offers(sloRedirect), nil)
			w.party.Issuer = "https://alias.example.test/saml"
			request := signedBy(t, logout(replace(sloURL, c.destination)), sp)
			r := byPOST(t, request, "")
			if strings.HasSuffix(c.at, "/soap") {
				r = inEnvelope(t, request)
			}
			got := w.sentBack(t, at(r, c.at))
			if good := got.codes() == "Success" && w.auth.left != nil && w.auth.left.RelyingParty == "app" && strings.Contains(string(got.response), string(w.party.Issuer)); good != (c.code == "") {
				t.Errorf("got %d %q: %s", got.status, got.codes(), got.text())
			}
			if !strings.Contains(got.page, string(c.code)) {
				t.Errorf("want %s: %s", c.code, got.text())
			}
		})
	}
}
