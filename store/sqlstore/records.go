package sqlstore

import (
	"context"
	"database/sql"
	"slices"

	"github.com/samlet-id/samlet/identity"
)

// records implements store.Records.
type records struct{ c *conn }

// What a row of sqlRecords describes.
const (
	partRecord = iota
	partLogin
	partValue
)

// sqlRecords reads the records of an ID range with everything that belongs to
// them in one round trip: per record one row of part 0, then its sign-in names,
// then its values.
const sqlRecords = `
SELECT id AS record, 0 AS part, 0 AS position, '' AS name, '' AS value, '' AS source, disabled, created, updated
FROM records WHERE id >= $1 AND id <= $2
UNION ALL
SELECT record, 1, position, '', login, '', FALSE, 0, 0
FROM record_logins WHERE record >= $1 AND record <= $2
UNION ALL
SELECT record, 2, position, name, value, source, FALSE, 0, 0
FROM record_values WHERE record >= $1 AND record <= $2
ORDER BY record, part, position`

func (s records) load(ctx context.Context, from, to identity.RecordID) ([]identity.Record, error) {
	var out []identity.Record
	// Every row fills all of these anew, and what is kept of them is copied.
	var r identity.Record
	var v identity.Value
	var part, position int
	columns := []any{&r.ID, &part, &position, &v.Name, &v.Value, &v.Source, &r.Disabled, instant{&r.Created}, instant{&r.Updated}}
	err := s.c.all(ctx, func(rows *sql.Rows) error {
		if err := rows.Scan(columns...); err != nil {
			return err
		}
		switch part {
		case partRecord:
			out = append(out, r)
		case partLogin:
			last := &out[len(out)-1]
			last.Logins = append(last.Logins, v.Value)
		case partValue:
			last := &out[len(out)-1]
			last.Values = append(last.Values, v)
		}
		return nil
	}, sqlRecords, from, to)
	return out, err
}

// Create implements store.Records.
func (s records) Create(ctx context.Context, r identity.Record) error {
	if err := s.free(ctx, r); err != nil {
		return err
	}
	n, err := s.c.exec(ctx, `
INSERT INTO records (id, disabled, created, updated)
VALUES ($1, $2, $3, $4)
ON CONFLICT DO NOTHING`, r.ID, r.Disabled, micros(r.Created), micros(r.Updated))
	if err != nil {
		return err
	}
	if n == 0 {
		return exists("record")
	}
	if err := s.insertLogins(ctx, r); err != nil {
		return err
	}
	return s.insertValues(ctx, r)
}

// free reports KindExists if one of r's sign-in names belongs to another
// record, or appears twice.
func (s records) free(ctx context.Context, r identity.Record) error {
	for i, login := range r.Logins {
		if slices.Contains(r.Logins[:i], login) {
			return exists("sign-in name")
		}
		var owner identity.RecordID
		found, err := s.c.one(ctx, []any{&owner}, `SELECT record FROM record_logins WHERE login = $1`, login)
		if err != nil {
			return err
		}
		if found && owner != r.ID {
			return exists("sign-in name")
		}
	}
	return nil
}

func (s records) insertLogins(ctx context.Context, r identity.Record) error {
	var args []any
	for i, login := range r.Logins {
		args = append(args, login, r.ID, i)
	}
	return s.c.insert(ctx, `INSERT INTO record_logins (login, record, position) VALUES `, 3, args)
}

func (s records) insertValues(ctx context.Context, r identity.Record) error {
	var args []any
	for i, v := range r.Values {
		args = append(args, r.ID, i, v.Name, v.Value, v.Source)
	}
	return s.c.insert(ctx, `INSERT INTO record_values (record, position, name, value, source) VALUES `, 5, args)
}

// Get implements store.Records.
func (s records) Get(ctx context.Context, id identity.RecordID) (identity.Record, error) {
	found, err := s.load(ctx, id, id)
	if err != nil {
		return identity.Record{}, err
	}
	if len(found) == 0 {
		return identity.Record{}, notFound("record")
	}
	return found[0], nil
}

// ByLogin implements store.Records.
func (s records) ByLogin(ctx context.Context, login string) (identity.Record, error) {
	var id identity.RecordID
	found, err := s.c.one(ctx, []any{&id}, `SELECT record FROM record_logins WHERE login = $1`, login)
	if err != nil {
		return identity.Record{}, err
	}
	if !found {
		return identity.Record{}, notFound("sign-in name")
	}
	return s.Get(ctx, id)
}

// Replace implements store.Records. Each of the three tables is written only if
// it would change.
func (s records) Replace(ctx context.Context, r identity.Record) error {
	old, err := s.Get(ctx, r.ID)
	if err != nil {
		return err
	}
	if !slices.Equal(old.Logins, r.Logins) {
		if err := s.free(ctx, r); err != nil {
			return err
		}
		if _, err := s.c.exec(ctx, `DELETE FROM record_logins WHERE record = $1`, r.ID); err != nil {
			return err
		}
		if err := s.insertLogins(ctx, r); err != nil {
			return err
		}
	}
	if !slices.Equal(old.Values, r.Values) {
		if _, err := s.c.exec(ctx, `DELETE FROM record_values WHERE record = $1`, r.ID); err != nil {
			return err
		}
		if err := s.insertValues(ctx, r); err != nil {
			return err
		}
	}
	if old.Disabled == r.Disabled && micros(old.Created) == micros(r.Created) && micros(old.Updated) == micros(r.Updated) {
		return nil
	}
	_, err = s.c.exec(ctx, `UPDATE records SET disabled = $1, created = $2, updated = $3 WHERE id = $4`,
		r.Disabled, micros(r.Created), micros(r.Updated), r.ID)
	return err
}

// List implements store.Records.
func (s records) List(ctx context.Context, after identity.RecordID, limit int) ([]identity.Record, error) {
	var first, last identity.RecordID
	var n int
	found, err := s.c.one(ctx, []any{&n, &first, &last}, `
SELECT COUNT(id), COALESCE(MIN(id), ''), COALESCE(MAX(id), '')
FROM (SELECT id FROM records WHERE id > $1 ORDER BY id LIMIT $2) AS page`, after, max(limit, 0))
	if err != nil || !found || n == 0 {
		return nil, err
	}
	return s.load(ctx, first, last)
}
