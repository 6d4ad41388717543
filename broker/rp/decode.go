package rp

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// maxDepth bounds how deep objects and lists nest.
const maxDepth = 16

// object is a decoded JSON object. Its names are exact: encoding/json would take
// Sub for sub, and of two members of one name the last.
type object map[string]any

// decode reads one JSON object and nothing after it. A name that occurs twice in
// one object, on whatever level, is an error (RFC 7519 section 4).
func decode(b []byte) (object, error) {
	if !utf8.Valid(b) {
		return nil, errors.New("it is not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	v, err := value(d, 0)
	if err != nil {
		return nil, err
	}
	o, ok := v.(object)
	if !ok {
		return nil, errors.New("it is no object")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the object")
	}
	return o, nil
}

func value(d *json.Decoder, depth int) (any, error) {
	if depth > maxDepth {
		return nil, errors.New("it nests too deep")
	}
	t, err := d.Token()
	if err != nil {
		return nil, fmt.Errorf("reading JSON: %w", err)
	}
	switch t {
	case json.Delim('{'):
		return members(d, depth)
	case json.Delim('['):
		return elements(d, depth)
	}
	return t, nil
}

func members(d *json.Decoder, depth int) (object, error) {
	o := object{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, fmt.Errorf("reading JSON: %w", err)
		}
		name, ok := t.(string)
		if !ok {
			return nil, errors.New("a name is no text")
		}
		if _, twice := o[name]; twice {
			return nil, fmt.Errorf("%q occurs twice", name)
		}
		if o[name], err = value(d, depth+1); err != nil {
			return nil, err
		}
	}
	_, err := d.Token()
	return o, err
}

func elements(d *json.Decoder, depth int) ([]any, error) {
	list := []any{}
	for d.More() {
		v, err := value(d, depth+1)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	_, err := d.Token()
	return list, err
}

// text returns the text of that name, empty if there is none.
func (o object) text(name string) string {
	s, ok := o[name].(string)
	if !ok {
		return ""
	}
	return s
}

// texts returns the list of texts of that name, of which a single text is the
// short form (RFC 7519 section 4.1.3).
func (o object) texts(name string) []string {
	if s := o.text(name); s != "" {
		return []string{s}
	}
	list, ok := o[name].([]any)
	if !ok {
		return nil
	}
	var out []string
	for _, v := range list {
		if s, ok := v.(string); ok {
			out = append(out, s)
		}
	}
	return out
}
