package peer

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/html"
)

// Page is an answer that the browser shows.
type Page struct {
	URL    *url.URL
	Status int
	Header http.Header
	Body   []byte
	Frames []*Frame // its iframes, once they have ended

	doc        *html.Node // nil when it is not HTML
	formAction []string   // sources of the directive; nil: unrestricted
	frameSrc   []string   // likewise
}

// Form is a form of a page.
type Form struct {
	Method, Action string
	controls       []control
}

type control struct {
	kind, name, value string
	on                bool // sent unless the person changes it
}

// Text is what a reader sees, shortened: for messages of failing tests and for
// looking for words.
func (p *Page) Text() string {
	if p.doc == nil {
		return string(p.Body[:min(len(p.Body), 4000)])
	}
	text := textOf(p.doc)
	return text[:min(len(text), 4000)]
}

// Title is the text of the title element.
func (p *Page) Title() string {
	for _, n := range p.all("title") {
		return textOf(n)
	}
	return ""
}

// Forms returns the forms of the page in order.
func (p *Page) Forms() []*Form {
	var forms []*Form
	for _, n := range p.all("form") {
		forms = append(forms, newForm(n))
	}
	return forms
}

// Form returns the first form that has all of the fields, or nil.
func (p *Page) Form(fields ...string) *Form {
	for _, f := range p.Forms() {
		if !slices.ContainsFunc(fields, func(name string) bool { return !f.Has(name) }) {
			return f
		}
	}
	return nil
}

// next is the form that Continue submits: one that carries a SAML message, or
// oidc-provider's confirmation of a logout, and asks nothing, or the first that asks for something in fill, with that part.
func (p *Page) next(fill Fill) (*Form, Fill) {
	for _, f := range p.Forms() {
		known := Fill{}
		for _, c := range f.controls {
			if v, ok := fill[c.name]; ok && c.kind != "hidden" && c.kind != "submit" {
				known[c.name] = v
			}
		}
		if len(known) > 0 || f.Has("SAMLRequest") || f.Has("SAMLResponse") || f.Has("xsrf") {
			return f, known
		}
	}
	return nil, nil
}

// Has tells whether the form has a control of that name.
func (f *Form) Has(name string) bool {
	return slices.ContainsFunc(f.controls, func(c control) bool { return c.name == name })
}

// Names lists the controls in order.
func (f *Form) Names() []string {
	var names []string
	for _, c := range f.controls {
		names = append(names, c.name)
	}
	return names
}

// Value is the value that a control has before anything is filled in.
func (f *Form) Value(name string) string {
	for _, c := range f.controls {
		if c.name == name {
			return c.value
		}
	}
	return ""
}

func (f *Form) values(fill Fill) url.Values {
	v := url.Values{}
	pressed := false
	for _, c := range f.controls {
		_, filled := fill[c.name]
		if c.kind == "submit" && filled && fill[c.name] == c.value {
			pressed = true
		}
	}
	for _, c := range f.controls {
		want, filled := fill[c.name]
		switch c.kind {
		case "submit": // Only the button that was pressed is sent.
			if filled && want == c.value || !pressed && !filled {
				v.Add(c.name, c.value)
				pressed = true
			}
		case "checkbox", "radio":
			if filled && want == c.value || !filled && c.on {
				v.Add(c.name, c.value)
			}
		default:
			if filled {
				c.value = want
			}
			v.Add(c.name, c.value)
		}
	}
	v.Del("") // Controls without a name are never sent.
	return v
}

func newForm(n *html.Node) *Form {
	f := &Form{Method: http.MethodGet, Action: attr(n, "action")}
	if strings.EqualFold(attr(n, "method"), "post") {
		f.Method = http.MethodPost
	}
	for c := range n.Descendants() {
		if c.Type != html.ElementNode || has(c, "disabled") {
			continue
		}
		switch c.Data {
		case "input":
			f.add(c, strings.ToLower(attr(c, "type")), attr(c, "value"))
		case "button":
			if kind := strings.ToLower(attr(c, "type")); kind == "" || kind == "submit" {
				f.add(c, "submit", attr(c, "value"))
			}
		case "textarea":
			f.add(c, "textarea", textOf(c))
		case "select":
			f.add(c, "select", selected(c))
		}
	}
	return f
}

func (f *Form) add(n *html.Node, kind, value string) {
	if kind == "button" || kind == "reset" || kind == "image" || kind == "file" {
		return
	}
	if value == "" && (kind == "checkbox" || kind == "radio") {
		value = "on"
	}
	f.controls = append(f.controls, control{kind: kind, name: attr(n, "name"), value: value, on: has(n, "checked")})
}

func selected(n *html.Node) string {
	first, found := "", false
	for o := range n.Descendants() {
		if o.Type != html.ElementNode || o.Data != "option" {
			continue
		}
		value := attr(o, "value")
		if !has(o, "value") {
			value = textOf(o)
		}
		if has(o, "selected") {
			return value
		}
		if !found {
			first, found = value, true
		}
	}
	return first
}

func (p *Page) all(tag string) []*html.Node {
	if p.doc == nil {
		return nil
	}
	var found []*html.Node
	for n := range p.doc.Descendants() {
		if n.Type == html.ElementNode && n.Data == tag {
			found = append(found, n)
		}
	}
	return found
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func has(n *html.Node, name string) bool {
	return slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == name })
}

func textOf(n *html.Node) string {
	var words []string
	for c := range n.Descendants() {
		if c.Type == html.TextNode && c.Parent.Data != "script" && c.Parent.Data != "style" {
			words = append(words, strings.Fields(c.Data)...)
		}
	}
	return strings.Join(words, " ")
}

// directive returns the sources of the first of the directives that a policy has,
// nil when none restricts it. default-src stands in for frame-src and never for
// form-action or frame-ancestors (CSP3 6.4), so the caller names what counts.
func directive(policies []string, names ...string) []string {
	for _, name := range names {
		for _, policy := range policies {
			for d := range strings.SplitSeq(policy, ";") {
				words := strings.Fields(d)
				if len(words) > 0 && strings.EqualFold(words[0], name) {
					return append([]string{}, words[1:]...)
				}
			}
		}
	}
	return nil
}

// sourcesAllow knows 'self', schemes, and origins with or without a path, which
// is all that a login page has use for. An empty list allows nothing.
func sourcesAllow(sources []string, self, target *url.URL) bool {
	for _, s := range sources {
		switch {
		case s == "'self'" && originOf(self) == originOf(target),
			s == "*", s == target.Scheme+":", s == originOf(target),
			strings.HasPrefix(target.String(), s) && strings.Count(s, "/") > 2:
			return true
		}
	}
	return false
}

// Message decodes the SAML message of that field (SAMLRequest, SAMLResponse)
// that waits in the page to be posted; nil when there is none.
func (p *Page) Message(field string) []byte {
	f := p.Form(field)
	if f == nil {
		return nil
	}
	xml, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(f.Value(field)), ""))
	if err != nil {
		return nil
	}
	return xml
}
