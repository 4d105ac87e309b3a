package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/base32"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/sparkwright/sparkwright"
)

// notFinal is the condition on a run that can still change; RunState.Final
// says the same.
const notFinal = `state NOT IN ('succeeded', 'failed', 'declined', 'cancelled')`

// NewRunID returns a new id: "r_" and ten random letters and digits.
func NewRunID() string {
	var random [7]byte
	_, _ = rand.Read(random[:]) // never fails
	text := base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(random[:])
	return "r_" + strings.ToLower(text)[:10]
}

// CreateRun stores a new run, without its Attempts. A zero CreatedAt is set to
// now. CodeConflict when the id exists.
func (s *Store) CreateRun(ctx context.Context, r *sparkwright.Run) error {
	const operation = "store the run"
	if r.ID == "" || r.State == "" {
		return sparkwright.Errorf(sparkwright.CodeInvalid, "a run needs an id and a state")
	}
	if r.CreatedAt.IsZero() {
		r.CreatedAt = time.Now().UTC().Truncate(time.Microsecond)
	}
	values, err := runValues(r)
	if err != nil {
		return interpretError(operation, err)
	}
	_, err = s.write.ExecContext(ctx, `INSERT INTO runs (`+runColumns+`)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, values...)
	if err != nil {
		return interpretError(operation, err)
	}
	return nil
}

// UpdateRun replaces everything of a run but its CreatedAt and its Attempts.
// CodeConflict when the stored run is in a final state: it then stays as it is.
func (s *Store) UpdateRun(ctx context.Context, r *sparkwright.Run) error {
	const operation = "store the run"
	values, err := runValues(r)
	if err != nil {
		return interpretError(operation, err)
	}
	args := append(values[1:14:14], values[15], r.ID)
	return s.inTx(ctx, operation, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, `UPDATE runs SET state = ?, owner = ?, question_json = ?, understood = ?,
			generator = ?, executor = ?, reason = ?, views_json = ?, analysis = ?, declined_json = ?, fault_json = ?,
			result_json = ?, timings_json = ?, finished_at = ? WHERE id = ? AND `+notFinal, args...)
		if err != nil {
			return err
		}
		if changed, err := result.RowsAffected(); err != nil || changed == 1 {
			return err
		}
		return refused(ctx, tx, "run", "SELECT state FROM runs WHERE id = ?", r.ID)
	})
}

// refused tells why a row could not be changed.
func refused(ctx context.Context, tx *sql.Tx, noun, query, id string) error {
	var state string
	switch err := tx.QueryRowContext(ctx, query, id).Scan(&state); {
	case errors.Is(err, sql.ErrNoRows):
		return sparkwright.Errorf(sparkwright.CodeNotFound, "there is no %s %s", noun, id)
	case err != nil:
		return err
	}
	return &sparkwright.Error{
		Code:    sparkwright.CodeConflict,
		Message: "the " + noun + " " + id + " can no longer change",
		Because: "it is " + state,
	}
}

// Run returns the run with that id, or the only one whose id begins with it,
// with all its attempts in order. CodeNotFound names the nearest ids;
// CodeInvalid when several ids begin so.
func (s *Store) Run(ctx context.Context, id string) (*sparkwright.Run, error) {
	const operation = "read the run"
	if id == "" {
		return nil, sparkwright.Errorf(sparkwright.CodeInvalid, "the id of the run is missing")
	}
	rows, err := s.read.QueryContext(ctx, `SELECT `+runColumns+` FROM runs
		WHERE substr(id, 1, length(?1)) = ?1 ORDER BY id <> ?1, id LIMIT 4`, clean(id))
	if err != nil {
		return nil, interpretError(operation, err)
	}
	found, err := collect(rows, scanRun)
	if err != nil {
		return nil, interpretError(operation, err)
	}
	switch {
	case len(found) == 0:
		return nil, s.noRun(ctx, id)
	case len(found) > 1 && found[0].ID != id:
		names := make([]string, len(found))
		for i, r := range found {
			names[i] = r.ID
		}
		return nil, &sparkwright.Error{
			Code:    sparkwright.CodeInvalid,
			Message: "several runs begin with " + id,
			Because: strings.Join(names, ", "),
			Remedy:  "give more of the id",
		}
	}
	r := found[0]
	if rows, err = s.read.QueryContext(ctx, `SELECT `+attemptColumns+` FROM attempts WHERE run_id = ? ORDER BY number`, r.ID); err != nil {
		return nil, interpretError(operation, err)
	}
	if r.Attempts, err = collect(rows, scanAttempt); err != nil {
		return nil, interpretError(operation, err)
	}
	return r, nil
}

// noRun names the ids that id may have meant, else the newest.
func (s *Store) noRun(ctx context.Context, id string) error {
	e := &sparkwright.Error{
		Code:    sparkwright.CodeNotFound,
		Message: "there is no run " + clean(id),
		Remedy:  "list them with: sparkwright runs list",
	}
	rows, err := s.read.QueryContext(ctx, `SELECT id FROM runs ORDER BY created_at DESC, id DESC LIMIT 500`)
	if err != nil {
		return e // the proposal is a courtesy
	}
	ids, err := collect(rows, func(row scanner) (name string, err error) { return name, row.Scan(&name) })
	if err != nil || len(ids) == 0 {
		return e // the proposal is a courtesy
	}
	near := slices.Clone(ids)
	near = slices.DeleteFunc(near, func(name string) bool { return distance(name, id) > 4 })
	slices.SortStableFunc(near, func(a, b string) int { return distance(a, id) - distance(b, id) })
	if len(near) > 0 {
		e.Because = "the nearest are " + strings.Join(near[:min(3, len(near))], ", ")
	} else {
		e.Because = "the newest are " + strings.Join(ids[:min(3, len(ids))], ", ")
	}
	return e
}

// distance is the number of bytes to insert, remove or replace.
func distance(a, b string) int {
	if len(b) > 64 {
		return len(b)
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = min(diagonal, row[j], row[j+1]) + 1
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}

// ListFilter says which runs to list. The zero value lists the newest 50.
type ListFilter struct {
	State  sparkwright.RunState // "" = all
	Limit  int                  // 0 = 50; at most 1000
	Before string               // id of a run, the last one of the page before: only older ones
}

// Runs lists runs, newest first, without their attempts. CodeNotFound when
// Before is no run.
func (s *Store) Runs(ctx context.Context, f ListFilter) ([]sparkwright.Run, error) {
	const operation = "list the runs"
	if f.Limit <= 0 {
		f.Limit = 50
	}
	query, args := `SELECT `+runColumns+` FROM runs WHERE 1`, []any{}
	if f.State != "" {
		query, args = query+` AND state = ?`, append(args, string(f.State))
	}
	if f.Before != "" {
		var created int64
		err := s.read.QueryRowContext(ctx, `SELECT created_at FROM runs WHERE id = ?`, f.Before).Scan(&created)
		if errors.Is(err, sql.ErrNoRows) {
			return nil, s.noRun(ctx, f.Before)
		}
		if err != nil {
			return nil, interpretError(operation, err)
		}
		query, args = query+` AND (created_at, id) < (?, ?)`, append(args, created, f.Before)
	}
	return s.list(ctx, operation, query+` ORDER BY created_at DESC, id DESC LIMIT ?`, append(args, min(f.Limit, 1000))...)
}

// Unfinished lists all runs that are in no final state, oldest first, without
// their attempts. Their Owner tells which process carries them out.
func (s *Store) Unfinished(ctx context.Context) ([]sparkwright.Run, error) {
	return s.list(ctx, "list the unfinished runs", `SELECT `+runColumns+` FROM runs WHERE `+notFinal+` ORDER BY created_at, id`)
}

func (s *Store) list(ctx context.Context, operation, query string, args ...any) ([]sparkwright.Run, error) {
	rows, err := s.read.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, interpretError(operation, err)
	}
	list, err := collect(rows, func(row scanner) (sparkwright.Run, error) {
		r, scanErr := scanRun(row)
		if scanErr != nil {
			return sparkwright.Run{}, scanErr
		}
		return *r, nil
	})
	if err != nil {
		return nil, interpretError(operation, err)
	}
	return list, nil
}
