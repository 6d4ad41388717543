package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"go.yaml.in/yaml/v3"

	"github.com/samlet-id/samlet/identity"
)

// editConfig lets change rewrite the configuration at path while no other
// samlet command does. What change returns must itself be a faultless
// configuration; then first writes what it refers to, and it replaces the file
// in one step. Otherwise everything stays as it was. A nil first does nothing.
func editConfig(path string, change func(raw []byte) ([]byte, error), first func() error) error {
	unlock, err := lockFolder(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer unlock()
	raw, err := os.ReadFile(path)
	if err != nil {
		return unreadable(path, err)
	}
	next, err := change(raw)
	if err != nil {
		return err
	}
	d := newDecoder(path)
	cfg := defaultConfig()
	if d.decodeStrict(next, &cfg); len(d.faults) == 0 {
		cfg.complete()
		d.checkConfig(&cfg)
	}
	if len(d.faults) > 0 {
		return fmt.Errorf("the edited configuration would be faulty, so nothing was changed:\n%w", &configError{d.sorted()})
	}
	if first != nil {
		if err := first(); err != nil {
			return err
		}
	}
	return replaceFile(path, next)
}

// lockFolder keeps other samlet commands from editing in dir until the returned
// function is called or the process ends.
func lockFolder(dir string) (unlock func(), err error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("opening the folder: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return nil, errors.Join(fmt.Errorf("locking %s: %w", dir, err), f.Close())
	}
	return func() { _ = f.Close() }, nil // closing a folder that was only read loses nothing, and frees the lock
}

// replaceFile writes data beside path and renames it over path, so that readers
// see the old file or the new one and never a part. The mode of an existing
// file is kept; a new one is for its owner alone.
func replaceFile(path string, data []byte) error {
	mode := fs.FileMode(0o600)
	if info, err := os.Stat(path); err == nil {
		mode = info.Mode().Perm()
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	_, werr := f.Write(data)
	err = errors.Join(werr, f.Chmod(mode), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("writing %s: %w", path, err), os.Remove(f.Name()))
	}
	return nil
}

// listEdit is a list of mappings with an id each, at the top level of a YAML
// file, that can be changed as text, so that every comment and blank line
// around the change stays.
type listEdit struct {
	lines  []string // the file, each line with its line feed
	key    int      // index of the "key:" line; -1 if there is none
	empty  bool     // the key has no items ("key:" or "key: []")
	indent string   // before the dash of each item
	items  []listItem
}

// listItem is one item: the lines [from, to), its own comments included.
type listItem struct {
	id       string
	from, to int
	node     *yaml.Node
}

var errFlowList = errors.New("is written in [ ] on one line; write each entry as an item of its own (\"- id: …\"), then try again")

var errFlowItem = errors.New("is written in { } on one line; write each of its keys on a line of its own, then try again")

// findList finds the list under the top-level key.
func findList(raw []byte, key string) (*listEdit, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(raw, &doc); err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	if len(raw) > 0 && raw[len(raw)-1] != '\n' {
		raw = append(bytes.Clone(raw), '\n')
	}
	e := &listEdit{lines: strings.SplitAfter(string(raw), "\n"), key: -1, indent: "  "}
	e.lines = e.lines[:len(e.lines)-1]
	if len(doc.Content) == 0 {
		return e, nil
	}
	root := doc.Content[0]
	for i := 0; i+1 < len(root.Content); i += 2 {
		if root.Content[i].Value != key {
			continue
		}
		e.key = root.Content[i].Line - 1
		list := root.Content[i+1]
		e.empty = len(list.Content) == 0
		if !e.empty && list.Style&yaml.FlowStyle != 0 {
			return nil, fmt.Errorf("%s %w", key, errFlowList)
		}
		e.find(list)
	}
	return e, nil
}

// find notes where each item begins and ends. An item ends before the first
// line that is indented less than its content, and before comments that lead on
// to whatever follows.
func (e *listEdit) find(list *yaml.Node) {
	for _, n := range list.Content {
		from, dash := e.dash(n)
		e.indent = e.lines[from][:dash]
		to := from + 1
		for i := to; i < len(e.lines); i++ {
			line := strings.TrimRight(e.lines[i], " \r\n")
			depth := len(line) - len(strings.TrimLeft(line, " "))
			if line == "" || strings.HasPrefix(strings.TrimLeft(line, " "), "#") && depth <= dash {
				continue
			}
			if depth <= dash {
				break
			}
			to = i + 1
		}
		e.items = append(e.items, listItem{id: itemID(n), from: from, to: to, node: n})
	}
}

// dash finds the dash that begins the item n: left of its first key, or alone on
// a line above it.
func (e *listEdit) dash(n *yaml.Node) (line, column int) {
	line = n.Line - 1
	if i := strings.LastIndex(e.lines[line][:n.Column-1], "-"); i >= 0 {
		return line, i
	}
	for line > 0 && strings.TrimSpace(e.lines[line]) != "-" {
		line--
	}
	return line, max(0, strings.Index(e.lines[line], "-"))
}

func itemID(n *yaml.Node) string {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == "id" {
			return n.Content[i+1].Value
		}
	}
	return ""
}

// append adds an item, given as the YAML of a one-item list at no indentation.
func (e *listEdit) append(key, item string) []byte {
	block := indentBlock(item, e.indent)
	switch {
	case e.key < 0:
		return []byte(strings.Join(e.lines, "") + "\n" + key + ":\n" + block)
	case e.empty:
		rest := ""
		if i := strings.Index(e.lines[e.key], "#"); i >= 0 {
			rest = " " + strings.TrimRight(e.lines[e.key][i:], "\r\n")
		}
		e.lines[e.key] = key + ":" + rest + "\n" + block
		return []byte(strings.Join(e.lines, ""))
	}
	last := e.items[len(e.items)-1].to
	return e.splice(last, last, block)
}

// replace puts item in the place of the one with that id; "" removes it. It
// reports false if there is none.
func (e *listEdit) replace(key, id, item string) ([]byte, bool) {
	for i := range e.items {
		it := e.items[i]
		if it.id != id {
			continue
		}
		if item == "" && len(e.items) == 1 {
			e.lines[e.key] = key + ": []\n"
			return e.splice(it.from, it.to, ""), true
		}
		return e.splice(it.from, it.to, indentBlock(item, e.indent)), true
	}
	return nil, false
}

// set makes key: value of the item with that id. It reports false if there is no
// such item.
func (e *listEdit) set(id, key, value string) (text []byte, ok bool, err error) {
	i := slices.IndexFunc(e.items, func(it listItem) bool { return it.id == id })
	if i < 0 {
		return nil, false, nil
	}
	n := e.items[i].node
	if old := child(n, key); old != nil {
		line := []rune(e.lines[old.Line-1])
		at, rest := old.Column-1, old.Column-1+len([]rune(old.Value))
		e.lines[old.Line-1] = string(line[:at]) + value + string(line[rest:])
		return []byte(strings.Join(e.lines, "")), true, nil
	}
	if n.Style&yaml.FlowStyle != 0 {
		return nil, true, fmt.Errorf("%s %w", id, errFlowItem)
	}
	indent := strings.Repeat(" ", n.Column-1)
	after := child(n, "id").Line
	return e.splice(after, after, indent+key+": "+value+"\n"), true, nil
}

// ids are the ids of the items.
func (e *listEdit) ids() []string {
	ids := make([]string, len(e.items))
	for i, it := range e.items {
		ids[i] = it.id
	}
	return ids
}

func (e *listEdit) splice(from, to int, text string) []byte {
	return []byte(strings.Join(e.lines[:from], "") + text + strings.Join(e.lines[to:], ""))
}

func indentBlock(item, indent string) string {
	if item == "" {
		return ""
	}
	lines := strings.Split(strings.TrimRight(item, "\n"), "\n")
	for i := range lines {
		lines[i] = indent + lines[i]
	}
	return strings.Join(lines, "\n") + "\n"
}

// errNoSuch says that a configured object is not there, and names the nearest.
func errNoSuch(what, id string, known []string) error {
	msg := fmt.Sprintf("there is no %s %q", what, id)
	if near := nearest(id, known); near != "" {
		msg += fmt.Sprintf("; did you mean %q?", near)
	}
	return &identity.Error{Kind: identity.KindNotFound, Code: "cfg.no_such", Who: identity.WhoOperator, Msg: msg}
}
