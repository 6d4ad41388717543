package main

import (
	"net/url"
	"strings"
	"testing"

	"github.com/samlet-id/samlet/internal/peer"
)

// chained is an application, a samlet and a partner's SimpleSAMLphp, at which ada
// has signed in for the application.
type chained struct {
	*served
	partner *peer.IdP
	sp      *peer.SP
	browser *peer.Browser
}

func newChain(t *testing.T, kind string) chained {
	t.Helper()
	partner := peer.SimpleSAMLphp(t, peer.IdPOptions{})
	s := serveSamlet(t, func(config string) string {
		return strings.Replace(config, "connections:\n", strings.Replace(partnerConnection, "METADATA", partner.EntityID, 1), 1)
	})
	partner.Trust(peer.NewBrowser(t).Get(s.base + "/saml/sp/partner/metadata").Body)
	k := kindNamed(t, kind)
	sp := s.addSP(t, k, peer.SPOptions{NameIDFormat: nameIDPersistent, Logout: k.LogoutAnswers, LogoutBy: k.LogoutAsks[0]})
	c := chained{s, partner, sp, peer.NewBrowser(t)}
	c.browser.BlockThirdParty = true
	ada := peer.Ada()
	fill := ada.SignIn()
	fill["identifier"] = ada.Attributes["mail"][0]
	c.browser.Walk(sp.LoginURL, fill)
	c.wantSignedIn(t, c.browser, true, sp)
	return c
}

// wantEnded checks that neither the application nor samlet nor the partner know
// ada any more: the partner asks for the password, which nobody gives.
func (c chained) wantEnded(t *testing.T) {
	t.Helper()
	c.wantSignedIn(t, c.browser, false, c.sp)
	page := c.browser.Walk(c.sp.LoginURL, peer.Fill{"identifier": peer.Ada().Attributes["mail"][0]})
	if !strings.HasPrefix(page.URL.String(), c.partner.URL) || !strings.Contains(string(page.Body), `name="password"`) {
		t.Errorf("the partner does not ask who it is: %s\n%s", page.URL, page.Text())
	}
}

// A logout that begins at the application, at samlet or at the partner ends the
// session at all three.
func TestPeerUpstreamLogout(t *testing.T) {
	for _, kind := range []string{"mod_auth_mellon", "node-saml", "pysaml2"} {
		t.Run("at the application "+kind, func(t *testing.T) {
			c := newChain(t, kind)
			if l := peer.ReadLogout(t, c.browser.Walk(c.sp.LogoutURL, nil)); !l.LoggedOut {
				t.Errorf("%s was answered: %+v", c.sp.Name, l)
			}
			c.wantEnded(t)
		})
		t.Run("at the partner, with "+kind, func(t *testing.T) {
			c := newChain(t, kind)
			end := c.partner.URL + "/logged-out-everywhere"
			page := c.browser.Walk(c.partner.URL+"/saml2/idp/initSLO.php?RelayState="+url.QueryEscape(end), nil)
			if !strings.HasPrefix(page.URL.String(), end) {
				t.Errorf("the partner did not finish its logout: %s\n%s", page.URL, page.Text())
			}
			c.wantEnded(t)
		})
	}
	t.Run("at samlet", func(t *testing.T) {
		c := newChain(t, "node-saml")
		c.signOut(t, c.browser)
		page := c.browser.Continue(nil)
		for _, want := range []string{"You are signed out", "Partner Ltd Signed out"} {
			if text := strings.Join(strings.Fields(page.Text()), " "); !strings.Contains(text, want) {
				t.Errorf("no %q in %s", want, text)
			}
		}
		c.wantEnded(t)
	})
}
