package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"io/fs"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/sparkwright/sparkwright"
)

// interpretError turns what SQLite or the file system said into an *Error;
// operation completes the sentence "could not …". An *Error passes unchanged,
// and so do ErrFenced and ErrNoPlace.
func interpretError(operation string, err error) error {
	if e, ok := errors.AsType[*sparkwright.Error](err); ok {
		return e
	}
	if errors.Is(err, ErrFenced) || errors.Is(err, ErrNoPlace) {
		return err
	}
	e := &sparkwright.Error{Code: sparkwright.CodeInternal, Message: "could not " + operation, Because: err.Error(), Err: err}
	switch {
	case errors.Is(err, context.Canceled):
		e.Code = sparkwright.CodeCancelled
		return e
	case errors.Is(err, context.DeadlineExceeded):
		e.Code = sparkwright.CodeTimeout
		return e
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return full(e)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS), errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.EISDIR):
		return unusable(e)
	}
	if p, ok := errors.AsType[*pgconn.PgError](err); ok {
		return postgresError(e, p)
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok || errors.Is(err, driver.ErrBadConn) || pgconn.Timeout(err) {
		return unreachable(e)
	}
	s, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return e
	}
	switch s.Code() {
	case sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_UNIQUE:
		e.Code = sparkwright.CodeConflict
		return e
	case sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
		e.Code, e.Because = sparkwright.CodeNotFound, "there is no such run"
		return e
	}
	switch s.Code() & 0xff { // the primary code
	case sqlite3.SQLITE_FULL:
		return full(e)
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		e.Code = sparkwright.CodeUnavailable
		e.Because = "another process has been writing to the run database for too long"
		e.Remedy = "try again when it has ended"
	case sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM:
		return unusable(e)
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		e.Because = "the file is damaged or not a database: " + s.Error()
		e.Remedy = "move the file away to start with an empty one, or restore a backup; it has not been changed"
	case sqlite3.SQLITE_INTERRUPT:
		e.Code = sparkwright.CodeCancelled
	}
	return e
}

// postgresError interprets what a PostgreSQL says.
func postgresError(e *sparkwright.Error, p *pgconn.PgError) error {
	e.Because = p.Message
	switch p.Code {
	case "23505": // unique_violation
		e.Code = sparkwright.CodeConflict
	case "23503": // foreign_key_violation
		e.Code, e.Because = sparkwright.CodeNotFound, "there is no such run"
	case "28P01", "28000", "42501": // password, authorization, privilege
		e.Code, e.Remedy = sparkwright.CodeUnauthorized, "check the login of database.url and its rights on the schema"
	case "3D000": // invalid_catalog_name
		e.Code, e.Remedy = sparkwright.CodeInvalid, "create the database that database.url names"
	case "53100": // disk_full
		e.Code, e.Because, e.Remedy = sparkwright.CodeResource, "the disk is full", "free space on the disk of the database"
	case "57P01", "57P02", "57P03", "53300": // shutdown, crash, starting up, too many connections
		return unreachable(e)
	}
	return e
}

func unreachable(e *sparkwright.Error) error {
	e.Code = sparkwright.CodeUnavailable
	e.Remedy = "see that the PostgreSQL of database.url runs and takes connections; what is under way goes on when it does"
	return e
}

func full(e *sparkwright.Error) error {
	e.Code, e.Because = sparkwright.CodeResource, "the disk is full"
	e.Remedy = "free space on the disk that holds the data directory"
	return e
}

func unusable(e *sparkwright.Error) error {
	e.Code = sparkwright.CodeInvalid
	e.Remedy = "make the data directory writable for this user, or set SPARKWRIGHT_HOME to another one"
	return e
}

func isBusy(err error) bool {
	s, ok := errors.AsType[*sqlite.Error](err)
	return ok && s.Code()&0xff == sqlite3.SQLITE_BUSY
}
