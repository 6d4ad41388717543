// Package web owns what every page and form of samlet has in common on HTTP:
// request IDs, recovery from panics, security headers with one
// Content-Security-Policy a response, protection against cross-site requests,
// cookies, redirects, and the one place where an error becomes a status, a page
// (or a problem document) and a log line.
//
// It does not know SAML, logins or the store: handlers hand it pages, URLs and
// errors.
package web
