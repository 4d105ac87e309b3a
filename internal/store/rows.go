package store

import (
	"database/sql"
	"encoding/json"
	"time"

	"github.com/sparkwright/sparkwright"
)

// The columns of a row, in the order of runRow.scan and runRow.values.
const (
	runColumns = `id, state, owner, question_json, understood, generator, executor, reason, views_json,
		analysis, declined_json, fault_json, result_json, timings_json, created_at, finished_at`
	attemptColumns = `id, run_id, number, state, analysis, script, handle_json, fault_json, started_at, finished_at`
	eventColumns   = `run_id, seq, at, type, state, step, body, stream, progress_json`
)

type scanner interface{ Scan(...any) error }

// document is a JSON column: NULL for a nil value.
type document = sql.NullString

func encode[T any](value T, is bool) (document, error) {
	if !is {
		return document{}, nil
	}
	text, err := json.Marshal(value)
	return document{String: string(text), Valid: true}, err
}

func decode(d document, into any) error {
	if !d.Valid {
		return nil
	}
	return json.Unmarshal([]byte(d.String), into)
}

func instant(t *time.Time) sql.NullInt64 {
	if t == nil {
		return sql.NullInt64{}
	}
	return sql.NullInt64{Int64: t.UnixMicro(), Valid: true}
}

func moment(n sql.NullInt64) *time.Time {
	if !n.Valid {
		return nil
	}
	t := time.UnixMicro(n.Int64).UTC()
	return &t
}

// runValues are the columns of a run.
func runValues(r *sparkwright.Run) ([]any, error) {
	var docs [6]document
	var errs [6]error
	docs[0], errs[0] = encode(r.Question, true)
	docs[1], errs[1] = encode(r.Views, r.Views != nil)
	docs[2], errs[2] = encode(r.Declined, r.Declined != nil)
	docs[3], errs[3] = encode(r.Fault, r.Fault != nil)
	docs[4], errs[4] = encode(r.Result, r.Result != nil)
	docs[5], errs[5] = encode(r.Timings, r.Timings != nil)
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return []any{
		r.ID, string(r.State), r.Owner, docs[0], clean(r.Understood), clean(r.Generator), r.Placement.Executor,
		clean(r.Placement.Reason), docs[1], clean(r.Analysis), docs[2], docs[3], docs[4], docs[5],
		r.CreatedAt.UnixMicro(), instant(r.FinishedAt),
	}, nil
}

func scanRun(row scanner) (*sparkwright.Run, error) {
	var (
		r        sparkwright.Run
		docs     [6]document
		created  int64
		finished sql.NullInt64
	)
	err := row.Scan(&r.ID, &r.State, &r.Owner, &docs[0], &r.Understood, &r.Generator, &r.Placement.Executor,
		&r.Placement.Reason, &docs[1], &r.Analysis, &docs[2], &docs[3], &docs[4], &docs[5], &created, &finished)
	if err != nil {
		return nil, err
	}
	for i, into := range []any{&r.Question, &r.Views, &r.Declined, &r.Fault, &r.Result, &r.Timings} {
		if err = decode(docs[i], into); err != nil {
			return nil, err
		}
	}
	r.CreatedAt, r.FinishedAt = time.UnixMicro(created).UTC(), moment(finished)
	return &r, nil
}

func attemptValues(a *sparkwright.Attempt) ([]any, error) {
	handle, err := encode(a.Handle, a.Handle != nil)
	if err != nil {
		return nil, err
	}
	fault, err := encode(a.Fault, a.Fault != nil)
	return []any{
		a.ID, a.RunID, a.Number, string(a.State), clean(a.Analysis), clean(a.Script), handle, fault,
		a.StartedAt.UnixMicro(), instant(a.FinishedAt),
	}, err
}

func scanAttempt(row scanner) (sparkwright.Attempt, error) {
	var (
		a             sparkwright.Attempt
		handle, fault document
		started       int64
		finished      sql.NullInt64
	)
	err := row.Scan(&a.ID, &a.RunID, &a.Number, &a.State, &a.Analysis, &a.Script, &handle, &fault, &started, &finished)
	if err != nil {
		return a, err
	}
	if err = decode(handle, &a.Handle); err != nil {
		return a, err
	}
	a.StartedAt, a.FinishedAt = time.UnixMicro(started).UTC(), moment(finished)
	return a, decode(fault, &a.Fault)
}

func scanEvent(row scanner) (sparkwright.Event, error) {
	var (
		e        sparkwright.Event
		at       int64
		progress document
	)
	err := row.Scan(&e.RunID, &e.Seq, &at, &e.Type, &e.State, &e.Step, &e.Text, &e.Stream, &progress)
	if err != nil {
		return e, err
	}
	e.At = time.UnixMicro(at).UTC()
	return e, decode(progress, &e.Progress)
}

// collect reads all rows.
func collect[T any](rows *sql.Rows, scan func(scanner) (T, error)) (list []T, err error) {
	defer func() {
		if closeErr := rows.Close(); err == nil {
			err = closeErr
		}
	}()
	for rows.Next() {
		item, err := scan(rows)
		if err != nil {
			return nil, err
		}
		list = append(list, item)
	}
	return list, rows.Err()
}
