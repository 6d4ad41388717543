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
	t.Parallel()
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
				o.RequestByPOST = o.RequestByPOST && kind.RequestByPOST
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

// SimpleSAMLphp logs out in the front channel, so it shows that the SPs send and
// take LogoutRequests by Redirect and POST.
func TestSPsLogOutAtSimpleSAMLphp(t *testing.T) {
	for _, kind := range peer.SPs() {
		for _, by := range kind.LogoutAsks {
			if by == peer.SOAP {
				continue
			}
			t.Run(kind.Name+" asks by "+by.String(), func(t *testing.T) {
				t.Parallel()
				idp := peer.SimpleSAMLphp(t, peer.IdPOptions{})
				sp := logoutSP(t, idp, kind, peer.SPOptions{Logout: kind.LogoutAnswers, LogoutBy: by})
				other := logoutSP(t, idp, takes(t, by, kind.Name), peer.SPOptions{Logout: []peer.Binding{by}})
				b := peer.NewBrowser(t)
				ada := peer.Ada()
				b.Walk(other.LoginURL, ada.SignIn())
				b.Walk(sp.LoginURL, ada.SignIn())
				if !sp.Knows(t, b) || !other.Knows(t, b) {
					t.Fatal("the SPs do not know Ada")
				}
				if l := peer.ReadLogout(t, b.Walk(sp.LogoutURL, nil)); !l.LoggedOut {
					t.Errorf("got %+v", l)
				}
				if sp.Knows(t, b) || other.Knows(t, b) {
					t.Errorf("after the logout %s knows Ada: %v, and %s: %v", sp.Name, sp.Knows(t, b), other.Name, other.Knows(t, b))
				}
			})
		}
	}
}

func logoutSP(t *testing.T, idp *peer.IdP, kind peer.SPKind, o peer.SPOptions) *peer.SP {
	t.Helper()
	o.IdPMetadata = idp.Metadata
	o.NameIDFormat = persistent
	sp := kind.Start(t, o) // samlify's metadata with logout is not schema-valid, so that is not asked
	idp.Trust(sp.Metadata)
	return sp
}

// takes is an SP that takes LogoutRequests by a binding. Another kind has another
// address, and so other cookies.
func takes(t *testing.T, by peer.Binding, but string) peer.SPKind {
	t.Helper()
	all := peer.SPs()
	i := slices.IndexFunc(all, func(k peer.SPKind) bool { return k.Name != but && slices.Contains(k.LogoutTakes, by) })
	if i < 0 {
		t.Fatalf("no SP takes LogoutRequests by %s", by)
	}
	return all[i]
}
