package main

import (
	"encoding/base64"
	"net/url"
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

const directoryOfPartner = `connections:
  - id: partner
    type: ldap
    name: Partner Ltd
    email_domains: [partner.example]
    urls: URL
    bind: {dn: "cn=samlet,dc=example,dc=test", password: "literal:search, and find"}
    users: {base: "dc=example,dc=test", filter: "(&(objectClass=inetOrgPerson)(mail={login}))", id_attribute: entryUUID}
    groups: {base: "dc=example,dc=test", filter: "(&(objectClass=groupOfNames)(member={dn}))"}
    map:
      - {to: mail, from: mail}
      - {to: given_name, from: givenName}
      - {to: family_name, from: sn}
      - {to: groups, from: memberOf, match: "cn=([^,]+),.*", replace: "$1"}
`

// flow is an application, a samlet and a partner's identity provider, whose people
// are Ada and Grace.
type flow struct {
	*served
	sp      *peer.SP
	browser *peer.Browser

	ada      peer.User
	issuer   string                // of the partner
	setUsers func(...peer.User)    // replaces the partner's people
	rotate   func()                // changes its keys at once; nil: it cannot
	asks     func(*peer.Page) bool // whether a page is where the partner asks who it is
	endThere func() *peer.Page     // begins a logout at the partner; nil: nobody is signed in there
	direct   bool                  // and that logout reaches samlet without the browser
}

// flowKinds are the applications that every kind of partner is tried with.
func flowKinds() []string { return []string{"mod_auth_mellon", "node-saml", "pysaml2"} }

func newFlow(t *testing.T, kind string, start func(t *testing.T) (f *flow, connection string, introduce func())) *flow {
	t.Helper()
	f, connection, introduce := start(t)
	f.served = serveSamlet(t, func(config string) string { return strings.Replace(config, "connections:\n", connection, 1) })
	introduce()
	k := kindNamed(t, kind)
	f.sp = f.addSP(t, k, peer.SPOptions{NameIDFormat: nameIDPersistent, Logout: k.LogoutTakes, LogoutBy: k.LogoutAsks[0]})
	f.browser = peer.NewBrowser(t)
	f.browser.BlockThirdParty = true
	return f
}

// samlPartner is SimpleSAMLphp.
func samlPartner(t *testing.T) (*flow, string, func()) {
	partner := peer.SimpleSAMLphp(t, peer.IdPOptions{})
	f := &flow{ada: peer.Ada(), issuer: partner.EntityID, setUsers: partner.SetUsers}
	f.asks = func(p *peer.Page) bool {
		return strings.HasPrefix(p.URL.String(), partner.URL) && p.Form("password") != nil
	}
	f.endThere = func() *peer.Page {
		return f.browser.Walk(partner.URL+"/saml2/idp/initSLO.php?RelayState="+url.QueryEscape(partner.URL+"/logged-out-everywhere"), nil)
	}
	introduce := func() { partner.Trust(peer.NewBrowser(t).Get(f.base + "/saml/sp/partner/metadata").Body) }
	return f, strings.Replace(partnerConnection, "METADATA", partner.EntityID, 1), introduce
}

// openIDPartner is npm's oidc-provider, which knows samlet by a secret.
func openIDPartner(t *testing.T) (*flow, string, func()) {
	op := peer.OIDCProvider(t)
	f := &flow{ada: peer.Ada(), issuer: op.Issuer, setUsers: op.SetUsers, rotate: op.Rotate, direct: true}
	f.asks = func(p *peer.Page) bool { return strings.HasPrefix(p.URL.String(), op.Issuer+"/interaction/") }
	f.endThere = func() *peer.Page { return f.browser.Walk(op.Issuer+"/session/end", nil) }
	introduce := func() {
		c := openIDClient(f.base)
		c.Secret = "between the two of us"
		op.Register(c)
	}
	return f, strings.Replace(openIDConnection, "ISSUER", op.Issuer, 1), introduce
}

// directoryPartner is OpenLDAP, where Ada has a name and a password that have to be
// escaped.
func directoryPartner(t *testing.T) (*flow, string, func()) {
	ada := peer.Ada()
	ada.Password, ada.Attributes["isMemberOf"] = `cöuntess, +"\<>;=#*()`, []string{"staff", "analysts"}
	const dn = `cn=Lovelace\, Ada \+ \"X\" #1,dc=example,dc=test`
	group := func(name string) string {
		return "dn: cn=" + name + ",dc=example,dc=test\nobjectClass: groupOfNames\ncn: " + name + "\nmember: " + dn + "\nmember: cn=somebody,dc=example,dc=test\n\n"
	}
	corp := peer.Slapd(t, "dn: "+dn+`
objectClass: inetOrgPerson
cn: Lovelace, Ada + "X" #1
sn: Lovelace
givenName: Ada
mail: ada@partner.example
userPassword:: `+base64.StdEncoding.EncodeToString([]byte(ada.Password))+"\n\n"+group("staff")+group("analysts"))
	f := &flow{ada: ada, issuer: "ldap:partner"}
	f.setUsers = func(users ...peer.User) {
		corp.Modify(t, "dn: "+dn+"\nchangetype: modify\nreplace: sn\nsn: "+users[0].Attributes["sn"][0]+"\n\n"+
			"dn: cn=analysts,dc=example,dc=test\nchangetype: modify\ndelete: member\nmember: "+dn+"\n\n")
	}
	f.asks = func(p *peer.Page) bool { return strings.HasPrefix(p.URL.String(), f.base) && p.Form("password") != nil }
	return f, strings.Replace(directoryOfPartner, "URL", corp.URL, 1), func() {}
}

// openIDClient is samlet as an OpenID Provider has to know it.
func openIDClient(base string) peer.OPClient {
	logout := base + "/oidc/logout/partner"
	return peer.OPClient{
		ID: "samlet", RedirectURIs: []string{base + "/oidc/callback/partner"}, PostLogout: []string{logout}, BackChannel: logout + "/back", SidRequired: true,
	}
}

// signIn walks from the application to the partner and back.
func (f *flow) signIn(t *testing.T, u peer.User) peer.Login {
	t.Helper()
	return peer.ReadLogin(t, f.browser.Walk(f.sp.LoginURL, f.fill(u)))
}

func (f *flow) fill(u peer.User) peer.Fill {
	fill := u.SignIn()
	fill["identifier"] = u.Attributes["mail"][0]
	return fill
}

// wantEnded checks that neither the application nor samlet nor the partner know
// anybody any more.
func (f *flow) wantEnded(t *testing.T, after string) {
	t.Helper()
	f.wantSignedIn(t, f.browser, false, f.sp)
	page := f.browser.Walk(f.sp.LoginURL, peer.Fill{"identifier": peer.Ada().Attributes["mail"][0]})
	if !f.asks(page) {
		t.Errorf("after a logout %s the partner does not ask who it is: %s\n%s", after, page.URL, page.Text())
	}
}

// wantOnly checks that there is one record, with one link, to the partner, and the
// groups that the partner gave it, and returns its ID.
func (f *flow) wantOnly(t *testing.T, groups ...string) string {
	t.Helper()
	people := f.people(t)
	if len(people) != 1 || len(people[0].Links) != 1 || people[0].Links[0].Issuer != f.issuer {
		t.Fatalf("got %+v, want one person with a link to %s", people, f.issuer)
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

// People of a partner sign in at applications: at first, again with changed
// attributes and a group less, after the partner changed its keys, and no more once
// they are disabled here. A logout that begins at any of the three ends all sessions,
// as far as there is a way to tell the application.
func TestPeerFlows(t *testing.T) {
	for name, start := range map[string]func(*testing.T) (*flow, string, func()){
		"SimpleSAMLphp": samlPartner, "oidc-provider": openIDPartner, "slapd": directoryPartner,
	} {
		for _, kind := range flowKinds() {
			t.Run(name+" to "+kind, func(t *testing.T) { newFlow(t, kind, start).walk(t) })
		}
	}
}

func (f *flow) walk(t *testing.T) {
	ada := f.ada
	first := f.signIn(t, ada)
	wantAttributes(t, first, upstreamWant(ada))
	id := f.wantOnly(t, ada.Attributes["isMemberOf"]...)

	if l := peer.ReadLogout(t, f.browser.Walk(f.sp.LogoutURL, nil)); !l.LoggedOut {
		t.Errorf("%s was answered: %+v", f.sp.Name, l)
	}
	f.wantEnded(t, "at the application")

	ada.Attributes["sn"], ada.Attributes["isMemberOf"] = []string{"King"}, []string{"staff"}
	f.setUsers(ada)
	second := f.signIn(t, ada)
	wantAttributes(t, second, upstreamWant(ada))
	if got := f.wantOnly(t, "staff"); got != id || second.NameID != first.NameID {
		t.Errorf("the second sign-in is %s as %s, want %s as %s", got, second.NameID, id, first.NameID)
	}

	f.signOut(t, f.browser)
	page := strings.Join(strings.Fields(f.browser.Continue(nil).Text()), " ")
	wants := []string{"You are signed out"}
	if f.endThere != nil {
		wants = append(wants, "Partner Ltd Signed out")
	}
	for _, want := range wants {
		if !strings.Contains(page, want) {
			t.Errorf("no %q in %s", want, page)
		}
	}
	f.wantEnded(t, "at samlet")

	if f.rotate != nil {
		f.rotate()
	}
	if f.endThere != nil {
		f.signIn(t, ada)
		f.endThere()
	}
	if told := !f.direct || slices.Contains(kindNamed(t, f.sp.Name).LogoutTakes, peer.SOAP); told {
		f.wantEnded(t, "at the partner")
	}
	f.wantNoSession(t, f.browser)

	f.run(t, "", "user", "disable", id)
	f.browser = peer.NewBrowser(t)
	f.browser.Walk(f.sp.LoginURL, f.fill(ada))
	f.wantSignedIn(t, f.browser, false, f.sp)
	f.wantNoSession(t, f.browser)
}
