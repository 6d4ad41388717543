package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/store"
)

// OrganizationConfig is one tenant.
type OrganizationConfig struct {
	ID       string   `yaml:"id"`
	Name     string   `yaml:"name"`
	Disabled bool     `yaml:"disabled"`
	Domains  []string `yaml:"domains"` // of mail addresses
	Proof    string   `yaml:"proof"`   // that domains are its own: operator, dns
	// IDP is how samlet presents itself to the service providers that serve this
	// organization alone.
	IDP SPIdentityConfig `yaml:"idp"`
}

// presentToTenants has the service providers of one organization alone know samlet as
// that organization's, unless they say otherwise.
func (c *Config) presentToTenants() {
	for i := range c.ServiceProviders {
		sp := &c.ServiceProviders[i]
		if len(sp.Organizations) != 1 {
			continue
		}
		for _, o := range c.Organizations {
			if o.ID == sp.Organizations[0] {
				sp.IDP.EntityID = cmp.Or(sp.IDP.EntityID, o.IDP.EntityID)
				sp.IDP.SigningKey = cmp.Or(sp.IDP.SigningKey, o.IDP.SigningKey)
			}
		}
	}
}

// checkOrganizations judges organizations, and what refers to them.
func (d *decoder) checkOrganizations(c *Config) {
	seen, owner, presented := map[string]bool{}, map[string]string{}, map[string]string{c.IDP.EntityID: "everybody"}
	for i, o := range c.Organizations {
		at := fmt.Sprintf("organizations[%d]", i)
		d.checkID(at, o.ID, seen)
		d.oneOf(at+".proof", o.Proof, "", "operator", proofByDNS)
		d.checkPresentedAs(at+".idp", o.IDP, c)
		if other, taken := presented[o.IDP.EntityID]; taken && o.IDP.EntityID != "" {
			d.faultAt(at+".idp.entity_id", "this is the entityID by which %s knows us already", other)
		}
		presented[o.IDP.EntityID] = o.ID
		for j, domain := range o.Domains {
			here := fmt.Sprintf("%s.domains[%d]", at, j)
			switch other, taken := owner[domain]; {
			case !plainDomain(domain):
				d.faultAt(here, "want a mail domain in lower case such as acme.test, got %q", domain)
			case taken:
				d.faultAt(here, "%q belongs to the organization %s already", domain, other)
			default:
				owner[domain] = o.ID
			}
		}
	}
	for i, conn := range c.Connections {
		at := fmt.Sprintf("connections[%d]", i)
		d.knownOrganization(at+".organization", conn.Organization, c)
		if conn.Organization != "" && conn.Type == "local" {
			d.faultAt(at+".organization", "people of every organization may have a password here; local is nobody's")
		}
		for j, domain := range conn.EmailDomains {
			here := fmt.Sprintf("%s.email_domains[%d]", at, j)
			switch of := owner[domain]; {
			case of == conn.Organization:
			case of == "":
				d.faultAt(here, "%q is none of the domains of %s", domain, conn.Organization)
			default:
				d.faultAt(here, "%q belongs to the organization %s, and %s does not", domain, of, conn.ID)
			}
		}
	}
	for i, sp := range c.ServiceProviders {
		for j, id := range sp.Organizations {
			d.knownOrganization(fmt.Sprintf("service_providers[%d].organizations[%d]", i, j), id, c)
		}
		if sp.Organizations != nil && len(sp.Organizations) == 0 {
			d.faultAt(fmt.Sprintf("service_providers[%d].organizations", i), "the list is empty; leave it out to serve everybody")
		}
	}
}

// plainDomain reports whether s is a domain as it stands in config.yaml.
func plainDomain(s string) bool {
	return s != "" && s == strings.ToLower(s) && !strings.ContainsAny(s, "@/: *") && strings.Trim(s, ".") == s
}

func (d *decoder) knownOrganization(at, id string, c *Config) {
	if id == "" || slices.ContainsFunc(c.Organizations, func(o OrganizationConfig) bool { return o.ID == id }) {
		return
	}
	var ids []string
	for _, o := range c.Organizations {
		ids = append(ids, o.ID)
	}
	hint := ""
	if near := nearest(id, ids); near != "" {
		hint = fmt.Sprintf("; did you mean %q?", near)
	}
	d.faultAt(at, "there is no organization %q%s", id, hint)
}

func tenantsOf(organizations []OrganizationConfig) []identity.Tenant {
	tenants := make([]identity.Tenant, len(organizations))
	for i, o := range organizations {
		tenants[i] = identity.Tenant{ID: identity.OrganizationID(o.ID), Name: o.Name, Domains: o.Domains, Disabled: o.Disabled}
	}
	return tenants
}

func organizationIDs(ids []string) []identity.OrganizationID {
	out := make([]identity.OrganizationID, len(ids))
	for i, id := range ids {
		out[i] = identity.OrganizationID(id)
	}
	return out
}

// tenants returns how an organization is found by its id.
func (s *snapshot) tenants() func(identity.OrganizationID) (identity.Tenant, bool) {
	byID := make(map[identity.OrganizationID]identity.Tenant, len(s.Tenants))
	for _, t := range s.Tenants {
		byID[t.ID] = t
	}
	return func(id identity.OrganizationID) (identity.Tenant, bool) {
		t, ok := byID[id]
		return t, ok
	}
}

func organizationCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "organization", Short: "Organizations: whose people come in by which connections"}
	cmd.AddCommand(organizationListCommand(), organizationShowCommand(), organizationVerifyCommand())
	return cmd
}

// organizationRow is one line of `organization list`; its JSON is stable.
type organizationRow struct {
	ID               string   `json:"id"`
	Name             string   `json:"name"`
	Disabled         bool     `json:"disabled"`
	Domains          []string `json:"domains"`
	Connections      []string `json:"connections"`
	ServiceProviders []string `json:"service_providers"` // that serve its people and no others but those listed there
	Records          []string `json:"records,omitempty"` // TXT records that prove its domains
}

// organizationRows lists the organizations with what refers to them.
func organizationRows(cfg *Config) []organizationRow {
	rows := make([]organizationRow, len(cfg.Organizations))
	at := map[string]int{}
	for i, o := range cfg.Organizations {
		at[o.ID] = i
		rows[i] = organizationRow{
			ID: o.ID, Name: o.Name, Disabled: o.Disabled, Domains: append([]string{}, o.Domains...), Connections: []string{}, ServiceProviders: []string{},
		}
	}
	for _, c := range cfg.claims() {
		name, value := c.record(cfg.IDP.EntityID)
		rows[at[c.organization]].Records = append(rows[at[c.organization]].Records, name+". TXT \""+value+"\"")
	}
	for _, c := range cfg.Connections {
		if c.Organization != "" {
			row := &rows[at[c.Organization]]
			row.Connections = append(row.Connections, c.ID)
		}
	}
	for _, sp := range cfg.ServiceProviders {
		for _, id := range sp.Organizations {
			row := &rows[at[id]]
			row.ServiceProviders = append(row.ServiceProviders, sp.ID)
		}
	}
	return rows
}

func organizationListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the organizations",
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, _, err := readConfig(configPath(cmd))
			if err != nil {
				return err
			}
			return printList(cmd, organizationRows(cfg), "ID NAME DOMAINS CONNECTIONS DISABLED", func(r organizationRow) []string {
				return []string{r.ID, r.Name, strings.Join(r.Domains, ","), strings.Join(r.Connections, ","), fmt.Sprint(r.Disabled)}
			})
		},
	}
}

func organizationShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show ID",
		Short: "Show one organization",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, _, err := readConfig(configPath(cmd))
			if err != nil {
				return err
			}
			var ids []string
			for _, r := range organizationRows(cfg) {
				if r.ID == args[0] {
					return showOrganization(cmd, r)
				}
				ids = append(ids, r.ID)
			}
			return errNoSuch("organization", args[0], ids)
		},
	}
}

func showOrganization(cmd *cobra.Command, r organizationRow) error {
	if wantsJSON(cmd) {
		return printJSON(cmd.OutOrStdout(), r)
	}
	_, err := fmt.Fprintf(cmd.OutOrStdout(), "id            %s\nname          %s\ndisabled      %t\ndomains       %s\nconnections   %s\napplications  %s\n",
		r.ID, r.Name, r.Disabled, strings.Join(r.Domains, ", "), strings.Join(r.Connections, ", "), strings.Join(r.ServiceProviders, ", "))
	if err == nil && len(r.Records) > 0 {
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "\nIts domains are proven by these records:\n%s\n", joinLines(r.Records))
	}
	return err
}

func organizationVerifyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "verify ID",
		Short: "Look up the DNS records that prove the mail domains of an organization, and keep what they prove",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, _, err := readConfig(configPath(cmd))
			if err != nil {
				return err
			}
			one := *cfg
			one.Organizations = slices.DeleteFunc(slices.Clone(cfg.Organizations), func(o OrganizationConfig) bool { return o.ID != args[0] })
			if len(one.Organizations) == 0 {
				var ids []string
				for _, o := range cfg.Organizations {
					ids = append(ids, o.ID)
				}
				return errNoSuch("organization", args[0], ids)
			}
			var proofs []proof
			err = withStore(cmd, cfg, func(ctx context.Context, db store.Store) error {
				proofs, err = proveDomains(ctx, db, newResolver(cfg.Server.DNS), &one, time.Now())
				return err
			})
			if err != nil {
				return err
			}
			return printProofs(cmd.OutOrStdout(), args[0], proofs)
		},
	}
}

func printProofs(w io.Writer, organization string, proofs []proof) error {
	if len(proofs) == 0 {
		_, err := fmt.Fprintf(w, "The domains of %s are its own by your word; with proof: dns its records would be looked up.\n", organization)
		return err
	}
	var failed []string
	for _, p := range proofs {
		if p.Err == nil {
			if _, err := fmt.Fprintf(w, "%s  proven\n", p.domain); err != nil {
				return err
			}
			continue
		}
		e := identity.AsError(p.Err)
		still := "it does not count"
		if p.Proven {
			still = "it still counts, as it was there within a week"
		}
		failed = append(failed, fmt.Sprintf("%s: %s, expected %s; %s", p.domain, e.Seen, e.Expected, still))
	}
	if len(failed) > 0 {
		return warnings{joinLines(failed)}
	}
	return nil
}
