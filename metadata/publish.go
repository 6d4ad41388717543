package metadata

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"
)

// ContentType is the media type of metadata (SAML Metadata 4.1.1).
const ContentType = "application/samlmetadata+xml"

// DefaultMaxAge is how long HTTP caches may keep our metadata. It is short beside
// cacheDuration, so that a vendor who looks after a change sees it.
const DefaultMaxAge = 10 * time.Minute

// Document is a metadata file ready to be served.
type Document struct {
	Body   []byte
	ETag   string // strong, quoted
	MaxAge time.Duration
}

// NewDocument wraps a metadata file; its ETag depends on the octets alone. A
// maxAge of zero means DefaultMaxAge.
func NewDocument(body []byte, maxAge time.Duration) Document {
	if maxAge == 0 {
		maxAge = DefaultMaxAge
	}
	sum := sha256.Sum256(body)
	return Document{Body: body, ETag: `"` + hex.EncodeToString(sum[:16]) + `"`, MaxAge: maxAge}
}

// ServeHTTP answers GET and HEAD, with 304 where If-None-Match names the ETag.
func (d Document) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", ContentType)
	h.Set("ETag", d.ETag)
	h.Set("Cache-Control", fmt.Sprintf("public, max-age=%d", int(d.MaxAge.Seconds())))
	h.Del("Pragma") // "no-cache" of pages, if a middleware has set it
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(d.Body))
}

// Handler serves what doc returns at each request.
func Handler(doc func() Document) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { doc().ServeHTTP(w, r) })
}

// PublicationConfig says what to publish. Write is a closure over WriteIDP or
// WriteSP; ValidFor and Now are those of its configuration.
type PublicationConfig struct {
	Write    func() ([]byte, error)
	ValidFor time.Duration // zero: DefaultValidFor
	MaxAge   time.Duration // zero: DefaultMaxAge
	Now      func() time.Time
}

// Publication keeps one of our metadata files fresh: it is written anew when
// half of its validity has passed, and never in between, so that reading it
// costs no signature. It is safe for concurrent use.
type Publication struct {
	cfg     PublicationConfig
	current atomic.Pointer[issue]
}

type issue struct {
	epoch time.Time
	doc   Document
}

// NewPublication writes the first issue, so that what cannot be published is
// known at the start.
func NewPublication(cfg PublicationConfig) (*Publication, error) {
	if cfg.Write == nil || cfg.Now == nil {
		return nil, errors.New("metadata: PublicationConfig needs Write and Now")
	}
	if cfg.ValidFor == 0 {
		cfg.ValidFor = DefaultValidFor
	}
	p := &Publication{cfg: cfg}
	if _, err := p.Document(); err != nil {
		return nil, err
	}
	return p, nil
}

// Document returns the current issue.
func (p *Publication) Document() (Document, error) {
	due := epoch(p.cfg.Now(), p.cfg.ValidFor)
	if is := p.current.Load(); is != nil && is.epoch.Equal(due) {
		return is.doc, nil
	}
	// Callers that meet here write the same octets; the last one is kept.
	body, err := p.cfg.Write()
	if err != nil {
		return Document{}, fmt.Errorf("publishing metadata: %w", err)
	}
	is := &issue{epoch: due, doc: NewDocument(body, p.cfg.MaxAge)}
	p.current.Store(is)
	return is.doc, nil
}
