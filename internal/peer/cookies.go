package peer

import (
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// rule says which cookies a request carries and may set.
type rule int

const (
	ruleSameSite   rule = iota // all of them
	ruleCrossSite              // in the window, led there by another site
	ruleThirdParty             // in a frame of another site: those that say None
	ruleBlocked                // the same, where the person blocks them
)

// laxUnsafe is Chromium's allowance: a cookie that names no SameSite counts as
// Lax, but goes along on cross-site POSTs during its first two minutes. Cookies
// that say Lax never do, and those are the ones we set.
const laxUnsafe = 2 * time.Minute

// jar keeps cookies. The standard library's jar knows nothing of SameSite. Frames
// use it side by side.
type jar struct {
	now     func() time.Time
	mu      sync.Mutex
	cookies []stored
}

type stored struct {
	*http.Cookie
	host string
	set  time.Time
	ends time.Time // zero: with the browser
}

// site is the registrable host: what SameSite compares. All hosts of our tests
// are addresses or single names, which are their own site; ports never count.
func site(u *url.URL) string { return u.Hostname() }

// trustworthy tells whether Secure cookies work: over TLS, and on loopback even
// without it.
func trustworthy(u *url.URL) bool {
	ip := net.ParseIP(u.Hostname())
	return u.Scheme == "https" || u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

func (j *jar) store(u *url.URL, cookies []*http.Cookie, r rule) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, c := range cookies {
		if c.Secure && !trustworthy(u) || c.SameSite == http.SameSiteNoneMode && !c.Secure {
			continue // Browsers drop these without a word.
		}
		if r == ruleBlocked || r == ruleThirdParty && c.SameSite != http.SameSiteNoneMode {
			continue // These too.
		}
		if c.Path == "" || c.Path[0] != '/' {
			c.Path = u.Path[:max(1, strings.LastIndexByte(u.Path, '/'))]
			if c.Path == "" || c.Path[0] != '/' {
				c.Path = "/"
			}
		}
		s := stored{Cookie: c, host: u.Hostname(), set: j.now()}
		switch {
		case c.MaxAge < 0:
			s.ends = j.now()
		case c.MaxAge > 0:
			s.ends = j.now().Add(time.Duration(c.MaxAge) * time.Second)
		case !c.Expires.IsZero():
			s.ends = c.Expires
		}
		j.put(s)
	}
}

func (j *jar) put(s stored) {
	kept := j.cookies[:0]
	for _, o := range j.cookies {
		if o.host != s.host || o.Name != s.Name || o.Path != s.Path {
			kept = append(kept, o)
		} else {
			s.set = o.set // A renewed cookie keeps its age, RFC 6265 5.3.
		}
	}
	j.cookies = kept
	if s.ends.IsZero() || s.ends.After(j.now()) {
		j.cookies = append(j.cookies, s)
	}
}

// header is the Cookie header of one request.
func (j *jar) header(u *url.URL, method string, r rule) string {
	j.mu.Lock()
	defer j.mu.Unlock()
	var sent []string
	safe := method == http.MethodGet || method == http.MethodHead
	for _, c := range j.cookies {
		if c.host != u.Hostname() || !pathMatches(u.Path, c.Path) || c.Secure && !trustworthy(u) {
			continue
		}
		if !c.ends.IsZero() && !c.ends.After(j.now()) {
			continue
		}
		if !r.sends(c, safe, j.now()) {
			continue
		}
		sent = append(sent, c.Name+"="+c.Value)
	}
	return strings.Join(sent, "; ")
}

// sends tells whether a cookie goes along. safe is a GET or HEAD.
func (r rule) sends(c stored, safe bool, now time.Time) bool {
	switch {
	case r == ruleSameSite:
		return true
	case r == ruleBlocked:
		return false
	case c.SameSite == http.SameSiteNoneMode:
		return true
	case r == ruleThirdParty || c.SameSite == http.SameSiteStrictMode:
		return false
	case c.SameSite == http.SameSiteLaxMode:
		return safe
	}
	return safe || now.Sub(c.set) <= laxUnsafe
}

// pathMatches is RFC 6265 5.1.4.
func pathMatches(path, cookie string) bool {
	if path == "" {
		path = "/"
	}
	return path == cookie || strings.HasPrefix(path, cookie) &&
		(strings.HasSuffix(cookie, "/") || path[len(cookie)] == '/')
}

// Cookies returns what the browser holds for the host of an address, for tests
// that look at attributes or bring an old cookie back.
func (b *Browser) Cookies(address string) []*http.Cookie {
	u, err := url.Parse(address)
	if err != nil {
		b.t.Fatal(err)
	}
	var held []*http.Cookie
	for _, c := range b.jar.cookies {
		if c.host == u.Hostname() {
			held = append(held, c.Cookie)
		}
	}
	return held
}

// Forget throws away every cookie of the host of an address.
func (b *Browser) Forget(address string) {
	u, err := url.Parse(address)
	if err != nil {
		b.t.Fatal(err)
	}
	kept := b.jar.cookies[:0]
	for _, c := range b.jar.cookies {
		if c.host != u.Hostname() {
			kept = append(kept, c)
		}
	}
	b.jar.cookies = kept
}
