package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"sync"

	"github.com/samlet-id/samlet/templates"
)

// Config is what New needs.
type Config struct {
	Pages       *templates.Set
	Log         *slog.Logger
	BaseURL     string    // absolute http(s) URL under which browsers reach us
	Rand        io.Reader // of request IDs and nonces, crypto/rand.Reader in earnest; safe for concurrent use
	Development bool      // puts the banner on every page
	ProductName string    // what the service calls itself; empty means samlet
	Support     string    // http(s) or mailto URL that error pages offer for help; empty offers none
	MaxBody     int64     // bytes of a request body; 0 means DefaultMaxBody
}

// DefaultMaxBody bounds request bodies, in bytes: a Response of 256 KiB as a
// base64 form value, with room to spare. Decoders have closer limits of their
// own.
const DefaultMaxBody = 1 << 20

// Web renders pages and errors. Its settings never change; it is safe for
// concurrent use.
type Web struct {
	cfg     Config
	base    *url.URL
	secure  bool      // the base URL is https
	buffers sync.Pool // of *bytes.Buffer, between pages
}

// New checks cfg.
func New(cfg Config) (*Web, error) {
	if cfg.Pages == nil || cfg.Log == nil || cfg.Rand == nil {
		return nil, errors.New("web: Pages, Log and Rand are required")
	}
	u, err := url.Parse(cfg.BaseURL)
	if err != nil {
		return nil, fmt.Errorf("web: parsing the base URL: %w", err)
	}
	if (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" {
		return nil, fmt.Errorf("web: base URL %q is no absolute http(s) URL", cfg.BaseURL)
	}
	if cfg.MaxBody == 0 {
		cfg.MaxBody = DefaultMaxBody
	}
	return &Web{cfg: cfg, base: u, secure: u.Scheme == "https"}, nil
}

// RequestID returns the ID of the request that ctx belongs to, "" outside of
// Middleware.
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string) //nolint:errcheck // the absent value is the answer
	return id
}

type requestIDKey struct{}
