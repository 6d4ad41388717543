package peer

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
)

// Browser is a person's browser with JavaScript switched off. It keeps cookies
// and obeys SameSite as Chromium does, follows redirects, sends Origin and
// Sec-Fetch-Site, and enforces the form-action of a page's Content-Security-
// Policy, because these are what break logins that work in a plain HTTP client.
// It serves one goroutine. A request that cannot be made fails the test; an
// answer with an error status does not.
type Browser struct {
	t         testing.TB
	transport *http.Transport
	jar       jar
	page      *Page

	// Sent lists every request of the last Get, Click or Submit, redirects
	// included, as "METHOD URL".
	Sent []string
}

// Fill says what a person types: form field name to value.
type Fill map[string]string

// NewBrowser returns a browser without cookies, showing nothing.
func NewBrowser(t testing.TB) *Browser {
	b := &Browser{t: t, transport: &http.Transport{DisableCompression: true}}
	b.jar.now = time.Now
	t.Cleanup(b.transport.CloseIdleConnections)
	return b
}

// Page is the page that the browser shows.
func (b *Browser) Page() *Page { return b.page }

// Get opens an address that the person typed.
func (b *Browser) Get(address string) *Page {
	b.t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		b.t.Fatalf("opening %q: %v", address, err)
	}
	return b.navigate(visit{method: http.MethodGet, url: u})
}

// Click follows the first link of the page whose text contains the given one.
func (b *Browser) Click(text string) *Page {
	b.t.Helper()
	p := b.mustPage()
	for _, a := range p.all("a") {
		if href := attr(a, "href"); href != "" && strings.Contains(textOf(a), text) {
			return b.navigate(visit{method: http.MethodGet, url: b.resolve(href), from: p})
		}
	}
	b.t.Fatalf("%s has no link %q:\n%s", p.URL, text, p.Text())
	return nil
}

// Submit fills in a form of the page and presses its first button, or the
// button whose name fill holds. A field that the form does not have fails the
// test. A form that would submit itself with JavaScript is submitted by this as
// well, with a nil fill, as a person presses "Continue".
func (b *Browser) Submit(f *Form, fill Fill) *Page {
	b.t.Helper()
	p := b.mustPage()
	if f == nil {
		b.t.Fatalf("%s has no such form:\n%s", p.URL, p.Text())
	}
	values := f.values(fill)
	for name := range fill {
		if !f.Has(name) {
			b.t.Fatalf("the form at %s has no field %q; it has %v", p.URL, name, f.Names())
		}
	}
	target := b.resolve(f.Action)
	v := visit{method: f.Method, url: target, from: p}
	if f.Method == http.MethodPost {
		v.body = values.Encode()
	} else {
		q := *target
		q.RawQuery = values.Encode()
		v.url = &q
	}
	if p.formAction != nil {
		v.allowed = p.formAction
	}
	return b.navigate(v)
}

// Walk opens an address and goes through a login as a person would: it presses
// "Continue" where SAML messages wait to be posted, fills in forms that ask for
// something in fill, and stops at the first page that needs neither. A form that
// comes back after it was filled in (a wrong password) is such a page too.
func (b *Browser) Walk(address string, fill Fill) *Page {
	b.t.Helper()
	b.Get(address)
	return b.Continue(fill)
}

// Continue is Walk from the page that is shown.
func (b *Browser) Continue(fill Fill) *Page {
	b.t.Helper()
	p := b.mustPage()
	seen := map[string]bool{}
	for range 20 {
		f, known := p.next(fill)
		if f == nil {
			return p
		}
		if len(known) > 0 {
			step := fmt.Sprint(f.Action, known.names())
			if seen[step] {
				return p
			}
			seen[step] = true
		}
		p = b.Submit(f, known)
	}
	b.t.Fatalf("the login goes in circles; now at %s:\n%s", p.URL, p.Text())
	return nil
}

func (f Fill) names() []string {
	var names []string
	for n := range f {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

func (b *Browser) mustPage() *Page {
	b.t.Helper()
	if b.page == nil {
		b.t.Fatal("the browser shows no page yet")
	}
	return b.page
}

func (b *Browser) resolve(ref string) *url.URL {
	b.t.Helper()
	u, err := b.page.URL.Parse(ref)
	if err != nil {
		b.t.Fatalf("%s refers to %q: %v", b.page.URL, ref, err)
	}
	return u
}

// visit is one navigation before its redirects are followed.
type visit struct {
	method  string
	url     *url.URL
	body    string
	from    *Page    // nil when the person typed the address
	allowed []string // form-action sources; nil allows everything
}

func (b *Browser) navigate(v visit) *Page {
	b.t.Helper()
	b.Sent = nil
	origin := ""
	if v.from != nil {
		origin = originOf(v.from.URL)
	}
	for range 20 {
		if v.allowed != nil && !formActionAllows(v.allowed, v.from.URL, v.url) {
			b.t.Fatalf("the Content-Security-Policy of %s (form-action %s) blocks the form's way to %s",
				v.from.URL, strings.Join(v.allowed, " "), v.url)
		}
		resp := b.do(v, origin)
		next := b.redirect(resp, &v)
		if next == nil {
			b.page = b.read(resp, v.url)
			refresh := b.page.refresh()
			if refresh == "" {
				return b.page
			}
			origin = originOf(b.page.URL)
			v = visit{method: http.MethodGet, url: b.resolve(refresh), from: b.page}
			continue
		}
		if origin != "" && originOf(next) != originOf(v.url) {
			if originOf(v.url) != origin {
				origin = "null"
			}
		}
		v.url = next
	}
	b.t.Fatalf("too many redirects: %s", strings.Join(b.Sent, "\n"))
	return nil
}

func (b *Browser) do(v visit, origin string) *http.Response {
	b.t.Helper()
	b.Sent = append(b.Sent, v.method+" "+v.url.String())
	req, err := http.NewRequestWithContext(b.t.Context(), v.method, v.url.String(), strings.NewReader(v.body))
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("User-Agent", "Mozilla/5.0 (a test's browser without JavaScript)")
	req.Header.Set("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")
	req.Header.Set("Accept-Language", "en")
	req.Header.Set("Sec-Fetch-Mode", "navigate")
	req.Header.Set("Sec-Fetch-Dest", "document")
	req.Header.Set("Sec-Fetch-Site", fetchSite(v.from, v.url))
	if v.method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Origin", origin)
	}
	sameSite := v.from == nil || site(v.from.URL) == site(v.url)
	if c := b.jar.header(v.url, v.method, sameSite); c != "" {
		req.Header.Set("Cookie", c)
	}
	resp, err := b.transport.RoundTrip(req)
	if err != nil {
		b.t.Fatalf("%s %s: %v", v.method, v.url, err)
	}
	b.jar.store(v.url, resp.Cookies())
	return resp
}

// redirect returns where an answer leads, or nil for a page. POST becomes GET
// as browsers do it (Fetch 4.4, HTTP-redirect fetch).
func (b *Browser) redirect(resp *http.Response, v *visit) *url.URL {
	b.t.Helper()
	location := resp.Header.Get("Location")
	if location == "" {
		return nil
	}
	switch resp.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther:
		if v.method == http.MethodPost {
			v.method, v.body = http.MethodGet, ""
		}
	case http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
	default:
		return nil
	}
	resp.Body.Close()
	u, err := v.url.Parse(location)
	if err != nil {
		b.t.Fatalf("%s redirects to %q: %v", v.url, location, err)
	}
	return u
}

func (b *Browser) read(resp *http.Response, u *url.URL) *Page {
	b.t.Helper()
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 8<<20))
	if err != nil {
		b.t.Fatalf("reading %s: %v", u, err)
	}
	p := &Page{URL: u, Status: resp.StatusCode, Header: resp.Header, Body: body}
	p.formAction = formAction(resp.Header.Values("Content-Security-Policy"))
	if strings.Contains(resp.Header.Get("Content-Type"), "html") {
		if p.doc, err = html.Parse(strings.NewReader(string(body))); err != nil {
			b.t.Fatalf("reading %s: %v", u, err)
		}
	}
	return p
}

func fetchSite(from *Page, to *url.URL) string {
	switch {
	case from == nil:
		return "none"
	case originOf(from.URL) == originOf(to):
		return "same-origin"
	case site(from.URL) == site(to):
		return "same-site"
	}
	return "cross-site"
}

func originOf(u *url.URL) string { return u.Scheme + "://" + u.Host }
