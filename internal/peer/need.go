package peer

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Need returns the path of a program or file that a test cannot do without.
// What is a path when it holds a slash, else a command looked up in PATH and in
// the places where Debian keeps its daemons. When it is missing the test is
// skipped with the command that installs it, or failed where CI=true: there a
// skip would be a check that silently stopped.
func Need(t testing.TB, what, installHint string) string {
	t.Helper()
	if path, ok := find(what); ok {
		return path
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is missing; install it with: %s", what, installHint)
	}
	t.Skipf("%s is missing; install it with: %s", what, installHint)
	return ""
}

func find(what string) (string, bool) {
	if strings.Contains(what, "/") {
		_, err := os.Stat(what)
		return what, err == nil
	}
	if path, err := exec.LookPath(what); err == nil {
		return path, true
	}
	for _, dir := range []string{"/usr/sbin", "/usr/local/sbin", "/sbin"} {
		if path, err := exec.LookPath(filepath.Join(dir, what)); err == nil {
			return path, true
		}
	}
	return "", false
}

// testdata is the path of a file below internal/peer/testdata, from whichever
// package's folder the test runs in.
func testdata(t testing.TB, elem ...string) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatalf("finding the module: %v", err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(append([]string{dir, "internal", "peer", "testdata"}, elem...)...)
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("finding the module: no go.mod above the working directory")
		}
		dir = parent
	}
}

// nodeModule checks that a module of testdata/node is installed and returns
// the path of node.
func nodeModule(t testing.TB, module string) string {
	t.Helper()
	node := Need(t, "node", "apt-get install nodejs npm (Node 20 or later)")
	Need(t, testdata(t, "node", "node_modules", module), "npm ci --prefix "+testdata(t, "node"))
	return node
}
