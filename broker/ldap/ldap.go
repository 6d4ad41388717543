// Package ldap finds people in a directory and proves that they know their
// directory password (LDAPv3, RFC 4511 and 4513). It owns the search, the bind,
// and what both tell of a person; it does not know pages, limits of tries, nor
// the local record that the person becomes.
package ldap

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"

	"github.com/samlet-id/samlet/identity"
)

// Config says where a directory is and how people are found in it.
type Config struct {
	Issuer identity.EntityID // of the principals; stable, and no other directory's
	// URLs are servers that hold the same people (ldaps or ldap). They are tried
	// in their order at every sign-in, so that the first serves again once it is
	// back.
	URLs     []string
	StartTLS bool           // of ldap URLs (RFC 4511 section 4.14)
	CAs      *x509.CertPool // nil means those of the machine
	// BindDN and BindPassword are those of the account that searches.
	BindDN       string
	BindPassword identity.Secret
	Base         string // where people are
	Filter       string // finds one; {login} stands for what was typed
	// IDAttribute never changes and is never given to somebody else: entryUUID
	// (RFC 4530), objectGUID.
	IDAttribute string
	// GroupBase and GroupFilter find a person's groups, whose names become values
	// of GroupsAttribute; {dn} stands for the person. Both empty: memberOf is read
	// like any attribute.
	GroupBase, GroupFilter string
	Timeout                time.Duration // of each call; default 5 s
	MaxConns               int           // at once; default 16
	// TellLocked says of an account that the directory has locked that it is, which
	// tells whoever asks that there is such an account. Else it is as a wrong password.
	TellLocked bool
	Now        func() time.Time
}

// GroupsAttribute is the name under which the groups of a group search are told.
const GroupsAttribute = "memberOf"

const (
	placeLogin = "{login}"
	placeDN    = "{dn}"
	pageSize   = 500
	// dataExpired and dataMustChange are what Active Directory says beside invalidCredentials if the
	// password is the right one, and has expired or has to be changed.
	dataExpired, dataMustChange = "data 532,", "data 773,"
	// dataLocked is what it says of a locked account, whatever the password.
	dataLocked = "data 775,"
)

// Directory answers for one directory. It is safe for concurrent use.
type Directory struct {
	cfg  Config
	tls  *tls.Config
	pool *pool
}

// New checks cfg. It speaks to nobody.
func New(cfg Config) (*Directory, error) {
	switch {
	case cfg.Issuer == "" || len(cfg.URLs) == 0 || cfg.Base == "" || cfg.IDAttribute == "" || cfg.Now == nil:
		return nil, errors.New("ldap: Issuer, URLs, Base, IDAttribute and Now are required")
	case cfg.BindDN == "" || cfg.BindPassword.Empty():
		return nil, errors.New("ldap: the account that searches needs a DN and a password")
	case !strings.Contains(cfg.Filter, placeLogin):
		return nil, fmt.Errorf("ldap: the filter does not contain %s", placeLogin)
	case (cfg.GroupBase == "") != (cfg.GroupFilter == ""):
		return nil, errors.New("ldap: GroupBase and GroupFilter go together")
	case cfg.Timeout < 0 || cfg.MaxConns < 0:
		return nil, errors.New("ldap: Timeout or MaxConns is negative")
	}
	for _, f := range []string{cfg.Filter, cfg.GroupFilter} {
		if _, err := ldap.CompileFilter(strings.NewReplacer(placeLogin, "x", placeDN, "x").Replace(f)); f != "" && err != nil {
			return nil, fmt.Errorf("ldap: the filter %s cannot be read: %w", f, err)
		}
	}
	if _, err := ldap.ParseDN(cfg.Base); err != nil {
		return nil, fmt.Errorf("ldap: the base is no DN: %w", err)
	}
	for _, s := range cfg.URLs {
		if u, err := url.Parse(s); err != nil || u.Host == "" || u.Scheme != "ldaps" && u.Scheme != "ldap" {
			return nil, fmt.Errorf("ldap: want ldaps://HOST or ldap://HOST, got %q", s)
		}
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = 5 * time.Second
	}
	if cfg.MaxConns == 0 {
		cfg.MaxConns = 16
	}
	d := &Directory{cfg: cfg, tls: &tls.Config{RootCAs: cfg.CAs, MinVersion: tls.VersionTLS12}}
	d.pool = &pool{cfg: cfg, dial: d.dial, turn: make(chan struct{}, cfg.MaxConns), down: map[string]time.Time{}}
	return d, nil
}

// Close lets go of connections that wait for the next sign-in.
func (d *Directory) Close() { d.pool.close() }

// Authenticate proves that login and password belong together, and returns what
// the directory says of the person under its own attribute names. A wrong
// password and an unknown login are one KindDenied after the same calls: nobody
// is bound as, too. A directory that cannot be asked is KindUnavailable.
func (d *Directory) Authenticate(ctx context.Context, login, password string) (identity.Assertion, error) {
	// A bind with a DN and no password is an anonymous one, and succeeds
	// (RFC 4513 section 5.1.2).
	if password == "" || login == "" {
		return identity.Assertion{}, errFailed(errors.New("name or password is empty"))
	}
	conn, err := d.pool.take(ctx)
	if err != nil {
		return identity.Assertion{}, errUnreachable(err)
	}
	defer conn.give()
	entry, err := d.find(conn.Conn, login)
	if err != nil {
		return identity.Assertion{}, errUnreachable(err)
	}
	if err := d.prove(conn.Conn, entry, password); err != nil {
		return identity.Assertion{}, err
	}
	return d.describe(conn.Conn, entry)
}

// Check asks whether a server answers, and lets the account that searches in.
func (d *Directory) Check(ctx context.Context) error {
	conn, err := d.pool.take(ctx)
	if err != nil {
		return errUnreachable(err)
	}
	conn.give()
	return nil
}

// find returns the one entry that login finds, or nil.
func (d *Directory) find(conn *ldap.Conn, login string) (*ldap.Entry, error) {
	filter := strings.ReplaceAll(d.cfg.Filter, placeLogin, ldap.EscapeFilter(login))
	found, err := conn.Search(ldap.NewSearchRequest(d.cfg.Base, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases,
		2, d.seconds(), false, filter, []string{"*", d.cfg.IDAttribute, GroupsAttribute}, nil))
	// Of two people, neither can be meant.
	if ldap.IsErrorAnyOf(err, ldap.LDAPResultSizeLimitExceeded) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("searching for a person: %w", err)
	}
	if len(found.Entries) != 1 {
		return nil, nil
	}
	return found.Entries[0], nil
}

func (d *Directory) seconds() int { return max(1, int(d.cfg.Timeout/time.Second)) }

// prove binds as the person, or as nobody.
func (d *Directory) prove(conn *ldap.Conn, entry *ldap.Entry, password string) error {
	dn, nobody := "cn=samlet-nobody,"+d.cfg.Base, true
	if entry != nil && entry.DN != "" {
		dn, nobody = entry.DN, false
	}
	req := ldap.NewSimpleBindRequest(dn, password, []ldap.Control{ldap.NewControlBeheraPasswordPolicy()})
	result, err := conn.SimpleBind(req)
	switch {
	case nobody && (err == nil || refused(err)):
		return errFailed(errors.New("nobody, or several people, are found by this name"))
	case nobody: // as for anybody: a server in trouble does not tell who is known
		return errUnreachable(err)
	case expired(result, err):
		return &identity.Error{
			Kind: identity.KindDenied, Code: "login.expired", Who: identity.WhoUser, Err: err,
			Msg: "Your password has expired. Change it where you usually do, and sign in again.",
		}
	case err == nil:
		return nil
	case locked(result, err):
		e := errFailed(err)
		e.Code = "login.locked"
		if d.cfg.TellLocked {
			e.Msg = "Your account is locked, after too many wrong passwords or by your organization. Ask the people who run it."
		}
		return e
	case refused(err):
		return errFailed(err)
	}
	return errUnreachable(err)
}

// refused reports whether a bind failed because of who bound, and not because of the
// server.
func refused(err error) bool {
	return ldap.IsErrorAnyOf(err, ldap.LDAPResultInvalidCredentials, ldap.LDAPResultUnwillingToPerform,
		ldap.LDAPResultConstraintViolation, ldap.LDAPResultInappropriateAuthentication, ldap.LDAPResultNoSuchObject)
}

// expired reports whether the password was the right one, but is too old or has to be
// changed first. Only whoever knows it is told so, by either server.
func expired(result *ldap.SimpleBindResult, err error) bool {
	if err == nil {
		return policyError(result) == ldap.BeheraChangeAfterReset
	}
	if !ldap.IsErrorWithCode(err, ldap.LDAPResultInvalidCredentials) {
		return false
	}
	said := err.Error()
	return strings.Contains(said, dataExpired) || strings.Contains(said, dataMustChange) || policyError(result) == ldap.BeheraPasswordExpired
}

// locked reports whether the account is locked. Servers say so for wrong passwords, too.
func locked(result *ldap.SimpleBindResult, err error) bool {
	return policyError(result) == ldap.BeheraAccountLocked || strings.Contains(err.Error(), dataLocked)
}

// policyError is what the password policy says beside the result of a bind
// (draft-behera-ldap-password-policy), negative for nothing.
func policyError(result *ldap.SimpleBindResult) int8 {
	if result == nil {
		return -1
	}
	policy, ok := ldap.FindControl(result.Controls, ldap.ControlTypeBeheraPasswordPolicy).(*ldap.ControlBeheraPasswordPolicy)
	if !ok {
		return -1
	}
	return policy.Error
}

func errFailed(err error) *identity.Error {
	return &identity.Error{
		Kind: identity.KindDenied, Code: "login.failed", Who: identity.WhoUser, Err: err,
		Msg: "That name and password do not belong together. Try again.",
	}
}

func errUnreachable(err error) *identity.Error {
	return &identity.Error{
		Kind: identity.KindUnavailable, Code: "up.unreachable", Who: identity.WhoOperator, Err: err,
		Msg: "Your organization's directory does not answer at present. Try again later.",
	}
}
