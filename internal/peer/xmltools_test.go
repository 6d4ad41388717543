package peer_test

import (
	"strings"
	"testing"

	"github.com/samlet-id/samlet/internal/peer"
)

// The upstream's Response is the document: signed by software not written by
// us, so that what the tools say of it says something about the tools.
func TestXMLToolsOnAForeignResponse(t *testing.T) {
	idp := peer.SimpleSAMLphp(t, peer.IdPOptions{})
	sp := peer.GoSAML2(t, peer.SPOptions{IdPMetadata: idp.Metadata})
	idp.Trust(sp.Metadata)
	b := peer.NewBrowser(t)
	b.Get(sp.LoginURL)
	page := b.Submit(b.Page().Form("username", "password"), peer.Ada().SignIn())
	doc := page.Message("SAMLResponse")

	peer.ValidateXSD(t, idp.Metadata)
	peer.ValidateXSD(t, doc)
	peer.VerifyXMLSec1(t, doc, idp.CertPEM)

	altered := []byte(strings.Replace(string(doc), "Lovelace", "Byron", 1))
	if err := peer.CheckXMLSec1(t, altered, idp.CertPEM); err == nil {
		t.Error("xmlsec1 verifies an altered Response")
	}
	misordered := []byte(strings.Replace(string(doc), "samlp:Status>", "samlp:State>", 2))
	if err := peer.CheckXSD(t, misordered); err == nil {
		t.Error("xmllint accepts an element that the schema does not have")
	}
}
