package templates_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"unicode"

	"golang.org/x/net/html"

	"github.com/samlet-id/samlet/templates"
	"github.com/samlet-id/samlet/templates/storybook"
)

const nonce = "0123456789abcdef"

func newSet(t testing.TB, cfg templates.Config) *templates.Set {
	t.Helper()
	s, err := templates.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func render(t testing.TB, s *templates.Set, sample storybook.Sample) string {
	t.Helper()
	var b bytes.Buffer
	c := templates.Chrome{RequestID: "r1", Nonce: nonce, Lang: sample.Lang, Development: true}
	if err := s.Render(&b, sample.Page, c); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func parse(t testing.TB, page string) *html.Node {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func elements(doc *html.Node, tag string) []*html.Node {
	var found []*html.Node
	for n := range doc.Descendants() {
		if n.Type == html.ElementNode && n.Data == tag {
			found = append(found, n)
		}
	}
	return found
}

func text(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return b.String()
}

// TestStorybook renders every page empty, as usual and at its worst.
func TestStorybook(t *testing.T) {
	t.Parallel()
	set := newSet(t, templates.Config{Languages: []string{"en", "ar"}})
	for _, sample := range storybook.Samples() {
		t.Run(sample.Name, func(t *testing.T) {
			t.Parallel()
			page := render(t, set, sample)
			checkBalanced(t, page)
			doc := parse(t, page)
			checkStructure(t, doc, sample)
			checkControls(t, doc)
			checkHarmless(t, doc, sample.Page)
		})
	}
}

// checkBalanced demands that every element that is opened is closed in order;
// the parser alone would repair it.
func checkBalanced(t *testing.T, page string) {
	t.Helper()
	void := map[string]bool{"meta": true, "link": true, "input": true, "br": true}
	var open []string
	z := html.NewTokenizer(strings.NewReader(page))
	for {
		switch z.Next() {
		case html.ErrorToken:
			if len(open) > 0 {
				t.Errorf("got open elements %q at the end, want none", open)
			}
			return
		case html.StartTagToken:
			if name, _ := z.TagName(); !void[string(name)] {
				open = append(open, string(name))
			}
		case html.EndTagToken:
			name, _ := z.TagName()
			if len(open) == 0 || open[len(open)-1] != string(name) {
				t.Fatalf("got </%s> while %q are open", name, open)
			}
			open = open[:len(open)-1]
		case html.TextToken, html.SelfClosingTagToken, html.CommentToken, html.DoctypeToken:
		}
	}
}

func checkStructure(t *testing.T, doc *html.Node, sample storybook.Sample) {
	t.Helper()
	for _, tag := range []string{"title", "h1", "main", "header"} {
		found := elements(doc, tag)
		if len(found) != 1 || strings.TrimSpace(text(found[0])) == "" {
			t.Errorf("got %d <%s>, want one that says something", len(found), tag)
		}
	}
	want := [2]string{"en", "ltr"}
	if sample.Lang == "ar" {
		want = [2]string{"ar", "rtl"}
	}
	root := elements(doc, "html")[0]
	if got := [2]string{attribute(root, "lang"), attribute(root, "dir")}; got != want {
		t.Errorf("got lang and dir %q, want %q", got, want)
	}
}

// checkControls demands a label for every field, a name for every button and
// link, and unique IDs.
func checkControls(t *testing.T, doc *html.Node) {
	t.Helper()
	labels, ids := map[string]bool{}, map[string]bool{}
	for _, l := range elements(doc, "label") {
		labels[attribute(l, "for")] = strings.TrimSpace(text(l)) != ""
	}
	for n := range doc.Descendants() {
		if id := attribute(n, "id"); id != "" {
			if ids[id] {
				t.Errorf("id %q stands twice", id)
			}
			ids[id] = true
		}
	}
	for _, n := range elements(doc, "input") {
		if attribute(n, "type") != "hidden" && !labels[attribute(n, "id")] {
			t.Errorf("field %q has no label", attribute(n, "name"))
		}
	}
	for _, tag := range []string{"button", "a"} {
		for _, n := range elements(doc, tag) {
			if strings.TrimSpace(text(n)) == "" {
				t.Errorf("a <%s> has no name", tag)
			}
		}
	}
}

// checkHarmless demands that no data became markup: the only script and style
// are ours, nothing is fetched, no handler attribute, no script URL.
func checkHarmless(t *testing.T, doc *html.Node, page templates.Page) {
	t.Helper()
	scripts, frames := 0, 0
	switch page := page.(type) {
	case templates.AutoPost:
		scripts = 1
	case templates.SigningOut:
		scripts, frames = 1, len(page.Frames)
	}
	if got := len(elements(doc, "iframe")); got != frames {
		t.Errorf("got %d <iframe>, want %d", got, frames)
	}
	for tag, want := range map[string]int{"script": scripts, "style": 1, "img": 0, "textarea": 0} {
		found := elements(doc, tag)
		if len(found) != want {
			t.Errorf("got %d <%s>, want %d", len(found), tag, want)
		}
		for _, n := range found {
			if attribute(n, "nonce") != nonce {
				t.Errorf("<%s> has no nonce", tag)
			}
		}
	}
	for n := range doc.Descendants() {
		for _, a := range n.Attr {
			if strings.HasPrefix(a.Key, "on") || a.Key == "style" {
				t.Errorf("<%s> has attribute %s=%q", n.Data, a.Key, a.Val)
			}
			if (a.Key == "href" || a.Key == "action" || a.Key == "content" || a.Key == "src") && strings.Contains(strings.ToLower(a.Val), "javascript:") {
				t.Errorf("<%s> leads to %s=%q", n.Data, a.Key, a.Val)
			}
		}
	}
}

// TestEveryTextIsTranslatable renders the pages, empty and filled with digits, in
// a language that marks its texts, and finds those that were never offered for
// translation.
func TestEveryTextIsTranslatable(t *testing.T) {
	t.Parallel()
	set := newSet(t, templates.Config{
		Translate: func(_, english string) string { return "⟦" + english + "⟧" },
	})
	// Words of the SAML specifications, names and data.
	untranslated := []string{
		"samlet", "SPNameQualifier", "NameQualifier", "NameID", "Format", "Issuer", "AuthnContextClassRef", "AuthnInstant",
		"AuthenticatingAuthority", "SessionIndex", "SessionNotOnOrAfter", "UTC", "app.acme.test", "idp.acme.test", "r1",
	}
	samples := storybook.Filled("1")
	for _, sample := range storybook.Samples() {
		if strings.HasSuffix(sample.Name, "-empty") || sample.Name == "test-nothing-released" {
			samples = append(samples, sample)
		}
	}
	for _, sample := range samples {
		t.Run(sample.Name, func(t *testing.T) {
			t.Parallel()
			for n := range parse(t, render(t, set, sample)).Descendants() {
				if n.Type != html.TextNode || n.Parent.Data == "style" || n.Parent.Data == "script" {
					continue
				}
				rest := outsideBrackets(n)
				for _, w := range untranslated {
					rest = strings.ReplaceAll(rest, w, "")
				}
				if strings.ContainsFunc(rest, unicode.IsLetter) {
					t.Errorf("text %q is not offered for translation", rest)
				}
			}
		})
	}
}

// outsideBrackets returns what of n's text stands outside of ⟦⟧, where the
// brackets may open and close in neighbouring nodes.
func outsideBrackets(n *html.Node) string {
	depth := 0
	for p := n.PrevSibling; p != nil; p = p.PrevSibling {
		if p.Type == html.TextNode {
			depth += strings.Count(p.Data, "⟦") - strings.Count(p.Data, "⟧")
		}
	}
	var b strings.Builder
	for _, r := range n.Data {
		switch {
		case r == '⟦':
			depth++
		case r == '⟧':
			depth--
		case depth == 0:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// TestPagesKeepPasswordManagersWorking holds what they look for (WCAG 1.3.5).
func TestPagesKeepPasswordManagersWorking(t *testing.T) {
	t.Parallel()
	set := newSet(t, templates.Config{})
	tests := []struct {
		name string
		page templates.Page
		want []string
	}{
		{"identifier", templates.SignIn{}, []string{"identifier username false"}},
		{"password", templates.Password{Identifier: "ada"}, []string{"identifier username true", "password current-password false"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, n := range elements(parse(t, render(t, set, storybook.Sample{Page: tt.page})), "input") {
				readonly := false
				for _, a := range n.Attr {
					readonly = readonly || a.Key == "readonly"
				}
				got = append(got, fmt.Sprintln(attribute(n, "name"), attribute(n, "autocomplete"), readonly))
			}
			if g, w := strings.Join(got, ""), strings.Join(tt.want, "\n")+"\n"; g != w {
				t.Errorf("fields: got\n%swant\n%s", g, w)
			}
		})
	}
}

// TestProblemIsFocusedAndLinked holds the error summary (WCAG 3.3.1).
func TestProblemIsFocusedAndLinked(t *testing.T) {
	t.Parallel()
	set := newSet(t, templates.Config{})
	for _, page := range []templates.Page{templates.SignIn{Problem: "No."}, templates.Password{Problem: "No."}} {
		out := render(t, set, storybook.Sample{Page: page})
		doc := parse(t, out)
		if got := strings.Count(out, "autofocus"); got != 1 {
			t.Errorf("%T: got %d autofocus, want 1: on the summary alone", page, got)
		}
		for _, n := range elements(doc, "input") {
			if attribute(n, "aria-invalid") != "true" {
				continue
			}
			if want := `<a href="#` + attribute(n, "id") + `">No.</a>`; !strings.Contains(out, want) {
				t.Errorf("%T: got no link %s to the field", page, want)
			}
		}
	}
}
