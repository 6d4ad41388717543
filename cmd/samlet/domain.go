package main

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/store"
)

// An organization with proof: dns has the mail domains for which a TXT record says so.
// Each time that the record is there is kept as a ticket, so that a proof ends by itself
// when it was not seen for long, and by no outage of a day.

// purposeDomain is that of proofs, whose ID is domainKey.
const purposeDomain store.Purpose = "domain"

const (
	proofByDNS = "dns"
	// proofLife is how long a proof counts after the record was last there.
	proofLife = 7 * 24 * time.Hour
	// proveEvery is how often records are looked up.
	proveEvery = time.Hour
	// lookupTimeout bounds one look-up.
	lookupTimeout = 10 * time.Second
)

// txtResolver looks DNS records up, as net.Resolver does.
type txtResolver interface {
	LookupTXT(ctx context.Context, name string) ([]string, error)
}

// newResolver asks the DNS server at address, or, if it is empty, whom this machine asks.
func newResolver(address string) txtResolver {
	if address == "" {
		return net.DefaultResolver
	}
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{Timeout: lookupTimeout}).DialContext(ctx, network, address)
	}}
}

// claim is a mail domain that an organization has to prove.
type claim struct{ organization, domain string }

func (c claim) key() string { return c.organization + "\x00" + c.domain }

// claims lists what has to be proven.
func (cfg *Config) claims() []claim {
	var all []claim
	for _, o := range cfg.Organizations {
		if o.Proof != proofByDNS {
			continue
		}
		for _, d := range o.Domains {
			all = append(all, claim{o.ID, d})
		}
	}
	return all
}

// record is the TXT record that proves c: it says to which organization of which samlet
// the domain belongs, and is the same whenever that is made anew.
func (c claim) record(entityID string) (name, value string) {
	sum := sha256.Sum256([]byte("samlet domain proof\x00" + entityID + "\x00" + c.key()))
	text := base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:20])
	return "_samlet-challenge." + c.domain, "samlet-verify=" + strings.ToLower(text)
}

// lookUp asks whether the record of c is there.
func (c claim) lookUp(ctx context.Context, r txtResolver, entityID string) error {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	name, want := c.record(entityID)
	found, err := r.LookupTXT(ctx, name+".")
	if slices.Contains(found, want) {
		return nil
	}
	kind, seen := identity.KindNotFound, "no TXT record at "+name
	if dns, ok := errors.AsType[*net.DNSError](err); err != nil && (!ok || !dns.IsNotFound) {
		kind, seen = identity.KindUnavailable, "no answer for "+name
	} else if len(found) > 0 {
		seen = strings.Join(found, ", ") + " at " + name
	}
	return &identity.Error{
		Kind: kind, Code: "org.proof", Who: identity.WhoOperator, Err: err, Seen: seen, Expected: want,
		Msg: fmt.Sprintf("%s does not prove %s.", c.organization, c.domain),
	}
}

// proof is what came of looking a record up.
type proof struct {
	claim
	Proven bool  // by this look-up, or by an earlier one that still counts
	Err    error // of this one
}

// proveDomains looks every record up, keeps what it proves, and says how each stands.
func proveDomains(ctx context.Context, db store.Store, r txtResolver, cfg *Config, now time.Time) ([]proof, error) {
	var proofs []proof
	for _, c := range cfg.claims() {
		p := proof{claim: c, Err: c.lookUp(ctx, r, cfg.IDP.EntityID)}
		if p.Err == nil {
			if err := keepProof(ctx, db, c, now); err != nil {
				return nil, err
			}
		}
		proofs = append(proofs, p)
	}
	proven, err := provenDomains(ctx, db, cfg, now)
	for i, p := range proofs {
		proofs[i].Proven = proven[p.claim]
	}
	return proofs, err
}

func keepProof(ctx context.Context, db store.Store, c claim, now time.Time) error {
	err := db.Update(ctx, func(tx *store.Tx) error {
		if _, err := tx.Tickets.Take(ctx, purposeDomain, c.key(), now); err != nil && identity.KindOf(err) != identity.KindNotFound {
			return err
		}
		return tx.Tickets.Put(ctx, store.Ticket{Purpose: purposeDomain, ID: c.key(), Expires: now.Add(proofLife)}, now)
	})
	if err != nil {
		return fmt.Errorf("keeping the proof of %s: %w", c.domain, err)
	}
	return nil
}

// provenDomains says which claims of cfg are proven.
func provenDomains(ctx context.Context, db store.Store, cfg *Config, now time.Time) (map[claim]bool, error) {
	proven := map[claim]bool{}
	claims := cfg.claims()
	if len(claims) == 0 {
		return proven, nil
	}
	err := db.View(ctx, func(tx *store.Tx) error {
		for _, c := range claims {
			_, err := tx.Tickets.Get(ctx, purposeDomain, c.key(), now)
			switch {
			case err == nil:
				proven[c] = true
			case identity.KindOf(err) != identity.KindNotFound:
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading the proofs of mail domains: %w", err)
	}
	return proven, nil
}

// withhold takes the domains that are not proven out of what the broker is told: nobody
// is led by them, and nobody vouched for in them.
func (s *snapshot) withhold(proven map[claim]bool) {
	missing := map[string][]string{} // by organization
	for _, c := range s.Config.claims() {
		if !proven[c] {
			missing[c.organization] = append(missing[c.organization], c.domain)
			s.Unproven = append(s.Unproven, c.domain)
		}
	}
	without := func(domains []string, organization string) []string {
		return slices.DeleteFunc(slices.Clone(domains), func(d string) bool { return slices.Contains(missing[organization], d) })
	}
	if len(missing) == 0 {
		return
	}
	for i, t := range s.Tenants {
		s.Tenants[i].Domains = without(t.Domains, string(t.ID))
	}
	for i, c := range s.Connections {
		s.Connections[i].EmailDomains = without(c.EmailDomains, string(c.Organization))
	}
}

// prove looks records up now and then, and has the configuration read anew where that
// changed anything.
func (s *server) prove(ctx context.Context, r txtResolver) {
	tick := time.NewTicker(s.proveEvery)
	defer tick.Stop()
	for {
		s.mu.RLock()
		snap := s.house.snapshot
		s.mu.RUnlock()
		proofs, err := proveDomains(ctx, s.store, r, snap.Config, time.Now())
		if err != nil && ctx.Err() == nil {
			s.log.Warn("proving mail domains", "error", err)
		}
		var unproven []string
		for _, p := range proofs {
			if p.Err != nil && ctx.Err() == nil {
				s.log.Warn("a mail domain is not proven by DNS", "organization", p.organization, "domain", p.domain, "counts", p.Proven, "reason", message(p.Err))
			}
			if !p.Proven {
				unproven = append(unproven, p.domain)
			}
		}
		if err == nil && !slices.Equal(unproven, snap.Unproven) {
			select {
			case s.proved <- struct{}{}:
			default: // it is about to be read
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// provenSnapshot is loadSnapshot with the mail domains that the store knows to be proven.
func provenSnapshot(cmd *cobra.Command) (*snapshot, error) {
	snap, err := loadSnapshot(configPath(cmd))
	if err != nil || len(snap.Config.claims()) == 0 {
		return snap, err
	}
	err = withStore(cmd, snap.Config, func(ctx context.Context, db store.Store) error {
		proven, err := provenDomains(ctx, db, snap.Config, time.Now())
		snap.withhold(proven)
		return err
	})
	return snap, err
}
