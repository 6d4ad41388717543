package main

import (
	"fmt"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/metadata"
)

// cook makes an entry by a recipe.
func (a *spAdd) cook(cfg *Config, raw []byte, entity *metadata.Entity) (addition, error) {
	r, err := findRecipe(a.Recipe)
	if err != nil {
		return addition{}, err
	}
	ours := map[string]string{"base_url": cfg.Server.BaseURL, "our_entity_id": cfg.IDP.EntityID}
	values, err := r.values(a.Set, entity != nil, ours)
	if err != nil {
		return addition{}, err
	}
	made := addition{id: a.ID, metadata: raw}
	if made.id == "" {
		made.id = r.ID
	}
	body := filled(r.entry, values)
	if made.entityID, err = a.entityOf(r, body, entity); err != nil {
		return addition{}, err
	}
	made.entry = &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{textNode("id"), textNode(made.id)}}
	name := a.Name
	if name == "" {
		name = r.Title
	}
	put(made.entry, "name", textNode(name))
	put(made.entry, "recipe", textNode(r.ID))
	if entity != nil {
		put(made.entry, "metadata", a.sourceNode(made.id))
	}
	for i := 0; i+1 < len(body.Content); i += 2 {
		if child(made.entry, body.Content[i].Value) == nil {
			made.entry.Content = append(made.entry.Content, body.Content[i], body.Content[i+1])
		}
	}
	if own := child(child(made.entry, "idp"), "entity_id"); own != nil {
		made.issuer = identity.EntityID(own.Value)
	}
	if a.IDPInitiated {
		session := child(made.entry, "session")
		if session == nil {
			session = &yaml.Node{Kind: yaml.MappingNode, Style: yaml.FlowStyle}
			put(made.entry, "session", session)
		}
		put(session, "idp_initiated", &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: "true"})
	}
	if r.attributes != nil {
		made.attributes = filled(r.attributes, values).Content
	}
	return made, nil
}

// entityOf returns the entityID of the new entry. Metadata of another
// application than the parameters tell of is refused.
func (a *spAdd) entityOf(r recipe, body *yaml.Node, entity *metadata.Entity) (identity.EntityID, error) {
	said := ""
	if inline := child(child(body, "metadata"), "inline"); inline != nil {
		said = child(inline, "entity_id").Value
	}
	if entity == nil {
		return identity.EntityID(said), nil
	}
	if said != "" && !blank.MatchString(said) && said != string(entity.EntityID) {
		return "", &identity.Error{Kind: identity.KindInvalid, Code: "cfg.metadata", Who: identity.WhoOperator,
			Msg:  fmt.Sprintf("The metadata is of another application than the recipe %s makes of these parameters.", r.ID),
			Seen: string(entity.EntityID), Expected: said}
	}
	return entity.EntityID, nil
}

// put adds a key to a YAML mapping.
func put(n *yaml.Node, key string, value *yaml.Node) {
	n.Content = append(n.Content, textNode(key), value)
}

// filled is a copy of n with its blanks filled in, in comments too.
func filled(n *yaml.Node, values map[string]string) *yaml.Node {
	out := *n
	out.Value = fill(n.Value, values)
	out.HeadComment, out.LineComment, out.FootComment = fill(n.HeadComment, values), fill(n.LineComment, values), fill(n.FootComment, values)
	out.Content = nil
	for _, c := range n.Content {
		out.Content = append(out.Content, filled(c, values))
	}
	return &out
}

// printPasteOf prints what to enter at the side of the vendor of an entry.
func printPasteOf(cmd *cobra.Command, id string) error {
	snap, err := loadSnapshot(configPath(cmd))
	if err != nil {
		return err
	}
	r, lines, err := pasteOf(cmd, snap, id)
	if err != nil || len(lines) == 0 {
		return err
	}
	if err := printPaste(cmd.OutOrStdout(), r.Title, lines); err != nil {
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "\n`samlet sp recipes %s` says what else matters; `samlet sp test %s --user LOGIN` shows what would be sent.\n", r.ID, id)
	return nil
}

// pasteOf returns what to enter at the vendor's side for the entry id; nothing
// if no recipe that we know made it.
func pasteOf(cmd *cobra.Command, snap *snapshot, id string) (r recipe, lines []pasted, err error) {
	p, err := snap.party(id)
	if err != nil || p.recipe == "" {
		return recipe{}, nil, err
	}
	if r, err = findRecipe(p.recipe); err != nil {
		return recipe{}, nil, nil //nolint:nilerr // a recipe of another version of samlet is no fault of the entry
	}
	s, err := openStage(cmd.Context(), stageConfig{Snapshot: snap})
	if err != nil {
		return recipe{}, nil, err
	}
	lines, err = r.paste(s.house, p)
	if cerr := s.Close(cmd.Context()); err == nil {
		err = cerr
	}
	return r, lines, err
}
