package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/idp"
	"github.com/samlet-id/samlet/metadata"
)

func spCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "sp", Short: "Service providers: the applications people sign in to"}
	cmd.AddCommand(spAddCommand(), spRecipesCommand(), spListCommand(), spShowCommand(), spTestCommand(), spRefreshCommand(),
		spSwitchCommand("disable", true), spSwitchCommand("enable", false), spRemoveCommand())
	return cmd
}

// spRow is one line of `sp list`; its JSON is stable.
type spRow struct {
	ID       string   `json:"id"`
	Name     string   `json:"name"`
	EntityID string   `json:"entity_id"`
	ACS      []string `json:"acs"`
	Release  []string `json:"release"`
	Disabled bool     `json:"disabled"`
	Recipe   string   `json:"recipe,omitempty"`
	Paste    []pasted `json:"paste,omitempty"` // in `sp show` alone
}

func spRows(cmd *cobra.Command) ([]spRow, error) {
	snap, err := loadSnapshot(configPath(cmd))
	if err != nil {
		return nil, err
	}
	var rows []spRow
	for _, p := range snap.Parties {
		if p.builtIn {
			continue
		}
		row := spRow{ID: string(p.ID), Name: p.Name, EntityID: string(p.EntityID), Disabled: p.Disabled, Recipe: p.recipe}
		for _, acs := range p.Metadata.SP.ACS {
			row.ACS = append(row.ACS, acs.Location)
		}
		row.Release = mayHave(p.Party, snap.Catalogue)
		rows = append(rows, row)
	}
	return rows, nil
}

// mayHave lists the attributes that may leave towards a service provider.
func mayHave(p idp.Party, catalogue *identity.Catalogue) []string {
	names := []string{}
	for _, r := range p.Release {
		names = append(names, string(r.Attribute))
	}
	if !p.ReleaseRequested {
		return names
	}
	for _, service := range p.Metadata.SP.AttributeConsumingServices {
		for _, wanted := range service.Requested {
			if a, ok := catalogue.BySAMLName(wanted.Name); ok && !slices.Contains(names, string(a.Name)) {
				names = append(names, string(a.Name))
			}
		}
	}
	return names
}

func spListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the applications",
		RunE: func(cmd *cobra.Command, _ []string) error {
			rows, err := spRows(cmd)
			if err != nil {
				return err
			}
			return printList(cmd, rows, "ID ENTITYID RELEASE", func(r spRow) []string {
				return []string{r.ID, r.EntityID, strings.Join(r.Release, ",")}
			})
		},
	}
}

func spShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show ID",
		Short: "Show one application, and what to enter at its vendor's side",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			rows, err := spRows(cmd)
			if err != nil {
				return err
			}
			i := slices.IndexFunc(rows, func(r spRow) bool { return r.ID == args[0] })
			if i < 0 {
				var ids []string
				for _, r := range rows {
					ids = append(ids, r.ID)
				}
				return errNoSuch("service provider", args[0], ids)
			}
			return showSP(cmd, rows[i])
		},
	}
}

func showSP(cmd *cobra.Command, r spRow) error {
	snap, err := loadSnapshot(configPath(cmd))
	if err != nil {
		return err
	}
	vendor, paste, err := pasteOf(cmd, snap, r.ID)
	if err != nil {
		return err
	}
	r.Paste = paste
	out := cmd.OutOrStdout()
	if wantsJSON(cmd) {
		return printJSON(out, r)
	}
	fmt.Fprintf(out, "id        %s\nname      %s\nentityID  %s\nACS       %s\nrelease   %s\ndisabled  %t\n",
		r.ID, r.Name, r.EntityID, strings.Join(r.ACS, "\n          "), strings.Join(r.Release, ", "), r.Disabled)
	if len(paste) == 0 {
		return nil
	}
	fmt.Fprintf(out, "recipe    %s\n", r.Recipe)
	return printPaste(out, vendor.Title, paste)
}

func spRemoveCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "remove ID",
		Short: "Remove one application",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			path, id := configPath(cmd), args[0]
			err := editConfig(path, func(raw []byte) ([]byte, error) {
				const key = "service_providers"
				list, err := findList(raw, key)
				if err != nil {
					return nil, err
				}
				next, ok := list.replace(key, id, "")
				if ok {
					return next, nil
				}
				return nil, errNoSuch("service provider", id, list.ids())
			}, nil)
			if err != nil {
				return err
			}
			// The copy of the metadata that `sp add` made goes with its entry.
			if err := os.Remove(filepath.Join(filepath.Dir(path), "metadata", id+".xml")); err != nil && !os.IsNotExist(err) {
				return fmt.Errorf("removing the metadata: %w", err)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "Removed %s\n", id)
			return nil
		},
	}
}

func spOptions(cfg *Config) metadata.ParseOptions {
	return metadata.ParseOptions{Now: time.Now, Want: metadata.RoleSP, AllowHTTP: cfg.development()}
}
