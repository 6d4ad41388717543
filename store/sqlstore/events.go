package sqlstore

import (
	"context"
	"database/sql"

	"github.com/samlet-id/samlet/identity"
)

// events implements store.Events.
type events struct{ c *conn }

// Append implements store.Events.
func (s events) Append(ctx context.Context, es ...identity.Event) error {
	var args []any
	for _, e := range es {
		args = append(args, micros(e.At), e.Type, e.RequestID, e.Record, e.Session, e.RelyingParty, e.Connection, e.Code, e.Detail, e.Seen, e.Expected, e.Who)
	}
	return s.c.insert(ctx, `
INSERT INTO events (at, type, request_id, record, session, relying_party, connection, code, detail, seen, expected, who)
VALUES `, 12, args)
}

// List implements store.Events.
func (s events) List(ctx context.Context, id identity.RecordID, limit int) ([]identity.Event, error) {
	var out []identity.Event
	each := appendEvent(&out)
	if id == "" {
		err := s.c.all(ctx, each, `
SELECT at, type, request_id, record, session, relying_party, connection, code, detail, seen, expected, who
FROM events ORDER BY at DESC, id DESC LIMIT $1`, max(limit, 0))
		return out, err
	}
	err := s.c.all(ctx, each, `
SELECT at, type, request_id, record, session, relying_party, connection, code, detail, seen, expected, who
FROM events WHERE record = $1 ORDER BY at DESC, id DESC LIMIT $2`, id, max(limit, 0))
	return out, err
}

// OfRequest implements store.Events.
func (s events) OfRequest(ctx context.Context, id string) ([]identity.Event, error) {
	var out []identity.Event
	err := s.c.all(ctx, appendEvent(&out), `
SELECT at, type, request_id, record, session, relying_party, connection, code, detail, seen, expected, who
FROM events WHERE request_id = $1 ORDER BY at, id`, id)
	return out, err
}

// appendEvent scans each row into one more event of out.
func appendEvent(out *[]identity.Event) func(*sql.Rows) error {
	return func(rows *sql.Rows) error {
		var e identity.Event
		err := rows.Scan(instant{&e.At}, &e.Type, &e.RequestID, &e.Record, &e.Session, &e.RelyingParty, &e.Connection, &e.Code, &e.Detail, &e.Seen, &e.Expected, &e.Who)
		if err != nil {
			return err
		}
		*out = append(*out, e)
		return nil
	}
}
