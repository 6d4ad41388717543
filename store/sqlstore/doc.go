// Package sqlstore keeps samlet's data in SQLite or PostgreSQL. It owns the
// SQL, the schema and its migrations, and the way that transactions reach the
// disk; it knows nothing of logins, protocols or configuration files.
//
// One body of SQL serves both databases. Its placeholders are $n and first
// appear in ascending order, because SQLite binds them in order of appearance
// and PostgreSQL by number; TestSQL holds the text to that. Points in time are
// integers, microseconds since 1970 UTC, so that both databases return exactly
// what they were given. Bearer values and ticket IDs are stored as their
// SHA-256.
//
// On SQLite one goroutine owns the only writing connection and lets all
// Updates that wait at the same moment share one durable commit (group.go);
// Views read on connections of their own and never wait for it. Other processes
// may use the same file. On PostgreSQL every Update is a SERIALIZABLE
// transaction that is run again when it loses against another one.
package sqlstore
