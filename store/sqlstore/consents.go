package sqlstore

import (
	"context"
	"database/sql"

	"github.com/samlet-id/samlet/identity"
)

// consents implements store.Consents.
type consents struct{ c *conn }

// Put implements store.Consents.
func (s consents) Put(ctx context.Context, c identity.Consent) error {
	attributes, err := list(c.Attributes)
	if err != nil {
		return err
	}
	_, err = s.c.exec(ctx, `
INSERT INTO consents (record, relying_party, attributes, digest, at)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (record, relying_party) DO UPDATE SET
	attributes = excluded.attributes, digest = excluded.digest, at = excluded.at`,
		c.Record, c.RelyingParty, attributes, c.Digest, micros(c.At))
	return err
}

func consentColumns(c *identity.Consent) []any {
	return []any{&c.Record, &c.RelyingParty, items[string]{&c.Attributes}, &c.Digest, instant{&c.At}}
}

// Get implements store.Consents.
func (s consents) Get(ctx context.Context, id identity.RecordID, rp identity.RelyingPartyID) (identity.Consent, error) {
	var c identity.Consent
	found, err := s.c.one(ctx, consentColumns(&c), `
SELECT record, relying_party, attributes, digest, at
FROM consents WHERE record = $1 AND relying_party = $2`, id, rp)
	if err != nil {
		return identity.Consent{}, err
	}
	if !found {
		return identity.Consent{}, notFound("consent")
	}
	return c, nil
}

// OfRecord implements store.Consents.
func (s consents) OfRecord(ctx context.Context, id identity.RecordID) ([]identity.Consent, error) {
	var out []identity.Consent
	err := s.c.all(ctx, func(rows *sql.Rows) error {
		var c identity.Consent
		if err := rows.Scan(consentColumns(&c)...); err != nil {
			return err
		}
		out = append(out, c)
		return nil
	}, `
SELECT record, relying_party, attributes, digest, at
FROM consents WHERE record = $1 ORDER BY at, relying_party`, id)
	return out, err
}

// Delete implements store.Consents.
func (s consents) Delete(ctx context.Context, id identity.RecordID, rp identity.RelyingPartyID) error {
	_, err := s.c.exec(ctx, `DELETE FROM consents WHERE record = $1 AND relying_party = $2`, id, rp)
	return err
}
