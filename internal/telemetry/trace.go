package telemetry

import (
	"context"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/sparkwright/sparkwright"
)

// Traces sends spans to an OpenTelemetry collector. A nil *Traces sends none.
type Traces struct {
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
}

// NewTraces returns nil when the environment names no collector
// (OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT); all
// further OTEL_EXPORTER_OTLP_* variables hold too.
func NewTraces(ctx context.Context, version string, getenv func(string) string) (*Traces, error) {
	if getenv("OTEL_EXPORTER_OTLP_ENDPOINT") == "" && getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") == "" {
		return nil, nil //nolint:nilnil // documented
	}
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, &sparkwright.Error{
			Code: sparkwright.CodeInvalid, Message: "traces cannot be sent", Because: err.Error(),
			Remedy: "correct OTEL_EXPORTER_OTLP_ENDPOINT (http://HOST:4318), or unset it", Err: err,
		}
	}
	name := getenv("OTEL_SERVICE_NAME")
	if name == "" {
		name = "sparkwright"
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(resource.NewSchemaless(
		attribute.String("service.name", name), attribute.String("service.version", version))))
	return &Traces{provider: provider, tracer: provider.Tracer("github.com/sparkwright/sparkwright")}, nil
}

// Tracer returns the tracer of requests; nil when none are sent.
func (t *Traces) Tracer() trace.Tracer {
	if t == nil {
		return nil
	}
	return t.tracer
}

// Finished sends a run that has ended as a span, with one span for each of its
// steps and attempts, with the times at which they were.
func (t *Traces) Finished(run *sparkwright.Run) {
	if t == nil || run.FinishedAt == nil {
		return
	}
	ctx, span := t.tracer.Start(context.Background(), "run", trace.WithNewRoot(), trace.WithTimestamp(run.CreatedAt), trace.WithAttributes(
		attribute.String("sparkwright.run_id", run.ID), attribute.String("sparkwright.state", string(run.State)),
		attribute.String("sparkwright.executor", run.Placement.Executor), attribute.Int("sparkwright.repairs", run.Repairs),
		attribute.Int("sparkwright.input_tokens", run.Usage.InputTokens), attribute.Int("sparkwright.output_tokens", run.Usage.OutputTokens),
	))
	for i := range run.Timings {
		step := &run.Timings[i]
		if step.StartedAt.IsZero() {
			continue
		}
		_, child := t.tracer.Start(ctx, "step "+step.Step, trace.WithTimestamp(step.StartedAt), trace.WithAttributes(attribute.String("sparkwright.run_id", run.ID)))
		child.End(trace.WithTimestamp(step.StartedAt.Add(time.Duration(step.Seconds * float64(time.Second)))))
	}
	if run.Fault != nil {
		span.SetStatus(codes.Error, run.Fault.Class)
	}
	for i := range run.Attempts {
		a := &run.Attempts[i]
		_, child := t.tracer.Start(ctx, "attempt", trace.WithTimestamp(a.StartedAt), trace.WithAttributes(
			attribute.String("sparkwright.attempt_id", a.ID), attribute.String("sparkwright.state", string(a.State)),
		))
		if a.Fault != nil {
			child.SetStatus(codes.Error, a.Fault.Class)
		}
		end := *run.FinishedAt
		if a.FinishedAt != nil {
			end = *a.FinishedAt
		}
		child.End(trace.WithTimestamp(end))
	}
	span.End(trace.WithTimestamp(*run.FinishedAt))
}

// Close sends what waits, for at most some seconds.
func (t *Traces) Close(ctx context.Context) error {
	if t == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if err := t.provider.Shutdown(ctx); err != nil {
		return fmt.Errorf("end the traces: %w", err)
	}
	return nil
}
