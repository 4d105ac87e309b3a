// Package emrserverless carries out attempts on EMR Serverless: one job run
// for each, found again after a restart of this process.
//
// Exactly one job run is started for an attempt. Its name,
// INSTANCE-RUN-NUMBER, is also the client token of StartJobRun; where an
// earlier call may have been accepted (Job.Again) the application is first
// asked for a job of that name, since AWS does not say for how long it
// remembers a token.
//
// States are polled for all jobs of an application with one ListJobRuns. What
// will pass by itself (throttling, quotas, expired credentials, an application
// that starts) never fails an attempt: Submit and Cancel return a
// *sparkwright.LaterError, Poll tells the last known state.
//
// The job's own files decide the outcome: SUCCESS without a manifest that
// matches is a failure.
package emrserverless

import (
	"cmp"
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/emrserverless"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/artifact"
	"github.com/sparkwright/sparkwright/internal/awscloud"
)

// Name is the executor's name in placements and handles.
const Name = "emrserverless"

// Config says how jobs are started. All fields but those with a default must
// be set.
type Config struct {
	AWS      aws.Config
	EMR      func(*emrserverless.Options) // changes the client of EMR Serverless; nil = nothing
	Instance string                       // begins the names of this installation's jobs
	Bucket   string                       // scripts and logs
	RoleARN  string                       // "" = EMRServerlessExecutionRole of the caller's account
	// StandardRoleARN is the role of jobs without PostgreSQL; "" = RoleARN.
	StandardRoleARN string

	ExecutorMemory string // 4g
	ExecutorCores  int
	DriverMemory   string // "" = EMR's default
	DriverCores    int    // 0 = EMR's default
	TimeoutMinutes int
	LogGroup       string // CloudWatch; "" = logs go to S3 only

	// Interval is how often states are asked for at first; it grows to ten
	// times that with the age of the jobs. 0 = 2 s.
	Interval time.Duration
	Log      *slog.Logger
}

// Executor implements sparkwright.DurableExecutor. It is safe for concurrent use.
type Executor struct {
	cfg     Config
	emr     *emrserverless.Client
	s3      *s3.Client
	logs    *cloudwatchlogs.Client
	sts     *sts.Client
	results *artifact.S3

	mu      sync.Mutex
	role    string                  // found once
	watched map[string]*application // by id
	said    map[string]*told        // by job
}

var _ sparkwright.DurableExecutor = (*Executor)(nil)

// New returns an executor. Nothing is called before the first attempt.
func New(cfg Config) *Executor {
	cfg.Interval = cmp.Or(cfg.Interval, 2*time.Second)
	client := awscloud.NewS3(cfg.AWS)
	var options []func(*emrserverless.Options)
	if cfg.EMR != nil {
		options = append(options, cfg.EMR)
	}
	return &Executor{
		cfg: cfg, emr: emrserverless.NewFromConfig(cfg.AWS, options...), s3: client, logs: cloudwatchlogs.NewFromConfig(cfg.AWS),
		sts: sts.NewFromConfig(cfg.AWS), results: artifact.NewS3(client),
		watched: map[string]*application{}, said: map[string]*told{},
	}
}

// data is what a Handle holds.
type data struct {
	Application string    `json:"application"`
	Job         string    `json:"job"`
	RunID       string    `json:"run"`
	Attempt     string    `json:"attempt"`
	Location    string    `json:"location"`
	Since       time.Time `json:"since"` // the attempt's start
}

func (d *data) handle() (sparkwright.Handle, error) {
	raw, err := json.Marshal(d)
	return sparkwright.Handle{Version: 1, Executor: Name, Data: raw}, err
}

func parse(h sparkwright.Handle) (*data, error) {
	d := &data{}
	if h.Version != 1 || h.Executor != Name {
		return nil, sparkwright.Errorf(sparkwright.CodeInvalid, "not a handle of the %s executor", Name)
	}
	if err := json.Unmarshal(h.Data, d); err != nil {
		return nil, sparkwright.Errorf(sparkwright.CodeInvalid, "a broken handle: %w", err)
	}
	return d, nil
}

// Poll implements sparkwright.Executor.
func (e *Executor) Poll(ctx context.Context, h sparkwright.Handle, sink sparkwright.Sink) (sparkwright.Outcome, error) {
	d, err := parse(h)
	if err != nil {
		return sparkwright.Outcome{}, err
	}
	st, err := e.status(ctx, d)
	told := e.told(d.Job)
	switch {
	case err != nil && awscloud.Classify(err) == awscloud.NotFound:
		return e.lost(ctx, d), nil
	case err != nil && awscloud.Passing(err):
		why := waiting(err)
		told.note(sink, why)
		return sparkwright.Outcome{State: cmp.Or(told.last(), sparkwright.AttemptSubmitted)}, nil
	case err != nil:
		return sparkwright.Outcome{}, awscloud.Error("the state of the job "+d.Job+" cannot be read", err)
	}
	told.state(sink, st)
	state := attemptState(st.state)
	if state != sparkwright.AttemptSubmitted {
		e.tail(ctx, d, told, state.Final(), sink)
	}
	if !state.Final() {
		if e.overdue(st) { // EMR's own limit should have ended it
			return sparkwright.Outcome{State: state}, e.send(ctx, d)
		}
		return sparkwright.Outcome{State: state}, nil
	}
	out := e.judge(ctx, d, st, told)
	if out.State.Final() {
		out.Billed = e.billed(ctx, d)
		e.forget(d)
	}
	return out, nil
}

// billed is what EMR Serverless has counted of a job; nil when it does not say
// so yet.
func (e *Executor) billed(ctx context.Context, d *data) *sparkwright.Cost {
	out, err := e.emr.GetJobRun(ctx, &emrserverless.GetJobRunInput{ApplicationId: &d.Application, JobRunId: &d.Job})
	if err != nil || out.JobRun == nil {
		return nil
	}
	c := &sparkwright.Cost{}
	switch b, t := out.JobRun.BilledResourceUtilization, out.JobRun.TotalResourceUtilization; {
	case b != nil:
		c.VCPUHours, c.MemoryHours = aws.ToFloat64(b.VCPUHour), aws.ToFloat64(b.MemoryGBHour)
	case t != nil: // what is billed is told later
		c.VCPUHours, c.MemoryHours = aws.ToFloat64(t.VCPUHour), aws.ToFloat64(t.MemoryGBHour)
	default:
		return nil
	}
	if s := out.JobRun.TotalExecutionDurationSeconds; s != nil {
		c.Seconds = float64(*s)
	}
	return c
}

// PollEvery implements sparkwright.DurableExecutor.
func (e *Executor) PollEvery() time.Duration { return e.cfg.Interval }

// Wait implements sparkwright.Executor.
func (e *Executor) Wait(ctx context.Context, h sparkwright.Handle) {
	d, err := parse(h)
	if err != nil {
		return
	}
	timer := time.NewTimer(e.due(d))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// Cancel implements sparkwright.Executor. When the job has not stopped before
// ctx ends it returns a *sparkwright.LaterError: the wish has been sent, and has to
// be sent again until the job is over.
func (e *Executor) Cancel(ctx context.Context, h sparkwright.Handle) error {
	d, err := parse(h)
	if err != nil {
		return err
	}
	for {
		if err = e.send(ctx, d); err != nil && !awscloud.Passing(err) {
			return err
		}
		e.expire(d)
		st, err := e.status(ctx, d)
		switch {
		case awscloud.Classify(err) == awscloud.NotFound, err == nil && attemptState(st.state).Final():
			return nil
		case err != nil && !awscloud.Passing(err):
			return awscloud.Error("the job "+d.Job+" cannot be cancelled", err)
		}
		timer := time.NewTimer(e.cfg.Interval)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return &sparkwright.LaterError{Why: "EMR Serverless has not yet stopped the job " + d.Job, Err: ctx.Err()}
		}
	}
}

// send asks EMR Serverless for the end of a job. A job that is over, or not
// known, is no error.
func (e *Executor) send(ctx context.Context, d *data) error {
	_, err := e.emr.CancelJobRun(ctx, &emrserverless.CancelJobRunInput{ApplicationId: &d.Application, JobRunId: &d.Job})
	switch awscloud.Classify(err) {
	case awscloud.NotFound, awscloud.Invalid, awscloud.Conflict:
		return nil
	case awscloud.Denied:
		return awscloud.Error("the job "+d.Job+" cannot be cancelled", err)
	default:
		return err
	}
}

// overdue reports whether a job has run past its limit and the time that EMR
// needs to end it.
func (e *Executor) overdue(st *status) bool {
	limit := time.Duration(e.cfg.TimeoutMinutes)*time.Minute + grace
	return e.cfg.TimeoutMinutes > 0 && st.state == "RUNNING" && time.Since(st.created) > limit+queueGrace
}

const (
	grace      = 2 * time.Minute  // for EMR to enforce its own limit
	queueGrace = 15 * time.Minute // for start-up, which the limit does not count
)
