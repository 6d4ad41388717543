-- +goose Up

-- Text is compared and ordered octet for octet, as SQLite does it.

CREATE TABLE records (
	id       TEXT COLLATE "C"    NOT NULL PRIMARY KEY,
	disabled BOOLEAN NOT NULL,
	created  BIGINT  NOT NULL,
	updated  BIGINT  NOT NULL
);

CREATE TABLE record_logins (
	login    TEXT COLLATE "C"   NOT NULL PRIMARY KEY,
	record   TEXT COLLATE "C"   NOT NULL REFERENCES records (id) ON DELETE CASCADE,
	position BIGINT NOT NULL
);
CREATE INDEX record_logins_record ON record_logins (record);

CREATE TABLE record_values (
	record   TEXT COLLATE "C"   NOT NULL REFERENCES records (id) ON DELETE CASCADE,
	position BIGINT NOT NULL,
	name     TEXT COLLATE "C"   NOT NULL,
	value    TEXT COLLATE "C"   NOT NULL,
	source   TEXT COLLATE "C"   NOT NULL,
	PRIMARY KEY (record, position)
);

CREATE TABLE links (
	issuer            TEXT COLLATE "C"   NOT NULL,
	subject           TEXT COLLATE "C"   NOT NULL,
	format            TEXT COLLATE "C"   NOT NULL,
	name_qualifier    TEXT COLLATE "C"   NOT NULL,
	sp_name_qualifier TEXT COLLATE "C"   NOT NULL,
	record            TEXT COLLATE "C"   NOT NULL REFERENCES records (id) ON DELETE CASCADE,
	connection        TEXT COLLATE "C"   NOT NULL,
	created           BIGINT NOT NULL,
	last_used         BIGINT NOT NULL,
	PRIMARY KEY (issuer, subject)
);
CREATE INDEX links_record ON links (record);

CREATE TABLE credentials (
	id      TEXT COLLATE "C"   NOT NULL PRIMARY KEY,
	record  TEXT COLLATE "C"   NOT NULL REFERENCES records (id) ON DELETE CASCADE,
	kind    TEXT COLLATE "C"   NOT NULL,
	secret  TEXT COLLATE "C"   NOT NULL,
	created BIGINT NOT NULL,
	updated BIGINT NOT NULL
);
CREATE INDEX credentials_record ON credentials (record, kind);

CREATE TABLE name_ids (
	record            TEXT COLLATE "C"   NOT NULL REFERENCES records (id) ON DELETE CASCADE,
	issuer            TEXT COLLATE "C"   NOT NULL,
	sp_name_qualifier TEXT COLLATE "C"   NOT NULL,
	format            TEXT COLLATE "C"   NOT NULL,
	subject           TEXT COLLATE "C"   NOT NULL,
	name_qualifier    TEXT COLLATE "C"   NOT NULL,
	created           BIGINT NOT NULL,
	PRIMARY KEY (record, issuer, sp_name_qualifier, format)
);
CREATE UNIQUE INDEX name_ids_subject ON name_ids (subject, sp_name_qualifier, issuer, format);

CREATE TABLE sessions (
	token                      BYTEA   NOT NULL PRIMARY KEY, -- SHA-256
	id                         TEXT COLLATE "C"   NOT NULL UNIQUE,
	record                     TEXT COLLATE "C"   NOT NULL REFERENCES records (id) ON DELETE CASCADE,
	class                      TEXT COLLATE "C"   NOT NULL,
	methods                    TEXT COLLATE "C"   NOT NULL, -- JSON array
	aal                        BIGINT NOT NULL,
	instant                    BIGINT NOT NULL,
	authorities                TEXT COLLATE "C"   NOT NULL, -- JSON array
	connection                 TEXT COLLATE "C"   NOT NULL,
	upstream_issuer            TEXT COLLATE "C"   NOT NULL,
	upstream_subject           TEXT COLLATE "C"   NOT NULL,
	upstream_format            TEXT COLLATE "C"   NOT NULL,
	upstream_name_qualifier    TEXT COLLATE "C"   NOT NULL,
	upstream_sp_name_qualifier TEXT COLLATE "C"   NOT NULL,
	upstream_index             TEXT COLLATE "C"   NOT NULL,
	created                    BIGINT NOT NULL,
	not_after                  BIGINT NOT NULL
);
CREATE INDEX sessions_record ON sessions (record);
CREATE INDEX sessions_not_after ON sessions (not_after);

CREATE TABLE participants (
	session           TEXT COLLATE "C"   NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
	relying_party     TEXT COLLATE "C"   NOT NULL,
	audience          TEXT COLLATE "C"   NOT NULL,
	issuer            TEXT COLLATE "C"   NOT NULL,
	subject           TEXT COLLATE "C"   NOT NULL,
	format            TEXT COLLATE "C"   NOT NULL,
	name_qualifier    TEXT COLLATE "C"   NOT NULL,
	sp_name_qualifier TEXT COLLATE "C"   NOT NULL,
	session_index     TEXT COLLATE "C"   NOT NULL,
	at                BIGINT NOT NULL,
	PRIMARY KEY (session, relying_party)
);

CREATE TABLE tickets (
	purpose TEXT COLLATE "C"   NOT NULL,
	id      BYTEA   NOT NULL, -- SHA-256
	payload BYTEA   NOT NULL,
	version BIGINT NOT NULL,
	expires BIGINT NOT NULL,
	PRIMARY KEY (purpose, id)
);
CREATE INDEX tickets_expires ON tickets (expires);

CREATE TABLE counters (
	id    BYTEA   NOT NULL PRIMARY KEY, -- SHA-256
	count BIGINT NOT NULL,
	ends  BIGINT NOT NULL
);
CREATE INDEX counters_ends ON counters (ends);

CREATE TABLE events (
	id            BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	at            BIGINT NOT NULL,
	type          TEXT COLLATE "C"   NOT NULL,
	request_id    TEXT COLLATE "C"   NOT NULL,
	record        TEXT COLLATE "C"   NOT NULL,
	session       TEXT COLLATE "C"   NOT NULL,
	relying_party TEXT COLLATE "C"   NOT NULL,
	connection    TEXT COLLATE "C"   NOT NULL,
	code          TEXT COLLATE "C"   NOT NULL,
	detail        TEXT COLLATE "C"   NOT NULL
);
CREATE INDEX events_at ON events (at);
CREATE INDEX events_record ON events (record, at);
