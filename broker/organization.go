package broker

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/samlet-id/samlet/identity"
)

// tenant is an organization and the mail domains that are its own.
type tenant struct {
	identity.Tenant
	domains map[string]bool
}

// tenants are all organizations.
type tenants struct {
	byID     map[identity.OrganizationID]*tenant
	byDomain map[string]*tenant // whose a mail domain is
}

// newTenants refuses two organizations with one ID or one domain.
func newTenants(organizations []identity.Tenant) (tenants, error) {
	all := tenants{byID: map[identity.OrganizationID]*tenant{}, byDomain: map[string]*tenant{}}
	var faults []error
	for _, o := range organizations {
		t := &tenant{Tenant: o, domains: map[string]bool{}}
		if !identity.ValidSlug(string(o.ID)) || all.byID[o.ID] != nil {
			faults = append(faults, fmt.Errorf("organization %q: the ID must be a slug that no other has", o.ID))
			continue
		}
		all.byID[o.ID] = t
		for _, d := range o.Domains {
			key, ok := domainKey(d)
			switch {
			case !ok:
				faults = append(faults, fmt.Errorf("organization %q: %q is no mail domain", o.ID, d))
			case all.byDomain[key] != nil:
				faults = append(faults, fmt.Errorf("organization %q: mail domain %q already belongs to organization %q", o.ID, key, all.byDomain[key].ID))
			default:
				t.domains[key], all.byDomain[key] = true, t
			}
		}
	}
	return all, errors.Join(faults...)
}

// of returns the organization of a connection, nil if it is nobody's.
func (all tenants) of(c identity.Connection) (*tenant, error) {
	if c.Organization == "" {
		return nil, nil
	}
	if t := all.byID[c.Organization]; t != nil {
		return t, nil
	}
	return nil, fmt.Errorf("there is no organization %q", c.Organization)
}

// spread gives each domain of an organization that none of its connections lists
// to the first of them that is not disabled, so that an address in it leads
// somewhere. The connections themselves are not touched.
func (all tenants) spread(connections []Upstream) []Upstream {
	out := slices.Clone(connections)
	listed := map[string]bool{}
	first := map[identity.OrganizationID]int{}
	for i, u := range out {
		if _, there := first[u.Organization]; !there && !u.Disabled {
			first[u.Organization] = i
		}
		for _, d := range u.EmailDomains {
			if key, ok := domainKey(d); ok && !u.Disabled {
				listed[key] = true
			}
		}
	}
	for id, t := range all.byID {
		i, there := first[id]
		if !there {
			continue
		}
		domains := slices.Clone(out[i].EmailDomains)
		for _, d := range t.Domains {
			if key, ok := domainKey(d); ok && !listed[key] {
				domains = append(domains, d)
			}
		}
		out[i].EmailDomains = domains
	}
	return out
}

// barred says why nobody may come in by u although it is not disabled itself.
func (u upstream) barred() *identity.Error {
	if u.tenant == nil {
		return nil
	}
	return u.tenant.Barred()
}

// owns reports whether the people of a mail domain are u's: those of its
// organization's domains, if it has an organization, else of the domains that the
// operator gave to it alone.
func (u upstream) owns(domain string) bool {
	if u.tenant != nil {
		return u.tenant.domains[domain]
	}
	return slices.ContainsFunc(u.EmailDomains, func(d string) bool {
		key, ok := domainKey(d)
		return ok && key == domain
	})
}

// The attributes by which applications tell people and their organizations apart,
// and whose values end in a mail domain.
var scoped = [...]identity.Name{identity.Mail, identity.Username, identity.PrincipalName, identity.ScopedAffiliation}

// trespass refuses what an upstream says of somebody in a mail domain of an
// organization that is not its own: applications that know people by their
// addresses would take them for somebody of that organization. An address that is
// nobody's domain is neither refused nor vouched for.
func (b *Broker) trespass(u upstream, mapped identity.Assertion) *identity.Error {
	for _, name := range scoped {
		for _, value := range mapped.Attributes[name] {
			domain := lenientDomain(value)
			owner := b.tenants.byDomain[domain]
			if owner == nil || owner == u.tenant {
				continue
			}
			return &identity.Error{
				Kind: identity.KindDenied, Code: "up.domain", Who: identity.WhoPartner,
				Msg:  "Your organization's sign-in service named you by an address that belongs to another organization.",
				Seen: fmt.Sprintf("%s in %s", name, domain), Expected: u.ownDomains(),
			}
		}
	}
	if home := lenientDomain("x@" + mapped.Attributes.First(identity.HomeOrganization)); b.tenants.byDomain[home] != nil && b.tenants.byDomain[home] != u.tenant {
		return &identity.Error{
			Kind: identity.KindDenied, Code: "up.domain", Who: identity.WhoPartner,
			Msg:  "Your organization's sign-in service said that you belong to another organization.",
			Seen: fmt.Sprintf("%s %s", identity.HomeOrganization, home), Expected: u.ownDomains(),
		}
	}
	return nil
}

// ownDomains says which mail domains u may speak of.
func (u upstream) ownDomains() string {
	if u.tenant != nil {
		return "a domain of " + string(u.tenant.ID) + ": " + strings.Join(u.tenant.Domains, ", ")
	}
	return "a domain that belongs to no organization"
}

// lenientDomain is the domain of whatever an application might take for an
// address, blanks at its end and a final dot included: what is refused has to be
// wider than what is believed.
func lenientDomain(value string) string {
	return strings.Trim(identity.Domain(strings.TrimSpace(value)), ". \t")
}

// domainKey is a mail domain as Route compares it.
func domainKey(domain string) (string, bool) {
	if strings.Contains(domain, "@") {
		return "", false
	}
	return mailDomain("x@" + domain)
}

// belong refuses a principal whose record is another organization's: a link is
// older than what the configuration says of whose the connection is.
func (l linking) belong(record identity.Record) *identity.Error {
	if record.Organization == "" || l.connection.Organization == "" || record.Organization == l.connection.Organization {
		return nil
	}
	return &identity.Error{
		Kind: identity.KindDenied, Code: "link.organization", Who: identity.WhoOperator,
		Msg:  "Your account here belongs to another organization than the one that you came from.",
		Seen: string(l.connection.Organization), Expected: string(record.Organization),
	}
}

// join makes the record one of the connection's organization, and reports whether
// it was not before.
func (l linking) join(record *identity.Record) bool {
	if record.Organization != "" || l.connection.Organization == "" {
		return false
	}
	record.Organization = l.connection.Organization
	return true
}
