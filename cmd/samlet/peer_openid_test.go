package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/samlet-id/samlet/internal/peer"
)

const openIDConnection = `connections:
  - id: partner
    type: oidc
    name: Partner Ltd
    email_domains: [partner.example]
    issuer: ISSUER
    client_id: samlet
    client_secret: "literal:between the two of us"
    request_scopes: [profile, email, groups]
`

// openID is an application, a samlet and a partner's OpenID Provider.
type openID struct {
	*served
	op      *peer.OP
	sp      *peer.SP
	browser *peer.Browser
}

// newOpenID starts the three. edit changes the connection; nil leaves it.
func newOpenID(t *testing.T, kind string, edit func(string) string) openID {
	t.Helper()
	op := peer.OIDCProvider(t)
	s := serveSamlet(t, func(config string) string {
		connection := strings.Replace(openIDConnection, "ISSUER", op.Issuer, 1)
		if edit != nil {
			connection = edit(connection)
		}
		return strings.Replace(config, "connections:\n", connection, 1)
	})
	logout := s.base + "/oidc/logout/partner"
	client := peer.OPClient{
		ID: "samlet", Secret: "between the two of us", RedirectURIs: []string{s.base + "/oidc/callback/partner"},
		PostLogout: []string{logout}, BackChannel: logout + "/back", SidRequired: true,
	}
	if edit != nil {
		client.Secret, client.AuthMethod, client.JWKSURI = "", "private_key_jwt", s.base+"/oidc/jwks"
	}
	op.Register(client)
	k := kindNamed(t, kind)
	return openID{s, op, s.addSP(t, k, peer.SPOptions{NameIDFormat: nameIDPersistent, Logout: k.LogoutTakes, LogoutBy: k.LogoutAsks[0]}), peer.NewBrowser(t)}
}

func (o openID) signIn(t *testing.T, u peer.User) peer.Login {
	t.Helper()
	fill := u.SignIn()
	fill["identifier"] = u.Attributes["mail"][0]
	return peer.ReadLogin(t, o.browser.Walk(o.sp.LoginURL, fill))
}

// wantEnded checks that neither the application nor samlet nor the partner know
// ada any more.
func (o openID) wantEnded(t *testing.T) {
	t.Helper()
	o.wantSignedIn(t, o.browser, false, o.sp)
	page := o.browser.Walk(o.sp.LoginURL, peer.Fill{"identifier": peer.Ada().Attributes["mail"][0]})
	if !strings.HasPrefix(page.URL.String(), o.op.Issuer+"/interaction/") {
		t.Errorf("the partner does not ask who it is: %s\n%s", page.URL, page.Text())
	}
}

// wantOnly checks that there is one record, with one link to the partner, and the
// groups that it has, and returns its ID.
func (o openID) wantOnly(t *testing.T, groups ...string) string {
	t.Helper()
	people := o.people(t)
	if len(people) != 1 || len(people[0].Links) != 1 || people[0].Links[0].Issuer != o.op.Issuer || people[0].Links[0].Subject != "ada" {
		t.Fatalf("got %+v, want one person with a link to %s", people, o.op.Issuer)
	}
	var got []string
	for _, v := range people[0].Values {
		if v.Name == "groups" && v.Source == "partner" {
			got = append(got, v.Value)
		}
	}
	if !slices.Equal(got, groups) {
		t.Errorf("groups: got %q, want %q", got, groups)
	}
	return people[0].ID
}

// People of a partner's OpenID Provider sign in at applications: at first, again
// with changed attributes and a group less, and no more once they are disabled here.
// A logout that begins at any of the three ends all sessions.
func TestPeerOpenID(t *testing.T) {
	for _, kind := range []string{"mod_auth_mellon", "node-saml", "pysaml2"} {
		t.Run(kind, func(t *testing.T) {
			o := newOpenID(t, kind, nil)
			ada := peer.Ada()
			first := o.signIn(t, ada)
			wantAttributes(t, first, upstreamWant(ada))
			id := o.wantOnly(t, ada.Attributes["isMemberOf"]...)

			// At the application.
			if l := peer.ReadLogout(t, o.browser.Walk(o.sp.LogoutURL, nil)); !l.LoggedOut {
				t.Errorf("%s was answered: %+v", o.sp.Name, l)
			}
			o.wantEnded(t)

			ada.Attributes["sn"], ada.Attributes["isMemberOf"] = []string{"King"}, []string{"staff"}
			o.op.SetUsers(ada)
			second := o.signIn(t, ada)
			wantAttributes(t, second, upstreamWant(ada))
			if got := o.wantOnly(t, "staff"); got != id || second.NameID != first.NameID {
				t.Errorf("the second sign-in is %s as %s, want %s as %s", got, second.NameID, id, first.NameID)
			}

			// At samlet.
			o.signOut(t, o.browser)
			page := strings.Join(strings.Fields(o.browser.Continue(nil).Text()), " ")
			for _, want := range []string{"You are signed out", "Partner Ltd Signed out"} {
				if !strings.Contains(page, want) {
					t.Errorf("no %q in %s", want, page)
				}
			}
			o.wantEnded(t)

			// At the partner, which tells by the back channel; keys have changed since.
			o.op.Rotate()
			o.signIn(t, ada)
			o.browser.Walk(o.op.Issuer+"/session/end", nil)
			if slices.Contains(kindNamed(t, kind).LogoutTakes, peer.SOAP) {
				o.wantSignedIn(t, o.browser, false, o.sp)
			}
			o.wantNoSession(t, o.browser)

			o.run(t, "", "user", "disable", id)
			fill := ada.SignIn()
			fill["identifier"] = ada.Attributes["mail"][0]
			o.browser.Walk(o.sp.LoginURL, fill)
			o.wantSignedIn(t, o.browser, false, o.sp)
			o.wantNoSession(t, o.browser)
		})
	}
}

// The partner knows samlet by the key that it publishes, in place of a secret. A
// person who cancels there comes in nowhere, and the connection's command line says
// whether the partner can be asked.
func TestPeerOpenIDByKey(t *testing.T) {
	o := newOpenID(t, "node-saml", func(connection string) string {
		return strings.Replace(connection, `client_secret: "literal:between the two of us"`, "token_endpoint_auth_method: private_key_jwt", 1)
	})
	o.run(t, "", "connection", "test", "partner")
	ada := peer.Ada()
	page := o.browser.Walk(o.sp.LoginURL, peer.Fill{"identifier": ada.Attributes["mail"][0]})
	cancelled := o.browser.Submit(page.Forms()[0], peer.Fill{"cancel": "yes"})
	if l := peer.ReadLogin(t, o.browser.Continue(nil)); l.NameID != "" || l.Error == "" {
		t.Errorf("after cancelling at the partner: %s\n%+v", cancelled.URL, l)
	}
	wantAttributes(t, o.signIn(t, ada), upstreamWant(ada))
	if got := string(o.run(t, "", "connection", "show", "partner")); !strings.Contains(got, o.base+"/oidc/jwks") {
		t.Errorf("connection show: got\n%s", got)
	}
}
