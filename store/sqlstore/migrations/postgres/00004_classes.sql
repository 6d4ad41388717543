-- +goose Up

-- Further context classes that the authentication proves.
ALTER TABLE sessions ADD COLUMN also TEXT COLLATE "C" NOT NULL DEFAULT '[]'; -- JSON array
