package supervisor_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/check"
	"github.com/sparkwright/sparkwright/internal/crashtest"
	"github.com/sparkwright/sparkwright/internal/placement"
	"github.com/sparkwright/sparkwright/internal/store"
	"github.com/sparkwright/sparkwright/internal/supervisor"
)

// played is a service over a played world, for what needs no Spark.
type played struct {
	*supervisor.Service
	store *store.Store
	world *crashtest.World
	model *model
}

// model answers with one code after the other, the last one again and again.
type model struct {
	mu      sync.Mutex
	codes   []string
	asked   []sparkwright.GenerateRequest
	tokens  int
	version string
}

func (m *model) Generate(_ context.Context, req sparkwright.GenerateRequest) (*sparkwright.GenerateReply, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	code := m.codes[min(len(m.asked), len(m.codes)-1)]
	m.asked = append(m.asked, req)
	return &sparkwright.GenerateReply{
		Analysis: &sparkwright.Analysis{Code: code, Understood: "u", Views: []string{"t"}, Generator: "model m"},
		Usage:    sparkwright.Usage{Calls: 1, InputTokens: m.tokens, USD: float64(m.tokens) / 100},
	}, nil
}

func (m *model) Version() string { return m.version }

func (m *model) calls() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.asked)
}

func play(t *testing.T, codes []string, change func(*supervisor.Config)) *played {
	t.Helper()
	dir := t.TempDir()
	st, err := store.Open(t.Context(), filepath.Join(dir, "runs.db"))
	if err != nil {
		t.Fatal(err)
	}
	p := &played{store: st, world: &crashtest.World{Dir: dir, Server: "s", JobTime: 10 * time.Millisecond}, model: &model{codes: codes, version: "1"}}
	cfg := crashtest.Config(st, p.world)
	cfg.Generator = p.model
	if change != nil {
		change(&cfg)
	}
	p.Service = supervisor.New(cfg)
	if err = p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(context.Background()); err != nil {
			t.Error(err)
		}
		_ = st.Close()
	})
	return p
}

// submit submits a request that must be accepted.
func (p *played) submit(t *testing.T, req sparkwright.Request) string {
	t.Helper()
	run, err := p.Submit(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	return run.ID
}

// end follows a run to its end.
func (p *played) end(t *testing.T, id string) *sparkwright.Run {
	t.Helper()
	follow(t, p, id)
	run, err := p.Run(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return run
}

// held waits until a run awaits approval.
func (p *played) held(t *testing.T, id string) *sparkwright.Run {
	t.Helper()
	var run *sparkwright.Run
	eventually(t, id+" awaits approval", func() bool {
		var err error
		if run, err = p.Run(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		return run.State == sparkwright.RunAwaitingApproval
	})
	return run
}

func TestRepair(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		codes  []string
		req    sparkwright.Request
		limits supervisor.Limits
		tokens int
		state  sparkwright.RunState
		calls  int
		says   string // why it was not repaired
	}{
		{"at once right", []string{"a"}, sparkwright.Request{Question: "q"}, supervisor.Limits{Repairs: 3}, 0, sparkwright.RunSucceeded, 1, ""},
		{"repaired twice", []string{"a FAULT", "b FAULT", "c"}, sparkwright.Request{Question: "q"}, supervisor.Limits{Repairs: 3}, 0, sparkwright.RunSucceeded, 3, ""},
		{"the same again", []string{"a FAULT"}, sparkwright.Request{Question: "q"}, supervisor.Limits{Repairs: 3}, 0, sparkwright.RunFailed, 2, "no other answer"},
		{"too often", []string{"a FAULT", "b FAULT", "c"}, sparkwright.Request{Question: "q"}, supervisor.Limits{Repairs: 1}, 0, sparkwright.RunFailed, 2, "1 times"},
		{"too many tokens", []string{"a FAULT", "b"}, sparkwright.Request{Question: "q"}, supervisor.Limits{Repairs: 3, RunTokens: 100}, 100, sparkwright.RunFailed, 1, "limits.run_tokens"},
		{"too dear", []string{"a FAULT", "b"}, sparkwright.Request{Question: "q"}, supervisor.Limits{Repairs: 3, RunCents: 100}, 100, sparkwright.RunFailed, 1, "limits.run_cents"},
		{"too long", []string{"a FAULT", "b"}, sparkwright.Request{Question: "q"}, supervisor.Limits{Repairs: 3, RunTime: 1}, 0, sparkwright.RunFailed, 1, "limits.run_seconds"},
		{"the user's own", []string{"b"}, sparkwright.Request{Code: "a FAULT"}, supervisor.Limits{Repairs: 3}, 0, sparkwright.RunFailed, 0, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := play(t, tt.codes, func(c *supervisor.Config) { c.Limits = tt.limits })
			p.model.tokens = tt.tokens
			run := p.end(t, p.submit(t, tt.req))
			if run.State != tt.state || p.model.calls() != tt.calls || run.Usage.Calls != tt.calls {
				t.Errorf("%s after %d calls, want %s after %d; fault %+v", run.State, p.model.calls(), tt.state, tt.calls, run.Fault)
			}
			if tt.says != "" && !strings.Contains(run.Fault.Because, tt.says) {
				t.Errorf("because %q, want %q in it", run.Fault.Because, tt.says)
			}
			revisions, err := p.Revisions(t.Context(), run.ID)
			if err != nil || len(revisions) == 0 {
				t.Fatalf("%d revisions, %v", len(revisions), err)
			}
			for i, r := range revisions {
				if faulty := strings.Contains(r.Code, "FAULT"); faulty != (r.Fault != nil) || r.Number != i+1 {
					t.Errorf("revision %+v", r)
				}
			}
			if tt.calls > 1 && (p.model.asked[1].Repair == nil || p.model.asked[1].Repair.Fault.Line != 1 || p.model.asked[1].Repair.Code != tt.codes[0]) {
				t.Errorf("the repair was asked for with %+v", p.model.asked[1].Repair)
			}
		})
	}
}

// broken is an executor whose attempts fail.
type broken struct {
	sparkwright.Executor
	faults []*sparkwright.Fault // one an attempt; then they succeed
	mu     sync.Mutex
	n      int
}

func (b *broken) Poll(ctx context.Context, h sparkwright.Handle, sink sparkwright.Sink) (sparkwright.Outcome, error) {
	out, err := b.Executor.Poll(ctx, h, sink)
	b.mu.Lock()
	defer b.mu.Unlock()
	if out.State.Final() && b.n < len(b.faults) {
		out.State, out.Fault = sparkwright.AttemptFailed, b.faults[b.n]
		b.n++
	}
	return out, err
}

func TestFaultsOfAttempts(t *testing.T) {
	t.Parallel()
	passing := &sparkwright.Fault{Kind: sparkwright.FaultTransient, Class: "T", Message: "connection reset"}
	tests := []struct {
		name     string
		faults   []*sparkwright.Fault
		state    sparkwright.RunState
		attempts int
		calls    int
	}{
		{"passing, once", []*sparkwright.Fault{passing}, sparkwright.RunSucceeded, 2, 1},
		{"passing, again and again", []*sparkwright.Fault{passing, passing, passing, passing}, sparkwright.RunFailed, 3, 1},
		{"of the code", []*sparkwright.Fault{{Kind: sparkwright.FaultCode, Class: "C", Message: "m"}}, sparkwright.RunSucceeded, 2, 2},
		{"of the set-up", []*sparkwright.Fault{{Kind: sparkwright.FaultInfrastructure, Class: "I", Message: "m"}}, sparkwright.RunFailed, 1, 1},
		{"a time limit", []*sparkwright.Fault{{Kind: sparkwright.FaultTimeout, Class: "L", Message: "m"}}, sparkwright.RunFailed, 1, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := play(t, []string{"a", "b"}, func(c *supervisor.Config) {
				c.Executors["connect"] = &broken{Executor: c.Executors["connect"], faults: tt.faults}
			})
			run := p.end(t, p.submit(t, sparkwright.Request{Question: "q"}))
			if run.State != tt.state || len(run.Attempts) != tt.attempts || p.model.calls() != tt.calls {
				t.Errorf("%s after %d attempts and %d calls, fault %+v", run.State, len(run.Attempts), p.model.calls(), run.Fault)
			}
			for i := range run.Attempts {
				if a := &run.Attempts[i]; !a.State.Final() || a.FinishedAt == nil || i < len(tt.faults) && a.Fault == nil {
					t.Errorf("attempt %+v", a)
				}
			}
		})
	}
}

func hash(code string) string {
	sum := sha256.Sum256([]byte(code))
	return hex.EncodeToString(sum[:])
}

func TestCodeIsKept(t *testing.T) {
	t.Parallel()
	p := play(t, []string{"a", "b"}, nil)
	ask := func(req sparkwright.Request) *sparkwright.Run {
		t.Helper()
		return p.end(t, p.submit(t, req))
	}
	first := ask(sparkwright.Request{Question: "q"})
	again := ask(sparkwright.Request{Question: "q"})
	if first.Usage.Cached || !again.Usage.Cached || again.Analysis != first.Analysis || p.model.calls() != 1 {
		t.Errorf("%d calls; %+v, then %+v", p.model.calls(), first.Usage, again.Usage)
	}
	for i, req := range []sparkwright.Request{{Question: "other"}, {Question: "q", Instructions: "i"}, {Question: "q", Parent: first.ID}} {
		if run := ask(req); run.Usage.Cached || p.model.calls() != i+2 {
			t.Errorf("%+v was answered from the kept code", req)
		}
	}
	if got := p.model.asked[3].Previous; got == nil || got.Code != "a" || len(got.Questions) != 1 || got.Questions[0] != "q" {
		t.Errorf("the follow-up was told of %+v", got)
	}
	p.model.version = "2"
	if run := ask(sparkwright.Request{Question: "q"}); run.Usage.Cached {
		t.Error("another version was answered from the kept code")
	}
}

func TestCancelOutside(t *testing.T) {
	t.Parallel()
	p := play(t, []string{"a"}, nil)
	p.world.JobTime = time.Hour
	id := p.submit(t, sparkwright.Request{Question: "q", Executor: "cloud"})
	eventually(t, "the job runs", func() bool {
		run, err := p.Run(t.Context(), id)
		return err == nil && len(run.Attempts) == 1 && run.Attempts[0].State == sparkwright.AttemptRunning
	})
	if _, err := p.Cancel(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if run := p.end(t, id); run.State != sparkwright.RunCancelled || run.Attempts[0].State != sparkwright.AttemptCancelled {
		t.Errorf("%s, %+v", run.State, run.Attempts)
	}
}

func TestSweep(t *testing.T) {
	t.Parallel()
	var size int64 = 1
	p := play(t, []string{"a"}, func(c *supervisor.Config) { c.House = supervisor.House{Bytes: size} })
	pinned := p.end(t, p.submit(t, sparkwright.Request{Question: "q"})).ID
	if _, err := p.Pin(t.Context(), pinned, true); err != nil {
		t.Fatal(err)
	}
	old := p.end(t, p.submit(t, sparkwright.Request{Question: "q"})).ID
	open := p.held(t, p.submit(t, sparkwright.Request{Question: "q", Review: true})).ID
	stray := filepath.Join(p.world.Dir, "results", "r_stray")
	for _, dir := range []string{stray, stray + "2"} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	long := time.Now().Add(-48 * time.Hour)
	if err := os.Chtimes(stray, long, long); err != nil {
		t.Fatal(err)
	}
	if err := p.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	there := func(path string) bool { _, err := os.Stat(path); return err == nil }
	for id, want := range map[string]bool{pinned: true, old: false, open: true} {
		_, err := p.Run(t.Context(), id)
		if (err == nil) != want || id != open && there(filepath.Join(p.world.Dir, "results", id)) != want {
			t.Errorf("%s: %v, want %v", id, err, want)
		}
	}
	if there(stray) || !there(stray+"2") {
		t.Error("an old directory without a run stays, or a new one does not")
	}
}

// panics is a check that has a defect.
type panics struct{ crashtest.Checker }

func (panics) Policy(context.Context, string, []string) ([]sparkwright.Violation, error) {
	panic("a defect")
}

func TestDefectEndsOneRun(t *testing.T) {
	t.Parallel()
	p := play(t, []string{"a"}, func(c *supervisor.Config) {
		c.CheckClient = func(context.Context, string) (check.Client, error) { return panics{}, nil }
	})
	run := p.end(t, p.submit(t, sparkwright.Request{Question: "q"}))
	if run.State != sparkwright.RunFailed || !strings.Contains(run.Fault.Because, "a defect") {
		t.Errorf("%s, %+v", run.State, run.Fault)
	}
}

func TestOneKeyOneRun(t *testing.T) {
	t.Parallel()
	p := play(t, []string{"a"}, nil)
	var wg sync.WaitGroup
	ids := make([]string, 100)
	for i := range ids {
		wg.Go(func() {
			run, err := p.Submit(t.Context(), sparkwright.Request{Question: "q", User: "u", IdempotencyKey: "k"})
			if err != nil {
				t.Error(err)
				return
			}
			ids[i] = run.ID
		})
	}
	wg.Wait()
	for _, id := range ids {
		if id != ids[0] {
			t.Fatalf("%s and %s", id, ids[0])
		}
	}
	if p.end(t, ids[0]); p.model.calls() != 1 {
		t.Errorf("%d calls", p.model.calls())
	}
	if other := p.submit(t, sparkwright.Request{Question: "q", User: "v", IdempotencyKey: "k"}); other == ids[0] {
		t.Error("another user got the run")
	}
}

// TestResultInS3GoesWithItsRun: first the objects, then the run; a location
// that the request has chosen is left alone.
func TestResultInS3GoesWithItsRun(t *testing.T) {
	t.Parallel()
	var removed []string
	var refuse error
	output := "s3://bucket/output/session"
	p := play(t, []string{"a"}, func(c *supervisor.Config) {
		c.AWS.Bucket = "bucket"
		c.Place = func(placement.Input) (sparkwright.Placement, error) {
			return sparkwright.Placement{Executor: "cloud", OutputPath: output}, nil
		}
		c.RemoveResult = func(_ context.Context, location string) error {
			removed = append(removed, location)
			return refuse
		}
	})
	id := p.end(t, p.submit(t, sparkwright.Request{Question: "q"})).ID
	refuse = errors.New("S3 says no")
	if err := p.Delete(t.Context(), id); !errors.Is(err, refuse) {
		t.Errorf("refused: %v", err)
	}
	if _, err := p.Run(t.Context(), id); err != nil {
		t.Errorf("the run is gone before its objects: %v", err)
	}
	refuse = nil
	if err := p.Delete(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Run(t.Context(), id); sparkwright.ErrorCode(err) != sparkwright.CodeNotFound {
		t.Errorf("after the delete: %v", err)
	}
	output = "s3://mine/reports"
	own := p.end(t, p.submit(t, sparkwright.Request{Question: "q"})).ID
	if err := p.Delete(t.Context(), own); err != nil {
		t.Fatal(err)
	}
	want := "s3://bucket/output/session/" + id
	if !slices.Equal(removed, []string{want, want}) {
		t.Errorf("removed %v", removed)
	}
}
