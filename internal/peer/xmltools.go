package peer

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const (
	xmllintHint = "apt-get install libxml2-utils opensaml-schemas xmltooling-schemas"
	xmlsecHint  = "apt-get install xmlsec1"
)

// Schemas returns a folder with the OASIS and W3C schemas of SAML in which
// xmllint --nonet --schema saml-schema-protocol-2.0.xsd works. all.xsd beside
// them imports protocol, assertion and metadata with its extensions at once.
func Schemas(t testing.TB) string {
	t.Helper()
	return writeSchemas(t, t.TempDir())
}

// imports of the published schemas point to the web; ours to the file beside.
var remote = regexp.MustCompile(`schemaLocation="https?://[^"]*/([^"/]+)"`)

// The schema for XML Signature declares a document type that only names a DTD
// on the web and an entity that nothing needs.
var doctype = regexp.MustCompile(`(?s)<!DOCTYPE.*?(\[.*?\])?\s*>`)

func writeSchemas(t testing.TB, dir string) string {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, from := range []string{"/usr/share/xml/opensaml/", "/usr/share/xml/xmltooling/"} {
		Need(t, from, xmllintHint)
		files, err := filepath.Glob(from + "*.xsd")
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			b = remote.ReplaceAll(doctype.ReplaceAll(b, nil), []byte(`schemaLocation="$1"`))
			if err := os.WriteFile(filepath.Join(dir, filepath.Base(file)), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "all.xsd"), []byte(allSchemas), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

const allSchemas = `<schema xmlns="http://www.w3.org/2001/XMLSchema" version="2.0">
<import namespace="urn:oasis:names:tc:SAML:2.0:protocol" schemaLocation="saml-schema-protocol-2.0.xsd"/>
<import namespace="urn:oasis:names:tc:SAML:2.0:metadata" schemaLocation="saml-schema-metadata-2.0.xsd"/>
<import namespace="urn:oasis:names:tc:SAML:metadata:ui" schemaLocation="sstc-saml-metadata-ui-v1.0.xsd"/>
<import namespace="urn:oasis:names:tc:SAML:metadata:attribute" schemaLocation="sstc-metadata-attr.xsd"/>
<import namespace="urn:oasis:names:tc:SAML:metadata:rpi" schemaLocation="saml-metadata-rpi-v1.0.xsd"/>
<import namespace="urn:oasis:names:tc:SAML:metadata:algsupport" schemaLocation="sstc-saml-metadata-algsupport-v1.0.xsd"/>
<import namespace="urn:oasis:names:tc:SAML:profiles:SSO:idp-discovery-protocol" schemaLocation="sstc-saml-idp-discovery.xsd"/>
<import namespace="urn:oasis:names:tc:SAML:attribute:ext" schemaLocation="sstc-saml-attribute-ext.xsd"/>
<import namespace="http://www.w3.org/2009/xmlenc11#" schemaLocation="xenc11-schema.xsd"/>
<import namespace="http://schemas.xmlsoap.org/soap/envelope/" schemaLocation="soap-envelope.xsd"/>
</schema>
`

// ValidateXSD fails the test when a protocol message, an Assertion or metadata
// is not valid against the OASIS schemas.
func ValidateXSD(t testing.TB, doc []byte) {
	t.Helper()
	if err := CheckXSD(t, doc); err != nil {
		t.Errorf("not schema-valid: %v\n%s", err, doc)
	}
}

// CheckXSD is ValidateXSD for a test that expects a fault.
func CheckXSD(t testing.TB, doc []byte) error {
	t.Helper()
	xmllint := Need(t, "xmllint", xmllintHint)
	return run(doc, xmllint, "--nonet", "--noout", "--schema", filepath.Join(Schemas(t), "all.xsd"), "-")
}

// signedElements are those that xmlsec1 shall know an ID of, without a DTD.
var signedElements = []string{
	"urn:oasis:names:tc:SAML:2.0:protocol:AuthnRequest",
	"urn:oasis:names:tc:SAML:2.0:protocol:Response",
	"urn:oasis:names:tc:SAML:2.0:protocol:LogoutRequest",
	"urn:oasis:names:tc:SAML:2.0:protocol:LogoutResponse",
	"urn:oasis:names:tc:SAML:2.0:protocol:ArtifactResolve",
	"urn:oasis:names:tc:SAML:2.0:protocol:ArtifactResponse",
	"urn:oasis:names:tc:SAML:2.0:assertion:Assertion",
	"urn:oasis:names:tc:SAML:2.0:metadata:EntityDescriptor",
	"urn:oasis:names:tc:SAML:2.0:metadata:EntitiesDescriptor",
}

// VerifyXMLSec1 fails the test unless xmlsec1 verifies every signature in the
// document with the key of that certificate, and there is at least one. Further
// elements that carry an ID attribute are named as "NAMESPACE:NAME".
func VerifyXMLSec1(t testing.TB, doc, certPEM []byte, more ...string) {
	t.Helper()
	if err := CheckXMLSec1(t, doc, certPEM, more...); err != nil {
		t.Errorf("xmlsec1 does not verify it: %v\n%s", err, doc)
	}
}

// CheckXMLSec1 is VerifyXMLSec1 for a test that expects a fault.
func CheckXMLSec1(t testing.TB, doc, certPEM []byte, more ...string) error {
	t.Helper()
	xmlsec := Need(t, "xmlsec1", xmlsecHint)
	dir := t.TempDir()
	file, cert := filepath.Join(dir, "doc.xml"), filepath.Join(dir, "cert.pem")
	for path, content := range map[string][]byte{file: doc, cert: certPEM} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	args := []string{"--verify", "--pubkey-cert-pem", cert, "--enabled-key-data", "rsa,ec,key-name"}
	for _, e := range append(signedElements, more...) {
		args = append(args, "--id-attr:ID", e)
	}
	n := len(signature.FindAll(doc, -1))
	if n == 0 {
		return errors.New("there is no signature")
	}
	for i := range n {
		path := fmt.Sprintf(`(//*[local-name()="Signature" and namespace-uri()="http://www.w3.org/2000/09/xmldsig#"])[%d]`, i+1)
		if err := run(nil, xmlsec, append(args, "--node-xpath", path, file)...); err != nil {
			return fmt.Errorf("signature %d of %d: %w", i+1, n, err)
		}
	}
	return nil
}

var signature = regexp.MustCompile(`<([\w-]+:)?Signature[\s>]`)

func run(stdin []byte, name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Stdin = bytes.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", filepath.Base(name), err, strings.TrimSpace(string(out)))
	}
	return nil
}
