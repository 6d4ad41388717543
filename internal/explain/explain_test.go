package explain_test

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/explain"
	"github.com/samlet-id/samlet/metadata"
)

// fixture is a file of testdata/good or testdata/faults; generate.py says how
// they are made and what the lines of their headings mean.
type fixture struct {
	lines map[string]string
	input []byte
}

func fixtures(t testing.TB, folder string) map[string]fixture {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", folder, "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no fixtures in %s: %v", folder, err)
	}
	all := map[string]fixture{}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		f := fixture{lines: map[string]string{}}
		for bytes.HasPrefix(raw, []byte("# ")) {
			line, rest, _ := bytes.Cut(raw, []byte("\n"))
			name, value, _ := strings.Cut(string(line[2:]), ": ")
			f.lines[name], raw = value, rest
		}
		f.input = raw
		all[strings.TrimSuffix(filepath.Base(file), ".txt")] = f
	}
	return all
}

func (f fixture) explain(t testing.TB) []explain.Report {
	t.Helper()
	at, err := time.Parse(time.RFC3339, f.lines["at"])
	if err != nil {
		t.Fatal(err)
	}
	messages, err := explain.Find(f.input)
	if err != nil {
		t.Fatalf("%s: %v", f.lines["title"], err)
	}
	return explain.Explain(messages, world(t, f.lines["from"], at))
}

// world is what is known of both sides: our identity provider, and the
// application.
func world(t testing.TB, from string, at time.Time) explain.Context {
	t.Helper()
	c := explain.Context{At: at, Decrypters: []crypto.Decrypter{decrypter(t)}, SignIns: []identity.AuthnContext{{Class: identity.ClassPasswordProtectedTransport}}}
	for name, ours := range map[string]bool{"idp": true, "sp": false} {
		if from != "" && from != "both" && from != name {
			continue
		}
		raw, err := os.ReadFile("testdata/" + name + ".xml")
		if err != nil {
			t.Fatal(err)
		}
		e, err := metadata.Parse(raw, metadata.ParseOptions{Now: func() time.Time { return at }})
		if err != nil {
			t.Fatal(err)
		}
		c.Entities = append(c.Entities, explain.Entity{Entity: e, From: name + ".xml", Ours: ours})
	}
	c.Nearest = func(_ string, known []string) string { return known[0] }
	return c
}

func decrypter(t testing.TB) crypto.Decrypter {
	t.Helper()
	raw, err := os.ReadFile("../xmlsec/testdata/keys/test-encryption-key.pem")
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(raw)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return key.(crypto.Decrypter) //nolint:errcheck // an RSA key
}

// failing lists the ids of the checks that failed, sorted, each once.
func failing(reports []explain.Report) []string {
	var ids []string
	for _, r := range reports {
		for _, c := range r.Checks {
			if c.Result == explain.Fail {
				ids = append(ids, c.ID)
			}
		}
		ids = append(ids, failing(r.Inside)...)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

func kinds(reports []explain.Report) string {
	var all []string
	for _, r := range reports {
		all = append(all, r.Kind)
	}
	return strings.Join(all, " ")
}

// consequences are the checks that fail for the same reason as another one.
var consequences = map[string][]string{
	"signature":   {"signature_required", "acs"}, // where the address is what was changed
	"algorithm":   {"signature_required"},
	"assertions":  {"signature_required"},
	"destination": {"recipient"},
}

// TestFaultsAreNamed holds that each seeded fault fails the one check of its
// name, beside at most what follows from it, and says what was seen or expected
// and who can put it right.
func TestFaultsAreNamed(t *testing.T) {
	t.Parallel()
	all := fixtures(t, "faults")
	if len(all) < 30 {
		t.Errorf("got %d seeded faults, want at least 30", len(all))
	}
	for name, f := range all {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			reports := f.explain(t)
			want := f.lines["check"]
			if got := kinds(reports); got != f.lines["kind"] {
				t.Errorf("taken for %q, want %q", got, f.lines["kind"])
			}
			got := failing(reports)
			if !slices.Contains(got, want) {
				t.Fatalf("%s: failing are %q, want %q", f.lines["title"], got, want)
			}
			for _, id := range got {
				if id != want && !slices.Contains(consequences[want], id) {
					t.Errorf("%s: %s fails, too", f.lines["title"], id)
				}
			}
			for _, r := range reports {
				if c := r.Check(want); c != nil && c.Result == explain.Fail && (c.Detail == "" || c.Title == "" || c.Clause == "" || c.Who == "") {
					t.Errorf("the check does not explain itself: %+v", *c)
				}
			}
		})
	}
}

// TestGoodMessagesPass holds that nothing fails where nothing is wrong, whatever
// the message is wrapped in.
func TestGoodMessagesPass(t *testing.T) {
	t.Parallel()
	for name, f := range fixtures(t, "good") {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			reports := f.explain(t)
			if got := kinds(reports); got != f.lines["kind"] {
				t.Errorf("taken for %q, want %q", got, f.lines["kind"])
			}
			for _, r := range reports {
				if r.Failed() {
					t.Errorf("%s: failing are %q: %+v", f.lines["title"], failing(reports), r)
				}
			}
		})
	}
}
