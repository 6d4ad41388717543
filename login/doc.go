// Package login is the one login: whatever protocol asks and however the person
// comes in, the way through is the same. It owns the login transaction (a
// ticket in the store), the dispatcher that alone decides every next step, the
// session, the choice of a connection, the pages of signing in and out, and
// release: what one relying party learns of one person, and under which name.
//
// It does not know SAML, OIDC or SQL, nor how an upstream is spoken to. The
// protocols below declare what they need of it (Start and Result); it declares
// what it needs of those above ([Upstream]) and of one authenticator
// ([Method]); cmd/samlet joins them.
//
// # The way of one login
//
// [Authenticator.Start] answers at once where a live session already does: one
// read, no ticket, no redirect, no synchronous write. Else it makes a ticket,
// binds it to the browser and names the page to go to. Each page posts an
// answer; the answer changes the transaction; the dispatcher decides what comes
// next. When the transaction has ended, in a session or in a refusal, the
// browser goes to the request's Resume path, where the protocol calls
// [Authenticator.Result] once.
//
// # The way of one logout
//
// Whoever wants it, the person, a relying party or the operator, our own session
// ends first and durably. Then everybody who took part in it is told, each on its
// own and all at once: directly where the protocols below ([Downstream]) can,
// else in a frame of a page that the browser shows until all have answered or
// the deadline has come. That round is a ticket, too; an answer finds it by the
// ID of the message that it answers, since a frame has no cookies.
package login
