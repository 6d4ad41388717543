package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/samlet-id/samlet/internal/peer"
)

const directoryPeople = `dn: cn=Ada,dc=example,dc=test
objectClass: inetOrgPerson
cn: Ada
sn: Lovelace
givenName: Ada
uid: ada
mail: ada@example.test
userPassword: engine of analysis

dn: cn=staff,dc=example,dc=test
objectClass: groupOfNames
cn: staff
member: cn=Ada,dc=example,dc=test

`

const directoryConnection = `connections:
  - id: corp
    type: ldap
    name: Example directory
    email_domains: [example.test]
    urls: URL
    bind: {dn: "cn=samlet,dc=example,dc=test", password: "literal:search, and find"}
    users: {base: "dc=example,dc=test", filter: "(&(objectClass=inetOrgPerson)(|(uid={login})(mail={login})))", id_attribute: entryUUID}
    groups: {base: "dc=example,dc=test", filter: "(&(objectClass=groupOfNames)(member={dn}))"}
    map:
      - {to: mail, from: mail}
      - {to: given_name, from: givenName}
      - {to: groups, from: memberOf}
`

// A person of a directory signs in with its password on a page of ours: the
// record is made of what the directory says, a wrong password makes nobody, and
// an outage of the directory is told as such and heals by itself.
func TestPeerDirectory(t *testing.T) {
	corp := peer.Slapd(t, directoryPeople)
	s := serveSamlet(t, func(config string) string {
		return strings.Replace(config, "connections:\n", strings.Replace(directoryConnection, "URL", corp.URL, 1), 1)
	})
	signIn := func(password string) *peer.Page {
		b := peer.NewBrowser(t)
		b.Walk(s.base+"/test/signin", peer.Fill{"identifier": "ada@example.test"})
		return b.Submit(b.Page().Form("password"), peer.Fill{"password": password})
	}
	wantWords(t, signIn("wrong"), "do not belong together")
	if got := s.people(t); len(got) != 0 {
		t.Errorf("a wrong password made %+v", got)
	}
	corp.Stop()
	wantWords(t, signIn("engine of analysis"), "does not answer at present")
	corp.Start(t)
	b := peer.NewBrowser(t)
	page := b.Walk(s.base+"/test/signin", peer.Fill{"identifier": "ada@example.test", "password": "engine of analysis"})
	wantWords(t, page, "ada@example.test")
	got := s.people(t)
	if len(got) != 1 || len(got[0].Links) != 1 || got[0].Links[0].Connection != "corp" || got[0].Links[0].Issuer != "ldap:corp" {
		t.Fatalf("got %+v, want one person with a link by corp", got)
	}
	var values []string
	for _, v := range got[0].Values {
		values = append(values, v.Name+"="+v.Value)
	}
	slices.Sort(values)
	if want := []string{"given_name=Ada", "groups=cn=staff,dc=example,dc=test", "mail=ada@example.test"}; !slices.Equal(values, want) {
		t.Errorf("values: got %q, want %q", values, want)
	}
	s.run(t, "", "connection", "test", "corp", "--config", s.config())

	// A directory signs nobody in, so that nobody is told to sign out there.
	b.Get(s.base + "/logout")
	if out := b.Submit(b.Page().Forms()[0], nil); strings.Contains(out.Text(), "Example directory") || !strings.Contains(out.Text(), "signed out") {
		t.Errorf("after signing out the page says:\n%s", out.Text())
	}
}
