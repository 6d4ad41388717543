-- +goose Up

-- An upstream's LogoutRequest names a person by its own NameID, and comes without
-- a cookie.
CREATE INDEX sessions_upstream ON sessions (upstream_subject, upstream_issuer);
