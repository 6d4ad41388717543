package broker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/store"
)

// link turns an assertion about an upstream's principal into one about the
// local record, in one store.Update. A principal that is not known yet gets a
// record if the connection creates them; the record has no sign-in name, since
// the person signs in upstream. What the connection's last login brought is
// replaced, values of other origins stay. Of first logins that come at once one
// creates and the others find, since an Update is serialised with all others.
//
// The link is found by who, as upstream.subject returns it. A refusal to link, and
// that somebody is asked, is recorded, which an Update that fails would not.
func (b *Broker) link(ctx context.Context, l linking) (identity.Assertion, error) {
	fresh, err := identity.NewSubject(b.rand)
	if err != nil {
		return identity.Assertion{}, fmt.Errorf("making a record ID: %w", err)
	}
	l.fresh, l.requestID, l.now = identity.RecordID(fresh), b.requestID(ctx), b.now().UTC()
	var tell []func(context.Context) // those who took part in sessions that ended
	l.end, l.tell = b.end, &tell
	var record identity.Record
	var undone error // nobody was linked, and the Update goes through all the same
	err = b.store.Update(ctx, func(tx *store.Tx) error {
		var err error
		undone, tell = nil, nil
		record, err = l.run(ctx, tx)
		_, asked := errors.AsType[*identity.Newcomer](err)
		switch {
		case err == nil:
			return l.remark(ctx, tx, record)
		case asked && l.unknown == asConfigured:
			undone = err
			return tx.Events.Append(ctx, l.event(identity.EventLinkAsked, identity.Record{}))
		case !asked && identity.CodeOf(err) == "link.exists":
			undone = identity.AsError(err)
			return tx.Events.Append(ctx, l.refused(identity.AsError(err)))
		}
		return err
	})
	if err == nil {
		err = undone
	}
	if err != nil {
		return identity.Assertion{}, fmt.Errorf("linking a principal of connection %q: %w", l.connection.ID, err)
	}
	for _, t := range tell {
		t(ctx)
	}
	return b.local(l.said, record), nil
}

// local is said with our own record in place of the upstream's principal.
func (b *Broker) local(said identity.Assertion, record identity.Record) identity.Assertion {
	out := said
	out.Upstream = said.Principal
	out.Principal = identity.Principal{Issuer: b.entityID, Subject: string(record.ID)}
	out.Attributes = record.Attributes()
	return out
}

// linking is one run of link within a transaction. It may run again after a
// conflict, so it holds inputs alone.
type linking struct {
	connection identity.Connection
	who        identity.Principal // the link's
	said       identity.Assertion
	vouched    []string // as upstream.vouched returns them: by these a record may be found
	unknown    unknown
	exists     bool // with anew: there is a record with a vouched address

	fresh     identity.RecordID // for a record that has to be made
	requestID string
	now       time.Time
	end       func(context.Context, *store.Tx, identity.SessionID, string) (func(context.Context), error) // Config.End
	tell      *[]func(context.Context)                                                                    // what End returned
}

func (l linking) run(ctx context.Context, tx *store.Tx) (identity.Record, error) {
	link, err := tx.Links.Get(ctx, l.who.Issuer, l.who.Subject)
	if errors.Is(err, &identity.Error{Kind: identity.KindNotFound}) {
		return l.meet(ctx, tx)
	}
	if err != nil {
		return identity.Record{}, fmt.Errorf("finding the link: %w", err)
	}
	if _, _, by := link.Principal.ByAttribute(); by != (l.connection.LinkBy != "") {
		return identity.Record{}, errExists("a NameID that is spelled as the value of an attribute")
	}
	record, err := tx.Records.Get(ctx, link.Record)
	if err != nil {
		return identity.Record{}, fmt.Errorf("reading the linked record: %w", err)
	}
	if record.Disabled {
		return identity.Record{}, errDisabled(record)
	}
	if why := l.belong(record); why != nil {
		return identity.Record{}, why
	}
	if err := tx.Links.Touch(ctx, link, l.now); err != nil {
		return identity.Record{}, fmt.Errorf("touching the link: %w", err)
	}
	return l.update(ctx, tx, record)
}

// meet says what becomes of a principal that nobody is yet.
func (l linking) meet(ctx context.Context, tx *store.Tx) (identity.Record, error) {
	switch l.unknown {
	case stranger:
		return identity.Record{}, l.newcomer(false)
	case anew:
		return l.create(ctx, tx)
	case asConfigured:
	}
	if l.connection.Existing == identity.ExistingAsk {
		return l.ask(ctx, tx)
	}
	record, adopted, err := l.adopt(ctx, tx)
	if adopted || err != nil {
		return record, err
	}
	return l.create(ctx, tx)
}

// create makes record and link for a principal that nobody is yet.
func (l linking) create(ctx context.Context, tx *store.Tx) (identity.Record, error) {
	if !l.connection.Create && l.exists {
		return identity.Record{}, errUnjoined()
	}
	if !l.connection.Create {
		return identity.Record{}, &identity.Error{
			Kind: identity.KindDenied, Code: "user.not_allowed", Who: identity.WhoOperator,
			Msg:  "You are signed in at your organization, but have not yet been given access here.",
			Seen: "no record for this person", Expected: "a record, or a connection that creates them",
		}
	}
	record := identity.Record{ID: l.fresh, Organization: l.connection.Organization, Created: l.now, Updated: l.now}
	record.Reconcile(identity.Source(l.connection.ID), l.said.Attributes)
	if err := tx.Records.Create(ctx, record); err != nil {
		return identity.Record{}, fmt.Errorf("creating the record: %w", err)
	}
	if err := l.link(ctx, tx, record); err != nil {
		return identity.Record{}, err
	}
	if err := tx.Events.Append(ctx, l.event(identity.EventRecordCreated, record), l.event(identity.EventLinkCreated, record)); err != nil {
		return identity.Record{}, fmt.Errorf("recording the events: %w", err)
	}
	return record, nil
}

func (l linking) link(ctx context.Context, tx *store.Tx, record identity.Record) error {
	err := tx.Links.Create(ctx, identity.Link{
		Principal: l.who, Record: record.ID, Connection: l.connection.ID, Created: l.now, LastUsed: l.now,
	})
	if err != nil {
		return fmt.Errorf("creating the link: %w", err)
	}
	return nil
}

// update gives record the values that this login brought. It writes nothing
// when they are the ones it has.
func (l linking) update(ctx context.Context, tx *store.Tx, record identity.Record) (identity.Record, error) {
	joined := l.join(&record)
	if !record.Reconcile(identity.Source(l.connection.ID), l.lasting(record)) && !joined {
		return record, nil
	}
	record.Updated = l.now
	if err := tx.Records.Replace(ctx, record); err != nil {
		return identity.Record{}, fmt.Errorf("updating the record: %w", err)
	}
	if err := tx.Events.Append(ctx, l.event(identity.EventRecordUpdated, record)); err != nil {
		return identity.Record{}, fmt.Errorf("recording the event: %w", err)
	}
	return record, nil
}

// lasting is what was said, with what the connection says once and said before.
func (l linking) lasting(record identity.Record) identity.Attributes {
	said := l.said.Attributes
	for _, name := range l.connection.Once {
		if len(said[name]) > 0 {
			continue
		}
		for _, v := range record.Values {
			if v.Name == name && v.Source == identity.Source(l.connection.ID) {
				said = said.Clone()
				said[name] = append(said[name], v.Value)
			}
		}
	}
	return said
}

func (l linking) refused(why *identity.Error) identity.Event {
	e := l.event(identity.EventLinkRefused, identity.Record{})
	e.Code, e.Detail = why.Code, why.Seen
	return e
}

func (l linking) event(t identity.EventType, record identity.Record) identity.Event {
	return identity.Event{
		At: l.now, Type: t, RequestID: l.requestID, Record: record.ID, Connection: l.connection.ID,
		Detail: fmt.Sprintf("attributes from the connection: %d", len(l.said.Attributes)),
	}
}
