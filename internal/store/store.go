package store

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite" // the driver

	"github.com/sparkwright/sparkwright"
)

// Store is an open database. It is safe for concurrent use.
type Store struct {
	d     dialect
	write *conn // SQLite: one connection; writers of this process queue here
	read  *conn
}

// Open opens a database, and creates its tables when it has none. where is the
// path of a SQLite file, whose directory is created with mode 0700, or a
// postgresql:// URL. Errors: CodeConflict when the database belongs to a newer
// program, or to an older one and Upgrade is needed; CodeInvalid when it is
// another program's or the place cannot be used; CodeUnavailable when
// PostgreSQL does not answer.
func Open(ctx context.Context, where string) (*Store, error) {
	s, err := connect(where)
	if err != nil {
		return nil, err
	}
	if err = s.migrateWhenFree(ctx, where, false); err != nil {
		_ = s.Close() // the reason comes first
		return nil, err
	}
	return s, nil
}

// Upgrade brings the tables of an older program up to date. It is safe to
// repeat; an interrupted one is gone on with.
func Upgrade(ctx context.Context, where string) error {
	s, err := connect(where)
	if err != nil {
		return err
	}
	err = s.migrateWhenFree(ctx, where, true)
	return errors.Join(err, s.Close())
}

// IsURL reports whether where names a PostgreSQL database, not a file.
func IsURL(where string) bool {
	return strings.HasPrefix(where, "postgresql://") || strings.HasPrefix(where, "postgres://")
}

func connect(where string) (*Store, error) {
	if IsURL(where) {
		cfg, err := pgx.ParseConfig(where)
		if err != nil {
			return nil, &sparkwright.Error{
				Code: sparkwright.CodeInvalid, Message: "database.url is no PostgreSQL URL that can be used", // err may hold its password
				Remedy: "write it as postgresql://USER@HOST:PORT/DATABASE",
			}
		}
		cfg.RuntimeParams["application_name"] = "sparkwright runs"
		cfg.RuntimeParams["idle_in_transaction_session_timeout"] = idleInTransaction
		db := stdlib.OpenDB(*cfg)
		db.SetMaxOpenConns(maxConnections)
		db.SetMaxIdleConns(maxConnections)
		both := &conn{DB: db, d: inPostgres}
		return &Store{d: inPostgres, write: both, read: both}, nil
	}
	path, err := filepath.Abs(where)
	if err != nil {
		return nil, interpretError("open the run database", err)
	}
	if err = os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, interpretError("create the directory of the run database", err)
	}
	// SQLite gives the files beside it (-wal, -shm) the same mode.
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // the path is the user's own data directory
	if err != nil {
		return nil, interpretError("open the run database", err)
	}
	if err = f.Close(); err != nil {
		return nil, interpretError("open the run database", err)
	}
	s := &Store{d: inSQLite}
	if s.write, err = openFile(path, 1); err != nil {
		return nil, interpretError("open the run database", err)
	}
	if s.read, err = openFile(path, 4); err != nil {
		return nil, errors.Join(interpretError("open the run database", err), s.Close())
	}
	return s, nil
}

// idleInTransaction (milliseconds) is when PostgreSQL ends the transaction of a
// server that is paused in the middle of it, so that the others need not wait
// for its locks.
const idleInTransaction = "4000"

// maxConnections bounds what one process takes of a PostgreSQL.
const maxConnections = 12

func openFile(path string, connections int) (*conn, error) {
	query := url.Values{"_txlock": {"immediate"}, "_pragma": {
		"busy_timeout(15000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)",
	}}
	name := url.URL{Scheme: "file", Path: filepath.ToSlash(path), RawQuery: query.Encode()}
	db, err := sql.Open("sqlite", name.String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(connections)
	return &conn{DB: db, d: inSQLite}, nil
}

// DB is the database that is written to, for the queue.
func (s *Store) DB() *sql.DB { return s.write.DB }

// Shared reports whether the database is one that several machines may share.
func (s *Store) Shared() bool { return s.d == inPostgres }

// Close closes the database. Calls in progress end first.
func (s *Store) Close() error {
	var err error
	if s.read != nil && s.read != s.write {
		err = s.read.Close()
	}
	if closeErr := s.write.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return interpretError("close the run database", err)
	}
	return nil
}

// Ping reports whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.read.PingContext(ctx); err != nil {
		return interpretError("reach the run database", err)
	}
	return nil
}

// inTx runs f in one writing transaction. An *Error of f is returned as it
// is, any other is interpreted.
func (s *Store) inTx(ctx context.Context, operation string, f func(*transaction) error) error {
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return interpretError(operation, err)
	}
	if err = f(&transaction{Tx: tx, d: s.d}); err == nil {
		err = tx.Commit()
	} else if rollbackErr := tx.Rollback(); rollbackErr != nil && !errors.Is(rollbackErr, sql.ErrTxDone) {
		err = errors.Join(err, rollbackErr)
	}
	if err != nil {
		return interpretError(operation, err)
	}
	return nil
}

// clean makes text storable: valid UTF-8 without NUL.
func clean(text string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
}
