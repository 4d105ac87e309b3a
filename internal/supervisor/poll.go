package supervisor

import (
	"context"
	"time"

	"github.com/sparkwright/sparkwright"
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
			return next{step: stepPoll, wait: d.PollEvery()}, nil
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
			return next{step: stepPoll, wait: d.PollEvery()}, nil
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
	switch out.State {
	case sparkwright.AttemptSucceeded:
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
	j.tell(sparkwright.Event{Type: sparkwright.EventStep, Step: "spark", Text: "lost with its server; made once more"})
	return next{step: stepSubmit}, nil
}

// Log implements sparkwright.Sink.
func (j *job) Log(stream, text string) {
	j.tell(sparkwright.Event{Type: sparkwright.EventLog, Stream: stream, Text: text})
}

// Progress implements sparkwright.Sink.
func (j *job) Progress(p sparkwright.Progress) {
	j.tell(sparkwright.Event{Type: sparkwright.EventProgress, Progress: &p})
}
