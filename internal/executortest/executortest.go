// Package executortest is the conformance suite of sparkwright.Executor. Every
// executor's tests run it; jobs run on a real Spark and need no database.
package executortest

import (
	"context"
	"encoding/json"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/artifact"
	"github.com/sparkwright/sparkwright/internal/jobscript"
)

// Suite is an executor with what its attempts need.
type Suite struct {
	Executor sparkwright.Executor
	// Restarted returns an executor that knows nothing of the first one's
	// attempts, as after a restart of the process.
	Restarted func() sparkwright.Executor
	// Job renders a job over no tables.
	Job func(t *testing.T, id, analysis string) sparkwright.Job
	// Load is the verified result of a job, with its parts in a directory.
	Load func(t *testing.T, job sparkwright.Job) *sparkwright.Manifest
	// Gone turns the handle of r_known into one that nobody knows.
	Gone func(h sparkwright.Handle) sparkwright.Handle
}

// Run runs the suite for an executor of this machine.
func Run(t *testing.T, e sparkwright.Executor, restarted func() sparkwright.Executor) {
	Suite{
		Executor: e, Restarted: restarted, Job: Job,
		Load: func(t *testing.T, job sparkwright.Job) *sparkwright.Manifest {
			t.Helper()
			m, err := artifact.Load(job.Location, job.Attempt.RunID, job.Attempt.ID)
			if err != nil {
				t.Fatal(err)
			}
			return m
		},
		Gone: func(h sparkwright.Handle) sparkwright.Handle {
			h.Data = json.RawMessage(strings.ReplaceAll(string(h.Data), "r_known", "r_gone"))
			return h
		},
	}.Run(t)
}

// Run runs the suite.
func (s Suite) Run(t *testing.T) {
	t.Run("succeeds", s.succeeds)
	t.Run("submit is idempotent", s.idempotent)
	t.Run("a fault of the code", s.fault)
	t.Run("exit without a result is never success", s.exits)
	t.Run("cancel stops what runs", s.cancels)
	t.Run("after a restart", s.afterRestart)
	t.Run("a foreign handle is refused", s.foreign)
}

// Job renders a job over no tables.
func Job(t *testing.T, id, analysis string) sparkwright.Job {
	t.Helper()
	location := filepath.Join(t.TempDir(), "result")
	script, err := jobscript.Render(jobscript.Spec{
		RunID: id, AttemptID: id + "-1", Location: location, Analysis: analysis, PreviewRows: 10,
	})
	if err != nil {
		t.Fatal(err)
	}
	return sparkwright.Job{
		Attempt:  sparkwright.Attempt{ID: id + "-1", RunID: id, Number: 1, Analysis: analysis, Script: script},
		Location: location,
	}
}

// Sink collects what a job tells.
type Sink struct {
	mu    sync.Mutex
	log   strings.Builder
	Steps []sparkwright.Progress
}

// Log implements sparkwright.Sink.
func (s *Sink) Log(_, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log.WriteString(text)
}

// Progress implements sparkwright.Sink.
func (s *Sink) Progress(p sparkwright.Progress) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Steps = append(s.Steps, p)
}

// Text is everything that was logged.
func (s *Sink) Text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.String()
}

// Finish follows an attempt to its end.
func Finish(t *testing.T, e sparkwright.Executor, h sparkwright.Handle, sink sparkwright.Sink) sparkwright.Outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	for {
		e.Wait(ctx, h)
		out, err := e.Poll(ctx, h, sink)
		if err != nil {
			t.Fatal(err)
		}
		if out.State.Final() {
			return out
		}
		if ctx.Err() != nil {
			t.Fatalf("the attempt is still %s", out.State)
		}
	}
}

func submit(t *testing.T, e sparkwright.Executor, job sparkwright.Job) sparkwright.Handle {
	t.Helper()
	h, err := e.Submit(t.Context(), job)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func (s Suite) succeeds(t *testing.T) {
	e := s.Executor
	job := s.Job(t, "r_ok", "print('hello from the job')\nresult = spark.range(25).selectExpr('id', 'id * 1.50 AS x').orderBy('id')")
	sink := &Sink{}
	out := Finish(t, e, submit(t, e, job), sink)
	if out.State != sparkwright.AttemptSucceeded {
		t.Fatalf("state %s, fault %+v, log %s", out.State, out.Fault, sink.Text())
	}
	m := s.Load(t, job)
	if m.RowCount != 25 || len(m.Preview) != 10 || !m.Truncated {
		t.Errorf("%d rows, %d in the preview, truncated %v", m.RowCount, len(m.Preview), m.Truncated)
	}
	if got := string(m.Preview[9][1]); got != "13.50" {
		t.Errorf("the last cell is %s, want 13.50", got)
	}
	if !strings.Contains(sink.Text(), "hello from the job") {
		t.Errorf("the job's output is missing: %q", sink.Text())
	}
	sameRows(t, m)
}

// sameRows compares the rows in the parts with the job's own preview.
func sameRows(t *testing.T, m *sparkwright.Manifest) {
	t.Helper()
	var rows int
	err := artifact.Rows(t.Context(), m, func(cells []json.RawMessage) error {
		if rows < len(m.Preview) {
			for i := range cells {
				if string(cells[i]) != string(m.Preview[rows][i]) {
					t.Errorf("row %d: the part has %s, the preview %s", rows, cells[i], m.Preview[rows][i])
				}
			}
		}
		rows++
		return nil
	})
	if err != nil || int64(rows) != m.RowCount {
		t.Errorf("%d rows in the parts, %d in the manifest, error %v", rows, m.RowCount, err)
	}
}

func (s Suite) idempotent(t *testing.T) {
	e := s.Executor
	job := s.Job(t, "r_twice", "print('began')\nresult = spark.range(3)")
	first, second := submit(t, e, job), submit(t, e, job)
	if string(first.Data) != string(second.Data) {
		t.Error("the second submit gave another handle")
	}
	sink := &Sink{}
	Finish(t, e, first, sink)
	if n := strings.Count(sink.Text(), "began"); n != 1 {
		t.Errorf("the job ran %d times", n)
	}
}

func (s Suite) fault(t *testing.T) {
	e := s.Executor
	job := s.Job(t, "r_fault", "a = 1\nresult = spark.sql('select no_such_column from (select 1 as x)')")
	out := Finish(t, e, submit(t, e, job), &Sink{})
	if out.State != sparkwright.AttemptFailed || out.Fault == nil {
		t.Fatalf("state %s, fault %v", out.State, out.Fault)
	}
	if !strings.HasPrefix(out.Fault.Class, "UNRESOLVED_COLUMN") || out.Fault.SQLState != "42703" || out.Fault.Line != 2 {
		t.Errorf("class %s, SQLSTATE %s, line %d", out.Fault.Class, out.Fault.SQLState, out.Fault.Line)
	}
	if strings.Contains(out.Fault.Message, "JVM stacktrace") {
		t.Error("the message holds a stack trace")
	}
}

func (s Suite) exits(t *testing.T) {
	e := s.Executor
	job := s.Job(t, "r_exit", "import os\nos._exit(0)")
	out := Finish(t, e, submit(t, e, job), &Sink{})
	if out.State != sparkwright.AttemptFailed || out.Fault == nil || out.Fault.Kind != sparkwright.FaultLost {
		t.Errorf("state %s, fault %+v; want failed, lost", out.State, out.Fault)
	}
}

// endless keeps Spark busy for hours.
const endless = "result = spark.range(0, 10**14, 1, 2).selectExpr('sum(sqrt(id)) AS s')"

func (s Suite) cancels(t *testing.T) {
	e := s.Executor
	h := submit(t, e, s.Job(t, "r_cancel", endless))
	for {
		e.Wait(t.Context(), h)
		out, err := e.Poll(t.Context(), h, &Sink{})
		if err != nil || out.State.Final() {
			t.Fatalf("ended by itself: %+v, %v", out, err)
		}
		if out.State == sparkwright.AttemptRunning {
			break
		}
	}
	for range 2 { // safe twice
		if err := e.Cancel(t.Context(), h); err != nil {
			t.Fatal(err)
		}
	}
	out, err := e.Poll(t.Context(), h, &Sink{})
	if err != nil || out.State != sparkwright.AttemptCancelled {
		t.Errorf("state %s, error %v", out.State, err)
	}
}

func (s Suite) afterRestart(t *testing.T) {
	e := s.Executor
	job := s.Job(t, "r_known", "result = spark.range(1)")
	h := submit(t, e, job)
	Finish(t, e, h, &Sink{})
	other := s.Restarted()
	out, err := other.Poll(t.Context(), h, &Sink{})
	if err != nil || out.State != sparkwright.AttemptSucceeded {
		t.Errorf("a finished attempt: state %s, error %v", out.State, err)
	}
	gone := s.Gone(h)
	out, err = other.Poll(t.Context(), gone, &Sink{})
	if err != nil || out.State != sparkwright.AttemptLost {
		t.Errorf("an unknown attempt: state %s, error %v; want lost", out.State, err)
	}
	if err := other.Cancel(t.Context(), gone); err != nil {
		t.Errorf("cancel of an unknown attempt: %v", err)
	}
}

func (s Suite) foreign(t *testing.T) {
	e := s.Executor
	_, err := e.Poll(t.Context(), sparkwright.Handle{Version: 1, Executor: "other"}, &Sink{})
	if sparkwright.ErrorCode(err) != sparkwright.CodeInvalid {
		t.Errorf("error %v; want invalid", err)
	}
}
