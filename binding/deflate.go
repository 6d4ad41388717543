package binding

import (
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"sync"
)

// Both directions of DEFLATE hold large tables (40 KiB and 600 KiB), so they are
// pooled; what comes out of the pools is reset before use and carries nothing
// over from one message to the next.
var (
	inflaters = sync.Pool{New: func() any { return flate.NewReader(bytes.NewReader(nil)) }}
	deflaters = sync.Pool{} // of *flate.Writer; making one can fail, so deflate does it
)

var errTooLarge = errors.New("the message inflates to more than the limit")

// adlerLen is the trailer that senders leave who cut only the head off a zlib
// stream.
const adlerLen = 4

// inflate decompresses raw DEFLATE into at most limit bytes. It never holds more
// than limit plus one buffer, however much the stream would give (a flate bomb
// gives a thousandfold).
func inflate(packed []byte, limit int) ([]byte, error) {
	in := bytes.NewReader(packed)
	r := inflaters.Get().(io.ReadCloser) //nolint:errcheck // the pool holds nothing else
	defer inflaters.Put(r)
	if err := r.(flate.Resetter).Reset(in, nil); err != nil { //nolint:errcheck // every reader of package flate is one
		return nil, fmt.Errorf("resetting the decompressor: %w", err)
	}
	out := make([]byte, 0, min(4*len(packed)+64, limit+1))
	for {
		n, err := r.Read(out[len(out):cap(out)])
		out = out[:len(out)+n]
		if len(out) > limit {
			return nil, errTooLarge
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if len(out) == cap(out) {
			grown := make([]byte, len(out), min(2*cap(out), limit+1))
			copy(grown, out)
			out = grown
		}
	}
	if in.Len() > adlerLen {
		return nil, fmt.Errorf("%d bytes follow the end of the stream", in.Len())
	}
	return out, nil
}

// deflate compresses into raw DEFLATE.
func deflate(b []byte) ([]byte, error) {
	var out bytes.Buffer
	w, ok := deflaters.Get().(*flate.Writer)
	if !ok {
		var err error
		if w, err = flate.NewWriter(&out, flate.DefaultCompression); err != nil {
			return nil, fmt.Errorf("compressing: %w", err)
		}
	}
	defer deflaters.Put(w)
	w.Reset(&out)
	if _, err := w.Write(b); err != nil {
		return nil, fmt.Errorf("compressing: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("compressing: %w", err)
	}
	return out.Bytes(), nil
}
