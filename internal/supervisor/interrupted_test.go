package supervisor_test

import (
	"context"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/store"
	"github.com/sparkwright/sparkwright/internal/supervisor"
)

// slow keeps a PostgreSQL backend busy for a quarter of an hour.
const slow = "result = spark.sql('SELECT count(s) AS n FROM slow WHERE length(s) < 1')"

// start runs slow and returns when its script is running.
func start(t *testing.T, b *bundle, ctx context.Context) (runID string, done chan error) { //nolint:revive // t stays first, as in every helper here
	t.Helper()
	ids := make(chan string, 1)
	done = make(chan error, 1)
	go func() {
		run, err := b.svc.Ask(ctx, supervisor.Request{
			Code: slow, Tables: []string{"t.public.slow"},
			Observe: func(run *sparkwright.Run, e sparkwright.Event) {
				if e.State == sparkwright.RunRunning && len(ids) == 0 {
					ids <- run.ID
				}
			},
		})
		if err == nil {
			t.Errorf("the run ended by itself: %+v", run)
		}
		done <- err
	}()
	select {
	case runID = <-ids:
	case err := <-done:
		t.Fatalf("ended before it ran: %v", err)
	}
	eventually(t, "a backend is active", func() bool { return b.backends(t, runID) > 0 })
	return runID, done
}

func interrupted(t *testing.T, b *bundle) {
	ctx, cancel := context.WithCancel(t.Context())
	runID, done := start(t, b, ctx)
	cancel()
	ended(t, b, runID, <-done)
}

func cancelled(t *testing.T, b *bundle) {
	runID, done := start(t, b, t.Context())
	if err := b.store.RequestCancel(t.Context(), runID, nil); err != nil {
		t.Fatal(err)
	}
	ended(t, b, runID, <-done)
}

func ended(t *testing.T, b *bundle, runID string, err error) {
	t.Helper()
	if sparkwright.ErrorCode(err) != sparkwright.CodeCancelled {
		t.Errorf("error %v", err)
	}
	run, err := b.store.Run(t.Context(), runID)
	if err != nil || run.State != sparkwright.RunCancelled || run.Attempts[0].State != sparkwright.AttemptCancelled {
		t.Errorf("stored as %+v, error %v", run, err)
	}
	eventually(t, "no backend of the run is active", func() bool { return b.backends(t, runID) == 0 })
}

// clientKilled kills the one client process that runs the script.
func clientKilled(t *testing.T, b *bundle) {
	runID, done := start(t, b, t.Context())
	script := filepath.Join(b.results, runID, "1", "job.py")
	eventually(t, "the client is found", func() bool {
		for _, pid := range b.spark.Running() {
			return syscall.Kill(pid, syscall.SIGKILL) == nil
		}
		return false
	})
	err := <-done
	run, _ := b.store.Run(t.Context(), runID)
	if err == nil || run.State != sparkwright.RunFailed || run.Fault.Kind != sparkwright.FaultLost {
		t.Errorf("%s: error %v, state %s, fault %+v", script, err, run.State, run.Fault)
	}
	eventually(t, "no backend of the run is active", func() bool { return b.backends(t, runID) == 0 })
}

func backendsKilled(t *testing.T, b *bundle) {
	runID, done := start(t, b, t.Context())
	b.exec(t, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'sparkwright/"+runID+"'")
	err := <-done
	run, _ := b.store.Run(t.Context(), runID)
	if err == nil || run.State != sparkwright.RunFailed || run.Fault.Kind != sparkwright.FaultTransient {
		t.Errorf("error %v, state %s, fault %+v", err, run.State, run.Fault)
	}
}

// reconciled is a run in the foreground of a process that has died.
func reconciled(t *testing.T, b *bundle) {
	run := &sparkwright.Run{ID: "r_orphan", State: sparkwright.RunRunning, Owner: "s_dead"}
	if err := b.store.CreateRun(t.Context(), run, sparkwright.Request{}, store.Admission{Step: "poll", Foreground: true}); err != nil {
		t.Fatal(err)
	}
	a := &sparkwright.Attempt{ID: "r_orphan-1", RunID: run.ID, Number: 1, State: sparkwright.AttemptRunning}
	if err := b.store.PutAttempt(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	if err := b.svc.Reconcile(t.Context()); err != nil {
		t.Fatal(err)
	}
	got, err := b.store.Run(t.Context(), run.ID)
	if err != nil || got.State != sparkwright.RunFailed || got.Fault.Class != "OWNER_LOST" || got.Attempts[0].State != sparkwright.AttemptLost {
		t.Errorf("stored as %+v, error %v", got, err)
	}
}
