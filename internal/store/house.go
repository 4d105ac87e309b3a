package store

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/sparkwright/sparkwright"
)

// Old lists final runs that are not pinned and older than before, the oldest
// first, at most limit.
func (s *Store) Old(ctx context.Context, before time.Time, limit int) ([]string, error) {
	const operation = "look for old runs"
	rows, err := s.read.QueryContext(ctx, `SELECT id FROM runs WHERE created_at < ? AND pinned = 0 AND NOT (`+notFinal+`)
		ORDER BY created_at, id LIMIT ?`, before.UnixMicro(), limit)
	if err != nil {
		return nil, interpretError(operation, err)
	}
	list, err := collect(rows, func(row scanner) (id string, err error) { return id, row.Scan(&id) })
	if err != nil {
		return nil, interpretError(operation, err)
	}
	return list, nil
}

// ForgetAnalyses removes the kept analyses that have not been used since.
func (s *Store) ForgetAnalyses(ctx context.Context, since time.Time) error {
	if _, err := s.write.ExecContext(ctx, `DELETE FROM code_cache WHERE used_at < ?`, since.UnixMicro()); err != nil {
		return interpretError("forget old analyses", err)
	}
	return nil
}

// BackUp writes a copy of a SQLite database to a new file, as it is at one
// moment, while it is used. A PostgreSQL is backed up with its own tools:
// CodeInvalid.
func (s *Store) BackUp(ctx context.Context, file string) error {
	if s.d != inSQLite {
		return &sparkwright.Error{
			Code: sparkwright.CodeInvalid, Message: "the runs are in PostgreSQL", Remedy: "back it up with pg_dump, and the results with what keeps them",
		}
	}
	if _, err := os.Stat(file); err == nil {
		return sparkwright.Errorf(sparkwright.CodeConflict, "%s exists", file)
	}
	if _, err := s.read.ExecContext(ctx, `VACUUM INTO ?`, file); err != nil {
		return interpretError("copy the run database", err)
	}
	return nil
}

// Check reports whether a SQLite file is whole.
func Check(ctx context.Context, path string) error {
	c, err := openFile(path, 1)
	if err != nil {
		return interpretError("check the run database", err)
	}
	var answer string
	err = c.QueryRowContext(ctx, `PRAGMA integrity_check`).Scan(&answer)
	err = errors.Join(err, c.Close())
	if err != nil {
		return interpretError("check the run database", err)
	}
	if answer != "ok" {
		return sparkwright.Errorf(sparkwright.CodeInvalid, "the database %s is damaged: %s", path, answer)
	}
	return nil
}
