package templates

import (
	"bytes"
	"errors"
	"fmt"
	"html"
	"io"
	"maps"
	"net/url"
	"slices"
	"strings"
)

// AutoPost ends every sign-on, so it does not run html/template each time: New
// renders its frame once for each language, with marks where a request's values
// go, and a response only fills the marks with escaped values.

// frameKey chooses among the frames.
type frameKey struct {
	lang        string
	development bool
}

// frame is the page cut at its marks: texts[0] values[0] texts[1] values[1] …
type frame struct {
	texts []string
	marks []mark
}

// mark says which value goes between two texts.
type mark int

const (
	markURL mark = iota
	markTo
	markFields
	markNonce
	markRequestID
	markProduct
)

// The marks are words that no escaping context of HTML changes.
const markURLText = "https://mark0.invalid/"

func (m mark) text() string {
	if m == markURL {
		return markURLText
	}
	return "samletmark" + string(rune('a'+m)) + "x"
}

// frameData is the dot's Page of autopost.html.
type frameData struct{ URL, To, Fields string }

func (s *Set) autoPostFrames() (map[frameKey]frame, error) {
	frames := map[frameKey]frame{}
	for _, lang := range s.languages {
		for _, development := range []bool{false, true} {
			var b bytes.Buffer
			c := Chrome{Lang: lang, Development: development, Nonce: markNonce.text(), RequestID: markRequestID.text(), ProductName: markProduct.text()}
			if err := s.execute(&b, AutoPost{}.template(), frameData{URL: markURL.text(), To: markTo.text(), Fields: markFields.text()}, c); err != nil {
				return nil, err
			}
			f := cut(b.String())
			if !slices.Contains(f.marks, markURL) || !slices.Contains(f.marks, markFields) {
				return nil, errors.New("page autopost.html must show .Page.URL and .Page.Fields")
			}
			frames[frameKey{lang, development}] = f
		}
	}
	return frames, nil
}

// cut splits a rendered page at its marks.
func cut(page string) frame {
	var f frame
	for {
		first, at := mark(-1), len(page)
		for m := markURL; m <= markProduct; m++ {
			if i := strings.Index(page, m.text()); i >= 0 && i < at {
				first, at = m, i
			}
		}
		f.texts = append(f.texts, page[:at])
		if first < 0 {
			return f
		}
		f.marks = append(f.marks, first)
		page = page[at+len(first.text()):]
	}
}

// renderAutoPost fills the frame of the page's language.
func (s *Set) renderAutoPost(w io.Writer, p AutoPost, c Chrome) error {
	f := s.frames[frameKey{c.Lang, c.Development}]
	buf, ok := s.buffers.Get().(*[]byte)
	if !ok {
		buf = new([]byte)
	}
	b := (*buf)[:0]
	for i, text := range f.texts {
		b = append(b, text...)
		if i == len(f.marks) {
			break
		}
		switch f.marks[i] {
		case markURL:
			b = appendEscaped(b, p.URL)
		case markTo:
			b = appendEscaped(b, p.To)
		case markFields:
			b = appendFields(b, p.Form)
		case markNonce:
			b = appendEscaped(b, c.Nonce)
		case markRequestID:
			b = appendEscaped(b, c.RequestID)
		case markProduct:
			b = appendEscaped(b, view{Chrome: c}.Product())
		}
	}
	_, err := w.Write(b)
	*buf = b
	s.buffers.Put(buf)
	if err != nil {
		return fmt.Errorf("writing page autopost: %w", err)
	}
	return nil
}

// appendFields writes the form as hidden fields, names in sorted order.
func appendFields(b []byte, form url.Values) []byte {
	for _, name := range slices.Sorted(maps.Keys(form)) {
		for _, v := range form[name] {
			b = append(b, `<input type="hidden" name="`...)
			b = appendEscaped(b, name)
			b = append(b, `" value="`...)
			b = appendEscaped(b, v)
			b = append(b, "\">\n"...)
		}
	}
	return b
}

// appendEscaped appends s for use in text and quoted attributes. A message in
// base64 has nothing to escape, which six vectorised searches establish far
// faster than one pass over its bytes.
func appendEscaped(b []byte, s string) []byte {
	for _, c := range [...]byte{'<', '>', '&', '"', '\'', 0} {
		if strings.IndexByte(s, c) >= 0 {
			return append(b, html.EscapeString(strings.ReplaceAll(s, "\x00", "\uFFFD"))...)
		}
	}
	return append(b, s...)
}
