// Package telemetry is what a server tells of itself: log lines with the ids
// of request and run, Prometheus metrics, OpenTelemetry traces, and whether it
// is healthy and ready.
//
// None of it ever holds rows, questions, code, query strings, or secrets: only
// ids, names of routes, states, counts and times.
package telemetry

import (
	"context"
	"log/slog"
	"slices"
	"sync"
)

type scopeKey struct{}

// scope gathers what is known of a request while it is served.
type scope struct {
	mu    sync.Mutex
	route string
	attrs []slog.Attr
}

// Annotate adds attributes to every later log line of the request that ctx
// belongs to. An attribute of the same key is replaced. Without a request it
// does nothing.
func Annotate(ctx context.Context, attrs ...slog.Attr) {
	s, ok := ctx.Value(scopeKey{}).(*scope)
	if !ok {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range attrs {
		s.attrs = slices.DeleteFunc(slices.Clone(s.attrs), func(b slog.Attr) bool { return b.Key == a.Key })
		s.attrs = append(s.attrs, a)
	}
}

// SetRoute names the route of the request: a pattern, never a path.
func SetRoute(ctx context.Context, route string) {
	if s, ok := ctx.Value(scopeKey{}).(*scope); ok {
		s.mu.Lock()
		s.route = route
		s.mu.Unlock()
	}
}

func (s *scope) get() (string, []slog.Attr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.route, s.attrs
}

// Handler adds the attributes of the request to every line that is logged with
// its context.
type Handler struct{ next slog.Handler }

var _ slog.Handler = (*Handler)(nil)

// NewHandler wraps a handler.
func NewHandler(next slog.Handler) *Handler { return &Handler{next: next} }

// Enabled implements slog.Handler.
func (h *Handler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

// Handle implements slog.Handler.
func (h *Handler) Handle(ctx context.Context, r slog.Record) error {
	if s, ok := ctx.Value(scopeKey{}).(*scope); ok {
		_, attrs := s.get()
		said := map[string]bool{}
		r.Attrs(func(a slog.Attr) bool { said[a.Key] = true; return true })
		for _, a := range attrs {
			if !said[a.Key] {
				r.AddAttrs(a)
			}
		}
	}
	return h.next.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h *Handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &Handler{next: h.next.WithAttrs(attrs)}
}

// WithGroup implements slog.Handler.
func (h *Handler) WithGroup(name string) slog.Handler { return &Handler{next: h.next.WithGroup(name)} }
