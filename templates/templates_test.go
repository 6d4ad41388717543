package templates_test

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"math"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/samlet-id/samlet/templates"
	"github.com/samlet-id/samlet/templates/storybook"
)

func TestOverlay(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		file    string
		text    string
		want    string // part of the page
		wantErr string
	}{
		{name: "style sheet", file: "style.css", text: "p{color:teal}", want: "p{color:teal}"},
		{name: "page", file: "signin.html", text: `{{define "title"}}T{{end}}{{define "main"}}<h1>Ours</h1>{{end}}`, want: "<h1>Ours</h1>"},
		{name: "not closed", file: "signin.html", text: `{{define "main"}}`, wantErr: "signin.html"},
		{name: "unknown field", file: "signin.html", text: `{{define "title"}}T{{end}}{{define "main"}}{{.Page.Shoe}}{{end}}`, wantErr: "Shoe"},
		{name: "auto-post without the fields", file: "autopost.html", text: `{{define "title"}}T{{end}}{{define "main"}}<form action="{{.Page.URL}}"></form>{{end}}`, wantErr: "autopost.html must show"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			set, err := templates.New(templates.Config{Overlay: fstest.MapFS{tt.file: {Data: []byte(tt.text)}}})
			if tt.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), tt.wantErr) {
					t.Fatalf("New: got error %v, want one that says %q", err, tt.wantErr)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := render(t, set, storybook.Sample{Page: templates.SignIn{}}); !strings.Contains(got, tt.want) {
				t.Errorf("page: got\n%s\nwant it to hold %q", got, tt.want)
			}
		})
	}
}

// TestAutoPostCarriesValuesUnchanged reads the form back with a parser that is
// not ours; RelayState is hostile (threat: RelayState XSS).
func TestAutoPostCarriesValuesUnchanged(t *testing.T) {
	t.Parallel()
	want := url.Values{
		"SAMLResponse": {"PHNhbWw+/w==", "second"},
		"RelayState":   {storybook.Hostile + storybook.RightToLeft + "\n\t+%00"},
		`"><b a='`:     {""},
	}
	const action = "https://app.acme.test/acs?a=b&c='d\"<>"
	for _, lang := range []string{"", "en", "unknown"} {
		page := render(t, newSet(t, templates.Config{}), storybook.Sample{Page: templates.AutoPost{URL: action, Form: want}, Lang: lang})
		doc := parse(t, page)
		forms := elements(doc, "form")
		if len(forms) != 1 || attribute(forms[0], "action") != action || attribute(forms[0], "method") != "post" {
			t.Fatalf("lang %q: got forms %v, want one that posts to %s", lang, forms, action)
		}
		got := url.Values{}
		for _, n := range elements(doc, "input") {
			got.Add(attribute(n, "name"), attribute(n, "value"))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("lang %q: fields (-want +got):\n%s", lang, diff)
		}
		if len(elements(doc, "button")) != 1 {
			t.Errorf("lang %q: no button for browsers without scripts", lang)
		}
	}
}

// TestAttackACSAbuse: a receiver whose URL would run as script (CVE-2023-45683).
func TestAttackACSAbuse(t *testing.T) {
	t.Parallel()
	set := newSet(t, templates.Config{})
	for _, u := range []string{"javascript:alert(1)", "javascript://host/%0Aalert(1)", "JaVaScRiPt:alert(1)", "data:text/html,x", "//evil.test/", "/acs", "", "https:///acs", "https://a b/"} {
		for _, page := range []templates.Page{templates.AutoPost{URL: u}, templates.Forward{URL: u}} {
			var b bytes.Buffer
			if err := set.Render(&b, page, templates.Chrome{}); err == nil || b.Len() > 0 {
				t.Errorf("%T to %q: got error %v and %d bytes, want an error and none", page, u, err, b.Len())
			}
		}
	}
}

// TestForward holds the refresh and the link for browsers that ignore it.
func TestForward(t *testing.T) {
	t.Parallel()
	const to = "https://idp.acme.test/sso?SAMLRequest=fZA%3D%2B&RelayState=a%20b"
	doc := parse(t, render(t, newSet(t, templates.Config{}), storybook.Sample{Page: templates.Forward{URL: to}}))
	var refresh string
	for _, n := range elements(doc, "meta") {
		if attribute(n, "http-equiv") == "refresh" {
			refresh = attribute(n, "content")
		}
	}
	if want := "0; url=" + to; refresh != want {
		t.Errorf("refresh: got %q, want %q", refresh, want)
	}
	if links := elements(doc, "a"); len(links) != 1 || attribute(links[0], "href") != to {
		t.Errorf("got links %v, want one to %s", links, to)
	}
}

// TestContrast computes WCAG 2.2's contrast of every pair of colours in use, in
// both schemes: 4.5 for text (1.4.3), 3 for edges and focus (1.4.11).
func TestContrast(t *testing.T) {
	t.Parallel()
	css, err := os.ReadFile("html/style.css")
	if err != nil {
		t.Fatal(err)
	}
	token := regexp.MustCompile(`--([a-z-]+): #([0-9a-f]{6});`)
	light, dark := map[string]string{}, map[string]string{}
	day, night, _ := strings.Cut(string(css), "@media (prefers-color-scheme: dark)")
	for _, m := range token.FindAllStringSubmatch(day, -1) {
		light[m[1]] = m[2]
	}
	maps.Copy(dark, light)
	for _, m := range token.FindAllStringSubmatch(night, -1) {
		dark[m[1]] = m[2]
	}
	pairs := []struct {
		front, back string
		min         float64
	}{
		{"ink", "paper", 4.5}, {"ink", "card", 4.5}, {"ink", "tint", 4.5}, {"soft", "card", 4.5}, {"soft", "tint", 4.5},
		{"link", "card", 4.5}, {"main-ink", "main", 4.5}, {"main-ink", "main-over", 4.5}, {"bad", "bad-tint", 4.5}, {"bad", "card", 4.5},
		{"good", "card", 4.5}, {"edge", "card", 3}, {"focus", "card", 3}, {"focus", "paper", 3}, {"salmon", "paper", 3},
	}
	for scheme, tokens := range map[string]map[string]string{"light": light, "dark": dark} {
		for _, p := range pairs {
			if got := contrast(t, tokens[p.front], tokens[p.back]); got < p.min {
				t.Errorf("%s: --%s on --%s: got contrast %.2f, want at least %.1f", scheme, p.front, p.back, got, p.min)
			}
		}
	}
}

// contrast is the ratio of two colours in hexadecimal (WCAG 2.2, contrast ratio).
func contrast(t *testing.T, a, b string) float64 {
	t.Helper()
	luminance := func(hex string) float64 {
		var sum float64
		for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
			n, err := strconv.ParseUint(hex[2*i:2*i+2], 16, 8)
			if err != nil {
				t.Fatal(err)
			}
			c := float64(n) / 255
			if c <= 0.04045 {
				sum += weight * c / 12.92
			} else {
				sum += weight * math.Pow((c+0.055)/1.055, 2.4)
			}
		}
		return sum
	}
	l := []float64{luminance(a), luminance(b)}
	slices.Sort(l)
	return (l[1] + 0.05) / (l[0] + 0.05)
}

// TestStyleIsReadyForEveryDirection finds properties that name a side of the
// screen instead of a side of the text, and anything fetched from elsewhere.
func TestStyleIsReadyForEveryDirection(t *testing.T) {
	t.Parallel()
	css, err := os.ReadFile("html/style.css")
	if err != nil {
		t.Fatal(err)
	}
	physical := regexp.MustCompile(`(?m)(margin|padding|border)-(left|right|top|bottom)|[{;\s](left|right|top|bottom|width|height|max-height|min-height)\s*:|text-align:\s*(left|right)|url\(|@import`)
	if got := physical.FindAllString(string(css), -1); got != nil {
		t.Errorf("style.css: got %q, want logical properties and nothing from outside", got)
	}
}

func ExampleSet_Render() {
	set, err := templates.New(templates.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	var page strings.Builder
	err = set.Render(&page, templates.SignIn{Action: "/login", RelyingParty: "<Acme & Co>"}, templates.Chrome{Nonce: "n1"})
	fmt.Println(err, strings.Contains(page.String(), "to continue to <bdi>&lt;Acme &amp; Co&gt;</bdi>"))
	// Output: <nil> true
}

// BenchmarkAutoPost renders the page that ends every sign-on, with a Response of
// 10 KiB.
func BenchmarkAutoPost(b *testing.B) {
	set := newSet(b, templates.Config{})
	page := templates.AutoPost{
		URL:  "https://app.acme.test/saml/acs",
		Form: url.Values{"SAMLResponse": {strings.Repeat("PHNhbWxwOlJlc3BvbnNl+/", 10<<10/22)}, "RelayState": {"r1"}},
		To:   "Acme App",
	}
	chrome := templates.Chrome{RequestID: "abcdefgh23456789", Nonce: nonce}
	b.ReportAllocs()
	for b.Loop() {
		if err := set.Render(io.Discard, page, chrome); err != nil {
			b.Fatal(err)
		}
	}
}
