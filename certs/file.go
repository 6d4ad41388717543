package certs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/samlet-id/samlet/identity"
)

const (
	keyMode  fs.FileMode = 0o600
	certMode fs.FileMode = 0o644
)

// maxFile bounds what is read of a key or certificate file.
const maxFile = 1 << 20

// WriteFiles writes a private key (mode 0600) and its certificate (mode 0644)
// and makes both durable. Nothing is ever overwritten: if either file is there
// already, neither is written and the error is of KindExists with code
// "key.exists". A file appears whole or not at all; if the second cannot be
// written, the first is taken away again.
func WriteFiles(keyPath, certPath string, keyPEM, certPEM []byte) error {
	for _, path := range []string{keyPath, certPath} {
		if _, err := os.Lstat(path); err == nil {
			return exists(path)
		}
	}
	if err := writeNew(keyPath, keyPEM, keyMode); err != nil {
		return err
	}
	if err := writeNew(certPath, certPEM, certMode); err != nil {
		// The key was made by this very call, so nobody relies on it yet.
		return errors.Join(err, os.Remove(keyPath))
	}
	for _, dir := range []string{filepath.Dir(keyPath), filepath.Dir(certPath)} {
		if err := syncDir(dir); err != nil {
			return err
		}
	}
	return nil
}

// writeNew writes a temporary file beside path and links it to path, which fails
// where rename would overwrite.
func writeNew(path string, data []byte, mode fs.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".samlet-*")
	if err != nil {
		return unwritable(path, err)
	}
	err = errors.Join(f.Chmod(mode), writeSync(f, data))
	if err == nil {
		err = os.Link(f.Name(), path)
	}
	removed := os.Remove(f.Name())
	if errors.Is(err, fs.ErrExist) {
		return exists(path)
	}
	if err = errors.Join(err, removed); err != nil {
		return unwritable(path, err)
	}
	return nil
}

func writeSync(f *os.File, data []byte) error {
	_, err := f.Write(data)
	return errors.Join(err, f.Sync(), f.Close())
}

// syncDir makes the names in dir durable; without it a power cut may leave a
// database that refers to a key file that is not there.
func syncDir(dir string) error {
	d, err := os.Open(dir) //nolint:gosec // the operator's own path
	if err != nil {
		return unwritable(dir, err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return unwritable(dir, err)
	}
	return nil
}

// LoadFiles is Load on two files. A file that is missing or cannot be read is an
// error of KindInvalid with code "key.file" whose message names the file.
func LoadFiles(id string, use Use, state State, keyPath, certPath string) (Key, error) {
	keyPEM, err := readFile("private key", id, keyPath)
	if err != nil {
		return Key{}, err
	}
	certPEM, err := readFile("certificate", id, certPath)
	if err != nil {
		return Key{}, err
	}
	return Load(id, use, state, keyPEM, certPEM)
}

func readFile(what, id, path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err == nil && info.Mode().IsRegular() && info.Size() <= maxFile {
		var b []byte
		if b, err = os.ReadFile(path); err == nil { //nolint:gosec // the operator's own path
			return b, nil
		}
	}
	why := "it is not a file of at most 1 MiB"
	switch {
	case errors.Is(err, fs.ErrNotExist):
		why = "there is no such file"
	case errors.Is(err, fs.ErrPermission):
		why = "permission denied"
	case err != nil:
		why = err.Error()
	}
	return nil, &identity.Error{
		Kind: identity.KindInvalid, Code: "key.file", Who: identity.WhoOperator,
		Msg: fmt.Sprintf("The %s file %s of key %q cannot be read: %s.", what, path, id, why), Err: err,
	}
}

// CheckMode looks at the permissions of a private key's file. The finding is one
// sentence for the operator, or "" if nobody but the owner has access.
func CheckMode(keyPath string) (finding string, err error) {
	info, err := os.Stat(keyPath)
	if err != nil {
		return "", fmt.Errorf("looking at the key file: %w", err)
	}
	if runtime.GOOS == "windows" || info.Mode().Perm()&^keyMode == 0 {
		return "", nil
	}
	return fmt.Sprintf("The key file %s has mode %04o, so others on this machine may read it; chmod 600 closes it.", keyPath, info.Mode().Perm()), nil
}

func exists(path string) error {
	return &identity.Error{
		Kind: identity.KindExists, Code: "key.exists", Who: identity.WhoOperator,
		Msg: fmt.Sprintf("The file %s is there already and is not overwritten.", path),
	}
}

func unwritable(path string, err error) error {
	return &identity.Error{
		Kind: identity.KindInternal, Code: "key.file", Who: identity.WhoOperator,
		Msg: fmt.Sprintf("The file %s cannot be written.", path), Err: err,
	}
}
