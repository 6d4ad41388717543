package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// recipeRow is one line of `sp recipes`; its JSON is stable.
type recipeRow struct {
	ID         string         `json:"id"`
	Title      string         `json:"title"`
	Metadata   string         `json:"metadata"` // optional or required
	Parameters []parameterRow `json:"parameters"`
}

type parameterRow struct {
	Name    string `json:"name"`
	Label   string `json:"label"`
	Example string `json:"example"`
	Default string `json:"default,omitempty"`
}

func spRecipesCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "recipes [RECIPE]",
		Short: "List the recipes for well-known applications, or say all about one",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				r, err := findRecipe(args[0])
				if err != nil {
					return err
				}
				if wantsJSON(cmd) {
					return printJSON(cmd.OutOrStdout(), r.row())
				}
				_, err = fmt.Fprint(cmd.OutOrStdout(), r.page())
				return err
			}
			all, err := loadRecipes()
			if err != nil {
				return err
			}
			rows := make([]recipeRow, len(all))
			for i, r := range all {
				rows[i] = r.row()
			}
			return printList(cmd, rows, "RECIPE APPLICATION NEEDS", func(r recipeRow) []string {
				return []string{r.ID, r.Title, strings.Join(r.needs(), " ")}
			})
		},
	}
}

func (r recipe) row() recipeRow {
	row := recipeRow{ID: r.ID, Title: r.Title, Metadata: r.Metadata, Parameters: []parameterRow{}}
	for _, p := range r.Parameters {
		row.Parameters = append(row.Parameters, parameterRow{Name: p.Name, Label: p.Label, Example: p.Example, Default: p.Default})
	}
	return row
}

// needs are the flags that the recipe cannot do without.
func (r recipeRow) needs() []string {
	var flags []string
	if r.Metadata == "required" {
		flags = append(flags, "--metadata FILE|URL")
	}
	for _, p := range r.Parameters {
		if p.Default == "" {
			flags = append(flags, "--set "+p.Name+"=…")
		}
	}
	return flags
}

// page is the recipe's page in docs/recipes.
func (r recipe) page() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n%s\n\n", r.Title, r.Intro)
	command := "samlet sp add --recipe " + r.ID
	if r.Metadata == "required" {
		command += " --metadata metadata.xml"
	}
	for _, p := range r.Parameters {
		if p.Default == "" {
			command += " --set " + p.Name + "=" + quoted(p.Example)
		}
	}
	fmt.Fprintf(&b, "```console\n$ %s\n```\n\n", command)
	if r.Metadata == "optional" {
		b.WriteString("With `--metadata FILE|URL` the application's own metadata takes the place of the addresses below, and brings its keys along.\n\n")
	}
	r.writeParameters(&b)
	writeSection(&b, "Before", r.Before)
	r.writeSent(&b)
	b.WriteString("## What to enter there\n\n`samlet sp add` and `samlet sp show ID` print the values.\n\n| there | value |\n|---|---|\n")
	for _, line := range r.Paste {
		value := pasteWords()[line.Value]
		if word, ok := literalPaste(line.Value); ok {
			value = "`" + word + "`"
		}
		fmt.Fprintf(&b, "| %s | %s |\n", line.To, value)
	}
	b.WriteString("\n")
	writeSection(&b, "Read in the vendor's documents", r.Read)
	writeSection(&b, "To be confirmed in the vendor's current documents", append([]string{"The words for the settings, which change: where a page looks otherwise, the page is right."}, r.Confirm...))
	writeSection(&b, "Try it", r.Test)
	writeSection(&b, "Take it away", append(r.Remove, "Then `samlet sp remove ID`; `samlet sp disable ID` keeps the entry."))
	writeSection(&b, "The vendor's documents", r.Documents)
	return strings.TrimRight(b.String(), "\n") + "\n"
}

func quoted(s string) string {
	if strings.ContainsAny(s, " ?&*#") {
		return "'" + s + "'"
	}
	return s
}

func (r recipe) writeParameters(b *strings.Builder) {
	if len(r.Parameters) == 0 {
		return
	}
	b.WriteString("| parameter | is | such as | if left out |\n|---|---|---|---|\n")
	for _, p := range r.Parameters {
		fallback := "required"
		if p.Default != "" {
			fallback = "`" + p.Default + "`"
		}
		fmt.Fprintf(b, "| `%s` | %s | `%s` | %s |\n", p.Name, p.Label, p.Example, fallback)
	}
	b.WriteString("\n")
}

// writeSent says what the application gets.
func (r recipe) writeSent(b *strings.Builder) {
	b.WriteString("## What it gets\n\n| | |\n|---|---|\n")
	if in := r.Entry.Metadata.Inline; in != nil {
		fmt.Fprintf(b, "| entityID (Audience) | `%s` |\n| AssertionConsumerService | `%s` |\n", in.EntityID, strings.Join(in.ACS, "`, `"))
	} else {
		b.WriteString("| entityID, AssertionConsumerService | as its metadata says |\n")
	}
	if r.Entry.IDP.EntityID != "" {
		fmt.Fprintf(b, "| our entityID (Issuer) | `%s` |\n", strings.ReplaceAll(r.Entry.IDP.EntityID, "{our_entity_id}", "ENTITYID"))
	}
	name := r.Entry.NameID.Format
	if r.Entry.NameID.Source != "" {
		name += ", the attribute `" + r.Entry.NameID.Source + "`"
	}
	fmt.Fprintf(b, "| NameID | %s |\n", name)
	if q := r.Entry.NameID.NameQualifier; q != "" {
		fmt.Fprintf(b, "| NameQualifier, SPNameQualifier | `%s`, `%s` |\n", q, r.Entry.NameID.SPNameQualifier)
	}
	for _, rule := range r.Entry.Release {
		wire, from := rule.As, "`"+rule.Attribute+"`"
		if rule.Attribute == "" {
			from = "always `" + strings.Join(rule.Constant, "`, `") + "`"
		}
		if wire == "" {
			fmt.Fprintf(b, "| attribute | `%s` under the SAML name of the catalogue |\n", rule.Attribute)
			continue
		}
		fmt.Fprintf(b, "| attribute `%s` | %s (%s) |\n", wire, from, rule.NameFormat)
	}
	if len(r.Entry.Release) == 0 {
		b.WriteString("| attributes | none |\n")
	}
	if d := r.Entry.Session.Lifetime; d != 0 {
		fmt.Fprintf(b, "| SessionNotOnOrAfter | after %s |\n", time.Duration(d))
	}
	b.WriteString("\n")
}

func writeSection(b *strings.Builder, title string, lines []string) {
	if len(lines) == 0 {
		return
	}
	fmt.Fprintf(b, "## %s\n\n", title)
	for _, l := range lines {
		fmt.Fprintf(b, "- %s\n", strings.TrimSpace(l))
	}
	b.WriteString("\n")
}
