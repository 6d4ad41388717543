package main

import (
	"embed"
	"errors"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/samlet-id/samlet/identity"
)

//go:embed recipes/*.yaml
var recipeFiles embed.FS

// recipe is how the application of one vendor is connected: an entry of
// service_providers with blanks to fill in, and what to enter at the vendor's
// side. Each file of the folder recipes is one.
type recipe struct {
	ID         string                `yaml:"id"`
	Title      string                `yaml:"title"`
	Intro      string                `yaml:"intro"`    // what it connects
	Metadata   string                `yaml:"metadata"` // optional, required: whether the vendor's metadata is needed
	Parameters []recipeParameter     `yaml:"parameters"`
	Attributes []AttributeConfig     `yaml:"attributes"` // rows that the catalogue needs
	Entry      ServiceProviderConfig `yaml:"entry"`
	Paste      []pasteLine           `yaml:"paste"`
	Before     []string              `yaml:"before"`  // what has to be so first
	Read       []string              `yaml:"read"`    // facts found in the vendor's documents
	Confirm    []string              `yaml:"confirm"` // to be held against the vendor's documents
	Test       []string              `yaml:"test"`
	Remove     []string              `yaml:"remove"`
	Documents  []string              `yaml:"documents"` // addresses of the vendor's documents

	entry, attributes *yaml.Node // as they are written, comments included
}

// recipeParameter is one blank of a recipe: {name} in its entry.
type recipeParameter struct {
	Name    string `yaml:"name"`
	Label   string `yaml:"label"`
	Example string `yaml:"example"`
	Pattern string `yaml:"pattern"` // regular expression for the whole value
	Default string `yaml:"default"` // without it the parameter is required; may name earlier ones
}

// pasteLine is one thing to enter at the vendor's side.
type pasteLine struct {
	To    string `yaml:"to"`    // the vendor's word for it
	Value string `yaml:"value"` // a key of pasteWords
}

// loadRecipes reads every recipe, by title.
func loadRecipes() ([]recipe, error) {
	entries, err := recipeFiles.ReadDir("recipes")
	if err != nil {
		return nil, fmt.Errorf("reading the recipes: %w", err)
	}
	var all []recipe
	for _, e := range entries {
		file := path.Join("recipes", e.Name())
		raw, err := recipeFiles.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("reading the recipes: %w", err)
		}
		r, err := parseRecipe(file, raw)
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b recipe) int { return strings.Compare(strings.ToLower(a.Title), strings.ToLower(b.Title)) })
	return all, nil
}

// parseRecipe reads one recipe as strictly as config.yaml.
func parseRecipe(file string, raw []byte) (recipe, error) {
	var r recipe
	d := newDecoder(file)
	if d.decodeStrict(raw, &r); len(d.faults) == 0 {
		d.checkRecipe(&r, strings.TrimSuffix(path.Base(file), ".yaml"))
	}
	if len(d.faults) > 0 {
		return recipe{}, &configError{d.sorted()}
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(raw, &doc); err != nil {
		return recipe{}, fmt.Errorf("reading %s: %w", file, err)
	}
	r.entry, r.attributes = child(doc.Content[0], "entry"), child(doc.Content[0], "attributes")
	return r, nil
}

func (d *decoder) checkRecipe(r *recipe, name string) {
	if r.ID != name || !identity.ValidSlug(r.ID) {
		d.faultAt("id", "want the name of the file, %q, got %q", name, r.ID)
	}
	if r.Title == "" || r.Intro == "" {
		d.faultAt("", "title and intro are missing")
	}
	d.oneOf("metadata", r.Metadata, "optional", "required")
	if r.Metadata == "optional" && r.Entry.Metadata.Inline == nil {
		d.faultAt("entry", "metadata that is optional needs metadata.inline for those who have none")
	}
	seen := map[string]bool{}
	for i, p := range r.Parameters {
		at := fmt.Sprintf("parameters[%d]", i)
		d.checkID(at, p.Name, seen)
		pattern, err := p.pattern()
		switch {
		case err != nil:
			d.faultAt(at+".pattern", "%v", err)
		case !pattern.MatchString(p.Example):
			d.faultAt(at+".example", "the example %q does not match the pattern", p.Example)
		}
	}
	for i, line := range r.Paste {
		if _, literal := literalPaste(line.Value); !literal {
			d.oneOf(fmt.Sprintf("paste[%d].value", i), line.Value, slices.Sorted(maps.Keys(pasteWords()))...)
		}
	}
}

func (p recipeParameter) pattern() (*regexp.Regexp, error) {
	return regexp.Compile("^(?:" + p.Pattern + ")$")
}

// findRecipe returns the recipe with that id.
func findRecipe(id string) (recipe, error) {
	all, err := loadRecipes()
	if err != nil {
		return recipe{}, err
	}
	var ids []string
	for _, r := range all {
		if r.ID == id {
			return r, nil
		}
		ids = append(ids, r.ID)
	}
	err = errNoSuch("recipe", id, ids)
	if nearest(id, ids) == "" {
		err = fmt.Errorf("%w; there are %s", err, strings.Join(ids, ", "))
	}
	return recipe{}, usageError{err}
}

var blank = regexp.MustCompile(`\{([a-z][a-z0-9_]*)\}`)

// fill replaces each {name} by its value.
func fill(s string, values map[string]string) string {
	return blank.ReplaceAllStringFunc(s, func(b string) string {
		if v, ok := values[b[1:len(b)-1]]; ok {
			return v
		}
		return b
	})
}

// values checks what was set and completes it with the defaults. Every fault is
// told at once. A blank that stands in the inline metadata alone need not be
// filled in where the vendor's own metadata is there.
func (r recipe) values(set []string, hasMetadata bool, ours map[string]string) (map[string]string, error) {
	values, faults := r.parse(set)
	if r.Metadata == "required" && !hasMetadata {
		faults = append(faults, "--metadata is missing: the recipe needs the application's own metadata, a file or a URL")
	}
	needed := r.blanks(hasMetadata)
	maps.Copy(values, ours)
	for _, p := range r.Parameters {
		v, given := values[p.Name]
		switch pattern, err := p.pattern(); {
		case err != nil:
			return nil, err
		case !given && p.Default != "":
			values[p.Name] = fill(p.Default, values)
		case !given && needed[p.Name]:
			faults = append(faults, fmt.Sprintf("--set %s=… is missing: %s, such as %s", p.Name, p.Label, p.Example))
		case given && !pattern.MatchString(v):
			faults = append(faults, fmt.Sprintf("--set %s: %q is not %s; want something like %s", p.Name, v, p.Label, p.Example))
		}
	}
	if len(faults) > 0 {
		return nil, usageError{errors.New(strings.Join(faults, "\n"))}
	}
	return values, nil
}

// parse reads the --set flags.
func (r recipe) parse(set []string) (values map[string]string, faults []string) {
	values = map[string]string{}
	var names []string
	for _, p := range r.Parameters {
		names = append(names, p.Name)
	}
	for _, s := range set {
		name, value, ok := strings.Cut(s, "=")
		_, twice := values[name]
		switch {
		case !ok || value == "":
			faults = append(faults, fmt.Sprintf("--set wants name=value, got %q", s))
		case twice:
			faults = append(faults, fmt.Sprintf("--set %s is given twice", name))
		case !slices.Contains(names, name):
			hint := "the recipe has " + strings.Join(names, ", ")
			if near := nearest(name, names); near != "" {
				hint = fmt.Sprintf("did you mean %q?", near)
			}
			faults = append(faults, fmt.Sprintf("--set %s: there is no such parameter; %s", name, hint))
		default:
			values[name] = value
		}
	}
	return values, faults
}

// blanks returns the names of the blanks of the entry, those of the inline
// metadata left out where it is not used.
func (r recipe) blanks(hasMetadata bool) map[string]bool {
	names := map[string]bool{}
	var walk func(n *yaml.Node)
	walk = func(n *yaml.Node) {
		if hasMetadata && n == child(r.entry, "metadata") {
			return
		}
		for _, m := range blank.FindAllStringSubmatch(n.Value, -1) {
			names[m[1]] = true
		}
		for _, c := range n.Content {
			walk(c)
		}
	}
	walk(r.entry)
	return names
}

// child returns the value of a key of a YAML mapping, or nil.
func child(n *yaml.Node, key string) *yaml.Node {
	for i := 0; n != nil && i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}
