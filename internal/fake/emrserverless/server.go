package emrserverless

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/sparkwright/sparkwright"
)

const (
	serviceName = "emr-serverless"
	maxBody     = 1 << 20
)

// Timing is how long things take. Zero values are replaced by defaults.
type Timing struct {
	Step     time.Duration // in PENDING, SCHEDULED and STARTING each; default 100 ms
	Minute   time.Duration // what executionTimeoutMinutes and queueTimeoutMinutes count; default a minute
	LogFlush time.Duration // between two deliveries of logs; default 1 s
	Connect  time.Duration // until a connection that is not answered is given up; default 5 s
	// Token is how long a clientToken is remembered; 0 = for ever.
	Token time.Duration
}

// Config says how the emulator works.
type Config struct {
	Addr    string // to listen on; "" = 127.0.0.1, port chosen by the system
	Account string // default 123456789012
	Region  string // default us-east-1
	// Credentials are the key pairs that may call, by access key id. Empty:
	// test with the secret test.
	Credentials map[string]Credential
	Runner      Runner
	Cloud       *Cloud // the emulated AWS; nil: nothing is checked and no logs are delivered
	LedgerPath  string
	Timing      Timing
	MaxRunning  int // jobs carried out at once; default 2
	Dir         string
	Log         *slog.Logger // nil = silent
	Now         func() time.Time
}

// Server is a running emulator. Its methods are safe for concurrent use.
type Server struct {
	cfg    Config
	ledger *Ledger
	faults faultScript
	http   *http.Server
	url    string
	slots  chan struct{}

	ctx    context.Context //nolint:containedctx // the life of the server: jobs are carried out in it
	cancel context.CancelFunc
	work   sync.WaitGroup

	mu     sync.Mutex
	apps   map[string]*application
	jobs   map[string]*job
	tokens map[string]token // by application and clientToken
	nextID int64
	hole   *hole // dug at first use
	onCall func(action string)

	clients clients
	gates   gates
}

type token struct {
	id  string // of the application or job run
	sum string // of the request
	at  time.Time
}

// Start starts an emulator. It runs until Close.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	cfg = defaults(cfg)
	ledger, err := openLedger(cfg.LedgerPath)
	if err != nil {
		return nil, err
	}
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", cfg.Addr)
	if err != nil {
		return nil, &sparkwright.Error{
			Code: sparkwright.CodeConflict, Message: "the EMR Serverless emulator cannot listen on " + cfg.Addr,
			Because: err.Error(), Remedy: "choose another port", Err: err,
		}
	}
	s := &Server{
		cfg: cfg, ledger: ledger, slots: make(chan struct{}, cfg.MaxRunning), url: "http://" + listener.Addr().String(),
		apps: map[string]*application{}, jobs: map[string]*job{}, tokens: map[string]token{},
	}
	s.ctx, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
	s.http = &http.Server{
		Handler: s.faults.wrap(s.routes(), s), ReadHeaderTimeout: 10 * time.Second, ConnState: s.clients.note,
	}
	go func() { _ = s.http.Serve(listener) }()
	return s, nil
}

func defaults(cfg Config) Config {
	set := func(p *string, value string) {
		if *p == "" {
			*p = value
		}
	}
	set(&cfg.Addr, "127.0.0.1:0")
	set(&cfg.Account, "123456789012")
	set(&cfg.Region, "us-east-1")
	if len(cfg.Credentials) == 0 {
		cfg.Credentials = map[string]Credential{"test": {Secret: "test"}}
	}
	span := func(p *time.Duration, value time.Duration) {
		if *p <= 0 {
			*p = value
		}
	}
	span(&cfg.Timing.Step, 100*time.Millisecond)
	span(&cfg.Timing.Minute, time.Minute)
	span(&cfg.Timing.LogFlush, time.Second)
	span(&cfg.Timing.Connect, 5*time.Second)
	if cfg.MaxRunning <= 0 {
		cfg.MaxRunning = 2
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return cfg
}

// URL is the endpoint: the value of AWS_ENDPOINT_URL_EMR_SERVERLESS.
func (s *Server) URL() string { return s.url }

// Close stops the server and every job, and returns when nothing runs.
func (s *Server) Close() error {
	s.cancel()
	err := s.http.Close()
	s.work.Wait()
	if s.hole != nil {
		s.hole.close()
	}
	return errors.Join(err, s.ledger.close())
}

// handler answers one call; a nil body is an empty one.
type handler func(r *http.Request, body []byte) (any, error)

// routes are the calls of the API, by method and path.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	for pattern, h := range map[string]handler{
		"POST /applications":                              s.createApplication,
		"GET /applications":                               s.listApplications,
		"GET /applications/{app}":                         s.getApplication,
		"PATCH /applications/{app}":                       s.updateApplication,
		"DELETE /applications/{app}":                      s.deleteApplication,
		"POST /applications/{app}/start":                  s.startApplication,
		"POST /applications/{app}/stop":                   s.stopApplication,
		"GET /applications/{app}/dashboard":               s.applicationDashboard,
		"POST /applications/{app}/jobruns":                s.startJobRun,
		"GET /applications/{app}/jobruns":                 s.listJobRuns,
		"GET /applications/{app}/jobruns/{job}":           s.getJobRun,
		"DELETE /applications/{app}/jobruns/{job}":        s.cancelJobRun,
		"GET /applications/{app}/jobruns/{job}/attempts":  s.listAttempts,
		"GET /applications/{app}/jobruns/{job}/dashboard": s.jobDashboard,
		"GET /tags/{arn...}":                              s.listTags,
		"POST /tags/{arn...}":                             s.tag,
		"DELETE /tags/{arn...}":                           s.untag,
	} {
		mux.HandleFunc(pattern, s.call(h))
	}
	mux.HandleFunc("/", s.call(func(*http.Request, []byte) (any, error) {
		return nil, &apiError{http.StatusNotFound, "UnknownOperationException", "this emulator does not know the operation"}
	}))
	return mux
}

// call reads the body, checks the signature and writes the answer.
func (s *Server) call(h handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err != nil {
			err = invalid("the request body cannot be read")
		} else {
			err = verify(r, body, serviceName, s.cfg.Region, s.credentials(), s.cfg.Now())
		}
		var out any
		if err == nil {
			out, err = h(r, body)
		}
		s.write(w, out, err)
	}
}

func (s *Server) credentials() map[string]Credential {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cfg.Credentials
}

// SetCredentials replaces the key pairs that may call.
func (s *Server) SetCredentials(keys map[string]Credential) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cfg.Credentials = keys
}

// OnJobCall sets what is done after each call of AWS that a job has made, with
// its action, like secretsmanager:GetSecretValue. Nil = nothing.
func (s *Server) OnJobCall(do func(action string)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.onCall = do
}

func (s *Server) called(action string) {
	s.mu.Lock()
	do := s.onCall
	s.mu.Unlock()
	if do != nil {
		do(action)
	}
}

func (s *Server) write(w http.ResponseWriter, out any, err error) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Amzn-Requestid", s.newID("req"))
	if err != nil {
		e, ok := errors.AsType[*apiError](err)
		if !ok {
			e = &apiError{http.StatusInternalServerError, "InternalServerException", err.Error()}
		}
		w.Header().Set("X-Amzn-Errortype", e.name)
		w.WriteHeader(e.status)
		_ = json.NewEncoder(w).Encode(map[string]string{"message": e.message})
		return
	}
	if out == nil {
		out = struct{}{}
	}
	_ = json.NewEncoder(w).Encode(out)
}

// decode reads a body. Members that the API does not have are refused: a
// client that spells one wrong shall not believe that it was heard.
func decode(body []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return &apiError{http.StatusBadRequest, "SerializationException", err.Error()}
	}
	return nil
}

// newID is an id like the service's: sixteen letters and digits.
func (s *Server) newID(kind string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.newIDLocked(kind)
}

func (s *Server) newIDLocked(kind string) string {
	s.nextID++
	if kind == "req" {
		return fmt.Sprintf("00000000-0000-4000-8000-%012x", s.nextID)
	}
	return fmt.Sprintf("00f%013s", base36(s.cfg.Now().UnixMilli()*1000+s.nextID%1000))
}

func base36(n int64) string {
	const digits = "0123456789abcdefghijklmnopqrstuvwxyz"
	out := make([]byte, 13)
	for i := len(out) - 1; i >= 0; i-- {
		out[i] = digits[n%36]
		n /= 36
	}
	return string(out)
}

// arn is the ARN of something of this account.
func (s *Server) arn(path string) string {
	return "arn:aws:emr-serverless:" + s.cfg.Region + ":" + s.cfg.Account + ":/" + path
}

// sleep waits, and reports false when ctx ends before.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
