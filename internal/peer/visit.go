package peer

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/html"
)

// visit is one navigation before its redirects are followed.
type visit struct {
	method  string
	url     *url.URL
	form    url.Values
	from    *Page    // nil when the person typed the address
	allowed []string // form-action sources; nil allows everything
	within  *frame   // nil for the page that fills the window
}

func formVisit(p *Page, method string, target *url.URL, values url.Values) visit {
	v := visit{method: method, url: target, from: p, allowed: p.formAction}
	if method == http.MethodPost {
		v.form = values
		return v
	}
	q := *target
	q.RawQuery = values.Encode()
	v.url = &q
	return v
}

// navigate shows another page. The pages on the way that lead on by themselves
// are shown too, for as long as they say or until their frames have ended.
func (b *Browser) navigate(v visit) *Page {
	b.t.Helper()
	b.Sent = nil
	for range 60 {
		p, err := b.load(b.t.Context(), v)
		if err != nil {
			b.t.Fatalf("%v", err)
		}
		b.page = p
		after, target := p.refresh()
		b.loadFrames(p, after)
		if target == "" {
			return p
		}
		v = visit{method: http.MethodGet, url: b.resolve(target), from: p}
	}
	b.t.Fatalf("the pages lead on and on: %s", strings.Join(b.Sent, "\n"))
	return nil
}

// load makes the requests of one navigation until an answer is a page.
func (b *Browser) load(ctx context.Context, v visit) (*Page, error) {
	origin := ""
	if v.from != nil {
		origin = originOf(v.from.URL)
	}
	for range 20 {
		if v.allowed != nil && !sourcesAllow(v.allowed, v.from.URL, v.url) {
			return nil, fmt.Errorf("the Content-Security-Policy of %s (form-action %s) blocks the form's way to %s",
				v.from.URL, strings.Join(v.allowed, " "), v.url)
		}
		if err := v.within.mayLoad(v.url); err != nil {
			return nil, err
		}
		resp, err := b.do(ctx, v, origin)
		if err != nil {
			return nil, err
		}
		next, err := redirect(resp, &v)
		if err != nil {
			return nil, err
		}
		if next == nil {
			return b.read(resp, v)
		}
		if origin != "" && originOf(next) != originOf(v.url) && originOf(v.url) != origin {
			origin = "null"
		}
		v.url = next
	}
	return nil, fmt.Errorf("too many redirects; at last to %s", v.url)
}

func (b *Browser) do(ctx context.Context, v visit, origin string) (*http.Response, error) {
	if v.within == nil {
		if b.Tamper != nil {
			u := *v.url
			b.Tamper(&u, v.form)
			v.url = &u
		}
		b.Sent = append(b.Sent, v.method+" "+v.url.String())
	}
	req, err := http.NewRequestWithContext(ctx, v.method, v.url.String(), strings.NewReader(v.form.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", "Mozilla/5.0 (a test's browser without JavaScript)")
	req.Header.Set("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")
	req.Header.Set("Accept-Language", "en")
	req.Header.Set("Sec-Fetch-Mode", "navigate")
	req.Header.Set("Sec-Fetch-Dest", v.within.destination())
	req.Header.Set("Sec-Fetch-Site", fetchSite(v.from, v.url))
	if v.method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Origin", origin)
	}
	rule := b.cookieRule(v)
	if c := b.jar.header(v.url, v.method, rule); c != "" {
		req.Header.Set("Cookie", c)
	}
	resp, err := b.transport.RoundTrip(req)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", v.method, v.url, err)
	}
	b.jar.store(v.url, resp.Cookies(), rule)
	return resp, nil
}

// cookieRule says which cookies go along (RFC 6265bis 5.2): in the window, what
// counts is the page that leads there; in a frame, every page around it too.
func (b *Browser) cookieRule(v visit) rule {
	from := v.from == nil || site(v.from.URL) == site(v.url)
	switch {
	case v.within == nil && from:
		return ruleSameSite
	case v.within == nil:
		return ruleCrossSite
	case !v.within.sameSite(v.url) && b.BlockThirdParty:
		return ruleBlocked
	case !v.within.sameSite(v.url) || !from:
		return ruleThirdParty
	}
	return ruleSameSite
}

// redirect returns where an answer leads, or nil for a page. POST becomes GET
// as browsers do it (Fetch 4.4, HTTP-redirect fetch).
func redirect(resp *http.Response, v *visit) (*url.URL, error) {
	location := resp.Header.Get("Location")
	if location == "" {
		return nil, nil //nolint:nilnil // A page, and nothing went wrong.
	}
	switch resp.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther:
		if v.method == http.MethodPost {
			v.method, v.form = http.MethodGet, nil
		}
	case http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
	default:
		return nil, nil //nolint:nilnil // As above.
	}
	resp.Body.Close()
	u, err := v.url.Parse(location)
	if err != nil {
		return nil, fmt.Errorf("%s redirects to %q: %w", v.url, location, err)
	}
	return u, nil
}

func (b *Browser) read(resp *http.Response, v visit) (*Page, error) {
	defer resp.Body.Close()
	if err := v.within.mayShow(resp, v.url); err != nil {
		return nil, err
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, 8<<20))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", v.url, err)
	}
	policies := resp.Header.Values("Content-Security-Policy")
	p := &Page{
		URL: v.url, Status: resp.StatusCode, Header: resp.Header, Body: body,
		formAction: directive(policies, "form-action"),
		frameSrc:   directive(policies, "frame-src", "child-src", "default-src"),
	}
	if strings.Contains(resp.Header.Get("Content-Type"), "html") {
		// What is meant for browsers without JavaScript is seen by this one.
		p.doc, err = html.ParseWithOptions(strings.NewReader(string(body)), html.ParseOptionEnableScripting(false))
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", v.url, err)
		}
	}
	return p, nil
}

// refresh is where the page leads by itself and after which time (HTML 4.2.5.3,
// http-equiv refresh); "" when it stays.
func (p *Page) refresh() (after time.Duration, target string) {
	for _, n := range p.all("meta") {
		if !strings.EqualFold(attr(n, "http-equiv"), "refresh") {
			continue
		}
		wait, where, _ := strings.Cut(attr(n, "content"), ";")
		seconds, err := strconv.Atoi(strings.TrimSpace(wait))
		if err != nil {
			continue // Browsers ignore such a one.
		}
		target = p.URL.String()
		if where = strings.TrimSpace(where); len(where) > 4 && strings.EqualFold(where[:4], "url=") {
			target = strings.Trim(where[4:], `'"`)
		}
		return time.Duration(seconds) * time.Second, target
	}
	return 0, ""
}
