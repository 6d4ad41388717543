-- +goose Up

-- Of what an upstream did wrong: what came, what was expected, and who can put it right,
-- which whoever knows the request's ID can read.
ALTER TABLE events ADD COLUMN seen TEXT NOT NULL DEFAULT '';
ALTER TABLE events ADD COLUMN expected TEXT NOT NULL DEFAULT '';
ALTER TABLE events ADD COLUMN who TEXT NOT NULL DEFAULT '';
CREATE INDEX events_request ON events (request_id);
