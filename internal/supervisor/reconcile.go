package supervisor

import (
	"context"
	"os"
	"strings"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/childproc"
	"github.com/sparkwright/sparkwright/internal/store"
)

// reconcile puts the runs that nobody carries out into the queue again: those
// of dead servers, and those whose job of the queue was lost. Foreground runs
// of dead processes are closed.
func (s *Service) reconcile(ctx context.Context) error {
	open, err := s.cfg.Store.OpenRuns(ctx)
	if err != nil {
		return err
	}
	servers, err := s.cfg.Store.Servers(ctx)
	if err != nil {
		return err
	}
	living := map[string]bool{}
	for _, v := range servers {
		living[v.ID] = v.ID == s.id || s.lives(v)
	}
	var waiting []store.OpenRun
	for _, o := range open {
		switch {
		case s.active.is(o.RunID), o.State == sparkwright.RunAwaitingApproval && !o.Cancel && o.Owner == "" && o.Job == 0: // decided ones have a job
		case o.Owner == "" || o.Owner == s.id && !o.Foreground:
			waiting = append(waiting, o)
		case living[o.Owner]:
		default:
			s.takeOver(ctx, o)
		}
	}
	return s.findJobs(ctx, waiting, living)
}

// lives reports whether a server is to be believed alive. On one machine the
// process itself tells; a database that machines share counts the silence.
func (s *Service) lives(v store.Server) bool {
	here, _ := os.Hostname()
	host, _, _ := strings.Cut(v.Process, "/")
	if host == here && !childproc.Alive(v.Process) {
		return false
	}
	return v.Silent < s.cfg.Timing.Silence || host == here && !s.cfg.Store.Shared()
}

// takeOver goes on with a run whose owner has died.
func (s *Service) takeOver(ctx context.Context, o store.OpenRun) {
	if o.Foreground {
		s.closeForeground(ctx, o)
		return
	}
	s.failpoint(TakeOverFailpoint)
	if _, err := s.cfg.Store.Retake(ctx, o.Lease, s.into(o.RunID)); err != nil {
		s.cfg.Log.ErrorContext(ctx, "run not taken over", "run_id", o.RunID, "error", err)
	}
}

// into enqueues a run for any server.
func (s *Service) into(runID string) func(ctx context.Context, t tx, fence int64) (int64, error) {
	return func(ctx context.Context, t tx, fence int64) (int64, error) {
		return s.enqueue(ctx, t, store.Lease{RunID: runID, Fence: fence}, anyServer, 0)
	}
}

// fetchTime is how long a job may have been fetched without its run being
// taken.
const fetchTime = 5 * time.Second

// findJobs enqueues those of the runs again that have no job in the queue.
func (s *Service) findJobs(ctx context.Context, runs []store.OpenRun, living map[string]bool) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	for len(runs) > 0 {
		part := runs[:min(len(runs), 500)]
		runs = runs[len(part):]
		ids := make([]int64, 0, len(part))
		for _, o := range part {
			ids = append(ids, o.Job)
		}
		res, err := c.JobList(ctx, river.NewJobListParams().IDs(ids...).First(len(ids)))
		if err != nil {
			return err
		}
		waits := map[int64]bool{}
		for _, job := range res.Jobs {
			waits[job.ID] = pending(job, living)
		}
		for _, o := range part {
			if !waits[o.Job] && !s.active.is(o.RunID) {
				s.takeOver(ctx, o)
			}
		}
	}
	return nil
}

// pending reports whether the job is waiting, or just being begun by a server
// that lives.
func pending(job *rivertype.JobRow, living map[string]bool) bool {
	switch job.State {
	case rivertype.JobStateAvailable, rivertype.JobStateScheduled, rivertype.JobStateRetryable, rivertype.JobStatePending:
		server, own := strings.CutPrefix(job.Queue, "at_")
		return !own || living[server]
	case rivertype.JobStateRunning:
		n := len(job.AttemptedBy)
		return n > 0 && living[job.AttemptedBy[n-1]] && job.AttemptedAt != nil && time.Since(*job.AttemptedAt) < fetchTime
	default:
		return false
	}
}

// closeForeground ends a run whose process has died: nobody waits for it. A
// result that it has left whole still counts.
func (s *Service) closeForeground(ctx context.Context, o store.OpenRun) {
	held, err := s.cfg.Store.Take(ctx, s.id, o.RunID, o.Fence)
	if err != nil {
		return // somebody else has closed it
	}
	j := s.resume(held)
	lost := &sparkwright.Fault{
		Kind: sparkwright.FaultLost, Class: "OWNER_LOST", Message: "the process that carried out the run ended before it", Remedy: "ask again",
	}
	a := j.attempt()
	if a != nil && !a.State.Final() {
		now := time.Now().UTC()
		a.State, a.Fault, a.FinishedAt = sparkwright.AttemptLost, lost, &now
		if m, err := s.now().LoadResult(j.location(a.Number), j.run.ID, a.ID); err == nil {
			a.State, a.Fault, j.run.Result, lost = sparkwright.AttemptSucceeded, nil, m, nil
		}
	} else {
		a = nil
	}
	j.put = a
	if err := j.end(ctx, lost); err != nil {
		s.cfg.Log.ErrorContext(ctx, "run not closed", "run_id", o.RunID, "error", err)
	}
}

// Reconcile closes and goes on with the runs of processes that have died.
func (s *Service) Reconcile(ctx context.Context) error { return s.reconcile(ctx) }
