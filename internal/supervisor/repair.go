package supervisor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/store"
)

// faultError carries a fault out of a step.
type faultError struct{ fault *sparkwright.Fault }

// Error implements error.
func (e *faultError) Error() string { return e.fault.Message }

// failed decides what follows a step that failed: a repair when the code is at
// fault, another attempt when a second one may work, else the end.
func (j *job) failed(ctx context.Context, err error) (next, error) {
	if errors.Is(err, store.ErrFenced) {
		return next{}, err
	}
	var f *sparkwright.Fault
	if fe, ok := errors.AsType[*faultError](err); ok {
		f = fe.fault
	} else {
		f = asFault(err)
	}
	if a := j.attempt(); a != nil && !a.State.Final() { // beside its attempt
		_ = j.closeAttempt(a, sparkwright.AttemptFailed, f)
	}
	j.sparkTook(err)
	j.endReading(ctx)
	j.letGo(ctx)
	switch {
	case j.sparkInstead(f):
		return next{step: stepSubmit}, nil
	case f.Kind == sparkwright.FaultCode && j.step != stepCatalog:
		if j.run.Usage.Cached && j.work.Cached != "" {
			if err := j.s.cfg.Store.CacheAnalysis(ctx, j.work.Cached, nil); err != nil {
				return next{}, err
			}
		}
		j.fault = f
		if why := j.noRepair(); why != "" {
			if j.req.Code == "" && j.s.now().Limits.Repairs > 0 {
				f.Because = joined(f.Because, why)
			}
			return j.ended(f), nil
		}
		j.tell(sparkwright.Event{Type: sparkwright.EventStep, Step: "repair", Text: fmt.Sprintf("%s: %s", f.Class, f.Message)})
		j.enter(sparkwright.RunGenerating)
		j.reads, j.run.Usage.Cached, j.work.Cached = nil, false, ""
		return next{step: stepGenerate}, nil
	case j.move(f):
		return next{step: stepSubmit}, nil
	case f.Kind == sparkwright.FaultTransient && j.transient() <= j.s.now().Limits.Retries:
		backoff := j.s.cfg.Timing.Backoff << (j.transient() - 1)
		j.tell(sparkwright.Event{
			Type: sparkwright.EventStep, Step: "retry", Text: fmt.Sprintf("%s; once more in %s", f.Message, backoff.Round(time.Millisecond)),
		})
		return next{step: stepSubmit, wait: backoff}, nil
	}
	return j.ended(f), nil
}

// noRepair says why a faulty analysis does not go back to the generator.
func (j *job) noRepair() string {
	l := j.s.now().Limits
	used := j.run.Usage.InputTokens + j.run.Usage.OutputTokens
	switch {
	case j.req.Code != "":
		return "the code is the user's own"
	case j.run.Verified:
		return "the code is a verified answer; sparkwright definitions check tells whether it still fits"
	case j.run.Repairs >= l.Repairs:
		return fmt.Sprintf("it was repaired %d times already", j.run.Repairs)
	case l.RunTokens > 0 && used >= l.RunTokens:
		return fmt.Sprintf("the run has used %d tokens; limits.run_tokens is %d", used, l.RunTokens)
	case l.RunCents > 0 && j.run.Usage.USD*100 >= float64(l.RunCents):
		return fmt.Sprintf("the run has cost %.2f US dollars; limits.run_cents is %d", j.run.Usage.USD, l.RunCents)
	case l.RunTime > 0 && time.Since(j.work.Began) >= l.RunTime:
		return fmt.Sprintf("the run has taken longer than limits.run_seconds, %d", int(l.RunTime.Seconds()))
	}
	return ""
}

// transient counts the attempts that failed for a passing reason.
func (j *job) transient() int {
	n := 0
	for i := range j.run.Attempts {
		if f := j.run.Attempts[i].Fault; f != nil && f.Kind == sparkwright.FaultTransient {
			n++
		}
	}
	return max(n, 1)
}
