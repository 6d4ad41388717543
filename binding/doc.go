// Package binding carries protocol messages: through a browser, it takes them
// from a request and puts them into a redirect or a form, for the HTTP-Redirect,
// HTTP-POST and HTTP-Artifact bindings (SAML Bindings 3.4 to 3.6) in both
// directions; between servers, in SOAP 1.1 envelopes (3.2).
//
// It owns the encodings, the size limits and the signature over a query. It
// does not know what a message says, where it may go, or whether it has to be
// signed. In particular a signature inside the XML is none of its business: on
// the Redirect binding such a signature is no substitute for the one over the
// query (SAML Bindings 3.4.4.1), and whoever demands a signature there calls
// [SAML.VerifyQuery].
//
// [Message] is protocol-neutral on purpose: a redirect or an auto-submitted form
// serves OIDC as well.
package binding
