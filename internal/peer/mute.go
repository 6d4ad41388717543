package peer

import (
	"context"
	"net"
	"net/url"
	"sync"
	"testing"
)

// Mute ends the software and puts something at its port that accepts every
// connection and never says a word, as a firewall or a hung program does.
func (sp *SP) Mute(t testing.TB) {
	t.Helper()
	sp.end()
	u, err := url.Parse(sp.URL)
	if err != nil {
		t.Fatal(err)
	}
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", u.Host)
	if err != nil {
		t.Fatalf("taking the place of %s: %v", sp.Name, err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		var held []net.Conn
		for {
			c, err := l.Accept()
			if err != nil {
				break // The listener was closed: the test has ended.
			}
			held = append(held, c)
		}
		for _, c := range held {
			c.Close()
		}
	})
	t.Cleanup(func() {
		l.Close()
		wg.Wait()
	})
}
