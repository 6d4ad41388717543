package rp

import (
	"io"
	"net/http"
	"time"
)

// The bounds of one call to the upstream.
const (
	callTimeout = 10 * time.Second
	maxBody     = 1 << 20 // bytes
)

// bounded returns client with a deadline and a limit on the body of each answer.
func bounded(client *http.Client) *http.Client {
	out := *client
	if out.Timeout == 0 || out.Timeout > callTimeout {
		out.Timeout = callTimeout
	}
	next := out.Transport
	if next == nil {
		next = http.DefaultTransport
	}
	out.Transport = limit{next}
	return &out
}

// limit cuts bodies off; what is cut off does not parse.
type limit struct{ next http.RoundTripper }

func (l limit) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := l.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	resp.Body = limitedBody{io.LimitReader(resp.Body, maxBody), resp.Body}
	return resp, nil
}

type limitedBody struct {
	io.Reader
	io.Closer
}
