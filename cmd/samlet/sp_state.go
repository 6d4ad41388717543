package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/metadata"
)

// spSwitchCommand is `sp disable` or `sp enable`.
func spSwitchCommand(verb string, disabled bool) *cobra.Command {
	short := "Let people sign in to an application again"
	if disabled {
		short = "Keep everybody out of an application, its entry kept"
	}
	return &cobra.Command{
		Use: verb + " ID", Short: short, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			err := editConfig(configPath(cmd), func(raw []byte) ([]byte, error) {
				list, err := findList(raw, "service_providers")
				if err != nil {
					return nil, err
				}
				next, ok, err := list.set(args[0], "disabled", fmt.Sprint(disabled))
				if !ok {
					return nil, errNoSuch("service provider", args[0], list.ids())
				}
				return next, err
			}, nil)
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%sd %s\n", map[bool]string{true: "Disable", false: "Enable"}[disabled], args[0])
			return nil
		},
	}
}

func spRefreshCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "refresh ID",
		Short: "Fetch an application's metadata anew, before its time",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			path, id := configPath(cmd), args[0]
			cfg, _, err := readConfig(path)
			if err != nil {
				return err
			}
			i := slices.IndexFunc(cfg.ServiceProviders, func(sp ServiceProviderConfig) bool { return sp.ID == id })
			if i < 0 {
				var ids []string
				for _, sp := range cfg.ServiceProviders {
					ids = append(ids, sp.ID)
				}
				return errNoSuch("service provider", id, ids)
			}
			changed, err := refreshOne(cmd, cfg, cfg.ServiceProviders[i])
			if err != nil {
				return err
			}
			if !changed {
				fmt.Fprintf(cmd.OutOrStdout(), "The metadata of %s is as it was\n", id)
				return nil
			}
			fmt.Fprintf(cmd.OutOrStdout(), "The metadata of %s has changed, and is taken over\n", id)
			return nil
		},
	}
}

// refreshOne fetches the metadata of sp and keeps it as the copy that a running
// samlet reads. Metadata of another application is refused.
func refreshOne(cmd *cobra.Command, cfg *Config, sp ServiceProviderConfig) (changed bool, err error) {
	if sp.Metadata.URL == "" {
		return false, &identity.Error{Kind: identity.KindInvalid, Code: "cfg.metadata", Who: identity.WhoOperator,
			Msg: fmt.Sprintf("the metadata of %s has no URL; `samlet sp add --metadata FILE --id %s --replace` takes a newer file", sp.ID, sp.ID)}
	}
	raw, err := fetchMetadata(cmd.Context(), cfg, sp.Metadata.URL)
	if err != nil {
		return false, err
	}
	fresh, err := metadata.Parse(raw, spOptions(cfg))
	if err != nil {
		return false, fmt.Errorf("%s: %w", sp.Metadata.URL, err)
	}
	file := metadataCopy(filepath.Dir(configPath(cmd)), "sp-"+sp.ID, sp.Metadata)
	before, err := os.ReadFile(file)
	if err != nil && !os.IsNotExist(err) {
		return false, fmt.Errorf("reading the copy: %w", err)
	}
	if bytes.Equal(before, raw) {
		return false, nil
	}
	if old, err := metadata.Parse(before, spOptions(cfg)); err == nil && old.EntityID != fresh.EntityID {
		return false, &identity.Error{Kind: identity.KindInvalid, Code: "cfg.metadata", Who: identity.WhoVendor,
			Msg: "There is the metadata of another application at this address now; nothing was changed.", Seen: string(fresh.EntityID), Expected: string(old.EntityID)}
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return false, fmt.Errorf("making the folder: %w", err)
	}
	return true, replaceFile(file, raw)
}
