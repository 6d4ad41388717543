package metadata

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"syscall"
	"time"

	"github.com/samlet-id/samlet/identity"
)

// The limits of Fetch where FetchOptions name none.
const (
	DefaultMaxBytes = 1 << 20 // as much as Parse reads
	DefaultTimeout  = 20 * time.Second
	maxRedirects    = 5
)

// FetchOptions bounds one Fetch; the zero value is the strict one.
type FetchOptions struct {
	MaxBytes  int64         // after decompression; zero: DefaultMaxBytes
	Timeout   time.Duration // for the whole of it; zero: DefaultTimeout
	AllowHTTP bool          // development: http URLs as well
}

// Fetch gets a metadata file. It follows at most five redirects (301, 302, 307
// and 308), never from https to http, and takes nothing but a 200 that is no web
// page. The client's other settings hold; NewClient makes one that also keeps
// out of private networks. The content is neither parsed nor believed.
//
// Errors have code "md.url", "md.fetch" (KindUnavailable), "md.redirect",
// "md.address" (see NewClient), "md.too_large" or "md.html".
func Fetch(ctx context.Context, client *http.Client, address string, o FetchOptions) ([]byte, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || !allowedScheme(u, o.AllowHTTP) {
		return nil, fetchError("md.url", identity.KindInvalid, "The metadata URL is not an https address.", address, err)
	}
	ctx, cancel := context.WithTimeout(ctx, or(o.Timeout, DefaultTimeout))
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, fetchError("md.url", identity.KindInvalid, "The metadata URL is not an https address.", address, err)
	}
	req.Header.Set("Accept", ContentType+", application/xml;q=0.9, text/xml;q=0.8, */*;q=0.1")
	req.Header.Set("User-Agent", "samlet")
	c := *client // a copy, since the caller's redirect policy is another one
	c.CheckRedirect = func(req *http.Request, via []*http.Request) error { return checkRedirect(req, via, o.AllowHTTP) }
	resp, err := c.Do(req)
	if err != nil {
		if _, ok := errors.AsType[*identity.Error](err); ok {
			return nil, fmt.Errorf("fetching metadata: %w", err)
		}
		return nil, fetchError("md.fetch", identity.KindUnavailable, "The metadata could not be fetched.", address, err)
	}
	body, err := readResponse(resp, or(o.MaxBytes, DefaultMaxBytes), address)
	if closed := resp.Body.Close(); err == nil && closed != nil {
		return nil, fetchError("md.fetch", identity.KindUnavailable, "The metadata could not be fetched.", address, closed)
	}
	return body, err
}

func readResponse(resp *http.Response, limit int64, address string) ([]byte, error) {
	if resp.StatusCode != http.StatusOK {
		return nil, fetchError("md.fetch", identity.KindUnavailable,
			fmt.Sprintf("The metadata could not be fetched: the server answered %s.", resp.Status), address, nil)
	}
	if kind, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type")); err == nil && kind == "text/html" {
		return nil, fetchError("md.html", identity.KindInvalid, "The metadata URL leads to a web page, not to metadata.", address, nil)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return nil, fetchError("md.fetch", identity.KindUnavailable, "The metadata could not be fetched whole.", address, err)
	}
	if int64(len(body)) > limit {
		return nil, fetchError("md.too_large", identity.KindInvalid, fmt.Sprintf("The metadata is larger than %d bytes.", limit), address, nil)
	}
	return body, nil
}

// checkRedirect is Fetch's http.Client.CheckRedirect. A 303 is no way to a file
// (it answers a POST), and a step down to http would let anybody on the way put
// in keys of their own.
func checkRedirect(req *http.Request, via []*http.Request, allowHTTP bool) error {
	last := via[len(via)-1]
	why := ""
	switch {
	case len(via) > maxRedirects:
		why = fmt.Sprintf("more than %d redirects", maxRedirects)
	case req.Response.StatusCode == http.StatusSeeOther:
		why = "a redirect with status 303"
	case last.URL.Scheme == "https" && req.URL.Scheme != "https", !allowedScheme(req.URL, allowHTTP):
		why = "a redirect from " + last.URL.Scheme + " to " + req.URL.Scheme
	case req.URL.User != nil:
		why = "a redirect with a user name"
	default:
		return nil
	}
	return fetchError("md.redirect", identity.KindInvalid, "The metadata URL redirects in a way that is not followed.", why, nil)
}

func allowedScheme(u *url.URL, allowHTTP bool) bool {
	return u.Scheme == "https" || allowHTTP && u.Scheme == "http"
}

func fetchError(code identity.Code, kind identity.Kind, msg, seen string, err error) error {
	return &identity.Error{Kind: kind, Code: code, Who: identity.WhoOperator, Msg: msg, Seen: seen, Err: err}
}

// ClientConfig says what NewClient's client may reach.
type ClientConfig struct {
	// AllowPrivate admits loopback and private networks: for development, and
	// for peers inside the house.
	AllowPrivate bool
	// AllowLoopback admits this machine alone.
	AllowLoopback bool
	// Networks are private networks that are admitted.
	Networks []netip.Prefix
}

// NewClient returns an HTTP client, for Fetch and for calls to peers, that keeps out of places that only
// samlet's own machine can reach (SSRF). The check is made on the address that
// is dialled, after the name was resolved, so that no second look-up can slip
// another one in. It uses no proxy, which would dial on its own. A refused
// address is an error of KindDenied with code "md.address".
func NewClient(cfg ClientConfig) *http.Client {
	dialer := &net.Dialer{Timeout: 10 * time.Second, Control: cfg.control}
	return &http.Client{Transport: &http.Transport{
		DialContext:            dialer.DialContext,
		TLSHandshakeTimeout:    10 * time.Second,
		ResponseHeaderTimeout:  15 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
		MaxIdleConns:           16,
		IdleConnTimeout:        time.Minute,
		ForceAttemptHTTP2:      true,
	}}
}

func (cfg ClientConfig) control(_, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err == nil && cfg.admits(to.Addr()) {
		return nil
	}
	return fetchError("md.address", identity.KindDenied, "The URL leads into a network that is not fetched from.", address, err)
}

// admits sorts addresses by the registries of RFC 6890. What is merely private
// depends on the configuration; link-local addresses, where clouds keep
// credentials, and addresses that name no host are never admitted.
func (cfg ClientConfig) admits(a netip.Addr) bool {
	a = embedded(a.Unmap().WithZone(""))
	switch {
	case a.IsUnspecified(), a.IsLinkLocalUnicast(), a.IsMulticast(), within(a, "0.0.0.0/8", "240.0.0.0/4"):
		return false
	case a.IsLoopback(), a.IsPrivate(),
		within(a, "100.64.0.0/10", "192.0.0.0/24", "198.18.0.0/15", "fec0::/10", "64:ff9b:1::/48", "2001::/32", "100::/64"):
		listed := slices.ContainsFunc(cfg.Networks, func(p netip.Prefix) bool { return p.Contains(a) })
		return cfg.AllowPrivate || listed || cfg.AllowLoopback && a.IsLoopback()
	}
	return true
}

// embedded returns the IPv4 address that an IPv6 address of a translation scheme
// stands for (NAT64, RFC 6052; 6to4, RFC 3056), else a itself.
func embedded(a netip.Addr) netip.Addr {
	b := a.As16()
	switch {
	case within(a, "64:ff9b::/96"):
		return netip.AddrFrom4([4]byte(b[12:]))
	case within(a, "2002::/16"):
		return netip.AddrFrom4([4]byte(b[2:6]))
	}
	return a
}

func within(a netip.Addr, prefixes ...string) bool {
	for _, p := range prefixes {
		if netip.MustParsePrefix(p).Contains(a) {
			return true
		}
	}
	return false
}

func or[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}
