// Package attempts is what the executors on this machine have in common: the
// attempts that this process carries out, their output, and the one place that
// decides their outcome.
//
// The job's own files decide: a manifest that matches is succeeded, a
// fault.json is failed, neither is failed as lost. Attempts live in this
// process; after a restart their outcome is read from their files, or they
// are lost.
package attempts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/artifact"
)

// CarryOut runs one attempt to its end. It returns nil when the job ended by
// itself, and a fault when it was stopped or never started. When ctx ends it
// stops everything that the attempt has started before it returns.
type CarryOut func(ctx context.Context, a *Attempt) *sparkwright.Fault

// Set is the attempts of one executor. It is safe for concurrent use.
type Set struct {
	name     string
	timeout  time.Duration
	carryOut CarryOut

	mu  sync.Mutex
	all map[string]*Attempt
}

// NewSet returns an empty set for the executor of that name. timeout is the
// time limit of an attempt; 0 = none.
func NewSet(name string, timeout time.Duration, carryOut CarryOut) *Set {
	return &Set{name: name, timeout: timeout, carryOut: carryOut, all: map[string]*Attempt{}}
}

// Data is what a Handle of the set holds.
type Data struct {
	Attempt  string `json:"attempt"`
	RunID    string `json:"run"`
	Location string `json:"location"`
}

// Attempt is one that this process carries out.
type Attempt struct {
	Data
	Script  string // path of the file
	Secrets map[string]string
	Files   []string // of this machine, that it reads
	Query   *sparkwright.Query

	handle  sparkwright.Handle
	stop    context.CancelCauseFunc
	changed chan struct{} // closed when it is over

	mu       sync.Mutex
	logs     []logLine
	logBytes int
	recent   string // the end of the output, for faults
	progress *sparkwright.Progress
	outcome  sparkwright.Outcome
}

type logLine struct{ stream, text string }

var errCancelled = errors.New("cancelled")

// Submit has the contract of sparkwright.Executor.
func (s *Set) Submit(ctx context.Context, job sparkwright.Job) (sparkwright.Handle, error) {
	id := job.Attempt.ID
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.all[id]; a != nil {
		return a.handle, nil
	}
	data := Data{Attempt: id, RunID: job.Attempt.RunID, Location: job.Location}
	raw, err := json.Marshal(data)
	if err != nil {
		return sparkwright.Handle{}, fmt.Errorf("encode handle: %w", err)
	}
	script := filepath.Join(job.Location, "job.py")
	if err := artifact.WriteFile(script, []byte(job.Attempt.Script)); err != nil {
		return sparkwright.Handle{}, err
	}
	ctx, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	a := &Attempt{
		Data: data, Script: script, Secrets: job.Secrets, Files: job.Files, Query: job.Query, stop: stop, changed: make(chan struct{}),
		handle:  sparkwright.Handle{Version: 1, Executor: s.name, Data: raw},
		outcome: sparkwright.Outcome{State: sparkwright.AttemptSubmitted},
	}
	s.all[id] = a
	go func() {
		defer stop(nil)
		a.finish(s.limited(ctx, a))
	}()
	return a.handle, nil
}

// limited carries out an attempt within the time limit.
func (s *Set) limited(ctx context.Context, a *Attempt) *sparkwright.Fault {
	if s.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, s.timeout)
		defer cancel()
	}
	fault := s.carryOut(ctx, a)
	if fault != nil && ctx.Err() != nil {
		return stopped(ctx) // the reason, not its consequence
	}
	return fault
}

// finish decides the outcome and keeps it for later processes.
func (a *Attempt) finish(fault *sparkwright.Fault) {
	if fault != nil && artifact.LoadFault(a.Location) == nil { // the job may have been faster
		_ = artifact.KeepFault(a.Location, fault) // fails on a full disk
	}
	a.mu.Lock()
	a.outcome = judge(a.Data, a.recent)
	if fault != nil && a.outcome.Fault != nil && a.outcome.Fault.Class == lostClass {
		fault.Log = a.outcome.Fault.Log
		a.outcome.Fault = fault
	}
	a.mu.Unlock()
	close(a.changed)
}

// lostClass is of jobs that left neither a result nor a fault.
const lostClass = "JOB_LOST"

// judge is the only place that says succeeded.
func judge(d Data, log string) sparkwright.Outcome {
	_, err := artifact.Load(d.Location, d.RunID, d.Attempt)
	if err == nil {
		return sparkwright.Outcome{State: sparkwright.AttemptSucceeded}
	}
	out := sparkwright.Outcome{State: sparkwright.AttemptFailed, Fault: artifact.LoadFault(d.Location)}
	if out.Fault == nil {
		out.Fault = artifact.KeptFault(d.Location)
	}
	if out.Fault == nil {
		out.Fault = &sparkwright.Fault{
			Kind: sparkwright.FaultLost, Class: lostClass, Message: "the job ended without a result (" + err.Error() + ")",
			Remedy: "look at the log: sparkwright runs logs " + d.RunID,
		}
	}
	if out.Fault.Kind == sparkwright.FaultCancelled {
		out.State = sparkwright.AttemptCancelled
	}
	if log != "" { // else what the job said of its causes
		out.Fault.Log = log
	}
	return out
}

// stopped tells why an attempt was stopped from outside.
func stopped(ctx context.Context) *sparkwright.Fault {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return &sparkwright.Fault{
			Kind: sparkwright.FaultTimeout, Class: "ATTEMPT_TIMEOUT", Message: "the run took longer than the time limit",
			Remedy: "ask for less, or raise spark.attempt_timeout_seconds in the settings",
		}
	}
	return &sparkwright.Fault{Kind: sparkwright.FaultCancelled, Class: "CANCELLED", Message: "the run was cancelled"}
}

// Poll has the contract of sparkwright.Executor.
func (s *Set) Poll(_ context.Context, h sparkwright.Handle, sink sparkwright.Sink) (sparkwright.Outcome, error) {
	d, a, err := s.find(h)
	if err != nil {
		return sparkwright.Outcome{}, err
	}
	if a == nil { // of an earlier process
		out := judge(d, "")
		if out.Fault != nil && out.Fault.Class == "JOB_LOST" {
			out.State = sparkwright.AttemptLost
		}
		return out, nil
	}
	a.mu.Lock()
	logs, progress, outcome := a.logs, a.progress, a.outcome
	a.logs, a.progress = nil, nil
	a.mu.Unlock()
	if outcome.State.Final() { // from now on its files tell
		s.mu.Lock()
		delete(s.all, d.Attempt)
		s.mu.Unlock()
	}
	for _, l := range logs {
		sink.Log(l.stream, l.text)
	}
	if progress != nil {
		sink.Progress(*progress)
	}
	return outcome, nil
}

// pollEvery is how often a waiting caller looks at output and progress.
const pollEvery = 200 * time.Millisecond

// Wait has the contract of sparkwright.Executor.
func (s *Set) Wait(ctx context.Context, h sparkwright.Handle) {
	_, a, err := s.find(h)
	if err != nil || a == nil {
		return
	}
	timer := time.NewTimer(pollEvery)
	defer timer.Stop()
	select {
	case <-a.changed:
	case <-timer.C:
	case <-ctx.Done():
	}
}

// Cancel has the contract of sparkwright.Executor.
func (s *Set) Cancel(ctx context.Context, h sparkwright.Handle) error {
	d, a, err := s.find(h)
	if err != nil || a == nil {
		return err
	}
	a.stop(errCancelled)
	select {
	case <-a.changed:
		return nil
	case <-ctx.Done():
		return sparkwright.Errorf(sparkwright.CodeTimeout, "attempt %s was told to stop and has not yet: %w", d.Attempt, ctx.Err())
	}
}

// Close cancels everything that runs.
func (s *Set) Close(ctx context.Context) {
	s.mu.Lock()
	var open []sparkwright.Handle
	for _, a := range s.all {
		open = append(open, a.handle)
	}
	s.mu.Unlock()
	for _, h := range open {
		_ = s.Cancel(ctx, h)
	}
}

func (s *Set) find(h sparkwright.Handle) (Data, *Attempt, error) {
	var d Data
	if h.Version != 1 || h.Executor != s.name {
		return d, nil, sparkwright.Errorf(sparkwright.CodeInvalid, "not a handle of the %s executor", s.name)
	}
	if err := json.Unmarshal(h.Data, &d); err != nil {
		return d, nil, sparkwright.Errorf(sparkwright.CodeInvalid, "a broken handle: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return d, s.all[d.Attempt], nil
}

// Running says that the script has begun.
func (a *Attempt) Running() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.outcome.State = sparkwright.AttemptRunning
}

// Progress keeps the latest progress for the next Poll.
func (a *Attempt) Progress(p sparkwright.Progress) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.progress = &p
}

const (
	maxLog    = 4 << 20 // what is kept of one attempt's output
	maxRecent = 8 << 10 // what a fault carries of it
)

// Collect keeps one stream of the job's output until it ends.
func (a *Attempt) Collect(stream string, r io.Reader) {
	buf := make([]byte, 32<<10)
	for {
		n, err := r.Read(buf)
		if n > 0 {
			text := strings.ToValidUTF8(string(buf[:n]), "\uFFFD")
			a.mu.Lock()
			if a.logBytes < maxLog {
				a.logs = append(a.logs, logLine{stream, text})
				a.logBytes += n
			}
			a.recent += text
			a.recent = a.recent[max(0, len(a.recent)-maxRecent):]
			a.mu.Unlock()
		}
		if err != nil {
			return
		}
	}
}
