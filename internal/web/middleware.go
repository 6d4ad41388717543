package web

import (
	"context"
	"encoding/base32"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/samlet-id/samlet/identity"
)

// Middleware wraps the mux of the whole server. In this order it gives the
// request an ID, catches panics, sets the headers that hold for every answer,
// bounds the body, refuses cross-site requests that change something, and
// answers in our look where no route matches.
//
// bypass are ServeMux patterns such as "POST /saml/sso": the endpoints whose
// purpose is to receive forms from other sites, and whose messages prove
// themselves otherwise. A malformed pattern panics here, at start.
func (w *Web) Middleware(mux *http.ServeMux, bypass []string) http.Handler {
	guard := http.NewCrossOriginProtection()
	for _, pattern := range bypass {
		guard.AddInsecureBypassPattern(pattern)
	}
	// Behind a proxy that rewrites Host our own pages would look foreign to
	// browsers that send no Sec-Fetch-Site. New has checked the base URL.
	if err := guard.AddTrustedOrigin(w.base.Scheme + "://" + w.base.Host); err != nil {
		panic(fmt.Sprintf("web: trusting our own origin: %v", err))
	}
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.common(rw.Header())
		id, err := w.requestID()
		if err != nil {
			w.fail(rw, r, err)
			return
		}
		rw.Header().Set("X-Request-Id", id)
		r = r.WithContext(context.WithValue(r.Context(), requestIDKey{}, id))
		out := &tracked{ResponseWriter: rw}
		defer w.recover(out, r)
		r.Body = http.MaxBytesReader(rw, r.Body, w.cfg.MaxBody)
		if err := guard.Check(r); err != nil {
			w.fail(out, r, &identity.Error{
				Kind: identity.KindDenied, Code: "web.cross_site", Who: identity.WhoUser,
				Msg: "This form was sent from another website, so we did not act on it.", Err: err,
			})
			return
		}
		w.route(mux, out, r)
	})
}

// common sets the headers of every answer; a handler may set others afterwards,
// as metadata does with Cache-Control.
func (w *Web) common(h http.Header) {
	neverKept(h)
	h.Set("Content-Security-Policy", "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	// Paths and queries of ours never leave. The origin does: with "no-referrer"
	// browsers would send "Origin: null" with our POSTs, which some service
	// providers refuse and which older browsers' own forms could not be told
	// from foreign ones by (Fetch 3.2).
	h.Set("Referrer-Policy", "strict-origin")
	if w.secure {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
}

// neverKept tells caches of HTTP/1.1 and 1.0 what SAML Bindings 3.4.5.1 and
// 3.5.5.1 demand where a message passes.
func neverKept(h http.Header) {
	h.Set("Cache-Control", "no-cache, no-store")
	h.Set("Pragma", "no-cache")
}

// requestID makes an ID of 80 random bits, 16 characters that can be read out
// over a telephone. None is accepted from outside: it would let a caller write
// into our log.
func (w *Web) requestID() (string, error) {
	var b [10]byte
	if _, err := io.ReadFull(w.cfg.Rand, b[:]); err != nil {
		return "", fmt.Errorf("reading randomness for a request ID: %w", err)
	}
	return strings.ToLower(base32.StdEncoding.EncodeToString(b[:])), nil
}

// recover turns a panic into an error page. http.ErrAbortHandler keeps its
// meaning, and an answer that has begun can only be cut off.
func (w *Web) recover(out *tracked, r *http.Request) {
	v := recover()
	if v == nil {
		return
	}
	if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(v)
	}
	e := w.panicked(r, v)
	if out.wrote {
		panic(http.ErrAbortHandler)
	}
	w.show(out, r, http.StatusInternalServerError, e)
}

// route serves r, with a page of ours where the mux has no route for it.
func (w *Web) route(mux *http.ServeMux, out *tracked, r *http.Request) {
	h, pattern := mux.Handler(r)
	if pattern != "" {
		mux.ServeHTTP(out, r)
		return
	}
	var a answer
	h.ServeHTTP(&a, r)
	if a.status == http.StatusMethodNotAllowed {
		out.Header().Set("Allow", a.Header().Get("Allow"))
		w.fail(out, r, &identity.Error{
			Kind: identity.KindInvalid, Code: "web.method", Who: identity.WhoUser,
			Msg:  "This address does not take that kind of request.",
			Seen: r.Method, Expected: a.Header().Get("Allow"),
		})
		return
	}
	w.fail(out, r, &identity.Error{
		Kind: identity.KindNotFound, Code: "web.not_found", Who: identity.WhoUser,
		Msg: "There is nothing at this address.",
	})
}

// tracked remembers whether the answer has begun.
type tracked struct {
	http.ResponseWriter
	wrote bool
}

// WriteHeader implements http.ResponseWriter.
func (t *tracked) WriteHeader(status int) {
	t.wrote = true
	t.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (t *tracked) Write(b []byte) (int, error) {
	t.wrote = true
	return t.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController through.
func (t *tracked) Unwrap() http.ResponseWriter { return t.ResponseWriter }

// answer is the mux's own refusal, of which only status and headers are kept.
type answer struct {
	header http.Header
	status int
}

// Header implements http.ResponseWriter.
func (a *answer) Header() http.Header {
	if a.header == nil {
		a.header = http.Header{}
	}
	return a.header
}

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(status int) { a.status = status }

// Write implements http.ResponseWriter.
func (a *answer) Write(b []byte) (int, error) { return len(b), nil }
