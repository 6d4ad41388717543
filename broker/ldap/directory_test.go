package ldap_test

import (
	"crypto/x509"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/samlet-id/samlet/broker/brokertest"
	"github.com/samlet-id/samlet/broker/ldap"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/peer"
)

// policed are people with password policies, beside those of people.
const policed = people + `dn: cn=strict,dc=example,dc=test
objectClass: device
objectClass: pwdPolicy
cn: strict
pwdAttribute: userPassword
pwdMaxAge: 60
pwdLockout: TRUE
pwdMaxFailure: 3
pwdMustChange: TRUE

dn: cn=old,dc=example,dc=test
objectClass: inetOrgPerson
cn: old
sn: old
uid: old
userPassword: right
pwdPolicySubentry: cn=strict,dc=example,dc=test
pwdChangedTime: 20200101000000Z

dn: cn=reset,dc=example,dc=test
objectClass: inetOrgPerson
cn: reset
sn: reset
uid: reset
userPassword: right
pwdPolicySubentry: cn=strict,dc=example,dc=test
pwdChangedTime: 20991231000000Z
pwdReset: TRUE

dn: cn=locked,dc=example,dc=test
objectClass: inetOrgPerson
cn: locked
sn: locked
uid: locked
userPassword: right
pwdPolicySubentry: cn=strict,dc=example,dc=test
pwdChangedTime: 20991231000000Z
pwdAccountLockedTime: 000001010000Z

dn: cn=tried,dc=example,dc=test
objectClass: inetOrgPerson
cn: tried
sn: tried
uid: tried
userPassword: right
pwdPolicySubentry: cn=strict,dc=example,dc=test
pwdChangedTime: 20991231000000Z

dn: cn=twin one,dc=example,dc=test
objectClass: inetOrgPerson
cn: twin one
sn: twin
uid: twin
userPassword: right

dn: cn=twin two,dc=example,dc=test
objectClass: inetOrgPerson
cn: twin two
sn: twin
uid: twin
userPassword: right

`

// slapd is brokertest's directory.
type slapd struct{ live, gone *peer.Directory }

// TestDirectory holds that of all tries the good one alone counts.
func TestDirectory(t *testing.T) {
	t.Parallel()
	live, gone := peer.Slapd(t, policed), peer.Slapd(t, people)
	gone.Stop()
	brokertest.RunDirectory(t, slapd{live, gone})
}

func (s slapd) Says() identity.Assertion {
	return identity.Assertion{
		Principal: identity.Principal{Issuer: "ldap:corp", Subject: "11111111-2222-4333-8444-555555555555"},
		Context:   identity.AuthnContext{Methods: []identity.Method{identity.MethodPassword}, AAL: identity.AAL1},
		Attributes: identity.Attributes{
			"objectClass": {"inetOrgPerson"}, "cn": {`Lovelace, Ada + "X"`}, "sn": {"Lovelace"}, "uid": {"ada"}, "mail": {"ada@example.test"},
			"entryUUID": {"11111111-2222-4333-8444-555555555555"}, ldap.GroupsAttribute: nil,
		},
	}
}

// Try implements brokertest.DirectoryPeer.
func (s slapd) Try(t testing.TB, c brokertest.Case) (brokertest.Directory, string, string, bool) {
	t.Helper()
	cfg, name, password := config(s.live.URL), "ada", adaPassword
	switch c {
	case brokertest.Good:
	case brokertest.WrongPassword:
		password = "wrong"
	case brokertest.UnknownName:
		name = "nobody"
	case brokertest.EmptyPassword:
		password = ""
	case brokertest.EmptyName:
		name = ""
	case brokertest.Wildcard:
		name = "ad*"
	case brokertest.FilterInjection:
		name = "ada)(uid=*"
	case brokertest.ZeroOctet:
		name = "ada\x00"
	case brokertest.SeveralPeople:
		name, password = "twin", "right"
	case brokertest.NoLastingID:
		cfg.IDAttribute = "employeeNumber"
	case brokertest.PasswordExpired:
		name, password = "old", "right"
	case brokertest.ResetPassword:
		name, password = "reset", "right"
	case brokertest.ExpiredAndWrong:
		name, password = "old", "wrong"
	case brokertest.LockedAccount:
		name, password = "locked", "right"
	case brokertest.ServerDown:
		cfg.URLs = []string{s.gone.URL}
	case brokertest.Untrusted:
		cfg.URLs = []string{s.live.TLSURL}
	case brokertest.OtherName:
		cfg.URLs, cfg.CAs = []string{strings.Replace(s.live.TLSURL, "127.0.0.1", "localhost", 1)}, roots(t, s.live)
	case brokertest.WrongAccount:
		cfg.BindPassword = identity.NewSecret("wrong")
	default:
		return nil, "", "", false
	}
	d, err := ldap.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d, name, password, true
}

func roots(t testing.TB, d *peer.Directory) *x509.CertPool {
	t.Helper()
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(d.CA) {
		t.Fatal("no certificate")
	}
	return pool
}

// TestTLS holds that passwords travel by ldaps and by StartTLS, to whom our own
// certificate authority vouches for, and to nobody else.
func TestTLS(t *testing.T) {
	t.Parallel()
	s := peer.Slapd(t, people)
	for name, tt := range map[string]struct {
		url      string
		startTLS bool
		cas      *x509.CertPool
		ok       bool
	}{
		"ldaps":                        {s.TLSURL, false, roots(t, s), true},
		"StartTLS":                     {s.URL, true, roots(t, s), true},
		"ldaps, whoever issued it":     {s.TLSURL, false, nil, false},
		"StartTLS, whoever issued it":  {s.URL, true, nil, false},
		"StartTLS, to another name":    {strings.Replace(s.URL, "127.0.0.1", "localhost", 1), true, roots(t, s), false},
		"ldaps, where there is no TLS": {strings.Replace(s.URL, "ldap:", "ldaps:", 1), false, roots(t, s), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := config(tt.url)
			cfg.StartTLS, cfg.CAs = tt.startTLS, tt.cas
			d := open(t, cfg)
			defer d.Close()
			_, err := d.Authenticate(t.Context(), "ada", adaPassword)
			if tt.ok && err != nil || !tt.ok && identity.CodeOf(err) != "up.unreachable" {
				t.Errorf("got %v, want it to be let in: %t", err, tt.ok)
			}
			if cerr := d.Check(t.Context()); (cerr == nil) != tt.ok {
				t.Errorf("Check: got %v", cerr)
			}
		})
	}
}

// TestLockout holds that the directory's own limit of wrong passwords counts, that what
// is told is as for a wrong password, unless the operator wants it told, and that the
// wrong tries of others never lock out the account that searches.
func TestLockout(t *testing.T) {
	t.Parallel()
	s := peer.Slapd(t, policed)
	silent, telling := config(s.URL), config(s.URL)
	telling.TellLocked = true
	d, loud := open(t, silent), open(t, telling)
	t.Cleanup(d.Close)
	t.Cleanup(loud.Close)
	wrong := identity.AsError(func() error { _, err := d.Authenticate(t.Context(), "tried", "wrong"); return err }())
	for range 3 {
		if _, err := d.Authenticate(t.Context(), "tried", "wrong"); err == nil {
			t.Fatal("a wrong password was right")
		}
	}
	_, err := d.Authenticate(t.Context(), "tried", "right")
	if e := identity.AsError(err); e == nil || e.Code != "login.locked" || e.Msg != wrong.Msg {
		t.Errorf("got %v, want login.locked in the words of a wrong password", err)
	}
	_, err = loud.Authenticate(t.Context(), "tried", "right")
	if e := identity.AsError(err); e == nil || e.Code != "login.locked" || !strings.Contains(e.Msg, "locked") {
		t.Errorf("got %v, want login.locked in so many words", err)
	}
	if _, err := d.Authenticate(t.Context(), "ada", adaPassword); err != nil {
		t.Errorf("others: %v", err)
	}
}

// TestPool holds that more sign-ins at once than there are connections all pass, that
// connections are used again, whoever was bound on them, and that a server that was
// started anew in between costs nobody a sign-in.
func TestPool(t *testing.T) {
	t.Parallel()
	s := peer.Slapd(t, people)
	cfg := config(s.URL)
	cfg.MaxConns = 2
	d := open(t, cfg)
	t.Cleanup(d.Close)
	var all sync.WaitGroup
	for i := range 12 {
		all.Go(func() {
			password, want := adaPassword, identity.Code("")
			if i%3 == 0 {
				password, want = "wrong", "login.failed"
			}
			said, err := d.Authenticate(t.Context(), "ada", password)
			if err != nil && identity.CodeOf(err) != want || err == nil && (want != "" || said.Attributes.First("uid") != "ada") {
				t.Errorf("try %d: got %v, want %q", i, err, want)
			}
		})
	}
	all.Wait()
	s.Stop()
	if _, err := d.Authenticate(t.Context(), "ada", adaPassword); identity.CodeOf(err) != "up.unreachable" {
		t.Errorf("while it is down: got %v", err)
	}
	s.Start(t)
	if _, err := d.Authenticate(t.Context(), "ada", adaPassword); err != nil {
		t.Errorf("once it is back: %v", err)
	}
}

// TestDeadServerIsAskedLast holds that a server that does not answer is not waited for at
// every sign-in, and serves again once it does.
func TestDeadServerIsAskedLast(t *testing.T) {
	t.Parallel()
	first, second := peer.Slapd(t, people), peer.Slapd(t, people)
	now := time.Now()
	cfg := config(first.URL, second.URL)
	cfg.Now = func() time.Time { return now }
	d := open(t, cfg)
	t.Cleanup(d.Close)
	pass := func(what string) {
		t.Helper()
		if _, err := d.Authenticate(t.Context(), "ada", adaPassword); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	first.Stop()
	pass("the first is down")
	first.Start(t)
	second.Stop()
	pass("the first is back, though it is asked last") // since the second does not answer
	second.Start(t)
	now = now.Add(time.Minute)
	pass("both are back")
	second.Stop()
	pass("the first serves again")
}
