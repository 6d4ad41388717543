package login

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/store"
)

// LogoutAnswered takes the answer of a relying party to the message of that ID,
// once: why says what is wrong with it, or is nil where the relying party
// confirms that its session ended. The caller has proved who sent it. It returns
// the path of ours where the logout is watched. An answer that nobody awaits, or
// another's, is an identity.Error.
func (a *Authenticator) LogoutAnswered(ctx context.Context, message string, rp identity.RelyingPartyID, why error) (string, error) {
	return a.settleAnswer(ctx, message, why, func(p part) bool { return p.Connection == "" && p.Participant.RelyingParty == rp })
}

// UpstreamLogoutAnswered is LogoutAnswered for the upstream of a connection.
func (a *Authenticator) UpstreamLogoutAnswered(ctx context.Context, message string, id identity.ConnectionID, why error) (string, error) {
	return a.settleAnswer(ctx, message, why, func(p part) bool { return p.Connection == id })
}

// settleAnswer takes an answer of whom is reports it to be awaited.
func (a *Authenticator) settleAnswer(ctx context.Context, message string, why error, is func(part) bool) (string, error) {
	path := ""
	var p part
	err := a.cfg.Store.Update(ctx, func(tx *store.Tx) error {
		t, err := tx.Tickets.Take(ctx, store.PurposeTold, message, a.now())
		if identity.KindOf(err) == identity.KindNotFound && err != nil {
			return errUnawaited(message, err)
		}
		if err != nil {
			return fmt.Errorf("reading what an answer is to: %w", err)
		}
		var s sent
		if err := json.Unmarshal(t.Payload, &s); err != nil {
			return fmt.Errorf("decoding what an answer is to: %w", err)
		}
		path = a.progressPath(s.Walk)
		return a.change(ctx, tx, s.Walk, func(w *walk) ([]part, error) {
			if !is(w.Parts[s.At]) {
				return nil, errUnawaited(message, nil)
			}
			w.Parts[s.At].settle(why)
			p = w.Parts[s.At]
			return []part{p}, nil
		})
	})
	if err != nil {
		return "", err
	}
	a.warn(ctx, p, why)
	return path, nil
}

func errUnawaited(message string, err error) *identity.Error {
	return &identity.Error{
		Kind: identity.KindInvalid, Code: "logout.unawaited", Who: identity.WhoVendor, Err: err,
		Msg: "This answers a request to sign out that was not sent, or was answered already.", Seen: message,
	}
}
