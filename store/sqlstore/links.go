package sqlstore

import (
	"context"
	"database/sql"
	"time"

	"github.com/samlet-id/samlet/identity"
)

// links implements store.Links.
type links struct{ c *conn }

// Create implements store.Links.
func (s links) Create(ctx context.Context, l identity.Link) error {
	p := l.Principal
	n, err := s.c.exec(ctx, `
INSERT INTO links (issuer, subject, format, name_qualifier, sp_name_qualifier, record, connection, created, last_used)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT DO NOTHING`,
		p.Issuer, p.Subject, p.Format, p.NameQualifier, p.SPNameQualifier, l.Record, l.Connection, micros(l.Created), micros(l.LastUsed))
	if err != nil {
		return err
	}
	if n == 0 {
		return exists("link")
	}
	return nil
}

func linkColumns(l *identity.Link) []any {
	p := &l.Principal
	return []any{&p.Issuer, &p.Subject, &p.Format, &p.NameQualifier, &p.SPNameQualifier,
		&l.Record, &l.Connection, instant{&l.Created}, instant{&l.LastUsed}}
}

// Get implements store.Links.
func (s links) Get(ctx context.Context, issuer identity.EntityID, subject string) (identity.Link, error) {
	var l identity.Link
	found, err := s.c.one(ctx, linkColumns(&l), `
SELECT issuer, subject, format, name_qualifier, sp_name_qualifier, record, connection, created, last_used
FROM links WHERE issuer = $1 AND subject = $2`, issuer, subject)
	if err != nil {
		return identity.Link{}, err
	}
	if !found {
		return identity.Link{}, notFound("link")
	}
	return l, nil
}

// Touch implements store.Links.
func (s links) Touch(ctx context.Context, l identity.Link, at time.Time) error {
	n, err := s.c.exec(ctx, `UPDATE links SET last_used = $1 WHERE issuer = $2 AND subject = $3`,
		micros(at), l.Principal.Issuer, l.Principal.Subject)
	if err != nil {
		return err
	}
	if n == 0 {
		return notFound("link")
	}
	return nil
}

// Delete implements store.Links.
func (s links) Delete(ctx context.Context, issuer identity.EntityID, subject string) error {
	_, err := s.c.exec(ctx, `DELETE FROM links WHERE issuer = $1 AND subject = $2`, issuer, subject)
	return err
}

// OfRecord implements store.Links.
func (s links) OfRecord(ctx context.Context, id identity.RecordID) ([]identity.Link, error) {
	var out []identity.Link
	err := s.c.all(ctx, func(rows *sql.Rows) error {
		var l identity.Link
		if err := rows.Scan(linkColumns(&l)...); err != nil {
			return err
		}
		out = append(out, l)
		return nil
	}, `
SELECT issuer, subject, format, name_qualifier, sp_name_qualifier, record, connection, created, last_used
FROM links WHERE record = $1 ORDER BY created, issuer, subject`, id)
	return out, err
}
