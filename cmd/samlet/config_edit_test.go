package main

import (
	"errors"
	"os"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestListEdit holds that an edit changes the lines of its item and no others.
func TestListEdit(t *testing.T) {
	t.Parallel()
	const item = "- id: new\n  name: N\n"
	tests := []struct {
		name, before, id, item, want string
	}{
		{"no list yet", "a: 1 # one\n", "", item, "a: 1 # one\n\nlist:\n  - id: new\n    name: N\n"},
		{"no line feed at the end", "a: 1", "", item, "a: 1\n\nlist:\n  - id: new\n    name: N\n"},
		{"empty file", "", "", item, "\nlist:\n  - id: new\n    name: N\n"},
		{"empty list", "list: [] # none yet\nb: 2\n", "", item, "list: # none yet\n  - id: new\n    name: N\nb: 2\n"},
		{"key alone", "list:\n\n# about b\nb: 2\n", "", item, "list:\n  - id: new\n    name: N\n\n# about b\nb: 2\n"},
		{"last of all", "# top\nlist:\n  # about x\n  - id: x # here\n    y: |\n      block\n      # no comment\n", "", item,
			"# top\nlist:\n  # about x\n  - id: x # here\n    y: |\n      block\n      # no comment\n  - id: new\n    name: N\n"},
		{"before another key", "list:\n- id: x\n  y: 1\n\n# about b\nb: 2\n", "", item, "list:\n- id: x\n  y: 1\n- id: new\n  name: N\n\n# about b\nb: 2\n"},
		{"flow items", "list:\n  - {id: x}\nb: 2\n", "", item, "list:\n  - {id: x}\n  - id: new\n    name: N\nb: 2\n"},
		{"dash on its own line", "list:\n  -\n    id: x\n  - id: y\n", "x", item, "list:\n  - id: new\n    name: N\n  - id: y\n"},
		{"replace the middle one", "list:\n  # first\n  - id: x\n  # second\n  - id: y # old\n    z: 1\n  # third\n  - id: z\n", "y", item,
			"list:\n  # first\n  - id: x\n  # second\n  - id: new\n    name: N\n  # third\n  - id: z\n"},
		{"remove one of two", "list:\n  - id: x\n  # about y\n  - id: y\nb: 2 # two\n", "y", "", "list:\n  - id: x\n  # about y\nb: 2 # two\n"},
		{"remove the only one", "list:\n  - id: x\n    y: 1\n# about b\nb: 2\n", "x", "", "list: []\n# about b\nb: 2\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			list, err := findList([]byte(tt.before), "list")
			if err != nil {
				t.Fatal(err)
			}
			got := []byte(nil)
			if tt.id == "" {
				got = list.append("list", tt.item)
			} else {
				var ok bool
				if got, ok = list.replace("list", tt.id, tt.item); !ok {
					t.Fatalf("replace: there is no item %q", tt.id)
				}
			}
			if diff := cmp.Diff(tt.want, string(got)); diff != "" {
				t.Errorf("after the edit (-want +got):\n%s", diff)
			}
		})
	}
}

// TestListEditSets holds that one key of an item changes, and nothing else.
func TestListEditSets(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, before, want string }{
		{"a new key", "list:\n  # about x\n  - id: x # here\n    y: 1\n", "list:\n  # about x\n  - id: x # here\n    off: true\n    y: 1\n"},
		{"a key that is there", "list:\n  - off: false # why\n    id: x\n", "list:\n  - off: true # why\n    id: x\n"},
		{"a key in braces", "list:\n  - {name: Ünïcode, off: false, id: x}\n", "list:\n  - {name: Ünïcode, off: true, id: x}\n"},
		{"dash on its own line", "list:\n  -\n    id: x\n  - id: y\n", "list:\n  -\n    id: x\n    off: true\n  - id: y\n"},
		{"a new key in braces", "list:\n  - {id: x}\n", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			list, err := findList([]byte(tt.before), "list")
			if err != nil {
				t.Fatal(err)
			}
			got, ok, err := list.set("x", "off", "true")
			if refused := errors.Is(err, errFlowItem); !ok || refused != (tt.want == "") {
				t.Fatalf("set() = %t, %v", ok, err)
			}
			if diff := cmp.Diff(tt.want, string(got)); diff != "" {
				t.Errorf("after the edit (-want +got):\n%s", diff)
			}
		})
	}
}

func TestListEditRefusesFlowLists(t *testing.T) {
	t.Parallel()
	if _, err := findList([]byte("list: [{id: x}]\n"), "list"); !errors.Is(err, errFlowList) {
		t.Errorf("findList() = %v, want %v", err, errFlowList)
	}
}

// TestEditConfigKeepsGoodFile holds that an edit that would make the
// configuration faulty leaves the file as it was.
func TestEditConfigKeepsGoodFile(t *testing.T) {
	t.Parallel()
	path := write(t, minimal)
	err := editConfig(path, func(raw []byte) ([]byte, error) { return append(raw, "nonsense: 1\n"...), nil }, nil)
	var faulty *configError
	if !errors.As(err, &faulty) {
		t.Errorf("editConfig() = %v, want a *configError", err)
	}
	if got := readAll(t, path); got != minimal {
		t.Errorf("the file became\n%s", got)
	}
}

// TestEditConfigFromManyProcesses holds that edits at the same time all
// survive.
func TestEditConfigFromManyProcesses(t *testing.T) {
	t.Parallel()
	path := write(t, minimal)
	var wg sync.WaitGroup
	for _, id := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
		wg.Go(func() {
			err := editConfig(path, func(raw []byte) ([]byte, error) {
				list, err := findList(raw, "service_providers")
				if err != nil {
					return nil, err
				}
				return list.append("service_providers", "- id: "+id+"\n  metadata: {file: x.xml}\n"), nil
			}, nil)
			if err != nil {
				t.Errorf("adding %s: %v", id, err)
			}
		})
	}
	wg.Wait()
	cfg, _, err := readConfig(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := len(cfg.ServiceProviders); got != 8 {
		t.Errorf("%d service providers survived, want 8", got)
	}
}

func readAll(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
