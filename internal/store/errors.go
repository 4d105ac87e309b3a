package store

import (
	"context"
	"errors"
	"io/fs"
	"syscall"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/sparkwright/sparkwright"
)

// interpretError turns what SQLite or the file system said into an *Error;
// operation completes the sentence "could not …". An *Error passes unchanged.
func interpretError(operation string, err error) error {
	if e, ok := errors.AsType[*sparkwright.Error](err); ok {
		return e
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
