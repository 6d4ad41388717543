package peer

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
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
	// included and those of frames left out, as "METHOD URL".
	Sent []string

	// Tamper, when it is set, may change each request of the window before it
	// leaves, as an attacker would who holds the browser: the address, and the
	// form of a POST (nil for any other).
	Tamper func(u *url.URL, form url.Values)

	// BlockThirdParty keeps every cookie of a frame's site from being sent and
	// set where the page around it is of another site, as browsers do whose
	// owners say so, and as some do anyway.
	BlockThirdParty bool
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
	return b.navigate(formVisit(p, f.Method, target, values))
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
