package sqlstore

import (
	"context"
	"time"

	"github.com/samlet-id/samlet/store"
)

// tickets implements store.Tickets.
type tickets struct{ c *conn }

// Put implements store.Tickets. A ticket that is over gives way to the new one,
// whose version goes on from it, so that whoever still holds the old one cannot
// replace the new one.
func (s tickets) Put(ctx context.Context, t store.Ticket, now time.Time) error {
	n, err := s.c.exec(ctx, `
INSERT INTO tickets (purpose, id, payload, version, expires)
VALUES ($1, $2, $3, 1, $4)
ON CONFLICT (purpose, id) DO UPDATE SET
	payload = excluded.payload, version = tickets.version + 1, expires = excluded.expires
WHERE tickets.expires <= $5`, t.Purpose, hashed(t.ID), octets(t.Payload), micros(t.Expires), micros(now))
	if err != nil {
		return err
	}
	if n == 0 {
		return exists("ticket")
	}
	return nil
}

// Get implements store.Tickets.
func (s tickets) Get(ctx context.Context, p store.Purpose, id string, now time.Time) (store.Ticket, error) {
	t := store.Ticket{Purpose: p, ID: id}
	found, err := s.c.one(ctx, []any{&t.Payload, &t.Version, instant{&t.Expires}}, `
SELECT payload, version, expires
FROM tickets WHERE purpose = $1 AND id = $2 AND expires > $3`, p, hashed(id), micros(now))
	if err != nil {
		return store.Ticket{}, err
	}
	if !found {
		return store.Ticket{}, notFound("ticket")
	}
	return t, nil
}

// Replace implements store.Tickets.
func (s tickets) Replace(ctx context.Context, old store.Ticket, payload []byte, now time.Time) error {
	n, err := s.c.exec(ctx, `
UPDATE tickets SET payload = $1, version = version + 1
WHERE purpose = $2 AND id = $3 AND version = $4 AND expires > $5`,
		octets(payload), old.Purpose, hashed(old.ID), old.Version, micros(now))
	if err != nil || n == 1 {
		return err
	}
	if _, err := s.Get(ctx, old.Purpose, old.ID, now); err != nil {
		return err
	}
	return changed("ticket")
}

// Take implements store.Tickets. A ticket that is over stays for Sweep.
func (s tickets) Take(ctx context.Context, p store.Purpose, id string, now time.Time) (store.Ticket, error) {
	t := store.Ticket{Purpose: p, ID: id}
	found, err := s.c.writeOne(ctx, []any{&t.Payload, &t.Version, instant{&t.Expires}}, `
DELETE FROM tickets WHERE purpose = $1 AND id = $2 AND expires > $3
RETURNING payload, version, expires`, p, hashed(id), micros(now))
	if err != nil {
		return store.Ticket{}, err
	}
	if !found {
		return store.Ticket{}, notFound("ticket")
	}
	return t, nil
}

// octets keeps nil from becoming NULL.
func octets(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}
