package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/samlet-id/samlet/internal/peer"
)

// asksForPassword tells whether a page is one of samlet's that signs people in.
func asksForPassword(p *peer.Page) bool {
	return p.Form("password") != nil || p.Form("identifier") != nil
}

// Without a session IsPassive shows no page and the application is told
// NoPassive; with one it is answered.
func TestPeersAskPassively(t *testing.T) {
	s := serveSamlet(t, nil)
	s.createAlice(t)
	eachKind(t, func(k peer.SPKind) bool { return k.IsPassive }, func(t *testing.T, kind peer.SPKind) {
		sp := s.addSP(t, kind, peer.SPOptions{IsPassive: true})
		b := peer.NewBrowser(t)
		p := b.Walk(sp.LoginURL, nil)
		if !strings.HasPrefix(p.URL.String(), sp.URL) || p.Status < 400 || sp.Knows(t, b) {
			t.Fatalf("without a session: got %d at %s, want the SP's refusal:\n%s", p.Status, p.URL, p.Text())
		}
		b.Walk(s.base+"/test/signin", aliceSignsIn())
		s.check(t, peer.ReadLogin(t, b.Walk(sp.LoginURL, nil)), "")
	})
}

// ForceAuthn asks for the password although there is a session.
func TestPeersForceAuthn(t *testing.T) {
	s := serveSamlet(t, nil)
	s.createAlice(t)
	eachKind(t, func(k peer.SPKind) bool { return k.ForceAuthn }, func(t *testing.T, kind peer.SPKind) {
		sp := s.addSP(t, kind, peer.SPOptions{ForceAuthn: true})
		b := peer.NewBrowser(t)
		b.Walk(sp.LoginURL, aliceSignsIn())
		if p := b.Walk(sp.LoginURL, nil); !asksForPassword(p) {
			t.Fatalf("with a session: got %d at %s, want to be asked again:\n%s", p.Status, p.URL, p.Text())
		}
		s.check(t, peer.ReadLogin(t, b.Continue(aliceSignsIn())), "")
	})
}

// A wrong password signs nobody in anywhere, and the right one still does.
func TestPeersMeetAWrongPassword(t *testing.T) {
	s := serveSamlet(t, nil)
	s.createAlice(t)
	eachKind(t, func(peer.SPKind) bool { return true }, func(t *testing.T, kind peer.SPKind) {
		sp := s.addSP(t, kind, peer.SPOptions{})
		b := peer.NewBrowser(t)
		p := b.Walk(sp.LoginURL, peer.Fill{"identifier": "alice", "password": "not " + alicePassword})
		if !asksForPassword(p) || !strings.HasPrefix(p.URL.String(), s.base) {
			t.Fatalf("after a wrong password: got %d at %s, want to be asked again:\n%s", p.Status, p.URL, p.Text())
		}
		s.check(t, peer.ReadLogin(t, b.Continue(aliceSignsIn())), "")
	})
}

// A request of an application that signs is refused without its signature, and
// with one that does not fit, by Redirect and by POST. The person is told, and
// nothing is asked.
func TestPeersSignedRequestsAreTamperedWith(t *testing.T) {
	for _, post := range []bool{false, true} {
		name := map[bool]string{false: "by HTTP-Redirect", true: "by HTTP-POST"}[post]
		t.Run(name, func(t *testing.T) {
			s := serveSamlet(t, nil)
			s.createAlice(t)
			o := peer.SPOptions{SignRequests: true, RequestByPOST: post, PlainPOST: true}
			eachKind(t, func(k peer.SPKind) bool { return k.CanDo(o) == "" }, func(t *testing.T, kind peer.SPKind) {
				sp := s.addSP(t, kind, o)
				for _, tc := range []struct {
					name   string
					tamper func(*url.URL, url.Values)
					code   string
				}{
					{"stripped", peer.StripSignature, "sp.unsigned"},
					{"broken", peer.BreakSignature, "sp.signature"},
				} {
					b := peer.NewBrowser(t)
					b.Tamper = tc.tamper
					p := b.Walk(sp.LoginURL, aliceSignsIn())
					if !strings.HasPrefix(p.URL.String(), s.base) || !strings.Contains(p.Text(), tc.code) || asksForPassword(p) {
						t.Errorf("%s: got %d at %s, want a page with %s:\n%s", tc.name, p.Status, p.URL, tc.code, p.Text())
					}
				}
				s.check(t, peer.ReadLogin(t, peer.NewBrowser(t).Walk(sp.LoginURL, aliceSignsIn())), "")
			})
		})
	}
}

// A sign-in that begins at samlet arrives where the operator allows it.
func TestPeersTakeUnsolicitedResponses(t *testing.T) {
	s := serveSamlet(t, nil)
	s.createAlice(t)
	eachKind(t, func(k peer.SPKind) bool { return k.Unsolicited }, func(t *testing.T, kind peer.SPKind) {
		sp := s.addSP(t, kind, peer.SPOptions{Unsolicited: true}, "--idp-initiated")
		b := peer.NewBrowser(t)
		b.Walk(s.base+"/saml/idp-initiated?sp="+url.QueryEscape(sp.EntityID), aliceSignsIn())
		s.check(t, peer.ReadLogin(t, b.Get(sp.WhoURL)), "")
	})
}

// Without the switch nothing begins at samlet.
func TestPeersAreNotSentUnsolicitedResponses(t *testing.T) {
	s := serveSamlet(t, nil)
	s.createAlice(t)
	sp := s.addSP(t, kindNamed(t, "gosaml2"), peer.SPOptions{Unsolicited: true})
	b := peer.NewBrowser(t)
	p := b.Walk(s.base+"/saml/idp-initiated?sp="+url.QueryEscape(sp.EntityID), aliceSignsIn())
	if !strings.Contains(p.Text(), "sp.idp_initiated") || sp.Knows(t, b) {
		t.Errorf("got %d at %s, want a page with sp.idp_initiated:\n%s", p.Status, p.URL, p.Text())
	}
}

// Applications fetch the Response that an artifact stands for by themselves.
func TestPeersResolveArtifacts(t *testing.T) {
	s := serveSamlet(t, nil)
	s.createAlice(t)
	eachKind(t, func(k peer.SPKind) bool { return k.Artifact }, func(t *testing.T, kind peer.SPKind) {
		sp := s.addSP(t, kind, peer.SPOptions{Artifact: true})
		b := peer.NewBrowser(t)
		var artifact string
		b.Tamper = func(u *url.URL, form url.Values) {
			artifact += u.Query().Get("SAMLart") + form.Get("SAMLart")
			if form.Has("SAMLResponse") {
				t.Errorf("a Response went through the browser to %s", u)
			}
		}
		s.check(t, peer.ReadLogin(t, b.Walk(sp.LoginURL, aliceSignsIn())), "")
		if artifact == "" {
			t.Error("no artifact went through the browser")
		}
	})
}

// An enhanced client signs in with a password at applications that it reads the
// pages of, and not with a wrong one.
func TestPeersServeEnhancedClients(t *testing.T) {
	s := serveSamlet(t, nil)
	s.createAlice(t)
	eachKind(t, func(k peer.SPKind) bool { return k.ECP }, func(t *testing.T, kind peer.SPKind) {
		sp := s.addSP(t, kind, peer.SPOptions{ECP: true})
		s.setSP(t, sp, "ecp: true")
		var in peer.Login
		await(t, "enhanced clients may sign in to "+sp.Name, func() (bool, string) {
			in = peer.ECP(t, sp, s.base+"/saml/ecp", "alice", alicePassword)
			return in.Error == "", in.Error
		})
		s.check(t, in, "")
		if l := peer.ECP(t, sp, s.base+"/saml/ecp", "alice", "not "+alicePassword); l.Error == "" {
			t.Errorf("with a wrong password: got %+v", l)
		}
	})
}

// Applications ask where somebody signs in, and go on with what they are told.
func TestPeersDiscover(t *testing.T) {
	s := serveSamlet(t, nil)
	s.createAlice(t)
	eachKind(t, func(k peer.SPKind) bool { return k.Discovery }, func(t *testing.T, kind peer.SPKind) {
		sp := s.addSP(t, kind, peer.SPOptions{Discovery: s.base + "/saml/discovery"})
		published := strings.Contains(string(sp.Metadata), "DiscoveryResponse")
		if !published { // Nobody is told anything at an address that nobody registered.
			p := peer.NewBrowser(t).Walk(sp.LoginURL, aliceSignsIn())
			if !strings.Contains(p.Text(), "sp.discovery_return") {
				t.Fatalf("got %d at %s, want a page with sp.discovery_return:\n%s", p.Status, p.URL, p.Text())
			}
			s.setSP(t, sp, `discovery_response: ["`+sp.URL+`/mellon/login"]`)
		}
		var told []string
		await(t, "samlet takes the address over", func() (bool, string) {
			told = nil
			b := peer.NewBrowser(t)
			b.Tamper = func(u *url.URL, _ url.Values) {
				for _, name := range []string{"entityID", "IdP"} {
					if strings.HasPrefix(u.String(), sp.URL) && u.Query().Has(name) {
						told = append(told, u.Query().Get(name))
					}
				}
			}
			p := b.Walk(sp.LoginURL, aliceSignsIn())
			if strings.Contains(p.Text(), "sp.discovery_return") {
				return false, p.Text()
			}
			s.check(t, peer.ReadLogin(t, p), "")
			return true, ""
		})
		if want := []string{s.base + "/saml/metadata"}; !slices.Equal(told, want) {
			t.Errorf("%s was told of %q, want %q", sp.Name, told, want)
		}
	})
}

// A class that the sign-in has is given when it is asked for, one that it cannot
// have is refused, and the answer never pretends.
func TestPeersAskForAnAuthnContext(t *testing.T) {
	s := serveSamlet(t, nil)
	s.createAlice(t)
	const classes = "urn:oasis:names:tc:SAML:2.0:ac:classes:"
	eachKind(t, func(k peer.SPKind) bool { return k.AuthnContext }, func(t *testing.T, kind peer.SPKind) {
		for class, want := range map[string]bool{"PasswordProtectedTransport": true, "X509": false} {
			sp := s.addSP(t, kind, peer.SPOptions{AuthnContext: classes + class})
			b := peer.NewBrowser(t)
			p := b.Walk(sp.LoginURL, aliceSignsIn())
			if want {
				l := peer.ReadLogin(t, p)
				s.check(t, l, "")
				if l.AuthnContext != classes+class {
					t.Errorf("asked for %s: got %s", class, l.AuthnContext)
				}
			} else if sp.Knows(t, b) {
				t.Errorf("asked for %s: signed in at %s", class, sp.Name)
			}
		}
	})
}

// seen notes every Response that goes through a browser.
type seen struct{ responses []string }

func (s *seen) note(_ *url.URL, form url.Values) {
	if xml, err := base64.StdEncoding.DecodeString(form.Get("SAMLResponse")); err == nil && len(xml) > 0 {
		s.responses = append(s.responses, string(xml))
	}
}

// What applications decrypt was encrypted.
func TestPeersDecrypt(t *testing.T) {
	s := serveSamlet(t, nil)
	s.createAlice(t)
	eachKind(t, func(k peer.SPKind) bool { return k.EncryptAssertions }, func(t *testing.T, kind peer.SPKind) {
		sp := s.addSP(t, kind, peer.SPOptions{EncryptAssertions: true})
		if kind.OnlyCBC { // An older way of encrypting goes to whom the operator names.
			s.setSP(t, sp, "encrypt: {mode: required, content: aes128-cbc}")
			await(t, "samlet encrypts", func() (bool, string) {
				var sent seen
				b := peer.NewBrowser(t)
				b.Tamper = sent.note
				p := b.Walk(sp.LoginURL, aliceSignsIn())
				return len(sent.responses) == 1 && strings.Contains(sent.responses[0], "EncryptedAssertion"), p.Text()
			})
		}
		b := peer.NewBrowser(t)
		var sent seen
		b.Tamper = sent.note
		s.check(t, peer.ReadLogin(t, b.Walk(sp.LoginURL, aliceSignsIn())), "")
		if len(sent.responses) != 1 || !strings.Contains(sent.responses[0], "EncryptedAssertion") || strings.Contains(sent.responses[0], alice["mail"][0]) {
			t.Errorf("got %d Responses, want one with nothing in the clear: %s", len(sent.responses), sent.responses)
		}
	})
}

// Where there is an elliptic key beside the RSA one, whoever can verify it may be
// answered with it, and the others are answered as before.
func TestPeersVerifyECDSA(t *testing.T) {
	s := serveSamlet(t, nil)
	s.createAlice(t)
	s.addEllipticKey(t)
	eachKind(t, func(peer.SPKind) bool { return true }, func(t *testing.T, kind peer.SPKind) {
		sp := s.addSP(t, kind, peer.SPOptions{NameIDFormat: nameIDPersistent})
		want := "#rsa-sha256"
		if kind.ECDSA {
			want = "#ecdsa-sha256"
			s.setSP(t, sp, "sign: {algorithm: ecdsa-sha256}")
		}
		await(t, "samlet signs with "+want, func() (bool, string) {
			var sent seen
			b := peer.NewBrowser(t)
			b.Tamper = sent.note
			l := peer.ReadLogin(t, b.Walk(sp.LoginURL, aliceSignsIn()))
			s.check(t, l, nameIDPersistent)
			return strings.Contains(strings.Join(sent.responses, ""), want), strings.Join(sent.responses, "")
		})
	})
}

// addEllipticKey makes a key for ECDSA and lets samlet sign with it as well.
func (s *served) addEllipticKey(t *testing.T) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "samlet"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{
		"sig-ec.key": {Type: "PRIVATE KEY", Bytes: private}, "sig-ec.crt": {Type: "CERTIFICATE", Bytes: cert},
	} {
		if err := os.WriteFile(filepath.Join(s.dir, "certs", name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const line = `  - {id: sig-ec, use: signing, state: active, key: "file:certs/sig-ec.key", cert: "file:certs/sig-ec.crt"}`
	s.edit(t, func(config string) string { return strings.Replace(config, "keys:\n", "keys:\n"+line+"\n", 1) })
	await(t, "the elliptic key is published", func() (bool, string) {
		md := string(s.metadata(t))
		return strings.Contains(md, base64.StdEncoding.EncodeToString(cert)), md
	})
}
