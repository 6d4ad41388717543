package peer_test

import (
	"slices"
	"testing"

	"github.com/samlet-id/samlet/internal/peer"
)

const persistent = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"

// The peers are held against one another: what fails here is the fault of a
// peer's set-up and never of samlet.
func TestSPsAtSimpleSAMLphp(t *testing.T) {
	idp := peer.SimpleSAMLphp(t, peer.IdPOptions{})
	for _, tc := range []struct {
		name string
		o    peer.SPOptions
	}{
		{"as it comes", peer.SPOptions{}},
		{"signed, by POST, persistent", peer.SPOptions{SignRequests: true, RequestByPOST: true, PlainPOST: true, NameIDFormat: persistent}},
	} {
		for _, kind := range peer.SPs() {
			t.Run(kind.Name+", "+tc.name, func(t *testing.T) {
				o := tc.o
				o.IdPMetadata = idp.Metadata
				sp := kind.Start(t, o)
				peer.ValidateXSD(t, sp.Metadata)
				idp.Trust(sp.Metadata)
				ada := peer.Ada()
				l := peer.ReadLogin(t, peer.NewBrowser(t).Walk(sp.LoginURL, ada.SignIn()))
				if l.Error != "" {
					t.Fatalf("the SP refused the login: %+v", l)
				}
				if l.Issuer != idp.EntityID || l.NameID == "" || l.NameIDFormat == "" || o.NameIDFormat != "" && l.NameIDFormat != o.NameIDFormat || l.SessionIndex == "" || l.AuthnContext == "" {
					t.Errorf("got %+v", l)
				}
				for _, name := range []string{"mail", "givenName", "sn", "isMemberOf"} {
					got := l.Values(name, peer.OID(name))
					if want := ada.Attributes[name]; !slices.Equal(got, want) {
						t.Errorf("%s: got %q, want %q", name, got, want)
					}
				}
			})
		}
	}
}
