package main

import (
	"net/http"
	"testing"

	"github.com/samlet-id/samlet/internal/peer"
)

// What other software really sends is explained without a failed check, and what
// samlet answers is verified by what samlet publishes.
func TestPeersMessagesExplained(t *testing.T) {
	s := serveSamlet(t, nil)
	s.createAlice(t)
	var sps []*peer.SP
	for _, kind := range peer.SPs() {
		sps = append(sps, s.startSP(t, kind, peer.SPOptions{}))
	}
	for _, sp := range sps {
		t.Run(sp.Name, func(t *testing.T) {
			s.awaitSP(t, sp)
			client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, sp.LoginURL, nil)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			if err := resp.Body.Close(); err != nil {
				t.Fatal(err)
			}
			if to := resp.Header.Get("Location"); to != "" {
				s.run(t, to, "saml", "explain", "-")
			}
			b := peer.NewBrowser(t)
			page := b.Get(sp.LoginURL)
			if request := page.Message("SAMLRequest"); request != nil {
				s.run(t, string(request), "saml", "explain", "-")
				page = b.Submit(page.Form("SAMLRequest"), nil)
			}
			b.Submit(page.Form("identifier"), peer.Fill{"identifier": "alice"})
			response := b.Submit(b.Page().Form("password"), peer.Fill{"password": alicePassword}).Message("SAMLResponse")
			if response == nil {
				t.Fatalf("no Response waits at %s:\n%s", b.Page().URL, b.Page().Text())
			}
			s.run(t, string(response), "saml", "verify", "-")
			s.run(t, string(response), "saml", "explain", "-")
		})
	}
}
