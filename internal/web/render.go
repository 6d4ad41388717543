package web

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/samlet-id/samlet/templates"
)

// RenderOptions are what a page needs of its headers.
type RenderOptions struct {
	// FormAction are the origins that forms of the page may be sent to, and be
	// redirected to afterwards. Nil means ourselves alone.
	FormAction []string
	// FrameSrc are the sources that frames of the page may show, and be led on
	// to. Nil means that it has no frames.
	FrameSrc []string
	// Framed lets pages of ours show this one in a frame.
	Framed bool
	// Lang is the page's language (BCP 47); one that the pages do not come in
	// becomes their default.
	Lang string
}

// Render answers with a page under a Content-Security-Policy of its own: no
// source of anything but what the page's nonce covers.
func (w *Web) Render(rw http.ResponseWriter, r *http.Request, status int, page templates.Page, o RenderOptions) error {
	nonce, err := w.nonce()
	if err != nil {
		return err
	}
	buf, ok := w.buffers.Get().(*bytes.Buffer)
	if !ok {
		buf = new(bytes.Buffer)
	}
	defer w.buffers.Put(buf)
	buf.Reset()
	if err := w.cfg.Pages.Render(buf, page, w.chrome(r, nonce, o.Lang)); err != nil {
		return err
	}
	h := rw.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(buf.Len()))
	h.Set("Content-Security-Policy", policy(page, nonce, o))
	if o.Framed {
		h.Set("X-Frame-Options", "SAMEORIGIN")
	}
	rw.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = rw.Write(buf.Bytes()) // fails only when the browser has gone; nobody is left to tell
	}
	return nil
}

func (w *Web) chrome(r *http.Request, nonce, lang string) templates.Chrome {
	return templates.Chrome{
		RequestID: RequestID(r.Context()), Nonce: nonce, Lang: lang,
		ProductName: w.cfg.ProductName, Development: w.cfg.Development,
	}
}

// policy writes the Content-Security-Policy (CSP Level 3). Scripts run on no
// pages but AutoPost and SigningOut, which also asks us how far it is; the
// favicon is a data URL.
func policy(page templates.Page, nonce string, o RenderOptions) string {
	var b strings.Builder
	b.WriteString("default-src 'none'; style-src 'nonce-" + nonce + "'; img-src data:; base-uri 'none'; frame-ancestors ")
	if o.Framed {
		b.WriteString("'self'")
	} else {
		b.WriteString("'none'")
	}
	b.WriteString("; form-action ")
	if len(o.FormAction) == 0 {
		b.WriteString("'self'")
	} else {
		b.WriteString(strings.Join(o.FormAction, " "))
	}
	if len(o.FrameSrc) > 0 {
		b.WriteString("; frame-src " + strings.Join(o.FrameSrc, " "))
	}
	switch page.(type) {
	case templates.AutoPost:
		b.WriteString("; script-src 'nonce-" + nonce + "'")
	case templates.SigningOut:
		b.WriteString("; script-src 'nonce-" + nonce + "'; connect-src 'self'")
	}
	return b.String()
}

func (w *Web) nonce() (string, error) {
	var b [16]byte
	if _, err := io.ReadFull(w.cfg.Rand, b[:]); err != nil {
		return "", fmt.Errorf("reading randomness for a nonce: %w", err)
	}
	return hex.EncodeToString(b[:]), nil
}

// Redirect answers 303 See Other to url, a path of ours or a URL that a registered
// peer gave; the browser follows with GET whatever the method was.
func (w *Web) Redirect(rw http.ResponseWriter, r *http.Request, url string) {
	neverKept(rw.Header())
	http.Redirect(rw, r, url, http.StatusSeeOther)
}

// Send carries a message through the browser to an absolute http(s) URL: with a
// nil form by 303, else on an AutoPost page whose form-action is that one
// origin. Where the browser came by POST, a 303 to another origin would be
// stopped by the form-action of the page that posted, so that a page with a
// refresh and a link leads on.
func (w *Web) Send(rw http.ResponseWriter, r *http.Request, to string, form url.Values) error {
	u, err := url.Parse(to)
	if err != nil {
		return fmt.Errorf("sending a message: %w", err)
	}
	target, ok := source(u)
	if !ok {
		return fmt.Errorf("sending a message: %q is no absolute http(s) URL of a plain host", to)
	}
	switch {
	case form != nil:
		return w.Render(rw, r, http.StatusOK, templates.AutoPost{URL: to, Form: form}, RenderOptions{FormAction: []string{target}})
	case r.Method == http.MethodPost && (u.Scheme != w.base.Scheme || u.Host != w.base.Host):
		return w.Render(rw, r, http.StatusOK, templates.Forward{URL: to}, RenderOptions{})
	}
	w.Redirect(rw, r, to)
	return nil
}

// Origin returns the origin of an address as a Content-Security-Policy names it,
// and whether it is an absolute http(s) URL of a plain host.
func Origin(address string) (string, bool) {
	u, err := url.Parse(address)
	if err != nil {
		return "", false
	}
	return source(u)
}

// source returns the origin of u as a CSP source expression, and whether u is an
// absolute http(s) URL. Hosts with signs that end a CSP directive are refused,
// though net/url accepts them. The grammar has no IPv6 literals (CSP Level 3
// 2.3.1): for these it can only name the scheme.
func source(u *url.URL) (string, bool) {
	if (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" {
		return "", false
	}
	for i := range len(u.Host) {
		if c := u.Host[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`;,'"()*`, c) >= 0 {
			return "", false
		}
	}
	if u.Host[0] == '[' {
		return u.Scheme + ":", true
	}
	return u.Scheme + "://" + u.Host, true
}
