package supervisor

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverdatabasesql"
	"github.com/riverqueue/river/riverdriver/riversqlite"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/childproc"
	"github.com/sparkwright/sparkwright/internal/store"
)

type tx = *sql.Tx

// ticket is the queue's job: go on with a run. It holds as long as the run has
// that fence; a second ticket for the same fence finds it used up.
type ticket struct {
	RunID string    `json:"run_id"`
	Fence int64     `json:"fence"`
	Due   time.Time `json:"due,omitzero"` // not before
}

// Kind implements river.JobArgs.
func (ticket) Kind() string { return "run" }

// The queues. What goes on in one process only is in that server's own queue.
const anyServer = "runs"

func (s *Service) ownQueue() string { return "at_" + s.id }

// River's defaults do not fit runs: a job may take longer than a minute, a lost
// one is found by our own leases long before an hour, and a failed one is
// repeated by the reconcile loop rather than 25 times by the queue.
const (
	jobTime    = 45 * time.Minute // of one job, above every time limit of a step
	rescueTime = time.Hour        // when the queue forgets a job that nobody ended
	jobTries   = 3
)

// client returns the queue. It can be inserted into from the first use; jobs
// are fetched after Start.
func (s *Service) client() (*river.Client[tx], error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.queue != nil {
		return s.queue, nil
	}
	workers := river.NewWorkers()
	if err := river.AddWorkerSafely(workers, &worker{s: s}); err != nil {
		return nil, fmt.Errorf("prepare the queue: %w", err)
	}
	var driver riverdriver.Driver[tx] = riversqlite.New(s.cfg.Store.DB())
	if s.cfg.Store.Shared() {
		driver = riverdatabasesql.New(s.cfg.Store.DB())
	}
	t := s.cfg.Timing
	c, err := river.NewClient(driver, &river.Config{
		ID: s.id, Workers: workers, Logger: quiet(s.cfg.Log), PollOnly: true,
		FetchPollInterval: t.Fetch, FetchCooldown: min(t.Fetch, 50*time.Millisecond),
		JobTimeout: jobTime, RescueStuckJobsAfter: rescueTime, MaxAttempts: jobTries,
		CompletedJobRetentionPeriod: time.Hour, DiscardedJobRetentionPeriod: 24 * time.Hour,
		Queues: map[string]river.QueueConfig{
			anyServer: {MaxWorkers: t.Workers}, s.ownQueue(): {MaxWorkers: 4 * t.Workers},
		},
	})
	if err != nil {
		return nil, fmt.Errorf("prepare the queue: %w", err)
	}
	s.queue = c
	return c, nil
}

// quiet keeps the queue's own notices out of the log.
func quiet(log *slog.Logger) *slog.Logger {
	return slog.New(levelHandler{log.Handler()})
}

type levelHandler struct{ slog.Handler }

// Enabled implements slog.Handler.
func (h levelHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelError && h.Handler.Enabled(ctx, level)
}

// enqueue puts a run into a queue, in a transaction, for now or for later.
func (s *Service) enqueue(ctx context.Context, t tx, l store.Lease, queue string, wait time.Duration) (int64, error) {
	c, err := s.client()
	if err != nil {
		return 0, err
	}
	job := ticket{RunID: l.RunID, Fence: l.Fence}
	if wait > 0 {
		job.Due = time.Now().Add(wait)
	}
	res, err := c.InsertTx(ctx, t, job, &river.InsertOpts{Queue: queue})
	if err != nil {
		return 0, fmt.Errorf("put the run into the queue: %w", err)
	}
	return res.Job.ID, nil
}

// Start carries out runs until Close: those of the queue, and those whose
// server has died.
func (s *Service) Start(ctx context.Context) error {
	if err := s.live(ctx); err != nil {
		return err
	}
	c, err := s.client()
	if err != nil {
		return err
	}
	if err = s.reconcile(ctx); err != nil {
		return err
	}
	if err = c.Start(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("start the queue: %w", err)
	}
	s.worked.Go(func() { s.every(s.cfg.Timing.Look, "runs not reconciled", s.reconcile) })
	s.worked.Go(func() { s.every(sweepEvery, "old runs not all removed", s.Sweep) })
	s.worked.Go(func() {
		s.Reap(s.ctx)
		s.every(sweepEvery, "backends not looked for", func(ctx context.Context) error { s.Reap(ctx); return nil })
	})
	return nil
}

// live makes this server known and keeps it so, once.
func (s *Service) live(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.alive {
		return nil
	}
	if err := s.sayAlive(ctx); err != nil {
		return err
	}
	s.alive = true
	s.worked.Go(func() { s.every(s.cfg.Timing.Beat, "heartbeat not stored", s.sayAlive) })
	s.worked.Go(func() { s.every(watchEvery, "cancels not read", s.passCancels) })
	return nil
}

// every does something again and again until Close.
func (s *Service) every(d time.Duration, failed string, do func(context.Context) error) {
	tick := time.NewTicker(d)
	defer tick.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-tick.C:
		}
		if err := do(s.ctx); err != nil && s.ctx.Err() == nil {
			s.cfg.Log.ErrorContext(s.ctx, failed, "error", err) //nolint:sloglint // one of the texts of live and Start
		}
	}
}

func (s *Service) sayAlive(ctx context.Context) error {
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timing.Silence)
	defer cancel()
	if err := s.cfg.Store.Beat(ctx, s.id, childproc.Self()); err != nil {
		return err
	}
	s.beat.at(began)
	return nil
}

// nap is how long a job that is not due sleeps at most. Jobs that are due later
// than that are the business of the queue's leader, whose death it takes the
// others a quarter of a minute to notice; shorter sleeps are nobody's.
const nap = 4 * time.Second

// letGoTime is how long a ticket waits for what is just ending.
const letGoTime = 50 * time.Millisecond

// worker carries out tickets.
type worker struct {
	river.WorkerDefaults[ticket]

	s *Service
}

// Work implements river.Worker. A ticket that is used up is done; an error has
// been stored, or the reconcile loop finds the run again.
func (w *worker) Work(ctx context.Context, job *river.Job[ticket]) error {
	s := w.s
	s.failpoint("work:fetched")
	if rest := time.Until(job.Args.Due); rest > 0 {
		return river.JobSnooze(min(rest, nap))
	}
	if !s.active.begin(job.Args.RunID) {
		// Who has the run here may have stored this ticket a moment ago, and lets go of it just now.
		if now, err := s.cfg.Store.Holds(ctx, store.Lease{RunID: job.Args.RunID, Fence: job.Args.Fence}); err != nil || now {
			return river.JobSnooze(letGoTime)
		}
		return nil
	}
	defer s.active.end(job.Args.RunID)
	held, err := s.cfg.Store.Take(ctx, s.id, job.Args.RunID, job.Args.Fence)
	if errors.Is(err, store.ErrFenced) {
		return nil
	}
	if err != nil {
		return err
	}
	s.failpoint("work:taken")
	j := s.resume(held)
	err = j.carryOut(ctx)
	if err != nil && !errors.Is(err, store.ErrFenced) && context.Cause(ctx) == nil {
		s.cfg.Log.ErrorContext(ctx, "run interrupted", "run_id", held.RunID, "error", err)
	}
	return nil
}

// asFault keeps an error that stopped a run before or beside its job.
func asFault(err error) *sparkwright.Fault {
	f := &sparkwright.Fault{Kind: sparkwright.FaultInfrastructure, Class: string(sparkwright.ErrorCode(err)), Message: err.Error()}
	if e, ok := errors.AsType[*sparkwright.Error](err); ok {
		f.Message, f.Because, f.Remedy = e.Message, e.Because, e.Remedy
	}
	return f
}
