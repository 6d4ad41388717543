package brokertest

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/samlet-id/samlet/binding"
	"github.com/samlet-id/samlet/broker"
	"github.com/samlet-id/samlet/identity"
)

// Peer is an upstream that the suite can make answer in every way. What it
// answers with is made by software that is not ours.
type Peer interface {
	// Open returns a new connector to the upstream that answers.
	Open(t testing.TB) broker.Connector
	// OpenOther returns a new connector to a second upstream, with other keys.
	OpenOther(t testing.TB) broker.Connector
	// Answer returns what the browser carries back when asked, the message of
	// Begin, was answered in the way of c. It reports false for a case that it
	// does not know, which fails the suite.
	Answer(t testing.TB, c Case, asked binding.Message) (in binding.Received, ok bool)
	// Says returns what the good answer says, as Finish is to return it.
	Says() identity.Assertion
}

// relayState is what every question of the suite carries.
const relayState = "a-ticket"

// Run asserts that of the answers of p only the good one yields an assertion,
// and that each other is refused with exactly its Kind and Code.
func Run(t *testing.T, p Peer) { run(t, p, refusals()) }

// RunOpenID is Run for an OpenID Provider.
func RunOpenID(t *testing.T, p Peer) { run(t, p, openIDRefusals()) }

// RunOAuth is Run for a vendor that has OAuth 2.0 and no ID token.
func RunOAuth(t *testing.T, p Peer) { run(t, p, oauthRefusals()) }

func run(t *testing.T, p Peer, refusals []refusal) {
	t.Run("good", func(t *testing.T) { good(t, p) })
	for _, r := range refusals {
		t.Run(string(r.Case), func(t *testing.T) { refused(t, p, r) })
	}
	t.Run("replayed", func(t *testing.T) { replayed(t, p) })
	t.Run("replayed by many at once", func(t *testing.T) { raced(t, p) })
	t.Run("state of another IdP's request", func(t *testing.T) { mixedUp(t, p) })
	t.Run("no state", func(t *testing.T) { stateless(t, p) })
	t.Run("cancelled context", func(t *testing.T) { cancelled(t, p) })
}

// ask begins a login at c and lets p answer it.
func ask(t *testing.T, p Peer, c broker.Connector, how Case) (state []byte, in binding.Received) {
	t.Helper()
	asked, state, err := c.Begin(t.Context(), identity.AuthnRequest{}, relayState)
	if err != nil {
		t.Fatalf("Begin: %v", err)
	}
	in, ok := p.Answer(t, how, asked)
	if !ok {
		t.Fatalf("the peer does not know the case %q", how)
	}
	return state, in
}

func good(t *testing.T, p Peer) {
	c := p.Open(t)
	state, in := ask(t, p, c, Good)
	got, err := c.Finish(t.Context(), state, in)
	if err != nil {
		t.Fatalf("Finish: %v", err)
	}
	got.LogoutHint = "" // the message itself, which is another each time
	if diff := cmp.Diff(p.Says(), got); diff != "" {
		t.Errorf("the assertion differs (-want +got):\n%s", diff)
	}
	if got.Principal.Issuer != c.Issuer() {
		t.Errorf("Issuer is %q and the assertion's %q", c.Issuer(), got.Principal.Issuer)
	}
}

func refused(t *testing.T, p Peer, r refusal) {
	c := p.Open(t)
	state, in := ask(t, p, c, r.Case)
	got, err := c.Finish(t.Context(), state, in)
	wantRefusal(t, got, err, r.Kind, r.Code)
}

// wantRefusal fails the test unless err is the refusal that was expected, says
// who can put it right, and nothing was let through with it.
func wantRefusal(t *testing.T, got identity.Assertion, err error, kind identity.Kind, code identity.Code) {
	t.Helper()
	if err == nil {
		t.Fatalf("accepted %+v, want refusal %s", got.Principal, code)
	}
	if diff := cmp.Diff(identity.Assertion{}, got); diff != "" {
		t.Errorf("an assertion came with the refusal (-want +got):\n%s", diff)
	}
	e := identity.AsError(err)
	if e.Kind != kind || e.Code != code {
		t.Fatalf("got %v %s, want %v %s: %v", e.Kind, e.Code, kind, code, err)
	}
	if e.Who == "" || e.Msg == "" || e.Seen == "" && e.Expected == "" {
		t.Errorf("the error does not help: %+v", e)
	}
}

// replayed presents one good answer twice, to two connectors, as two nodes
// would be that share a store.
func replayed(t *testing.T, p Peer) {
	c := p.Open(t)
	state, in := ask(t, p, c, Good)
	if _, err := c.Finish(t.Context(), state, in); err != nil {
		t.Fatalf("the first time: %v", err)
	}
	got, err := c.Finish(t.Context(), state, in)
	wantRefusal(t, got, err, identity.KindReplayed, "up.replay")
}

// raced presents one good answer many times at once: exactly one counts.
func raced(t *testing.T, p Peer) {
	const callers = 16
	c := p.Open(t)
	state, in := ask(t, p, c, Good)
	errs := make([]error, callers)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() { _, errs[i] = c.Finish(t.Context(), state, in) })
	}
	wg.Wait()
	accepted := 0
	for _, err := range errs {
		switch {
		case err == nil:
			accepted++
		case !errors.Is(err, &identity.Error{Kind: identity.KindReplayed}):
			t.Errorf("got %v, want KindReplayed", err)
		}
	}
	if accepted != 1 {
		t.Errorf("accepted %d times, want once", accepted)
	}
}

// mixedUp finishes an honest login at the connector of the other upstream.
func mixedUp(t *testing.T, p Peer) {
	state, in := ask(t, p, p.Open(t), Good)
	got, err := p.OpenOther(t).Finish(t.Context(), state, in)
	wantRefusal(t, got, err, identity.KindInvalid, "up.mix_up")
}

// stateless presents a good answer in a browser that asked nothing.
func stateless(t *testing.T, p Peer) {
	c := p.Open(t)
	_, in := ask(t, p, c, Good)
	for _, state := range [][]byte{nil, []byte("{}"), []byte("\x00")} {
		got, err := c.Finish(t.Context(), state, in)
		wantRefusal(t, got, err, identity.KindInvalid, "up.unsolicited")
	}
}

// cancelled asks and answers on behalf of a browser that has gone.
func cancelled(t *testing.T, p Peer) {
	c := p.Open(t)
	state, in := ask(t, p, c, Good)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := c.Begin(gone, identity.AuthnRequest{}, relayState); !errors.Is(err, context.Canceled) {
		t.Errorf("Begin: got %v, want context.Canceled", err)
	}
	if _, err := c.Finish(gone, state, in); !errors.Is(err, context.Canceled) {
		t.Errorf("Finish: got %v, want context.Canceled", err)
	}
	if _, err := c.Finish(t.Context(), state, in); err != nil {
		t.Errorf("the answer was used up by a browser that had gone: %v", err)
	}
}
