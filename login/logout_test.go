package login_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/samlet-id/samlet/binding"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/store"
)

// downstream stands for idp: relying parties that can be told in the ways that
// their entry says. Whom it leads the browser to, it remembers.
type downstream struct {
	reach map[identity.RelyingPartyID]identity.Reach
	tell  map[identity.RelyingPartyID]func(context.Context) error // nil confirms

	mu   sync.Mutex
	told []identity.Participant
	led  map[identity.RelyingPartyID]string // message IDs
}

func (d *downstream) Reach(_ context.Context, p identity.Participant) identity.Reach {
	return d.reach[p.RelyingParty]
}

func (d *downstream) note(p identity.Participant) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.told = append(d.told, p)
}

func (d *downstream) Tell(ctx context.Context, p identity.Participant, _ identity.LogoutReason) error {
	d.note(p)
	if answer := d.tell[p.RelyingParty]; answer != nil {
		return answer(ctx)
	}
	return nil
}

func (d *downstream) Lead(_ context.Context, p identity.Participant, _ identity.LogoutReason) (binding.Message, string, error) {
	d.note(p)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.led == nil {
		d.led = map[identity.RelyingPartyID]string{}
	}
	d.led[p.RelyingParty] = fmt.Sprintf("_%s%d", p.RelyingParty, len(d.told))
	msg := binding.Message{URL: "https://" + string(p.RelyingParty) + ".example.test/slo"}
	if strings.HasSuffix(string(p.RelyingParty), "-form") {
		msg.Form = url.Values{"SAMLRequest": {"x"}}
	}
	return msg, d.led[p.RelyingParty], nil
}

func (*downstream) AnswerLogout(_ context.Context, state []byte, complete bool) (binding.Message, error) {
	return binding.Message{URL: fmt.Sprintf("https://asker.example.test/answer?state=%s&complete=%t", state, complete)}, nil
}

func (d *downstream) message(rp identity.RelyingPartyID) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.led[rp]
}

// parties lists who was told, each as often as it was.
func (d *downstream) parties() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var names []string
	for _, p := range d.told {
		names = append(names, string(p.RelyingParty))
	}
	slices.Sort(names)
	return names
}

var (
	direct = identity.Reach{Direct: true}
	both   = identity.Reach{Direct: true, Browser: true, Origins: []string{"https://both.example.test"}}
)

func byBrowser(rp string) identity.Reach {
	return identity.Reach{Browser: true, Origins: []string{"https://" + rp + ".example.test"}}
}

func refusal(context.Context) error {
	return &identity.Error{Kind: identity.KindUnavailable, Code: "binding.soap", Msg: "refused"}
}

// everywhere signs ada in at every relying party of d.
func everywhere(t *testing.T, d *downstream, timeout time.Duration) (*world, *browser, identity.Record) {
	t.Helper()
	w := newWorld(t, setup{down: d, patience: timeout})
	rec := w.addPerson("ada", identity.Value{Name: identity.Mail, Value: "ada@example.test", Source: identity.SourceOperator})
	b := w.newBrowser()
	for i, rp := range slices.Sorted(maps.Keys(d.reach)) {
		w.addParty(identity.RelyingParty{ID: rp, Name: "App " + string(rp), EntityID: identity.EntityID("https://" + string(rp) + ".example.test/sp")})
		p := b.ask(identity.AuthnRequest{RelyingParty: rp, Subject: identity.FormatPersistent})
		if i == 0 {
			p = b.signIn(p, "ada", goodPass)
		}
		p.answer(t)
	}
	return w, b, rec
}

var outcomeRow = regexp.MustCompile(`<li class="(\w+)"><bdi>App ([^<]*)</bdi> <span>([^<]*)</span>`)

// outcomes reads the list of a page as "name: text".
func (p page) outcomes() []string {
	var rows []string
	for _, m := range outcomeRow.FindAllStringSubmatch(p.body, -1) {
		rows = append(rows, m[2]+": "+m[3])
	}
	return rows
}

// TestLogoutTellsEverybody walks round parties of every sort: the page comes at
// once, ends at the deadline, and says of each what became of it.
func TestLogoutTellsEverybody(t *testing.T) {
	t.Parallel()
	slow := make(chan struct{})
	d := &downstream{
		reach: map[identity.RelyingPartyID]identity.Reach{
			"a-direct": direct, "b-dead": direct, "c-slow": direct, "d-both": both, "e-frame": byBrowser("e-frame"),
			"f-form": byBrowser("f-form"), "g-mute": byBrowser("g-mute"), "h-none": {},
		},
		tell: map[identity.RelyingPartyID]func(context.Context) error{
			"b-dead": refusal,
			"c-slow": func(ctx context.Context) error {
				select {
				case <-slow:
					return nil
				case <-ctx.Done():
					return ctx.Err()
				}
			},
			"d-both": refusal,
		},
	}
	w, b, rec := everywhere(t, d, time.Minute)
	p := b.signOut()
	if len(w.sessionsOf(rec.ID)) != 0 {
		t.Error("our own session goes on")
	}
	want := []string{
		"a-direct: Signed out", "b-dead: Not reachable", "c-slow: Waiting", "d-both: Waiting", "e-frame: Waiting",
		"f-form: Waiting", "g-mute: Waiting", "h-none: Does not support it",
	}
	if diff := cmp.Diff(want, p.outcomes()); diff != "" {
		t.Fatalf("the page while it waits (-want +got):\n%s\n%s", diff, p.body)
	}
	csp := p.header.Get("Content-Security-Policy")
	for _, part := range []string{"frame-src 'self' https://both.example.test https://e-frame.example.test https://f-form.example.test https://g-mute.example.test;", "frame-ancestors 'none'"} {
		if !strings.Contains(csp+";", part) {
			t.Errorf("got policy %q, want %q in it", csp, part)
		}
	}
	if got := strings.Count(p.body, "<iframe "); got != 4 {
		t.Errorf("got %d frames, want 4:\n%s", got, p.body)
	}
	frame := regexp.MustCompile(`src="(/logout/frame[^"]*)"`).FindStringSubmatch(p.body)
	if frame == nil {
		t.Fatalf("no frame with a form:\n%s", p.body)
	}
	form := b.get(strings.ReplaceAll(frame[1], "&amp;", "&"))
	if form.header.Get("X-Frame-Options") != "SAMEORIGIN" || !strings.Contains(form.header.Get("Content-Security-Policy"), "form-action 'self' https://f-form.example.test") || !strings.Contains(form.body, "SAMLRequest") {
		t.Errorf("the form's frame: %v\n%s", form.header, form.body)
	}

	close(slow)
	for _, rp := range []identity.RelyingPartyID{"d-both", "e-frame", "f-form"} {
		if _, err := w.auth.LogoutAnswered(t.Context(), d.message(rp), rp, nil); err != nil {
			t.Errorf("answer of %s: %v", rp, err)
		}
	}
	here := regexp.MustCompile(`data-here="([^"]*)"`).FindStringSubmatch(p.body)[1]
	status := strings.Replace(here, "/progress", "/status", 1)
	wantStates := `{"over":false,"states":["done","failed","done","done","done","done","pending","unsupported"]}`
	eventually(t, "the slow one is noted", func() bool { return b.get(status).body == wantStates })
	if got := b.get(here); !strings.Contains(got.body, "Signing you out") || strings.Count(got.body, "<iframe ") != 1 {
		t.Errorf("reloaded, the page does not wait for the mute one alone:\n%s", got.body)
	}

	w.pass(time.Minute)
	p = b.get(here)
	want = []string{
		"a-direct: Signed out", "b-dead: Not reachable", "c-slow: Signed out", "d-both: Signed out", "e-frame: Signed out",
		"f-form: Signed out", "g-mute: Not reachable", "h-none: Does not support it",
	}
	if diff := cmp.Diff(want, p.outcomes()); diff != "" || !strings.Contains(p.body, "You are signed out") {
		t.Errorf("the page at the end (-want +got):\n%s\n%s", diff, p.body)
	}
	told := slices.DeleteFunc(w.events(), func(e string) bool { return !strings.HasPrefix(e, "logout.told") })
	slices.Sort(told)
	if diff := cmp.Diff([]string{"logout.told", "logout.told", "logout.told", "logout.told", "logout.told", "logout.told", "logout.told binding.soap", "logout.told logout.timeout"}, told); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	// Late is better than never, and a reload tells the truth.
	if _, err := w.auth.LogoutAnswered(t.Context(), d.message("g-mute"), "g-mute", nil); err != nil {
		t.Error(err)
	}
	if p = b.get(here); !strings.Contains(p.body, "App g-mute</bdi> <span>Signed out") {
		t.Errorf("the late answer is not shown:\n%s", p.body)
	}
}

// TestLogoutWithoutWaiting holds that a person can go on before the deadline.
func TestLogoutWithoutWaiting(t *testing.T) {
	t.Parallel()
	w, b, _ := everywhere(t, &downstream{reach: map[identity.RelyingPartyID]identity.Reach{"mute": byBrowser("mute")}}, time.Minute)
	p := b.signOut()
	skip := regexp.MustCompile(`href="(/logout/progress[^"]*now=1)"`).FindStringSubmatch(p.body)
	if skip == nil {
		t.Fatalf("no way to go on:\n%s", p.body)
	}
	if diff := cmp.Diff([]string{"mute: Not reachable"}, b.get(strings.ReplaceAll(skip[1], "&amp;", "&")).outcomes()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	w.pass(time.Hour)
	if p := b.get(strings.ReplaceAll(skip[1], "&amp;", "&")); p.status != http.StatusBadRequest || !strings.Contains(p.body, "ui.stale") {
		t.Errorf("an hour later: %d %s", p.status, p.body)
	}
}

// participant returns what a relying party was told in its latest assertion.
func (w *world) participant(rec identity.RecordID, rp identity.RelyingPartyID) identity.Participant {
	w.tb.Helper()
	var found identity.Participant
	eventually(w.tb, "the participant is recorded", func() bool {
		for _, s := range w.sessionsOf(rec) {
			ctx := w.tb.Context()
			err := w.store.View(ctx, func(tx *store.Tx) error {
				all, err := tx.Sessions.Participants(ctx, s.ID)
				for _, p := range all {
					if p.RelyingParty == rp {
						found = p
					}
				}
				return err
			})
			if err != nil {
				w.tb.Fatal(err)
			}
		}
		return found.RelyingParty == rp
	})
	return found
}

// wish is what a relying party that knows p would ask for.
func wish(p identity.Participant, message string) identity.Logout {
	return identity.Logout{
		RelyingParty: p.RelyingParty, Audience: p.Audience, Principal: p.Principal, Indexes: []identity.SessionID{p.Index},
		Message: message, Expires: time.Now().Add(time.Hour), State: []byte("s"),
	}
}

// TestLogoutFindsItsSession holds what names a session (SAML Core 3.3.4, 3.7.1).
func TestLogoutFindsItsSession(t *testing.T) {
	t.Parallel()
	reach := map[identity.RelyingPartyID]identity.Reach{"one": direct, "two": direct}
	for _, tc := range []struct {
		name  string
		edit  func(l *identity.Logout, other identity.Participant)
		found bool
	}{
		{"as it was issued", func(*identity.Logout, identity.Participant) {}, true},
		{"without a SessionIndex", func(l *identity.Logout, _ identity.Participant) { l.Indexes = nil }, true},
		{"one SessionIndex of several", func(l *identity.Logout, _ identity.Participant) {
			l.Indexes = append([]identity.SessionID{"x"}, l.Indexes...)
		}, true},
		{"another SessionIndex", func(l *identity.Logout, _ identity.Participant) { l.Indexes = []identity.SessionID{"x"} }, false},
		{"without qualifiers", func(l *identity.Logout, _ identity.Participant) {
			l.Principal.NameQualifier, l.Principal.SPNameQualifier = "", ""
		}, true},
		{"another NameQualifier", func(l *identity.Logout, _ identity.Participant) { l.Principal.NameQualifier = "x" }, false},
		{"another SPNameQualifier", func(l *identity.Logout, _ identity.Participant) { l.Principal.SPNameQualifier = "x" }, false},
		{"without a Format, which is unspecified", func(l *identity.Logout, _ identity.Participant) { l.Principal.Format = "" }, false},
		{"another Format", func(l *identity.Logout, _ identity.Participant) { l.Principal.Format = identity.FormatEmail }, false},
		{"another person", func(l *identity.Logout, _ identity.Participant) { l.Principal.Subject += "x" }, false},
		{"nobody", func(l *identity.Logout, _ identity.Participant) { l.Principal.Subject = "" }, false},
		{"another relying party's SessionIndex", func(l *identity.Logout, other identity.Participant) { l.Indexes = []identity.SessionID{other.Index} }, false},
		{"another relying party's NameID", func(l *identity.Logout, other identity.Participant) {
			l.Principal, l.Indexes = other.Principal, []identity.SessionID{other.Index}
		}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			d := &downstream{reach: reach}
			w, _, rec := everywhere(t, d, time.Second)
			mine, other := w.participant(rec.ID, "one"), w.participant(rec.ID, "two")
			l := wish(mine, "m1")
			tc.edit(&l, other)
			redirect, err := w.auth.Logout(t.Context(), l)
			left := len(w.sessionsOf(rec.ID))
			switch {
			case tc.found && (err != nil || left != 0 || redirect != ""):
				t.Errorf("got %q, %v, %d sessions left; want all confirmed", redirect, err, left)
			case tc.found:
				if diff := cmp.Diff([]string{"two"}, d.parties()); diff != "" {
					t.Errorf("told (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff([]identity.Participant{other}, d.told); diff != "" {
					t.Errorf("told of (-want +got):\n%s", diff)
				}
			case identity.CodeOf(err) != "logout.unknown" || left != 1 || len(d.parties()) != 0:
				t.Errorf("got %v, %d sessions left, told %v; want it unknown and nothing done", err, left, d.parties())
			}
		})
	}
}

// TestAttackLogoutReplay carries out a message a second time, after the person
// has signed in again: it names no SessionIndex, so it would end the new session.
func TestAttackLogoutReplay(t *testing.T) {
	t.Parallel()
	w, b, rec := everywhere(t, &downstream{reach: map[identity.RelyingPartyID]identity.Reach{"one": direct}}, time.Second)
	l := wish(w.participant(rec.ID, "one"), "m1")
	l.Indexes = nil
	if _, err := w.auth.Logout(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	b.signIn(b.ask(identity.AuthnRequest{RelyingParty: "one", Subject: identity.FormatPersistent}), "ada", goodPass).answer(t)
	for _, again := range []func(context.Context, identity.Logout) error{
		func(ctx context.Context, l identity.Logout) error { _, err := w.auth.Logout(ctx, l); return err },
		func(ctx context.Context, l identity.Logout) error {
			_, err := w.auth.LogoutDirectly(ctx, l)
			return err
		},
	} {
		if err := again(t.Context(), l); identity.KindOf(err) != identity.KindReplayed || len(w.sessionsOf(rec.ID)) != 1 {
			t.Errorf("got %v and %d sessions, want it refused", err, len(w.sessionsOf(rec.ID)))
		}
	}
	// One that found nothing when it came is consumed as well.
	early := wish(w.participant(rec.ID, "one"), "m2")
	early.Indexes, early.RelyingParty = nil, "other"
	if _, err := w.auth.Logout(t.Context(), early); identity.CodeOf(err) != "logout.unknown" {
		t.Errorf("got %v", err)
	}
	if _, err := w.auth.Logout(t.Context(), early); identity.KindOf(err) != identity.KindReplayed {
		t.Errorf("got %v, want it consumed", err)
	}
}

// TestAttackLogoutAnswer holds that an answer counts once, and of nobody but who
// was asked.
func TestAttackLogoutAnswer(t *testing.T) {
	t.Parallel()
	d := &downstream{reach: map[identity.RelyingPartyID]identity.Reach{"one": byBrowser("one"), "two": byBrowser("two")}}
	w, b, _ := everywhere(t, d, time.Minute)
	p := b.signOut()
	for name, a := range map[string]struct {
		message string
		rp      identity.RelyingPartyID
	}{
		"to nothing":       {"_x", "one"},
		"another's":        {d.message("one"), "two"},
		"another's, again": {d.message("one"), "two"},
	} {
		if _, err := w.auth.LogoutAnswered(t.Context(), a.message, a.rp, nil); identity.CodeOf(err) != "logout.unawaited" {
			t.Errorf("%s: got %v", name, err)
		}
	}
	no := errors.New("not a good answer")
	if _, err := w.auth.LogoutAnswered(t.Context(), d.message("one"), "one", no); err != nil {
		t.Error(err)
	}
	if _, err := w.auth.LogoutAnswered(t.Context(), d.message("one"), "one", nil); identity.CodeOf(err) != "logout.unawaited" {
		t.Errorf("a second answer: %v", err)
	}
	here := regexp.MustCompile(`data-here="([^"]*)"`).FindStringSubmatch(p.body)[1]
	if diff := cmp.Diff([]string{"one: Not reachable", "two: Waiting"}, b.get(here).outcomes()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestLogoutAnswersWhoAsked holds when the browser goes straight back, and when
// the person reads first who may still know them.
func TestLogoutAnswersWhoAsked(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, state string
		others      map[identity.RelyingPartyID]identity.Reach
		direct      string // where Logout says to go, up to the ticket
		end         string // where the browser ends, or what the page says
	}{
		{"nobody else", "s", nil, "", ""},
		{"all confirm at once", "s", map[identity.RelyingPartyID]identity.Reach{"b": direct}, "", ""},
		{"one cannot be told", "s", map[identity.RelyingPartyID]identity.Reach{"b": {}}, "/logout/progress?t=", `href="https://asker.example.test/answer?state=s&amp;complete=false"`},
		{"all confirm later", "s", map[identity.RelyingPartyID]identity.Reach{"b": byBrowser("b")}, "/logout/progress?t=", "https://asker.example.test/answer?state=s&complete=true"},
		{"nobody waits for an answer", "", nil, "/logout/progress?t=", "You are signed out"},
		{"nobody waits, and one cannot be told", "", map[identity.RelyingPartyID]identity.Reach{"b": {}}, "/logout/progress?t=", "Does not support it"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			d := &downstream{reach: map[identity.RelyingPartyID]identity.Reach{"asker": direct}}
			maps.Copy(d.reach, tc.others)
			w, _, rec := everywhere(t, d, time.Minute)
			l := wish(w.participant(rec.ID, "asker"), "m1")
			if l.State = []byte(tc.state); tc.state == "" {
				l.State = nil
			}
			redirect, err := w.auth.Logout(t.Context(), l)
			if err != nil || !strings.HasPrefix(redirect, tc.direct) || (tc.direct == "") != (redirect == "") {
				t.Fatalf("got %q, %v; want %q", redirect, err, tc.direct)
			}
			if redirect == "" {
				return
			}
			stranger := w.newBrowser() // no cookie of ours
			if id := d.message("b"); id != "" {
				if p := stranger.get(redirect); !strings.Contains(p.body, "Signing you out") {
					t.Errorf("the page while it waits: %s", p.body)
				}
				if _, err := w.auth.LogoutAnswered(t.Context(), id, "b", nil); err != nil {
					t.Fatal(err)
				}
			}
			if p := stranger.get(redirect); p.to != tc.end && !strings.Contains(p.body, tc.end) {
				t.Errorf("got %d to %q, want %q:\n%s", p.status, p.to, tc.end, p.body)
			}
		})
	}
}

// TestLogoutWithoutABrowser is SOAP and the operator: whoever can only be told
// through a browser is not.
func TestLogoutWithoutABrowser(t *testing.T) {
	t.Parallel()
	reach := map[identity.RelyingPartyID]identity.Reach{"asker": direct, "b": direct, "c": byBrowser("c"), "d": {}}
	t.Run("a relying party", func(t *testing.T) {
		t.Parallel()
		for name, others := range map[string]map[identity.RelyingPartyID]identity.Reach{"partial": reach, "complete": {"asker": direct, "b": direct}} {
			d := &downstream{reach: others}
			w, _, rec := everywhere(t, d, time.Minute)
			complete, err := w.auth.LogoutDirectly(t.Context(), wish(w.participant(rec.ID, "asker"), "m1"))
			if err != nil || complete != (name == "complete") || len(w.sessionsOf(rec.ID)) != 0 {
				t.Errorf("%s: got %t, %v, %d sessions", name, complete, err, len(w.sessionsOf(rec.ID)))
			}
			if diff := cmp.Diff([]string{"b"}, d.parties()); diff != "" {
				t.Errorf("%s: told (-want +got):\n%s", name, diff)
			}
		}
	})
	t.Run("the operator", func(t *testing.T) {
		t.Parallel()
		w, _, rec := everywhere(t, &downstream{reach: reach}, time.Minute)
		told, err := w.auth.Revoke(t.Context(), w.sessionsOf(rec.ID)[0].ID, "gone")
		if err != nil || len(w.sessionsOf(rec.ID)) != 0 {
			t.Errorf("got %v, %d sessions", err, len(w.sessionsOf(rec.ID)))
		}
		raw, err := json.Marshal(told)
		if err != nil {
			t.Fatal(err)
		}
		want := `[{"RelyingParty":"asker","State":1,"Code":""},{"RelyingParty":"b","State":1,"Code":""},{"RelyingParty":"c","State":2,"Code":"logout.browser"},{"RelyingParty":"d","State":3,"Code":""}]`
		if diff := cmp.Diff(want, string(raw)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}
