package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/sparkwright/sparkwright"
)

// ErrFenced says that a run has another owner now: whoever gets it stops, and
// changes nothing any more.
var ErrFenced = errors.New("the run has another owner")

// ErrNoPlace says that the executor carries out as many attempts as it may.
var ErrNoPlace = errors.New("no place is free")

// Lease is the right to change a run.
type Lease struct {
	RunID string
	Fence int64
}

// Held is a run with everything that is needed to go on with it.
type Held struct {
	Lease
	Run     *sparkwright.Run // with its attempts
	Request sparkwright.Request
	Step    string
	Work    json.RawMessage // what the steps remember; nil = nothing
}

// Change is one transition of a run. Everything in it is one transaction.
type Change struct {
	Run      *sparkwright.Run
	Step     string          // the step that comes next
	Work     json.RawMessage // what the steps remember
	Attempt  *sparkwright.Attempt
	Places   int                 // attempts that Run's executor may have open with this new one; 0 = any number. ErrNoPlace
	Events   []sparkwright.Event // their Seq is set
	Revision *sparkwright.Revision
	Fault    *sparkwright.Fault // of the newest revision
	Release  bool               // gives the lease up
	// Then runs at the end of the transaction and returns the number of the
	// queue's job that goes on; 0 leaves the number as it is. It may be nil.
	Then func(ctx context.Context, tx *sql.Tx) (int64, error)
}

// Commit carries out a change. ErrFenced when the lease is no longer held;
// CodeConflict when the run or the attempt is in a final state.
func (s *Store) Commit(ctx context.Context, l Lease, c *Change) error {
	list, err := changing(c.Run)
	if err != nil {
		return interpretError("store the run", err)
	}
	return s.inTx(ctx, "store the run", func(tx *transaction) error {
		var set []string
		var values []any
		for _, col := range list {
			if col.name == "owner" && !c.Release && !c.Run.State.Final() {
				continue
			}
			if col.name == "owner" {
				col.value = ""
			}
			set, values = append(set, col.name+" = ?"), append(values, col.value)
		}
		values = append(values, c.Step, document{String: string(c.Work), Valid: c.Work != nil}, len(c.Events), l.RunID, l.Fence)
		var last int64
		err = tx.QueryRowContext(ctx, `UPDATE runs SET `+strings.Join(set, ", ")+`, step = ?, work_json = ?, last_seq = last_seq + ?
			WHERE id = ? AND fence = ? AND `+notFinal+` RETURNING last_seq`, values...).Scan(&last)
		if errors.Is(err, sql.ErrNoRows) {
			return fenced(ctx, tx, l)
		}
		if err != nil {
			return err
		}
		if err = putEvents(ctx, tx, l.RunID, last, c.Events); err != nil {
			return err
		}
		if c.Places > 0 {
			if err = place(ctx, tx, c); err != nil {
				return err
			}
		}
		if c.Attempt != nil {
			if err = putAttempt(ctx, tx, c.Attempt); err != nil {
				return err
			}
		}
		if c.Revision != nil {
			if err = addRevision(ctx, tx, c.Revision); err != nil {
				return err
			}
		}
		if c.Fault != nil {
			if err = faultRevision(ctx, tx, l.RunID, c.Fault); err != nil {
				return err
			}
		}
		if c.Then == nil {
			if c.Release && !c.Run.State.Final() { // somebody outside puts it into the queue again
				_, err = tx.ExecContext(ctx, `UPDATE runs SET job = 0 WHERE id = ?`, l.RunID)
			}
			return err
		}
		job, err := c.Then(ctx, tx.Tx)
		if err != nil || job == 0 {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE runs SET job = ? WHERE id = ?`, job, l.RunID)
		return err
	})
}

// place refuses a new attempt when its executor has enough.
func place(ctx context.Context, tx *transaction, c *Change) error {
	if tx.d == inPostgres { // two servers count one after the other
		if _, err := tx.ExecContext(ctx, `SELECT pg_advisory_xact_lock(hashtext(?))`, "executor "+c.Run.Placement.Executor); err != nil {
			return err
		}
	}
	var open int
	err := tx.QueryRowContext(ctx, `SELECT count(*) FROM attempts a JOIN runs r ON r.id = a.run_id
		WHERE a.state NOT IN ('succeeded', 'failed', 'cancelled', 'lost') AND r.executor = ? AND a.id <> ?`,
		c.Run.Placement.Executor, c.Attempt.ID).Scan(&open)
	if err == nil && open >= c.Places {
		return ErrNoPlace
	}
	return err
}

// AppendEvents adds events to the history of a run that is held. ErrFenced.
func (s *Store) AppendEvents(ctx context.Context, l Lease, events []sparkwright.Event) error {
	if len(events) == 0 {
		return nil
	}
	return s.inTx(ctx, "store the events", func(tx *transaction) error {
		var last int64
		err := tx.QueryRowContext(ctx, `UPDATE runs SET last_seq = last_seq + ? WHERE id = ? AND fence = ? RETURNING last_seq`,
			len(events), l.RunID, l.Fence).Scan(&last)
		if errors.Is(err, sql.ErrNoRows) {
			return ErrFenced
		}
		if err != nil {
			return err
		}
		return putEvents(ctx, tx, l.RunID, last, events)
	})
}

// fenced tells why a run could not be changed.
func fenced(ctx context.Context, tx *transaction, l Lease) error {
	var fence int64
	switch err := tx.QueryRowContext(ctx, `SELECT fence FROM runs WHERE id = ?`, l.RunID).Scan(&fence); {
	case err == nil && fence != l.Fence:
		return ErrFenced
	case err != nil && !errors.Is(err, sql.ErrNoRows):
		return err
	}
	return refused(ctx, tx, "run", "SELECT state FROM runs WHERE id = ?", l.RunID)
}

// Take makes server the owner of a run whose fence is still ticket, and
// returns the run. ErrFenced when somebody else has been faster, or the run is
// final.
func (s *Store) Take(ctx context.Context, server, runID string, ticket int64) (*Held, error) {
	h := &Held{Lease: Lease{RunID: runID}}
	err := s.inTx(ctx, "take the run", func(tx *transaction) error {
		var request, work document
		err := tx.QueryRowContext(ctx, `UPDATE runs SET owner = ?, fence = fence + 1
			WHERE id = ? AND fence = ? AND `+notFinal+` RETURNING fence, step, request_json, work_json`,
			server, runID, ticket).Scan(&h.Fence, &h.Step, &request, &work)
		if errors.Is(err, sql.ErrNoRows) {
			return ErrFenced
		}
		if err != nil {
			return err
		}
		if work.Valid {
			h.Work = json.RawMessage(work.String)
		}
		return decode(request, &h.Request)
	})
	if err != nil {
		return nil, err
	}
	h.Run, err = s.Run(ctx, runID)
	return h, err
}

// TakeFree is Take for a run that nobody has: ErrFenced when somebody does.
func (s *Store) TakeFree(ctx context.Context, server, runID string) (*Held, error) {
	return s.takeFree(ctx, server, runID, "")
}

// TakeIdle is TakeFree for a run that no job of the queue is to go on with
// either: whoever takes a run takes it away from its job.
func (s *Store) TakeIdle(ctx context.Context, server, runID string) (*Held, error) {
	return s.takeFree(ctx, server, runID, " AND job = 0")
}

func (s *Store) takeFree(ctx context.Context, server, runID, and string) (*Held, error) {
	var fence int64
	err := s.read.QueryRowContext(ctx, `SELECT fence FROM runs WHERE id = ? AND owner = ''`+and, runID).Scan(&fence)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, ErrFenced
	}
	if err != nil {
		return nil, interpretError("take the run", err)
	}
	return s.Take(ctx, server, runID, fence)
}

// Holds reports whether a lease is still the run's.
func (s *Store) Holds(ctx context.Context, l Lease) (bool, error) {
	var fence int64
	err := s.read.QueryRowContext(ctx, `SELECT fence FROM runs WHERE id = ?`, l.RunID).Scan(&fence)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, interpretError("look at the run", err)
	}
	return fence == l.Fence, nil
}

// Retake ends the hold that a lost owner, or a lost job of the queue, has on a
// run: the run gets a new fence and no owner, and enqueue puts it into the queue
// with that fence, in one transaction. It reports false when the run has moved
// on meanwhile.
func (s *Store) Retake(ctx context.Context, l Lease, enqueue func(ctx context.Context, tx *sql.Tx, fence int64) (int64, error)) (bool, error) {
	done := false
	err := s.inTx(ctx, "take over the run", func(tx *transaction) error {
		result, err := tx.ExecContext(ctx, `UPDATE runs SET owner = '', fence = fence + 1 WHERE id = ? AND fence = ? AND `+notFinal, l.RunID, l.Fence)
		if err != nil {
			return err
		}
		n, err := result.RowsAffected()
		if err != nil || n == 0 {
			return err
		}
		job, err := enqueue(ctx, tx.Tx, l.Fence+1)
		if err != nil {
			return err
		}
		done = true
		_, err = tx.ExecContext(ctx, `UPDATE runs SET job = ? WHERE id = ?`, job, l.RunID)
		return err
	})
	return done && err == nil, err
}

// Server is a process that carries out runs.
type Server struct {
	ID      string
	Process string        // as it names itself on its machine
	Silent  time.Duration // since its last beat
}

// Beat says that a server lives, and makes it known at first.
func (s *Store) Beat(ctx context.Context, id, process string) error {
	now := s.d.now()
	_, err := s.write.ExecContext(ctx, `INSERT INTO servers (id, process, started, beat) VALUES (?, ?, `+now+`, `+now+`)
		ON CONFLICT (id) DO UPDATE SET beat = excluded.beat`, id, process)
	if err != nil {
		return interpretError("say that this server lives", err)
	}
	return nil
}

// Forget removes a server that has ended.
func (s *Store) Forget(ctx context.Context, id string) error {
	if _, err := s.write.ExecContext(ctx, `DELETE FROM servers WHERE id = ?`, id); err != nil {
		return interpretError("say that this server ends", err)
	}
	return nil
}

// Servers lists the servers that have not been forgotten.
func (s *Store) Servers(ctx context.Context) ([]Server, error) {
	const operation = "list the servers"
	rows, err := s.read.QueryContext(ctx, `SELECT id, process, `+s.d.now()+` - beat FROM servers`)
	if err != nil {
		return nil, interpretError(operation, err)
	}
	list, err := collect(rows, func(row scanner) (v Server, err error) {
		var silent int64
		err = row.Scan(&v.ID, &v.Process, &silent)
		v.Silent = time.Duration(silent) * time.Microsecond
		return v, err
	})
	if err != nil {
		return nil, interpretError(operation, err)
	}
	return list, nil
}

// OpenRun is a run that is in no final state, and who has it.
type OpenRun struct {
	Lease
	State      sparkwright.RunState
	Owner      string // id of a server, or ''
	Job        int64
	Foreground bool
	Cancel     bool // somebody wants it to end
}

// OpenRuns lists the runs in no final state, oldest first.
func (s *Store) OpenRuns(ctx context.Context) ([]OpenRun, error) {
	const operation = "list the open runs"
	rows, err := s.read.QueryContext(ctx, `SELECT id, fence, state, owner, job, foreground, cancel_wanted FROM runs WHERE `+notFinal+` ORDER BY created_at, id`)
	if err != nil {
		return nil, interpretError(operation, err)
	}
	list, err := collect(rows, func(row scanner) (o OpenRun, err error) {
		var foreground, wanted int64
		err = row.Scan(&o.RunID, &o.Fence, &o.State, &o.Owner, &o.Job, &foreground, &wanted)
		o.Foreground, o.Cancel = foreground != 0, wanted != 0
		return o, err
	})
	if err != nil {
		return nil, interpretError(operation, err)
	}
	return list, nil
}

// CancelWanted lists the runs of a server that somebody wants to end.
func (s *Store) CancelWanted(ctx context.Context, server string) ([]string, error) {
	const operation = "look for cancels"
	rows, err := s.read.QueryContext(ctx, `SELECT id FROM runs WHERE owner = ? AND cancel_wanted = 1 AND `+notFinal, server)
	if err != nil {
		return nil, interpretError(operation, err)
	}
	list, err := collect(rows, func(row scanner) (id string, err error) { return id, row.Scan(&id) })
	if err != nil {
		return nil, interpretError(operation, err)
	}
	return list, nil
}

// Tails tells the number of the last event of each of these runs, and whether
// the run is final. Runs that do not exist are left out.
func (s *Store) Tails(ctx context.Context, runIDs []string) (map[string]Tail, error) {
	const operation = "look for events"
	out := map[string]Tail{}
	for part := range slices.Chunk(runIDs, 500) {
		args := make([]any, len(part))
		for i, id := range part {
			args[i] = id
		}
		marks := strings.TrimSuffix(strings.Repeat("?, ", len(part)), ", ")
		rows, err := s.read.QueryContext(ctx, `SELECT id, last_seq, state FROM runs WHERE id IN (`+marks+`)`, args...)
		if err != nil {
			return nil, interpretError(operation, err)
		}
		_, err = collect(rows, func(row scanner) (id string, err error) {
			var t Tail
			var state sparkwright.RunState
			err = row.Scan(&id, &t.Seq, &state)
			t.Final = state.Final()
			out[id] = t
			return id, err
		})
		if err != nil {
			return nil, interpretError(operation, err)
		}
	}
	return out, nil
}

// Tail is the end of a run's history.
type Tail struct {
	Seq   int64
	Final bool
}
