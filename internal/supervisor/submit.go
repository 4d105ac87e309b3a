package supervisor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/jobscript"
	"github.com/sparkwright/sparkwright/internal/readplan"
	"github.com/sparkwright/sparkwright/internal/redact"
	"github.com/sparkwright/sparkwright/internal/store"
)

// fullWait is how long a run waits for a place before it looks again.
const fullWait = time.Second

// submitStep stores a new attempt, then submits it; or submits the stored one
// again, when nobody knows whether it was.
func (j *job) submitStep(ctx context.Context) (next, error) {
	executor, err := j.executor()
	if err != nil {
		return next{}, err
	}
	if err = j.needReads(ctx); err != nil {
		return next{}, err
	}
	began, again := time.Now().UTC(), false
	if err = j.copyObjects(ctx); err != nil {
		return next{}, err
	}
	a := j.attempt()
	switch {
	case a == nil || a.State.Final():
		if a, err = j.newAttempt(ctx); errors.Is(err, store.ErrNoPlace) {
			return next{step: stepSubmit, wait: fullWait}, nil
		} else if err != nil {
			return next{}, err
		}
		if executor, err = j.executor(); err != nil { // it may be PostgreSQL
			return next{}, err
		}
	case durable(executor):
		again = true
	default:
		return j.lost(ctx, a)
	}
	if j.work.Spark.IsZero() {
		j.work.Spark = began
		j.tell(sparkwright.Event{Type: sparkwright.EventStep, Step: j.engine(), Text: "started"})
	}
	secrets, err := j.secrets(ctx, a)
	if err != nil {
		return next{}, err
	}
	j.s.failpoint("submit:before")
	if !j.certain() { // this process may have been paused: ask the store whose the run is
		if err = j.hold(ctx); err != nil {
			return next{}, err
		}
	}
	access, err := j.access()
	if err != nil {
		return next{}, err
	}
	job := sparkwright.Job{
		Attempt: *a, Location: j.location(a.Number), Secrets: secrets, Again: again, Placement: j.run.Placement, Access: access,
		Files: readplan.Files(j.reads), Modules: j.work.Modules,
	}
	job.Query, _ = j.reading.Query()
	handle, err := executor.Submit(ctx, job)
	j.s.failpoint("submit:after")
	if err != nil {
		if context.Cause(ctx) != nil {
			return next{}, err // whether it was accepted is not known: cancelStep asks
		}
		if wait, ok := j.later(stepSubmit, err); ok && durable(executor) {
			wait.own = j.holds()
			return wait, nil
		}
		return next{}, j.closeAttempt(a, sparkwright.AttemptFailed, asFault(err))
	}
	a.Handle, a.State = &handle, sparkwright.AttemptSubmitted
	j.put = a
	if err := j.commit(ctx, next{step: stepPoll, own: !durable(executor) || j.holds()}); err != nil {
		if !durable(executor) {
			err = errors.Join(err, executor.Cancel(context.WithoutCancel(ctx), handle))
		}
		return next{}, err
	}
	return j.pollStep(ctx)
}

// copyObjects has what is in S3 on this machine, when the job runs here.
func (j *job) copyObjects(ctx context.Context) error {
	for i := range j.reads {
		t := j.reads[i].Table
		if j.inAWS() || !strings.HasPrefix(t.Location, "s3://") {
			continue
		}
		hither := j.s.now().Copy
		if hither == nil {
			return &sparkwright.Error{
				Code: sparkwright.CodeInvalid, Message: t.QualifiedName() + " is in S3, which this machine does not read",
				Remedy: "set spark.emr_application_id, or name a file of this machine",
			}
		}
		j.tell(sparkwright.Event{Type: sparkwright.EventStep, Step: "spark", Text: "copies " + t.Location})
		if err := j.flush(ctx); err != nil {
			return err
		}
		path, err := hither(ctx, t.Location)
		if err != nil {
			return err
		}
		j.reads[i].Table.Location = "file://" + path
	}
	return nil
}

func (j *job) executor() (sparkwright.Executor, error) {
	e := j.s.now().Executors[j.run.Placement.Executor]
	if e == nil {
		return nil, sparkwright.Errorf(sparkwright.CodeInvalid, "no executor is named %q here", j.run.Placement.Executor)
	}
	return e, nil
}

// durable reports whether attempts of an executor outlive this process.
func durable(e sparkwright.Executor) bool {
	_, is := e.(sparkwright.DurableExecutor)
	return is
}

// hold asks the store whether the lease is still held.
func (j *job) hold(ctx context.Context) error {
	j.tell(sparkwright.Event{Type: sparkwright.EventStep, Step: j.engine(), Text: "resumed"})
	return j.flush(ctx)
}

// newAttempt stores the next attempt, when its executor has a place free.
func (j *job) newAttempt(ctx context.Context) (*sparkwright.Attempt, error) {
	number := len(j.run.Attempts) + 1
	a := sparkwright.Attempt{
		ID: fmt.Sprintf("%s-%d", j.run.ID, number), RunID: j.run.ID, Number: number,
		State: sparkwright.AttemptSubmitting, Analysis: j.run.Analysis, StartedAt: time.Now().UTC().Truncate(time.Microsecond),
	}
	err := j.answerAnew()
	if err != nil {
		return nil, err
	}
	if err = j.beginReading(ctx, &a); err != nil {
		return nil, err
	}
	j.answerDirectly()
	j.findModules(ctx)
	if a.Script, err = j.script(&a); err != nil {
		return nil, err
	}
	j.run.Attempts = append(j.run.Attempts, a)
	j.put, j.places = j.attempt(), j.s.now().Limits.Attempts[j.run.Placement.Executor]
	if err = j.commit(ctx, next{step: stepSubmit}); err != nil {
		j.run.Attempts = j.run.Attempts[:number-1]
		j.put, j.places = nil, 0
		return nil, err
	}
	return j.attempt(), nil
}

// script renders the whole file of an attempt.
func (j *job) script(a *sparkwright.Attempt) (string, error) {
	if j.inAWS() {
		return j.awsScript(a)
	}
	spec := jobscript.Spec{
		RunID: j.run.ID, AttemptID: a.ID, Location: j.location(a.Number), Analysis: a.Analysis,
		Reads: j.reads, PreviewRows: j.s.cfg.PreviewRows, Snapshots: j.reading.Snapshots(),
	}
	for _, name := range jobscript.ConnectionsOf(j.reads) {
		url, err := j.reading.URL(name)
		if err != nil {
			return "", err
		}
		spec.Connections = append(spec.Connections, jobscript.Connection{Name: name, URL: url, Guard: j.reading.Guard(name)})
	}
	return jobscript.Render(spec)
}

// secrets are the logins of an attempt; they travel beside its script and are
// never stored.
func (j *job) secrets(ctx context.Context, a *sparkwright.Attempt) (map[string]string, error) {
	if err := j.beginReading(ctx, a); err != nil {
		return nil, err
	}
	out := map[string]string{}
	if j.inAWS() { // the job takes its logins itself
		return out, nil
	}
	var passwords []string
	for i, name := range jobscript.ConnectionsOf(j.reads) {
		cred := j.reading.Credentials(name)
		out[jobscript.UserEnv(i)], out[jobscript.PasswordEnv(i)] = cred.User, cred.Password
		passwords = append(passwords, cred.Password)
	}
	for _, db := range j.opened { // the logins behind the broker
		passwords = append(passwords, db.Credentials().Password)
	}
	j.hidden, j.streams = redact.New(passwords...), nil
	return out, nil
}
