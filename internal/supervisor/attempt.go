package supervisor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/jobscript"
)

// cancelTime bounds how long a cancelled run may take to clean up.
const cancelTime = 20 * time.Second

// attempt submits the script and follows it to its end.
func (j *job) attempt(ctx context.Context) error {
	number := len(j.run.Attempts) + 1
	a := sparkwright.Attempt{
		ID: fmt.Sprintf("%s-%d", j.run.ID, number), RunID: j.run.ID, Number: number,
		State: sparkwright.AttemptSubmitting, Analysis: j.run.Analysis, StartedAt: time.Now().UTC(),
	}
	location := j.s.location(j.run.ID, number)
	secrets, err := j.render(&a, location)
	if err != nil {
		return err
	}
	executor := j.s.cfg.Executors[j.run.Placement.Executor]
	if executor == nil {
		return sparkwright.Errorf(sparkwright.CodeInternal, "no executor is named %q", j.run.Placement.Executor)
	}
	j.run.Attempts = append(j.run.Attempts, a)
	cur := &j.run.Attempts[number-1]
	if err = j.s.cfg.Store.PutAttempt(ctx, cur); err != nil {
		return err
	}
	handle, err := executor.Submit(ctx, sparkwright.Job{Attempt: *cur, Location: location, Secrets: secrets})
	if err != nil {
		cur.State, cur.Fault = sparkwright.AttemptFailed, asFault(err)
		return errors.Join(err, j.closeAttempt(ctx, cur))
	}
	cur.Handle, cur.State = &handle, sparkwright.AttemptSubmitted
	if err = j.s.cfg.Store.PutAttempt(ctx, cur); err != nil {
		return errors.Join(err, executor.Cancel(context.WithoutCancel(ctx), handle))
	}
	outcome, err := j.follow(ctx, executor, handle)
	if err != nil {
		return err
	}
	cur.State, cur.Fault = outcome.State, outcome.Fault
	if outcome.State == sparkwright.AttemptSucceeded {
		if j.run.Result, err = j.s.cfg.LoadResult(location, j.run.ID, cur.ID); err != nil {
			cur.State, cur.Fault = sparkwright.AttemptFailed, asFault(err)
		}
	}
	if cur.Fault != nil {
		j.s.cfg.Explain(cur.Fault)
		j.run.Fault = cur.Fault
		err = faultError(cur.Fault)
	}
	return errors.Join(err, j.closeAttempt(ctx, cur))
}

// render writes the script into the attempt; the secrets travel beside it.
func (j *job) render(a *sparkwright.Attempt, location string) (map[string]string, error) {
	spec := jobscript.Spec{
		RunID: j.run.ID, AttemptID: a.ID, Location: location, Analysis: a.Analysis,
		Reads: j.reads, PreviewRows: j.s.cfg.PreviewRows,
	}
	secrets := map[string]string{}
	for i, name := range jobscript.ConnectionsOf(j.reads) {
		url, err := j.opened[name].JDBCURL(j.run.ID)
		if err != nil {
			return nil, err
		}
		spec.Connections = append(spec.Connections, jobscript.Connection{Name: name, URL: url})
		cred := j.opened[name].Credentials()
		secrets[jobscript.UserEnv(i)], secrets[jobscript.PasswordEnv(i)] = cred.User, cred.Password
	}
	var err error
	a.Script, err = jobscript.Render(spec)
	return secrets, err
}

// follow waits for the end of an attempt and hands on what it tells. When ctx
// ends the attempt is stopped, in Spark and in PostgreSQL.
func (j *job) follow(ctx context.Context, executor sparkwright.Executor, h sparkwright.Handle) (sparkwright.Outcome, error) {
	sink := &sink{j: j, ctx: ctx}
	for {
		executor.Wait(ctx, h)
		if ctx.Err() != nil {
			return j.stop(ctx, executor, h, sink)
		}
		out, err := executor.Poll(ctx, h, sink)
		if err != nil {
			return out, err
		}
		if !out.State.Final() {
			continue
		}
		if out.State != sparkwright.AttemptSucceeded {
			j.cancelBackends(ctx)
		}
		return out, nil
	}
}

func (j *job) stop(ctx context.Context, executor sparkwright.Executor, h sparkwright.Handle, sink *sink) (sparkwright.Outcome, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cancelTime)
	defer cancel()
	j.cancelBackends(ctx)
	if err := executor.Cancel(ctx, h); err != nil {
		return sparkwright.Outcome{}, err
	}
	out, err := executor.Poll(ctx, h, sink)
	j.cancelBackends(ctx) // a statement may have begun meanwhile
	return out, err
}

// cancelBackends ends what the run still does in its databases.
func (j *job) cancelBackends(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	for _, name := range jobscript.ConnectionsOf(j.reads) {
		if err := j.opened[name].CancelRun(ctx, j.run.ID); err != nil {
			j.s.cfg.Log.WarnContext(ctx, "backends not cancelled", "run_id", j.run.ID, "connection", name, "error", err)
		}
	}
}

func (j *job) closeAttempt(ctx context.Context, a *sparkwright.Attempt) error {
	now := time.Now().UTC()
	a.FinishedAt = &now
	return j.s.cfg.Store.PutAttempt(context.WithoutCancel(ctx), a)
}

// sink turns what an executor tells into events.
type sink struct {
	j   *job
	ctx context.Context //nolint:containedctx // lives as long as follow, which has it as its argument
}

// Log implements sparkwright.Sink.
func (s *sink) Log(stream, text string) {
	s.j.event(s.ctx, sparkwright.Event{Type: sparkwright.EventLog, Stream: stream, Text: text})
}

// Progress implements sparkwright.Sink.
func (s *sink) Progress(p sparkwright.Progress) {
	s.j.event(s.ctx, sparkwright.Event{Type: sparkwright.EventProgress, Progress: &p})
}

// watchEvery is how often a run looks whether somebody else wants it to end.
const watchEvery = 500 * time.Millisecond

var errCancelRequested = errors.New("cancelled by another process")

// watchCancel ends the returned context when the store says so.
func (j *job) watchCancel(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(watchEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				if asked, err := j.s.cfg.Store.CancelRequested(ctx, j.run.ID); err == nil && asked {
					cancel(errCancelRequested)
				}
			}
		}
	}()
	return ctx, func() { cancel(nil); <-done }
}
