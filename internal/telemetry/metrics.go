package telemetry

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/sparkwright/sparkwright"
)

// Metrics are the counters of one server. The zero value is not useful; all
// methods are safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry
	runs     *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	attempts *prometheus.HistogramVec
	tokens   *prometheus.CounterVec
	requests *prometheus.HistogramVec
	readers  prometheus.Gauge
	refused  *prometheus.CounterVec
}

// longTime are buckets for what may take from a moment to hours.
func longTime() []float64 { return []float64{0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600} }

// NewMetrics returns metrics; active counts the unfinished runs by state and is
// asked at each scrape.
func NewMetrics(active func(ctx context.Context) (map[sparkwright.RunState]int, error)) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		runs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sparkwright_runs_total", Help: "Runs that have ended, by final state and executor.",
		}, []string{"state", "executor"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "sparkwright_run_seconds", Help: "Seconds from the acceptance of a run to its end, by final state.", Buckets: longTime(),
		}, []string{"state"}),
		attempts: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "sparkwright_attempt_seconds", Help: "Seconds that an attempt took, by executor and final state.", Buckets: longTime(),
		}, []string{"executor", "state"}),
		tokens: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sparkwright_model_tokens_total", Help: "Tokens of ended runs at the model, by direction.",
		}, []string{"direction"}),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "sparkwright_http_request_seconds", Help: "Seconds that requests took, by method, route and status.", Buckets: prometheus.DefBuckets,
		}, []string{"method", "route", "status"}),
		readers: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "sparkwright_sse_readers", Help: "Connections that follow the events of a run.",
		}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sparkwright_refusals_total", Help: "Requests refused by a limit.",
		}, []string{"limit"}),
	}
	m.registry.MustRegister(m.runs, m.seconds, m.attempts, m.tokens, m.requests, m.readers, m.refused,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if active != nil {
		m.registry.MustRegister(&activeRuns{count: active, desc: prometheus.NewDesc(
			"sparkwright_runs_active", "Runs that have not ended, by state; those queued are the depth of the queue.", []string{"state"}, nil)})
	}
	return m
}

// Handler serves the metrics in Prometheus' text format.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError, Timeout: 10 * time.Second})
}

// Finished counts a run that has reached its final state, with its attempts.
func (m *Metrics) Finished(run *sparkwright.Run) {
	state, executor := string(run.State), run.Placement.Executor
	m.runs.WithLabelValues(state, executor).Inc()
	if run.FinishedAt != nil {
		m.seconds.WithLabelValues(state).Observe(run.FinishedAt.Sub(run.CreatedAt).Seconds())
	}
	for i := range run.Attempts {
		a := &run.Attempts[i]
		if a.FinishedAt != nil {
			m.attempts.WithLabelValues(executor, string(a.State)).Observe(a.FinishedAt.Sub(a.StartedAt).Seconds())
		}
	}
	m.tokens.WithLabelValues("input").Add(float64(run.Usage.InputTokens))
	m.tokens.WithLabelValues("output").Add(float64(run.Usage.OutputTokens))
}

// Readers adds to the number of connections that follow events.
func (m *Metrics) Readers(n int) { m.readers.Add(float64(n)) }

// Refused counts a request that a limit has refused.
func (m *Metrics) Refused(limit string) { m.refused.WithLabelValues(limit).Inc() }

func (m *Metrics) request(method, route string, status int, seconds float64) {
	switch method { // a client must not make label values
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
	default:
		method = "other"
	}
	m.requests.WithLabelValues(method, route, strconv.Itoa(status)).Observe(seconds)
}

// activeRuns asks at each scrape.
type activeRuns struct {
	count func(ctx context.Context) (map[sparkwright.RunState]int, error)
	desc  *prometheus.Desc
}

var _ prometheus.Collector = (*activeRuns)(nil)

// Describe implements prometheus.Collector.
func (a *activeRuns) Describe(ch chan<- *prometheus.Desc) { ch <- a.desc }

// Collect implements prometheus.Collector.
func (a *activeRuns) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	counts, err := a.count(ctx)
	if err != nil {
		ch <- prometheus.NewInvalidMetric(a.desc, err)
		return
	}
	for _, state := range []sparkwright.RunState{
		sparkwright.RunQueued, sparkwright.RunGenerating, sparkwright.RunChecking, sparkwright.RunAwaitingApproval, sparkwright.RunRunning,
	} {
		ch <- prometheus.MustNewConstMetric(a.desc, prometheus.GaugeValue, float64(counts[state]), string(state))
	}
}
