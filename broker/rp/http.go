package rp

import (
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// The bounds of one call to the upstream.
const (
	callTimeout = 10 * time.Second
	maxBody     = 1 << 20 // bytes
)

// How often keys are asked for on behalf of logout tokens, at most.
const (
	keysWindow = time.Minute
	keysCalls  = 5
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

// answered returns client with every status but 200 as an error, for libraries
// that would not tell an outage from a forged signature.
func answered(client *http.Client) *http.Client {
	out := *client
	out.Transport = okOnly{client.Transport}
	return &out
}

type okOnly struct{ next http.RoundTripper }

func (o okOnly) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := o.next.RoundTrip(r)
	if err != nil || resp.StatusCode == http.StatusOK {
		return resp, err
	}
	err = fmt.Errorf("status %d from %s", resp.StatusCode, r.URL)
	if cerr := resp.Body.Close(); cerr != nil {
		err = fmt.Errorf("%w, and %w", err, cerr)
	}
	return nil, err
}

// seldom returns client with few calls a minute, beyond which it fails.
func seldom(client *http.Client, now func() time.Time) *http.Client {
	out := *client
	out.Transport = &rationed{next: client.Transport, now: now}
	return &out
}

type rationed struct {
	next http.RoundTripper
	now  func() time.Time

	mu    sync.Mutex
	began time.Time // of the window
	calls int
}

func (l *rationed) RoundTrip(r *http.Request) (*http.Response, error) {
	if !l.turn() {
		return nil, fmt.Errorf("%s was asked %d times within %s", r.URL, keysCalls, keysWindow)
	}
	return l.next.RoundTrip(r)
}

func (l *rationed) turn() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := l.now(); !now.Before(l.began.Add(keysWindow)) {
		l.began, l.calls = now, 0
	}
	l.calls++
	return l.calls <= keysCalls
}
