package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/result"
	"github.com/sparkwright/sparkwright/internal/server"
	"github.com/sparkwright/sparkwright/internal/server/api"
	"github.com/sparkwright/sparkwright/internal/store"
	"github.com/sparkwright/sparkwright/internal/telemetry"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// engine is sparkwright.Runs over a real store. Nothing carries its runs out:
// the tests bring them from state to state, so that every moment can be held.
type engine struct {
	*store.Store
	mu   sync.Mutex
	news chan struct{} // closed and replaced when something happens
}

var _ sparkwright.Runs = (*engine)(nil)

func newEngine(t *testing.T) *engine {
	t.Helper()
	s, err := store.Open(context.Background(), filepath.Join(t.TempDir(), "runs.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return &engine{Store: s, news: make(chan struct{})}
}

func (e *engine) Submit(ctx context.Context, req sparkwright.Request) (*sparkwright.Run, error) {
	if req.IdempotencyKey != "" {
		if run, err := e.Repeated(ctx, req); sparkwright.ErrorCode(err) != sparkwright.CodeNotFound {
			return run, err
		}
	}
	run := &sparkwright.Run{
		ID: store.NewRunID(), State: sparkwright.RunQueued, Session: req.Session, User: req.User, Parent: req.Parent, Generator: "planner",
		Question:  sparkwright.Question{Text: req.Question, Connection: req.Connection, Tables: req.Tables},
		Placement: sparkwright.Placement{Executor: "connect", Reason: "local Spark"}, Analysis: req.Code,
	}
	if req.Code != "" {
		run.Generator = "user"
	}
	return run, e.CreateRun(ctx, run, req, store.Admission{})
}

func (e *engine) Cancel(ctx context.Context, id string) (*sparkwright.Run, error) {
	if err := e.RequestCancel(ctx, id, nil); err != nil {
		return nil, err
	}
	return e.Run(ctx, id)
}

func (e *engine) Decide(ctx context.Context, id string, d sparkwright.Decision) (*sparkwright.Run, error) {
	run, err := e.Run(ctx, id)
	if err != nil {
		return nil, err
	}
	if run.State != sparkwright.RunAwaitingApproval || d.CodeHash != hashOf(run.Analysis) {
		return nil, sparkwright.Errorf(sparkwright.CodeConflict, "another code awaits approval")
	}
	run.State = sparkwright.RunRunning
	if !d.Approve {
		run.State = sparkwright.RunCancelled
	}
	return run, e.UpdateRun(ctx, run)
}

// UpdateRun stores a run as its owner would.
func (e *engine) UpdateRun(ctx context.Context, run *sparkwright.Run) error {
	held, err := e.TakeFree(ctx, "s_test", run.ID)
	if err != nil {
		return err
	}
	return e.Commit(ctx, held.Lease, &store.Change{Run: run, Release: true})
}

// AddRevision stores another analysis of a run.
func (e *engine) AddRevision(ctx context.Context, r *sparkwright.Revision) error {
	held, err := e.TakeFree(ctx, "s_test", r.RunID)
	if err != nil {
		return err
	}
	return e.Commit(ctx, held.Lease, &store.Change{Run: held.Run, Revision: r, Fault: r.Fault, Release: true})
}

func (e *engine) Pin(ctx context.Context, id string, pinned bool) (*sparkwright.Run, error) {
	if err := e.Store.Pin(ctx, id, pinned); err != nil {
		return nil, err
	}
	return e.Run(ctx, id)
}

func (e *engine) Changed(ctx context.Context, id string, after int64) error {
	for {
		e.mu.Lock()
		news := e.news
		e.mu.Unlock()
		seq, final, err := e.LastEvent(ctx, id)
		if err != nil || seq > after || final {
			return err
		}
		select {
		case <-news:
		case <-ctx.Done():
			return nil
		}
	}
}

func (e *engine) tell() {
	e.mu.Lock()
	defer e.mu.Unlock()
	close(e.news)
	e.news = make(chan struct{})
}

// say adds an event.
func (e *engine) say(t *testing.T, id string, ev sparkwright.Event) {
	t.Helper()
	ev.RunID = id
	if err := e.AppendEvent(context.Background(), &ev); err != nil {
		t.Error(err)
	}
	e.tell()
}

// bring brings a run into a state; change may change it too.
func (e *engine) bring(t *testing.T, id string, state sparkwright.RunState, change func(*sparkwright.Run)) {
	t.Helper()
	run, err := e.Run(context.Background(), id)
	if err != nil {
		t.Error(err)
		return
	}
	run.State = state
	if state.Final() {
		now := time.Now().UTC()
		run.FinishedAt = &now
	}
	if change != nil {
		change(run)
	}
	if err = e.UpdateRun(context.Background(), run); err != nil {
		t.Error(err)
	}
	e.say(t, id, sparkwright.Event{Type: sparkwright.EventState, State: state})
}

// bundle is a listening server over a real store.
type bundle struct {
	engine  *engine
	api     *api.API
	metrics *telemetry.Metrics
	log     *safeBuffer
	url     string
	server  *httptest.Server
}

// safeBuffer is a buffer for several goroutines.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func setup(t *testing.T, edit func(*api.Config)) *bundle {
	t.Helper()
	b := &bundle{engine: newEngine(t), log: &safeBuffer{}}
	b.metrics = telemetry.NewMetrics(nil)
	log := slog.New(telemetry.NewHandler(slog.NewJSONHandler(b.log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	cfg := api.Config{
		Runs: b.engine, Results: result.New(result.Config{CacheDir: filepath.Join(t.TempDir(), "views")}),
		Counter: b.metrics, Log: log, Heartbeat: time.Hour,
	}
	if edit != nil {
		edit(&cfg)
	}
	b.api = api.New(cfg)
	edge := server.New(server.Config{
		Log: log, Hosts: []string{"127.0.0.1"}, Mounts: map[string]http.Handler{api.Prefix + "/": b.api, "/metrics": b.metrics.Handler()},
	})
	b.server = httptest.NewServer(telemetry.HTTP{Log: log, Metrics: b.metrics}.Wrap(edge))
	t.Cleanup(b.server.Close)
	b.url = b.server.URL
	return b
}

// reply is what a request got.
type reply struct {
	*http.Response
	text string
}

// call sends a request; body is text, or anything to be sent as JSON.
func (b *bundle) call(t *testing.T, method, path string, body any, header ...string) reply {
	t.Helper()
	var text []byte
	switch v := body.(type) {
	case nil:
	case string:
		text = []byte(v)
	default:
		var err error
		if text, err = json.Marshal(v); err != nil {
			t.Fatal(err)
		}
	}
	req, err := http.NewRequestWithContext(context.Background(), method, b.url+path, bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if text != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := b.server.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // read only
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{resp, string(got)}
}

// want checks the status and decodes the body.
func want[T any](t *testing.T, r reply, status int) T {
	t.Helper()
	var v T
	if r.StatusCode != status {
		t.Fatalf("HTTP %d, want %d: %s", r.StatusCode, status, r.text)
	}
	if err := json.Unmarshal([]byte(r.text), &v); err != nil {
		t.Fatalf("%v: %s", err, r.text)
	}
	return v
}

// wantProblem checks a refusal.
func wantProblem(t *testing.T, r reply, status int, code sparkwright.Code, says string) api.Problem {
	t.Helper()
	p := want[api.Problem](t, r, status)
	if got := r.Header.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("content type %q", got)
	}
	if p.Code != code || p.Status != status || p.RequestID == "" || p.RequestID != r.Header.Get("X-Request-Id") || !strings.Contains(r.text, says) {
		t.Errorf("problem %s, want code %s and %q", r.text, code, says)
	}
	return p
}

// ask makes a run.
func (b *bundle) ask(t *testing.T, with map[string]any, header ...string) api.Run {
	t.Helper()
	body := map[string]any{"question": "how many orders are there", "connection": "shop"}
	maps.Copy(body, with)
	return want[api.Run](t, b.call(t, http.MethodPost, "/api/v1/runs", body, header...), http.StatusAccepted)
}

// eventually waits for something that ends soon, however slow the machine.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); <-tick.C {
		if ok() {
			return
		}
	}
	t.Errorf("not so after two minutes: %s", what)
}
