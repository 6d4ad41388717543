// Package rp is the relying party role of OpenID Connect towards one upstream
// OpenID Provider: the code flow with PKCE, and logout in both directions. Of a vendor
// that has OAuth 2.0 alone it asks the API who somebody is.
//
// It owns the authentication request, the exchange of the code, and every check
// of ID tokens and logout tokens. It does not know records, sessions or pages. Signatures are
// verified by go-oidc; what a token says is read by a decoder of our own, which
// tells Sub from sub and refuses a member that occurs twice.
package rp
