package login_test

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/samlet-id/samlet/binding"
	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/store"
)

// upstream is a login.Upstream at which people sign in by name: the answer
// "SAMLResponse=name" is good for the state that Begin gave.
type upstream struct {
	connections []identity.Connection
	mu          sync.Mutex
	record      map[string]identity.RecordID
	instant     time.Time // of every authentication; zero means now
	class       identity.ClassRef
	behind      []identity.EntityID       // further authorities of every session
	proxy       identity.ProxyRestriction // of every session
	hint        string                    // for the logout of every session
	notAfter    time.Time                 // of every session; zero for no bound
	fail        error
	begins      error // from Begin
	asked       []identity.AuthnRequest
	reach       identity.Reach // of a session that ended
	refuses     error          // to Tell
	told        []identity.UpstreamSession
	strangers   map[string]bool // names that nobody is known by
	exists      bool            // of a newcomer's address
	enrols      error           // from Enrol
	joins       error           // from Join
	joined      []string        // "name record proof"
}

func (u *upstream) Enrol(_ context.Context, n identity.Newcomer) (identity.Assertion, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.enrols != nil {
		return identity.Assertion{}, u.enrols
	}
	out := n.Said
	out.Principal = identity.Principal{Issuer: ourID, Subject: string(u.record["enrolled"])}
	return out, nil
}

func (u *upstream) Join(_ context.Context, _ *store.Tx, n identity.Newcomer, id identity.RecordID, proof identity.ConnectionID) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.joins == nil {
		u.joined = append(u.joined, fmt.Sprintf("%s %s %s", n.Said.Principal.Subject, id, proof))
	}
	return u.joins
}

func (u *upstream) Reach(identity.UpstreamSession) identity.Reach { return u.reach }

func (u *upstream) Tell(_ context.Context, s identity.UpstreamSession, _ identity.LogoutReason) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.told = append(u.told, s)
	return u.refuses
}

func (u *upstream) Lead(_ context.Context, s identity.UpstreamSession, _ identity.LogoutReason) (binding.Message, string, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.told = append(u.told, s)
	return binding.Message{URL: "https://" + string(s.Connection) + ".example.test/slo"}, "_up", nil
}

func (u *upstream) AnswerLogout(_ context.Context, id identity.ConnectionID, state []byte, complete bool) (binding.Message, error) {
	return binding.Message{URL: fmt.Sprintf("https://%s.example.test/answer?state=%s&complete=%t", id, state, complete)}, nil
}

func (u *upstream) Connections() []identity.Connection {
	return slices.DeleteFunc(slices.Clone(u.connections), func(c identity.Connection) bool { return c.Disabled })
}

func (u *upstream) Knows(issuer identity.EntityID) bool {
	return slices.ContainsFunc(u.connections, func(c identity.Connection) bool { return c.Issuer == issuer })
}

func (u *upstream) Route(identifier string) (identity.ConnectionID, bool) {
	for _, c := range u.connections {
		for _, d := range c.EmailDomains {
			if identity.Domain(identifier) == d {
				return c.ID, true
			}
		}
	}
	return "", false
}

func (u *upstream) Begin(_ context.Context, id identity.ConnectionID, req identity.AuthnRequest, relayState string) (binding.Message, []byte, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.begins != nil {
		return binding.Message{}, nil, u.begins
	}
	u.asked = append(u.asked, req)
	q := url.Values{"RelayState": {relayState}}
	return binding.Message{URL: "https://" + string(id) + ".example.test/sso?" + q.Encode()}, []byte("state of " + string(id)), nil
}

func (u *upstream) Finish(_ context.Context, id identity.ConnectionID, state []byte, in binding.Received) (identity.Assertion, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.fail != nil {
		return identity.Assertion{}, u.fail
	}
	if string(state) != "state of "+string(id) {
		return identity.Assertion{}, &identity.Error{Kind: identity.KindInvalid, Code: "up.in_response_to", Msg: "wrong state"}
	}
	name := in.Form.Get("SAMLResponse")
	rec, ok := u.record[name]
	if !ok && !u.strangers[name] {
		return identity.Assertion{}, &identity.Error{Kind: identity.KindInvalid, Code: "up.signature", Msg: "bad answer"}
	}
	instant, class := u.instant, u.class
	if instant.IsZero() {
		instant = time.Now().UTC()
	}
	if class == "" {
		class = identity.ClassREFEDSMFA
	}
	said := identity.Assertion{
		Principal: identity.Principal{Issuer: ourID, Subject: string(rec)},
		Context:   identity.AuthnContext{Class: class, Instant: instant, Authorities: append([]identity.EntityID{"https://idp.example.test"}, u.behind...)},
		Session:   "upstream-index",
		NotAfter:  u.notAfter,
		Proxy:     u.proxy, LogoutHint: u.hint,
	}
	if !ok {
		said.Principal = identity.Principal{Issuer: "https://idp.example.test", Subject: name}
		said.Attributes = identity.Attributes{identity.Mail: {name + "@asserted.test"}}
		return identity.Assertion{}, &identity.Newcomer{Connection: id, Said: said, Exists: u.exists}
	}
	return said, nil
}
