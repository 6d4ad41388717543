package broker

import (
	"context"

	"github.com/samlet-id/samlet/binding"
	"github.com/samlet-id/samlet/identity"
)

// SignsOut is a Connector whose upstream can be told of a logout, and tells us of
// its own. A connector without it is one whose upstream never hears of any.
type SignsOut interface {
	// Reach says how the upstream can be told that a session which came from it
	// has ended.
	Reach() identity.Reach
	// Tell tells it directly, and returns nil once it has confirmed. It gives up
	// when ctx ends.
	Tell(ctx context.Context, s identity.UpstreamSession, why identity.LogoutReason) error
	// Lead returns the message that tells it through the browser, and the ID that
	// its answer will name.
	Lead(ctx context.Context, s identity.UpstreamSession, why identity.LogoutReason) (msg binding.Message, id string, err error)
	// AnswerLogout returns the message that answers the request of which state
	// was kept.
	AnswerLogout(ctx context.Context, state []byte, complete bool) (binding.Message, error)
}

// Reach says how the upstream of s can be told that its session ended here. One
// that is switched off is told all the same: people may still be signed in there.
func (b *Broker) Reach(s identity.UpstreamSession) identity.Reach {
	out, err := b.signsOut(s.Connection)
	if err != nil {
		return identity.Reach{}
	}
	return out.Reach()
}

// Tell tells the upstream of s directly. Every end but its confirmation is an
// error.
func (b *Broker) Tell(ctx context.Context, s identity.UpstreamSession, why identity.LogoutReason) error {
	out, err := b.signsOut(s.Connection)
	if err != nil {
		return err
	}
	return out.Tell(ctx, s, why)
}

// Lead returns the message by which the browser tells the upstream of s, and the
// ID that the answer will name.
func (b *Broker) Lead(ctx context.Context, s identity.UpstreamSession, why identity.LogoutReason) (binding.Message, string, error) {
	out, err := b.signsOut(s.Connection)
	if err != nil {
		return binding.Message{}, "", err
	}
	return out.Lead(ctx, s, why)
}

// AnswerLogout returns the message that answers the upstream of connection id.
func (b *Broker) AnswerLogout(ctx context.Context, id identity.ConnectionID, state []byte, complete bool) (binding.Message, error) {
	out, err := b.signsOut(id)
	if err != nil {
		return binding.Message{}, err
	}
	return out.AnswerLogout(ctx, state, complete)
}

// signsOut finds who speaks of logouts for a connection.
func (b *Broker) signsOut(id identity.ConnectionID) (SignsOut, error) {
	if i, ok := b.byID[id]; ok && b.upstreams[i].out != nil {
		return b.upstreams[i].out, nil
	}
	return nil, &identity.Error{
		Kind: identity.KindUnavailable, Code: "up.no_slo", Who: identity.WhoPartner, Seen: string(id),
		Msg: "The identity provider has no single logout.",
	}
}
