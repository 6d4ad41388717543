-- +goose Up

CREATE TABLE consents (
	record        TEXT COLLATE "C"   NOT NULL REFERENCES records (id) ON DELETE CASCADE,
	relying_party TEXT COLLATE "C"   NOT NULL,
	attributes    TEXT COLLATE "C"   NOT NULL, -- JSON array
	digest        TEXT COLLATE "C"   NOT NULL,
	at            BIGINT NOT NULL,
	PRIMARY KEY (record, relying_party)
);
