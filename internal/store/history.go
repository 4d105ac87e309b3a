package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/sparkwright/sparkwright"
)

// PutAttempt stores an attempt, or replaces the stored one of that id.
// CodeNotFound when there is no such run; CodeConflict when the stored attempt
// is in a final state, or when another attempt has its number.
func (s *Store) PutAttempt(ctx context.Context, a *sparkwright.Attempt) error {
	const operation = "store the attempt"
	values, err := attemptValues(a)
	if err != nil {
		return interpretError(operation, err)
	}
	return s.inTx(ctx, operation, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, `INSERT INTO attempts (`+attemptColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (id) DO UPDATE SET state = excluded.state, analysis = excluded.analysis, script = excluded.script,
				handle_json = excluded.handle_json, fault_json = excluded.fault_json,
				started_at = excluded.started_at, finished_at = excluded.finished_at
			WHERE attempts.state NOT IN ('succeeded', 'failed', 'cancelled', 'lost')`, values...)
		if err != nil {
			return err
		}
		if changed, err := result.RowsAffected(); err != nil || changed == 1 {
			return err
		}
		return refused(ctx, tx, "attempt", "SELECT state FROM attempts WHERE id = ?", a.ID)
	})
}

// AppendEvent adds an event to its run's history and sets its Seq, the number
// after the last; a zero At is set to now. CodeNotFound when there is no such
// run. A finished run still takes events.
func (s *Store) AppendEvent(ctx context.Context, e *sparkwright.Event) error {
	const operation = "store the event"
	if e.At.IsZero() {
		e.At = time.Now().UTC().Truncate(time.Microsecond)
	}
	progress, err := encode(e.Progress, e.Progress != nil)
	if err != nil {
		return interpretError(operation, err)
	}
	err = s.write.QueryRowContext(ctx, `INSERT INTO events (`+eventColumns+`)
		SELECT ?1, coalesce(max(seq), 0) + 1, ?2, ?3, ?4, ?5, ?6, ?7, ?8 FROM events WHERE run_id = ?1
		RETURNING seq`,
		e.RunID, e.At.UnixMicro(), string(e.Type), string(e.State), clean(e.Step), clean(e.Text), e.Stream, progress).Scan(&e.Seq)
	if err != nil {
		return interpretError(operation, err)
	}
	return nil
}

// Events returns the events of a run after number afterSeq, in order, at most
// limit (0 = 1000). CodeNotFound when there is no such run; the id is the
// whole one.
func (s *Store) Events(ctx context.Context, runID string, afterSeq int64, limit int) ([]sparkwright.Event, error) {
	const operation = "read the events"
	if limit <= 0 {
		limit = 1000
	}
	rows, err := s.read.QueryContext(ctx, `SELECT `+eventColumns+` FROM events WHERE run_id = ? AND seq > ? ORDER BY seq LIMIT ?`,
		runID, afterSeq, limit)
	if err != nil {
		return nil, interpretError(operation, err)
	}
	list, err := collect(rows, scanEvent)
	if err != nil {
		return nil, interpretError(operation, err)
	}
	if len(list) > 0 {
		return list, nil
	}
	var one int
	err = s.read.QueryRowContext(ctx, `SELECT 1 FROM runs WHERE id = ?`, runID).Scan(&one)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, s.noRun(ctx, runID)
	}
	if err != nil {
		return nil, interpretError(operation, err)
	}
	return nil, nil
}
