package store

import (
	"context"
	"database/sql"
	"errors"
	"reflect"
	"time"

	"github.com/sparkwright/sparkwright"
)

// Request returns what was asked for when the run was made. CodeNotFound.
func (s *Store) Request(ctx context.Context, runID string) (sparkwright.Request, error) {
	const operation = "read the request"
	var (
		req  sparkwright.Request
		text document
	)
	err := s.read.QueryRowContext(ctx, `SELECT request_json FROM runs WHERE id = ?`, runID).Scan(&text)
	if errors.Is(err, sql.ErrNoRows) {
		return req, s.noRun(ctx, runID)
	}
	if err == nil {
		err = decode(text, &req)
	}
	if err != nil {
		return req, interpretError(operation, err)
	}
	return req, nil
}

// Repeated returns the run that the user of a request has made under its
// idempotency key. CodeNotFound; CodeConflict when that run was asked for by a
// request that differs.
func (s *Store) Repeated(ctx context.Context, req sparkwright.Request) (*sparkwright.Run, error) {
	const operation = "look for an idempotency key"
	var (
		id     string
		stored document
	)
	err := s.read.QueryRowContext(ctx, `SELECT id, request_json FROM runs WHERE user_name = ? AND idempotency_key = ?`,
		clean(req.User), clean(req.IdempotencyKey)).Scan(&id, &stored)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, sparkwright.Errorf(sparkwright.CodeNotFound, "there is no run of that idempotency key")
	}
	var first, again sparkwright.Request
	if err == nil {
		err = decode(stored, &first)
	}
	if err == nil { // what storing does to a request is no difference
		var text document
		if text, err = encode(req, true); err == nil {
			err = decode(text, &again)
		}
	}
	if err != nil {
		return nil, interpretError(operation, err)
	}
	if !reflect.DeepEqual(first, again) {
		return nil, &sparkwright.Error{
			Code: sparkwright.CodeConflict, Message: "the idempotency key belongs to another question", Because: "it has made run " + id,
			Remedy: "send a new key for a new question",
		}
	}
	return s.Run(ctx, id)
}

// Pin keeps a run from retention, or no longer. CodeNotFound.
func (s *Store) Pin(ctx context.Context, runID string, pinned bool) error {
	result, err := s.write.ExecContext(ctx, `UPDATE runs SET pinned = ? WHERE id = ?`, number(pinned), runID)
	if err != nil {
		return interpretError("pin the run", err)
	}
	if n, err := result.RowsAffected(); err == nil && n == 0 {
		return s.noRun(ctx, runID)
	}
	return nil
}

// Delete removes a final run with its attempts, events and revisions.
// CodeNotFound; CodeConflict when it is not final.
func (s *Store) Delete(ctx context.Context, runID string) error {
	return s.inTx(ctx, "delete the run", func(tx *transaction) error {
		for _, table := range []string{"events", "attempts", "revisions"} {
			query := `DELETE FROM ` + table + ` WHERE run_id IN (SELECT id FROM runs WHERE id = ? AND NOT (` + notFinal + `))`
			if _, err := tx.ExecContext(ctx, query, runID); err != nil {
				return err
			}
		}
		result, err := tx.ExecContext(ctx, `DELETE FROM runs WHERE id = ? AND NOT (`+notFinal+`)`, runID)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n == 1 {
			return err
		}
		return refused(ctx, tx, "run", "SELECT state FROM runs WHERE id = ?", runID)
	})
}

// addRevision stores the next analysis of a run and sets its Number.
func addRevision(ctx context.Context, tx *transaction, r *sparkwright.Revision) error {
	if r.CreatedAt.IsZero() {
		r.CreatedAt = time.Now().UTC().Truncate(time.Microsecond)
	}
	fault, err := encode(r.Fault, r.Fault != nil)
	if err != nil {
		return err
	}
	return tx.QueryRowContext(ctx, `INSERT INTO revisions (`+revisionColumns+`)
		VALUES (?, (SELECT coalesce(max(number), 0) + 1 FROM revisions WHERE run_id = ?), ?, ?, ?, ?, ?) RETURNING number`,
		r.RunID, r.RunID, clean(r.Code), clean(r.Generator), clean(r.Why), fault, r.CreatedAt.UnixMicro()).Scan(&r.Number)
}

// faultRevision says what was wrong with the newest analysis of a run.
func faultRevision(ctx context.Context, tx *transaction, runID string, f *sparkwright.Fault) error {
	fault, err := encode(f, f != nil)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `UPDATE revisions SET fault_json = ?
		WHERE run_id = ? AND number = (SELECT max(number) FROM revisions WHERE run_id = ?)`, fault, runID, runID)
	return err
}

// Revisions returns every analysis of a run, in order. CodeNotFound when there
// is no such run; the id is the whole one.
func (s *Store) Revisions(ctx context.Context, runID string) ([]sparkwright.Revision, error) {
	const operation = "read the analyses"
	rows, err := s.read.QueryContext(ctx, `SELECT `+revisionColumns+` FROM revisions WHERE run_id = ? ORDER BY number`, runID)
	if err != nil {
		return nil, interpretError(operation, err)
	}
	list, err := collect(rows, scanRevision)
	if err != nil {
		return nil, interpretError(operation, err)
	}
	if len(list) == 0 {
		_, err = s.Request(ctx, runID)
	}
	return list, err
}

// LastEvent returns the number of the run's last event, and whether the run is
// final. CodeNotFound.
func (s *Store) LastEvent(ctx context.Context, runID string) (seq int64, final bool, err error) {
	var state sparkwright.RunState
	err = s.read.QueryRowContext(ctx, `SELECT last_seq, state FROM runs WHERE id = ?`, runID).Scan(&seq, &state)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, false, s.noRun(ctx, runID)
	}
	if err != nil {
		return 0, false, interpretError("look for events", err)
	}
	return seq, state.Final(), nil
}
