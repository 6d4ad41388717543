package templates

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"net/url"
	"slices"
	"sync"
)

//go:embed html
var embedded embed.FS

// Config is what New needs. The zero value is the built-in look in English.
type Config struct {
	// Overlay may hold files of the same names as the embedded ones
	// (layout.html, style.css, mark.svg, signin.html …) and then replaces them.
	Overlay fs.FS
	// Translate returns the text that people of language lang (BCP 47) read
	// instead of an English one, or "" where it knows none. Nil leaves
	// everything in English.
	Translate func(lang, english string) string
	// Languages are the BCP 47 tags that Translate knows, the default one first.
	// Empty means "en".
	Languages []string
}

// Set is the parsed pages. What it renders never changes; it is safe for concurrent use.
type Set struct {
	pages     map[string]*template.Template
	translate func(lang, english string) string
	languages []string
	frames    map[frameKey]frame
	buffers   sync.Pool // of *[]byte, between renderings of AutoPost
}

// Chrome is what every page carries around its content.
type Chrome struct {
	RequestID   string // shown on error pages, to be quoted
	Nonce       string // of the Content-Security-Policy; letters and digits only
	Lang        string // BCP 47; one that the Set does not know becomes its default
	ProductName string // what the service calls itself; empty means samlet
	Development bool   // shows the banner
}

// New parses the embedded pages, each replaced by the overlay's file of the same
// name where there is one. A faulty overlay is an error that names the file.
func New(cfg Config) (*Set, error) {
	files, err := fs.Sub(embedded, "html")
	if err != nil {
		return nil, fmt.Errorf("opening the embedded pages: %w", err)
	}
	s := &Set{pages: map[string]*template.Template{}, translate: cfg.Translate, languages: cfg.Languages}
	if len(s.languages) == 0 {
		s.languages = []string{"en"}
	}
	read := func(name string) (string, error) { return readOver(cfg.Overlay, files, name) }
	layout, err := parseLayout(read)
	if err != nil {
		return nil, err
	}
	for _, p := range every() {
		name := p.template()
		if s.pages[name], err = parsePage(layout, read, name+".html"); err != nil {
			return nil, err
		}
		if name == (AutoPost{}).template() {
			if s.frames, err = s.autoPostFrames(); err != nil {
				return nil, err
			}
		}
		// Execution finds what parsing does not: unknown fields, unsafe places.
		if err := s.Render(io.Discard, p, Chrome{}); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// every returns one page of each sort, empty but for URLs that must not be.
func every() []Page {
	const somewhere = "https://app.example.test/"
	return []Page{
		SignIn{}, Password{}, Choose{}, Consent{}, Consents{SignedIn: true}, Join{}, Account{SignedIn: true, Ways: []AccountWay{{}}}, AutoPost{URL: somewhere}, Forward{URL: somewhere},
		Error{}, Report{}, Organization{}, Discover{}, SignOut{}, SigningOut{}, SignedOut{}, Heard{}, Test{SignedIn: true}, Home{},
		Vendor{Keys: []VendorKey{{}}}, AttributeReference{Attributes: []VendorAttribute{{}}},
	}
}

// readOver reads name from over, or from base where over is nil or has no such
// file.
func readOver(over, base fs.FS, name string) (string, error) {
	if over != nil {
		b, err := fs.ReadFile(over, name)
		if err == nil {
			return string(b), nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("reading page overlay: %w", err)
		}
	}
	b, err := fs.ReadFile(base, name)
	if err != nil {
		return "", fmt.Errorf("reading page: %w", err)
	}
	return string(b), nil
}

// parseLayout parses what all pages share. Style sheet and mark become template
// text, so that every page is one response and there is no route to mount.
func parseLayout(read func(string) (string, error)) (*template.Template, error) {
	root := template.New("pages").Option("missingkey=error")
	for _, name := range []string{"style.css", "mark.svg", "layout.html"} {
		text, err := read(name)
		if err != nil {
			return nil, err
		}
		if _, err := root.New(name).Parse(text); err != nil {
			return nil, fmt.Errorf("parsing page: %w", err)
		}
	}
	return root, nil
}

func parsePage(layout *template.Template, read func(string) (string, error), name string) (*template.Template, error) {
	t, err := layout.Clone()
	if err != nil {
		return nil, fmt.Errorf("cloning the layout for %s: %w", name, err)
	}
	text, err := read(name)
	if err != nil {
		return nil, err
	}
	if _, err := t.New(name).Parse(text); err != nil {
		return nil, fmt.Errorf("parsing page: %w", err)
	}
	return t.Lookup("layout.html"), nil
}

// Render writes page p to w in one Write. On error nothing has been written.
func (s *Set) Render(w io.Writer, p Page, c Chrome) error {
	c.Lang = s.language(c.Lang)
	switch p := p.(type) {
	case AutoPost:
		to, err := receiver(p.URL, p.To)
		if err != nil {
			return fmt.Errorf("rendering page %s: %w", p.template(), err)
		}
		p.To = to
		return s.renderAutoPost(w, p, c)
	case Forward:
		to, err := receiver(p.URL, p.To)
		if err != nil {
			return fmt.Errorf("rendering page %s: %w", p.template(), err)
		}
		p.To = to
		return s.render(w, p, c)
	}
	return s.render(w, p, c)
}

// receiver checks where a page leads without being asked: an action such as
// "javascript:" would run as a page of ours (CVE-2023-45683). It returns the
// name to show, by default the host.
func receiver(address, name string) (string, error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", err
	}
	if (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" {
		return "", fmt.Errorf("%q is no absolute http(s) URL", address)
	}
	if name == "" {
		name = u.Host
	}
	return name, nil
}

func (s *Set) render(w io.Writer, p Page, c Chrome) error {
	var b bytes.Buffer
	if err := s.execute(&b, p.template(), p, c); err != nil {
		return err
	}
	if _, err := w.Write(b.Bytes()); err != nil {
		return fmt.Errorf("writing page %s: %w", p.template(), err)
	}
	return nil
}

func (s *Set) execute(b *bytes.Buffer, name string, data any, c Chrome) error {
	v := view{Chrome: c, Page: data, translate: s.translate}
	if err := s.pages[name].Execute(b, v); err != nil {
		return fmt.Errorf("rendering page %s: %w", name, err)
	}
	return nil
}

// language returns lang where the Set knows it, else the default.
func (s *Set) language(lang string) string {
	if slices.Contains(s.languages, lang) {
		return lang
	}
	return s.languages[0]
}
