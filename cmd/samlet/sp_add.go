package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/metadata"
)

// spAdd is the command line of `sp add`.
type spAdd struct {
	Metadata     string
	Recipe       string
	Set          []string
	ID           string
	Name         string
	Release      []string
	IDPInitiated bool
	Replace      bool
	released     bool // --release was given, be it empty
}

func spAddCommand() *cobra.Command {
	var add spAdd
	cmd := &cobra.Command{
		Use:   "add",
		Short: "Add an application by its metadata or by a recipe; a running samlet takes it over within a second",
		RunE: func(cmd *cobra.Command, _ []string) error {
			add.released = cmd.Flags().Changed("release")
			return add.run(cmd)
		},
	}
	cmd.Flags().StringVar(&add.Metadata, "metadata", "", "the application's SAML metadata: a `file or URL`")
	cmd.Flags().StringVar(&add.Recipe, "recipe", "", "a `recipe`, as `samlet sp recipes` lists them")
	cmd.Flags().StringArrayVar(&add.Set, "set", nil, "a parameter of the recipe as `name=value`; repeat it for others")
	cmd.Flags().StringVar(&add.ID, "id", "", "a short `name` for URLs and logs; the recipe's, or made from the entityID, if left out")
	cmd.Flags().StringVar(&add.Name, "name", "", "what people read")
	cmd.Flags().StringSliceVar(&add.Release, "release", nil, "the `attributes` it may have; left out, those its metadata requests")
	cmd.Flags().BoolVar(&add.IDPInitiated, "idp-initiated", false, "let people start here, without a request of the application")
	cmd.Flags().BoolVar(&add.Replace, "replace", false, "put it in the place of the entry with that id")
	return cmd
}

// addition is what `sp add` puts into the configuration.
type addition struct {
	id         string
	entityID   identity.EntityID
	issuer     identity.EntityID // of ours, for it alone; empty: none
	entry      *yaml.Node        // of service_providers
	attributes []*yaml.Node      // rows that the catalogue needs
	metadata   []byte            // to be kept beside the configuration; nil: none
}

func (a *spAdd) run(cmd *cobra.Command) error {
	path := configPath(cmd)
	if err := a.check(); err != nil {
		return err
	}
	cfg, _, err := readConfig(path)
	if err != nil {
		return err
	}
	raw, entity, err := a.readMetadata(cmd.Context(), cfg)
	if err != nil {
		return err
	}
	made, err := a.make(cfg, raw, entity)
	if err != nil {
		return err
	}
	if !identity.ValidSlug(made.id) {
		return usageError{fmt.Errorf("--id: want lower-case letters, digits, - and _, at most 64, got %q", made.id)}
	}
	if err := a.store(path, made); err != nil {
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "Added %s (%s)\nIts IdP metadata is %s/saml/metadata\n", made.id, made.entityID, cfg.Server.BaseURL)
	if a.Recipe == "" {
		return nil
	}
	return printPasteOf(cmd, made.id)
}

// check refuses flags that do not go together.
func (a *spAdd) check() error {
	switch {
	case a.Recipe == "" && a.Metadata == "":
		return usageError{errors.New("--metadata is missing: the application's metadata, a file or a URL; or name a --recipe")}
	case a.Recipe == "" && len(a.Set) > 0:
		return usageError{errors.New("--set fills in the parameters of a recipe; name one with --recipe")}
	case a.Recipe != "" && a.released:
		return usageError{errors.New("--release does not go with --recipe, whose entry says what is released; edit it afterwards")}
	}
	return nil
}

// readMetadata reads what --metadata names; nothing if it was left out.
func (a *spAdd) readMetadata(ctx context.Context, cfg *Config) ([]byte, *metadata.Entity, error) {
	if a.Metadata == "" {
		return nil, nil, nil
	}
	raw, err := readMetadata(ctx, cfg, a.Metadata)
	if err != nil {
		return nil, nil, err
	}
	entity, err := metadata.Parse(raw, spOptions(cfg))
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", a.Metadata, err)
	}
	return raw, entity, nil
}

func (a *spAdd) make(cfg *Config, raw []byte, entity *metadata.Entity) (addition, error) {
	if a.Recipe != "" {
		return a.cook(cfg, raw, entity)
	}
	return a.plain(raw, entity)
}

// plain makes an entry of metadata alone.
func (a *spAdd) plain(raw []byte, entity *metadata.Entity) (addition, error) {
	made := addition{id: a.ID, entityID: entity.EntityID, metadata: raw}
	if made.id == "" {
		made.id = slugOf(string(entity.EntityID))
	}
	entry, err := a.plainEntry(made.id)
	made.entry = entry
	return made, err
}

// store writes the metadata beside the configuration and the entry into it, in
// this order, so that the running samlet never sees an entry without its file.
func (a *spAdd) store(path string, made addition) error {
	return editConfig(path, func(text []byte) ([]byte, error) {
		const key = "service_providers"
		list, err := findList(text, key)
		if err != nil {
			return nil, err
		}
		if err := a.alone(path, made); err != nil {
			return nil, err
		}
		taken := slices.ContainsFunc(list.items, func(it listItem) bool { return it.id == made.id })
		if taken && !a.Replace {
			return nil, &identity.Error{Kind: identity.KindExists, Code: "cfg.exists", Who: identity.WhoOperator,
				Msg: fmt.Sprintf("there is a service provider %q already; --replace puts this one in its place", made.id)}
		}
		item, err := listItemOf(made.entry)
		if err != nil {
			return nil, err
		}
		next, ok := list.replace(key, made.id, item)
		if !ok {
			next = list.append(key, item)
		}
		return addAttributes(next, made.attributes)
	}, func() error {
		if made.metadata == nil {
			return nil
		}
		if err := os.MkdirAll(filepath.Join(filepath.Dir(path), "metadata"), 0o700); err != nil {
			return fmt.Errorf("making the folder: %w", err)
		}
		return replaceFile(filepath.Join(filepath.Dir(path), metadataFile(made.id)), made.metadata)
	})
}

// metadataFile is where `sp add` keeps the metadata of an entry.
func metadataFile(id string) string { return filepath.Join("metadata", id+".xml") }

// alone refuses an entityID that another entry has: requests could not be told
// apart.
func (a *spAdd) alone(path string, made addition) error {
	snap, err := loadSnapshot(path)
	if faulty := (*configError)(nil); errors.As(err, &faulty) {
		return nil // what is added may be what mends it
	}
	if err != nil {
		return err
	}
	for _, p := range snap.Parties {
		if p.EntityID == made.entityID && p.Issuer == made.issuer && string(p.ID) != made.id {
			return &identity.Error{Kind: identity.KindExists, Code: "cfg.exists", Who: identity.WhoOperator,
				Msg: fmt.Sprintf("%s is known already, as %s; `--id %s --replace` puts this metadata in its place", made.entityID, p.ID, p.ID)}
		}
	}
	return nil
}

// plainEntry is the entry of an application that is added by its metadata.
func (a *spAdd) plainEntry(id string) (*yaml.Node, error) {
	type rule struct {
		Attribute string `yaml:"attribute"`
	}
	type session struct {
		IDPInitiated bool `yaml:"idp_initiated"`
	}
	e := struct {
		ID        string     `yaml:"id"`
		Name      string     `yaml:"name,omitempty"`
		Metadata  *yaml.Node `yaml:"metadata"`
		Release   []rule     `yaml:"release,flow"`
		Requested bool       `yaml:"release_requested,omitempty"`
		Session   *session   `yaml:"session,flow,omitempty"`
	}{ID: id, Name: a.Name, Metadata: a.sourceNode(id), Release: []rule{}, Requested: !a.released}
	for _, n := range a.Release {
		e.Release = append(e.Release, rule{strings.TrimSpace(n)})
	}
	if a.IDPInitiated {
		e.Session = &session{true}
	}
	var n yaml.Node
	if err := n.Encode(e); err != nil {
		return nil, fmt.Errorf("writing the entry: %w", err)
	}
	return &n, nil
}

// sourceNode is the YAML of metadata that is kept as a file, and fetched anew if
// it came from a URL.
func (a *spAdd) sourceNode(id string) *yaml.Node {
	n := flowNode("file", metadataFile(id))
	if isURL(a.Metadata) {
		n.Content = append(n.Content, flowNode("url", a.Metadata).Content...)
	}
	return n
}

// flowNode is the YAML mapping {key: value} on one line.
func flowNode(key, value string) *yaml.Node {
	return &yaml.Node{Kind: yaml.MappingNode, Style: yaml.FlowStyle, Content: []*yaml.Node{textNode(key), textNode(value)}}
}

func textNode(s string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s} }

// listItemOf is the YAML of a list with the one item n.
func listItemOf(n *yaml.Node) (string, error) { return yamlText([]*yaml.Node{n}) }

// yamlText is v in YAML, indented as config.yaml is.
func yamlText(v any) (string, error) {
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := errors.Join(enc.Encode(v), enc.Close()); err != nil {
		return "", fmt.Errorf("writing YAML: %w", err)
	}
	return b.String(), nil
}

// addAttributes adds those rows to the catalogue that it lacks.
func addAttributes(text []byte, rows []*yaml.Node) ([]byte, error) {
	const key = "attributes"
	for _, row := range rows {
		list, err := findList(text, key)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(list.items, func(it listItem) bool { return it.id == itemID(row) }) {
			continue
		}
		item, err := listItemOf(row)
		if err != nil {
			return nil, err
		}
		text = list.append(key, item)
	}
	return text, nil
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
