-- +goose Up

-- What the upstream allows to be issued on the strength of its assertion: how many,
-- one after the other (NULL: any number), and for whom (none: anybody).
ALTER TABLE sessions ADD COLUMN proxy_count INTEGER;
ALTER TABLE sessions ADD COLUMN proxy_audiences TEXT NOT NULL DEFAULT '[]'; -- JSON array
