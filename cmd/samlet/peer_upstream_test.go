package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/samlet-id/samlet/internal/peer"
)

const partnerConnection = `connections:
  - id: partner
    type: saml
    name: Partner Ltd
    email_domains: [partner.example]
    metadata: {url: "METADATA"}
    map:
      - {to: mail, from: "urn:oid:0.9.2342.19200300.100.1.3"}
      - {to: given_name, from: "urn:oid:2.5.4.42"}
      - {to: family_name, from: "urn:oid:2.5.4.4"}
      - {to: groups, from: "urn:oid:1.3.6.1.4.1.5923.1.5.1.1"}
`

// A person whom only the partner's SimpleSAMLphp knows signs in at an
// application through samlet. The record, its link and the source of every
// value are in the database, whichever it is, and a second sign-in with changed
// attributes changes them and makes nobody twice.
func TestPeerUpstream(t *testing.T) {
	for _, driver := range []string{"sqlite", "postgres"} {
		t.Run(driver, func(t *testing.T) {
			partner := peer.SimpleSAMLphp(t, peer.IdPOptions{})
			s := serveSamlet(t, func(config string) string {
				config = strings.Replace(config, "connections:\n", strings.Replace(partnerConnection, "METADATA", partner.EntityID, 1), 1)
				if driver == "postgres" {
					config = strings.Replace(config, "driver: sqlite", "driver: postgres", 1)
					config = strings.Replace(config, "dsn: data/samlet.db", `dsn: "`+peer.Postgres(t)+`"`, 1)
				}
				return config
			})
			partner.Trust(peer.NewBrowser(t).Get(s.base + "/saml/sp/partner/metadata").Body)
			sp := s.addSP(t, kindNamed(t, "gosaml2"), peer.SPOptions{NameIDFormat: nameIDPersistent})

			ada := peer.Ada()
			first := s.signInAtPartner(t, sp, ada)
			wantAttributes(t, first, upstreamWant(ada))
			id := s.wantOnlyPerson(t, partner, ada)

			ada.Attributes["sn"] = []string{"King"}
			ada.Attributes["isMemberOf"] = []string{"staff", "countesses"}
			partner.SetUsers(ada)
			second := s.signInAtPartner(t, sp, ada)
			wantAttributes(t, second, upstreamWant(ada))
			if got := s.wantOnlyPerson(t, partner, ada); got != id {
				t.Errorf("record: got %s after the second sign-in, want %s", got, id)
			}
			if second.NameID != first.NameID {
				t.Errorf("NameID at the application: got %q at the second sign-in, want %q", second.NameID, first.NameID)
			}
		})
	}
}

// signInAtPartner signs in with a browser that was never here before.
func (s *served) signInAtPartner(t *testing.T, sp *peer.SP, u peer.User) peer.Login {
	t.Helper()
	fill := u.SignIn()
	fill["identifier"] = u.Attributes["mail"][0]
	l := peer.ReadLogin(t, peer.NewBrowser(t).Walk(sp.LoginURL, fill))
	if l.Error != "" {
		t.Fatalf("the SP refused the Response: %+v", l)
	}
	if want := s.base + "/saml/metadata"; l.Issuer != want {
		t.Errorf("issuer: got %q, want %q", l.Issuer, want)
	}
	return l
}

func upstreamWant(u peer.User) map[string][]string {
	return map[string][]string{
		"mail": u.Attributes["mail"], "givenName": u.Attributes["givenName"],
		"sn": u.Attributes["sn"], "isMemberOf": u.Attributes["isMemberOf"],
	}
}

// wantOnlyPerson checks that there is one record, made of what the partner said,
// with one link, and returns its ID.
func (s *served) wantOnlyPerson(t *testing.T, partner *peer.IdP, u peer.User) string {
	t.Helper()
	people := s.people(t)
	if len(people) != 1 {
		t.Fatalf("records: got %d, want 1: %+v", len(people), people)
	}
	p := people[0]
	if len(p.Links) != 1 || p.Links[0].Issuer != partner.EntityID || p.Links[0].Subject == "" || p.Links[0].Connection != "partner" {
		t.Errorf("links: got %+v, want one to %s by the connection partner", p.Links, partner.EntityID)
	}
	got := map[string][]string{}
	for _, v := range p.Values {
		if v.Source == "partner" {
			got[v.Name] = append(got[v.Name], v.Value)
		}
	}
	for canonical, name := range map[string]string{"mail": "mail", "given_name": "givenName", "family_name": "sn", "groups": "isMemberOf"} {
		if want := u.Attributes[name]; !slices.Equal(got[canonical], want) {
			t.Errorf("%s from the partner: got %q, want %q", canonical, got[canonical], want)
		}
	}
	return p.ID
}
