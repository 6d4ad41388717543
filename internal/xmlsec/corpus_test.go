package xmlsec_test

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/xmlsec"
)

// fixture is a file of testdata/accept or testdata/reject; generate.py says how
// they are made and what the lines of their headings mean.
type fixture struct {
	title string
	lines map[string]string
	raw   []byte
}

func fixtures(t testing.TB, kind string) map[string]fixture {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", kind, "*.xml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no fixtures in %s: %v", kind, err)
	}
	found := make(map[string]fixture, len(files))
	for _, file := range files {
		found[strings.TrimSuffix(filepath.Base(file), ".xml")] = readFixture(t, file)
	}
	return found
}

func readFixture(t testing.TB, file string) fixture {
	t.Helper()
	all, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head, raw, ok := bytes.Cut(all, []byte("-->\n"))
	if !ok {
		t.Fatalf("%s has no heading", file)
	}
	title, rest, _ := strings.Cut(strings.TrimPrefix(string(head), "<!-- "), "\n")
	f := fixture{title: title, lines: map[string]string{}, raw: raw}
	for line := range strings.Lines(rest) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		f.lines[name] = value
	}
	return f
}

func (f fixture) limits() xmlsec.Limits {
	switch f.lines["limits"] {
	case "request":
		return xmlsec.RequestLimits()
	case "metadata":
		return xmlsec.MetadataLimits()
	}
	return xmlsec.ResponseLimits()
}

func (f fixture) trust(t testing.TB) xmlsec.Trust {
	t.Helper()
	trust := xmlsec.Trust{AllowSHA1: f.lines["allow"] == "sha1"}
	names := f.lines["keys"]
	if names == "" {
		names = "rsa"
	}
	if names == "none" {
		return trust
	}
	for name := range strings.FieldsSeq(names) {
		trust.Keys = append(trust.Keys, testCertificate(t, name).PublicKey)
	}
	return trust
}

// run does to f what its heading says and returns the element that may be read.
func (f fixture) run(t testing.TB) (*xmlsec.Element, error) {
	t.Helper()
	doc, err := xmlsec.Parse(f.raw, f.limits())
	if err != nil {
		return nil, err
	}
	e := doc.Root()
	for step := range strings.FieldsSeq(f.lines["do"]) {
		switch step {
		case "parse", "root":
		case "assertion":
			e = e.Child(xmlsec.NSAssertion, "Assertion")
		case "decrypt":
			enc := e.Child(xmlsec.NSAssertion, "EncryptedAssertion")
			policy := xmlsec.DecryptPolicy{AllowCBC: f.lines["allow"] == "cbc"}
			if doc, err = xmlsec.Decrypt(enc, []crypto.Decrypter{decrypter(t, "rsa"), decrypter(t, "encryption")}, policy, f.limits()); err != nil {
				return nil, err
			}
			e = doc.Root()
		}
	}
	if strings.Contains(f.lines["do"], "verify") {
		return doc.Verify(e, f.trust(t))
	}
	return e, nil
}

func testCertificate(t testing.TB, name string) *x509.Certificate {
	t.Helper()
	cert, err := x509.ParseCertificate(readPEM(t, "test-"+name+"-cert.pem"))
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func decrypter(t testing.TB, name string) crypto.Decrypter {
	t.Helper()
	key, err := x509.ParsePKCS8PrivateKey(readPEM(t, "test-"+name+"-key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	return key.(crypto.Decrypter)
}

func readPEM(t testing.TB, file string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", "keys", file))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(raw)
	if block == nil {
		t.Fatalf("%s is not PEM", file)
	}
	return block.Bytes
}

// TestReject demands of each attack its own code. A corpus that refuses because
// the fixture is broken proves nothing, so the codes are exact.
func TestReject(t *testing.T) {
	t.Parallel()
	for name, f := range fixtures(t, "reject") {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, err := f.run(t)
			if err == nil {
				t.Fatalf("%s\naccepted, and read as:\n%s", f.title, e.Raw())
			}
			if got, want := string(identity.CodeOf(err)), f.lines["code"]; got != want {
				t.Errorf("%s\ncode = %s, want %s: %v", f.title, got, want, err)
			}
			if strings.Contains(err.Error(), "xml.panic") {
				t.Errorf("it was a panic that refused it: %v", err)
			}
			if got := identity.KindOf(err); got != identity.KindInvalid {
				t.Errorf("kind = %v, want %v", got, identity.KindInvalid)
			}
			if e != nil {
				t.Error("an element was returned beside the error")
			}
		})
	}
}

// TestAccept demands that each legitimate form is read, and read rightly.
func TestAccept(t *testing.T) {
	t.Parallel()
	for name, f := range fixtures(t, "accept") {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, err := f.run(t)
			if err != nil {
				t.Fatalf("%s\n%v", f.title, err)
			}
			checkWant(t, e, f.lines["want"])
		})
	}
}

// checkWant holds e against want: path=text of the first element there, or
// path#count of the elements there.
func checkWant(t testing.TB, e *xmlsec.Element, want string) {
	t.Helper()
	i := strings.IndexAny(want, "=#")
	if i < 0 {
		t.Fatalf("cannot read want %q", want)
	}
	found := []*xmlsec.Element{e}
	for step := range strings.SplitSeq(want[:i], "/") {
		var next []*xmlsec.Element
		for _, parent := range found {
			for _, c := range parent.Elements() {
				if c.Local == step {
					next = append(next, c)
				}
			}
		}
		found = next
	}
	got := "#" + strconv.Itoa(len(found))
	if want[i] == '=' {
		if len(found) == 0 {
			t.Fatalf("no %s", want[:i])
		}
		text, err := found[0].TrimText()
		if err != nil {
			t.Fatal(err)
		}
		got = "=" + text
	}
	if got != want[i:] {
		t.Errorf("%s%s, want %s", want[:i], got, want)
	}
}
