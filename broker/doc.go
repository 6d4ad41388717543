// Package broker is the federation upstream: it sends people to the identity
// providers of partners and turns what these say into records of our own.
//
// It owns the choice of a [Connector] for a connection, the [Mapping] of
// upstream attribute names to canonical ones, and the link between an upstream
// principal and a local record. It does not know any federation protocol (that
// is the Connector's matter: broker/sp and its siblings), nor relying parties,
// sessions or pages.
//
// Two rules are never bent. A person is recognised by (issuer, subject) alone,
// never by a mail address, whoever vouches for it. And an answer is only taken
// by the connection that the question was sent through.
package broker
