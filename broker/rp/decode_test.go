package rp

import "testing"

// FuzzDecode holds that no octets make the decoder panic.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{`{}`, `{"a":1,"a":2}`, `{"a":[{"b":null}]}`, `[`, `{"a":1} x`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if o, err := decode(b); err == nil && o == nil {
			t.Error("neither an object nor an error")
		}
	})
}
