package telemetry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	coltrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/telemetry"
)

// canary is what must never be told.
const canary = "canary-5d2e"

func get(t *testing.T, h http.Handler, path string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, http.NoBody)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, req)
	return rec
}

func lines(t *testing.T, text string) (out []map[string]any) {
	t.Helper()
	for line := range strings.Lines(text) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatal(err)
		}
		out = append(out, m)
	}
	return out
}

func TestEveryLineHasTheIDs(t *testing.T) {
	t.Parallel()
	var text bytes.Buffer
	log := slog.New(telemetry.NewHandler(slog.NewJSONHandler(&text, nil)))
	metrics := telemetry.NewMetrics(nil)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /things/{id}", func(w http.ResponseWriter, r *http.Request) {
		telemetry.Annotate(r.Context(), slog.String("run_id", "r_1"))
		log.With("with", 1).InfoContext(r.Context(), "inside")
		http.Error(w, "full", http.StatusInsufficientStorage)
	})
	h := telemetry.HTTP{Log: log, Metrics: metrics}.Wrap(mux)
	rec := get(t, h, "/things/"+canary+"?q="+canary, "X-Request-Id", "req-1", "Authorization", canary, "Cookie", canary)
	if rec.Header().Get("X-Request-Id") != "req-1" {
		t.Errorf("request id %q", rec.Header().Get("X-Request-Id"))
	}
	if got := get(t, h, "/nothing/"+canary, "X-Request-Id", "evil\nid").Header().Get("X-Request-Id"); len(got) != 24 {
		t.Errorf("made id %q", got)
	}
	said := lines(t, text.String())
	if len(said) != 3 {
		t.Fatalf("%d lines", len(said))
	}
	for i, l := range said[:2] {
		if l["request_id"] != "req-1" || l["run_id"] != "r_1" {
			t.Errorf("line %d: %v", i, l)
		}
	}
	if said[1]["status"] != 507.0 || said[1]["route"] != "GET /things/{id}" || said[1]["level"] != "ERROR" || said[2]["route"] != "unmatched" {
		t.Errorf("lines %v", said)
	}
	scrape := get(t, metrics.Handler(), "/metrics").Body.String()
	if !strings.Contains(scrape, `sparkwright_http_request_seconds_count{method="GET",route="GET /things/{id}",status="507"} 1`) {
		t.Errorf("metrics %s", scrape)
	}
	if strings.Contains(text.String()+scrape, canary) {
		t.Error("a path, a query or a header was told")
	}
}

// run is one that has ended, full of what must not be told.
func run() *sparkwright.Run {
	begin := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	end := begin.Add(7 * time.Second)
	attempt := begin.Add(5 * time.Second)
	return &sparkwright.Run{
		ID: "r_1", State: sparkwright.RunFailed, Question: sparkwright.Question{Text: canary}, Analysis: canary, Understood: canary,
		Placement: sparkwright.Placement{Executor: "connect", Reason: canary}, CreatedAt: begin, FinishedAt: &end,
		Usage: sparkwright.Usage{InputTokens: 100, OutputTokens: 20}, Timings: []sparkwright.Timing{{Step: "catalog"}, {Step: "check", StartedAt: begin.Add(time.Second), Seconds: 2}},
		Fault: &sparkwright.Fault{Class: "DIVIDE_BY_ZERO", Message: canary, Log: canary},
		Attempts: []sparkwright.Attempt{{
			ID: "r_1-1", State: sparkwright.AttemptFailed, Script: canary, StartedAt: begin.Add(time.Second), FinishedAt: &attempt,
			Fault: &sparkwright.Fault{Class: "DIVIDE_BY_ZERO", Message: canary},
		}},
	}
}

func TestMetricsOfRuns(t *testing.T) {
	t.Parallel()
	m := telemetry.NewMetrics(func(context.Context) (map[sparkwright.RunState]int, error) {
		return map[sparkwright.RunState]int{sparkwright.RunQueued: 3}, nil
	})
	m.Finished(run())
	m.Readers(2)
	m.Readers(-1)
	scrape := get(t, m.Handler(), "/metrics").Body.String()
	for _, line := range []string{
		`sparkwright_runs_total{executor="connect",state="failed"} 1`,
		`sparkwright_run_seconds_sum{state="failed"} 7`,
		`sparkwright_attempt_seconds_sum{executor="connect",state="failed"} 4`,
		`sparkwright_model_tokens_total{direction="input"} 100`,
		`sparkwright_runs_active{state="queued"} 3`, `sparkwright_runs_active{state="running"} 0`,
		`sparkwright_sse_readers 1`, "go_goroutines", "process_resident_memory_bytes",
	} {
		if !strings.Contains(scrape, line) {
			t.Errorf("no %s", line)
		}
	}
	if strings.Contains(scrape, canary) {
		t.Error("the metrics tell what they must not")
	}
	broken := telemetry.NewMetrics(func(context.Context) (map[sparkwright.RunState]int, error) { return nil, errors.New("no store") })
	if rec := get(t, broken.Handler(), "/metrics"); rec.Code != http.StatusOK || !strings.Contains(rec.Body.String(), "go_goroutines") {
		t.Errorf("HTTP %d without the store", rec.Code)
	}
}

// A collector that speaks OTLP gets the spans of a run and of a request.
func TestTraces(t *testing.T) { //nolint:paralleltest // the exporter reads the environment
	got := make(chan *coltrace.ExportTraceServiceRequest, 10)
	raw := make(chan string, 10)
	collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		msg := &coltrace.ExportTraceServiceRequest{}
		if err == nil {
			err = proto.Unmarshal(body, msg)
		}
		if err != nil || r.URL.Path != "/v1/traces" {
			t.Errorf("%s: %v", r.URL.Path, err)
		}
		got <- msg
		raw <- string(body)
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	defer collector.Close()
	env := map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": collector.URL}
	for name, value := range env {
		t.Setenv(name, value)
	}
	traces, err := telemetry.NewTraces(t.Context(), "v1", func(name string) string { return env[name] })
	if err != nil {
		t.Fatal(err)
	}
	traces.Finished(run())
	h := telemetry.HTTP{Log: slog.New(slog.DiscardHandler), Tracer: traces.Tracer()}.Wrap(http.NotFoundHandler())
	parent := "4bf92f3577b34da6a3ce929d0e0e4736"
	get(t, h, "/"+canary, "traceparent", "00-"+parent+"-00f067aa0ba902b7-01")
	if err = traces.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	close(got)
	spans := map[string]string{}
	for msg := range got {
		for _, rs := range msg.GetResourceSpans() {
			for _, ss := range rs.GetScopeSpans() {
				for _, s := range ss.GetSpans() {
					spans[s.GetName()] = s.String()
					seconds := (s.GetEndTimeUnixNano() - s.GetStartTimeUnixNano()) / 1e9
					if want := map[string]uint64{"run": 7, "attempt": 4, "step check": 2}[s.GetName()]; want > 0 && seconds != want {
						t.Errorf("%s took %d s", s.GetName(), seconds)
					}
				}
			}
		}
	}
	if len(spans) != 4 || spans["step check"] == "" || !strings.Contains(spans["run"], "r_1") || !strings.Contains(spans["attempt"], "DIVIDE_BY_ZERO") || spans["GET unmatched"] == "" {
		t.Errorf("spans %v", spans)
	}
	close(raw)
	for body := range raw {
		if strings.Contains(body, canary) {
			t.Error("a span tells what it must not")
		}
	}
}

func TestNoCollector(t *testing.T) {
	t.Parallel()
	traces, err := telemetry.NewTraces(t.Context(), "v1", func(string) string { return "" })
	if traces != nil || err != nil {
		t.Fatalf("%v, %v", traces, err)
	}
	traces.Finished(run())
	if traces.Tracer() != nil || traces.Close(t.Context()) != nil {
		t.Error("a tracer without a collector")
	}
}

func TestReadyz(t *testing.T) {
	t.Parallel()
	var text bytes.Buffer
	log := slog.New(slog.NewJSONHandler(&text, nil))
	ok := telemetry.Check{Name: "store", Do: func(context.Context) error { return nil }}
	if rec := get(t, telemetry.Readyz(log, ok), "/readyz"); rec.Code != http.StatusOK {
		t.Errorf("HTTP %d", rec.Code)
	}
	rec := get(t, telemetry.Readyz(log, ok,
		telemetry.Check{Name: "disk", Do: func(context.Context) error {
			return &sparkwright.Error{Code: sparkwright.CodeResource, Message: "the disk is full", Remedy: "free some space"}
		}},
		telemetry.Check{Name: "queue", Do: func(context.Context) error { return errors.New(canary) }},
	), "/readyz")
	body := rec.Body.String()
	if rec.Code != http.StatusServiceUnavailable || strings.Contains(body, canary) ||
		!strings.Contains(body, `"name":"store","ok":true`) || !strings.Contains(body, "the disk is full") || !strings.Contains(body, "free some space") {
		t.Errorf("HTTP %d: %s", rec.Code, body)
	}
	if rec := get(t, telemetry.Healthz(), "/healthz"); rec.Code != http.StatusOK {
		t.Errorf("HTTP %d", rec.Code)
	}
}
