package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/samlet-id/samlet/identity"
)

// contract is one promise: about what leaves samlet, that this person at this
// service provider gets exactly this; or about what comes in (Claims), that whoever
// a connection says this of gets exactly this record. A file holds a list of them.
type contract struct {
	Name       string           `yaml:"name"`
	User       string           `yaml:"user"`       // somebody in the store
	Attributes []contractValue  `yaml:"attributes"` // or a person that is made up
	SP         string           `yaml:"sp"`
	Connection string           `yaml:"connection"` // how the person comes in
	Claims     *[]contractValue `yaml:"claims"`     // what the connection says of them, by its own names
	Subject    string           `yaml:"subject"`    // beside claims: whom the connection says it of
	Expect     contractExpected `yaml:"expect"`

	file string
	line int
}

// contractValue is one value of an attribute of a made-up person.
type contractValue struct {
	Name   string     `yaml:"name"`
	Value  stringList `yaml:"value"`
	Source string     `yaml:"source"` // operator (if left out), person or the id of a connection
}

// contractExpected is what has to come out: a refusal, or exactly these
// attributes, and what else is named.
type contractExpected struct {
	Denied     string               `yaml:"denied"` // error code
	NameID     *contractName        `yaml:"name_id"`
	Attributes *[]contractAttribute `yaml:"attributes"`
	Record     *[]contractAttribute `yaml:"record"`  // what the connection brings, by our names
	Consent    *bool                `yaml:"consent"` // the person is asked first
}

type contractName struct {
	Format string `yaml:"format"` // as in config.yaml, or a URI; none
	Value  string `yaml:"value"`
}

// contractAttribute is one attribute by its name on the wire.
type contractAttribute struct {
	Name       string   `yaml:"name"`
	NameFormat string   `yaml:"name_format"` // uri, basic or unspecified; any if left out
	Values     []string `yaml:"values"`
}

// contractFiles returns the files that are meant: those named, and the YAML files
// of the folders named; of the folder contracts beside the configuration if
// nothing is named.
func contractFiles(config string, args []string) ([]string, error) {
	if len(args) == 0 {
		args = []string{filepath.Join(filepath.Dir(config), "contracts")}
	}
	var files []string
	for _, arg := range args {
		info, err := os.Stat(arg)
		switch {
		case os.IsNotExist(err):
			return nil, &identity.Error{Kind: identity.KindNotFound, Code: "cfg.missing", Who: identity.WhoOperator,
				Msg: fmt.Sprintf("there are no contracts at %s; `samlet test --init SP --user LOGIN` writes a first one", arg)}
		case err != nil:
			return nil, fmt.Errorf("reading the contracts: %w", err)
		case !info.IsDir():
			files = append(files, arg)
			continue
		}
		for _, pattern := range []string{"*.yaml", "*.yml"} {
			found, err := filepath.Glob(filepath.Join(arg, pattern))
			if err != nil {
				return nil, fmt.Errorf("reading the contracts: %w", err)
			}
			slices.Sort(found)
			files = append(files, found...)
		}
	}
	return files, nil
}

// readContracts reads files as strictly as config.yaml. Every fault of every file
// is told at once.
func readContracts(files []string, snap *snapshot) ([]contract, error) {
	var all []contract
	var faults []fault
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("reading the contracts: %w", err)
		}
		found, d := parseContracts(file, raw, snap)
		faults = append(faults, d.sorted()...)
		all = append(all, found...)
	}
	if len(faults) > 0 {
		return nil, &configError{faults}
	}
	return all, nil
}

// parseContracts reads one file; its faults are in the decoder.
func parseContracts(file string, raw []byte, snap *snapshot) ([]contract, *decoder) {
	var list []contract
	d := newDecoder(file)
	if d.decodeStrict(raw, &list); len(d.faults) > 0 {
		return nil, d
	}
	for i := range list {
		at := fmt.Sprintf("[%d]", i)
		list[i].file, list[i].line = file, d.places[at].Line
		d.checkContract(at, &list[i], snap)
	}
	return list, d
}

func (d *decoder) checkContract(at string, c *contract, snap *snapshot) {
	if c.Claims != nil {
		d.checkMappingContract(at, c, snap)
		return
	}
	if c.Expect.Record != nil || c.Subject != "" {
		d.faultAt(at, "expect.record and subject are about claims, and there are none")
	}
	var names []string
	for _, a := range snap.Catalogue.All() {
		names = append(names, string(a.Name))
	}
	if c.SP == "" {
		d.faultAt(at, "sp is missing: the id of a service provider")
	}
	if (c.User == "") == (c.Attributes == nil) {
		d.faultAt(at, "want user, somebody in the store, or attributes, of a person that is made up")
	}
	for i, v := range c.Attributes {
		here := fmt.Sprintf("%s.attributes[%d]", at, i)
		d.knownAttribute(here+".name", v.Name, names)
		if v.Name == "" || len(v.Value) == 0 {
			d.faultAt(here, "want name and value")
		}
		if v.Source != "" && v.Source != "operator" && v.Source != "person" {
			d.knownConnection(here+".source", v.Source, snap)
		}
	}
	d.knownConnection(at+".connection", c.Connection, snap)
	d.checkExpected(at+".expect", c.Expect)
	c.Name = cmp.Or(c.Name, c.User+" at "+c.SP)
}

func (d *decoder) knownConnection(at, id string, snap *snapshot) {
	if id == "" || slices.Contains(snap.connectionIDs(), id) {
		return
	}
	d.faultAt(at, "%s", message(errNoSuch("connection", id, snap.connectionIDs())))
}

func (d *decoder) checkExpected(at string, e contractExpected) {
	switch {
	case e.Denied == "" && e.Attributes == nil:
		d.faultAt(at, "want attributes, exactly those that leave ([] for none), or denied")
	case e.Denied != "" && (e.Attributes != nil || e.NameID != nil || e.Consent != nil):
		d.faultAt(at, "where denied is expected, nothing else can be")
	case e.Attributes == nil:
		return
	}
	if e.Attributes == nil {
		return
	}
	seen := map[string]bool{}
	for i, a := range *e.Attributes {
		here := fmt.Sprintf("%s.attributes[%d]", at, i)
		d.oneOf(here+".name_format", a.NameFormat, "", "uri", "basic", "unspecified")
		switch {
		case a.Name == "" || len(a.Values) == 0:
			d.faultAt(here, "want name, as on the wire, and values")
		case seen[a.Name]:
			d.faultAt(here+".name", "%q stands here a second time; put all values into one", a.Name)
		}
		seen[a.Name] = true
	}
}

// breaches says, line by line, where a rehearsal is not what the contract
// expects: "-" leads what is missing, "+" what is too much.
func (c contract) breaches(r rehearsal) []string {
	e := c.Expect
	switch {
	case e.Denied != "" && r.Refused == nil:
		return []string{"- denied: " + e.Denied, "+ access is granted"}
	case e.Denied != "" && e.Denied != r.Refused.Code:
		return []string{"- denied: " + e.Denied, "+ denied: " + r.Refused.Code + " (" + r.Refused.Message + ")"}
	case e.Denied != "":
		return nil
	case r.Refused != nil:
		return []string{"- access is granted", "+ denied: " + r.Refused.Code + " (" + r.Refused.Message + ")"}
	}
	lines := nameBreaches(e.NameID, r.NameID)
	lines = append(lines, attributeBreaches(*e.Attributes, r.Attributes)...)
	if asked := r.Consent == "asked"; e.Consent != nil && *e.Consent != asked {
		lines = append(lines, fmt.Sprintf("- consent: %t", *e.Consent), fmt.Sprintf("+ consent: %t", asked))
	}
	return lines
}

func nameBreaches(want *contractName, got *rehearsedName) []string {
	if want == nil {
		return nil
	}
	if got == nil {
		got = &rehearsedName{}
	}
	var lines []string
	if format := string(nameIDFormat(want.Format)); want.Format != "" && format != got.Format {
		lines = append(lines, "- name_id.format: "+want.Format, "+ name_id.format: "+cmp.Or(formatWord(got.Format), "none"))
	}
	if want.Value != "" && want.Value != got.Value {
		lines = append(lines, "- name_id.value: "+want.Value, "+ name_id.value: "+cmp.Or(got.Value, "none"))
	}
	return lines
}

// formatWord is the word of config.yaml for a NameID format.
func formatWord(uri string) string {
	for _, w := range []string{"persistent", "transient", "email", "unspecified"} {
		if string(nameIDFormat(w)) == uri {
			return w
		}
	}
	return uri
}

// attributeBreaches compares attributes as sets, and so their values: SAML knows
// no order of either.
func attributeBreaches(want []contractAttribute, got []rehearsedAttribute) []string {
	var lines []string
	for _, w := range want {
		i := slices.IndexFunc(got, func(a rehearsedAttribute) bool { return a.Name == w.Name })
		if i < 0 {
			lines = append(lines, "- "+w.Name+": "+listed(w.Values))
			continue
		}
		if format := string(nameFormat(w.NameFormat)); w.NameFormat != "" && format != got[i].NameFormat {
			lines = append(lines, "- "+w.Name+": name_format "+w.NameFormat, "+ "+w.Name+": name_format "+short(got[i].NameFormat))
		}
		lost, leaked := difference(w.Values, got[i].values()), difference(got[i].values(), w.Values)
		if len(lost) > 0 {
			lines = append(lines, "- "+w.Name+": "+listed(lost))
		}
		if len(leaked) > 0 {
			lines = append(lines, "+ "+w.Name+": "+listed(leaked))
		}
	}
	for _, g := range got {
		if !slices.ContainsFunc(want, func(w contractAttribute) bool { return w.Name == g.Name }) {
			lines = append(lines, "+ "+g.Name+": "+listed(g.values()))
		}
	}
	return lines
}

func (a rehearsedAttribute) values() []string {
	out := make([]string, len(a.Values))
	for i, v := range a.Values {
		out[i] = v.Value
	}
	return out
}

// difference is what a has and b has not.
func difference(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(s string) bool { return slices.Contains(b, s) })
}

func listed(values []string) string { return "[" + strings.Join(values, ", ") + "]" }

var errBroken = errors.New("not every contract is kept")
