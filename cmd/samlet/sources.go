package main

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/metadata"
)

// fetchTimeout bounds one fetch of metadata, connection and body together.
const fetchTimeout = 10 * time.Second

// fetched is what came of fetching one URL.
type fetched struct {
	raw []byte
	err error
}

// fetchAll fetches the metadata of every peer that is known by a URL, all at
// once, so that one that does not answer holds up no other.
func (s *sources) fetchAll(ctx context.Context) {
	s.fetched = map[string]fetched{}
	var mu sync.Mutex
	var all sync.WaitGroup
	for _, address := range s.config.metadataURLs() {
		all.Go(func() {
			raw, err := fetchMetadata(ctx, s.config, address)
			mu.Lock()
			defer mu.Unlock()
			s.fetched[address] = fetched{raw, err}
		})
	}
	all.Wait()
}

var errNotFetched = errors.New("could not be fetched, and there is no earlier copy that is still valid")

// sources reads the metadata of the peers that a configuration names.
type sources struct {
	decoder  *decoder
	config   *Config
	fetched  map[string]fetched // by URL; nil where copies are to do
	warnings []string
	missing  bool      // some metadata could not be had
	expires  time.Time // the first validUntil of what was fetched; zero for none
}

// peerDocument is the metadata of one peer on its way from its source to an Entity.
type peerDocument struct {
	at       string // the place in config.yaml
	copyName string
	source   MetadataSource
	want     metadata.RoleName

	raw    []byte
	where  string // the key of source that raw came from
	entity *metadata.Entity
	err    error
}

// load fills in the entity of each document. What is wrong with one is a fault at
// its place; metadata that cannot be fetched or that has expired is a warning,
// because an outage of one peer must not be ours. In all of these cases the entity
// stays nil. Reading is in order, for the digest; parsing, which is what takes its
// time with thousands of peers, is done by all processors.
func (s *sources) load(docs []peerDocument) {
	for i := range docs {
		if d := &docs[i]; d.source.Inline == nil {
			d.raw, d.where, d.err = s.bytes(d.at, d.copyName, d.source, d.want)
		}
	}
	var next atomic.Int64
	var all sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		all.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(docs)); i = next.Add(1) - 1 {
				if d := &docs[i]; d.raw != nil {
					d.entity, d.err = metadata.Parse(d.raw, s.options(d.want))
				}
			}
		})
	}
	all.Wait()
	for i := range docs {
		s.judge(&docs[i])
	}
}

// judge tells what is wrong with a document that was read and parsed.
func (s *sources) judge(d *peerDocument) {
	if d.source.Inline != nil {
		if d.entity, d.err = s.inline(d.source.Inline, d.want); d.err != nil {
			s.decoder.faultAt(d.at+".inline", "%s", message(d.err))
		}
		return
	}
	switch {
	case errors.Is(d.err, errNotFetched):
		s.missing = true
		s.warnings = append(s.warnings, fmt.Sprintf("%s: %s %v", d.at, d.source.URL, d.err))
	case d.err != nil && identity.KindOf(d.err) == identity.KindExpired:
		s.warnings = append(s.warnings, fmt.Sprintf("%s.%s: %s It is left out until there is a newer one.", d.at, d.where, message(d.err)))
	case d.err != nil:
		s.decoder.faultAt(d.at+"."+d.where, "%s", message(d.err))
	case d.where == "url":
		if until := d.entity.ValidUntil; !until.IsZero() && (s.expires.IsZero() || until.Before(s.expires)) {
			s.expires = until
		}
	}
}

// readAt is when the metadata of m was had from its source: fetched, if it is
// known by a URL, else written; zero where there is no file.
func (s *sources) readAt(copyName string, m MetadataSource) time.Time {
	dir := filepath.Dir(s.decoder.file)
	path := metadataCopy(dir, copyName, m)
	if m.URL == "" {
		path = beside(dir, m.File)
	}
	if m.Inline != nil || m.XML != "" {
		return time.Time{}
	}
	info, err := os.Stat(path)
	if err != nil {
		return time.Time{}
	}
	return info.ModTime().UTC()
}

func (s *sources) options(want metadata.RoleName) metadata.ParseOptions {
	o := metadata.ParseOptions{Now: time.Now, Want: want, AllowHTTP: s.config.development()}
	if want == metadata.RoleSP {
		o.Skew = time.Duration(s.config.IDP.MaxClockSkew)
	}
	return o
}

// bytes returns the document and the key of m that it came from.
func (s *sources) bytes(at, copyName string, m MetadataSource, want metadata.RoleName) (raw []byte, where string, err error) {
	dir := filepath.Dir(s.decoder.file)
	switch {
	case m.XML != "":
		return []byte(m.XML), "xml", nil
	case m.URL == "":
		raw, err = s.decoder.read(beside(dir, m.File))
		return raw, "file", err
	}
	copyPath := metadataCopy(dir, copyName, m)
	failed := errors.New("it was not asked for yet")
	if s.fetched != nil {
		got := s.fetched[m.URL]
		if failed = got.err; failed == nil {
			failed = s.keepCopy(copyPath, got.raw, want)
		}
	}
	raw, err = s.copyAt(copyPath)
	switch {
	case err != nil:
		return nil, "url", fmt.Errorf("%w: %s", errNotFetched, reason(failed))
	case s.fetched != nil && failed != nil:
		s.warnings = append(s.warnings, fmt.Sprintf("%s: %s; going on with the copy of the last fetch", at, reason(failed)))
	}
	return raw, "url", nil
}

// metadataCopy is where the copy of metadata is that comes from a URL.
func metadataCopy(dir, copyName string, m MetadataSource) string {
	if m.File != "" {
		return beside(dir, m.File)
	}
	return filepath.Join(dir, "data", "metadata", copyName+".xml")
}

// copyAt reads the copy of an earlier fetch. One past its validUntil is as good
// as none: a new one has to be fetched.
func (s *sources) copyAt(path string) ([]byte, error) {
	raw, err := s.decoder.read(path)
	if err != nil {
		return nil, err
	}
	_, err = metadata.Parse(raw, metadata.ParseOptions{Now: time.Now, AllowHTTP: true})
	if err != nil && identity.KindOf(err) == identity.KindExpired {
		return nil, err
	}
	return raw, nil // other damage is told where the document is used
}

// keepCopy keeps metadata that can be used, so that a page that says
// "maintenance" never replaces a good copy.
func (s *sources) keepCopy(path string, raw []byte, want metadata.RoleName) error {
	if _, err := metadata.Parse(raw, s.options(want)); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("keeping the metadata: %w", err)
	}
	return replaceFile(path, raw)
}

// inline describes a peer without metadata.
func (s *sources) inline(in *InlineEntity, want metadata.RoleName) (*metadata.Entity, error) {
	// Vendors have entityIDs that are no absolute URIs, such as acme.zoom.us.
	if in.EntityID == "" || len(in.EntityID) > 1024 || strings.ContainsFunc(in.EntityID, unicode.IsSpace) {
		return nil, fmt.Errorf("an entityID is a URI of at most 1024 characters, got %q", in.EntityID)
	}
	var keys []crypto.PublicKey
	for _, ref := range in.Certificates {
		raw, err := s.decoder.reference(ref)
		if err != nil {
			return nil, err
		}
		block, _ := pem.Decode(raw)
		if block == nil || block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("%s holds no certificate in PEM form", ref)
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%s holds a certificate that cannot be read: %w", ref, err)
		}
		keys = append(keys, cert.PublicKey)
	}
	role := metadata.Role{Signing: keys, Encryption: keys}
	e := &metadata.Entity{EntityID: identity.EntityID(in.EntityID)}
	if want == metadata.RoleIDP {
		e.IDP = &metadata.IDP{Role: role}
		for _, location := range in.SSO {
			e.IDP.SSO = append(e.IDP.SSO, metadata.Endpoint{Binding: identity.BindingRedirect, Location: location})
		}
		return e, s.inlineLocations("sso", in.SSO)
	}
	e.SP = &metadata.SP{Role: role}
	for i, location := range in.ACS {
		e.SP.ACS = append(e.SP.ACS, metadata.IndexedEndpoint{Index: i, Endpoint: metadata.Endpoint{Binding: identity.BindingPOST, Location: location}})
	}
	return e, s.inlineLocations("acs", in.ACS)
}

// inlineLocations demands at least one endpoint, on https or, in development,
// http.
func (s *sources) inlineLocations(key string, locations []string) error {
	if len(locations) == 0 {
		return fmt.Errorf("%s is missing: where messages go", key)
	}
	for _, l := range locations {
		u, err := url.Parse(l)
		if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && (u.Scheme != "http" || !s.config.development()) {
			return fmt.Errorf("%s: want an https URL, got %q", key, l)
		}
	}
	return nil
}

// isURL reports whether s is an http or https URL rather than a path.
func isURL(s string) bool {
	return strings.HasPrefix(s, "https://") || strings.HasPrefix(s, "http://")
}

// readMetadata reads what --metadata names.
func readMetadata(ctx context.Context, cfg *Config, source string) ([]byte, error) {
	if isURL(source) {
		return fetchMetadata(ctx, cfg, source)
	}
	raw, err := os.ReadFile(source)
	if err != nil {
		return nil, fmt.Errorf("cannot read the metadata: %w", err)
	}
	return raw, nil
}

// fetchMetadata fetches over a client that reaches private and loopback
// addresses in development alone.
func fetchMetadata(ctx context.Context, cfg *Config, address string) ([]byte, error) {
	client := metadata.NewClient(metadata.ClientConfig{AllowPrivate: cfg.development()})
	return metadata.Fetch(ctx, client, address, metadata.FetchOptions{Timeout: fetchTimeout, AllowHTTP: cfg.development()})
}
