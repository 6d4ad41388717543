package xmlsec_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/internal/xmlsec"
)

const typicalRequest = `<?xml version="1.0" encoding="UTF-8"?>
<samlp:AuthnRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"
    ID="_4fee3b046395c4e751011e97f8900b5273d56685" Version="2.0" IssueInstant="2026-11-23T18:30:00Z"
    Destination="https://idp.example.test/saml/sso" ProtocolBinding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
    AssertionConsumerServiceURL="https://app.example.test/saml/acs">
  <saml:Issuer>https://app.example.test/saml/metadata</saml:Issuer>
  <samlp:NameIDPolicy Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent" AllowCreate="true"/>
  <samlp:RequestedAuthnContext Comparison="exact">
    <saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport</saml:AuthnContextClassRef>
  </samlp:RequestedAuthnContext>
</samlp:AuthnRequest>
`

func parsed(t testing.TB, raw string) *xmlsec.Document {
	t.Helper()
	doc, err := xmlsec.Parse([]byte(raw), xmlsec.RequestLimits())
	if err != nil {
		t.Fatalf("parsing %s: %v", raw, err)
	}
	return doc
}

func TestParseReadsNamesAttributesAndText(t *testing.T) {
	t.Parallel()
	root := parsed(t, typicalRequest).Root()
	if !root.Is(xmlsec.NSProtocol, "AuthnRequest") {
		t.Fatalf("root = {%s}%s", root.Space, root.Local)
	}
	policy := root.Child(xmlsec.NSProtocol, "NameIDPolicy")
	class, err := root.Child(xmlsec.NSProtocol, "RequestedAuthnContext").Child(xmlsec.NSAssertion, "AuthnContextClassRef").Text()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{"version": root.Attr("Version"), "create": policy.Attr("AllowCreate"), "class": class}
	want := map[string]string{"version": "2.0", "create": "true", "class": "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if root.HasAttr("ForceAuthn") || !policy.HasAttr("Format") {
		t.Error("HasAttr is wrong")
	}
}

// TestParseResolvesNamespaces holds the tree against the rules of Namespaces in
// XML: scopes, shadowing, and attributes outside of the default namespace.
func TestParseResolvesNamespaces(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ raw, want string }{
		"default":             {`<a xmlns="urn:d" b="1"/>`, `{urn:d}a {}b=1`},
		"default taken away":  {`<a xmlns="urn:d"><b xmlns=""/></a>`, `{urn:d}a({}b)`},
		"default comes back":  {`<a xmlns="urn:d"><b xmlns=""/><c/></a>`, `{urn:d}a({}b {urn:d}c)`},
		"prefix shadowed":     {`<x:a xmlns:x="urn:1"><x:b xmlns:x="urn:2"/><x:c/></x:a>`, `{urn:1}a({urn:2}b {urn:1}c)`},
		"declared after use":  {`<x:a x:b="1" xmlns:x="urn:1"/>`, `{urn:1}a {urn:1}b=1`},
		"attribute with xml":  {`<a xml:lang="de"/>`, `{}a {http://www.w3.org/XML/1998/namespace}lang=de`},
		"two prefixes, one n": {`<x:a xmlns:x="urn:1" xmlns:y="urn:1" y:b="1" b="2"/>`, `{urn:1}a {}b=2 {urn:1}b=1`},
		"value normalised":    {"<a b='1\r\n\t2&#10;\n3'/>", "{}a {}b=1  2\n 3"},
		"not ASCII":           {`<größe xmlns:ü="urn:ü" ü:ß="ä"/>`, `{}größe {urn:ü}ß=ä`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := outline(parsed(t, c.raw).Root()); got != c.want {
				t.Errorf("read as %s, want %s", got, c.want)
			}
		})
	}
}

func outline(e *xmlsec.Element) string {
	var b strings.Builder
	fmt.Fprintf(&b, "{%s}%s", e.Space, e.Local)
	for _, a := range e.Attrs() {
		fmt.Fprintf(&b, " {%s}%s=%s", a.Space, a.Local, a.Value)
	}
	var children []string
	for _, c := range e.Elements() {
		children = append(children, outline(c))
	}
	if len(children) > 0 {
		fmt.Fprintf(&b, "(%s)", strings.Join(children, " "))
	}
	return b.String()
}

func TestElementText(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ raw, text, trimmed, code string }{
		"plain":               {raw: "<a>b</a>", text: "b", trimmed: "b"},
		"empty":               {raw: "<a></a>"},
		"self-closed":         {raw: "<a/>"},
		"blanks kept":         {raw: "<a> \n b </a>", text: " \n b ", trimmed: "b"},
		"no-break space kept": {raw: "<a>\u00a0b</a>", text: "\u00a0b", trimmed: "\u00a0b"},
		"line ends":           {raw: "<a>b\r\nc\rd</a>", text: "b\nc\nd", trimmed: "b\nc\nd"},
		"references":          {raw: "<a>&lt;&#x42;&#13;</a>", text: "<B\r", trimmed: "<B"},
		"CDATA":               {raw: "<a> <![CDATA[<b>&lt;]]> </a>", text: " <b>&lt; ", trimmed: "<b>&lt;"},
		"comment alone":       {raw: "<a> <!-- b --> </a>", text: "  "},
		"child element":       {raw: "<a>b<c/></a>", code: "xml.mixed"},
		"child alone":         {raw: "<a><c>b</c></a>", code: "xml.mixed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := parsed(t, c.raw).Root()
			text, err := e.Text()
			if got := string(identity.CodeOf(err)); got != c.code || text != c.text {
				t.Errorf("Text = %q, %q, want %q, %q", text, got, c.text, c.code)
			}
			trimmed, err := e.TrimText()
			if got := string(identity.CodeOf(err)); got != c.code || trimmed != c.trimmed {
				t.Errorf("TrimText = %q, %q, want %q, %q", trimmed, got, c.trimmed, c.code)
			}
		})
	}
}

// TestNilElement walks a message in which everything is missing (nil
// dereference, CVE-2020-7711).
func TestNilElement(t *testing.T) {
	t.Parallel()
	var doc *xmlsec.Document
	e := doc.Root().Child("", "a").Child("", "b")
	text, err := e.Text()
	if e.Is("", "") || e.Attr("x") != "" || e.HasAttr("x") || e.AttrNS("", "x") != "" || e.Attrs() != nil || e.Elements() != nil ||
		e.Children("", "x") != nil || e.Raw() != nil || e.Document() != nil || text != "" || err != nil || doc.HasSignature(e) {
		t.Error("the element that is not there has something")
	}
	if _, err := doc.Verify(e, xmlsec.Trust{Keys: anyKey(t)}); identity.CodeOf(err) != "sig.missing" {
		t.Errorf("Verify of nothing: %v", err)
	}
	if _, err := xmlsec.Decrypt(nil, nil, xmlsec.DecryptPolicy{}, xmlsec.ResponseLimits()); identity.CodeOf(err) != "xml.decrypt" {
		t.Errorf("Decrypt of nothing: %v", err)
	}
}

// TestRawIsSelfContained cuts an element out and reads it again.
func TestRawIsSelfContained(t *testing.T) {
	t.Parallel()
	doc := parsed(t, `<r xmlns="urn:d" xmlns:x="urn:x" xmlns:xs="urn:xs"><b y='"&lt;' xmlns:z="urn:z"><x:c z:t="xs:string">&gt;</x:c></b></r>`)
	b := doc.Root().Child("urn:d", "b")
	want := `<b xmlns="urn:d" xmlns:x="urn:x" xmlns:xs="urn:xs" xmlns:z="urn:z" y="&quot;&lt;"><x:c z:t="xs:string">&gt;</x:c></b>`
	if got := string(b.Raw()); got != want {
		t.Errorf("Raw =\n%s\nwant\n%s", got, want)
	}
	if got, want := outline(parsed(t, string(b.Raw())).Root()), outline(b); got != want {
		t.Errorf("read again as %s, want %s", got, want)
	}
}

// worst returns the worst documents that a 15 kB query can inflate to.
func worst() map[string]string {
	fill := func(head, body, tail string) string {
		n := (xmlsec.RequestLimits().Bytes - len(head) - len(tail)) / len(body)
		return head + strings.Repeat(body, n) + tail
	}
	numbered := func(format string, n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	var attributes strings.Builder
	for i := 0; attributes.Len() < 60<<10; i++ {
		attributes.WriteString("<a" + numbered(` a%d=""`, 256) + "/>")
	}
	return map[string]string{
		"elements refused":  fill("<a>", "<a/>", "</a>"),
		"elements":          "<a>" + strings.Repeat(`<a b="c"/>`, 2047) + "</a>",
		"attributes":        "<a>" + attributes.String() + "</a>",
		"references":        fill("<a>", "&lt;", "</a>"),
		"references, value": fill(`<a b="`, "&lt;", `"/>`),
		"blank values":      fill(`<a b="`, "\n", `"/>`),
		"CDATA":             fill("<a>", "<![CDATA[]]>", "</a>"),
		"comments":          fill("<a>", "<!---->", "</a>"),
		"IDs":               "<a>" + numbered(`<a ID="%d"/>`, 4000) + "</a>",
		"depth":             strings.Repeat(strings.Repeat("<a>", 60)+strings.Repeat("</a>", 60), 1),
		"namespaces":        "<a" + numbered(` xmlns:a%d="urn:a"`, 63) + ">" + strings.Repeat(`<a62:a a0:b="" a1:b=""/>`, 1) + "</a>",
		"declarations":      "<a>" + strings.Repeat("<a"+numbered(` xmlns:a%d="urn:a"`, 63)+"/>", 45) + "</a>",
		"long name":         "<" + strings.Repeat("a", 65000) + "/>",
		"open ends":         fill("", "<a ", ""),
		"open comments":     fill("<a>", "<!--", ""),
	}
}

// TestParseAllocatesLittle holds the worst documents against 4 MiB. It does not
// run beside others, since it counts what is allocated; their time is what
// BenchmarkParseWorst tells.
func TestParseAllocatesLittle(t *testing.T) {
	for name, raw := range worst() {
		t.Run(name, func(t *testing.T) {
			if len(raw) > xmlsec.RequestLimits().Bytes {
				t.Fatalf("the document has %d bytes, more than is read", len(raw))
			}
			allocated := uint64(1 << 40)
			for range 5 { // the least of several, since the runtime allocates too
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				_, err := xmlsec.Parse([]byte(raw), xmlsec.RequestLimits())
				runtime.ReadMemStats(&after)
				allocated = min(allocated, after.TotalAlloc-before.TotalAlloc)
				if err != nil && identity.CodeOf(err) == "internal" {
					t.Fatal(err)
				}
			}
			if allocated > 4<<20 {
				t.Errorf("%d KiB, want 4096 KiB at most", allocated>>10)
			}
		})
	}
}

// BenchmarkParseWorst tells what the dearest of the worst documents costs, in
// ms.
func BenchmarkParseWorst(b *testing.B) {
	documents := worst()
	dearest := time.Duration(0)
	for b.Loop() {
		for _, raw := range documents {
			start := time.Now()
			_, _ = xmlsec.Parse([]byte(raw), xmlsec.RequestLimits()) // refused or not, it costs
			dearest = max(dearest, time.Since(start))
		}
	}
	b.ReportMetric(float64(dearest.Microseconds())/1000, "ms/dearest")
}

func BenchmarkParseAuthnRequest(b *testing.B) {
	raw := []byte(typicalRequest)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := xmlsec.Parse(raw, xmlsec.RequestLimits()); err != nil {
			b.Fatal(err)
		}
	}
}
