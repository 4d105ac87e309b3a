package supervisor

import (
	"context"
	"time"

	"github.com/sparkwright/sparkwright"
)

// end brings the run to its final state in one transaction. f is nil when
// nothing went wrong.
func (j *job) end(ctx context.Context, f *sparkwright.Fault) error {
	return j.commit(ctx, j.ended(f))
}

// ended makes the run final, in the next transaction.
func (j *job) ended(f *sparkwright.Fault) next {
	now := time.Now().UTC().Truncate(time.Microsecond)
	j.run.FinishedAt = &now
	j.run.Fault = f
	switch {
	case f != nil && f.Kind == sparkwright.FaultCancelled:
		j.enter(sparkwright.RunCancelled)
	case f != nil:
		j.enter(sparkwright.RunFailed)
	case j.run.Declined != nil:
		j.enter(sparkwright.RunDeclined)
	default:
		j.enter(sparkwright.RunSucceeded)
	}
	return next{final: true}
}

// letGo releases what only this process has of the run.
func (j *job) letGo(ctx context.Context) {
	if j.client != nil {
		j.client.Close(context.WithoutCancel(ctx))
		j.client = nil
	}
}
