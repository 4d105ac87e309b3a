package access

import "net/http"

// Mux is an http.ServeMux that knows its patterns: tests walk over all of
// them, so that a new route cannot be left out, and the guard finds the
// pattern that a request will take before anything is done.
type Mux struct {
	mux      *http.ServeMux
	patterns []string
	inner    map[string]Router
}

// Router is a handler that has patterns of its own.
type Router interface {
	http.Handler
	// Patterns lists what is taken, as "METHOD /path".
	Patterns() []string
	// Pattern is the one that the request takes; "" = none.
	Pattern(r *http.Request) string
}

var _ Router = (*Mux)(nil)

// NewMux returns an empty Mux.
func NewMux() *Mux { return &Mux{mux: http.NewServeMux(), inner: map[string]Router{}} }

// Handle registers a handler, as http.ServeMux does.
func (m *Mux) Handle(pattern string, h http.Handler) {
	m.mux.Handle(pattern, h)
	if r, ok := h.(Router); ok {
		m.inner[pattern] = r
		return
	}
	m.patterns = append(m.patterns, pattern)
}

// HandleFunc registers a function, as http.ServeMux does.
func (m *Mux) HandleFunc(pattern string, h func(http.ResponseWriter, *http.Request)) {
	m.Handle(pattern, http.HandlerFunc(h))
}

// ServeHTTP implements http.Handler.
func (m *Mux) ServeHTTP(w http.ResponseWriter, r *http.Request) { m.mux.ServeHTTP(w, r) }

// Patterns lists every pattern, those of handlers that have patterns of their
// own included.
func (m *Mux) Patterns() []string {
	all := append([]string(nil), m.patterns...)
	for _, r := range m.inner {
		all = append(all, r.Patterns()...)
	}
	return all
}

// Pattern is the pattern that a request takes; "" = none.
func (m *Mux) Pattern(r *http.Request) string {
	_, pattern := m.mux.Handler(r)
	if inner := m.inner[pattern]; inner != nil {
		return inner.Pattern(r)
	}
	return pattern
}
