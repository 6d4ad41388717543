package idp_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/idp"
)

// TestForceAuthn holds both ways to write true, and false (XML Schema 3.2.2.1).
func TestForceAuthn(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]bool{"1": true, "true": true, "0": false, "false": false} {
		w := newWorld(t, nil, nil)
		w.send(byRedirect(t, edited(attribute(`ForceAuthn="`+value+`"`)), "", nil))
		if w.auth.asked == nil || w.auth.asked.ForceAuthn != want {
			t.Errorf("ForceAuthn=%q: asked %+v, want %t\n%s", value, w.auth.asked, want, w.log)
		}
	}
}

// TestQuestion shows what of a request reaches the Authenticator.
func TestQuestion(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(md string) string {
		md = replace("<md:AssertionConsumerService", "<md:NameIDFormat>"+string(identity.FormatEmail)+"</md:NameIDFormat><md:AssertionConsumerService")(md)
		return replace(`100.1.3" NameFormat`, `100.1.3" isRequired="true" NameFormat`)(md)
	}, nil)
	w.auth.redirect = "/login?t=1"
	got := w.send(byRedirect(t, edited(attribute(`ForceAuthn="1" IsPassive="true" AttributeConsumingServiceIndex="1"`), child(
		`<saml:Subject><saml:NameID>alice@example.test</saml:NameID></saml:Subject>`+
			`<samlp:NameIDPolicy Format="`+string(identity.FormatEmail)+`" SPNameQualifier="`+spID+`" AllowCreate="false"/>`+
			`<samlp:RequestedAuthnContext Comparison="better"><saml:AuthnContextClassRef>urn:a</saml:AuthnContextClassRef><saml:AuthnContextClassRef>urn:b</saml:AuthnContextClassRef></samlp:RequestedAuthnContext>`+
			`<samlp:Scoping ProxyCount="2"><samlp:IDPList><samlp:IDPEntry ProviderID="urn:idp"/></samlp:IDPList><samlp:RequesterID>urn:first</samlp:RequesterID></samlp:Scoping>`,
	)), "", nil))
	if got.status != http.StatusSeeOther || got.location != "/login?t=1" {
		t.Errorf("got %d to %q, want 303 to /login?t=1", got.status, got.location)
	}
	two := 2
	want := &identity.AuthnRequest{
		Issuer: entityID, RelyingParty: "app", Audience: spID,
		Subject: identity.FormatEmail, Formats: []identity.Format{identity.FormatEmail}, SPNameQualifier: spID, NoCreate: true,
		ForceAuthn: true, IsPassive: true,
		Context:   identity.RequestedContext{Comparison: identity.ComparisonBetter, Classes: []identity.ClassRef{"urn:a", "urn:b"}},
		Scoping:   identity.Scoping{ProxyCount: &two, IDPList: []identity.EntityID{"urn:idp"}, Requesters: []identity.EntityID{"urn:first"}},
		LoginHint: "alice@example.test", Wanted: []identity.Name{identity.Mail}, Required: []identity.Name{identity.Mail}, Resume: "/saml/sso/resume",
	}
	asked := *w.auth.asked
	asked.State = nil
	if diff := cmp.Diff(want, &asked); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestResume(t *testing.T) {
	t.Parallel()
	resume := func(t *testing.T) *http.Request {
		return httptest.NewRequestWithContext(t.Context(), http.MethodGet, ssoURL+"/resume?t=1", nil)
	}
	begun := func(t *testing.T) *world {
		w := newWorld(t, nil, nil)
		w.auth.redirect = "/login?t=1"
		w.send(byPOST(t, authnRequest, "the state"))
		return w
	}
	t.Run("signed in", func(t *testing.T) {
		t.Parallel()
		w := begun(t)
		got := w.send(resume(t))
		if got.codes() != "Success" || got.action != acsURL || got.relayState != "the state" {
			t.Errorf("got %s at %s with %q\n%s", got.codes(), got.action, got.relayState, w.log)
		}
	})
	t.Run("refused", func(t *testing.T) {
		t.Parallel()
		w := begun(t)
		w.auth.err = &identity.Error{Kind: identity.KindDenied, Code: "user.cancelled", Msg: "m"}
		if got := w.send(resume(t)); got.codes() != "Responder/AuthnFailed" || got.relayState != "the state" {
			t.Errorf("got %s with %q\n%s", got.codes(), got.relayState, w.log)
		}
	})
	t.Run("nothing to resume", func(t *testing.T) {
		t.Parallel()
		got := newWorld(t, nil, nil).send(resume(t))
		if got.status != http.StatusBadRequest || !strings.Contains(got.page, "ui.stale") || got.response != nil {
			t.Errorf("got %d %s, want a page with ui.stale", got.status, got.response)
		}
	})
	t.Run("endpoint gone meanwhile", func(t *testing.T) {
		t.Parallel()
		w := begun(t)
		*w.party = *newParty(t, func(md string) string { return strings.ReplaceAll(md, acsURL, "https://new.example.test/acs") })
		got := w.send(resume(t))
		if got.response != nil || !strings.Contains(got.page, "sp.acs_mismatch") {
			t.Errorf("got %d, Response to %q, want a page with sp.acs_mismatch", got.status, got.action)
		}
	})
	t.Run("disabled meanwhile", func(t *testing.T) {
		t.Parallel()
		w := begun(t)
		w.party.Disabled = true
		got := w.send(resume(t))
		if got.response != nil || !strings.Contains(got.page, "sp.unknown") {
			t.Errorf("got %d, Response to %q, want a page with sp.unknown", got.status, got.action)
		}
	})
}

// TestExactAsMinimum holds the switch for service providers that demand a
// password and would refuse something better.
func TestExactAsMinimum(t *testing.T) {
	t.Parallel()
	demand := child(`<samlp:RequestedAuthnContext><saml:AuthnContextClassRef>` + string(identity.ClassPassword) + `</saml:AuthnContextClassRef></samlp:RequestedAuthnContext>`)
	for on, want := range map[bool]string{false: "Responder/NoAuthnContext", true: "Success"} {
		w := newWorld(t, nil, nil)
		w.party.ExactAsMinimum = on
		got := w.send(byRedirect(t, edited(demand), "", nil))
		if got.codes() != want {
			t.Errorf("switched on %t: got %s, want %s\n%s", on, got.codes(), want, w.log)
		}
		// What is asserted is what happened.
		if on && !strings.Contains(string(got.response), ">"+string(identity.ClassPasswordProtectedTransport)+"<") {
			t.Errorf("another class is asserted:\n%s", got.response)
		}
	}
}

// TestSkewIsAdjustable moves the bound of IssueInstant, either way.
func TestSkewIsAdjustable(t *testing.T) {
	t.Parallel()
	for instant, want := range map[string]string{
		"12:01:00Z": "Success", "12:01:01Z": "Requester/RequestDenied", "11:54:00Z": "Success", "11:53:59Z": "Requester/RequestDenied",
	} {
		w := newWorld(t, nil, func(cfg *idp.Config) { cfg.Skew = time.Minute })
		if got := w.send(byRedirect(t, edited(replace("12:00:00Z", instant)), "", nil)); got.codes() != want {
			t.Errorf("IssueInstant %s: got %s, want %s\n%s", instant, got.codes(), want, w.log)
		}
	}
}
