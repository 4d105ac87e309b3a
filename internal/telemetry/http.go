package telemetry

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"net/http"
	"regexp"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// RequestIDHeader is taken from a request, when it is a plain name, and is on
// every reply.
const RequestIDHeader = "X-Request-Id"

var plainID = regexp.MustCompile(`^[A-Za-z0-9._:-]{1,128}$`)

// unmatched is the route of requests that no route takes.
const unmatched = "unmatched"

// HTTP gives every request an id, a span, a line in the log and a place in the
// metrics. Tracer and Metrics may be nil.
type HTTP struct {
	Log     *slog.Logger
	Metrics *Metrics
	Tracer  trace.Tracer
}

// Wrap returns next with telemetry around it.
func (t HTTP) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		id := r.Header.Get(RequestIDHeader)
		if !plainID.MatchString(id) {
			id = newID()
		}
		s := &scope{attrs: []slog.Attr{slog.String("request_id", id)}}
		ctx := context.WithValue(r.Context(), scopeKey{}, s)
		w.Header().Set(RequestIDHeader, id)
		span := trace.SpanFromContext(ctx)
		if t.Tracer != nil {
			ctx = propagation.TraceContext{}.Extract(ctx, propagation.HeaderCarrier(r.Header))
			ctx, span = t.Tracer.Start(ctx, r.Method, trace.WithSpanKind(trace.SpanKindServer))
		}
		seen := &watched{ResponseWriter: w}
		r = r.WithContext(ctx)
		ended := false
		defer func() {
			status := seen.status()
			if !ended { // a panic: the connection is cut
				status = http.StatusInternalServerError
			}
			route, attrs := s.get()
			if route == "" {
				route = unmatched
				if r.Pattern != "" && r.Pattern != "/" {
					route = r.Pattern
				}
			}
			seconds := time.Since(began).Seconds()
			if t.Metrics != nil {
				t.Metrics.request(r.Method, route, status, seconds)
			}
			endSpan(span, r.Method, route, status, attrs)
			level := slog.LevelInfo
			if status >= http.StatusInternalServerError {
				level = slog.LevelError
			}
			t.Log.LogAttrs(ctx, level, "request", slog.String("method", r.Method), slog.String("route", route),
				slog.Int("status", status), slog.Int64("bytes", seen.bytes), slog.Float64("seconds", seconds))
		}()
		next.ServeHTTP(seen, r)
		ended = true
	})
}

func endSpan(span trace.Span, method, route string, status int, attrs []slog.Attr) {
	span.SetName(method + " " + route)
	span.SetAttributes(
		attribute.String("http.request.method", method), attribute.String("http.route", route), attribute.Int("http.response.status_code", status),
	)
	for _, a := range attrs {
		span.SetAttributes(attribute.String("sparkwright."+a.Key, a.Value.String()))
	}
	if status >= http.StatusInternalServerError {
		span.SetStatus(codes.Error, strconv.Itoa(status))
	}
	span.End()
}

// RequestID returns the id of the request that ctx belongs to; "" outside one.
func RequestID(ctx context.Context) string {
	if s, ok := ctx.Value(scopeKey{}).(*scope); ok {
		_, attrs := s.get()
		for _, a := range attrs {
			if a.Key == "request_id" {
				return a.Value.String()
			}
		}
	}
	return ""
}

func newID() string {
	var b [12]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// watched counts what is written. Flushing and deadlines pass through Unwrap.
type watched struct {
	http.ResponseWriter
	code  int
	bytes int64
}

// WriteHeader implements http.ResponseWriter.
func (w *watched) WriteHeader(code int) {
	if w.code == 0 && code >= http.StatusOK {
		w.code = code
	}
	w.ResponseWriter.WriteHeader(code)
}

// Write implements http.ResponseWriter.
func (w *watched) Write(b []byte) (int, error) {
	if w.code == 0 {
		w.code = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(b)
	w.bytes += int64(n)
	return n, err
}

// Unwrap serves http.ResponseController.
func (w *watched) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *watched) status() int {
	if w.code == 0 {
		return http.StatusOK
	}
	return w.code
}
