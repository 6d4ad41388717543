package main

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"

	"github.com/samlet-id/samlet/identity"
)

// demoDirectory is a directory with one person and their groups: as much of LDAP
// (RFC 4511) as it takes to find the person and to try their password. It is written
// here because no library serves a listener that it is given, and ends with clients
// connected.
type demoDirectory struct {
	accounts map[string]string // passwords by DN
	entries  []demoEntry

	mu    sync.Mutex
	conns map[net.Conn]bool
	ended bool
}

type demoEntry struct {
	dn     string
	values map[string][]string // by name in lower case
}

const (
	demoBase     = "dc=directory,dc=test"
	demoSearcher = "cn=samlet," + demoBase
	// mostLDAPMessage bounds one message to the demo's directory, in bytes.
	mostLDAPMessage = 64 << 10
)

func newDemoDirectory(person demoUser, searcherPassword string) *demoDirectory {
	dn := "uid=" + person.name + ",ou=people," + demoBase
	d := &demoDirectory{
		accounts: map[string]string{demoSearcher: searcherPassword, dn: demoPassword}, conns: map[net.Conn]bool{},
		entries: []demoEntry{{dn, map[string][]string{
			"objectclass": {"inetOrgPerson"}, "entryuuid": {"597ae2f6-16a6-1027-98f4-d28b5365dc14"}, "uid": {person.name},
			"mail": person.set[identity.Mail], "givenname": person.set[identity.GivenName], "sn": person.set[identity.FamilyName],
		}}},
	}
	for _, g := range person.set[identity.Groups] {
		d.entries = append(d.entries, demoEntry{"cn=" + g + ",ou=groups," + demoBase, map[string][]string{"objectclass": {"groupOfNames"}, "cn": {g}, "member": {dn}}})
	}
	return d
}

// Serve answers until Close.
func (d *demoDirectory) Serve(ln net.Listener) error {
	var clients sync.WaitGroup
	defer clients.Wait()
	for {
		conn, err := ln.Accept()
		if err != nil {
			d.mu.Lock()
			defer d.mu.Unlock()
			if d.ended {
				return nil
			}
			return fmt.Errorf("waiting for clients of the directory: %w", err)
		}
		if !d.enter(conn) {
			continue
		}
		clients.Go(func() {
			defer d.leave(conn)
			for d.answer(conn) {
			}
		})
	}
}

// enter notes a client, unless the directory has ended.
func (d *demoDirectory) enter(conn net.Conn) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ended {
		_ = conn.Close() // nothing was said on it
		return false
	}
	d.conns[conn] = true
	return true
}

func (d *demoDirectory) leave(conn net.Conn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.conns, conn)
	_ = conn.Close() // the client may have closed it
}

// hangUp ends the connections of all clients.
func (d *demoDirectory) hangUp() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ended = true
	for conn := range d.conns {
		_ = conn.Close() // the client may have closed it
	}
}

// answer takes one message and reports whether there may be another.
func (d *demoDirectory) answer(conn io.ReadWriter) bool {
	message, err := ber.ReadPacket(io.LimitReader(conn, mostLDAPMessage))
	if err != nil || len(message.Children) < 2 {
		return false
	}
	id, ok := message.Children[0].Value.(int64)
	if !ok {
		return false
	}
	var answers []*ber.Packet
	switch op := message.Children[1]; op.Tag {
	case ldap.ApplicationUnbindRequest:
		return false
	case ldap.ApplicationAbandonRequest:
		return true
	case ldap.ApplicationBindRequest:
		answers = []*ber.Packet{result(ldap.ApplicationBindResponse, d.bind(op))}
	case ldap.ApplicationSearchRequest:
		answers = d.search(op)
	default:
		answers = []*ber.Packet{result(ldap.ApplicationExtendedResponse, ldap.LDAPResultUnwillingToPerform)}
	}
	for _, a := range answers {
		envelope := ber.NewSequence("LDAPMessage")
		envelope.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, id, "messageID"))
		envelope.AppendChild(a)
		if _, err := conn.Write(envelope.Bytes()); err != nil {
			return false
		}
	}
	return true
}

// bind tries a password (RFC 4511 4.2), and returns the result code.
func (d *demoDirectory) bind(op *ber.Packet) uint16 {
	if len(op.Children) < 3 || op.Children[2].Tag != 0 {
		return ldap.LDAPResultAuthMethodNotSupported
	}
	password, known := d.accounts[op.Children[1].Data.String()]
	if !known || subtle.ConstantTimeCompare([]byte(password), op.Children[2].Data.Bytes()) != 1 {
		return ldap.LDAPResultInvalidCredentials
	}
	return ldap.LDAPResultSuccess
}

// search returns what a filter finds below a base, and the result (RFC 4511 4.5).
func (d *demoDirectory) search(op *ber.Packet) []*ber.Packet {
	if len(op.Children) < 8 {
		return []*ber.Packet{result(ldap.ApplicationSearchResultDone, ldap.LDAPResultProtocolError)}
	}
	base := strings.ToLower(op.Children[0].Data.String())
	var found []*ber.Packet
	for _, e := range d.entries {
		if dn := strings.ToLower(e.dn); (dn == base || strings.HasSuffix(dn, ","+base)) && e.matches(op.Children[6]) {
			found = append(found, e.packet())
		}
	}
	return append(found, result(ldap.ApplicationSearchResultDone, ldap.LDAPResultSuccess))
}

// matches evaluates and, or, not, equality and presence. What else there is matches
// nothing.
func (e demoEntry) matches(filter *ber.Packet) bool {
	switch uint64(filter.Tag) {
	case ldap.FilterAnd:
		return !slices.ContainsFunc(filter.Children, func(f *ber.Packet) bool { return !e.matches(f) })
	case ldap.FilterOr:
		return slices.ContainsFunc(filter.Children, e.matches)
	case ldap.FilterNot:
		return len(filter.Children) == 1 && !e.matches(filter.Children[0])
	case ldap.FilterPresent:
		return len(e.values[strings.ToLower(filter.Data.String())]) > 0
	case ldap.FilterEqualityMatch:
		if len(filter.Children) != 2 {
			return false
		}
		wanted := filter.Children[1].Data.String()
		return slices.ContainsFunc(e.values[strings.ToLower(filter.Children[0].Data.String())], func(v string) bool { return strings.EqualFold(v, wanted) })
	}
	return false
}

// packet is the entry with all that it has, which includes what was asked for.
func (e demoEntry) packet() *ber.Packet {
	p := ber.Encode(ber.ClassApplication, ber.TypeConstructed, ldap.ApplicationSearchResultEntry, nil, "entry")
	p.AppendChild(octets(e.dn))
	all := ber.NewSequence("attributes")
	for name, values := range e.values {
		one, set := ber.NewSequence("attribute"), ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSet, nil, "values")
		for _, v := range values {
			set.AppendChild(octets(v))
		}
		one.AppendChild(octets(name))
		one.AppendChild(set)
		all.AppendChild(one)
	}
	p.AppendChild(all)
	return p
}

func octets(s string) *ber.Packet {
	return ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, s, "")
}

func result(op ber.Tag, code uint16) *ber.Packet {
	p := ber.Encode(ber.ClassApplication, ber.TypeConstructed, op, nil, "result")
	p.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagEnumerated, int64(code), "code"))
	p.AppendChild(octets(""))
	p.AppendChild(octets(""))
	return p
}

// startDirectory serves the directory of another partner, and makes it a connection of
// samlet.
func (d *demo) startDirectory(ctx context.Context, ln net.Listener) error {
	secret, err := identity.NewToken(rand.Reader)
	if err != nil {
		return err
	}
	directory := newDemoDirectory(demoStaff, secret)
	d.run(func() error { return directory.Serve(ln) })
	d.ends = append(d.ends, func() error {
		directory.hangUp()
		if err := ln.Close(); !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	})
	err = d.addConnection(fmt.Sprintf(`- id: directory
  type: ldap
  name: Directory Partner
  email_domains: [directory.test]
  urls: ["%s"]
  bind: {dn: "%s", password: "literal:%s"}
  users: {base: "ou=people,%s", filter: "(&(objectClass=inetOrgPerson)(|(uid={login})(mail={login})))", id_attribute: entryUUID}
  groups: {base: "ou=groups,%s", filter: "(&(objectClass=groupOfNames)(member={dn}))"}
`, d.Directory, demoSearcher, secret, demoBase, demoBase))
	if err != nil {
		return err
	}
	return d.samlet.reload(ctx)
}
