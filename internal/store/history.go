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
	return s.inTx(ctx, "store the attempt", func(tx *transaction) error { return putAttempt(ctx, tx, a) })
}

func putAttempt(ctx context.Context, tx *transaction, a *sparkwright.Attempt) error {
	values, err := attemptValues(a)
	if err != nil {
		return err
	}
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
}

// AppendEvent adds an event to its run's history, whoever owns the run, and
// sets its Seq, the number after the last; a zero At is set to now.
// CodeNotFound when there is no such run. A finished run still takes events.
func (s *Store) AppendEvent(ctx context.Context, e *sparkwright.Event) error {
	return s.inTx(ctx, "store the event", func(tx *transaction) error {
		var last int64
		err := tx.QueryRowContext(ctx, `UPDATE runs SET last_seq = last_seq + 1 WHERE id = ? RETURNING last_seq`, e.RunID).Scan(&last)
		if errors.Is(err, sql.ErrNoRows) {
			return sparkwright.Errorf(sparkwright.CodeNotFound, "there is no run %s", e.RunID)
		}
		if err != nil {
			return err
		}
		one := []sparkwright.Event{*e}
		err = putEvents(ctx, tx, e.RunID, last, one)
		*e = one[0]
		return err
	})
}

// putEvents stores events whose last one has the number last.
func putEvents(ctx context.Context, tx *transaction, runID string, last int64, events []sparkwright.Event) error {
	for i := range events {
		e := &events[i]
		e.RunID, e.Seq = runID, last-int64(len(events)-1-i)
		if e.At.IsZero() {
			e.At = time.Now().UTC().Truncate(time.Microsecond)
		}
		progress, err := encode(e.Progress, e.Progress != nil)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO events (`+eventColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			e.RunID, e.Seq, e.At.UnixMicro(), string(e.Type), string(e.State), clean(e.Step), clean(e.Text), e.Stream, progress)
		if err != nil {
			return err
		}
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
