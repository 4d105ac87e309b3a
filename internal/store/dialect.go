package store

import (
	"context"
	"database/sql"
	"regexp"
	"strconv"
	"strings"
)

// dialect is the SQL that differs between the two databases. Everything else
// is written once, with ? for a parameter.
type dialect int

const (
	inSQLite dialect = iota
	inPostgres
)

// bind writes the parameters as the database wants them. The texts here hold
// no ? but parameters.
func (d dialect) bind(text string) string {
	if d == inSQLite {
		return text
	}
	var out strings.Builder
	out.Grow(len(text) + 16)
	n := 0
	for {
		before, after, found := strings.Cut(text, "?")
		out.WriteString(before)
		if !found {
			return out.String()
		}
		n++
		out.WriteByte('$')
		out.WriteString(strconv.Itoa(n))
		text = after
	}
}

// now is the database's own time, in microseconds since 1970.
func (d dialect) now() string {
	if d == inPostgres {
		return `CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)`
	}
	return `CAST(unixepoch('subsec') * 1000000 AS INTEGER)`
}

var (
	typeNames = regexp.MustCompile(`\b(INTEGER|REAL|BLOB)\b`)
	tableEnd  = regexp.MustCompile(`\) STRICT(, WITHOUT ROWID)?;`)
	perName   = map[string]string{"INTEGER": "BIGINT", "REAL": "DOUBLE PRECISION", "BLOB": "BYTEA"}
)

// schema turns a migration, written for SQLite, into the database's own SQL.
func (d dialect) schema(text string) string {
	if d == inSQLite {
		return text
	}
	text = typeNames.ReplaceAllStringFunc(text, func(name string) string { return perName[name] })
	return tableEnd.ReplaceAllString(text, ");")
}

// conn is a database whose texts are bound.
type conn struct {
	*sql.DB
	d dialect
}

// ExecContext shadows sql.DB's.
func (c *conn) ExecContext(ctx context.Context, text string, args ...any) (sql.Result, error) {
	return c.DB.ExecContext(ctx, c.d.bind(text), args...)
}

// QueryContext shadows sql.DB's.
func (c *conn) QueryContext(ctx context.Context, text string, args ...any) (*sql.Rows, error) {
	return c.DB.QueryContext(ctx, c.d.bind(text), args...)
}

// QueryRowContext shadows sql.DB's.
func (c *conn) QueryRowContext(ctx context.Context, text string, args ...any) *sql.Row {
	return c.DB.QueryRowContext(ctx, c.d.bind(text), args...)
}

// transaction is a transaction whose texts are bound.
type transaction struct {
	*sql.Tx
	d dialect
}

// ExecContext shadows sql.Tx's.
func (t *transaction) ExecContext(ctx context.Context, text string, args ...any) (sql.Result, error) {
	return t.Tx.ExecContext(ctx, t.d.bind(text), args...)
}

// QueryContext shadows sql.Tx's.
func (t *transaction) QueryContext(ctx context.Context, text string, args ...any) (*sql.Rows, error) {
	return t.Tx.QueryContext(ctx, t.d.bind(text), args...)
}

// QueryRowContext shadows sql.Tx's.
func (t *transaction) QueryRowContext(ctx context.Context, text string, args ...any) *sql.Row {
	return t.Tx.QueryRowContext(ctx, t.d.bind(text), args...)
}
