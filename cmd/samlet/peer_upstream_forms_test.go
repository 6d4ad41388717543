package main

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/samlet-id/samlet/internal/peer"
)

// A partner that names people by transient NameIDs alone, and by an attribute:
// they are the same person at every sign-in, and its logout, which has the
// transient one, still finds the session.
func TestPeerUpstreamWithoutLastingNameID(t *testing.T) {
	partner := peer.SimpleSAMLphp(t, peer.IdPOptions{NameIDFormats: []string{"urn:oasis:names:tc:SAML:2.0:nameid-format:transient"}})
	s := serveSamlet(t, func(config string) string {
		connection := strings.Replace(partnerConnection, "METADATA", partner.EntityID, 1) +
			"    link: {by: attribute, attribute: \"" + peer.OID("uid") + "\"}\n"
		return strings.Replace(config, "connections:\n", connection, 1)
	})
	partner.Trust(peer.NewBrowser(t).Get(s.base + "/saml/sp/partner/metadata").Body)
	k := kindNamed(t, "node-saml")
	sp := s.addSP(t, k, peer.SPOptions{NameIDFormat: nameIDPersistent, Logout: k.LogoutAnswers, LogoutBy: k.LogoutAsks[0]})
	ada := peer.Ada()

	first := s.signInAtPartner(t, sp, ada)
	id := s.wantOnlyPerson(t, partner, ada)
	c := chained{s, partner, sp, peer.NewBrowser(t)}
	c.browser.BlockThirdParty = true
	fill := ada.SignIn()
	fill["identifier"] = ada.Attributes["mail"][0]
	second := peer.ReadLogin(t, c.browser.Walk(sp.LoginURL, fill))
	if got := s.wantOnlyPerson(t, partner, ada); got != id || second.NameID != first.NameID {
		t.Errorf("at the second sign-in: record %s, NameID %s; want %s and %s", got, second.NameID, id, first.NameID)
	}
	if link := s.people(t)[0].Links[0]; link.Subject != "ada" || link.Attribute != peer.OID("uid") {
		t.Errorf("link: got %+v, want ada by %s", link, peer.OID("uid"))
	}

	end := partner.URL + "/logged-out-everywhere"
	page := c.browser.Walk(partner.URL+"/saml2/idp/initSLO.php?RelayState="+url.QueryEscape(end), nil)
	if !strings.HasPrefix(page.URL.String(), end) {
		t.Errorf("the partner did not finish its logout: %s\n%s", page.URL, page.Text())
	}
	c.wantEnded(t)
}

// A person presses the tile of an application at the partner's own portal, which
// sends an unsolicited Response: they arrive at the application, by way of a
// question that samlet asks. A person who is somebody else here in the meantime
// arrives as who they are at the partner.
func TestPeerUpstreamInitiated(t *testing.T) {
	partner := peer.SimpleSAMLphp(t, peer.IdPOptions{})
	s := serveSamlet(t, nil)
	s.createAlice(t)
	sp := s.addSP(t, kindNamed(t, "node-saml"), peer.SPOptions{Unsolicited: true, NameIDFormat: nameIDPersistent}, "--idp-initiated")
	s.edit(t, func(config string) string {
		connection := strings.Replace(partnerConnection, "METADATA", partner.EntityID, 1) + "    idp_initiated: [" + spID(sp) + "]\n"
		return strings.Replace(config, "connections:\n", connection, 1)
	})
	own := s.base + "/saml/sp/partner/metadata"
	await(t, "samlet knows the partner", func() (bool, string) {
		p := peer.NewBrowser(t).Get(own)
		return p.Status == http.StatusOK, p.Text()
	})
	partner.Trust(peer.NewBrowser(t).Get(own).Body)

	tile := partner.URL + "/saml2/idp/SSOService.php?spentityid=" + url.QueryEscape(own) + "&RelayState=" + url.QueryEscape(spID(sp))
	b := peer.NewBrowser(t)
	b.Walk(s.base+"/saml/idp-initiated?sp="+url.QueryEscape(sp.EntityID), aliceSignsIn())
	wantAttributes(t, peer.ReadLogin(t, b.Get(sp.WhoURL)), map[string][]string{"givenName": {"Alice"}})
	ada := peer.Ada()
	b.Walk(tile, ada.SignIn())
	wantAttributes(t, peer.ReadLogin(t, b.Get(sp.WhoURL)), upstreamWant(ada))
}

// A partner that answers by artifact: samlet fetches the Response from it.
func TestPeerUpstreamByArtifact(t *testing.T) {
	partner := peer.SimpleSAMLphp(t, peer.IdPOptions{Artifacts: true})
	s := serveSamlet(t, func(config string) string {
		connection := strings.Replace(partnerConnection, "METADATA", partner.EntityID, 1) + "    artifact: true\n"
		return strings.Replace(config, "connections:\n", connection, 1)
	})
	ours := peer.NewBrowser(t).Get(s.base + "/saml/sp/partner/metadata").Body
	byPOST := regexp.MustCompile(`<md:AssertionConsumerService [^>]*HTTP-POST"[^>]*>(</md:AssertionConsumerService>)?`)
	byArtifact := byPOST.ReplaceAll(ours, nil)
	if len(byArtifact) == len(ours) {
		t.Fatalf("no AssertionConsumerService by POST in\n%s", ours)
	}
	partner.Trust(byArtifact) // it can answer in no other way
	sp := s.addSP(t, kindNamed(t, "gosaml2"), peer.SPOptions{})
	ada := peer.Ada()
	wantAttributes(t, s.signInAtPartner(t, sp, ada), upstreamWant(ada))
}
