package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/samlet-id/samlet/identity"
)

// records implements store.Records.
type records struct{ c *conn }

// sqlRecords reads the records of an ID range with everything that belongs to
// them in one round trip, one row each: a row of the result costs far more than
// what is in it. Sign-in names and values come as one text, in which every part is
// led by its length in bytes and a colon. The rows that they are made of come in
// order out of the subquery: an ORDER BY within string_agg would have SQLite sort
// what its index has in order already.
const sqlRecords = `
SELECT r.id, r.disabled, r.created, r.updated,
	COALESCE((SELECT string_agg(part, '') FROM (
		SELECT octet_length(login) || ':' || login AS part
		FROM record_logins WHERE record = r.id ORDER BY position) AS l), ''),
	COALESCE((SELECT string_agg(part, '') FROM (
		SELECT octet_length(name) || ':' || name || octet_length(value) || ':' || value || octet_length(source) || ':' || source AS part
		FROM record_values WHERE record = r.id ORDER BY position) AS v), '')
FROM records AS r WHERE r.id >= $1 AND r.id <= $2
ORDER BY r.id`

func (s records) load(ctx context.Context, from, to identity.RecordID) ([]identity.Record, error) {
	var out []identity.Record
	err := s.c.all(ctx, func(rows *sql.Rows) error {
		var r identity.Record
		var logins, values parts
		if err := rows.Scan(&r.ID, &r.Disabled, instant{&r.Created}, instant{&r.Updated}, &logins, &values); err != nil {
			return err
		}
		for logins != "" {
			login, err := logins.next()
			if err != nil {
				return err
			}
			r.Logins = append(r.Logins, login)
		}
		if values != "" {
			r.Values = make([]identity.Value, 0, len(values)/shortValue+1)
		}
		for values != "" {
			name, err1 := values.next()
			value, err2 := values.next()
			source, err3 := values.next()
			if err := errors.Join(err1, err2, err3); err != nil {
				return err
			}
			r.Values = append(r.Values, identity.Value{Name: identity.Name(name), Value: value, Source: identity.Source(source)})
		}
		out = append(out, r)
		return nil
	}, sqlRecords, from, to)
	return out, err
}

// shortValue is about the fewest bytes that name, value and source of a value take.
const shortValue = 32

// parts is texts in one, each led by its length in bytes and a colon.
type parts string

// next cuts off the first.
func (p *parts) next() (string, error) {
	digits, rest, _ := strings.Cut(string(*p), ":")
	n, err := strconv.Atoi(digits)
	if err != nil || n < 0 || n > len(rest) {
		return "", errors.New("the database returned a list whose lengths do not add up")
	}
	*p = parts(rest[n:])
	return rest[:n], nil
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

// ByMail implements store.Records. What the database takes for the same address
// in another case is more than LoginKey does, and differs between databases, so
// that it only finds candidates. The name is no parameter, or the index of mail
// addresses would not be used.
func (s records) ByMail(ctx context.Context, key string) ([]identity.Record, error) {
	var ids []identity.RecordID
	err := s.c.all(ctx, func(rows *sql.Rows) error {
		var id identity.RecordID
		var value string
		if err := rows.Scan(&id, &value); err != nil {
			return err
		}
		if folded, ok := identity.LoginKey(value); ok && folded == key && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
		return nil
	}, `
SELECT record, value FROM record_values
WHERE name = 'mail' AND lower(value) = lower($1) ORDER BY record, position`, key)
	if err != nil {
		return nil, err
	}
	var out []identity.Record
	for _, id := range ids {
		r, err := s.Get(ctx, id)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
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
