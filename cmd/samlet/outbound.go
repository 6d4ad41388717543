package main

import (
	"net/http"
	"net/netip"

	"github.com/samlet-id/samlet/metadata"
)

// newOutbound returns the client that calls peers: on the internet, in the
// networks of server.outbound, and in development on this machine. It follows no
// redirect, which could lead a signed message anywhere.
func newOutbound(cfg *Config) *http.Client {
	reach := metadata.ClientConfig{AllowLoopback: cfg.development()}
	for _, s := range cfg.Server.Outbound {
		if p, err := netip.ParsePrefix(s); err == nil { // checked with the configuration
			reach.Networks = append(reach.Networks, p.Masked())
		}
	}
	client := metadata.NewClient(reach)
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return client
}
