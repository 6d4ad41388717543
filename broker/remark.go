package broker

import (
	"context"
	"fmt"

	"github.com/samlet-id/samlet/identity"
	"github.com/samlet-id/samlet/store"
)

// warn logs what a connector remarked on an answer that it accepted.
func (b *Broker) warn(ctx context.Context, id identity.ConnectionID, remarks []identity.Remark) {
	for _, r := range remarks {
		b.log.WarnContext(ctx, "remark on an answer of an upstream", "request_id", b.requestID(ctx), "connection", id, "code", r.Code, "detail", r.Detail)
	}
}

// remark writes the connector's remarks into the audit trail, as those of the sign-in
// of record.
func (l linking) remark(ctx context.Context, tx *store.Tx, record identity.Record) error {
	if len(l.said.Remarks) == 0 {
		return nil
	}
	var events []identity.Event
	for _, r := range l.said.Remarks {
		e := l.event(identity.EventRemark, record)
		e.Code, e.Detail = r.Code, r.Detail
		events = append(events, e)
	}
	if err := tx.Events.Append(ctx, events...); err != nil {
		return fmt.Errorf("recording the remarks: %w", err)
	}
	return nil
}
