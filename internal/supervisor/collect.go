package supervisor

import (
	"context"
	"fmt"
	"time"

	"github.com/sparkwright/sparkwright"
)

// collectStep takes the result of an attempt: only a manifest that matches its
// files makes a run succeed.
func (j *job) collectStep(ctx context.Context) (next, error) {
	a := j.attempt()
	j.s.failpoint("collect:before")
	m, err := j.s.now().LoadResult(j.location(a.Number), j.run.ID, a.ID)
	if err == nil {
		err = j.tooLarge(m)
	}
	if err != nil {
		return next{}, j.closeAttempt(a, sparkwright.AttemptFailed, asFault(err))
	}
	now := time.Now().UTC().Truncate(time.Microsecond)
	a.State, a.FinishedAt, j.put = sparkwright.AttemptSucceeded, &now, a
	j.run.Result = m
	j.sparkTook(nil)
	j.sayUnchecked()
	j.endReading(ctx)
	return j.ended(nil), nil
}

func (j *job) tooLarge(m *sparkwright.Manifest) error {
	limit := j.s.now().Limits.ResultBytes
	var size int64
	for _, p := range m.Parts {
		size += p.Bytes
	}
	if limit == 0 || size <= limit {
		return nil
	}
	return &sparkwright.Error{
		Code: sparkwright.CodeResource, Message: "the result is too large",
		Because: fmt.Sprintf("it has %d MB in %d rows; limits.result_mb is %d", (size+1<<20-1)>>20, m.RowCount, limit>>20),
		Remedy:  "ask for less (a filter, a total, the first rows), or raise limits.result_mb",
	}
}

// sparkTook notes how long the attempt took.
func (j *job) sparkTook(err error) {
	if !j.work.Spark.IsZero() {
		j.took(j.engine(), j.work.Spark, err)
		j.work.Spark = time.Time{}
	}
}
