-- +goose Up

-- The organization that a person belongs to.
ALTER TABLE records ADD COLUMN organization TEXT COLLATE "C" NOT NULL DEFAULT '';
