package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/templates"
)

// Handle adapts a handler that returns its error. The error is logged and shown
// here and nowhere else. HEAD is answered without running fn: a link checker
// must not consume a ticket.
func (w *Web) Handle(fn func(http.ResponseWriter, *http.Request) error) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead {
			rw.WriteHeader(http.StatusOK)
			return
		}
		if err := fn(rw, r); err != nil {
			w.fail(rw, r, err)
		}
	})
}

// Status translates a kind into the HTTP status of pages and APIs. The two kinds
// that a login resolves by itself are 403 should they ever get here.
func Status(k identity.Kind) int {
	switch k {
	case identity.KindInvalid, identity.KindExpired, identity.KindReplayed:
		return http.StatusBadRequest
	case identity.KindDenied, identity.KindNeedsInteraction, identity.KindContextUnmet:
		return http.StatusForbidden
	case identity.KindNotFound:
		return http.StatusNotFound
	case identity.KindExists:
		return http.StatusConflict
	case identity.KindUnavailable:
		return http.StatusServiceUnavailable
	case identity.KindInternal:
		return http.StatusInternalServerError
	}
	return http.StatusInternalServerError
}

// fail logs err once and answers with it, as a page or, to clients that ask for
// JSON, as a problem document (RFC 9457).
func (w *Web) fail(rw http.ResponseWriter, r *http.Request, err error) {
	e, status := classify(err)
	level := slog.LevelInfo
	if status >= http.StatusInternalServerError {
		level = slog.LevelError
	}
	attrs := []slog.Attr{
		slog.String("request_id", RequestID(r.Context())),
		slog.String("code", string(e.Code)), slog.String("kind", e.Kind.String()), slog.Int("status", status),
		slog.String("method", r.Method), slog.String("path", r.URL.Path),
	}
	if e.Seen != "" || e.Expected != "" {
		attrs = append(attrs, slog.String("seen", e.Seen), slog.String("expected", e.Expected))
	}
	attrs = append(attrs, slog.String("err", err.Error()))
	w.cfg.Log.LogAttrs(r.Context(), level, "request failed", attrs...)
	w.show(rw, r, status, e)
}

// classify finds the Error and the status of err. What net/http says of itself,
// a body beyond the limit, has a status that no Kind stands for; so have the
// mux's refusals.
func classify(err error) (*identity.Error, int) {
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return &identity.Error{
			Kind: identity.KindInvalid, Code: "web.too_large", Who: identity.WhoVendor,
			Msg: "What was sent is larger than we accept.", Expected: fmt.Sprintf("at most %d bytes", tooLarge.Limit), Err: err,
		}, http.StatusRequestEntityTooLarge
	}
	e := identity.AsError(err)
	switch e.Code {
	case "web.method":
		return e, http.StatusMethodNotAllowed
	case "rate.limited":
		return e, http.StatusTooManyRequests
	}
	return e, Status(e.Kind)
}

// panicked logs a panic with its stack and returns what to show of it.
func (w *Web) panicked(r *http.Request, v any) *identity.Error {
	e := identity.AsError(fmt.Errorf("panic: %v", v))
	w.cfg.Log.LogAttrs(r.Context(), slog.LevelError, "request failed",
		slog.String("request_id", RequestID(r.Context())),
		slog.String("code", string(e.Code)), slog.String("kind", e.Kind.String()), slog.Int("status", http.StatusInternalServerError),
		slog.String("method", r.Method), slog.String("path", r.URL.Path),
		slog.String("err", e.Err.Error()), slog.String("stack", string(debug.Stack())))
	return e
}

// show writes the answer. A page that cannot be rendered leaves a plain sentence,
// since there is nothing else to fall back on.
func (w *Web) show(rw http.ResponseWriter, r *http.Request, status int, e *identity.Error) {
	if wantsJSON(r) {
		problem(rw, r, status, e)
		return
	}
	page := templates.Error{
		Title: title(e.Code, status), Message: e.Msg, Advice: advice(e.Who), Code: string(e.Code), Status: status,
		Open: e.Who != identity.WhoUser && e.Expected != "",
	}
	page.Seen, page.Expected = Compared(e.Seen, e.Expected)
	if report, ok := LocalPath(e.Report); ok {
		page.Report = w.cfg.BaseURL + report
	}
	page.Help = strings.ReplaceAll(e.Help, "ERRORURL_TID", RequestID(r.Context()))
	switch back, ok := LocalPath(e.Back); {
	case ok:
		page.Action = templates.Link{Label: "Try another way", URL: back}
	case w.cfg.Support != "":
		page.Action = templates.Link{Label: "Get help", URL: w.cfg.Support}
	}
	if err := w.Render(rw, r, status, page, RenderOptions{}); err != nil {
		http.Error(rw, "Something went wrong on our side. Request ID: "+RequestID(r.Context()), http.StatusInternalServerError)
	}
}

// Compared marks where what was seen differs from what was expected: of several
// alternatives, which our sentences part by " or ", from the one that is most
// like it.
func Compared(came, wanted string) (seen, expected templates.Marked) {
	const or = " or "
	best, from, most := "", 0, 0
	at := 0
	for one := range strings.SplitSeq(wanted, or) {
		m, _ := templates.Compare(came, one)
		if like := len(m.Head) + len(m.Tail); m != templates.Plain(came) && like > most {
			best, from, most = one, at, like
		}
		at += len(one) + len(or)
	}
	if most == 0 {
		return templates.Plain(came), templates.Plain(wanted)
	}
	seen, expected = templates.Compare(came, best)
	expected.Head, expected.Tail = wanted[:from]+expected.Head, expected.Tail+wanted[from+len(best):]
	return seen, expected
}

// title heads the page of a status.
func title(code identity.Code, status int) string {
	if code == "web.not_found" {
		return "Page not found"
	}
	switch status {
	case http.StatusForbidden:
		return "Not allowed"
	case http.StatusMethodNotAllowed:
		return "That did not work here"
	case http.StatusConflict:
		return "That already exists"
	case http.StatusTooManyRequests:
		return "Too many tries"
	case http.StatusServiceUnavailable:
		return "Not available right now"
	case http.StatusInternalServerError:
		return "Something went wrong"
	}
	return "We could not continue"
}

// advice says who can put it right.
func advice(who identity.Who) string {
	switch who {
	case identity.WhoVendor:
		return "The people who run the application can put this right. Send them the code and the request ID."
	case identity.WhoPartner:
		return "The people who run your organization’s sign-in can put this right. Send them the code and the request ID."
	case identity.WhoOperator:
		return "The people who run this sign-in service can put this right. Send them the code and the request ID."
	case identity.WhoUser:
		return "Go back to the application that you came from and start again."
	}
	return "Go back to the application that you came from and start again."
}

// wantsJSON reports whether the client asks for JSON and not for a page.
func wantsJSON(r *http.Request) bool {
	accept := r.Header.Get("Accept")
	return strings.Contains(accept, "json") && !strings.Contains(accept, "text/html")
}

// problem answers with a problem document (RFC 9457). Seen and Expected are for
// whoever repairs, as on the page; the cause stays in the log.
func problem(rw http.ResponseWriter, r *http.Request, status int, e *identity.Error) {
	body, err := json.Marshal(struct {
		Type      string `json:"type"`
		Title     string `json:"title"`
		Status    int    `json:"status"`
		Detail    string `json:"detail"`
		Code      string `json:"code"`
		RequestID string `json:"request_id"`
		Who       string `json:"who,omitempty"`
		Seen      string `json:"seen,omitempty"`
		Expected  string `json:"expected,omitempty"`
	}{"about:blank", http.StatusText(status), status, e.Msg, string(e.Code), RequestID(r.Context()), string(e.Who), e.Seen, e.Expected})
	if err != nil {
		http.Error(rw, http.StatusText(status), status)
		return
	}
	rw.Header().Set("Content-Type", "application/problem+json")
	rw.WriteHeader(status)
	_, _ = rw.Write(body) // fails only when the client has gone
}
