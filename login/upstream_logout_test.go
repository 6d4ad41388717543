package login_test

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/store"
)

const partnerID = "https://idp.example.test"

// fromPartner signs ada in at the application one by way of the partner, who
// knows her as "theirs".
func fromPartner(t *testing.T, reach identity.Reach, down *downstream) (*world, *browser, identity.Record) {
	t.Helper()
	w := newWorld(t, setup{connections: partner(), down: down, patience: time.Minute})
	w.up.reach = reach
	rec := w.addPerson("ada")
	w.up.record["ada"] = rec.ID
	w.update(func(ctx context.Context, tx *store.Tx) error {
		return tx.Links.Create(ctx, identity.Link{
			Principal: identity.Principal{Issuer: partnerID, Subject: "theirs", Format: identity.FormatPersistent},
			Record:    rec.ID, Connection: "partner", Created: w.now(), LastUsed: w.now(),
		})
	})
	w.addParty(identity.RelyingParty{ID: "one", Name: "App one", EntityID: "https://one.example.test/sp"})
	b := w.newBrowser()
	tk := b.ask(identity.AuthnRequest{RelyingParty: "one", Subject: identity.FormatPersistent}).ticket(t)
	b.post("/login", url.Values{"t": {tk}, "identifier": {"ada@partner.test"}})
	b.arrive("partner", tk, "ada").answer(t)
	return w, b, rec
}

var partnerRow = regexp.MustCompile(`<bdi>Partner Inc\.</bdi> <span>([^<]*)</span>`)

func (p page) atPartner() string {
	m := partnerRow.FindStringSubmatch(p.body)
	if m == nil {
		return ""
	}
	return m[1]
}

// TestLogoutTellsTheUpstream ends a session that came from a partner: the page
// says what became of it there, and that the person is still signed in, if so.
func TestLogoutTellsTheUpstream(t *testing.T) {
	t.Parallel()
	byWeb := identity.Reach{Browser: true, Origins: []string{"https://partner.example.test"}}
	for _, tc := range []struct {
		name    string
		reach   identity.Reach
		refuses error
		then    func(t *testing.T, w *world, b *browser, p page) page
		want    string // of the row
	}{
		{"directly", direct, nil, nil, "Signed out"},
		{"refused directly", direct, refusal(t.Context()), nil, "Not reachable"},
		{"no single logout", identity.Reach{}, nil, nil, "Does not support it"},
		{"by the browser", byWeb, nil, answeredAs(nil), "Signed out"},
		{"by the browser, which it refuses", byWeb, nil, answeredAs(refusal(t.Context())), "Not reachable"},
		{"by the browser after a refusal", identity.Reach{Direct: true, Browser: true}, refusal(t.Context()), answeredAs(nil), "Signed out"},
		{"by the browser, which comes back without an answer", byWeb, nil, func(t *testing.T, w *world, b *browser, p page) page {
			if again := b.get(p.to); !strings.Contains(again.body, "https://partner.example.test/slo") {
				t.Errorf("the browser is not sent once more: %s", again.body)
			}
			w.pass(2 * time.Minute)
			return b.get(p.to)
		}, "Not reachable"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			d := &downstream{reach: map[identity.RelyingPartyID]identity.Reach{"one": direct}}
			w, b, rec := fromPartner(t, tc.reach, d)
			w.up.refuses = tc.refuses
			proof := proofField.FindStringSubmatch(b.get("/logout").body)
			p := b.post("/logout", url.Values{"proof": {proof[1]}})
			if n := len(w.sessionsOf(rec.ID)); n != 0 {
				t.Fatalf("%d sessions are left", n)
			}
			end := b.get(p.to)
			if tc.then != nil {
				if end.status != http.StatusOK || !strings.Contains(end.body, "https://partner.example.test/slo") {
					t.Fatalf("the browser itself is not sent to the partner: %d %s", end.status, end.body)
				}
				end = tc.then(t, w, b, p)
			}
			if got := end.atPartner(); got != tc.want {
				t.Errorf("at the partner: got %q, want %q: %s", got, tc.want, end.body)
			}
			if still := strings.Contains(end.body, "still signed in at <bdi>Partner Inc.</bdi>"); still != (tc.want != "Signed out") {
				t.Errorf("the page says that she is still signed in there: %t: %s", still, end.body)
			}
			for _, s := range w.up.told {
				if s.Connection != "partner" || s.Principal.Subject != "theirs" || s.Index != "upstream-index" {
					t.Errorf("the partner was told of %+v", s)
				}
			}
		})
	}
}

// answeredAs brings the partner's answer.
func answeredAs(why error) func(*testing.T, *world, *browser, page) page {
	return func(t *testing.T, w *world, b *browser, _ page) page {
		t.Helper()
		if _, err := w.auth.UpstreamLogoutAnswered(t.Context(), "_up", "other", nil); identity.CodeOf(err) != "logout.unawaited" {
			t.Errorf("another partner's answer: %v", err)
		}
		path, err := w.auth.UpstreamLogoutAnswered(t.Context(), "_up", "partner", why)
		if err != nil {
			t.Fatal(err)
		}
		return b.get(path)
	}
}

// partnerWish is the LogoutRequest of a partner.
func partnerWish(message string) identity.Logout {
	return identity.Logout{
		Connection: "partner", Audience: "https://login.example.test/sp", Message: message, Expires: time.Now().Add(time.Hour),
		Principal: identity.Principal{Issuer: partnerID, Subject: "theirs", Format: identity.FormatPersistent},
		Indexes:   []identity.SessionID{"upstream-index"}, State: []byte("s"),
	}
}

// TestUpstreamLogout takes a partner's LogoutRequest: the session ends, every
// application is told, the partner itself is not, and it is answered.
func TestUpstreamLogout(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		reach identity.Reach // of the application
		end   string         // where the browser goes in the end; "" at once
	}{
		{"the application confirms at once", direct, ""},
		{"the application confirms later", byBrowser("one"), "https://partner.example.test/answer?state=s&complete=true"},
		{"the application has no single logout", identity.Reach{}, `href="https://partner.example.test/answer?state=s&amp;complete=false"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			d := &downstream{reach: map[identity.RelyingPartyID]identity.Reach{"one": tc.reach}}
			w, _, rec := fromPartner(t, direct, d)
			path, err := w.auth.Logout(t.Context(), partnerWish("m1"))
			if err != nil || (path == "") != (tc.end == "") || len(w.sessionsOf(rec.ID)) != 0 {
				t.Fatalf("got %q, %v, %d sessions", path, err, len(w.sessionsOf(rec.ID)))
			}
			if len(w.up.told) != 0 {
				t.Errorf("the partner, who asked, was told: %+v", w.up.told)
			}
			if path == "" {
				return
			}
			if id := d.message("one"); id != "" {
				if _, err := w.auth.LogoutAnswered(t.Context(), id, "one", nil); err != nil {
					t.Fatal(err)
				}
			}
			if p := w.newBrowser().get(path); p.to != tc.end && !strings.Contains(p.body, tc.end) {
				t.Errorf("got %d to %q, want %q: %s", p.status, p.to, tc.end, p.body)
			}
		})
	}
	t.Run("directly", func(t *testing.T) {
		t.Parallel()
		d := &downstream{reach: map[identity.RelyingPartyID]identity.Reach{"one": direct}}
		w, _, rec := fromPartner(t, direct, d)
		complete, err := w.auth.LogoutDirectly(t.Context(), partnerWish("m1"))
		if err != nil || !complete || len(w.sessionsOf(rec.ID)) != 0 || len(d.parties()) != 1 {
			t.Errorf("got %t, %v, %d sessions, told %v", complete, err, len(w.sessionsOf(rec.ID)), d.parties())
		}
	})
}

// TestAttackUpstreamLogoutOfOthers holds that a partner ends no session but those
// that it brought, and by each message once.
func TestAttackUpstreamLogoutOfOthers(t *testing.T) {
	t.Parallel()
	d := &downstream{reach: map[identity.RelyingPartyID]identity.Reach{"one": direct}}
	w, _, rec := fromPartner(t, direct, d)
	for name, edit := range map[string]func(*identity.Logout){
		"another issuer":           func(l *identity.Logout) { l.Principal.Issuer = "https://evil.example.test" },
		"by another connection":    func(l *identity.Logout) { l.Connection = "evil" },
		"another subject":          func(l *identity.Logout) { l.Principal.Subject = "nobody" },
		"another session":          func(l *identity.Logout) { l.Indexes = []identity.SessionID{"another"} },
		"another format":           func(l *identity.Logout) { l.Principal.Format = identity.FormatEmail },
		"another SPNameQualifier":  func(l *identity.Logout) { l.Principal.SPNameQualifier = "https://else.example.test" },
		"our name for the person":  func(l *identity.Logout) { l.Principal.Subject = string(rec.ID) },
		"an application's session": func(l *identity.Logout) { l.Connection, l.RelyingParty = "", "two" },
	} {
		l := partnerWish(name)
		edit(&l)
		if _, err := w.auth.Logout(t.Context(), l); identity.CodeOf(err) != "logout.unknown" {
			t.Errorf("%s: got %v", name, err)
		}
		if _, err := w.auth.Logout(t.Context(), l); identity.KindOf(err) != identity.KindReplayed {
			t.Errorf("%s, once more: got %v", name, err)
		}
	}
	if n := len(w.sessionsOf(rec.ID)); n != 1 {
		t.Errorf("%d sessions are left, want 1", n)
	}
}
