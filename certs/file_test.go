package certs_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/samlet-id/samlet/certs"
	"github.com/samlet-id/samlet/identity"
)

func TestWriteFiles(t *testing.T) {
	t.Parallel()
	m := generated()["ecdsa"]
	dir := t.TempDir()
	key, cert := filepath.Join(dir, "sig.key"), filepath.Join(dir, "sig.crt")
	if err := certs.WriteFiles(key, cert, m.keyPEM, m.cert); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]os.FileMode{key: 0o600, cert: 0o644} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != want {
			t.Errorf("%s: got mode %v, want %v", path, info.Mode().Perm(), want)
		}
	}
	k, err := certs.LoadFiles("sig", certs.Signing, certs.Active, key, cert)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := k.Fingerprint256(), m.key.Fingerprint256(); got != want {
		t.Errorf("read back another key: got %s, want %s", got, want)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 {
		t.Errorf("got %v (%v), want two files and no temporary ones", entries, err)
	}
}

func TestWriteFilesNeverOverwrites(t *testing.T) {
	t.Parallel()
	m := generated()["ecdsa"]
	for _, there := range []string{"sig.key", "sig.crt"} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, there), []byte("precious"), 0o600); err != nil {
			t.Fatal(err)
		}
		err := certs.WriteFiles(filepath.Join(dir, "sig.key"), filepath.Join(dir, "sig.crt"), m.keyPEM, m.cert)
		if got := identity.CodeOf(err); got != "key.exists" || !strings.Contains(err.Error(), there) {
			t.Errorf("%s is there: got %v, want key.exists naming it", there, err)
		}
		entries, err := os.ReadDir(dir)
		if err != nil || len(entries) != 1 {
			t.Errorf("%s is there: got %v (%v), want nothing beside it", there, entries, err)
		}
		if got, err := os.ReadFile(filepath.Join(dir, there)); string(got) != "precious" {
			t.Errorf("%s now holds %q (%v)", there, got, err)
		}
	}
}

func TestWriteFilesTakesTheKeyBack(t *testing.T) {
	t.Parallel()
	m := generated()["ecdsa"]
	dir := t.TempDir()
	key := filepath.Join(dir, "sig.key")
	if err := certs.WriteFiles(key, filepath.Join(dir, "missing", "sig.crt"), m.keyPEM, m.cert); identity.CodeOf(err) != "key.file" {
		t.Errorf("got %v, want key.file", err)
	}
	if _, err := os.Stat(key); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a key without its certificate was left: %v", err)
	}
}

func TestLoadFilesNamesTheFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert := filepath.Join(dir, "sig.crt")
	if err := os.WriteFile(cert, generated()["ecdsa"].cert, 0o600); err != nil {
		t.Fatal(err)
	}
	missing := filepath.Join(dir, "sig.key")
	for path, want := range map[string]string{
		missing: "The private key file " + missing + ` of key "sig" cannot be read: there is no such file.`,
		dir:     "The private key file " + dir + ` of key "sig" cannot be read: it is not a file of at most 1 MiB.`,
	} {
		_, err := certs.LoadFiles("sig", certs.Signing, certs.Active, path, cert)
		if diff := cmp.Diff(want, identity.AsError(err).Msg); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

func TestCheckMode(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "sig.key")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for mode, warned := range map[os.FileMode]bool{0o600: false, 0o400: false, 0o640: true, 0o604: true} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		finding, err := certs.CheckMode(path)
		if err != nil || (finding != "") != warned || warned && !strings.Contains(finding, path) {
			t.Errorf("mode %04o: got %q (%v), want a finding: %v", mode, finding, err, warned)
		}
	}
}
