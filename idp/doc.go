// Package idp is the SAML 2.0 identity provider role: the Web Browser SSO
// profile (SAML Profiles 4.1) towards service providers. It owns what an
// AuthnRequest must look like to be answered, where answers may go, how an
// assertion is written, signed and encrypted, and our own metadata.
//
// It does not know how a person is authenticated, what is released to whom, or
// where anything is stored: it asks its [Authenticator], and encodes the answer.
//
// # The steps
//
// They are named and ordered as those of the Shibboleth identity provider, so
// that who knows one finds their way in the other. Each is one function.
//
//	decode          the message out of its binding                      sso.go
//	look up         the service provider by the Issuer                  sso.go
//	authenticate    the message: signature, Destination                 sso.go
//	select          the AssertionConsumerService                        endpoint.go
//	check           version, lifetime, what is asked for                request.go, policy.go
//	…               the Authenticator authenticates, resolves, filters
//	AuthnStatement  AttributeStatement  NameID  SubjectConfirmation  Conditions   assertion.go
//	sign            encrypt  respond                                    respond.go
//
// A Response leaves through the browser by POST or by artifact (artifact.go), or
// to an enhanced client in a SOAP envelope (ecp.go), which passes the same steps.
//
// # Single logout
//
// A LogoutRequest passes the same first steps (logout.go), but never without a
// signature; what ends, and who else is to be told, is the matter of [Logouts].
// The other way round, logout_tell.go tells service providers, by SOAP or
// through the browser, and judges their answers.
//
// # Where a refusal goes
//
// As in Shibboleth, a message that cannot be believed is answered to the person
// at the browser alone, on a page: one that does not parse, comes from nobody we
// know, whose signature fails or is missing, or that was meant for another
// address (SAML Core 3.2.1 has it discarded). An answer to the service provider
// would go to an endpoint that perhaps an attacker chose, and would answer a
// question that was perhaps never asked. Neither is there an answer elsewhere
// than to an endpoint of the service provider's metadata. From the moment that
// the endpoint is known, every refusal is a signed Response there, with a status
// code that machines understand and a message with our error code and the
// request ID (SAML Profiles 4.1.4.1).
//
// # What is signed
//
// Left to itself, the Response is signed, which covers the assertion and the
// status alike (SAML2int SDP-IDP09), and is what pysaml2 and node-saml demand
// unless told otherwise. A service provider whose metadata says
// WantAssertionsSigned gets a signature on the assertion, too, because some look
// at nothing else. A [identity.SignRule] overrules either. The assertion is
// signed before it is encrypted, the Response afterwards.
package idp
