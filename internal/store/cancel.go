package store

import (
	"context"
	"database/sql"
	"errors"

	"github.com/sparkwright/sparkwright"
)

// RequestCancel asks the process that carries out the run to end it. It
// changes nothing of a finished run. CodeNotFound when there is no such run.
func (s *Store) RequestCancel(ctx context.Context, runID string) error {
	res, err := s.write.ExecContext(ctx, `UPDATE runs SET cancel_wanted = 1 WHERE id = ?`, runID)
	if err != nil {
		return interpretError("request the cancel of a run", err)
	}
	if n, err := res.RowsAffected(); err == nil && n == 0 {
		return sparkwright.Errorf(sparkwright.CodeNotFound, "there is no run %q", runID)
	}
	return nil
}

// CancelRequested reports whether somebody has asked for the run's end.
func (s *Store) CancelRequested(ctx context.Context, runID string) (bool, error) {
	var wanted bool
	err := s.read.QueryRowContext(ctx, `SELECT cancel_wanted FROM runs WHERE id = ?`, runID).Scan(&wanted)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, interpretError("look for a cancel", err)
	}
	return wanted, nil
}

// Ping reports whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.read.PingContext(ctx); err != nil {
		return interpretError("ping", err)
	}
	return nil
}
