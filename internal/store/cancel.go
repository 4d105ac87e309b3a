package store

import (
	"context"
	"database/sql"
	"errors"

	"github.com/sparkwright/sparkwright"
)

// RequestCancel asks whoever carries out the run to end it. When nobody has it
// just now, enqueue puts it into the queue, so that somebody does, in the same
// transaction. It changes nothing of a finished run. CodeNotFound when there
// is no such run.
func (s *Store) RequestCancel(ctx context.Context, runID string, enqueue func(ctx context.Context, tx *sql.Tx, fence int64) (int64, error)) error {
	return s.inTx(ctx, "request the cancel of a run", func(tx *transaction) error {
		var (
			fence      int64
			owner      string
			state      sparkwright.RunState
			foreground bool
		)
		err := tx.QueryRowContext(ctx, `UPDATE runs SET cancel_wanted = 1 WHERE id = ? RETURNING fence, owner, state, foreground <> 0`, runID).
			Scan(&fence, &owner, &state, &foreground)
		if errors.Is(err, sql.ErrNoRows) {
			return sparkwright.Errorf(sparkwright.CodeNotFound, "there is no run %q", runID)
		}
		if err != nil || state.Final() || owner != "" || foreground || enqueue == nil {
			return err
		}
		job, err := enqueue(ctx, tx.Tx, fence)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE runs SET job = ? WHERE id = ?`, job, runID)
		return err
	})
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
