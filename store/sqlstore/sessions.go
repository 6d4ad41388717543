package sqlstore

import (
	"context"
	"database/sql"
	"time"

	"github.com/samlet-id/samlet/identity"
)

// sessions implements store.Sessions.
type sessions struct{ c *conn }

// Create implements store.Sessions.
func (s sessions) Create(ctx context.Context, token string, v identity.Session) error {
	also, err := list(v.Context.Also)
	if err != nil {
		return err
	}
	methods, err := list(v.Context.Methods)
	if err != nil {
		return err
	}
	authorities, err := list(v.Context.Authorities)
	if err != nil {
		return err
	}
	audiences, err := list(v.Proxy.Audiences)
	if err != nil {
		return err
	}
	up := v.Upstream
	n, err := s.c.exec(ctx, `
INSERT INTO sessions (token, id, record, class, also, methods, aal, instant, authorities, connection,
	upstream_issuer, upstream_subject, upstream_format, upstream_name_qualifier, upstream_sp_name_qualifier,
	upstream_index, created, not_after, proxy_count, proxy_audiences)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)
ON CONFLICT DO NOTHING`,
		hashed(token), v.ID, v.Record, v.Context.Class, also, methods, int64(v.Context.AAL), micros(v.Context.Instant), authorities, v.Connection,
		up.Issuer, up.Subject, up.Format, up.NameQualifier, up.SPNameQualifier,
		v.UpstreamIx, micros(v.Created), micros(v.NotAfter), v.Proxy.Count, audiences)
	if err != nil {
		return err
	}
	if n == 0 {
		return exists("session")
	}
	return nil
}

func sessionColumns(v *identity.Session) []any {
	up := &v.Upstream
	return []any{&v.ID, &v.Record, &v.Context.Class, items[identity.ClassRef]{&v.Context.Also}, items[identity.Method]{&v.Context.Methods}, &v.Context.AAL,
		instant{&v.Context.Instant}, items[identity.EntityID]{&v.Context.Authorities}, &v.Connection,
		&up.Issuer, &up.Subject, &up.Format, &up.NameQualifier, &up.SPNameQualifier,
		&v.UpstreamIx, instant{&v.Created}, instant{&v.NotAfter}, &v.Proxy.Count, items[identity.EntityID]{&v.Proxy.Audiences}}
}

// Get implements store.Sessions.
func (s sessions) Get(ctx context.Context, token string, now time.Time) (identity.Session, error) {
	var v identity.Session
	found, err := s.c.one(ctx, sessionColumns(&v), `
SELECT id, record, class, also, methods, aal, instant, authorities, connection,
	upstream_issuer, upstream_subject, upstream_format, upstream_name_qualifier, upstream_sp_name_qualifier,
	upstream_index, created, not_after, proxy_count, proxy_audiences
FROM sessions WHERE token = $1 AND not_after > $2`, hashed(token), micros(now))
	if err != nil {
		return identity.Session{}, err
	}
	if !found {
		return identity.Session{}, notFound("session")
	}
	return v, nil
}

// ByID implements store.Sessions.
func (s sessions) ByID(ctx context.Context, id identity.SessionID) (identity.Session, error) {
	var v identity.Session
	found, err := s.c.one(ctx, sessionColumns(&v), `
SELECT id, record, class, also, methods, aal, instant, authorities, connection,
	upstream_issuer, upstream_subject, upstream_format, upstream_name_qualifier, upstream_sp_name_qualifier,
	upstream_index, created, not_after, proxy_count, proxy_audiences
FROM sessions WHERE id = $1`, id)
	if err != nil {
		return identity.Session{}, err
	}
	if !found {
		return identity.Session{}, notFound("session")
	}
	return v, nil
}

// List implements store.Sessions.
func (s sessions) List(ctx context.Context, after identity.SessionID, limit int) ([]identity.Session, error) {
	var out []identity.Session
	err := s.c.all(ctx, appendSession(&out), `
SELECT id, record, class, also, methods, aal, instant, authorities, connection,
	upstream_issuer, upstream_subject, upstream_format, upstream_name_qualifier, upstream_sp_name_qualifier,
	upstream_index, created, not_after, proxy_count, proxy_audiences
FROM sessions WHERE id > $1 ORDER BY id LIMIT $2`, after, int64(limit))
	return out, err
}

// appendSession scans each row into one more session of out.
func appendSession(out *[]identity.Session) func(*sql.Rows) error {
	return func(rows *sql.Rows) error {
		var v identity.Session
		if err := rows.Scan(sessionColumns(&v)...); err != nil {
			return err
		}
		*out = append(*out, v)
		return nil
	}
}

// Delete implements store.Sessions.
func (s sessions) Delete(ctx context.Context, id identity.SessionID) error {
	_, err := s.c.exec(ctx, `DELETE FROM sessions WHERE id = $1`, id)
	return err
}

// Join implements store.Sessions.
func (s sessions) Join(ctx context.Context, v identity.Participant) error {
	p := v.Principal
	_, err := s.c.exec(ctx, `
INSERT INTO participants (session, relying_party, audience, issuer, subject, format, name_qualifier, sp_name_qualifier, session_index, at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (session, relying_party) DO UPDATE SET
	audience = excluded.audience, issuer = excluded.issuer, subject = excluded.subject, format = excluded.format,
	name_qualifier = excluded.name_qualifier, sp_name_qualifier = excluded.sp_name_qualifier,
	session_index = excluded.session_index, at = excluded.at`,
		v.Session, v.RelyingParty, v.Audience, p.Issuer, p.Subject, p.Format, p.NameQualifier, p.SPNameQualifier, v.Index, micros(v.At))
	return err
}

// Participants implements store.Sessions.
func (s sessions) Participants(ctx context.Context, id identity.SessionID) ([]identity.Participant, error) {
	var out []identity.Participant
	err := s.c.all(ctx, appendParticipant(&out), `
SELECT session, relying_party, audience, issuer, subject, format, name_qualifier, sp_name_qualifier, session_index, at
FROM participants WHERE session = $1 ORDER BY at, relying_party`, id)
	return out, err
}

// Known implements store.Sessions.
func (s sessions) Known(ctx context.Context, rp identity.RelyingPartyID, subject string) ([]identity.Participant, error) {
	var out []identity.Participant
	err := s.c.all(ctx, appendParticipant(&out), `
SELECT session, relying_party, audience, issuer, subject, format, name_qualifier, sp_name_qualifier, session_index, at
FROM participants WHERE subject = $1 AND relying_party = $2 ORDER BY at, session`, subject, rp)
	return out, err
}

// appendParticipant scans each row into one more participant of out.
func appendParticipant(out *[]identity.Participant) func(*sql.Rows) error {
	return func(rows *sql.Rows) error {
		var v identity.Participant
		p := &v.Principal
		err := rows.Scan(&v.Session, &v.RelyingParty, &v.Audience, &p.Issuer, &p.Subject, &p.Format,
			&p.NameQualifier, &p.SPNameQualifier, &v.Index, instant{&v.At})
		if err != nil {
			return err
		}
		*out = append(*out, v)
		return nil
	}
}

// OfRecord implements store.Sessions.
func (s sessions) OfRecord(ctx context.Context, id identity.RecordID) ([]identity.Session, error) {
	var out []identity.Session
	err := s.c.all(ctx, appendSession(&out), `
SELECT id, record, class, also, methods, aal, instant, authorities, connection,
	upstream_issuer, upstream_subject, upstream_format, upstream_name_qualifier, upstream_sp_name_qualifier,
	upstream_index, created, not_after, proxy_count, proxy_audiences
FROM sessions WHERE record = $1 ORDER BY created DESC, id DESC`, id)
	return out, err
}

// FromUpstream implements store.Sessions.
func (s sessions) FromUpstream(ctx context.Context, issuer identity.EntityID, subject string) ([]identity.Session, error) {
	var out []identity.Session
	err := s.c.all(ctx, appendSession(&out), `
SELECT id, record, class, also, methods, aal, instant, authorities, connection,
	upstream_issuer, upstream_subject, upstream_format, upstream_name_qualifier, upstream_sp_name_qualifier,
	upstream_index, created, not_after, proxy_count, proxy_audiences
FROM sessions WHERE upstream_subject = $1 AND upstream_issuer = $2 ORDER BY id`, subject, issuer)
	return out, err
}

// UpstreamIndex implements store.Sessions.
func (s sessions) UpstreamIndex(ctx context.Context, issuer identity.EntityID, index identity.SessionID) ([]identity.Session, error) {
	var out []identity.Session
	err := s.c.all(ctx, appendSession(&out), `
SELECT id, record, class, also, methods, aal, instant, authorities, connection,
	upstream_issuer, upstream_subject, upstream_format, upstream_name_qualifier, upstream_sp_name_qualifier,
	upstream_index, created, not_after, proxy_count, proxy_audiences
FROM sessions WHERE upstream_index = $1 AND upstream_index <> '' AND upstream_issuer = $2 ORDER BY id`, index, issuer)
	return out, err
}
