package ldap_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/samlet-id/samlet/broker/ldap"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/peer"
)

const people = `dn: cn=Lovelace\, Ada \+ \"X\",dc=example,dc=test
objectClass: inetOrgPerson
cn: Lovelace, Ada + "X"
sn: Lovelace
uid: ada
mail: ada@example.test
entryUUID: 11111111-2222-4333-8444-555555555555
userPassword:: cMOkLCsiKigpXD1zcw==

dn: cn=Star,dc=example,dc=test
objectClass: inetOrgPerson
cn: Star
sn: Star
uid: st*r(\)
userPassword: star

`

func config(urls ...string) ldap.Config {
	return ldap.Config{
		Issuer: "ldap:corp", URLs: urls, BindDN: peer.DirectoryDN, BindPassword: identity.NewSecret(peer.DirectoryPassword),
		Base: peer.DirectoryBase, Filter: "(&(objectClass=inetOrgPerson)(uid={login}))", IDAttribute: "entryUUID",
		GroupBase: peer.DirectoryBase, GroupFilter: "(&(objectClass=groupOfNames)(member={dn}))", Now: time.Now,
	}
}

func open(t *testing.T, cfg ldap.Config) *ldap.Directory {
	t.Helper()
	d, err := ldap.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

const adaPassword = `pä,+"*()\=ss`

// TestAuthenticate holds who passes, and that wrong answers are all alike; among
// them filter injection and the anonymous bind of an empty password.
func TestAuthenticate(t *testing.T) {
	t.Parallel()
	d := open(t, config(peer.Slapd(t, people).URL))
	for name, c := range map[string]struct {
		login, password string
		code            identity.Code
	}{
		"special characters in DN and password": {"ada", adaPassword, ""},
		"special characters in the login":       {`st*r(\)`, "star", ""},
		"wrong password":                        {"ada", "wrong", "login.failed"},
		"unknown":                               {"eve", "wrong", "login.failed"},
		"attack: empty password":                {"ada", "", "login.failed"},
		"attack: wildcard":                      {"ad*", adaPassword, "login.failed"},
		"attack: filter injection":              {"ada)(uid=*", adaPassword, "login.failed"},
		"attack: NUL":                           {"ada\x00", adaPassword, "login.failed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			said, err := d.Authenticate(t.Context(), c.login, c.password)
			if identity.CodeOf(err) != c.code {
				t.Fatalf("got %v, want %q", err, c.code)
			}
			if failed := identity.AsError(err); failed != nil && failed.Msg != "That name and password do not belong together. Try again." {
				t.Errorf("told: %s", failed.Msg)
			}
			if c.login == "ada" && err == nil && (said.Principal != identity.Principal{Issuer: "ldap:corp", Subject: "11111111-2222-4333-8444-555555555555"} || said.Attributes["userPassword"] != nil) {
				t.Errorf("got %+v", said)
			}
		})
	}
}

// TestGroupsArePaged finds all of more groups than a server returns at once.
func TestGroupsArePaged(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString(people)
	for i := range 2000 {
		fmt.Fprintf(&b, "dn: cn=g%d,dc=example,dc=test\nobjectClass: groupOfNames\ncn: g%d\nmember: cn=Lovelace\\, Ada \\+ \\\"X\\\",dc=example,dc=test\n\n", i, i)
	}
	said, err := open(t, config(peer.Slapd(t, b.String()).URL)).Authenticate(t.Context(), "ada", adaPassword)
	if got := len(said.Attributes[ldap.GroupsAttribute]); err != nil || got != 2000 {
		t.Errorf("got %d groups, %v, want 2000", got, err)
	}
}

// TestOutage holds that a directory that is gone is told as such, that another
// takes over, and that sign-in works again once it is back.
func TestOutage(t *testing.T) {
	t.Parallel()
	first, second := peer.Slapd(t, people), peer.Slapd(t, people)
	alone, both := open(t, config(first.URL)), open(t, config(first.URL, second.URL))
	want := func(d *ldap.Directory, kind identity.Kind) {
		t.Helper()
		_, err := d.Authenticate(t.Context(), "ada", adaPassword)
		if kind == identity.KindInternal && err != nil || kind != identity.KindInternal && !errors.Is(err, &identity.Error{Kind: kind}) {
			t.Errorf("got %v, want kind %s", err, kind)
		}
	}
	first.Stop()
	want(alone, identity.KindUnavailable)
	want(both, identity.KindInternal) // none: the second answers
	first.Start(t)
	second.Stop()
	want(alone, identity.KindInternal)
	want(both, identity.KindInternal)
}
