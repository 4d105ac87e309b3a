// Package supervisor carries a question through its steps: catalog,
// generation, check, placement, attempt, result. The control flow is plain and
// deterministic; a generator only ever writes the analysis body.
//
// Every step is stored before and after it is done, so that a run whose
// process has died is found and closed (Reconcile). A run ends in exactly one
// final state, and "succeeded" needs a manifest that matches the files.
package supervisor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/check"
	"github.com/sparkwright/sparkwright/internal/childproc"
	"github.com/sparkwright/sparkwright/internal/readplan"
)

// Store keeps runs, attempts and events.
type Store interface {
	CreateRun(ctx context.Context, run *sparkwright.Run) error
	UpdateRun(ctx context.Context, run *sparkwright.Run) error
	PutAttempt(ctx context.Context, a *sparkwright.Attempt) error
	AppendEvent(ctx context.Context, e *sparkwright.Event) error
	Run(ctx context.Context, id string) (*sparkwright.Run, error)
	Unfinished(ctx context.Context) ([]sparkwright.Run, error)
	CancelRequested(ctx context.Context, runID string) (bool, error)
}

// Databases finds databases by the names of their connections.
type Databases interface {
	// Open returns the database of that connection; CodeNotFound names the
	// nearest ones.
	Open(ctx context.Context, connection string) (Database, error)
	// Names lists the connections.
	Names(ctx context.Context) ([]string, error)
}

// Database is one PostgreSQL database that can be asked about.
type Database interface {
	// Catalog is everything in it. It may be some seconds old.
	Catalog(ctx context.Context) (*sparkwright.Catalog, error)
	// JDBCURL is how a job reaches it, without credentials.
	JDBCURL(runID string) (string, error)
	Credentials() sparkwright.Credentials
	// CancelRun ends what a run left in the database.
	CancelRun(ctx context.Context, runID string) error
}

// Config is what a Service works with.
type Config struct {
	Store         Store
	Databases     Databases
	Generator     sparkwright.Generator
	GeneratorName string
	Executors     map[string]sparkwright.Executor // by placement
	Warm          func(ctx context.Context)       // starts what a run will need; may be nil
	CheckClient   func(ctx context.Context, runID string) (check.Client, error)
	ViewsOf       func(code string, catalog *sparkwright.Catalog) []string
	NewID         func() string
	CheckSpace    func() error
	LoadResult    func(location, runID, attemptID string) (*sparkwright.Manifest, error)
	Explain       func(f *sparkwright.Fault)
	Nearest       func(name string, candidates []string, n int) []string
	ResultsDir    string
	PreviewRows   int
	QuestionChars int
	Cores         int
	PlaceReason   string // why the local executor is the place
	Log           *slog.Logger
}

// Service carries out runs. It is safe for concurrent use.
type Service struct{ cfg Config }

// New returns a Service.
func New(cfg Config) *Service { return &Service{cfg: cfg} }

// Request is a question or a piece of analysis code.
type Request struct {
	Question     string
	Instructions string
	Connection   string   // all its tables, when Tables is empty
	Tables       []string // connection.schema.table, schema.table or table
	Code         string   // analysis to run as it is; then Question may be empty
	Batch        bool     // spark-submit instead of a warm session
	CodeOnly     bool     // stop after the check
	// Approve is asked before anything runs; false cancels. nil = yes.
	Approve func(run *sparkwright.Run) bool
	// Observe gets every event as it happens; may be nil.
	Observe func(run *sparkwright.Run, e sparkwright.Event)
}

// job is one run under way.
type job struct {
	s       *Service
	req     Request
	run     *sparkwright.Run
	opened  map[string]Database
	catalog *sparkwright.Catalog
	reads   []readplan.Read
	client  check.Client // of the check; the attempt may go on in it
}

// Ask carries out a request to its end. The run is nil only when the request
// could not even be recorded. An error is a *sparkwright.Error; a declined
// question is not an error.
func (s *Service) Ask(ctx context.Context, req Request) (*sparkwright.Run, error) {
	if err := s.validate(&req); err != nil {
		return nil, err
	}
	run := &sparkwright.Run{
		ID: s.cfg.NewID(), State: sparkwright.RunQueued, CreatedAt: time.Now().UTC(), Owner: childproc.Self(),
		Question:  sparkwright.Question{Text: req.Question, Connection: req.Connection, Tables: req.Tables},
		Generator: s.cfg.GeneratorName,
	}
	if req.Code != "" {
		run.Generator = "user"
	}
	if err := s.cfg.Store.CreateRun(ctx, run); err != nil {
		return nil, err
	}
	j := &job{s: s, req: req, run: run, opened: map[string]Database{}}
	ctx, stop := j.watchCancel(ctx)
	defer stop()
	err := j.carryOut(ctx)
	if j.client != nil {
		j.client.Close(ctx)
	}
	return run, j.finish(ctx, err)
}

func (j *job) carryOut(ctx context.Context) error {
	if err := j.s.cfg.CheckSpace(); err != nil {
		return err
	}
	if err := j.step(ctx, "catalog", j.loadCatalog); err != nil {
		return err
	}
	if err := j.setState(ctx, sparkwright.RunGenerating); err != nil {
		return err
	}
	if err := j.step(ctx, "generate", j.generate); err != nil || j.run.Declined != nil {
		return err
	}
	j.place()
	if err := j.setState(ctx, sparkwright.RunChecking); err != nil {
		return err
	}
	if err := j.step(ctx, "check", j.check); err != nil {
		return err
	}
	if j.req.CodeOnly {
		return nil
	}
	if j.req.Approve != nil && !j.req.Approve(j.run) {
		return sparkwright.Errorf(sparkwright.CodeCancelled, "the run was not approved")
	}
	if err := j.setState(ctx, sparkwright.RunRunning); err != nil {
		return err
	}
	return j.step(ctx, "spark", j.attempt)
}

// validate refuses questions that cannot be meant.
func (s *Service) validate(req *Request) error {
	req.Question = strings.TrimSpace(req.Question)
	invalid := func(msg, remedy string) error {
		return &sparkwright.Error{Code: sparkwright.CodeInvalid, Message: msg, Remedy: remedy}
	}
	switch n := utf8.RuneCountInString(req.Question); {
	case req.Code == "" && n == 0:
		return invalid("the question is empty", `ask something: sparkwright ask "how many orders are there?" --connection NAME`)
	case n > s.cfg.QuestionChars:
		return invalid(fmt.Sprintf("the question has %d characters; at most %d are allowed", n, s.cfg.QuestionChars),
			"shorten it, or raise limits.question_chars in the settings")
	case !utf8.ValidString(req.Question):
		return invalid("the question is not text", "write it in UTF-8")
	}
	for _, r := range req.Question {
		if unicode.IsControl(r) && r != '\n' && r != '\t' && r != '\r' {
			return invalid("the question holds control characters", "write it as plain text")
		}
	}
	return nil
}

// step carries out one step, tells of it, and measures it.
func (j *job) step(ctx context.Context, name string, do func(context.Context) error) error {
	began := time.Now()
	j.event(ctx, sparkwright.Event{Type: sparkwright.EventStep, Step: name, Text: "started"})
	err := j.guarded(ctx, name, do)
	j.run.Timings = append(j.run.Timings, sparkwright.Timing{Step: name, Seconds: time.Since(began).Seconds()})
	text := "done"
	if err != nil {
		text = "failed"
	}
	j.event(ctx, sparkwright.Event{Type: sparkwright.EventStep, Step: name, Text: text})
	return err
}

// guarded turns a panic of a step into an error: a defect in one question
// must not end the process that carries others.
func (j *job) guarded(ctx context.Context, name string, do func(context.Context) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			j.s.cfg.Log.ErrorContext(ctx, "step panicked", "run_id", j.run.ID, "step", name, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = &sparkwright.Error{
				Code: sparkwright.CodeInternal, Message: "a defect of Sparkwright stopped the run in the step " + name,
				Because: fmt.Sprint(p), Remedy: "ask in other words, and please report it with the run's id",
			}
		}
	}()
	return do(ctx)
}

func (j *job) setState(ctx context.Context, state sparkwright.RunState) error {
	j.run.State = state
	if err := j.s.cfg.Store.UpdateRun(ctx, j.run); err != nil {
		return err
	}
	j.event(ctx, sparkwright.Event{Type: sparkwright.EventState, State: state})
	return nil
}

// event stores and shows one event. A lost event never fails a run.
func (j *job) event(ctx context.Context, e sparkwright.Event) {
	e.RunID, e.At = j.run.ID, time.Now().UTC()
	if err := j.s.cfg.Store.AppendEvent(context.WithoutCancel(ctx), &e); err != nil {
		j.s.cfg.Log.ErrorContext(ctx, "event not stored", "run_id", j.run.ID, "error", err)
	}
	if j.req.Observe != nil {
		j.req.Observe(j.run, e)
	}
}

// finish brings the run to its final state and stores it, also when the
// caller has gone.
func (j *job) finish(ctx context.Context, err error) error {
	cause := context.Cause(ctx)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 15*time.Second)
	defer cancel()
	now := time.Now().UTC()
	j.run.FinishedAt = &now
	switch {
	case err != nil && (cause != nil || sparkwright.ErrorCode(err) == sparkwright.CodeCancelled):
		j.run.State = sparkwright.RunCancelled
		err = &sparkwright.Error{Code: sparkwright.CodeCancelled, Message: "the run was cancelled", Err: err}
	case err != nil:
		j.run.State = sparkwright.RunFailed
		if j.run.Fault == nil {
			j.run.Fault = asFault(err)
		}
	case j.run.Declined != nil:
		j.run.State = sparkwright.RunDeclined
	default:
		j.run.State = sparkwright.RunSucceeded
	}
	if e := j.s.cfg.Store.UpdateRun(ctx, j.run); e != nil {
		return errors.Join(err, e)
	}
	j.event(ctx, sparkwright.Event{Type: sparkwright.EventState, State: j.run.State})
	return err
}

// asFault keeps an error that stopped a run before or beside its job.
func asFault(err error) *sparkwright.Fault {
	f := &sparkwright.Fault{Kind: sparkwright.FaultInfrastructure, Class: string(sparkwright.ErrorCode(err)), Message: err.Error()}
	if e, ok := errors.AsType[*sparkwright.Error](err); ok {
		f.Message, f.Because, f.Remedy = e.Message, e.Because, e.Remedy
	}
	return f
}

// location is where an attempt writes.
func (s *Service) location(runID string, attempt int) string {
	return filepath.Join(s.cfg.ResultsDir, runID, fmt.Sprint(attempt))
}

// Reconcile closes the runs whose process has died: their attempts are lost,
// never succeeded, unless a manifest that matches says otherwise. What they
// left in PostgreSQL is ended.
func (s *Service) Reconcile(ctx context.Context) error {
	runs, err := s.cfg.Store.Unfinished(ctx)
	if err != nil {
		return err
	}
	for i := range runs {
		if childproc.Alive(runs[i].Owner) {
			continue
		}
		run, err := s.cfg.Store.Run(ctx, runs[i].ID) // with its attempts
		if err != nil {
			return err
		}
		s.close(ctx, run)
	}
	return nil
}

func (s *Service) close(ctx context.Context, run *sparkwright.Run) {
	now := time.Now().UTC()
	run.FinishedAt, run.State = &now, sparkwright.RunFailed
	run.Fault = &sparkwright.Fault{
		Kind: sparkwright.FaultLost, Class: "OWNER_LOST", Message: "the process that carried out the run ended before it",
		Remedy: "ask again",
	}
	for i := range run.Attempts {
		a := &run.Attempts[i]
		if a.State.Final() {
			continue
		}
		a.FinishedAt, a.State = &now, sparkwright.AttemptLost
		if m, err := s.cfg.LoadResult(s.location(run.ID, a.Number), run.ID, a.ID); err == nil {
			a.State, run.State, run.Fault, run.Result = sparkwright.AttemptSucceeded, sparkwright.RunSucceeded, nil, m
		}
		if err := s.cfg.Store.PutAttempt(ctx, a); err != nil {
			s.cfg.Log.ErrorContext(ctx, "attempt not closed", "run_id", run.ID, "error", err)
		}
	}
	if err := s.cfg.Store.UpdateRun(ctx, run); err != nil {
		s.cfg.Log.ErrorContext(ctx, "run not closed", "run_id", run.ID, "error", err)
	}
}
