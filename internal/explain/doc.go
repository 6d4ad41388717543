// Package explain reads SAML messages that somebody captured and says in words
// what is right and what is wrong with them: a check at a time, in the order in
// which an identity provider or a service provider makes them.
//
// It owns the guessing of what an input is ([Find]: a URL, a form, base64, SOAP,
// the export of a browser's network log …), the names of the checks ([Checks])
// and their verdicts ([Explain]). Verdicts rest on the same doors that live
// messages pass: package binding, internal/xmlsec and metadata. It decides
// nothing and issues nothing; it knows no store, no network, no session, and no
// private key beyond opening what is encrypted. What only a live exchange can
// tell, such as whether a request is still open, is reported as not judged.
package explain
