package main

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding"
	"errors"
	"fmt"
	"hash"
	"io"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// position is a place in a configuration file; lines and columns count from 1.
type position struct{ Line, Column int }

// fault is one thing that is wrong with a configuration.
type fault struct {
	File string   `json:"file"`
	At   position `json:"at"`
	Path string   `json:"path"` // such as service_providers[2].metadata.url
	Msg  string   `json:"message"`
}

// String returns "file:line:column: path: message".
func (f fault) String() string {
	where := f.File
	if f.At.Line > 0 {
		where = fmt.Sprintf("%s:%d:%d", f.File, f.At.Line, f.At.Column)
	}
	if f.Path == "" {
		return where + ": " + f.Msg
	}
	return where + ": " + f.Path + ": " + f.Msg
}

// configError is every fault of one configuration at once.
type configError struct{ Faults []fault }

// Error returns the faults, one a line.
func (e *configError) Error() string {
	lines := make([]string, len(e.Faults))
	for i, f := range e.Faults {
		lines[i] = f.String()
	}
	return strings.Join(lines, "\n")
}

// decoder reads one YAML document strictly and remembers where everything
// stood, so that later checks can point at it.
type decoder struct {
	file   string
	faults []fault
	places map[string]position
	files  []string  // that the configuration refers to and that were read
	sum    hash.Hash // of every byte of the configuration and of files
}

func newDecoder(file string) *decoder {
	return &decoder{file: file, places: map[string]position{}, sum: sha256.New()}
}

// decodeStrict decodes one YAML document into what into points to. Unknown,
// repeated and differently cased keys, values of the wrong kind and a second
// document are faults; all of them are collected in d, and the result is
// meaningful only if there are none.
func (d *decoder) decodeStrict(raw []byte, into any) {
	dec := yaml.NewDecoder(bytes.NewReader(raw))
	var doc yaml.Node
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return
	case err != nil:
		d.fault(yamlErrorPosition(err), "", "%s", strings.TrimPrefix(err.Error(), "yaml: "))
		return
	}
	var second yaml.Node
	if err := dec.Decode(&second); !errors.Is(err, io.EOF) {
		d.fault(position{second.Line, second.Column}, "", "a second YAML document starts here; the file must hold exactly one")
		return
	}
	d.check(doc.Content[0], reflect.TypeOf(into).Elem(), "")
	if len(d.faults) > 0 {
		return
	}
	if err := doc.Decode(into); err != nil {
		d.fault(yamlErrorPosition(err), "", "%s", strings.TrimPrefix(err.Error(), "yaml: "))
	}
}

func (d *decoder) fault(at position, path, format string, args ...any) {
	d.faults = append(d.faults, fault{File: d.file, At: at, Path: path, Msg: fmt.Sprintf(format, args...)})
}

// faultAt reports a fault at the place where path was written, or at the
// nearest enclosing place when path was left out.
func (d *decoder) faultAt(path, format string, args ...any) {
	for p := path; ; {
		if at, ok := d.places[p]; ok {
			d.fault(at, path, format, args...)
			return
		}
		i := strings.LastIndexAny(p, ".[")
		if i < 0 {
			d.fault(d.places[""], path, format, args...)
			return
		}
		p = p[:i]
	}
}

// sorted returns the faults in the order of the file.
func (d *decoder) sorted() []fault {
	slices.SortStableFunc(d.faults, func(a, b fault) int {
		return cmp.Or(cmp.Compare(a.At.Line, b.At.Line), cmp.Compare(a.At.Column, b.At.Column))
	})
	return d.faults
}

var (
	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
	listOfStrings   = reflect.TypeFor[stringList]()
	oneWord         = reflect.TypeFor[word]()
)

// check compares the node with the type that it is to fill.
func (d *decoder) check(n *yaml.Node, t reflect.Type, path string) {
	d.places[path] = position{n.Line, n.Column}
	if n.Kind == yaml.AliasNode {
		d.fault(d.places[path], path, "aliases are not read here; write the value out")
		return
	}
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" && n.Value == "" {
		return // "key:" with nothing after it leaves the default
	}
	switch {
	case t.Kind() == reflect.Pointer:
		d.check(n, t.Elem(), path)
	case t == listOfStrings && n.Kind == yaml.ScalarNode:
		d.checkString(n, path)
	case t == oneWord && n.Kind == yaml.ScalarNode && n.ShortTag() == "!!str":
	case reflect.PointerTo(t).Implements(textUnmarshaler):
		d.checkText(n, t, path)
	case t.Kind() == reflect.Struct:
		d.checkMapping(n, t, path)
	case t.Kind() == reflect.Slice:
		d.checkList(n, t, path)
	case t.Kind() == reflect.String:
		d.checkString(n, path)
	case t.Kind() == reflect.Bool:
		if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!bool" {
			d.fault(d.places[path], path, "want true or false, got %s", describe(n))
		}
	case t.Kind() == reflect.Int:
		if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!int" || len(n.Value) > 1 && n.Value[0] == '0' {
			d.fault(d.places[path], path, "want a whole number, got %s", describe(n))
		}
	}
}

func (d *decoder) checkMapping(n *yaml.Node, t reflect.Type, path string) {
	if n.Kind != yaml.MappingNode {
		d.fault(d.places[path], path, "want keys and values, got %s", describe(n))
		return
	}
	fields := map[string]reflect.Type{}
	for f := range t.Fields() {
		fields[f.Tag.Get("yaml")] = f.Type
	}
	seen := map[string]position{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		at, sub := position{key.Line, key.Column}, key.Value
		if path != "" {
			sub = path + "." + key.Value
		}
		if first, ok := seen[key.Value]; ok {
			d.fault(at, sub, "this key stands here a second time; the first is in line %d", first.Line)
			continue
		}
		seen[key.Value] = at
		ft, ok := fields[key.Value]
		if !ok {
			d.fault(at, sub, "unknown key%s", didYouMean(key.Value, fields))
			continue
		}
		d.check(value, ft, sub)
	}
}

func (d *decoder) checkList(n *yaml.Node, t reflect.Type, path string) {
	if n.Kind != yaml.SequenceNode {
		d.fault(d.places[path], path, "want a list, got %s", describe(n))
		return
	}
	for i, item := range n.Content {
		d.check(item, t.Elem(), fmt.Sprintf("%s[%d]", path, i))
	}
}

func (d *decoder) checkText(n *yaml.Node, t reflect.Type, path string) {
	if n.Kind != yaml.ScalarNode {
		d.fault(d.places[path], path, "want one value, got %s", describe(n))
		return
	}
	v, ok := reflect.New(t).Interface().(encoding.TextUnmarshaler)
	if !ok {
		return
	}
	if err := v.UnmarshalText([]byte(n.Value)); err != nil {
		d.fault(d.places[path], path, "%s", err.Error())
	}
}

// surprises are the plain words that YAML 1.1 readers turn into booleans.
var surprises = []string{"y", "n", "yes", "no", "on", "off", "true", "false"}

func (d *decoder) checkString(n *yaml.Node, path string) {
	if n.Kind != yaml.ScalarNode {
		d.fault(d.places[path], path, "want a string, got %s", describe(n))
		return
	}
	quoted := n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0
	if quoted {
		return
	}
	if n.ShortTag() != "!!str" || slices.Contains(surprises, strings.ToLower(n.Value)) {
		d.fault(d.places[path], path, "want a string, got %s; put it in quotes if it is meant as text", describe(n))
	}
}

func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "keys and values"
	case yaml.SequenceNode:
		return "a list"
	case yaml.ScalarNode, yaml.DocumentNode, yaml.AliasNode:
	}
	switch n.ShortTag() {
	case "!!int", "!!float":
		return fmt.Sprintf("the number %s", n.Value)
	case "!!timestamp":
		return fmt.Sprintf("the date %s", n.Value)
	case "!!null":
		return "nothing"
	}
	return fmt.Sprintf("%q", n.Value)
}

// didYouMean suggests the known key nearest to the one written.
func didYouMean(got string, known map[string]reflect.Type) string {
	names := make([]string, 0, len(known))
	for k := range known {
		names = append(names, k)
	}
	slices.Sort(names)
	if near := nearest(got, names); near != "" {
		return fmt.Sprintf("; did you mean %q?", near)
	}
	return fmt.Sprintf("; known here are %s", strings.Join(names, ", "))
}

// nearest returns the candidate with the smallest edit distance to got, or ""
// when none is near enough to be a slip of the pen.
func nearest(got string, candidates []string) string {
	best, name := max(2, len(got)/3)+1, ""
	for _, c := range candidates {
		if n := distance(strings.ToLower(got), strings.ToLower(c)); n < best {
			best, name = n, c
		}
	}
	return name
}

// distance is the Levenshtein distance in bytes.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}

// yamlErrorPosition digs the line out of a syntax error of the YAML reader,
// which tells it only in words.
func yamlErrorPosition(err error) position {
	var line int
	_, after, ok := strings.Cut(err.Error(), "line ")
	if !ok {
		return position{}
	}
	if _, serr := fmt.Sscanf(after, "%d", &line); serr != nil {
		return position{}
	}
	return position{Line: line, Column: 1}
}
