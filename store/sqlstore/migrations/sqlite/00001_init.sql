-- +goose Up

-- "SMLT" tells our files from those of other programs.
PRAGMA application_id = 1397574740;

CREATE TABLE records (
	id       TEXT    NOT NULL PRIMARY KEY,
	disabled BOOLEAN NOT NULL,
	created  BIGINT  NOT NULL,
	updated  BIGINT  NOT NULL
) WITHOUT ROWID;

CREATE TABLE record_logins (
	login    TEXT   NOT NULL PRIMARY KEY,
	record   TEXT   NOT NULL REFERENCES records (id) ON DELETE CASCADE,
	position BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX record_logins_record ON record_logins (record);

CREATE TABLE record_values (
	record   TEXT   NOT NULL REFERENCES records (id) ON DELETE CASCADE,
	position BIGINT NOT NULL,
	name     TEXT   NOT NULL,
	value    TEXT   NOT NULL,
	source   TEXT   NOT NULL,
	PRIMARY KEY (record, position)
) WITHOUT ROWID;

CREATE TABLE links (
	issuer            TEXT   NOT NULL,
	subject           TEXT   NOT NULL,
	format            TEXT   NOT NULL,
	name_qualifier    TEXT   NOT NULL,
	sp_name_qualifier TEXT   NOT NULL,
	record            TEXT   NOT NULL REFERENCES records (id) ON DELETE CASCADE,
	connection        TEXT   NOT NULL,
	created           BIGINT NOT NULL,
	last_used         BIGINT NOT NULL,
	PRIMARY KEY (issuer, subject)
) WITHOUT ROWID;
CREATE INDEX links_record ON links (record);

CREATE TABLE credentials (
	id      TEXT   NOT NULL PRIMARY KEY,
	record  TEXT   NOT NULL REFERENCES records (id) ON DELETE CASCADE,
	kind    TEXT   NOT NULL,
	secret  TEXT   NOT NULL,
	created BIGINT NOT NULL,
	updated BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX credentials_record ON credentials (record, kind);

CREATE TABLE name_ids (
	record            TEXT   NOT NULL REFERENCES records (id) ON DELETE CASCADE,
	issuer            TEXT   NOT NULL,
	sp_name_qualifier TEXT   NOT NULL,
	format            TEXT   NOT NULL,
	subject           TEXT   NOT NULL,
	name_qualifier    TEXT   NOT NULL,
	created           BIGINT NOT NULL,
	PRIMARY KEY (record, issuer, sp_name_qualifier, format)
) WITHOUT ROWID;
CREATE UNIQUE INDEX name_ids_subject ON name_ids (subject, sp_name_qualifier, issuer, format);

CREATE TABLE sessions (
	token                      BLOB   NOT NULL PRIMARY KEY, -- SHA-256
	id                         TEXT   NOT NULL UNIQUE,
	record                     TEXT   NOT NULL REFERENCES records (id) ON DELETE CASCADE,
	class                      TEXT   NOT NULL,
	methods                    TEXT   NOT NULL, -- JSON array
	aal                        BIGINT NOT NULL,
	instant                    BIGINT NOT NULL,
	authorities                TEXT   NOT NULL, -- JSON array
	connection                 TEXT   NOT NULL,
	upstream_issuer            TEXT   NOT NULL,
	upstream_subject           TEXT   NOT NULL,
	upstream_format            TEXT   NOT NULL,
	upstream_name_qualifier    TEXT   NOT NULL,
	upstream_sp_name_qualifier TEXT   NOT NULL,
	upstream_index             TEXT   NOT NULL,
	created                    BIGINT NOT NULL,
	not_after                  BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX sessions_record ON sessions (record);
CREATE INDEX sessions_not_after ON sessions (not_after);

CREATE TABLE participants (
	session           TEXT   NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
	relying_party     TEXT   NOT NULL,
	audience          TEXT   NOT NULL,
	issuer            TEXT   NOT NULL,
	subject           TEXT   NOT NULL,
	format            TEXT   NOT NULL,
	name_qualifier    TEXT   NOT NULL,
	sp_name_qualifier TEXT   NOT NULL,
	session_index     TEXT   NOT NULL,
	at                BIGINT NOT NULL,
	PRIMARY KEY (session, relying_party)
) WITHOUT ROWID;

-- Payloads can be large, so tickets keep their rowid.
CREATE TABLE tickets (
	purpose TEXT   NOT NULL,
	id      BLOB   NOT NULL, -- SHA-256
	payload BLOB   NOT NULL,
	version BIGINT NOT NULL,
	expires BIGINT NOT NULL,
	PRIMARY KEY (purpose, id)
);
CREATE INDEX tickets_expires ON tickets (expires);

CREATE TABLE counters (
	id    BLOB   NOT NULL PRIMARY KEY, -- SHA-256
	count BIGINT NOT NULL,
	ends  BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX counters_ends ON counters (ends);

CREATE TABLE events (
	id            INTEGER PRIMARY KEY,
	at            BIGINT NOT NULL,
	type          TEXT   NOT NULL,
	request_id    TEXT   NOT NULL,
	record        TEXT   NOT NULL,
	session       TEXT   NOT NULL,
	relying_party TEXT   NOT NULL,
	connection    TEXT   NOT NULL,
	code          TEXT   NOT NULL,
	detail        TEXT   NOT NULL
);
CREATE INDEX events_at ON events (at);
CREATE INDEX events_record ON events (record, at);
