// Package api is the HTTP interface of Sparkwright's own clients, below
// /api/v1: runs with their events, results and logs, connections and their
// tables, settings, plans. One file per resource.
//
// The OpenAPI 3.1 document is generated from the Go types and served at
// /api/v1/openapi.json. Errors are RFC 9457 problem documents with a code, a
// cause and a remedy; problem.go holds the one table from codes to statuses.
//
// Carrying out a run never depends on a connection: a client that leaves while
// it waits, follows events or downloads changes nothing of the run.
package api

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/access"
)

// Prefix is where all routes are.
const Prefix = "/api/v1"

// Counter takes counts of what happens at the edge. *telemetry.Metrics is one.
type Counter interface {
	Readers(n int)        // connections that follow events: +1, -1
	Refused(limit string) // a limit has refused a request
}

// Config is what an API works with. Runs, Results and Log are needed; a
// resource whose service is nil answers that it is not there.
type Config struct {
	Runs        sparkwright.Runs
	Results     Results
	Connections Connections
	Catalog     Catalog
	Settings    Settings
	Planner     Planner
	Suggester   Suggester
	Demo        Demo
	Doctor      Doctor
	Meta        func(ctx context.Context) Meta
	// ShowValues says whether values may be shown that PostgreSQL's statistics
	// hold; nil shows them.
	ShowValues func(ctx context.Context) bool
	// Admit refuses new runs, before anything is paid for them; nil admits all.
	Admit   func(ctx context.Context) error
	Counter Counter
	Log     *slog.Logger
	Limits  Limits
	// Heartbeat is how often a comment is sent to readers of events when
	// nothing happens; 0 = 15 s.
	Heartbeat time.Duration
}

// API serves the routes.
type API struct {
	cfg     Config
	huma    huma.API
	mux     *access.Mux
	handler http.Handler
	readers *readers
}

// New returns an API.
func New(cfg Config) *API {
	cfg.Limits = cfg.Limits.withDefaults()
	if cfg.Heartbeat <= 0 {
		cfg.Heartbeat = 15 * time.Second
	}
	if cfg.Counter == nil {
		cfg.Counter = nothing{}
	}
	a := &API{cfg: cfg, mux: access.NewMux(), readers: newReaders(cfg.Limits.ReadersPerClient, cfg.Limits.Readers)}
	config := huma.DefaultConfig("Sparkwright", "1")
	config.Info.Description = "Questions in plain English about PostgreSQL and other data, answered by Spark."
	config.OpenAPIPath, config.DocsPath, config.SchemasPath = "", "", "" // served below; the docs page would load scripts of others
	config.CreateHooks = nil
	config.RejectUnknownQueryParameters = true
	config.Transformers = []huma.Transformer{problemOfHuma}
	a.huma = humago.New(a.mux, config)
	a.huma.UseMiddleware(a.annotate)
	a.registerRuns()
	a.registerDecisions()
	a.registerEvents()
	a.registerResults()
	a.registerLogs()
	a.registerPlan()
	a.registerConnections()
	a.registerTables()
	a.registerExplore()
	a.registerCompare()
	a.registerDemo()
	a.registerSettings()
	a.registerMeta()
	a.registerDoctor()
	a.mux.HandleFunc("GET "+Prefix+"/openapi.json", a.openAPI)
	a.mux.HandleFunc("/", a.unmatched)
	a.handler = a.limit(a.recover(a.mux))
	return a
}

// Patterns implements access.Router.
func (a *API) Patterns() []string {
	var all []string
	for _, p := range a.mux.Patterns() {
		if p != "/" { // what no route takes
			all = append(all, p)
		}
	}
	return all
}

// Pattern implements access.Router.
func (a *API) Pattern(r *http.Request) string { return a.mux.Pattern(r) }

// ServeHTTP implements http.Handler for every path below Prefix.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.handler.ServeHTTP(w, r) }

// OpenAPI is the document, as it is served.
func (a *API) OpenAPI() ([]byte, error) {
	text, err := json.MarshalIndent(a.huma.OpenAPI(), "", "  ")
	if err != nil {
		return nil, sparkwright.Errorf(sparkwright.CodeInternal, "the OpenAPI document cannot be written: %w", err)
	}
	return append(text, '\n'), nil
}

func (a *API) openAPI(w http.ResponseWriter, r *http.Request) {
	text, err := a.OpenAPI()
	if err != nil {
		a.writeProblem(w, r, problemOf(r.Context(), a.cfg.Log, err))
		return
	}
	w.Header().Set("Content-Type", "application/openapi+json")
	_, _ = w.Write(text) // the client may have left
}

// unmatched answers what no route takes: 405 when another method would be
// taken, else 404.
func (a *API) unmatched(w http.ResponseWriter, r *http.Request) {
	var allowed []string
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete} {
		other := r.Clone(r.Context())
		other.Method = method
		if pattern := a.mux.Pattern(other); pattern != "/" && pattern != "" {
			allowed = append(allowed, method)
		}
	}
	if len(allowed) > 0 {
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		a.writeProblem(w, r, refusal(http.StatusMethodNotAllowed, sparkwright.CodeInvalid, "this path does not take "+safe(r.Method), "use "+strings.Join(allowed, " or ")))
		return
	}
	a.writeProblem(w, r, refusal(http.StatusNotFound, sparkwright.CodeNotFound, "there is nothing at this path", "see "+Prefix+"/openapi.json"))
}

// safe is a word of a client that may be shown.
func safe(s string) string {
	if len(s) > 20 {
		return s[:20] + "…"
	}
	return s
}

// operation fills in what all operations share.
func operation(id, method, path, summary, tag string) huma.Operation {
	return huma.Operation{
		OperationID: id, Method: method, Path: Prefix + path, Summary: summary, Tags: []string{tag},
		BodyReadTimeout: -1, // limit.go bounds it
	}
}

// register adds an operation. Every one may answer with a problem.
func register[I, O any](a *API, op huma.Operation, handler func(context.Context, *I) (*O, error)) {
	op.MaxBodyBytes = a.cfg.Limits.BodyBytes
	if op.Responses == nil {
		op.Responses = map[string]*huma.Response{}
	}
	op.Responses["default"] = &huma.Response{
		Description: "A problem",
		Content:     map[string]*huma.MediaType{problemType: {Schema: schemaOf[Problem](a)}},
	}
	huma.Register(a.huma, op, func(ctx context.Context, in *I) (*O, error) {
		out, err := handler(ctx, in)
		if err != nil {
			return nil, problemOf(ctx, a.cfg.Log, err)
		}
		return out, nil
	})
}

// body is a reply with nothing but a body.
type body[T any] struct{ Body T }

func reply[T any](v T, err error) (*body[T], error) {
	if err != nil {
		return nil, err
	}
	return &body[T]{Body: v}, nil
}

// absent refuses a resource that this server does not have.
func absent(what string) error {
	return &sparkwright.Error{Code: sparkwright.CodeUnavailable, Message: what + " are not served here", Remedy: "start the server with sparkwright serve"}
}

// nothing counts nothing.
type nothing struct{}

// Readers implements Counter.
func (nothing) Readers(int) {}

// Refused implements Counter.
func (nothing) Refused(string) {}
