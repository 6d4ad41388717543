package sqlstore

import (
	"context"
	"database/sql"

	"github.com/samlet-id/samlet/identity"
)

// credentials implements store.Credentials.
type credentials struct{ c *conn }

// Put implements store.Credentials.
func (s credentials) Put(ctx context.Context, c identity.Credential) error {
	_, err := s.c.exec(ctx, `
INSERT INTO credentials (id, record, kind, secret, created, updated)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (id) DO UPDATE SET
	record = excluded.record, kind = excluded.kind, secret = excluded.secret,
	created = excluded.created, updated = excluded.updated`,
		c.ID, c.Record, c.Kind, c.Secret.Reveal(), micros(c.Created), micros(c.Updated))
	return err
}

// OfRecord implements store.Credentials.
func (s credentials) OfRecord(ctx context.Context, id identity.RecordID, kind identity.CredentialKind) ([]identity.Credential, error) {
	var out []identity.Credential
	err := s.c.all(ctx, func(rows *sql.Rows) error {
		var c identity.Credential
		var secret string
		if err := rows.Scan(&c.ID, &c.Record, &c.Kind, &secret, instant{&c.Created}, instant{&c.Updated}); err != nil {
			return err
		}
		c.Secret = identity.NewSecret(secret)
		out = append(out, c)
		return nil
	}, `
SELECT id, record, kind, secret, created, updated
FROM credentials WHERE record = $1 AND kind = $2 ORDER BY created, id`, id, kind)
	return out, err
}

// Delete implements store.Credentials.
func (s credentials) Delete(ctx context.Context, id string) error {
	_, err := s.c.exec(ctx, `DELETE FROM credentials WHERE id = $1`, id)
	return err
}
