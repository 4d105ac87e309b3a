package emrserverless

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// poll is how often a waiting job looks whether its application lets it run.
const poll = 20 * time.Millisecond

var (
	errCancelled = errors.New("cancelled by the caller")
	errTimedOut  = errors.New("timed out")
)

// carryOut takes a job from SUBMITTED to a terminal state. Its context is the
// server's: a job outlives the call that started it.
func (s *Server) carryOut(ctx context.Context, j *job) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	s.work.Go(func() {
		select {
		case <-j.cancelled:
			stop(errCancelled)
		case <-ctx.Done():
		}
	})
	defer close(j.done)
	state, details := s.admitted(ctx, j)
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.cfg.Now()
	j.attempts = append(j.attempts, attempt{j.attempt, state, details, j.attemptCreated, j.attemptStart, now})
	j.state, j.details, j.updated, j.ended = state, details, now, now
	app := s.apps[j.app]
	app.running--
	app.lastJob = now
	if app.running == 0 {
		s.autoStopLocked(app, now)
	}
}

// admitted waits for the application and the capacity, then makes the
// attempts. It returns the terminal state.
func (s *Server) admitted(ctx context.Context, j *job) (state, details string) {
	sleep(ctx, s.cfg.Timing.Step/4)
	since := s.cfg.Now()
	release, err := s.admit(ctx, j)
	s.mu.Lock()
	j.queued = s.cfg.Now().Sub(since)
	s.mu.Unlock()
	if err != nil {
		return s.stopped(ctx, err)
	}
	defer release()
	for {
		state, details = s.tryOnce(ctx, j)
		s.mu.Lock()
		again := state == Failed && ctx.Err() == nil && j.in.Retry != nil && j.in.Retry.MaxAttempts != nil && j.attempt < *j.in.Retry.MaxAttempts
		if again {
			now := s.cfg.Now()
			j.attempts = append(j.attempts, attempt{j.attempt, state, details, j.attemptCreated, j.attemptStart, now})
			j.attempt++
			j.attemptCreated, j.attemptStart = now, time.Time{}
		}
		s.mu.Unlock()
		if !again {
			return state, details
		}
		s.to(j, Pending)
		sleep(ctx, s.cfg.Timing.Step)
	}
}

// to changes the state of a job that nobody has cancelled.
func (s *Server) to(j *job, state string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if j.state != Cancelling {
		j.state, j.details, j.updated = state, "", s.cfg.Now()
	}
}

var errQueueTimeout = errors.New("the job run was longer in the queue than queueTimeoutMinutes")

// admit waits until the application is started and has room for the job.
func (s *Server) admit(ctx context.Context, j *job) (release func(), err error) {
	s.mu.Lock()
	app := s.apps[j.app]
	limit, wait := 0, time.Duration(0)
	if q := app.in.Scheduler; q != nil && q.MaxConcurrentRuns != nil {
		limit = *q.MaxConcurrentRuns
		if q.QueueTimeoutMinutes != nil {
			wait = time.Duration(*q.QueueTimeoutMinutes) * s.cfg.Timing.Minute
		}
	}
	s.mu.Unlock()
	if limit > 0 {
		s.to(j, Queued)
	} else {
		s.to(j, Pending)
	}
	until := s.cfg.Now().Add(wait)
	for {
		s.mu.Lock()
		if app.state == appCreated || app.state == appStopped {
			s.startLocked(app)
		}
		ready := app.state == appStarted && (limit == 0 || app.active < limit)
		if ready {
			app.active++
		}
		s.mu.Unlock()
		if ready {
			break
		}
		if wait > 0 && s.cfg.Now().After(until) {
			return nil, errQueueTimeout
		}
		if !sleep(ctx, poll) {
			return nil, context.Cause(ctx)
		}
	}
	leave := func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		app.active--
	}
	s.to(j, Pending)
	if !sleep(ctx, s.cfg.Timing.Step) {
		leave()
		return nil, context.Cause(ctx)
	}
	select {
	case s.slots <- struct{}{}:
		return func() { <-s.slots; leave() }, nil
	case <-ctx.Done():
		leave()
		return nil, context.Cause(ctx)
	}
}

// tryOnce makes one attempt, from SCHEDULED to how it ended.
func (s *Server) tryOnce(ctx context.Context, j *job) (state, details string) {
	s.to(j, Scheduled)
	s.mu.Lock()
	j.attemptStart = s.cfg.Now()
	if j.started.IsZero() {
		j.started = j.attemptStart
	}
	limit := time.Duration(j.timeout()) * s.cfg.Timing.Minute
	s.mu.Unlock()
	if limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, limit, errTimedOut)
		defer cancel()
	}
	dir, err := os.MkdirTemp(s.cfg.Dir, "emr-job-")
	if err != nil {
		return Failed, "Job failed, internal error: " + err.Error()
	}
	defer os.RemoveAll(dir) //nolint:errcheck // best effort; the name is ours
	sleep(ctx, s.cfg.Timing.Step)
	around, err := s.surround(ctx, j, dir)
	if err != nil {
		if ctx.Err() != nil {
			return s.stopped(ctx, context.Cause(ctx))
		}
		return Failed, err.Error()
	}
	defer around.close()
	if ctx.Err() != nil {
		return s.stopped(ctx, context.Cause(ctx))
	}
	s.to(j, Running)
	exit := s.cfg.Runner.Run(ctx, around.task)
	logged := around.logs.finish(context.WithoutCancel(ctx))
	switch {
	case ctx.Err() != nil:
		return s.stopped(ctx, context.Cause(ctx))
	case exit.Err != nil:
		return Failed, "Job failed, please check complete logs in configured logging destination. " + exit.Err.Error()
	case exit.Code != 0:
		return Failed, fmt.Sprintf("Job failed, please check complete logs in configured logging destination. ExitCode: %d. Last few exceptions: %s",
			exit.Code, lastExceptions(filepath.Join(dir, "stderr"), filepath.Join(dir, "stdout")))
	case logged != nil:
		return Failed, "Job failed, its logs could not be delivered: " + logged.Error()
	}
	return Success, ""
}

// stopped is how a job ends that did not end by itself.
func (s *Server) stopped(ctx context.Context, cause error) (state, details string) {
	switch {
	case errors.Is(cause, errTimedOut):
		return Cancelled, "JobRun has been cancelled: it ran longer than executionTimeoutMinutes."
	case errors.Is(cause, errQueueTimeout):
		return Failed, "Job failed: " + cause.Error() + "."
	case s.ctx.Err() != nil && ctx.Err() != nil && !errors.Is(cause, errCancelled):
		return Failed, "the emulator was stopped"
	}
	return Cancelled, "JobRun has been cancelled by the caller."
}

// autoStopLocked stops an idle application after its idle time.
func (s *Server) autoStopLocked(app *application, idle time.Time) {
	stop := app.in.AutoStop
	if stop != nil && stop.Enabled != nil && !*stop.Enabled {
		return
	}
	minutes := 15
	if stop != nil && stop.IdleTimeoutMinutes != nil {
		minutes = *stop.IdleTimeoutMinutes
	}
	s.work.Go(func() {
		if !sleep(s.ctx, time.Duration(minutes)*s.cfg.Timing.Minute) {
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if app.state == appStarted && app.running == 0 && app.lastJob.Equal(idle) {
			app.to(appStopped, s.cfg.Now())
		}
	})
}

// Wait blocks until the job run is in a terminal state, and returns it. An
// unknown job run is "".
func (s *Server) Wait(ctx context.Context, jobRun string) (state, details string) {
	s.mu.Lock()
	j := s.jobs[jobRun]
	s.mu.Unlock()
	if j == nil {
		return "", ""
	}
	select {
	case <-j.done:
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return j.state, j.details
}
