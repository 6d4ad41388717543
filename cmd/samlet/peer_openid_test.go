package main

import (
	"strings"
	"testing"

	"github.com/samlet-id/samlet/internal/peer"
)

// The partner knows samlet by the key that it publishes, in place of a secret. A
// person who cancels there comes in nowhere, and the connection's command line says
// whether the partner can be asked.
func TestPeerOpenIDByKey(t *testing.T) {
	f := newFlow(t, "node-saml", func(t *testing.T) (*flow, string, func()) {
		op := peer.OIDCProvider(t)
		f := &flow{issuer: op.Issuer}
		connection := strings.Replace(openIDConnection, `client_secret: "literal:between the two of us"`, "token_endpoint_auth_method: private_key_jwt", 1)
		return f, strings.Replace(connection, "ISSUER", op.Issuer, 1), func() {
			c := openIDClient(f.base)
			c.AuthMethod, c.JWKSURI = "private_key_jwt", f.base+"/oidc/jwks"
			op.Register(c)
		}
	})
	f.run(t, "", "connection", "test", "partner")
	ada := peer.Ada()
	page := f.browser.Walk(f.sp.LoginURL, peer.Fill{"identifier": ada.Attributes["mail"][0]})
	f.browser.Submit(page.Forms()[0], peer.Fill{"cancel": "yes"})
	if l := peer.ReadLogin(t, f.browser.Continue(nil)); l.NameID != "" || l.Error == "" {
		t.Errorf("after cancelling at the partner: %+v", l)
	}
	wantAttributes(t, f.signIn(t, ada), upstreamWant(ada))
	if got := string(f.run(t, "", "connection", "show", "partner")); !strings.Contains(got, f.base+"/oidc/jwks") {
		t.Errorf("connection show: got\n%s", got)
	}
}
