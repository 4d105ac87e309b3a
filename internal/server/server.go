// Package server is the HTTP edge: the wire contract of the reference system
// for Spark on PostgreSQL. One file per resource.
//
// Application failures are HTTP 200 with success:false; a malformed request is
// 422 in FastAPI's shape; success:true means that the question was carried to
// an end, and result.execution_result is "success" only when the job's
// manifest says so.
package server

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/supervisor"
)

// Service is what the server needs of the supervisor.
type Service interface {
	Ask(ctx context.Context, req supervisor.Request) (*sparkwright.Run, error)
}

// Config is what a server works with.
type Config struct {
	Service Service
	Healthy func(ctx context.Context) error // nil error = healthy
	Log     *slog.Logger
	// Hosts are the names, without port, by which this server may be called.
	// Any other Host header is refused: it is how DNS rebinding looks.
	Hosts []string
}

// maxBody bounds a request body: scripts are handed back to /spark/execute.
const maxBody = 2 << 20

// New returns the handler of all routes.
func New(cfg Config) http.Handler {
	s := &server{cfg: cfg}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", s.health)
	mux.HandleFunc("POST /spark/generate", s.generate)
	mux.HandleFunc("POST /spark/execute", s.execute)
	mux.HandleFunc("/health", s.methodNotAllowed(http.MethodGet))
	mux.HandleFunc("/spark/generate", s.methodNotAllowed(http.MethodPost))
	mux.HandleFunc("/spark/execute", s.methodNotAllowed(http.MethodPost))
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		s.write(w, http.StatusNotFound, map[string]any{"detail": "Not Found"})
	})
	return s.guard(mux)
}

type server struct{ cfg Config }

// guard refuses foreign hosts and cross-origin writes, and bounds bodies.
func (s *server) guard(next http.Handler) http.Handler {
	allowed := map[string]bool{}
	for _, h := range s.cfg.Hosts {
		allowed[strings.ToLower(h)] = true
	}
	cross := http.NewCrossOriginProtection()
	cross.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		s.write(w, http.StatusForbidden, map[string]any{"detail": "requests of other sites are refused"})
	}))
	inner := cross.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if h, _, err := net.SplitHostPort(r.Host); err == nil {
			host = h
		}
		host = strings.ToLower(strings.Trim(host, "[]")) // an IPv6 address without a port keeps its brackets
		if !allowed[host] {
			s.write(w, http.StatusMisdirectedRequest, map[string]any{"detail": "this server is not called " + host})
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		inner.ServeHTTP(w, r)
	})
}

// health has the fields of the reference; status tells the truth.
func (s *server) health(w http.ResponseWriter, r *http.Request) {
	status, code := "healthy", http.StatusOK
	if err := s.cfg.Healthy(r.Context()); err != nil {
		status, code = "unhealthy", http.StatusServiceUnavailable
		s.cfg.Log.ErrorContext(r.Context(), "unhealthy", "error", err)
	}
	s.write(w, code, map[string]any{
		"status": status, "supervisor_agent_arn": "not configured", "ray_private_ip": "", "ray_public_ip": "",
		"s3_bucket": "", "mcp_gateway_url": "", "timestamp": float64(time.Now().UnixMilli()) / 1000,
	})
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
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	if _, err := w.Write(text.Bytes()); err != nil {
		s.cfg.Log.Debug("reply not sent", "error", err) //nolint:sloglint // the request's context may have ended
	}
}

// fail is the reference's failure: HTTP 200 with success:false.
func (s *server) fail(w http.ResponseWriter, err error) {
	body := map[string]any{"success": false, "error": "an internal error; see the server's log"}
	if e, ok := errors.AsType[*sparkwright.Error](err); ok {
		text := e.Error()
		if e.Remedy != "" {
			text += ". " + e.Remedy
		}
		body["error"], body["code"], body["remedy"] = text, e.Code, e.Remedy
	} else {
		s.cfg.Log.Error("request failed", "error", err) //nolint:sloglint // the request's context may have ended
	}
	s.write(w, http.StatusOK, body)
}

// minSession is the reference's shortest session id that is kept.
const minSession = 33

// sessionID keeps a long enough id and replaces a shorter one.
func sessionID(given, prefix string) string {
	if len(given) >= minSession {
		return given
	}
	var b [16]byte
	_, _ = rand.Read(b[:])
	return prefix + hex.EncodeToString(b[:])
}
