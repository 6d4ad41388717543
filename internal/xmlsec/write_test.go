package xmlsec_test

import (
	"bytes"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/peer"
	"github.com/samlet-id/samlet/internal/xmlsec"
)

// hostile holds values that break out of templates and round trips, or change in
// parsers that normalise.
var hostile = map[string]string{
	"markup":         `</saml:AttributeValue><saml:AttributeValue>admin`,
	"comment":        `admin<!---->.evil`,
	"cdata end":      `a]]>b`,
	"entity":         `&lt;&amp;amp;&#60;`,
	"quotes":         `"'"'`,
	"line ends":      "a\r\nb\rc\nd",
	"tabs":           "\ta\tb\t",
	"leading blanks": "   a  b   ",
	"c1 and nel":     "a\u0085b\u009fc\u2028d",
	"four bytes":     "\U0001F511\U0010FFFD",
	"private use":    "\ue000\ufffd",
	"long":           strings.Repeat("0123456789abcdef", 640),
	"empty":          "",
}

func TestWriterIsCanonical(t *testing.T) {
	t.Parallel()
	for name, value := range hostile {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := xmlsec.NewWriter()
			w.Open("samlp:Response", "Version", "2.0", "ID", "_r", "Destination", value)
			w.Element("saml:Issuer", value, "SPNameQualifier", value, "Format", value)
			w.Open("samlp:Extensions")
			w.Element("mdui:DisplayName", value, "xml:lang", "en")
			w.Element("xenc11:MGF", "", "saml:b", value, "ds:z", "y", "b", "x", "a", value)
			w.Close()
			w.Close()
			got, err := w.Bytes()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(canonical(t, got), string(got)); diff != "" {
				t.Errorf("not canonical (-xmllint +ours):\n%s", diff)
			}
			if n := strings.Count(string(got), "<saml:Issuer"); n != 1 {
				t.Errorf("the value made %d Issuers", n)
			}
		})
	}
}

// canonical returns the exclusive canonical form that libxml2 makes of doc.
func canonical(t testing.TB, doc []byte) string {
	t.Helper()
	cmd := exec.Command(peer.Need(t, "xmllint", "apt-get install libxml2-utils"), "--nonet", "--exc-c14n", "-")
	cmd.Stdin = bytes.NewReader(doc)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("xmllint: %v: %s\n%s", err, stderr.String(), doc)
	}
	return string(out)
}

func TestWriterRefusesCharacters(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]string{
		"nul":            "a\x00b",
		"control":        "a\x0bb",
		"escape":         "\x1b[31m",
		"not UTF-8":      "a\xff",
		"cut rune":       "\xf0\x9f\x94",
		"surrogate":      "\xed\xa0\x80",
		"non-character":  "a\ufffe",
		"non-characterF": "\uffff",
	} {
		for place, write := range map[string]func(*xmlsec.Writer){
			"text":      func(w *xmlsec.Writer) { w.Element("saml:AttributeValue", value) },
			"attribute": func(w *xmlsec.Writer) { w.Element("saml:Attribute", "", "Name", value) },
		} {
			t.Run(name+" in "+place, func(t *testing.T) {
				t.Parallel()
				w := xmlsec.NewWriter()
				write(w)
				got, err := w.Bytes()
				if !errors.Is(err, &identity.Error{Code: "xml.character"}) || identity.KindOf(err) != identity.KindInvalid {
					t.Errorf("got %q, %v; want xml.character", got, err)
				}
			})
		}
	}
}

func TestWriterRefusesMistakes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		write func(*xmlsec.Writer)
		want  string
	}{
		"nothing":          {func(*xmlsec.Writer) {}, "empty"},
		"unknown prefix":   {func(w *xmlsec.Writer) { w.Element("evil:Issuer", "") }, "no known prefix"},
		"no prefix":        {func(w *xmlsec.Writer) { w.Element("Issuer", "") }, "no known prefix"},
		"attribute prefix": {func(w *xmlsec.Writer) { w.Element("saml:Issuer", "", "evil:a", "b") }, "no known prefix"},
		"odd attributes":   {func(w *xmlsec.Writer) { w.Element("saml:Issuer", "", "Format") }, "without a value"},
		"same attribute":   {func(w *xmlsec.Writer) { w.Element("saml:Issuer", "", "a", "1", "b", "2", "a", "3") }, "twice"},
		"still open":       {func(w *xmlsec.Writer) { w.Open("saml:Issuer") }, "still open"},
		"closed twice":     {func(w *xmlsec.Writer) { w.Element("saml:Issuer", ""); w.Close() }, "no element is open"},
		"two roots":        {func(w *xmlsec.Writer) { w.Element("saml:Issuer", ""); w.Element("saml:Issuer", "") }, "second root"},
		"text outside":     {func(w *xmlsec.Writer) { w.Text("a") }, "outside of the root"},
		"slot outside":     {func(w *xmlsec.Writer) { w.SignatureSlot() }, "outside of the root"},
		"slot without ID":  {func(w *xmlsec.Writer) { w.Open("saml:Assertion"); w.SignatureSlot() }, "NCName"},
		"slot with odd ID": {func(w *xmlsec.Writer) { w.Open("saml:Assertion", "ID", `1"`); w.SignatureSlot() }, "NCName"},
		"slot twice": {func(w *xmlsec.Writer) {
			w.Open("saml:Assertion", "ID", "_a")
			w.SignatureSlot()
			w.SignatureSlot()
		}, "must come once"},
		"slot after an inner one": {func(w *xmlsec.Writer) {
			w.Open("samlp:Response", "ID", "_r")
			w.Open("saml:Assertion", "ID", "_a")
			w.SignatureSlot()
			w.Close()
			w.SignatureSlot()
		}, "before that of any element inside"},
		"slot under ds": {func(w *xmlsec.Writer) {
			w.Open("ds:Object")
			w.Open("saml:Assertion", "ID", "_a")
			w.SignatureSlot()
		}, "declaration of ds"},
		"signed element borrows a namespace": {func(w *xmlsec.Writer) {
			w.Open("saml:Advice")
			w.Open("saml:Assertion", "ID", "_a")
			w.SignatureSlot()
			w.Close()
			w.Close()
		}, "declared outside of it"},
		"deep inside a signed element": {func(w *xmlsec.Writer) {
			w.Open("samlp:Response")
			w.Open("saml:Assertion", "ID", "_a")
			w.SignatureSlot()
			w.Open("saml:Advice")
			w.Element("samlp:Status", "")
			w.Close()
			w.Close()
			w.Close()
		}, "declared outside of it"},
		"unsigned": {func(w *xmlsec.Writer) {
			w.Open("saml:Assertion", "ID", "_a")
			w.SignatureSlot()
			w.Close()
		}, "must be signed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := xmlsec.NewWriter()
			c.write(w)
			got, err := w.Bytes()
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %q, %v; want an error about %q", got, err, c.want)
			}
		})
	}
}

func TestWriterEndsOnce(t *testing.T) {
	t.Parallel()
	w := xmlsec.NewWriter()
	w.Element("saml:Issuer", "a")
	if _, err := w.Bytes(); err != nil {
		t.Fatal(err)
	}
	w.Element("saml:Issuer", "b")
	if got, err := w.Bytes(); err == nil {
		t.Errorf("an ended Writer returned %s", got)
	}
}

func ExampleWriter() {
	w := xmlsec.NewWriter()
	w.Open("samlp:AuthnRequest", "Version", "2.0", "ID", "_4f1c")
	w.Element("saml:Issuer", "https://app.example.test/a?b&c")
	w.Close()
	octets, err := w.Bytes()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s\n", octets)
	// Output:
	// <samlp:AuthnRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" ID="_4f1c" Version="2.0"><saml:Issuer xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion">https://app.example.test/a?b&amp;c</saml:Issuer></samlp:AuthnRequest>
}
