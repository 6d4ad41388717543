// Package brokertest proves that a broker.Connector believes the answers that
// it should and no others. Whoever writes a connector supplies a [Peer], an
// upstream made with software that is not ours, and calls [Run].
package brokertest
