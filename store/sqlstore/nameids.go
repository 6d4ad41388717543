package sqlstore

import (
	"context"
	"database/sql"

	"github.com/samlet-id/samlet/identity"
)

// nameIDs implements store.NameIDs.
type nameIDs struct{ c *conn }

// Create implements store.NameIDs.
func (s nameIDs) Create(ctx context.Context, n identity.NameID) error {
	p := n.Principal
	rows, err := s.c.exec(ctx, `
INSERT INTO name_ids (record, issuer, sp_name_qualifier, format, subject, name_qualifier, created)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT DO NOTHING`,
		n.Record, p.Issuer, p.SPNameQualifier, p.Format, p.Subject, p.NameQualifier, micros(n.Created))
	if err != nil {
		return err
	}
	if rows == 0 {
		return exists("name identifier")
	}
	return nil
}

func nameIDColumns(n *identity.NameID) []any {
	p := &n.Principal
	return []any{&n.Record, &p.Issuer, &p.SPNameQualifier, &p.Format, &p.Subject, &p.NameQualifier, instant{&n.Created}}
}

// Get implements store.NameIDs.
func (s nameIDs) Get(ctx context.Context, id identity.RecordID, p identity.Principal) (identity.NameID, error) {
	var n identity.NameID
	found, err := s.c.one(ctx, nameIDColumns(&n), `
SELECT record, issuer, sp_name_qualifier, format, subject, name_qualifier, created
FROM name_ids WHERE record = $1 AND issuer = $2 AND sp_name_qualifier = $3 AND format = $4`,
		id, p.Issuer, p.SPNameQualifier, p.Format)
	if err != nil {
		return identity.NameID{}, err
	}
	if !found {
		return identity.NameID{}, notFound("name identifier")
	}
	return n, nil
}

// BySubject implements store.NameIDs.
func (s nameIDs) BySubject(ctx context.Context, p identity.Principal) (identity.NameID, error) {
	var n identity.NameID
	found, err := s.c.one(ctx, nameIDColumns(&n), `
SELECT record, issuer, sp_name_qualifier, format, subject, name_qualifier, created
FROM name_ids WHERE subject = $1 AND sp_name_qualifier = $2 AND issuer = $3 AND format = $4`,
		p.Subject, p.SPNameQualifier, p.Issuer, p.Format)
	if err != nil {
		return identity.NameID{}, err
	}
	if !found {
		return identity.NameID{}, notFound("name identifier")
	}
	return n, nil
}

// OfRecord implements store.NameIDs.
func (s nameIDs) OfRecord(ctx context.Context, id identity.RecordID) ([]identity.NameID, error) {
	var out []identity.NameID
	err := s.c.all(ctx, func(rows *sql.Rows) error {
		var n identity.NameID
		if err := rows.Scan(nameIDColumns(&n)...); err != nil {
			return err
		}
		out = append(out, n)
		return nil
	}, `
SELECT record, issuer, sp_name_qualifier, format, subject, name_qualifier, created
FROM name_ids WHERE record = $1 ORDER BY created DESC, issuer, sp_name_qualifier, format`, id)
	return out, err
}
