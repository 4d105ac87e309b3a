package supervisor_test

import (
	"context"
	"database/sql"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/crashtest"
	"github.com/sparkwright/sparkwright/internal/store"
	"github.com/sparkwright/sparkwright/internal/supervisor"
)

// A run that is approved waits for its job of the queue. A server that dies
// when it has fetched that job, and not yet taken the run, leaves both: another
// one finds them.
func TestApprovedRunWhoseJobIsLost(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "runs.db")
	st, err := store.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	service := func() *played {
		p := &played{store: st, world: &crashtest.World{Dir: dir, Server: "s", JobTime: 10 * time.Millisecond}, model: &model{codes: []string{"a"}, version: "1"}}
		cfg := crashtest.Config(st, p.world)
		cfg.Generator = p.model
		p.Service = supervisor.New(cfg)
		return p
	}
	begin := func(p *played) {
		if failed := p.Start(t.Context()); failed != nil {
			t.Fatal(failed)
		}
	}
	end := func(p *played) {
		if failed := p.Close(context.Background()); failed != nil {
			t.Error(failed)
		}
	}
	first := service()
	begin(first)
	id := first.held(t, first.submit(t, sparkwright.Request{Question: "q", Review: true})).ID
	end(first)

	second := service() // takes approvals, and carries nothing out
	defer end(second)
	if _, err = second.Decide(t.Context(), id, sparkwright.Decision{Approve: true, CodeHash: hash("a")}); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // nothing is lost
	res, err := db.ExecContext(t.Context(), `UPDATE river_job SET state = 'running', attempt = 1, attempted_at = CURRENT_TIMESTAMP, attempted_by = json_array('s_dead') WHERE state = 'available'`)
	if err != nil {
		t.Fatal(err)
	}
	if n, e := res.RowsAffected(); n != 1 || e != nil {
		t.Fatalf("%d jobs were in the queue, %v", n, e)
	}

	third := service()
	begin(third)
	defer end(third)
	if run := third.end(t, id); run.State != sparkwright.RunSucceeded {
		t.Errorf("%s, %+v", run.State, run.Fault)
	}
}

// Who approves again and again, before the approved run's job has begun, does
// not keep it from beginning.
func TestApprovedOverAndOver(t *testing.T) {
	t.Parallel()
	p := play(t, []string{"a"}, nil)
	id := p.held(t, p.submit(t, sparkwright.Request{Question: "q", Review: true})).ID
	ctx, enough := context.WithCancel(t.Context())
	var decided atomic.Int64
	var callers sync.WaitGroup
	for range 20 {
		callers.Go(func() {
			for ctx.Err() == nil {
				if _, err := p.Decide(ctx, id, sparkwright.Decision{Approve: true, CodeHash: hash("a")}); err == nil {
					decided.Add(1)
				}
			}
		})
	}
	run := p.end(t, id)
	enough()
	callers.Wait()
	if run.State != sparkwright.RunSucceeded || decided.Load() != 1 {
		t.Errorf("%s, %d approvals counted, %+v", run.State, decided.Load(), run.Fault)
	}
}

func TestApproval(t *testing.T) {
	t.Parallel()
	p := play(t, []string{"a"}, nil)
	req := sparkwright.Request{Question: "q", Review: true}
	approved := p.held(t, p.submit(t, req)).ID
	if _, err := p.Decide(t.Context(), approved, sparkwright.Decision{Approve: true, CodeHash: hash("b")}); sparkwright.ErrorCode(err) != sparkwright.CodeConflict {
		t.Errorf("approved with the hash of other code: %v", err)
	}
	if run, err := p.Decide(t.Context(), approved, sparkwright.Decision{Approve: true, CodeHash: hash("a"), By: "ann"}); err != nil {
		t.Fatalf("%+v, %v", run, err)
	}
	if run := p.end(t, approved); run.State != sparkwright.RunSucceeded {
		t.Errorf("after the approval: %s, %+v", run.State, run.Fault)
	}
	if _, err := p.Decide(t.Context(), approved, sparkwright.Decision{Approve: true, CodeHash: hash("a")}); sparkwright.ErrorCode(err) != sparkwright.CodeConflict {
		t.Errorf("approved twice: %v", err)
	}
	rejected := p.held(t, p.submit(t, req)).ID
	if run, err := p.Decide(t.Context(), rejected, sparkwright.Decision{CodeHash: hash("a"), Why: "too much"}); err != nil || run.State != sparkwright.RunCancelled || len(run.Attempts) != 0 {
		t.Errorf("rejected: %+v, %v", run, err)
	}
	dropped := p.held(t, p.submit(t, req)).ID
	// In this call, or by the job that it asks for, whichever is quicker.
	if run, err := p.Cancel(t.Context(), dropped); err != nil || run.State != sparkwright.RunCancelled || len(run.Attempts) != 0 {
		t.Errorf("cancelled: %+v, %v", run, err)
	}
}

// A repair changes the code: the approval of the one before is not enough.
func TestRepairedCodeNeedsAnotherApproval(t *testing.T) {
	t.Parallel()
	p := play(t, []string{"a", "b"}, func(c *supervisor.Config) {
		c.Executors["connect"] = &broken{Executor: c.Executors["connect"], faults: []*sparkwright.Fault{{Kind: sparkwright.FaultCode, Class: "C"}}}
	})
	id := p.submit(t, sparkwright.Request{Question: "q", Review: true})
	for _, code := range []string{"a", "b"} {
		eventually(t, code+" awaits approval", func() bool {
			_, err := p.Decide(t.Context(), id, sparkwright.Decision{Approve: true, CodeHash: hash(code)})
			return err == nil
		})
	}
	if run := p.end(t, id); run.State != sparkwright.RunSucceeded || run.Repairs != 1 {
		t.Errorf("%s, %d repairs, %+v", run.State, run.Repairs, run.Fault)
	}
}
