package login_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/samlet-id/samlet/identity"
)

func partner() []identity.Connection {
	return []identity.Connection{{ID: "partner", Type: "saml", Name: "Partner Inc.", EmailDomains: []string{"partner.test"}, Trust: trusted()}}
}

// trusted is the table of an upstream that is believed to have checked two factors.
func trusted() []identity.ClassTrust {
	return []identity.ClassTrust{{From: identity.ClassREFEDSMFA, To: identity.ClassREFEDSMFA}}
}

// leave asks until the browser is sent to an upstream, and returns the
// RelayState that it carries there.
func (b *browser) leave(t *testing.T, req identity.AuthnRequest) string {
	t.Helper()
	p := b.ask(req)
	u, err := url.Parse(p.to)
	if err != nil || p.status != http.StatusSeeOther || !strings.HasSuffix(u.Host, ".example.test") {
		t.Fatalf("got %d to %q, want an upstream: %s", p.status, p.to, p.body)
	}
	return u.Query().Get("RelayState")
}

// arrive posts an upstream's answer and goes on to the end.
func (b *browser) arrive(id, relay, name string) page {
	b.w.tb.Helper()
	return b.follow(b.crossPost("/saml/acs/"+id, url.Values{"SAMLResponse": {name}, "RelayState": {relay}}))
}

func TestUpstreamLogin(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{connections: partner()})
	w.addPerson("ada")
	w.up.record["ada"] = "rec-ada"
	b := w.newBrowser()
	p := b.ask(identity.AuthnRequest{State: []byte("x")})
	if !strings.Contains(p.body, "Partner Inc.") {
		t.Errorf("the page does not offer the connection: %s", p.body)
	}
	tk := p.ticket(t)
	p = b.post("/login", url.Values{"t": {tk}, "identifier": {"ada@partner.test"}})
	if p.status != http.StatusOK || !strings.Contains(p.body, "https://partner.example.test/sso?RelayState="+tk) {
		t.Fatalf("the identifier's domain leads to %d %q: %s", p.status, p.to, p.body)
	}
	if got := w.up.asked[0].LoginHint; got != "ada@partner.test" {
		t.Errorf("LoginHint upstream: got %q", got)
	}
	got := b.arrive("partner", tk, "ada").answer(t)
	if got.App != "x" || got.Assertion == nil {
		t.Fatalf("got %+v", got)
	}
	want := []identity.EntityID{"https://idp.example.test"}
	if diff := cmp.Diff(want, got.Assertion.Context.Authorities); diff != "" {
		t.Errorf("authorities (-want +got):\n%s", diff)
	}
	s := w.sessionsOf("rec-ada")
	if len(s) != 1 || s[0].Connection != "partner" || s[0].UpstreamIx != "upstream-index" {
		t.Errorf("sessions: %+v", s)
	}
}

func TestChoice(t *testing.T) {
	t.Parallel()
	two := append(partner(), identity.Connection{ID: "school", Type: "saml", Name: "School", Trust: trusted()})
	for _, c := range []struct {
		name  string
		setup setup
		req   identity.AuthnRequest
		form  url.Values // posted on the first page, if any
		want  string     // part of the page, or prefix of where it leads
	}{
		{"identifier first", setup{connections: two}, identity.AuthnRequest{}, nil, `name="identifier"`},
		{"hint is filled in", setup{connections: two}, identity.AuthnRequest{LoginHint: "ada"}, nil, `value="ada"`},
		{"hint decides", setup{connections: two}, identity.AuthnRequest{LoginHint: "a@partner.test"}, nil, "https://partner."},
		{"request decides", setup{connections: two}, identity.AuthnRequest{Connection: "school"}, nil, "https://school."},
		{"request against hint", setup{connections: two}, identity.AuthnRequest{Connection: "school", LoginHint: "a@partner.test"}, nil, "https://school."},
		{"only one", setup{connections: partner(), noLocal: true}, identity.AuthnRequest{}, nil, "https://partner."},
		{"only local", setup{noUpstream: true}, identity.AuthnRequest{}, nil, `name="identifier"`},
		{"domain", setup{connections: two}, identity.AuthnRequest{}, url.Values{"identifier": {"a@partner.test"}}, "https://partner."},
		{"local name", setup{connections: two}, identity.AuthnRequest{}, url.Values{"identifier": {"nobody"}}, `name="password"`},
		{"button", setup{connections: two}, identity.AuthnRequest{}, url.Values{"connection": {"school"}}, "https://school."},
		{"foreign button", setup{connections: two}, identity.AuthnRequest{}, url.Values{"connection": {"nowhere"}}, "not available any more"},
		{"empty name", setup{connections: two}, identity.AuthnRequest{}, url.Values{"identifier": {" "}}, "Enter your e-mail"},
		{"nobody local, unknown domain", setup{connections: two, noLocal: true}, identity.AuthnRequest{}, url.Values{"identifier": {"a@elsewhere.test"}}, "Choose it here"},
		{"nobody local, no domains", setup{connections: []identity.Connection{{ID: "a", Name: "A"}, {ID: "b", Name: "B"}}, noLocal: true}, identity.AuthnRequest{}, nil, `name="connection"`},
		{"class at one upstream", setup{connections: append(partner(), identity.Connection{ID: "school", Type: "saml", Name: "School"})}, identity.AuthnRequest{Context: identity.RequestedContext{Classes: []identity.ClassRef{identity.ClassREFEDSMFA}}}, nil, "https://partner."},
		{"class only upstream", setup{connections: two}, identity.AuthnRequest{Context: identity.RequestedContext{Classes: []identity.ClassRef{identity.ClassREFEDSMFA}}}, url.Values{"identifier": {"ada"}}, "Choose it here"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, c.setup)
			b := w.newBrowser()
			p := b.ask(c.req)
			if c.form != nil {
				c.form.Set("t", p.ticket(t))
				p = b.follow(b.post("/login", c.form))
			}
			switch {
			case strings.HasPrefix(c.want, "https://"):
				if !strings.HasPrefix(p.to, c.want) && !strings.Contains(p.body, `href="`+c.want) {
					t.Errorf("got %d to %q, want %s: %s", p.status, p.to, c.want, p.body)
				}
			case !strings.Contains(p.body, c.want):
				t.Errorf("got %d to %q, want %q: %s", p.status, p.to, c.want, p.body)
			}
		})
	}
}

// TestBackFromUpstream presses the back button at the upstream: the person may
// choose again, and is not sent straight away again.
func TestBackFromUpstream(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{connections: partner(), noLocal: true})
	w.addPerson("ada")
	w.up.record["ada"] = "rec-ada"
	b := w.newBrowser()
	relay := b.leave(t, identity.AuthnRequest{})
	p := b.get("/login?t=" + relay)
	if p.status != http.StatusOK || !strings.Contains(p.body, `value="partner"`) {
		t.Fatalf("got %d to %q: %s", p.status, p.to, p.body)
	}
	b.post("/login", url.Values{"t": {relay}, "connection": {"partner"}})
	if got := b.arrive("partner", relay, "ada").answer(t); got.Assertion == nil {
		t.Errorf("got %+v", got)
	}
}

func TestUpstreamRefusals(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		fail  error
		tells bool // the relying party, else the person
	}{
		{"denied upstream", &identity.Error{Kind: identity.KindDenied, Code: "up.status", Msg: "no"}, true},
		{"context", &identity.Error{Kind: identity.KindContextUnmet, Code: "up.status", Msg: "no"}, true},
		{"bad signature", &identity.Error{Kind: identity.KindInvalid, Code: "up.signature", Msg: "no", Who: identity.WhoPartner}, false},
		{"replayed", &identity.Error{Kind: identity.KindReplayed, Code: "up.replay", Msg: "no"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, setup{connections: partner()})
			w.addPerson("ada")
			w.up.record["ada"] = "rec-ada"
			b := w.newBrowser()
			relay := b.leave(t, identity.AuthnRequest{Connection: "partner"})
			w.up.fail = c.fail
			p := b.arrive("partner", relay, "ada")
			code := identity.CodeOf(c.fail)
			if got := w.events()[0]; got != "login.failed "+string(code) {
				t.Errorf("event: got %q", got)
			}
			if c.tells {
				if got := p.answer(t); got.Code != code {
					t.Errorf("got %+v", got)
				}
				return
			}
			if p.status != http.StatusBadRequest || !strings.Contains(p.body, string(code)) {
				t.Errorf("got %d %s", p.status, p.body)
			}
			if !strings.Contains(p.body, "/login?t="+relay+"&amp;again=1") {
				t.Errorf("the page offers no way on:\n%s", p.body)
			}
			w.up.fail = nil
			if p := b.arrive("partner", relay, "ada"); p.status != http.StatusBadRequest {
				t.Errorf("the used state was good once more: %d to %q", p.status, p.to)
			}
			b.post("/login", url.Values{"t": {relay}, "connection": {"partner"}})
			if got := b.arrive("partner", relay, "ada").answer(t); got.Assertion == nil {
				t.Errorf("the second try on the same ticket got %+v", got)
			}
		})
	}
}

// TestUpstreamThatCannotBeAsked holds that the relying party hears of a demand which the
// upstream cannot be asked for, and the person of what is out of order.
func TestUpstreamThatCannotBeAsked(t *testing.T) {
	t.Parallel()
	for _, kind := range []identity.Kind{identity.KindNeedsInteraction, identity.KindDenied, identity.KindContextUnmet, identity.KindUnavailable} {
		t.Run(kind.String(), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, setup{connections: partner()})
			w.up.begins = &identity.Error{Kind: kind, Code: "up.status", Who: identity.WhoPartner, Msg: "It cannot be asked."}
			p := w.newBrowser().ask(identity.AuthnRequest{Connection: "partner"})
			if kind == identity.KindUnavailable {
				if p.status != http.StatusServiceUnavailable || !strings.Contains(p.body, "up.status") {
					t.Errorf("got %d %s, want the error on a page", p.status, p.body)
				}
				return
			}
			if got := p.answer(t); got.Code != "up.status" || got.Assertion != nil {
				t.Errorf("got %+v, want up.status", got)
			}
		})
	}
}

// TestUpstreamTerms holds what the upstream did against what was asked.
func TestUpstreamTerms(t *testing.T) {
	t.Parallel()
	long := time.Now().Add(-2 * time.Hour).UTC()
	mfa := identity.RequestedContext{Classes: []identity.ClassRef{identity.ClassREFEDSMFA}}
	for _, c := range []struct {
		name    string
		req     identity.AuthnRequest
		instant time.Time
		class   identity.ClassRef
		want    identity.Code
	}{
		{"met", identity.AuthnRequest{ForceAuthn: true, Context: mfa}, time.Time{}, identity.ClassREFEDSMFA, ""},
		{"old authentication", identity.AuthnRequest{}, long, "", ""},
		{"old although forced", identity.AuthnRequest{ForceAuthn: true}, long, "", "sp.authn_context"},
		{"older than accepted", identity.AuthnRequest{MaxAge: time.Hour}, long, "", "sp.authn_context"},
		{"weaker class", identity.AuthnRequest{Context: mfa}, time.Time{}, identity.ClassPassword, "sp.authn_context"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, setup{connections: partner()})
			w.addPerson("ada")
			w.up.record["ada"], w.up.instant, w.up.class = "rec-ada", c.instant, c.class
			b := w.newBrowser()
			c.req.Connection = "partner"
			got := b.arrive("partner", b.leave(t, c.req), "ada").answer(t)
			if got.Code != c.want || (got.Assertion == nil) != (c.want != "") {
				t.Errorf("got %+v, want code %q", got, c.want)
			}
		})
	}
}

// TestUpstreamBoundsTheSession holds that neither our session nor what relying
// parties are told outlasts the upstream's SessionNotOnOrAfter (SAML Profiles
// 4.1.4.3).
func TestUpstreamBoundsTheSession(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name            string
		upstream        time.Duration // its bound; 0 for none
		session, toldRP time.Duration // ours
	}{
		{"no bound", 0, 7 * 24 * time.Hour, 8 * time.Hour},
		{"before ours", time.Hour, time.Hour, time.Hour},
		{"between the two of ours", 24 * time.Hour, 24 * time.Hour, 8 * time.Hour},
		{"after ours", 30 * 24 * time.Hour, 7 * 24 * time.Hour, 8 * time.Hour},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, setup{connections: partner()})
			w.addParty(identity.RelyingParty{ID: "wiki", EntityID: "https://wiki.example.test/sp", SessionLifetime: 8 * time.Hour})
			w.addPerson("ada")
			w.up.record["ada"] = "rec-ada"
			if c.upstream != 0 {
				w.up.notAfter = w.now().Add(c.upstream).UTC()
			}
			b, begun := w.newBrowser(), w.now()
			first := b.arrive("partner", b.leave(t, identity.AuthnRequest{Connection: "partner"}), "ada").answer(t).Assertion
			again := b.ask(identity.AuthnRequest{}).answer(t).Assertion
			for what, got := range map[string]struct {
				at   time.Time
				want time.Duration
			}{
				"our session":                    {w.sessionsOf("rec-ada")[0].NotAfter, c.session},
				"the relying party at the login": {first.NotAfter, c.toldRP},
				"the relying party from session": {again.NotAfter, c.toldRP},
			} {
				if d := got.at.Sub(begun); d < got.want-time.Second || d > got.want+time.Since(begun) {
					t.Errorf("%s ends after %v, want %v", what, d, got.want)
				}
			}
			if c.upstream != time.Hour {
				return
			}
			w.pass(time.Hour)
			if p := b.ask(identity.AuthnRequest{}); p.status != http.StatusOK || !strings.Contains(p.body, `name="identifier"`) {
				t.Errorf("after the upstream's bound the session answers: %d %s", p.status, p.body)
			}
		})
	}
}

func TestUpstreamDisabledRecord(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{connections: partner()})
	w.disable(w.addPerson("ada").ID)
	w.up.record["ada"] = "rec-ada"
	b := w.newBrowser()
	got := b.arrive("partner", b.leave(t, identity.AuthnRequest{Connection: "partner"}), "ada").answer(t)
	if got.Code != "user.disabled" || b.cookie("samlet_session") != "" {
		t.Errorf("got %+v", got)
	}
}

// TestParkedIsBounded posts a message that is too large, and many for one login:
// one place is all there is.
func TestParkedIsBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, setup{connections: partner()})
	w.addPerson("ada")
	w.up.record["ada"] = "rec-ada"
	b := w.newBrowser()
	relay := b.leave(t, identity.AuthnRequest{Connection: "partner"})
	huge := url.Values{"SAMLResponse": {strings.Repeat("A", 3<<20)}, "RelayState": {relay}}
	if p := b.crossPost("/saml/acs/partner", huge); p.status < 400 || p.status > 499 {
		t.Errorf("3 MiB: got %d to %q", p.status, p.to)
	}
	first := b.crossPost("/saml/acs/partner", url.Values{"SAMLResponse": {"wrong"}, "RelayState": {relay}})
	second := b.crossPost("/saml/acs/partner", url.Values{"SAMLResponse": {"ada"}, "RelayState": {relay}})
	if first.to != second.to {
		t.Errorf("two places: %q and %q", first.to, second.to)
	}
	w.pass(4 * time.Minute)
	if got := b.follow(second).answer(t); got.Assertion == nil {
		t.Errorf("got %+v", got)
	}
}
