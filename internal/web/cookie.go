package web

import (
	"net/http"
	"strings"
	"time"
)

// SetCookie sends a cookie that only we and only HTTP can read: host-only,
// HttpOnly, SameSite=Lax, and over https Secure with the prefix __Host-, which
// keeps sibling hosts from planting one (RFC 6265bis 4.1.3.2). A maxAge of 0
// lets it end with the browser session. value must consist of cookie-octets; a
// bearer token does.
func (w *Web) SetCookie(rw http.ResponseWriter, name, value string, maxAge time.Duration) {
	c := w.cookie(name, value)
	c.MaxAge = int(maxAge / time.Second)
	http.SetCookie(rw, c)
}

// ClearCookie makes the browser forget the cookie.
func (w *Web) ClearCookie(rw http.ResponseWriter, name string) {
	c := w.cookie(name, "")
	c.MaxAge = -1
	http.SetCookie(rw, c)
}

// Cookie returns the value of the cookie, and whether the browser sent it. Two
// cookies of the name count as none, since one of them was planted.
func (w *Web) Cookie(r *http.Request, name string) (string, bool) {
	found := r.CookiesNamed(w.cookieName(name))
	if len(found) != 1 || found[0].Value == "" {
		return "", false
	}
	return found[0].Value, true
}

// maxFamily bounds how many cookies of one family are looked at.
const maxFamily = 64

// CookieFamily returns the values of all cookies whose names begin with prefix,
// in the order in which the browser sent them.
func (w *Web) CookieFamily(r *http.Request, prefix string) []string {
	var values []string
	for _, c := range r.Cookies() {
		if strings.HasPrefix(c.Name, w.cookieName(prefix)) && c.Value != "" && len(values) < maxFamily {
			values = append(values, c.Value)
		}
	}
	return values
}

// ClearCookieFamily makes the browser forget all of them.
func (w *Web) ClearCookieFamily(rw http.ResponseWriter, r *http.Request, prefix string) {
	for _, c := range r.Cookies() {
		if strings.HasPrefix(c.Name, w.cookieName(prefix)) {
			w.ClearCookie(rw, prefix+strings.TrimPrefix(c.Name, w.cookieName(prefix)))
		}
	}
}

func (w *Web) cookie(name, value string) *http.Cookie {
	return &http.Cookie{
		Name: w.cookieName(name), Value: value, Path: "/",
		HttpOnly: true, Secure: w.secure, SameSite: http.SameSiteLaxMode,
	}
}

func (w *Web) cookieName(name string) string {
	if w.secure {
		return "__Host-" + name
	}
	return name
}
