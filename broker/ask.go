package broker

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/store"
)

// unknown says what becomes of a principal that nobody is yet.
type unknown int

const (
	asConfigured unknown = iota // the connection's rule decides
	stranger                    // they stay a newcomer, and nobody is asked for
	anew                        // they say that they have no record
)

// ask has somebody asked whether they have an account already (ExistingAsk).
//
// Where the upstream answers for the person's mail address with its name, the
// address decides: without an account that has it nobody is asked, and with one
// the person is told. Any other address was merely asserted. Whoever asserts it
// could learn of everybody whether they have an account here; so it is not looked
// up, and everybody is asked the same. No record is found by it either way: only
// the proof of an account links to it.
func (l linking) ask(ctx context.Context, tx *store.Tx) (identity.Record, error) {
	if len(l.vouched) == 0 {
		return identity.Record{}, l.newcomer(false)
	}
	found, err := l.matches(ctx, tx)
	if err != nil {
		return identity.Record{}, err
	}
	if len(found) == 0 {
		return l.create(ctx, tx)
	}
	// Whoever was kept out comes in by no other door.
	if i := slices.IndexFunc(found, func(m match) bool { return m.record.Disabled }); i >= 0 {
		return identity.Record{}, errDisabled(found[i].record)
	}
	return identity.Record{}, l.newcomer(true)
}

func (l linking) newcomer(exists bool) *identity.Newcomer {
	return &identity.Newcomer{Connection: l.connection.ID, Who: l.who, Said: l.said, Exists: exists}
}

// Enrol makes the record of a newcomer who says that they have none, and returns
// what Finish does. Who is known meanwhile is whom they are known as. A connection
// that makes no records refuses (user.not_allowed, or link.exists for somebody
// whose mail address an account has).
func (b *Broker) Enrol(ctx context.Context, n identity.Newcomer) (identity.Assertion, error) {
	u, err := b.brings(n)
	if err != nil {
		return identity.Assertion{}, err
	}
	return b.link(ctx, linking{connection: u.Connection, who: n.Who, said: n.Said, unknown: anew, exists: n.Exists})
}

// Join links a newcomer to the record id within tx. The caller answers for it that
// the person has just proved, in this very browser, that both are theirs: proof is
// the connection by which they proved the record. It fails with link.taken if the
// newcomer is somebody else meanwhile, and with user.disabled.
func (b *Broker) Join(ctx context.Context, tx *store.Tx, n identity.Newcomer, id identity.RecordID, proof identity.ConnectionID) error {
	u, err := b.brings(n)
	if err != nil {
		return err
	}
	l := linking{connection: u.Connection, who: n.Who, said: n.Said, requestID: b.requestID(ctx), now: b.now().UTC()}
	record, err := tx.Records.Get(ctx, id)
	if err != nil {
		return fmt.Errorf("reading the record to join: %w", err)
	}
	if record.Disabled {
		return errDisabled(record)
	}
	known, err := tx.Links.Get(ctx, n.Who.Issuer, n.Who.Subject)
	switch {
	case err == nil && known.Record != id:
		return errTaken(n.Connection)
	case err == nil:
		if err := tx.Links.Touch(ctx, known, l.now); err != nil {
			return fmt.Errorf("touching the link: %w", err)
		}
		_, err = l.update(ctx, tx, record)
		return err
	case !errors.Is(err, &identity.Error{Kind: identity.KindNotFound}):
		return fmt.Errorf("finding the link: %w", err)
	}
	if err := l.link(ctx, tx, record); err != nil {
		return err
	}
	e := l.event(identity.EventLinkCreated, record)
	e.Detail = fmt.Sprintf("by the person, who proved the account by %s; %s", proof, e.Detail)
	if err := tx.Events.Append(ctx, e); err != nil {
		return fmt.Errorf("recording the event: %w", err)
	}
	if _, err = l.update(ctx, tx, record); err != nil {
		return err
	}
	return l.remark(ctx, tx, record)
}

// brings finds the connection of a newcomer. It may be another than the one that
// they came by, or none, if the configuration has changed since.
func (b *Broker) brings(n identity.Newcomer) (upstream, error) {
	u, err := b.upstream(n.Connection)
	if err != nil {
		return upstream{}, err
	}
	if n.Who.Issuer != u.Issuer || n.Said.Principal.Issuer != u.Issuer {
		return upstream{}, mixedUp(string(n.Said.Principal.Issuer), string(u.Issuer))
	}
	return u, nil
}

func errTaken(id identity.ConnectionID) *identity.Error {
	return &identity.Error{
		Kind: identity.KindExists, Code: "link.taken", Who: identity.WhoUser, Seen: string(id),
		Msg: "This way of signing in belongs to another account here.", Expected: "one that belongs to nobody, or an account that has given it up",
	}
}

// errUnjoined is somebody who has an account, as their mail address says, and will
// not prove it.
func errUnjoined() *identity.Error {
	return &identity.Error{
		Kind: identity.KindDenied, Code: "link.exists", Who: identity.WhoUser, Seen: "the person did not sign in to the account with their mail address",
		Msg:      "There is an account here with your mail address. Sign in to it the way you did before, once, to join the two.",
		Expected: "the account proved, once",
	}
}
