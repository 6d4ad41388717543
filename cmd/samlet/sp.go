package main

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/idp"
	"github.com/samlet-id/samlet/metadata"
)

func spCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "sp", Short: "Service providers: the applications people sign in to"}
	cmd.AddCommand(spAddCommand(), spListCommand(), spShowCommand(), spRemoveCommand())
	return cmd
}

// spAdd is the command line of `sp add`.
type spAdd struct {
	Metadata string
	ID       string
	Name     string
	Release  []string
	Replace  bool
	released bool // --release was given, be it empty
}

func spAddCommand() *cobra.Command {
	var add spAdd
	cmd := &cobra.Command{
		Use:   "add",
		Short: "Add an application by its metadata; a running samlet takes it over within a second",
		RunE: func(cmd *cobra.Command, _ []string) error {
			add.released = cmd.Flags().Changed("release")
			return add.run(cmd)
		},
	}
	cmd.Flags().StringVar(&add.Metadata, "metadata", "", "the application's SAML metadata: a `file or URL`")
	cmd.Flags().StringVar(&add.ID, "id", "", "a short `name` for URLs and logs; made from the entityID if left out")
	cmd.Flags().StringVar(&add.Name, "name", "", "what people read")
	cmd.Flags().StringSliceVar(&add.Release, "release", nil, "the `attributes` it may have; left out, those its metadata requests")
	cmd.Flags().BoolVar(&add.Replace, "replace", false, "put it in the place of the entry with that id")
	return cmd
}

func (a *spAdd) run(cmd *cobra.Command) error {
	if a.Metadata == "" {
		return usageError{fmt.Errorf("--metadata is missing: the application's metadata, a file or a URL")}
	}
	path := configPath(cmd)
	cfg, _, err := readConfig(path)
	if err != nil {
		return err
	}
	raw, err := readMetadata(cmd.Context(), cfg, a.Metadata)
	if err != nil {
		return err
	}
	entity, err := metadata.Parse(raw, spOptions(cfg))
	if err != nil {
		return fmt.Errorf("%s: %w", a.Metadata, err)
	}
	if a.ID == "" {
		a.ID = slugOf(string(entity.EntityID))
	}
	if !identity.ValidSlug(a.ID) {
		return usageError{fmt.Errorf("--id: want lower-case letters, digits, - and _, at most 64, got %q", a.ID)}
	}
	if err := a.store(path, raw, entity); err != nil {
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "Added %s (%s)\nIts IdP metadata is %s/saml/metadata\n", a.ID, entity.EntityID, cfg.Server.BaseURL)
	return nil
}

// store writes the metadata beside the configuration and the entry into it, in
// this order, so that the running samlet never sees an entry without its file.
func (a *spAdd) store(path string, raw []byte, entity *metadata.Entity) error {
	file := filepath.Join("metadata", a.ID+".xml")
	return editConfig(path, func(text []byte) ([]byte, error) {
		const key = "service_providers"
		list, err := findList(text, key)
		if err != nil {
			return nil, err
		}
		if err := a.alone(path, entity); err != nil {
			return nil, err
		}
		taken := slices.ContainsFunc(list.items, func(it listItem) bool { return it.id == a.ID })
		if taken && !a.Replace {
			return nil, &identity.Error{Kind: identity.KindExists, Code: "cfg.exists", Who: identity.WhoOperator,
				Msg: fmt.Sprintf("there is a service provider %q already; --replace puts this one in its place", a.ID)}
		}
		item, err := a.entry(file)
		if err != nil {
			return nil, err
		}
		if next, ok := list.replace(key, a.ID, item); ok {
			return next, nil
		}
		return list.append(key, item), nil
	}, func() error {
		if err := os.MkdirAll(filepath.Join(filepath.Dir(path), "metadata"), 0o700); err != nil {
			return fmt.Errorf("making the folder: %w", err)
		}
		return replaceFile(filepath.Join(filepath.Dir(path), file), raw)
	})
}

// alone refuses an entityID that another entry has: requests could not be told
// apart.
func (a *spAdd) alone(path string, entity *metadata.Entity) error {
	snap, err := loadSnapshot(path)
	if faulty := (*configError)(nil); errors.As(err, &faulty) {
		return nil // new metadata may be what mends it
	}
	if err != nil {
		return err
	}
	for _, p := range snap.Parties {
		if p.EntityID == entity.EntityID && string(p.ID) != a.ID {
			return &identity.Error{Kind: identity.KindExists, Code: "cfg.exists", Who: identity.WhoOperator,
				Msg: fmt.Sprintf("%s is known already, as %s; `--id %s --replace` puts this metadata in its place", entity.EntityID, p.ID, p.ID)}
		}
	}
	return nil
}

// entry is the YAML of the new service provider.
func (a *spAdd) entry(file string) (string, error) {
	type source struct {
		File string `yaml:"file"`
		URL  string `yaml:"url,omitempty"`
	}
	type rule struct {
		Attribute string `yaml:"attribute"`
	}
	e := struct {
		ID        string `yaml:"id"`
		Name      string `yaml:"name,omitempty"`
		Metadata  source `yaml:"metadata,flow"`
		Release   []rule `yaml:"release,flow"`
		Requested bool   `yaml:"release_requested,omitempty"`
	}{ID: a.ID, Name: a.Name, Metadata: source{File: file}, Release: []rule{}}
	if isURL(a.Metadata) {
		e.Metadata.URL = a.Metadata
	}
	for _, n := range a.Release {
		e.Release = append(e.Release, rule{strings.TrimSpace(n)})
	}
	e.Requested = !a.released
	text, err := yaml.Marshal([]any{e})
	if err != nil {
		return "", fmt.Errorf("writing the entry: %w", err)
	}
	return string(text), nil
}

// slugOf makes an id from an entityID: host and path of a URL, else the last
// part of a URN.
func slugOf(entityID string) string {
	s := entityID
	if u, err := url.Parse(entityID); err == nil && u.Host != "" {
		s = u.Host + u.Path
	}
	var b strings.Builder
	for _, r := range strings.ToLower(s) {
		switch {
		case 'a' <= r && r <= 'z' || '0' <= r && r <= '9':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	return strings.Trim(b.String()[:min(b.Len(), 64)], "-")
}

// spRow is one line of `sp list`; its JSON is stable.
type spRow struct {
	ID       string   `json:"id"`
	Name     string   `json:"name"`
	EntityID string   `json:"entity_id"`
	ACS      []string `json:"acs"`
	Release  []string `json:"release"`
	Disabled bool     `json:"disabled"`
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
		row := spRow{ID: string(p.ID), Name: p.Name, EntityID: string(p.EntityID), Disabled: p.Disabled}
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
		Short: "Show one application",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			rows, err := spRows(cmd)
			if err != nil {
				return err
			}
			var ids []string
			for _, r := range rows {
				if r.ID != args[0] {
					ids = append(ids, r.ID)
					continue
				}
				if wantsJSON(cmd) {
					return printJSON(cmd.OutOrStdout(), r)
				}
				fmt.Fprintf(cmd.OutOrStdout(), "id        %s\nname      %s\nentityID  %s\nACS       %s\nrelease   %s\ndisabled  %t\n",
					r.ID, r.Name, r.EntityID, strings.Join(r.ACS, "\n          "), strings.Join(r.Release, ", "), r.Disabled)
				return nil
			}
			return errNoSuch("service provider", args[0], ids)
		},
	}
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
				var ids []string
				for _, it := range list.items {
					ids = append(ids, it.id)
				}
				return nil, errNoSuch("service provider", id, ids)
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
