package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/samlet-id/samlet/internal/peer"
)

// An application that asks for a logout, by each binding that it knows, ends its
// own session, samlet's, and those of the others, and reads the answer.
func TestPeersAskForLogout(t *testing.T) {
	for by, format := range map[peer.Binding]string{peer.Redirect: nameIDPersistent, peer.POST: nameIDTransient, peer.SOAP: nameIDEmail} {
		t.Run("by "+by.String(), func(t *testing.T) {
			can := func(k peer.SPKind) bool { return slices.Contains(k.LogoutAsks, by) }
			eachKind(t, can, func(t *testing.T, kind peer.SPKind) {
				s := serveSamlet(t, nil) // Each has another one to be signed out.
				s.createAlice(t)
				sp := s.addSP(t, kind, peer.SPOptions{NameIDFormat: format, Logout: kind.LogoutAnswers, LogoutBy: by})
				other := s.addSP(t, anotherKind(t, kind, peer.POST), peer.SPOptions{NameIDFormat: nameIDPersistent, Logout: []peer.Binding{peer.POST}})
				b := peer.NewBrowser(t)
				b.BlockThirdParty = true
				b.Walk(other.LoginURL, aliceSignsIn())
				b.Walk(sp.LoginURL, nil)
				s.wantSignedIn(t, b, true, sp, other)

				l := peer.ReadLogout(t, b.Walk(sp.LogoutURL, nil))
				if by == peer.SOAP {
					// Nobody leads a browser to the other, which knows no SOAP.
					s.wantSignedIn(t, b, false, sp)
					s.wantNoSession(t, b)
					return
				}
				if !l.LoggedOut {
					t.Errorf("%s was answered: %+v", sp.Name, l)
				}
				s.wantSignedIn(t, b, false, sp, other)
				s.wantNoSession(t, b)
			})
		})
	}
}

// Who asks for a logout and wants no answer gets none: the browser stays at
// samlet, which says that everybody has signed alice out.
func TestPeersAskForLogoutWithoutAnAnswer(t *testing.T) {
	s := serveSamlet(t, nil)
	s.createAlice(t)
	eachKind(t, func(k peer.SPKind) bool { return k.AsyncLogout }, func(t *testing.T, kind peer.SPKind) {
		sp := s.addSP(t, kind, peer.SPOptions{Logout: []peer.Binding{peer.Redirect}, LogoutBy: peer.Redirect, AsyncLogout: true})
		other := s.addSP(t, anotherKind(t, kind, peer.POST), peer.SPOptions{Logout: []peer.Binding{peer.POST}})
		b := peer.NewBrowser(t)
		b.Walk(other.LoginURL, aliceSignsIn())
		b.Walk(sp.LoginURL, nil)
		s.wantSignedIn(t, b, true, sp, other)
		p := b.Walk(sp.LogoutURL, nil)
		if !strings.HasPrefix(p.URL.String(), s.base) || !strings.Contains(p.Text(), other.Name+" Signed out") {
			t.Errorf("got %s, want samlet's page that names %s:\n%s", p.URL, other.Name, p.Text())
		}
		s.wantSignedIn(t, b, false, sp, other)
		s.wantNoSession(t, b)
	})
}

// Who signs out at samlet is signed out of the applications, by each binding that
// one takes LogoutRequests by, though the browser keeps third-party cookies back.
func TestPeersTakeLogoutRequests(t *testing.T) {
	for _, by := range []peer.Binding{peer.Redirect, peer.POST, peer.SOAP} {
		t.Run("by "+by.String(), func(t *testing.T) {
			s := serveSamlet(t, nil)
			s.createAlice(t)
			can := func(k peer.SPKind) bool { return slices.Contains(k.LogoutTakes, by) }
			eachKind(t, can, func(t *testing.T, kind peer.SPKind) {
				sp := s.addSP(t, kind, peer.SPOptions{Logout: []peer.Binding{by}})
				b := peer.NewBrowser(t)
				b.BlockThirdParty = true
				b.Walk(sp.LoginURL, aliceSignsIn())
				elsewhere := peer.NewBrowser(t)
				elsewhere.Walk(sp.LoginURL, aliceSignsIn())
				s.wantSignedIn(t, b, true, sp)

				p := s.signOut(t, b)
				if !strings.Contains(p.Text(), sp.Name+" Signed out") {
					t.Errorf("the page does not say that %s has signed alice out: %s", sp.Name, p.Text())
				}
				s.wantSignedIn(t, b, false, sp)
				s.wantSignedIn(t, elsewhere, true, sp) // Another session is another matter.
			})
		})
	}
}

// The operator ends a person's sessions: applications that speak SOAP end theirs,
// and what it printed says that the one that needs a browser did not.
func TestPeersAreToldByTheOperator(t *testing.T) {
	s := serveSamlet(t, nil)
	s.createAlice(t)
	b := peer.NewBrowser(t)
	var direct []*peer.SP
	for _, kind := range peer.SPs() {
		if slices.Contains(kind.LogoutTakes, peer.SOAP) {
			sp := s.addSP(t, kind, peer.SPOptions{Logout: []peer.Binding{peer.SOAP}})
			b.Walk(sp.LoginURL, aliceSignsIn())
			direct = append(direct, sp)
		}
	}
	front := s.addSP(t, kindNamed(t, "node-saml"), peer.SPOptions{Logout: []peer.Binding{peer.Redirect}})
	b.Walk(front.LoginURL, nil)
	s.wantSignedIn(t, b, true, append(direct, front)...)

	const withWarnings = 3
	said := string(s.ends(t, withWarnings, "", "session", "revoke", "--user", "alice"))
	s.wantSignedIn(t, b, false, direct...)
	s.wantSignedIn(t, b, true, front)
	s.wantNoSession(t, b)
	words := strings.Join(strings.Fields(said), " ")
	for _, sp := range direct {
		if !strings.Contains(words, spID(sp)+" signed out") {
			t.Errorf("the command does not say that %s has signed alice out: %s", sp.Name, said)
		}
	}
	if !strings.Contains(words, spID(front)+" can only be told through a browser") {
		t.Errorf("the command does not say that %s needs a browser: %s", front.Name, said)
	}
}

// fiveWithTwoGone are how five applications take LogoutRequests, and which of
// them are dead and mute when alice signs out.
type fiveWithTwoGone struct {
	name       string
	dead, mute string
	by         map[string]peer.Binding
}

// deadline is how long a logout may take in these tests; the page may need a
// little longer to be drawn on a machine with other things to do.
const deadline, patience = 3 * time.Second, 3 * time.Second

func serveWithDeadline(t *testing.T) *served {
	t.Helper()
	s := serveSamlet(t, func(config string) string {
		return strings.Replace(config, "idp:\n", "idp:\n  logout: {timeout: 3s}\n", 1)
	})
	s.createAlice(t)
	return s
}

// arrange starts the five, lets signIn sign alice in at each, and ends and mutes
// two of them.
func (f fiveWithTwoGone) arrange(t *testing.T, s *served, signIn func(*peer.SP)) (alive, gone []*peer.SP) {
	t.Helper()
	for name, by := range f.by {
		sp := s.addSP(t, kindNamed(t, name), peer.SPOptions{Logout: []peer.Binding{by}})
		signIn(sp)
		if name == f.dead || name == f.mute {
			gone = append(gone, sp)
		} else {
			alive = append(alive, sp)
		}
	}
	for _, sp := range gone {
		if sp.Name == f.mute {
			sp.Mute(t)
		} else {
			sp.End()
		}
	}
	return alive, gone
}

func wantOutcomes(t *testing.T, page string, alive, gone []*peer.SP) {
	t.Helper()
	for _, sp := range alive {
		if !strings.Contains(page, sp.Name+" Signed out") {
			t.Errorf("the page does not say that %s has signed alice out: %s", sp.Name, page)
		}
	}
	for _, sp := range gone {
		if !strings.Contains(page, sp.Name+" Not reachable") {
			t.Errorf("the page does not say that %s was not reachable: %s", sp.Name, page)
		}
	}
}

// One dead and one mute application out of five: the sessions at the three others
// and at samlet end, the page says which did not, and nobody waits longer than the
// deadline says. Cookies of third parties are blocked, and there is no JavaScript.
func TestPeersDeadAndMuteHoldUpNoLogout(t *testing.T) {
	for _, f := range []fiveWithTwoGone{
		{"in frames", "node-saml", "samlify", map[string]peer.Binding{
			"node-saml": peer.Redirect, "samlify": peer.Redirect, "SimpleSAMLphp": peer.Redirect, "mod_auth_mellon": peer.Redirect, "pysaml2": peer.Redirect,
		}},
		{"by SOAP, and in frames", "mod_auth_mellon", "pysaml2", map[string]peer.Binding{
			"mod_auth_mellon": peer.SOAP, "pysaml2": peer.SOAP, "Shibboleth": peer.SOAP, "node-saml": peer.Redirect, "ruby-saml": peer.Redirect,
		}},
	} {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			s := serveWithDeadline(t)
			b := peer.NewBrowser(t)
			b.BlockThirdParty = true
			alive, gone := f.arrange(t, s, func(sp *peer.SP) {
				b.Walk(sp.LoginURL, aliceSignsIn())
				s.wantSignedIn(t, b, true, sp)
			})
			began := time.Now()
			p := s.signOut(t, b)
			if took := time.Since(began); took > deadline+patience {
				t.Errorf("took %v, want no more than the deadline of %v", took, deadline)
			}
			s.wantSignedIn(t, b, false, alive...)
			s.wantNoSession(t, b)
			wantOutcomes(t, p.Text(), alive, gone)
		})
	}
}

// The same in Chromium, with its scripts and its own rules for frames and for
// cookies of third parties; here forms are posted in frames, too.
func TestPeersDeadAndMuteHoldUpNoLogoutInChromium(t *testing.T) {
	t.Parallel()
	f := fiveWithTwoGone{"", "node-saml", "samlify", map[string]peer.Binding{
		"node-saml": peer.Redirect, "samlify": peer.POST, "SimpleSAMLphp": peer.POST, "mod_auth_mellon": peer.Redirect, "pysaml2": peer.POST,
	}}
	s := serveWithDeadline(t)
	c := peer.NewChromium(t)
	first := true
	alive, gone := f.arrange(t, s, func(sp *peer.SP) {
		c.Open(sp.LoginURL)
		if first {
			c.Fill("input[name=identifier]", "alice")
			c.Click("main button")
			c.Fill("input[name=password]", alicePassword)
			c.Click("main button")
		}
		first = false
		c.AwaitURL(sp.URL)
		c.AwaitText("sessionIndex")
	})
	c.Open(s.base + "/logout")
	began := time.Now()
	c.Click("main button")
	c.AwaitText("You are signed out")
	if took := time.Since(began); took > deadline+patience {
		t.Errorf("took %v, want no more than the deadline of %v", took, deadline)
	}
	wantOutcomes(t, c.Text, alive, gone)
	for _, sp := range alive {
		c.Open(sp.WhoURL)
		if !strings.Contains(c.Text, "nobody is signed in") {
			t.Errorf("%s still knows alice: %s", sp.Name, c.Text)
		}
	}
	if len(c.Refused) > 0 {
		t.Errorf("Chromium refused: %q", c.Refused)
	}
}

// An application that asks is told when another did not end, and so is alice.
func TestPeersReadThatALogoutWasPartial(t *testing.T) {
	s := serveSamlet(t, nil)
	s.createAlice(t)
	asks := s.addSP(t, kindNamed(t, "SimpleSAMLphp"), peer.SPOptions{Logout: []peer.Binding{peer.Redirect}, LogoutBy: peer.Redirect})
	dead := s.addSP(t, kindNamed(t, "mod_auth_mellon"), peer.SPOptions{Logout: []peer.Binding{peer.SOAP}})
	b := peer.NewBrowser(t)
	b.Walk(dead.LoginURL, aliceSignsIn())
	b.Walk(asks.LoginURL, nil)
	dead.End()
	p := b.Walk(asks.LogoutURL, nil)
	if !strings.Contains(p.Text(), dead.Name+" Not reachable") {
		t.Fatalf("the page does not say that %s was not reachable: %s", dead.Name, p.Text())
	}
	l := peer.ReadLogout(t, b.Click("Continue to "+asks.Name))
	if !slices.ContainsFunc(l.Status, func(code string) bool { return strings.HasSuffix(code, ":PartialLogout") }) {
		t.Errorf("got %+v, want PartialLogout", l)
	}
	s.wantSignedIn(t, b, false, asks)
}

// signOut signs out at samlet itself and returns the page that says what became
// of each application.
func (s *served) signOut(t *testing.T, b *peer.Browser) *peer.Page {
	t.Helper()
	p := b.Get(s.base + "/logout")
	forms := p.Forms()
	if len(forms) != 1 {
		t.Fatalf("%s has %d forms, want one that asks whether to sign out:\n%s", p.URL, len(forms), p.Text())
	}
	return b.Submit(forms[0], nil)
}

func (s *served) wantSignedIn(t *testing.T, b *peer.Browser, want bool, sps ...*peer.SP) {
	t.Helper()
	for _, sp := range sps {
		if got := sp.Knows(t, b); got != want {
			t.Errorf("%s knows alice: got %v, want %v", sp.Name, got, want)
		}
	}
}

// wantNoSession checks that samlet asks who it is.
func (s *served) wantNoSession(t *testing.T, b *peer.Browser) {
	t.Helper()
	if p := b.Walk(s.base+"/test/signin", nil); !asksForPassword(p) {
		t.Errorf("samlet still has a session: %s", p.Text())
	}
}

// anotherKind takes LogoutRequests by a binding. It is of another address, so that
// cookies are its own.
func anotherKind(t *testing.T, but peer.SPKind, by peer.Binding) peer.SPKind {
	t.Helper()
	for _, k := range peer.SPs() {
		if k.Name != but.Name && slices.Contains(k.LogoutTakes, by) {
			return k
		}
	}
	t.Fatalf("nobody takes LogoutRequests by %s", by)
	return peer.SPKind{}
}
