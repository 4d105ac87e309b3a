package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/base32"
	"errors"
	"fmt"
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

// Admission is what holds for a new run.
type Admission struct {
	Queue      int // runs that may be open at once; 0 = any number
	Session    int // the same for one session
	Step       string
	Foreground bool
	// Then puts the run into the queue, in the transaction that stores it, and
	// returns the number of its job; nil when the run's owner carries it out.
	Then func(ctx context.Context, tx *sql.Tx) (int64, error)
}

// CreateRun stores a new run, without its Attempts, and the request that asked
// for it. A zero CreatedAt is set to now. CodeConflict when the id, or the
// request's IdempotencyKey of that user, exists; CodeBusy when too many runs
// are open.
func (s *Store) CreateRun(ctx context.Context, r *sparkwright.Run, req sparkwright.Request, a Admission) error {
	const operation = "store the run"
	if r.ID == "" || r.State == "" {
		return sparkwright.Errorf(sparkwright.CodeInvalid, "a run needs an id and a state")
	}
	if r.CreatedAt.IsZero() {
		r.CreatedAt = time.Now().UTC().Truncate(time.Microsecond)
	}
	list, err := fixed(r, req)
	if err != nil {
		return interpretError(operation, err)
	}
	more, err := changing(r)
	if err != nil {
		return interpretError(operation, err)
	}
	list = append(append(list, more...), column{"step", a.Step}, column{"foreground", number(a.Foreground)})
	var names, marks []string
	var values []any
	for _, c := range list {
		names, marks, values = append(names, c.name), append(marks, "?"), append(values, c.value)
	}
	return s.inTx(ctx, operation, func(tx *transaction) error {
		if err := admit(ctx, tx, r.Session, a); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO runs (`+strings.Join(names, ", ")+`) VALUES (`+strings.Join(marks, ", ")+`)`, values...)
		if err != nil || a.Then == nil {
			return err
		}
		job, err := a.Then(ctx, tx.Tx)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE runs SET job = ? WHERE id = ?`, job, r.ID)
		return err
	})
}

// admit refuses a new run when too many are open.
func admit(ctx context.Context, tx *transaction, session string, a Admission) error {
	if a.Queue > 0 {
		var open int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM runs WHERE `+notFinal).Scan(&open); err != nil {
			return err
		}
		if open >= a.Queue {
			return &sparkwright.Error{
				Code: sparkwright.CodeBusy, Message: "too many runs are waiting", Because: fmt.Sprintf("%d are under way or waiting; limits.queue_length is %d", open, a.Queue),
				Remedy: "ask again when some have ended, or cancel some: sparkwright runs list",
			}
		}
	}
	if a.Session > 0 && session != "" {
		var open int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM runs WHERE session = ? AND `+notFinal, session).Scan(&open); err != nil {
			return err
		}
		if open >= a.Session {
			return &sparkwright.Error{
				Code: sparkwright.CodeBusy, Message: "this session has too many runs at once", Because: fmt.Sprintf("%d are under way or waiting; limits.session_runs is %d", open, a.Session),
				Remedy: "wait for one of them, or cancel it",
			}
		}
	}
	return nil
}

// refused tells why a row could not be changed.
func refused(ctx context.Context, tx *transaction, noun, query, id string) error {
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
		WHERE substr(id, 1, length(?)) = ? ORDER BY CASE WHEN id = ? THEN 0 ELSE 1 END, id LIMIT 4`, clean(id), clean(id), clean(id))
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
