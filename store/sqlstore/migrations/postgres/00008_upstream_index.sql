-- +goose Up

-- An OpenID Provider's logout may name its session alone, and nobody's subject.
CREATE INDEX sessions_upstream_index ON sessions (upstream_index, upstream_issuer) WHERE upstream_index <> '';
