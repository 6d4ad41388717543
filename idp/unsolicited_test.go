package idp_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/samlet-id/samlet/identity"
)

const unsolicitedURL = "https://login.example.test/saml/idp-initiated"

func unsolicited(t testing.TB, query string) *http.Request {
	t.Helper()
	return httptest.NewRequestWithContext(t.Context(), http.MethodGet, unsolicitedURL+query, nil)
}

// TestUnsolicited holds SAML Profiles 4.1.5: a Response to the default endpoint
// that answers no request, in one way with a session and without.
func TestUnsolicited(t *testing.T) {
	t.Parallel()
	const relayState = `/orders?id="1"&x=ä`
	query := "?sp=" + url.QueryEscape(spID) + "&RelayState=" + url.QueryEscape(relayState)
	started := func(t *testing.T) *world {
		w := newWorld(t, nil, nil)
		w.party.IDPInitiated = true
		return w
	}
	check := func(t *testing.T, w *world, got answer) {
		t.Helper()
		if got.codes() != "Success" || got.action != acsURL || got.relayState != relayState {
			t.Fatalf("got %d %s to %s with %q\n%s", got.status, got.codes(), got.action, got.relayState, w.log)
		}
		w.verified(t, got.response)
		if strings.Contains(string(got.response), "InResponseTo") {
			t.Errorf("it claims to answer a request:\n%s", got.response)
		}
		if !strings.Contains(w.log.String(), "unsolicited=true") {
			t.Errorf("the log does not tell it apart: %s", w.log)
		}
		if a := w.auth.asked; !a.Unsolicited || a.RelyingParty != "app" || a.Audience != spID || a.Subject != "" || a.ForceAuthn || a.IsPassive {
			t.Errorf("asked %+v", a)
		}
	}
	t.Run("with a session", func(t *testing.T) {
		t.Parallel()
		w := started(t)
		check(t, w, w.send(unsolicited(t, query)))
	})
	t.Run("without", func(t *testing.T) {
		t.Parallel()
		w := started(t)
		w.auth.redirect = "/login?t=1"
		if got := w.send(unsolicited(t, query)); got.location != "/login?t=1" {
			t.Fatalf("got %d to %q\n%s", got.status, got.location, w.log)
		}
		check(t, w, w.send(httptest.NewRequestWithContext(t.Context(), http.MethodGet, ssoURL+"/resume?t=1", nil)))
	})
	t.Run("solicited answers are told apart", func(t *testing.T) {
		t.Parallel()
		w := started(t)
		w.send(byRedirect(t, authnRequest, "", nil))
		if !strings.Contains(w.log.String(), "unsolicited=false") {
			t.Errorf("the log: %s", w.log)
		}
	})
	t.Run("a refusal is for the person", func(t *testing.T) {
		t.Parallel()
		w := started(t)
		w.auth.err = &identity.Error{Kind: identity.KindDenied, Code: "login.cancelled", Msg: "You cancelled the sign-in."}
		if got := w.send(unsolicited(t, query)); got.response != nil || got.status != http.StatusForbidden || !strings.Contains(got.page, "login.cancelled") {
			t.Errorf("got %d, a Response %t\n%s", got.status, got.response != nil, got.page)
		}
	})
}

// TestAttackUnsolicited lists links that must begin nothing: whoever makes one
// chooses neither where the Response goes nor a script for the application to
// run.
func TestAttackUnsolicited(t *testing.T) {
	t.Parallel()
	sp := "?sp=" + url.QueryEscape(spID)
	for name, c := range map[string]struct {
		query string
		off   bool
		code  string
	}{
		"switched off":             {sp, true, "sp.idp_initiated"},
		"nobody we know":           {"?sp=https%3A%2F%2Fevil.test", false, "sp.unknown"},
		"no sp":                    {"", false, "sp.link"},
		"sp twice":                 {sp + "&sp=b", false, "sp.link"},
		"an ACS of its own":        {sp + "&AssertionConsumerServiceURL=https%3A%2F%2Fevil.test", false, "sp.link"},
		"an unknown parameter":     {sp + "&target=x", false, "sp.link"},
		"RelayState twice":         {sp + "&RelayState=a&RelayState=b", false, "sp.link"},
		"RelayState a script":      {sp + "&RelayState=javascript%3Aalert(1)", false, "sp.link"},
		"RelayState in capitals":   {sp + "&RelayState=%20JaVaScRiPt%20%3Aalert(1)", false, "sp.link"},
		"RelayState with a tab":    {sp + "&RelayState=java%09script%3Aalert(1)", false, "sp.link"},
		"RelayState a data URI":    {sp + "&RelayState=data%3Atext%2Fhtml%2C%3Cscript%3E", false, "sp.link"},
		"RelayState over 1 KiB":    {sp + "&RelayState=" + strings.Repeat("x", 1025), false, "sp.link"},
		"damaged percent-encoding": {sp + "&RelayState=%zz", false, "sp.link"},
		"a query of 65 kB":         {sp + strings.Repeat("&", 65<<10), false, "sp.link"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil, nil)
			w.party.IDPInitiated = !c.off
			got := w.send(unsolicited(t, c.query))
			if got.response != nil || w.auth.asked != nil {
				t.Fatalf("a sign-in began: asked %+v, a Response to %s", w.auth.asked, got.action)
			}
			if got.status < 400 || got.status >= 500 || !strings.Contains(got.page, c.code) {
				t.Errorf("got %d, want a page with %s\n%s", got.status, c.code, w.log)
			}
		})
	}
}

// TestAttackACSAbuse sends requests whose answer somebody else would like to
// have. Not one octet goes elsewhere than to an endpoint of the metadata, be it
// an assertion or a refusal, and be the request signed by the application or not.
func TestAttackACSAbuse(t *testing.T) {
	t.Parallel()
	key := loadKey(t, "sp")
	for _, url := range []string{
		"https://evil.test/acs", acsURL + "/", acsURL + "?x", acsURL + "#x", acsURL + ".evil.test", acsURL + "%2e", acsURL + "\u00a0",
		"https://app.example.test@evil.test/saml/acs", "https://app.example.test:443/saml/acs", "HTTPS://app.example.test/saml/acs",
		"//app.example.test/saml/acs", "javascript:alert(1)", "data:text/html,x", "/saml/acs", " " + acsURL,
	} {
		xml := edited(replace(`AssertionConsumerServiceURL="`+acsURL+`"`, `AssertionConsumerServiceURL="`+url+`"`))
		for form, r := range map[string]*http.Request{"plain": byRedirect(t, xml, "s", nil), "signed": byRedirect(t, xml, "s", &key), "by POST": byPOST(t, xml, "s")} {
			w := newWorld(t, nil, nil)
			got := w.send(r)
			if got.response != nil || got.location != "" || got.action != "" || w.auth.asked != nil || !strings.Contains(got.page, "sp.acs_mismatch") {
				t.Errorf("%s, %s: got %d to %q%q, want a page with sp.acs_mismatch\n%s", url, form, got.status, got.location, got.action, w.log)
			}
		}
	}
}

// TestAttackRedirectSignatureConfusion takes a truly signed query apart and puts
// it together so that a lax reader would see another message than was signed
// (CVE-2025-27773).
func TestAttackRedirectSignatureConfusion(t *testing.T) {
	t.Parallel()
	key := loadKey(t, "sp")
	honest := redirectQuery(t, authnRequest, "rs", &key)
	evil, _, _ := strings.Cut(redirectQuery(t, edited(attribute(`ForceAuthn="true"`)), "", nil), "&")
	for name, query := range map[string]string{
		"another message before":     evil + "&" + honest,
		"another message behind":     honest + "&" + evil,
		"under an encoded name":      honest + "&" + strings.Replace(evil, "SAMLRequest", "SAMLReq%75est", 1),
		"another in its place":       strings.Replace(honest, honest[:strings.Index(honest, "&")], evil, 1),
		"the signed one as Response": evil + "&" + strings.Replace(honest, "SAMLRequest", "SAMLResponse", 1),
		"another RelayState behind":  honest + "&RelayState=evil",
		"another algorithm behind":   honest + "&SigAlg=none",
		"another signature behind":   honest + "&Signature=AAAA",
		"the parameter in capitals":  evil + "&" + strings.Replace(honest, "SAMLRequest", "SAMLREQUEST", 1),
		"a semicolon between":        evil + ";" + honest,
	} {
		w := newWorld(t, flag("AuthnRequestsSigned"), nil)
		got := w.send(httptest.NewRequestWithContext(t.Context(), http.MethodGet, ssoURL+"?"+query, nil))
		if got.response != nil || w.auth.asked != nil || got.status < 400 || got.status >= 500 {
			t.Errorf("%s: got %d, asked %+v\n%s", name, got.status, w.auth.asked, w.log)
		}
	}
}

func FuzzUnsolicited(f *testing.F) {
	f.Add("sp=" + url.QueryEscape(spID) + "&RelayState=%2Forders")
	f.Add("sp=a&sp=b&RelayState=javascript:x")
	f.Add("%zz")
	w := newWorld(f, nil, nil)
	w.party.IDPInitiated = true
	f.Fuzz(func(t *testing.T, query string) {
		w.log.Reset()
		r := unsolicited(t, "")
		r.URL.RawQuery = query
		got := w.send(r)
		if got.status >= 500 || got.response != nil && got.action != acsURL {
			t.Fatalf("%d, a Response to %q\n%s", got.status, got.action, w.log)
		}
	})
}
