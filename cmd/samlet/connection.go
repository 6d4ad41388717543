package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/samlet-id/samlet/broker/ldap"
	"github.com/samlet-id/samlet/broker/rp"
	"github.com/samlet-id/samlet/identity"
)

func connectionCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "connection", Short: "Connections: where people come from"}
	cmd.AddCommand(connectionListCommand(), connectionShowCommand(), connectionTestCommand(), connectionRelinkCommand())
	return cmd
}

// connectionRow is one line of `connection list`; its JSON is stable.
type connectionRow struct {
	ID           string   `json:"id"`
	Type         string   `json:"type"`
	Name         string   `json:"name"`
	Organization string   `json:"organization,omitempty"`
	EmailDomains []string `json:"email_domains"`
	EntityID     string   `json:"entity_id,omitempty"`
	Certificates []string `json:"certificates,omitempty"` // subject and end of validity
	ACS          string   `json:"acs,omitempty"`          // ours, for the partner
	SPMetadata   string   `json:"sp_metadata,omitempty"`  // ours, for the partner
	// Ours, for the OpenID Provider, by the names of client metadata (OpenID Connect
	// Dynamic Client Registration 1.0, 2).
	RedirectURI  string `json:"redirect_uri,omitempty"`
	JWKSURI      string `json:"jwks_uri,omitempty"`
	PostLogout   string `json:"post_logout_redirect_uri,omitempty"`
	BackChannel  string `json:"backchannel_logout_uri,omitempty"`
	FrontChannel string `json:"frontchannel_logout_uri,omitempty"`
	Initiate     string `json:"initiate_login_uri,omitempty"`

	Findings []string `json:"findings,omitempty"`
	Disabled bool     `json:"disabled"`
}

// connectionRows lists every connection of the configuration. One whose metadata
// is missing has a finding in its place.
func connectionRows(snap *snapshot) []connectionRow {
	var rows []connectionRow
	base := snap.Config.Server.BaseURL
	for _, c := range snap.Config.Connections {
		row := connectionRow{ID: c.ID, Type: c.Type, Name: c.Name, Organization: c.Organization, EmailDomains: append([]string{}, c.EmailDomains...), Disabled: c.Disabled}
		if c.Type == "ldap" {
			row.EntityID = "ldap:" + row.ID
		}
		if c.Type == "saml" {
			row.ACS = base + pathACS + row.ID
			row.SPMetadata = base + pathSPMetadata + row.ID + "/metadata"
			row.describe(snap.connection(c.ID))
		}
		if c.byOAuth() {
			row.EntityID, row.RedirectURI = c.Issuer, base+pathCallback+row.ID
		}
		if c.Type == "oidc" {
			row.PostLogout = base + pathOIDCLogout + row.ID
			row.BackChannel, row.FrontChannel = row.PostLogout+pathLogoutBack, row.PostLogout+pathLogoutFront
			if c.TokenEndpointAuthMethod == rp.AuthPrivateKey {
				row.JWKSURI = base + pathJWKS
			}
			if len(c.IDPInitiated) > 0 {
				row.Initiate = base + pathInitiate + row.ID
			}
		}
		rows = append(rows, row)
	}
	return rows
}

// describe fills in what the upstream's metadata says.
func (row *connectionRow) describe(c *connection) {
	if c == nil {
		row.Findings = []string{fmt.Sprintf("%s has no metadata that can be used; until it has, nobody can come in by it", row.ID)}
		return
	}
	row.EntityID, row.Findings = string(c.Metadata.EntityID), c.Metadata.Findings
	for _, k := range c.Metadata.IDP.Certificates {
		row.Certificates = append(row.Certificates, fmt.Sprintf("%s until %s", k.Certificate.Subject, k.Certificate.NotAfter.UTC().Format("2006-01-02")))
	}
}

func connectionListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the connections",
		RunE: func(cmd *cobra.Command, _ []string) error {
			snap, err := loadSnapshot(configPath(cmd))
			if err != nil {
				return err
			}
			err = printList(cmd, connectionRows(snap), "ID TYPE NAME DOMAINS ENTITYID", func(r connectionRow) []string {
				return []string{r.ID, r.Type, r.Name, strings.Join(r.EmailDomains, ","), r.EntityID}
			})
			if err == nil && len(snap.Warnings) > 0 {
				return warnings{joinLines(snap.Warnings)}
			}
			return err
		},
	}
}

func findConnection(snap *snapshot, id string) (connectionRow, error) {
	var ids []string
	for _, r := range connectionRows(snap) {
		if r.ID == id {
			return r, nil
		}
		ids = append(ids, r.ID)
	}
	return connectionRow{}, errNoSuch("connection", id, ids)
}

func connectionShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show ID",
		Short: "Show one connection, and what its partner needs from us",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			snap, err := loadSnapshot(configPath(cmd))
			if err != nil {
				return err
			}
			r, err := findConnection(snap, args[0])
			if err != nil {
				return err
			}
			if wantsJSON(cmd) {
				return printJSON(cmd.OutOrStdout(), r)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "id            %s\ntype          %s\nname          %s\ndomains       %s\ndisabled      %t\n",
				r.ID, r.Type, r.Name, strings.Join(r.EmailDomains, ", "), r.Disabled)
			if r.Type == "oauth" {
				fmt.Fprintf(cmd.OutOrStdout(), "issuer        %s\n\nFor the partner:\nredirect_uri              %s\n", r.EntityID, r.RedirectURI)
			}
			if r.Type == "oidc" {
				fmt.Fprintf(cmd.OutOrStdout(), "issuer        %s\n\nFor the partner:\nredirect_uri              %s\npost_logout_redirect_uri  %s\nbackchannel_logout_uri    %s\nfrontchannel_logout_uri   %s\n",
					r.EntityID, r.RedirectURI, r.PostLogout, r.BackChannel, r.FrontChannel)
				if r.JWKSURI != "" {
					fmt.Fprintf(cmd.OutOrStdout(), "jwks_uri                  %s\n", r.JWKSURI)
				}
				if r.Initiate != "" {
					fmt.Fprintf(cmd.OutOrStdout(), "initiate_login_uri        %s\n", r.Initiate)
				}
			}
			if r.Type != "saml" {
				return nil
			}
			fmt.Fprintf(cmd.OutOrStdout(), "entityID      %s\ncertificates  %s\n\nFor the partner:\nmetadata      %s\nACS           %s\n",
				r.EntityID, strings.Join(r.Certificates, "\n              "), r.SPMetadata, r.ACS)
			return nil
		},
	}
}

func connectionTestCommand() *cobra.Command {
	var in trialInput
	cmd := &cobra.Command{
		Use:   "test ID",
		Short: "Check a connection's metadata, OpenID Provider or directory; with --claims or --response, show whom they would become, without keeping anything",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if in.given() {
				return tryConnection(cmd, args[0], in)
			}
			return checkConnection(cmd, args[0])
		},
	}
	cmd.Flags().StringVar(&in.Claims, "claims", "", "what the upstream says of somebody, as JSON or lines NAME: VALUE: a `file`, or - for what comes by pipe")
	cmd.Flags().StringVar(&in.Response, "response", "", "or a SAML Response that was captured: a `file`, or -")
	cmd.Flags().StringVar(&in.Subject, "subject", "", "with --claims: the `NameID` or sub that the person has there, where the claims do not say")
	cmd.Flags().StringVar(&in.At, "at", "", "with --response: judge by this `time`; left out, when a capture says it was sent, else now")
	return cmd
}

// checkConnection says whether the upstream can be asked.
func checkConnection(cmd *cobra.Command, id string) error {
	snap, err := refreshSnapshot(cmd.Context(), configPath(cmd))
	if err != nil {
		return err
	}
	r, err := findConnection(snap, id)
	if err != nil {
		return err
	}
	if r.Type == "saml" && r.EntityID == "" {
		return &identity.Error{Kind: identity.KindUnavailable, Code: "cfg.metadata", Who: identity.WhoPartner, Msg: joinLines(append(r.Findings, snap.warningsOf(r.ID)...))}
	}
	if c := snap.connection(r.ID); c != nil && c.directory != nil {
		d, err := ldap.New(*c.directory)
		if err != nil {
			return err
		}
		defer d.Close()
		if err := d.Check(cmd.Context()); err != nil {
			return err
		}
	}
	if c := snap.connection(r.ID); c != nil && c.config.byOAuth() {
		if err := checkProvider(cmd.Context(), snap, c.ID); err != nil {
			return err
		}
	}
	if wantsJSON(cmd) {
		if err := printJSON(cmd.OutOrStdout(), r); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(cmd.OutOrStdout(), "%s can be asked: %s\nTry it:  %s%s\nWhom somebody would become:  samlet connection test %s --claims FILE, or --response FILE of a captured Response\n",
			r.ID, orLocal(r.EntityID), snap.Config.Server.BaseURL, pathTest, r.ID)
	}
	if r.Disabled {
		return warnings{r.ID + " is disabled"}
	}
	if findings := append(r.Findings, snap.warningsOf(r.ID)...); len(findings) > 0 {
		return warnings{joinLines(findings)}
	}
	return nil
}

func orLocal(entityID string) string {
	if entityID == "" {
		return "people sign in with samlet itself"
	}
	return entityID
}
