// Package lambda is an AWS Lambda with one function on this machine: it speaks
// the service's Invoke on one side and the Runtime API on the other, where
// AWS's own runtime interface client asks for events and runs the handler of
// deploy/lambda, with real Spark. The function has the limits that it would
// have: what takes longer than its time, or more than its memory, is killed with
// all that it has started, and told in Lambda's words; /tmp has its size.
//
// One instance carries out one event at a time, and the next event waits. The
// sandbox is made of Linux namespaces by unshare(1); keys are not looked at.
package lambda

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/sparkwright/sparkwright/internal/localruntime"
)

// Function is the function's name.
const Function = "spark"

// Config says what the function is.
type Config struct {
	Install   localruntime.Options
	Source    string   // directory of the handler and its requirements.txt
	SparkHome string   // of the image
	Env       []string // of the function, beside what Lambda sets
	Timeout   time.Duration
	MemoryMB  int // default 3008
	DiskMB    int // of /tmp; 0 = the disk of this machine
	// Log takes what the function prints; nil = nobody.
	Log io.Writer
}

// Server is a running Lambda. Its methods are safe for concurrent use.
type Server struct {
	cfg    Config
	python string
	dir    string // /tmp of the function
	api    *http.Server
	url    string

	turn sync.Mutex // held while an event is carried out
	live *instance  // guarded by turn

	mu    sync.Mutex
	count int
}

// Start installs what the handler needs and serves until Close.
func Start(ctx context.Context, cfg Config) (_ *Server, err error) {
	if cfg.MemoryMB == 0 {
		cfg.MemoryMB = 3008
	}
	requirements, err := os.ReadFile(filepath.Join(cfg.Source, "requirements.txt"))
	if err != nil {
		return nil, fmt.Errorf("read the function's requirements: %w", err)
	}
	venv, _, err := localruntime.Venv(ctx, cfg.Install, "lambda", requirements, "import awslambdaric, boto3; print(1)")
	if err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, python: filepath.Join(venv, "venv", "bin", "python")}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	if s.dir, err = os.MkdirTemp("", "lambda-"); err != nil {
		return nil, fmt.Errorf("make the function's /tmp: %w", err)
	}
	public := http.NewServeMux()
	public.HandleFunc("POST /2015-03-31/functions/{name}/invocations", s.invoke)
	public.HandleFunc("GET /2015-03-31/functions/{name}/configuration", s.configuration)
	s.api, s.url, err = listen(ctx, public)
	return s, err
}

func listen(ctx context.Context, h http.Handler) (*http.Server, string, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", fmt.Errorf("listen: %w", err)
	}
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = srv.Serve(l) }()
	return srv, l.Addr().String(), nil
}

// URL is the endpoint: the value of AWS_ENDPOINT_URL_LAMBDA.
func (s *Server) URL() string { return "http://" + s.url }

// Invocations counts the events so far.
func (s *Server) Invocations() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count
}

// Close ends the function. What it carries out is lost.
func (s *Server) Close() {
	if s.api != nil {
		_ = s.api.Close()
	}
	s.turn.Lock()
	defer s.turn.Unlock()
	if s.live != nil {
		s.live.end()
	}
	if s.dir != "" {
		_ = os.RemoveAll(s.dir)
	}
}

// invoke is the service's Invoke.
func (s *Server) invoke(w http.ResponseWriter, r *http.Request) {
	if r.PathValue("name") != Function {
		unknown(w, r)
		return
	}
	event, err := io.ReadAll(io.LimitReader(r.Body, 6<<20+1))
	if err != nil || len(event) > 6<<20 {
		fail(w, http.StatusRequestEntityTooLarge, "RequestTooLargeException", "Request must be smaller than 6291456 bytes for the InvokeFunction operation")
		return
	}
	s.turn.Lock()
	defer s.turn.Unlock()
	s.mu.Lock()
	s.count++
	s.mu.Unlock()
	if s.live == nil || s.live.child.Ended() {
		if s.live, err = s.start(r.Context()); err != nil {
			fail(w, http.StatusInternalServerError, "ServiceException", err.Error())
			return
		}
	}
	a := s.live.carryOut(event)
	if a.wrong != "" {
		w.Header().Set("X-Amz-Function-Error", a.wrong)
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(a.body)
}

func (s *Server) configuration(w http.ResponseWriter, r *http.Request) {
	if r.PathValue("name") != Function {
		unknown(w, r)
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]any{
		"FunctionName": Function, "State": "Active", "Timeout": int(s.cfg.Timeout.Seconds()), "MemorySize": s.cfg.MemoryMB,
	})
}

func unknown(w http.ResponseWriter, r *http.Request) {
	fail(w, http.StatusNotFound, "ResourceNotFoundException", "Function not found: "+r.PathValue("name"))
}

func fail(w http.ResponseWriter, status int, name, message string) {
	w.Header().Set("X-Amzn-Errortype", name)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"Message": message})
}
