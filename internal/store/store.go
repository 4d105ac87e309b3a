// Package store keeps runs, their attempts and their events in SQLite.
//
// Promises. A call that returned nil is on the disk: it survives a killed
// process and a power cut. A run or an attempt in a final state never changes
// again. The events of a run are numbered 1, 2, 3 … without gaps, in the order
// in which they were accepted. Any number of goroutines and processes may use
// one database at the same time; writers take turns, readers never wait for
// them.
//
// Not promised. Two writers of one run that is not final are not told of each
// other: the last one wins, so a run has one owner (Run.Owner). A network file
// system is not supported. Nothing is deleted here.
//
// The schema is changed by the numbered files in migrations, forward only. A
// database of a newer program is refused.
package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	_ "modernc.org/sqlite" // the driver

	"github.com/sparkwright/sparkwright"
)

//go:embed migrations/*.sql
var migrations embed.FS

// applicationID marks the database as ours, in SQLite's own header.
const applicationID = 0x53504b57 // "SPKW"

// Store is an open database. It is safe for concurrent use.
type Store struct {
	write *sql.DB // one connection: writers of this process queue here
	read  *sql.DB
}

// Open opens the database file at path and creates or migrates it. The
// directory is created, mode 0700. Errors: CodeConflict when the database
// belongs to a newer program, CodeInvalid when the file is another program's
// or the place cannot be used.
func Open(ctx context.Context, path string) (*Store, error) {
	path, err := filepath.Abs(path)
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
	s := &Store{}
	if s.write, err = open(path, 1); err != nil {
		return nil, interpretError("open the run database", err)
	}
	if s.read, err = open(path, 4); err != nil {
		_ = s.Close()
		return nil, interpretError("open the run database", err)
	}
	if err = s.migrateWhenFree(ctx, path); err != nil {
		_ = s.Close()
		return nil, err
	}
	return s, nil
}

func open(path string, connections int) (*sql.DB, error) {
	query := url.Values{"_txlock": {"immediate"}, "_pragma": {
		"busy_timeout(15000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)",
	}}
	name := url.URL{Scheme: "file", Path: filepath.ToSlash(path), RawQuery: query.Encode()}
	db, err := sql.Open("sqlite", name.String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(connections)
	return db, nil
}

// Close closes the database. Calls in progress end first.
func (s *Store) Close() error {
	var err error
	if s.read != nil {
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

// migrateWhenFree tries again while another process switches the same new
// file to WAL: SQLite's busy timeout does not cover that.
func (s *Store) migrateWhenFree(ctx context.Context, path string) error {
	deadline := time.Now().Add(15 * time.Second)
	for {
		err := s.migrate(ctx, path)
		if !isBusy(err) || time.Now().After(deadline) {
			return err
		}
		timer := time.NewTimer(20 * time.Millisecond)
		select {
		case <-ctx.Done():
			timer.Stop()
			return interpretError("open the run database", ctx.Err())
		case <-timer.C:
		}
	}
}

func (s *Store) migrate(ctx context.Context, path string) error {
	const operation = "prepare the run database"
	files, err := fs.Glob(migrations, "migrations/*.sql") // sorted
	if err != nil {
		return interpretError(operation, err)
	}
	return s.inTx(ctx, operation, func(tx *sql.Tx) error {
		var version, application, tables int
		for pragma, value := range map[string]*int{
			"PRAGMA user_version": &version, "PRAGMA application_id": &application,
			"SELECT count(*) FROM sqlite_master": &tables,
		} {
			if err := tx.QueryRowContext(ctx, pragma).Scan(value); err != nil {
				return err
			}
		}
		if application != applicationID && (application != 0 || tables > 0) {
			return &sparkwright.Error{
				Code:    sparkwright.CodeInvalid,
				Message: path + " is a database of another program",
				Remedy:  "move it away, or set SPARKWRIGHT_HOME to another directory",
			}
		}
		if version > len(files) {
			return &sparkwright.Error{
				Code:    sparkwright.CodeConflict,
				Message: path + " was written by a newer version of sparkwright",
				Because: fmt.Sprintf("its schema is number %d, this program knows %d", version, len(files)),
				Remedy:  "use the newer version, or set SPARKWRIGHT_HOME to another directory",
			}
		}
		for i, file := range files {
			if i < version {
				continue
			}
			text, err := migrations.ReadFile(file)
			if err != nil {
				return err
			}
			if _, err = tx.ExecContext(ctx, string(text)); err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
		}
		if version == len(files) {
			return nil
		}
		_, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d; PRAGMA application_id = %d", len(files), applicationID))
		return err
	})
}

// inTx runs f in one writing transaction. An *Error of f is returned as it
// is, any other is interpreted.
func (s *Store) inTx(ctx context.Context, operation string, f func(*sql.Tx) error) error {
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return interpretError(operation, err)
	}
	if err = f(tx); err == nil {
		err = tx.Commit()
	} else if rollbackErr := tx.Rollback(); rollbackErr != nil && !errors.Is(rollbackErr, sql.ErrTxDone) {
		err = errors.Join(err, rollbackErr)
	}
	if err != nil {
		return interpretError(operation, err)
	}
	return nil
}

// clean makes text storable: valid UTF-8.
func clean(text string) string { return strings.ToValidUTF8(text, "\uFFFD") }
