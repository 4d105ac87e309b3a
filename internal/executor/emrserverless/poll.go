package emrserverless

import (
	"context"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/emrserverless"
	"github.com/aws/aws-sdk-go-v2/service/emrserverless/types"

	"github.com/sparkwright/sparkwright/internal/awscloud"
)

// status is what EMR Serverless said last of a job.
type status struct {
	name, state, details string
	created, updated     time.Time
}

// application is one EMR Serverless application with the jobs that are
// followed in it. The lock is held while it is asked, so that many pollers
// make one request.
type application struct {
	id   string
	ask  sync.Mutex
	jobs map[string]time.Time // followed: since when; guarded by Executor.mu

	known    map[string]*status // guarded by ask
	asked    time.Time
	interval time.Duration
	failure  error // of the last request
}

const (
	// ageing is how many polls of a job it takes for the interval to double.
	ageing    = 15
	slowest   = 10 // times the first interval
	afterFull = 60 * time.Second
	overlap   = 5 * time.Minute // clocks differ
)

func (e *Executor) application(d *data) *application {
	e.mu.Lock()
	defer e.mu.Unlock()
	a := e.watched[d.Application]
	if a == nil {
		a = &application{id: d.Application, jobs: map[string]time.Time{}, interval: e.cfg.Interval, known: map[string]*status{}}
		e.watched[d.Application] = a
	}
	if _, ok := a.jobs[d.Job]; !ok {
		a.jobs[d.Job] = d.Since
		a.interval = e.cfg.Interval // a new job is worth a closer look
	}
	return a
}

// status is the state of a job, as fresh as the interval of its application.
func (e *Executor) status(ctx context.Context, d *data) (*status, error) {
	a := e.application(d)
	a.ask.Lock()
	defer a.ask.Unlock()
	if time.Since(a.asked) >= a.interval {
		e.refresh(ctx, a)
	}
	if a.failure != nil {
		return nil, a.failure
	}
	if st := a.known[d.Job]; st != nil {
		return st, nil
	}
	// Older than the list goes back, or gone.
	out, err := e.emr.GetJobRun(ctx, &emrserverless.GetJobRunInput{ApplicationId: &d.Application, JobRunId: &d.Job})
	if err != nil {
		return nil, err
	}
	j := out.JobRun
	st := &status{state: string(j.State), name: text(j.Name), details: text(j.StateDetails)}
	st.created, st.updated = moment(j.CreatedAt), moment(j.UpdatedAt)
	a.known[d.Job] = st
	return st, nil
}

// refresh asks for all jobs of an application at once. The caller holds ask.
func (e *Executor) refresh(ctx context.Context, a *application) {
	since := e.oldest(a)
	a.asked = time.Now()
	known := map[string]*status{}
	a.failure = e.list(ctx, a.id, since, func(j *types.JobRunSummary) bool {
		known[text(j.Id)] = summary(j)
		return true
	})
	switch {
	case a.failure == nil:
		a.known = known
		if a.interval > slowest*e.cfg.Interval { // it was throttled
			a.interval = e.cfg.Interval
		}
		a.interval = min(a.interval+a.interval/ageing, slowest*e.cfg.Interval)
	case ctx.Err() != nil: // the caller left; the next one asks again
		a.asked = time.Time{}
	case awscloud.Classify(a.failure) == awscloud.Throttled:
		a.interval = min(2*a.interval+e.cfg.Interval, afterFull)
	}
}

// oldest is when the oldest followed job began.
func (e *Executor) oldest(a *application) time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	oldest := time.Now()
	for _, since := range a.jobs {
		if since.Before(oldest) {
			oldest = since
		}
	}
	return oldest
}

// list walks over the job runs that were created after that time, less the
// overlap, until each returns false.
func (e *Executor) list(ctx context.Context, app string, since time.Time, each func(*types.JobRunSummary) bool) error {
	after := since.Add(-overlap)
	pages := emrserverless.NewListJobRunsPaginator(e.emr, &emrserverless.ListJobRunsInput{ApplicationId: &app, CreatedAtAfter: &after})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		for i := range page.JobRuns {
			if !each(&page.JobRuns[i]) {
				return nil
			}
		}
	}
	return nil
}

func summary(j *types.JobRunSummary) *status {
	return &status{
		name: text(j.Name), state: string(j.State), details: text(j.StateDetails),
		created: moment(j.CreatedAt), updated: moment(j.UpdatedAt),
	}
}

// due is how long it takes until asking again makes sense.
func (e *Executor) due(d *data) time.Duration {
	a := e.application(d)
	if !a.ask.TryLock() {
		return e.cfg.Interval // somebody is asking
	}
	defer a.ask.Unlock()
	return max(time.Until(a.asked.Add(a.interval)), time.Millisecond)
}

// expire has the next status ask again.
func (e *Executor) expire(d *data) {
	a := e.application(d)
	a.ask.Lock()
	defer a.ask.Unlock()
	a.asked = time.Time{}
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func moment(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}
