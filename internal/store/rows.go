package store

import (
	"database/sql"
	"encoding/json"
	"strings"
	"time"

	"github.com/sparkwright/sparkwright"
)

// The columns of a row, in the order in which they are scanned.
const (
	runColumns = `id, state, owner, question_json, understood, generator, executor, reason, views_json,
		analysis, declined_json, fault_json, result_json, timings_json, created_at, finished_at,
		session, user_name, parent, pinned, assumptions_json, findings_json, usage_json, repairs,
		receipt_json, crosscheck_json, placement_json`
	attemptColumns  = `id, run_id, number, state, analysis, script, handle_json, fault_json, started_at, finished_at`
	eventColumns    = `run_id, seq, at, type, state, step, body, stream, progress_json`
	revisionColumns = `run_id, number, code, generator, why, fault_json, created_at`
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

func number(yes bool) int64 {
	if yes {
		return 1
	}
	return 0
}

// column is one column of a run that is written, and its value.
type column struct {
	name  string
	value any
}

// changing are the columns of a run that its owner may change, with values.
func changing(r *sparkwright.Run) ([]column, error) {
	var err error
	doc := func(value any, is bool) document {
		d, e := encode(value, is)
		if e != nil {
			err = e
		}
		return d
	}
	list := []column{
		{"state", string(r.State)},
		{"owner", r.Owner},
		{"question_json", doc(r.Question, true)},
		{"search", strings.ToLower(clean(r.ID + "\n" + r.Question.Text + "\n" + r.Understood))},
		{"understood", clean(r.Understood)},
		{"generator", clean(r.Generator)},
		{"executor", r.Placement.Executor},
		{"reason", clean(r.Placement.Reason)},
		{"placement_json", doc(r.Placement, true)},
		{"views_json", doc(r.Views, r.Views != nil)},
		{"analysis", clean(r.Analysis)},
		{"declined_json", doc(r.Declined, r.Declined != nil)},
		{"fault_json", doc(r.Fault, r.Fault != nil)},
		{"result_json", doc(r.Result, r.Result != nil)},
		{"timings_json", doc(r.Timings, r.Timings != nil)},
		{"assumptions_json", doc(r.Assumptions, r.Assumptions != nil)},
		{"findings_json", doc(r.Findings, r.Findings != nil)},
		{"usage_json", doc(r.Usage, r.Usage != sparkwright.Usage{})},
		{"repairs", int64(r.Repairs)},
		{"receipt_json", doc(r.Receipt, r.Receipt != nil)},
		{"crosscheck_json", doc(r.Crosscheck, r.Crosscheck != nil)},
		{"finished_at", instant(r.FinishedAt)},
	}
	return list, err
}

// fixed are the columns that are set once, when a run is made.
func fixed(r *sparkwright.Run, req sparkwright.Request) ([]column, error) {
	request, err := encode(req, true)
	return []column{
		{"id", r.ID},
		{"created_at", r.CreatedAt.UnixMicro()},
		{"session", clean(r.Session)},
		{"user_name", clean(r.User)},
		{"parent", clean(r.Parent)},
		{"pinned", number(r.Pinned)},
		{"request_json", request},
		{"idempotency_key", sql.NullString{String: clean(req.IdempotencyKey), Valid: req.IdempotencyKey != ""}},
	}, err
}

func scanRun(row scanner) (*sparkwright.Run, error) {
	var (
		r        sparkwright.Run
		docs     [12]document
		created  int64
		finished sql.NullInt64
		pinned   int64
	)
	err := row.Scan(&r.ID, &r.State, &r.Owner, &docs[0], &r.Understood, &r.Generator, &r.Placement.Executor,
		&r.Placement.Reason, &docs[1], &r.Analysis, &docs[2], &docs[3], &docs[4], &docs[5], &created, &finished,
		&r.Session, &r.User, &r.Parent, &pinned, &docs[6], &docs[7], &docs[8], &r.Repairs, &docs[9], &docs[10], &docs[11])
	if err != nil {
		return nil, err
	}
	for i, into := range []any{
		&r.Question, &r.Views, &r.Declined, &r.Fault, &r.Result, &r.Timings,
		&r.Assumptions, &r.Findings, &r.Usage, &r.Receipt, &r.Crosscheck, &r.Placement,
	} {
		if err = decode(docs[i], into); err != nil {
			return nil, err
		}
	}
	r.Verified = r.Generator == sparkwright.GeneratorVerified
	r.CreatedAt, r.FinishedAt, r.Pinned = time.UnixMicro(created).UTC(), moment(finished), pinned != 0
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

func scanRevision(row scanner) (sparkwright.Revision, error) {
	var (
		r       sparkwright.Revision
		fault   document
		created int64
	)
	err := row.Scan(&r.RunID, &r.Number, &r.Code, &r.Generator, &r.Why, &fault, &created)
	if err != nil {
		return r, err
	}
	r.CreatedAt = time.UnixMicro(created).UTC()
	return r, decode(fault, &r.Fault)
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
