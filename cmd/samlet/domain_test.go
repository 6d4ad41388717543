package main

import (
	"context"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/store"
	"github.com/samlet-id/samlet/store/sqlstore"
)

// nameserver is a DNS server on loopback that knows TXT records.
type nameserver struct {
	address string

	mu      sync.Mutex
	records map[string]string // by name, with its final dot
	fails   bool              // SERVFAIL to everything
}

func newNameserver(t *testing.T) *nameserver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n := &nameserver{address: conn.LocalAddr().String(), records: map[string]string{}}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 1500)
		for {
			size, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			var q dnsmessage.Message
			if q.Unpack(buf[:size]) != nil || len(q.Questions) != 1 {
				continue
			}
			if packed, err := n.answer(q).Pack(); err == nil {
				_, _ = conn.WriteTo(packed, from) // whoever asked asks again
			}
		}
	}()
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
		<-done
	})
	return n
}

func (n *nameserver) answer(q dnsmessage.Message) *dnsmessage.Message {
	n.mu.Lock()
	defer n.mu.Unlock()
	m := &dnsmessage.Message{Header: dnsmessage.Header{ID: q.ID, Response: true, Authoritative: true}, Questions: q.Questions}
	name := q.Questions[0].Name
	value, ok := n.records[name.String()]
	switch {
	case n.fails:
		m.RCode = dnsmessage.RCodeServerFailure
	case !ok || q.Questions[0].Type != dnsmessage.TypeTXT:
		m.RCode = dnsmessage.RCodeNameError
	default:
		m.Answers = []dnsmessage.Resource{{
			Header: dnsmessage.ResourceHeader{Name: name, Type: dnsmessage.TypeTXT, Class: dnsmessage.ClassINET, TTL: 1},
			Body:   &dnsmessage.TXTResource{TXT: []string{value}},
		}}
	}
	return m
}

func (n *nameserver) set(name, value string, fails bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.fails = fails
	if delete(n.records, name+"."); value != "" {
		n.records[name+"."] = value
	}
}

func provingConfig() *Config {
	return &Config{
		IDP: IDPConfig{EntityID: "https://login.example.test/saml/metadata"},
		Organizations: []OrganizationConfig{
			{ID: "acme", Domains: []string{"acme.test"}, Proof: "dns"}, {ID: "beta", Domains: []string{"beta.test"}},
		},
	}
}

// TestDomainProof holds that a domain counts once its record is there and for a week after
// it was there last, that an outage of DNS ends no proof, and that each record is of one
// organization of one samlet.
func TestDomainProof(t *testing.T) {
	t.Parallel()
	db, err := sqlstore.Open(t.Context(), sqlstore.Config{Driver: sqlstore.DriverSQLite, DSN: filepath.Join(t.TempDir(), "samlet.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	dns, cfg := newNameserver(t), provingConfig()
	acme := claim{"acme", "acme.test"}
	name, value := acme.record(cfg.IDP.EntityID)
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	step := func(what string, want bool, kind identity.Kind) {
		t.Helper()
		proofs, err := proveDomains(t.Context(), db, newResolver(dns.address), cfg, now)
		if err != nil || len(proofs) != 1 {
			t.Fatalf("%s: %+v, %v", what, proofs, err)
		}
		p := proofs[0]
		if p.Proven != want || (p.Err == nil) != (kind == identity.KindInternal) || p.Err != nil && identity.KindOf(p.Err) != kind {
			t.Errorf("%s: proven %t, %v; want %t, %v", what, p.Proven, p.Err, want, kind)
		}
	}
	step("no record", false, identity.KindNotFound)
	dns.set(name, "samlet-verify=another", false)
	step("another value", false, identity.KindNotFound)
	_, others := claim{"beta", "acme.test"}.record(cfg.IDP.EntityID)
	dns.set(name, others, false)
	step("attack: the record of another organization", false, identity.KindNotFound)
	_, elsewhere := acme.record("https://elsewhere.test/saml/metadata")
	dns.set(name, elsewhere, false)
	step("attack: the record for another samlet", false, identity.KindNotFound)
	dns.set(name, value, false)
	step("the record", true, identity.KindInternal)
	now = now.Add(6 * 24 * time.Hour)
	dns.set(name, value, true)
	step("an outage of days", true, identity.KindUnavailable)
	dns.set(name, "", false)
	step("the record is gone", true, identity.KindNotFound)
	now = now.Add(2 * 24 * time.Hour)
	step("gone for a week", false, identity.KindNotFound)
	if again, _ := (claim{"acme", "acme.test"}).record(cfg.IDP.EntityID); again != name {
		t.Errorf("made anew, the record is at %s", again)
	}
}

// TestAttackUnprovenDomain holds that an organization which only says that a domain is its
// own is led nobody by it and vouches for nobody in it, through the whole house, until
// its record is there; and that this needs no restart.
func TestAttackUnprovenDomain(t *testing.T) {
	t.Parallel()
	dns := newNameserver(t)
	path, err := initialise(t.Context(), filepath.Join(t.TempDir(), "samlet"), "http://127.0.0.1:8080")
	if err != nil {
		t.Fatal(err)
	}
	const local = "  - {id: local, type: local, name: Password}\n"
	const added = "  - {id: sso, type: oidc, name: Acme, organization: acme, email_domains: [acme.test], issuer: \"http://127.0.0.1:9\", client_id: a, client_secret: \"literal:b\"}\n" +
		"organizations:\n  - {id: acme, domains: [acme.test, labs.acme.test], proof: dns}\n"
	writeFile(t, path, strings.Replace(readAll(t, path), local, local+added, 1))
	s := openAt(t, path, logTo(t))
	route := func() identity.ConnectionID {
		s.mu.RLock()
		defer s.mu.RUnlock()
		id, _ := s.house.broker.Route("ada@acme.test")
		return id
	}
	if got := route(); got != "" || len(s.current().Unproven) != 2 {
		t.Errorf("before the record is there people are led to %q, and %q are not proven", got, s.current().Unproven)
	}
	s.proveEvery = 10 * time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	watched, proved := make(chan error, 1), make(chan struct{})
	go func() { watched <- s.watch(ctx, nil) }()
	go func() { s.prove(ctx, newResolver(dns.address)); close(proved) }()
	name, value := claim{"acme", "acme.test"}.record(s.current().Config.IDP.EntityID)
	dns.set(name, value, false)
	await(t, "the proven domain leads to its connection", func() (bool, string) { return route() == "sso", string(route()) })
	if got := s.current().Unproven; len(got) != 1 || got[0] != "labs.acme.test" {
		t.Errorf("not proven: got %q", got)
	}
	cancel()
	<-proved
	if err := <-watched; err != nil {
		t.Error(err)
	}
	// What was proven outlives a restart.
	err = s.store.View(t.Context(), func(tx *store.Tx) error {
		_, err := tx.Tickets.Get(t.Context(), purposeDomain, claim{"acme", "acme.test"}.key(), time.Now())
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
