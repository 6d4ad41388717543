package peer

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

const (
	frameLimit = 30 * time.Second // for a page whose frames end by themselves
	frameDepth = 2                // of frames within frames
	frameSteps = 12               // of pages that lead on within one frame
)

// Frame is what became of an iframe. Its forms that carry a SAML message were
// submitted, as the page's script would have done it.
type Frame struct {
	Src  string
	Page *Page // the last one; nil when there is none
	Err  error // why it ended without a page: blocked, not answered in time
}

// frame is where a page within a page is loaded. A nil one is the window.
type frame struct {
	parent *Page
	outer  *frame
}

func (f *frame) destination() string {
	if f == nil {
		return "document"
	}
	return "iframe"
}

// sameSite tells whether every page around the frame is of the address's site.
func (f *frame) sameSite(u *url.URL) bool {
	for ; f != nil; f = f.outer {
		if site(f.parent.URL) != site(u) {
			return false
		}
	}
	return true
}

// mayLoad enforces frame-src of the page around the frame (CSP3 6.1.6), which
// counts for redirects too.
func (f *frame) mayLoad(u *url.URL) error {
	if f == nil || f.parent.frameSrc == nil || sourcesAllow(f.parent.frameSrc, f.parent.URL, u) {
		return nil
	}
	return fmt.Errorf("the Content-Security-Policy of %s (frame-src %s) blocks the frame %s",
		f.parent.URL, strings.Join(f.parent.frameSrc, " "), u)
}

// mayShow enforces what the framed page says of being framed: frame-ancestors
// (CSP3 6.4.2), and X-Frame-Options where that is absent (HTML 7.4.6).
func (f *frame) mayShow(resp *http.Response, u *url.URL) error {
	if f == nil {
		return nil
	}
	ancestors := directive(resp.Header.Values("Content-Security-Policy"), "frame-ancestors")
	option := strings.ToUpper(strings.TrimSpace(resp.Header.Get("X-Frame-Options")))
	for ; f != nil; f = f.outer {
		around := f.parent.URL
		switch {
		case ancestors != nil && !sourcesAllow(ancestors, u, around):
			return fmt.Errorf("%s may not be framed by %s (frame-ancestors %s)", u, around, strings.Join(ancestors, " "))
		case ancestors != nil:
		case option == "DENY", option == "SAMEORIGIN" && originOf(around) != originOf(u):
			return fmt.Errorf("%s may not be framed by %s (X-Frame-Options: %s)", u, around, option)
		}
	}
	return nil
}

// loadFrames loads the frames of the page in the window side by side, and waits
// until all have ended. A page that leads on by itself takes its frames with it
// when its time comes, whether they have ended or not; one without frames stays
// its time.
func (b *Browser) loadFrames(p *Page, refresh time.Duration) {
	limit := frameLimit
	if _, target := p.refresh(); target != "" {
		limit = refresh
	}
	ctx, cancel := context.WithTimeout(b.t.Context(), limit)
	defer cancel()
	b.framesOf(ctx, p, nil, 0)
	if len(p.Frames) == 0 && refresh > 0 {
		<-ctx.Done()
	}
}

func (b *Browser) framesOf(ctx context.Context, p *Page, outer *frame, depth int) {
	if depth == frameDepth {
		return
	}
	var wg sync.WaitGroup
	for _, n := range p.all("iframe") {
		f := &Frame{Src: attr(n, "src")}
		p.Frames = append(p.Frames, f)
		wg.Go(func() { b.runFrame(ctx, f, &frame{parent: p, outer: outer}, depth) })
	}
	wg.Wait()
}

func (b *Browser) runFrame(ctx context.Context, f *Frame, within *frame, depth int) {
	u, err := within.parent.URL.Parse(f.Src)
	if err != nil {
		f.Err = fmt.Errorf("the frame of %s: %w", within.parent.URL, err)
		return
	}
	v := visit{method: http.MethodGet, url: u, from: within.parent, within: within}
	for range frameSteps {
		p, err := b.load(ctx, v)
		if err != nil {
			f.Err = err
			return
		}
		f.Page = p
		b.framesOf(ctx, p, within, depth+1)
		next, err := p.leadsOn()
		if err != nil {
			f.Err = err
			return
		}
		if next == nil {
			return
		}
		v = *next
		v.within = within
	}
	f.Err = fmt.Errorf("the pages of the frame %s lead on and on", f.Src)
}

// leadsOn is where a framed page goes without anybody's doing: its refresh, or
// the form with a SAML message that its script would submit.
func (p *Page) leadsOn() (*visit, error) {
	if after, target := p.refresh(); target != "" && after == 0 {
		u, err := p.URL.Parse(target)
		return &visit{method: http.MethodGet, url: u, from: p}, err
	}
	form, known := p.next(nil)
	if form == nil || len(known) > 0 {
		return nil, nil //nolint:nilnil // It stays, and nothing went wrong.
	}
	u, err := p.URL.Parse(form.Action)
	if err != nil {
		return nil, err
	}
	v := formVisit(p, form.Method, u, form.values(nil))
	return &v, nil
}
