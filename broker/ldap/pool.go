package ldap

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"sync"
	"time"

	"github.com/go-ldap/ldap/v3"
)

const (
	// idleLife is how long a connection waits for the next sign-in: less than what
	// servers and firewalls allow.
	idleLife = 4 * time.Minute
	// penalty is how long a server that did not answer is asked last.
	penalty = 30 * time.Second
)

// pool keeps connections to the servers of a directory, at most so many, for the
// next sign-in. Whoever takes one is the account that searches.
type pool struct {
	cfg  Config
	dial func(address string) (*ldap.Conn, error)
	turn chan struct{} // one for each connection in use

	mu   sync.Mutex
	idle []resting
	down map[string]time.Time // until when a server is asked last
}

// resting is a connection that nobody uses.
type resting struct {
	conn    *ldap.Conn
	address string
	since   time.Time
}

// lent is a connection in use.
type lent struct {
	*ldap.Conn
	address string
	give    func() // ends the use
}

// take returns a connection that is bound as the account that searches. It waits for
// one to be free, for as long as ctx does. The connection is closed if ctx ends.
func (p *pool) take(ctx context.Context) (*lent, error) {
	select {
	case p.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting for a connection to the directory: %w", ctx.Err())
	}
	conn, address, err := p.open()
	if err != nil {
		<-p.turn
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() {
		conn.Close() //nolint:errcheck,gosec // whoever waits for it is told
	})
	l := &lent{Conn: conn, address: address}
	l.give = func() {
		if stop() {
			p.keep(l)
		}
		<-p.turn
	}
	return l, nil
}

// open binds a connection that rested, or a new one to the first server that answers;
// servers that did not answer a moment ago come last.
func (p *pool) open() (*ldap.Conn, string, error) {
	for conn, ok := p.rested(); ok; conn, ok = p.rested() {
		// This finds out, too, whether the server is still there.
		if err := conn.conn.Bind(p.cfg.BindDN, p.cfg.BindPassword.Reveal()); err == nil {
			return conn.conn, conn.address, nil
		}
		conn.conn.Close() //nolint:errcheck,gosec // it is of no use any more
	}
	var faults []error
	for _, address := range p.order() {
		conn, err := p.dial(address)
		p.note(address, err)
		if err == nil {
			return conn, address, nil
		}
		faults = append(faults, fmt.Errorf("%s: %w", address, err))
	}
	return nil, "", errors.Join(faults...)
}

// rested takes the connection that was used last, if there is one that is young enough.
func (p *pool) rested() (resting, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.idle) > 0 {
		last := p.idle[len(p.idle)-1]
		p.idle = p.idle[:len(p.idle)-1]
		if p.cfg.Now().Sub(last.since) < idleLife && !last.conn.IsClosing() {
			return last, true
		}
		last.conn.Close() //nolint:errcheck,gosec // it is of no use any more
	}
	return resting{}, false
}

// keep lets a connection rest. Those to servers other than the first are not kept, so
// that the first serves again once it is back.
func (p *pool) keep(l *lent) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if l.IsClosing() || l.address != p.cfg.URLs[0] || len(p.idle) >= cap(p.turn) {
		l.Close() //nolint:errcheck,gosec // it has served
		return
	}
	p.idle = append(p.idle, resting{l.Conn, l.address, p.cfg.Now()})
}

// order lists the servers, those that did not answer a moment ago last.
func (p *pool) order() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var first, last []string
	for _, address := range p.cfg.URLs {
		if p.cfg.Now().Before(p.down[address]) {
			last = append(last, address)
		} else {
			first = append(first, address)
		}
	}
	return append(first, last...)
}

func (p *pool) note(address string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.down, address)
	if err != nil {
		p.down[address] = p.cfg.Now().Add(penalty)
	}
}

// close lets go of what rests.
func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range p.idle {
		r.conn.Close() //nolint:errcheck,gosec // it has served
	}
	p.idle = nil
}

func (d *Directory) dial(address string) (*ldap.Conn, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	t := d.tls.Clone()
	t.ServerName = u.Hostname()
	conn, err := ldap.DialURL(address, ldap.DialWithDialer(&net.Dialer{Timeout: d.cfg.Timeout}), ldap.DialWithTLSConfig(t))
	if err != nil {
		return nil, err
	}
	conn.SetTimeout(d.cfg.Timeout)
	if d.cfg.StartTLS && u.Scheme == "ldap" {
		err = conn.StartTLS(t)
	}
	if err == nil {
		err = conn.Bind(d.cfg.BindDN, d.cfg.BindPassword.Reveal())
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}
