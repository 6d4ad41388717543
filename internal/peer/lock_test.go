package peer_test

import (
	"os"
	"strings"
	"testing"
)

// The lock file has to serve whoever clones the repository, from whichever
// registry that person's npm is set up with.
func TestLockFileNamesNoRegistry(t *testing.T) {
	b, err := os.ReadFile("testdata/node/package-lock.json")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(b), `"resolved"`) {
		t.Error("package-lock.json records where packages were downloaded from; remove it and run npm install in that folder, whose .npmrc prevents it")
	}
}
