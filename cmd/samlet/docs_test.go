package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestErrorCodesAreDocumented holds docs/errors.md and the code together: every
// code that is made is listed, and every code that is listed is made.
func TestErrorCodesAreDocumented(t *testing.T) {
	t.Parallel()
	made := regexp.MustCompile(`"((?:sp|up|link|user|rate|login|logout|ui|web|binding|xml|sig|md|store|cfg|key|password|explain)\.[a-z_]+)"`)
	listed := regexp.MustCompile("`((?:sp|up|link|user|rate|login|logout|ui|web|binding|xml|sig|md|store|cfg|key|password|explain)\\.[a-z_]+)`")
	notCodes := []string{"logout.told", "link.asked", "link.created", "link.removed", "link.reclaimed", "link.refused", "login.succeeded", "store.dsn", "store.driver", "sp.py"} // events and keys of config.yaml
	inCode := map[string]bool{}
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") ||
			strings.Contains(path, "test/") || strings.Contains(path, "internal/peer") {
			return err
		}
		for _, m := range made.FindAllStringSubmatch(readAll(t, path), -1) {
			inCode[m[1]] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	inDocs := map[string]bool{}
	for _, m := range listed.FindAllStringSubmatch(readAll(t, "../../docs/errors.md"), -1) {
		inDocs[m[1]] = true
	}
	for code := range inCode {
		if !inDocs[code] && !slices.Contains(notCodes, code) {
			t.Errorf("docs/errors.md does not list %s", code)
		}
	}
	for code := range inDocs {
		if !inCode[code] {
			t.Errorf("docs/errors.md lists %s, which nothing makes", code)
		}
	}
}

// TestConfigurationIsDocumented holds that docs/configuration.md names every
// key of config.yaml.
func TestConfigurationIsDocumented(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range configKeys() {
		if !regexp.MustCompile(`\b` + key + `\b`).Match(raw) {
			t.Errorf("docs/configuration.md does not mention %s", key)
		}
	}
}
