package supervisor

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/receipt"
	"github.com/sparkwright/sparkwright/internal/redact"
)

// pollStep follows an attempt: in this process for a slice of time, elsewhere
// with one look.
func (j *job) pollStep(ctx context.Context) (next, error) {
	executor, err := j.executor()
	if err != nil {
		return next{}, err
	}
	a := j.attempt()
	if a == nil || a.Handle == nil {
		return next{}, sparkwright.Errorf(sparkwright.CodeInternal, "the run follows no attempt")
	}
	d, outlives := executor.(sparkwright.DurableExecutor)
	slice := time.Now().Add(j.s.cfg.Timing.Slice)
	for {
		if !outlives {
			executor.Wait(ctx, *a.Handle)
		}
		if context.Cause(ctx) != nil {
			return next{}, context.Cause(ctx)
		}
		j.s.failpoint("poll:before")
		out, err := executor.Poll(ctx, *a.Handle, j)
		if err != nil && sparkwright.ErrorCode(err) == sparkwright.CodeUnavailable && outlives {
			j.s.cfg.Log.WarnContext(ctx, "attempt not polled", "run_id", j.run.ID, "error", err)
			return next{step: stepPoll, wait: d.PollEvery(), own: j.holds()}, nil
		}
		if err != nil {
			return next{}, err
		}
		if out.State.Final() {
			return j.outcome(ctx, a, out)
		}
		if a.State != out.State {
			a.State, j.put = out.State, a
		}
		if outlives {
			j.endLogs()
			return next{step: stepPoll, wait: d.PollEvery(), own: j.holds()}, nil
		}
		if time.Now().After(slice) {
			return next{step: stepPoll, own: true, yield: true}, nil
		}
		if err = j.flush(ctx); err != nil {
			return next{}, err
		}
	}
}

// outcome goes on from what an attempt came to.
func (j *job) outcome(ctx context.Context, a *sparkwright.Attempt, out sparkwright.Outcome) (next, error) {
	if out.Billed != nil && j.run.Receipt != nil {
		receipt.Bill(j.run.Receipt, j.s.now().Rates[j.run.Placement.Executor], *out.Billed)
	}
	switch out.State {
	case sparkwright.AttemptSucceeded:
		j.endLogs()
		return next{step: stepCollect}, nil
	case sparkwright.AttemptLost:
		return j.lost(ctx, a)
	default:
	}
	j.cancelBackends(ctx)
	f := out.Fault
	if f == nil {
		f = &sparkwright.Fault{Kind: sparkwright.FaultLost, Class: "JOB_LOST", Message: "the job ended without a result"}
	}
	return next{}, j.closeAttempt(a, out.State, f)
}

// closeAttempt ends an attempt that has failed and returns its fault as an
// error.
func (j *job) closeAttempt(a *sparkwright.Attempt, state sparkwright.AttemptState, f *sparkwright.Fault) error {
	now := time.Now().UTC().Truncate(time.Microsecond)
	j.s.cfg.Explain(f)
	j.endLogs()
	j.hideIn(f)
	a.State, a.Fault, a.FinishedAt = state, f, &now
	j.put = a
	return &faultError{f}
}

// lost ends an attempt that is gone with the process that carried it out, and
// makes another one: jobs only read. What it wrote whole counts.
func (j *job) lost(ctx context.Context, a *sparkwright.Attempt) (next, error) {
	if _, err := j.s.now().LoadResult(j.location(a.Number), j.run.ID, a.ID); err == nil {
		return next{step: stepCollect}, nil
	}
	j.cancelBackends(ctx)
	f := &sparkwright.Fault{
		Kind: sparkwright.FaultLost, Class: "JOB_LOST", Message: "the job ended with the process that carried it out",
		Remedy: "ask again",
	}
	err := j.closeAttempt(a, sparkwright.AttemptLost, f)
	losses := 0
	for i := range j.run.Attempts {
		if j.run.Attempts[i].State == sparkwright.AttemptLost {
			losses++
		}
	}
	if losses > j.s.now().Limits.Losses {
		return next{}, err
	}
	j.sparkTook(err)
	j.endReading(ctx)
	j.tell(sparkwright.Event{Type: sparkwright.EventStep, Step: j.engine(), Text: "lost with its server; made once more"})
	return next{step: stepSubmit}, nil
}

// Log implements sparkwright.Sink. A password that a job prints does not get
// further, in whatever form and in however many pieces.
func (j *job) Log(stream, text string) {
	s := j.streams[stream]
	if s == nil {
		s = j.hide().Stream()
		if j.streams == nil {
			j.streams = map[string]*redact.Stream{}
		}
		j.streams[stream] = s
	}
	if text = s.Add(text); text != "" {
		j.tell(sparkwright.Event{Type: sparkwright.EventLog, Stream: stream, Text: text})
	}
}

// endLogs tells what was held back because a password could have begun with it.
func (j *job) endLogs() {
	for _, stream := range slices.Sorted(maps.Keys(j.streams)) {
		if rest := j.streams[stream].End(); rest != "" {
			j.tell(sparkwright.Event{Type: sparkwright.EventLog, Stream: stream, Text: rest})
		}
	}
}

// hide are the passwords of all databases that the run has to do with.
func (j *job) hide() *redact.Secrets {
	if j.hidden == nil {
		var passwords []string
		for _, db := range j.opened {
			passwords = append(passwords, db.Credentials().Password)
		}
		j.hidden = redact.New(passwords...)
	}
	return j.hidden
}

// hideIn takes passwords out of what a fault says.
func (j *job) hideIn(f *sparkwright.Fault) {
	s := j.hide()
	f.Message, f.Because, f.Log = s.Text(f.Message), s.Text(f.Because), s.Text(f.Log)
	if f.Diagnosis != nil {
		d := *f.Diagnosis
		d.Evidence = slices.Clone(d.Evidence)
		for i, line := range d.Evidence {
			d.Evidence[i] = s.Text(line)
		}
		f.Diagnosis = &d
	}
}

// Progress implements sparkwright.Sink.
func (j *job) Progress(p sparkwright.Progress) {
	j.tell(sparkwright.Event{Type: sparkwright.EventProgress, Progress: &p})
}
