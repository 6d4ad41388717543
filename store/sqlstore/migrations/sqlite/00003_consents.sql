-- +goose Up

CREATE TABLE consents (
	record        TEXT   NOT NULL REFERENCES records (id) ON DELETE CASCADE,
	relying_party TEXT   NOT NULL,
	attributes    TEXT   NOT NULL, -- JSON array
	digest        TEXT   NOT NULL,
	at            BIGINT NOT NULL,
	PRIMARY KEY (record, relying_party)
) WITHOUT ROWID;
