package sqlstore

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/samlet-id/samlet/store"
)

// session is the part of *sql.Tx and *sql.Conn that statements need.
type session interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// conn is one transaction as the role implementations see it. Once a statement
// has failed the transaction is lost: PostgreSQL refuses every further one, and
// so that both databases behave alike, conn does so for SQLite too. A refusal
// that SQL itself does not call an error (KindNotFound, KindExists) leaves the
// transaction usable.
type conn struct {
	db       session
	errs     mapper
	readOnly bool
	// steady statements run to their end even if the context is cancelled
	// meanwhile: interrupting a write makes SQLite roll back the whole
	// transaction, which other callers share. The context is then looked at
	// between statements.
	steady bool

	failed error // the first failure
	over   bool  // fn has returned
}

// tx returns the roles of one transaction.
func (c *conn) tx() *store.Tx {
	return &store.Tx{
		Records:     records{c},
		Links:       links{c},
		Credentials: credentials{c},
		NameIDs:     nameIDs{c},
		Consents:    consents{c},
		Sessions:    sessions{c},
		Tickets:     tickets{c},
		Counters:    counters{c},
		Events:      events{c},
	}
}

// do runs fn as the whole of the transaction. A statement that failed fails it,
// even if fn took no notice.
func (c *conn) do(fn func(*conn) error) error {
	defer func() { c.over = true }()
	if err := fn(c); err != nil {
		return err
	}
	return c.failed
}

// ready checks that a statement may run and returns its context and arguments.
func (c *conn) ready(ctx context.Context, args []any) (context.Context, []any, error) {
	if c.over {
		return nil, nil, misuse("A transaction was used after its end.")
	}
	if c.failed != nil {
		return nil, nil, c.failed
	}
	if err := ctx.Err(); err != nil {
		return nil, nil, c.fail(err)
	}
	for i, a := range args {
		v := reflect.ValueOf(a)
		if v.Kind() != reflect.String {
			continue
		}
		// PostgreSQL cannot keep these and SQLite can; both refuse them.
		s := v.String()
		if !utf8.ValidString(s) || strings.IndexByte(s, 0) >= 0 {
			return nil, nil, invalid("The text contains a NUL or is not UTF-8.", nil)
		}
		args[i] = s
	}
	if c.steady {
		ctx = context.WithoutCancel(ctx)
	}
	return ctx, args, nil
}

func (c *conn) fail(err error) error {
	c.failed = c.errs.apply(err)
	return c.failed
}

// exec runs a writing statement and returns the number of rows it touched.
func (c *conn) exec(ctx context.Context, query string, args ...any) (int64, error) {
	if c.readOnly {
		return 0, misuse("Something was written within a View.")
	}
	ctx, args, err := c.ready(ctx, args)
	if err != nil {
		return 0, err
	}
	res, err := c.db.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, c.fail(err)
	}
	n, err := res.RowsAffected()
	if err != nil {
		return 0, c.fail(err)
	}
	return n, nil
}

// all runs a query and calls each with every row.
func (c *conn) all(ctx context.Context, each func(*sql.Rows) error, query string, args ...any) error {
	ctx, args, err := c.ready(ctx, args)
	if err != nil {
		return err
	}
	rows, err := c.db.QueryContext(ctx, query, args...)
	if err != nil {
		return c.fail(err)
	}
	defer func() { _ = rows.Close() }() // for a panic: a connection waits for its rows before it closes
	for rows.Next() {
		if err := each(rows); err != nil {
			return c.fail(errors.Join(err, rows.Close()))
		}
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return c.fail(err)
	}
	return nil
}

// one runs a query and scans its only row into dest; found is false if there is
// none.
func (c *conn) one(ctx context.Context, dest []any, query string, args ...any) (found bool, err error) {
	err = c.all(ctx, func(rows *sql.Rows) error {
		found = true
		return rows.Scan(dest...)
	}, query, args...)
	return found, err
}

// writeOne is one for statements that also write (RETURNING).
func (c *conn) writeOne(ctx context.Context, dest []any, query string, args ...any) (found bool, err error) {
	if c.readOnly {
		return false, misuse("Something was written within a View.")
	}
	return c.one(ctx, dest, query, args...)
}

// insertRows is how many rows insert puts into one statement.
const insertRows = 64

// insert runs head, which ends in VALUES, with rows of width arguments each.
func (c *conn) insert(ctx context.Context, head string, width int, args []any) error {
	for len(args) > 0 {
		n := min(len(args), insertRows*width)
		if _, err := c.exec(ctx, head+placeholders(n/width, width), args[:n]...); err != nil {
			return err
		}
		args = args[n:]
	}
	return nil
}

// placeholders returns "($1, $2), ($3, $4)" for two rows of width two.
func placeholders(rows, width int) string {
	var b strings.Builder
	for i := range rows * width {
		switch {
		case i == 0:
			b.WriteString("(")
		case i%width == 0:
			b.WriteString("), (")
		default:
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "$%d", i+1)
	}
	b.WriteString(")")
	return b.String()
}

// hashed is the stored form of a bearer value.
func hashed(secret string) []byte {
	sum := sha256.Sum256([]byte(secret))
	return sum[:]
}

// micros is the stored form of a point in time.
func micros(t time.Time) int64 { return t.UnixMicro() }

// instant scans a stored point in time into *t, in UTC.
type instant struct{ t *time.Time }

// Scan implements sql.Scanner.
func (i instant) Scan(src any) error {
	v, ok := src.(int64)
	if !ok {
		return fmt.Errorf("scanning a time: got %T, want int64", src)
	}
	*i.t = time.UnixMicro(v).UTC()
	return nil
}

// list is the stored form of a list of strings: a JSON array.
func list[S ~string](v []S) (string, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("encoding a list: %w", err)
	}
	return string(b), nil
}

// items scans a stored list into *v.
type items[S ~string] struct{ v *[]S }

// Scan implements sql.Scanner.
func (l items[S]) Scan(src any) error {
	s, ok := src.(string)
	if !ok {
		return fmt.Errorf("scanning a list: got %T, want string", src)
	}
	if err := json.Unmarshal([]byte(s), l.v); err != nil {
		return fmt.Errorf("scanning a list: %w", err)
	}
	return nil
}
