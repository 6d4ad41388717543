package sqlstore

import (
	"context"
	"time"
)

// counters implements store.Counters. Keys can hold addresses and sign-in
// names, so they are stored hashed.
type counters struct{ c *conn }

// Hit implements store.Counters.
func (s counters) Hit(ctx context.Context, key string, window time.Duration, now time.Time) (int, time.Time, error) {
	var count int
	var ends time.Time
	_, err := s.c.writeOne(ctx, []any{&count, instant{&ends}}, `
INSERT INTO counters (id, count, ends)
VALUES ($1, 1, $2)
ON CONFLICT (id) DO UPDATE SET
	count = CASE WHEN counters.ends > $3 THEN counters.count + 1 ELSE 1 END,
	ends = CASE WHEN counters.ends > $3 THEN counters.ends ELSE excluded.ends END
RETURNING count, ends`, hashed(key), micros(now.Add(window)), micros(now))
	return count, ends, err
}

// Count implements store.Counters.
func (s counters) Count(ctx context.Context, key string, now time.Time) (int, time.Time, error) {
	var count int
	var ends time.Time
	found, err := s.c.one(ctx, []any{&count, instant{&ends}}, `
SELECT count, ends FROM counters WHERE id = $1 AND ends > $2`, hashed(key), micros(now))
	if err != nil || !found {
		return 0, time.Time{}, err
	}
	return count, ends, nil
}

// Reset implements store.Counters.
func (s counters) Reset(ctx context.Context, key string) error {
	_, err := s.c.exec(ctx, `DELETE FROM counters WHERE id = $1`, hashed(key))
	return err
}
