// Package server is the HTTP edge: the whole wire contract of the reference
// system for Spark and PostgreSQL. One file per resource.
//
// Application failures are HTTP 200 with success:false; a malformed request is
// 422 in FastAPI's shape; success:true means that the question was carried to
// an end, and result.execution_result is "success" only when the job's
// manifest says so. docs/http-contract.md tells what is kept, added and
// different.
package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/access"
	"github.com/sparkwright/sparkwright/internal/server/web"
	"github.com/sparkwright/sparkwright/internal/session"
	"github.com/sparkwright/sparkwright/internal/settings"
)

// Config is what a server works with.
type Config struct {
	Runs     sparkwright.Runs
	Sessions *session.Service
	Settings Settings
	Postgres Postgres
	Secrets  Secrets
	Uploads  Uploads
	Glue     Glue // nil = AWS is not configured
	// Platforms tells of the executors in AWS; nil = none is configured.
	Platforms func(ctx context.Context) Platforms
	// Link makes a download of a result in S3 and returns a URL of it that is good
	// for a while; "" = there is none. nil = never.
	Link func(ctx context.Context, m *sparkwright.Manifest) string
	// Delegate stands before all endpoints, behind the guard; nil = nothing.
	Delegate func(next http.Handler) http.Handler
	// Models are what is configured, the one that writes the code first; none =
	// the built-in planner.
	Models  func(ctx context.Context) []NamedModel
	Healthy func(ctx context.Context) error // nil error = healthy
	// Auth says who asks; nil = everybody who reaches the server is the local
	// user: it must listen on loopback only.
	Auth Authenticator
	// Audit keeps what was done; nil = nothing is kept.
	Audit Audit
	// Refused counts what the guard has refused; may be nil.
	Refused func(limit string)
	// PerSecond is how many requests of one client are taken in a second; 0 = 100.
	PerSecond int
	Log       *slog.Logger
	// Hosts are the names, without port, by which this server may be called.
	// Any other Host header is refused: it is how DNS rebinding looks.
	Hosts []string
	// Origins are the pages of other origins, as scheme://host:port, that may
	// call this server from a browser.
	Origins []string
	// Page is the page in the browser; nil = there is none.
	Page *web.Page
	// Mounts are further handlers by pattern. The guard holds for them too.
	Mounts map[string]http.Handler
}

// NamedModel is a model as GET /claude-models lists it.
type NamedModel struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Settings reads and writes the settings.
type Settings interface {
	Load() (*settings.Settings, error)
	// Update has change applied to what the file says, and replaces the file as
	// a whole. Nothing is written when change fails.
	Update(change func(*settings.Settings) error) error
}

// Postgres looks into databases. Errors are *sparkwright.Error.
type Postgres interface {
	// Names lists the connections that can be asked about.
	Names(ctx context.Context) ([]string, error)
	// Connection returns a connection with what only its secret knows. NAME or
	// NAME/DATABASE. CodeNotFound.
	Connection(ctx context.Context, name string) (sparkwright.Connection, error)
	// Version logs in and returns the text of version(). With a nil cred the
	// connection's own secret is used.
	Version(ctx context.Context, conn sparkwright.Connection, cred *sparkwright.Credentials) (string, error)
	// Databases lists the databases of a connection's server.
	Databases(ctx context.Context, connection string) ([]string, error)
	// Schemas lists the schemas of a database; those of PostgreSQL itself are
	// left out. NAME or NAME/DATABASE.
	Schemas(ctx context.Context, connection string) ([]string, error)
	// Catalog is everything in a database. NAME or NAME/DATABASE.
	Catalog(ctx context.Context, connection string) (*sparkwright.Catalog, error)
}

// Secrets keeps the secrets of connections.
type Secrets interface {
	// Keep stores a secret of a connection and returns a reference to it.
	Keep(ctx context.Context, connection string, content []byte) (reference string, err error)
	// Forget removes a secret that Keep has stored; any other is left alone.
	Forget(ctx context.Context, reference string) error
}

// Uploads keeps uploaded files.
type Uploads interface {
	// Keep stores a file under the session's prefix and a safe name. It replaces
	// one of the same name. CodeInvalid for a name that no safe one can be made of.
	Keep(ctx context.Context, sess *sparkwright.Session, name string, content []byte) (sparkwright.Upload, error)
	// MaxBytes is the size of the largest file that is accepted.
	MaxBytes() int64
}

// Glue reads the AWS Glue catalog. Tables have Database, Name, Location and
// Columns. Errors are *sparkwright.Error.
type Glue interface {
	Databases(ctx context.Context) ([]string, error)
	Tables(ctx context.Context, database string) ([]sparkwright.Table, error)
	// Table returns one table. CodeNotFound.
	Table(ctx context.Context, database, name string) (*sparkwright.Table, error)
}

// Platforms says in which state the executors in AWS are.
type Platforms struct {
	Lambda      string // ready, not_ready, error or unknown
	EMR         string // ready, not ready, error or unknown
	EMRPostgres string // likewise, of the application for PostgreSQL
	Why         string // what is wrong, when something is
}

// maxBody bounds a request body: scripts are handed back to /spark/execute.
const maxBody = 2 << 20

type server struct{ cfg Config }

// route is one endpoint. The contract test walks over them.
type route struct {
	method, path string
	handle       http.HandlerFunc
}

// endpoints lists them all.
func (s *server) endpoints() []route {
	return []route{
		{"GET", "/{$}", s.banner},
		{"GET", "/health", s.health},
		{"POST", "/sessions/{session_id}/reset", s.resetSession},
		{"GET", "/history/{session_id}", s.history},
		{"GET", "/settings", s.getSettings},
		{"POST", "/settings", s.postSettings},
		{"POST", "/settings/restore-defaults", s.restoreDefaults},
		{"GET", "/claude-models", s.models},

		{"GET", "/glue/databases", s.glueDatabases},
		{"GET", "/glue/tables/{database}", s.glueTables},
		{"POST", "/sessions/{session_id}/select-tables", s.selectGlueTables},

		{"POST", "/spark/generate", s.generate},
		{"POST", "/spark/execute", s.execute},
		{"GET", "/spark/config", s.sparkConfig},
		{"GET", "/spark/status", s.sparkStatus},
		{"POST", "/spark/upload-csv", s.sparkUpload},

		{"POST", "/postgres/test-connection", s.testConnection},
		{"POST", "/postgres/connections", s.saveConnection},
		{"GET", "/postgres/connections", s.listConnections},
		{"GET", "/postgres/{connection_name}/databases", s.postgresDatabases},
		{"GET", "/postgres/{connection_name}/schemas/{database}", s.postgresSchemas},
		{"GET", "/postgres/{connection_name}/tables/{database}/{schema}", s.postgresTables},
		{"POST", "/sessions/{session_id}/select-postgres-tables", s.selectPostgresTables},

		{"POST", "/generate", s.rayGenerate},
		{"POST", "/execute", s.rayExecute},
		{"POST", "/upload-csv", s.upload},
		{"GET", "/ray/status", s.rayStatus},
		{"GET", "/ray/jobs", s.rayJobs},
		{"POST", "/ray/jobs/{job_id}/stop", s.rayStop},
	}
}

// Handler is a server's handler; its patterns are those of all routes.
type Handler struct {
	http.Handler
	mux *access.Mux
}

// Patterns lists every route, mounted ones included.
func (h *Handler) Patterns() []string { return h.mux.Patterns() }

// New returns the handler of all routes.
func New(cfg Config) *Handler {
	s := &server{cfg: cfg}
	s.cfg.Runs = access.NewRuns(cfg.Runs)
	mux := access.NewMux()
	allowed := map[string][]string{}
	for _, r := range s.endpoints() {
		handle := r.handle
		if r.method == http.MethodGet && (r.path == "/{$}" || r.path == "/settings") {
			handle = s.page(handle)
		}
		mux.HandleFunc(r.method+" "+r.path, handle)
		allowed[r.path] = append(allowed[r.path], r.method)
	}
	for path, methods := range allowed {
		mux.HandleFunc(path, s.methodNotAllowed(strings.Join(methods, ", ")))
	}
	mux.HandleFunc("/", s.notFound)
	if s.cfg.Page != nil {
		mux.Handle("GET "+web.AssetsPath, s.cfg.Page.Assets())
		for _, path := range web.Routes() {
			mux.HandleFunc("GET "+path, s.page(s.notFound))
		}
	}
	for pattern, h := range s.cfg.Mounts {
		mux.Handle(pattern, h)
	}
	if s.cfg.Delegate != nil {
		return &Handler{Handler: s.guard(mux, s.cfg.Delegate(mux)), mux: mux}
	}
	return &Handler{Handler: s.guard(mux, mux), mux: mux}
}

// cors answers the pages of configured origins as the reference does. done is
// true when the request was a preflight.
func (s *server) cors(w http.ResponseWriter, r *http.Request) (done bool) {
	origin := r.Header.Get("Origin")
	if origin == "" || !slices.Contains(s.cfg.Origins, origin) {
		return false
	}
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Allow-Credentials", "true")
	h.Add("Vary", "Origin")
	if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
		return false
	}
	h.Set("Access-Control-Allow-Methods", "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT")
	if want := r.Header.Get("Access-Control-Request-Headers"); want != "" {
		h.Set("Access-Control-Allow-Headers", want)
	}
	h.Set("Access-Control-Max-Age", "600")
	h.Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("OK"))
	return true
}

func (s *server) notFound(w http.ResponseWriter, _ *http.Request) {
	s.write(w, http.StatusNotFound, map[string]any{"detail": "Not Found"})
}

// page gives browsers that open a path the page, and other clients what the
// path has for programs.
func (s *server) page(other http.HandlerFunc) http.HandlerFunc {
	if s.cfg.Page == nil {
		return other
	}
	return func(w http.ResponseWriter, r *http.Request) {
		if web.Wanted(r) {
			s.cfg.Page.ServeHTTP(w, r)
			return
		}
		w.Header().Add("Vary", "Accept")
		other(w, r)
	}
}

func (s *server) methodNotAllowed(allowed string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Allow", allowed)
		s.write(w, http.StatusMethodNotAllowed, map[string]any{"detail": "Method Not Allowed"})
	}
}

// write sends body as JSON; the reply is encoded whole before it begins.
func (s *server) write(w http.ResponseWriter, status int, body any) {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(body); err != nil {
		s.cfg.Log.Error("reply not encoded", "error", err) //nolint:sloglint // the request's context may have ended
		status = http.StatusInternalServerError
		text.Reset()
		text.WriteString(`{"detail":"Internal Server Error"}` + "\n")
	}
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "application/json")
	}
	w.WriteHeader(status)
	if _, err := w.Write(text.Bytes()); err != nil {
		s.cfg.Log.Debug("reply not sent", "error", err) //nolint:sloglint // the request's context may have ended
	}
}

// ok answers success:true with more.
func (s *server) ok(w http.ResponseWriter, more map[string]any) {
	if more == nil {
		more = map[string]any{}
	}
	more["success"] = true
	s.write(w, http.StatusOK, more)
}

// fail is the reference's failure: HTTP 200 with success:false. more are the
// fields that the endpoint has in a failure too.
func (s *server) fail(w http.ResponseWriter, err error, more map[string]any) {
	body := map[string]any{"success": false, "error": s.explain(err)}
	if e, ok := errors.AsType[*sparkwright.Error](err); ok {
		body["code"], body["remedy"] = e.Code, e.Remedy
		if e.Message == noConnection { // clients compare this one
			body["error"] = noConnection
		}
	}
	maps.Copy(body, more)
	s.write(w, http.StatusOK, body)
}

// explain is an error in words for the client. Only what is made for people is
// told; anything else is logged.
func (s *server) explain(err error) string {
	e, ok := errors.AsType[*sparkwright.Error](err)
	if !ok {
		s.cfg.Log.Error("request failed", "error", err) //nolint:sloglint // the request's context may have ended
		return "an internal error; see the server's log"
	}
	text := e.Error()
	if e.Remedy != "" {
		text += ". " + e.Remedy
	}
	return text
}

// user is who sent the request.
func (s *server) user(r *http.Request) string { return access.User(r.Context()) }
