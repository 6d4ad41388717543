package templates

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"slices"
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

// Set is the parsed pages. It is immutable and safe for concurrent use.
type Set struct {
	pages     map[string]*template.Template
	translate func(lang, english string) string
	languages []string
	autoPost  map[frameKey]frame
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
		if err := s.Render(io.Discard, p, Chrome{}); err != nil {
			return nil, err
		}
	}
	if s.autoPost, err = s.frames(); err != nil {
		return nil, err
	}
	return s, nil
}

// every returns one empty page of each sort.
func every() []Page {
	return []Page{SignIn{}, Password{}, Choose{}, AutoPost{}, Forward{}, Error{}, SignOut{}, SignedOut{}, Test{}, Home{}}
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
	root := template.New("layout.html").Option("missingkey=error")
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
	if a, ok := p.(AutoPost); ok && s.autoPost != nil {
		return s.renderAutoPost(w, a, c)
	}
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
	c.Lang = s.language(c.Lang)
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
