package explain_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/samlet-id/samlet/internal/explain"
)

// TestOthersMetadata holds that nothing fails in the metadata of other software.
func TestOthersMetadata(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../metadata/testdata/*.xml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no metadata: %v", err)
	}
	for _, file := range files {
		for _, r := range explainFile(t, file, 0) {
			if r.Failed() || r.Check("endpoints") == nil || r.Check("keys") == nil {
				t.Errorf("%s: failing are %q", file, failing([]explain.Report{r}))
			}
		}
	}
}

// TestHostileDocuments holds that each document of xmlsec's corpus of attacks is
// answered with a report that says what is wrong, and never counts as verified.
func TestHostileDocuments(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../xmlsec/testdata/reject/*.xml")
	if err != nil || len(files) < 100 {
		t.Fatalf("%d hostile documents: %v", len(files), err)
	}
	for _, file := range files {
		for _, r := range explainFile(t, file, len("-->\n")) {
			if r.Verified() {
				t.Errorf("%s counts as verified", file)
			}
			if len(r.Checks) == 0 {
				t.Errorf("%s: nothing is said", file)
			}
		}
	}
}

// explainFile judges a file by the keys of the application and the identity
// provider of this package's fixtures; skip is the length of what ends its
// heading, 0 for none.
func explainFile(t *testing.T, file string, skip int) []explain.Report {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if skip > 0 {
		raw = raw[bytes.Index(raw, []byte("-->\n"))+skip:]
	}
	messages, err := explain.Find(raw)
	if err != nil {
		return nil // refused before it is a message, with a sentence
	}
	return explain.Explain(messages, world(t, "both", time.Date(2026, 11, 23, 18, 0, 0, 0, time.UTC)))
}
