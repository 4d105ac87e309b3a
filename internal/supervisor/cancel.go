package supervisor

import (
	"context"
	"sync"
	"time"

	"github.com/sparkwright/sparkwright"
)

// cancelTime bounds how long a cancelled run may take to clean up.
const cancelTime = 20 * time.Second

// cancelStep ends a run that somebody wants to end. It is sent again until the
// attempt is at its end: what it then is, is what its executor says.
func (j *job) cancelStep(ctx context.Context) (next, error) {
	ctx, cancel := context.WithTimeout(ctx, cancelTime)
	defer cancel()
	j.work.Tries++
	cancelled := &sparkwright.Fault{Kind: sparkwright.FaultCancelled, Class: "CANCELLED", Message: "the run was cancelled"}
	a := j.attempt()
	if a == nil || a.State.Final() {
		j.sparkTook(context.Canceled)
		j.endReading(ctx)
		return j.ended(cancelled), nil
	}
	executor, err := j.executor()
	if err != nil {
		return next{}, err
	}
	if a.Handle == nil && durable(executor) { // it may run: adopt it first
		if err = j.adopt(ctx, executor, a); err != nil {
			if wait, ok := j.later(stepCancel, err); ok {
				return wait, nil
			}
			return next{}, err
		}
	}
	state := sparkwright.AttemptCancelled
	if a.Handle != nil {
		j.s.failpoint("cancel:before")
		// Both at once: a job whose reads end first would fail instead.
		var backends sync.WaitGroup
		backends.Go(func() { j.cancelBackends(ctx) })
		err = executor.Cancel(ctx, *a.Handle)
		backends.Wait()
		j.s.failpoint("cancel:after")
		if err != nil {
			if wait, ok := j.later(stepCancel, err); ok {
				a.State, j.put = sparkwright.AttemptCancelling, a
				return wait, nil
			}
			return next{}, err
		}
		out, err := executor.Poll(ctx, *a.Handle, j)
		if err != nil {
			return next{}, err
		}
		j.cancelBackends(ctx) // a statement may have begun meanwhile
		if !out.State.Final() {
			a.State, j.put = sparkwright.AttemptCancelling, a
			return next{step: stepCancel, wait: j.cancelAgain(), own: !durable(executor)}, nil
		}
		if out.State == sparkwright.AttemptSucceeded { // it was faster
			return j.collectStep(ctx)
		}
		state = out.State
	}
	_ = j.closeAttempt(a, state, cancelled)
	j.sparkTook(context.Canceled)
	j.endReading(ctx)
	return j.ended(cancelled), nil
}

// adopt finds the handle of an attempt that may have been submitted.
func (j *job) adopt(ctx context.Context, executor sparkwright.Executor, a *sparkwright.Attempt) error {
	secrets, err := j.secrets(ctx, a)
	if err != nil {
		return err
	}
	access, err := j.access()
	if err != nil {
		return err
	}
	h, err := executor.Submit(ctx, sparkwright.Job{
		Attempt: *a, Location: j.location(a.Number), Secrets: secrets, Again: true, Placement: j.run.Placement, Access: access,
		Modules: j.work.Modules,
	})
	if err != nil {
		return err
	}
	a.Handle, a.State, j.put = &h, sparkwright.AttemptSubmitted, a
	return nil
}

// cancelAgain is how long to wait before a cancel is sent again.
func (j *job) cancelAgain() time.Duration {
	return min(j.s.cfg.Timing.Backoff<<min(j.work.Tries, 6), time.Minute)
}
