package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/beevik/etree"

	"github.com/samlet-id/samlet/internal/peer"
)

// TestRequestsAreComplete reads the OASIS schemas: no attribute and no element of
// an AuthnRequest is without a row, and no row is about anything else.
func TestRequestsAreComplete(t *testing.T) {
	t.Parallel()
	schema := readSchemas(t)
	want := slices.Concat(schema.fields("", "AuthnRequestType"), bindingFields())
	seen := map[string]bool{}
	for _, r := range requestRows() {
		seen[r.field] = true
		if !slices.Contains(want, r.field) {
			t.Errorf("the row %q: %s is no part of an AuthnRequest", r.field, r.form)
		}
	}
	for _, field := range want {
		if !seen[field] {
			t.Errorf("%s has no row", field)
		}
	}
}

// bindingFields are the parts of a message that no schema knows (SAML Bindings
// 3.4.4.1, 3.5.4), and those of a sign-in that begins here.
func bindingFields() []string {
	return []string{"(message)", "(query)", "(SAMLRequest)", "(RelayState)", "(SigAlg, Signature)", "(SAMLEncoding)", "(idp-initiated)"}
}

// schemas are the two schemas that an AuthnRequest is made of.
type schemas struct{ types, elements map[string]*etree.Element }

func readSchemas(t *testing.T) schemas {
	t.Helper()
	s := schemas{types: map[string]*etree.Element{}, elements: map[string]*etree.Element{}}
	dir := peer.Schemas(t)
	for _, file := range []string{"saml-schema-protocol-2.0.xsd", "saml-schema-assertion-2.0.xsd"} {
		doc := etree.NewDocument()
		if err := doc.ReadFromFile(filepath.Join(dir, file)); err != nil {
			t.Fatal(err)
		}
		for _, e := range doc.Root().ChildElements() {
			name := e.SelectAttrValue("name", "")
			if e.Tag == "element" {
				s.elements[name] = e
			} else if name != "" {
				s.types[name] = e
			}
		}
	}
	return s
}

// whole are the parts that are judged as one: what is in them is ignored, refused
// or encrypted, or of another specification.
func whole() []string {
	return []string{"Signature", "Extensions", "Subject/BaseID", "Subject/EncryptedID", "Subject/SubjectConfirmation", "Conditions/Condition"}
}

// fields returns every attribute and element below a type.
func (s schemas) fields(at, typ string) []string {
	var found []string
	add := func(name string) string {
		name = strings.TrimPrefix(at+"/"+name, "/")
		if !slices.Contains(found, name) {
			found = append(found, name)
		}
		return name
	}
	var walk func(e *etree.Element)
	walk = func(e *etree.Element) {
		if e == nil {
			return
		}
		switch e.Tag {
		case "attribute":
			add("@" + e.SelectAttrValue("name", ""))
			return
		case "attributeGroup":
			if ref := local(e, "ref"); ref != "" {
				walk(s.types[ref])
				return
			}
		case "extension":
			walk(s.types[local(e, "base")])
		case "element":
			name, of := local(e, "ref"), local(e, "type")
			if name == "" {
				name = local(e, "name")
			} else if declared := s.elements[name]; declared != nil {
				of = local(declared, "type")
			}
			if path := add(name); !slices.Contains(whole(), path) {
				found = append(found, s.fields(path, of)...)
			}
			return
		}
		for _, c := range e.ChildElements() {
			walk(c)
		}
	}
	walk(s.types[typ])
	return found
}

// local is the value of an attribute without its prefix.
func local(e *etree.Element, name string) string {
	value := e.SelectAttrValue(name, "")
	return value[strings.IndexByte(value, ':')+1:]
}

// published is docs/requests.md.
func published() string {
	var b strings.Builder
	cell := strings.NewReplacer("|", `\|`, "<", "&lt;")
	b.WriteString(requestsPreface)
	last := ""
	for _, r := range requestRows() {
		part, _, _ := strings.Cut(strings.TrimPrefix(r.field, "@"), "/")
		if strings.HasPrefix(r.field, "@") {
			part = "Attributes"
		}
		if strings.HasPrefix(r.field, "(") {
			part = "The message"
		}
		if part != last {
			b.WriteString("\n## " + part + "\n\n| field | form | what samlet does |\n|---|---|---|\n")
			last = part
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", r.field, cell.Replace(r.circumstances()), cell.Replace(r.want))
	}
	return b.String()
}

const requestsPreface = `# What samlet does with each part of an AuthnRequest

Every attribute and element that the OASIS schema knows, and everything that the
bindings add, in its legal and illegal forms. This table is written by the test
that sends each row to samlet and compares the outcome
(` + "`cmd/samlet: TestRequests`" + `, the subtest "field: form"); another test reads the
schema and demands that no part is without a row.

- **answered**: with an assertion like that of the plainest request; what follows
  a colon is what is different about it. That request comes by Redirect,
  unsigned, from an application whose metadata names one default
  AssertionConsumerService (POST), one default AttributeConsumingService and no
  NameIDFormat. Alice, signed in an hour ago with a password, is at the browser.
- **Top/Second (code)**: a signed Response to the application with these status codes;
  its StatusMessage has the code of [errors.md](errors.md) and a request ID.
- **page code**: the person sees a page; the application is told nothing, since the
  message cannot be believed or names no endpoint that is registered.
- Two parts are read and then left alone: ProviderName is never shown (the name that
  people see is the operator's), and Consent is taken for a claim about the person
  that only the person can make.
`
