// Package peer finds and starts software that was not written by us, so that
// tests can hold samlet against it: service providers, an upstream identity
// provider, PostgreSQL, schema and signature checkers, and a browser.
//
// It owns how each of them is configured, started on a free loopback port,
// watched and ended. It knows nothing of samlet: a service provider is given
// some identity provider's metadata as bytes, so the peers can be (and in this
// package's own tests are) held against one another.
//
// A peer that is not installed is a skip that names the install command, and a
// failure where CI=true. Every kind of peer has a loopback address of its own,
// because cookies and SameSite go by host and never by port: a service provider
// at 127.0.0.31 is another site than an identity provider at 127.0.0.5.
package peer

// The addresses are constants so that a failing test names its peer. Ports are
// always free ones.
const (
	hostSimpleSAMLphp = "127.0.0.20"
	hostOIDCProvider  = "127.0.0.21"
	hostMellon        = "127.0.0.31"
	hostPySAML2       = "127.0.0.32"
	hostNodeSAML      = "127.0.0.33"
	hostSamlify       = "127.0.0.34"
	hostCrewjam       = "127.0.0.35"
	hostGoSAML2       = "127.0.0.36"
	hostOneLogin      = "127.0.0.37"
	hostRubySAML      = "127.0.0.38"
	hostSimpleSP      = "127.0.0.39"
	hostShibboleth    = "127.0.0.40"
)
