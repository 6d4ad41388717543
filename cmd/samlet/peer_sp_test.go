package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/samlet-id/samlet/internal/peer"
)

const (
	nameIDPersistent = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
	nameIDEmail      = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"
	nameIDTransient  = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"
)

// alice signs in with a password at samlet itself.
var alice = map[string][]string{
	"mail": {"alice@example.test"}, "givenName": {"Alice"}, "sn": {"O'Neill & <Söhne>"},
	"isMemberOf": {"staff", "admins"},
}

const alicePassword = "correct horse battery"

func aliceSignsIn() peer.Fill { return peer.Fill{"identifier": "alice", "password": alicePassword} }

func (s *served) createAlice(t *testing.T) {
	t.Helper()
	s.run(t, alicePassword, "user", "create", "alice", "--password-stdin",
		"--set", "mail=alice@example.test", "--set", "given_name=Alice", "--set", "family_name="+alice["sn"][0],
		"--set", "groups=staff", "--set", "groups=admins")
}

// Service providers not written by us sign a person in through samlet, and a
// second one does so without a prompt.
func TestPeersSignIn(t *testing.T) {
	for _, tc := range []struct {
		name   string
		o      peer.SPOptions
		format string // of the NameID
	}{
		{"as they come", peer.SPOptions{}, ""},
		{"persistent, signed requests by POST", peer.SPOptions{SignRequests: true, RequestByPOST: true, NameIDFormat: nameIDPersistent}, nameIDPersistent},
		{"e-mail, encrypted", peer.SPOptions{EncryptAssertions: true, NameIDFormat: nameIDEmail}, nameIDEmail},
		{"transient", peer.SPOptions{NameIDFormat: nameIDTransient}, nameIDTransient},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := serveSamlet(t, nil)
			s.createAlice(t)
			var sps []*peer.SP
			for _, kind := range peer.SPs() {
				if kind.CanDo(tc.o) == "" {
					sps = append(sps, s.startSP(t, kind, tc.o))
				}
			}
			for _, sp := range sps {
				s.awaitSP(t, sp)
			}
			subjects := map[string]string{}
			for i, sp := range sps {
				t.Run(sp.Name, func(t *testing.T) {
					b := peer.NewBrowser(t)
					l := peer.ReadLogin(t, b.Walk(sp.LoginURL, aliceSignsIn()))
					s.check(t, l, tc.format)
					if other, taken := subjects[l.NameID]; taken && tc.format != nameIDEmail && l.NameIDFormat != nameIDEmail {
						t.Errorf("%s and %s know the same NameID %q", sp.Name, other, l.NameID)
					}
					subjects[l.NameID] = sp.Name

					second := sps[(i+1)%len(sps)]
					s.check(t, peer.ReadLogin(t, b.Walk(second.LoginURL, nil)), tc.format)

					// Within a session even a transient identifier stays, or the first
					// could not be logged out; the next session has another.
					if again := peer.ReadLogin(t, b.Walk(sp.LoginURL, nil)); again.NameID != l.NameID {
						t.Errorf("NameID of the second login in the session: got %q, want %q", again.NameID, l.NameID)
					}
					later := peer.ReadLogin(t, peer.NewBrowser(t).Walk(sp.LoginURL, aliceSignsIn()))
					if transient := later.NameIDFormat == nameIDTransient; transient == (later.NameID == l.NameID) {
						t.Errorf("NameID %q of the first session and %q of the second, format %s", l.NameID, later.NameID, later.NameIDFormat)
					}
				})
			}
		})
	}
}

// check compares what an SP understood with what alice and samlet are.
func (s *served) check(t *testing.T, l peer.Login, format string) {
	t.Helper()
	if l.Error != "" {
		t.Fatalf("the SP refused the Response: %+v", l)
	}
	if want := s.base + "/saml/metadata"; l.Issuer != want {
		t.Errorf("issuer: got %q, want %q", l.Issuer, want)
	}
	if format != "" && l.NameIDFormat != format {
		t.Errorf("NameID format: got %q, want %q", l.NameIDFormat, format)
	}
	if l.NameID == "" || l.SessionIndex == "" {
		t.Errorf("NameID %q, SessionIndex %q: one is missing", l.NameID, l.SessionIndex)
	}
	if l.NameIDFormat == nameIDEmail && l.NameID != alice["mail"][0] {
		t.Errorf("NameID: got %q, want %q", l.NameID, alice["mail"][0])
	}
	if !strings.HasPrefix(l.AuthnContext, "urn:oasis:names:tc:SAML:2.0:ac:classes:Password") {
		t.Errorf("AuthnContextClassRef: got %q, want one of the password classes", l.AuthnContext)
	}
	wantAttributes(t, l, alice)
}

// A signed Response is valid against the schemas and verified by xmlsec1, as it
// passes through the browser.
func TestPeersReadTheResponse(t *testing.T) {
	s := serveSamlet(t, nil)
	s.createAlice(t)
	sp := s.addSP(t, kindNamed(t, "gosaml2"), peer.SPOptions{NameIDFormat: nameIDPersistent})
	b := peer.NewBrowser(t)
	b.Get(sp.LoginURL)
	b.Submit(b.Page().Form("identifier"), peer.Fill{"identifier": "alice"})
	page := b.Submit(b.Page().Form("password"), peer.Fill{"password": alicePassword})
	doc := page.Message("SAMLResponse")
	if doc == nil {
		t.Fatalf("no Response waits at %s:\n%s", page.URL, page.Text())
	}
	cert := s.run(t, "", "keys", "export")
	peer.ValidateXSD(t, doc)
	peer.VerifyXMLSec1(t, doc, cert)
	peer.ValidateXSD(t, s.metadata(t))
	peer.VerifyXMLSec1(t, s.metadata(t), cert)
}

// AllowCreate="false", which pysaml2 says unless it is told otherwise, keeps an
// identifier from being made for an application that has none yet (SAML Core
// 3.4.1.1).
func TestPeersAskForNoNewIdentifier(t *testing.T) {
	s := serveSamlet(t, nil)
	s.createAlice(t)
	sp := s.addSP(t, kindNamed(t, "pysaml2"), peer.SPOptions{NameIDFormat: nameIDPersistent, NoCreate: true})
	l := peer.ReadLogin(t, peer.NewBrowser(t).Walk(sp.LoginURL, aliceSignsIn()))
	if !strings.Contains(l.Error, "InvalidNameIDPolicy") {
		t.Errorf("got %+v, want a refusal with InvalidNameIDPolicy", l)
	}
}

func kindNamed(t *testing.T, name string) peer.SPKind {
	t.Helper()
	all := peer.SPs()
	i := slices.IndexFunc(all, func(k peer.SPKind) bool { return k.Name == name })
	if i < 0 {
		t.Fatalf("there is no peer %q", name)
	}
	return all[i]
}
