package supervisor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/store"
)

var _ sparkwright.Runs = (*Service)(nil)

// Request is a question or a piece of analysis code, for Ask.
type Request struct {
	Question     string
	Instructions string
	Connection   string   // all its tables, when Tables is empty
	Parent       string   // run that it follows up
	Tables       []string // connection.schema.table, schema.table or table
	Code         string   // analysis to run as it is; then Question may be empty
	Batch        bool     // spark-submit instead of a warm session
	Engine       string   // placement.EngineAuto or EngineSpark; "" = the setting
	CodeOnly     bool     // stop after the check
	// Approve is asked before anything runs; false cancels. nil = yes.
	Approve func(run *sparkwright.Run) bool
	// Observe gets every event as it happens; may be nil.
	Observe func(run *sparkwright.Run, e sparkwright.Event)
}

// asked is the request without what only this process knows.
func (r *Request) asked() sparkwright.Request {
	out := sparkwright.Request{
		Question: r.Question, Instructions: r.Instructions, Connection: r.Connection, Tables: r.Tables, Code: r.Code, CodeOnly: r.CodeOnly,
		Parent: r.Parent, Engine: r.Engine,
	}
	if r.Batch {
		out.Executor = "batch"
	}
	return out
}

// Ask carries out a request to its end, in the foreground: the run ends with
// ctx, and with this process. The run is nil only when the request could not
// even be recorded. An error is a *sparkwright.Error; a declined question is
// not an error.
func (s *Service) Ask(ctx context.Context, req Request) (*sparkwright.Run, error) {
	asked := req.asked()
	if err := s.validate(&asked); err != nil {
		return nil, err
	}
	if err := s.choose(ctx, &asked); err != nil {
		return nil, err
	}
	if err := s.live(ctx); err != nil {
		return nil, err
	}
	run := s.newRun(&asked)
	run.Owner = s.id
	if !s.active.begin(run.ID) {
		return nil, sparkwright.Errorf(sparkwright.CodeInternal, "the run %s exists", run.ID)
	}
	defer s.active.end(run.ID)
	if err := s.cfg.Store.CreateRun(ctx, run, asked, store.Admission{Step: stepCatalog, Foreground: true}); err != nil {
		return nil, err
	}
	j := s.resume(&store.Held{Lease: store.Lease{RunID: run.ID}, Run: run, Request: asked, Step: stepCatalog})
	j.alone, j.approve, j.observe = true, req.Approve, req.Observe
	if err := j.carryOut(ctx); err != nil {
		return run, err
	}
	return run, runError(run)
}

// diskFull is internal/diagnose's class of a disk that was full where a job ran.
const diskFull = "data.disk"

// runError is what the caller of Ask gets for a run that has ended.
func runError(run *sparkwright.Run) error {
	f := run.Fault
	if f == nil {
		return nil
	}
	code := sparkwright.CodeJobFailed
	switch f.Kind {
	case sparkwright.FaultTimeout:
		code = sparkwright.CodeTimeout
	case sparkwright.FaultCancelled:
		code = sparkwright.CodeCancelled
	case sparkwright.FaultInfrastructure:
		if c := sparkwright.Code(f.Class); c.Known() {
			code = c
		} else if f.Diagnosis != nil && f.Diagnosis.Class == diskFull {
			code = sparkwright.CodeResource
		}
	default:
	}
	return &sparkwright.Error{Code: code, Message: f.Message, Because: f.Because, Remedy: f.Remedy, Err: errors.New(f.Class)}
}

// validate refuses requests that cannot be meant.
func (s *Service) validate(req *sparkwright.Request) error {
	req.Question = strings.TrimSpace(req.Question)
	return Valid(*req, s.now().Limits.QuestionChars)
}

// Valid refuses questions that cannot be meant, with CodeInvalid: Submit and
// Ask do so too; a caller may want to know before it prepares anything. limit
// is the greatest number of characters; 0 = none.
func Valid(req sparkwright.Request, limit int) error {
	req.Question = strings.TrimSpace(req.Question)
	invalid := func(msg, remedy string) error {
		return &sparkwright.Error{Code: sparkwright.CodeInvalid, Message: msg, Remedy: remedy}
	}
	switch n := utf8.RuneCountInString(req.Question); {
	case req.Code == "" && n == 0:
		return invalid("the question is empty", `ask something: sparkwright ask "how many orders are there?" --connection NAME`)
	case limit > 0 && n > limit:
		return invalid(fmt.Sprintf("the question has %d characters; at most %d are allowed", n, limit),
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

func (s *Service) newRun(req *sparkwright.Request) *sparkwright.Run {
	run := &sparkwright.Run{
		ID: s.cfg.NewID(), State: sparkwright.RunQueued, CreatedAt: time.Now().UTC().Truncate(time.Microsecond),
		Session: req.Session, User: req.User, Parent: req.Parent,
		Question:  sparkwright.Question{Text: req.Question, Connection: req.Connection, Tables: req.Tables},
		Generator: s.now().GeneratorName,
	}
	if req.Code != "" {
		run.Generator = "user"
	}
	return run
}

// Submit implements sparkwright.Runs.
func (s *Service) Submit(ctx context.Context, req sparkwright.Request) (*sparkwright.Run, error) {
	if err := s.validate(&req); err != nil {
		return nil, err
	}
	if err := s.choose(ctx, &req); err != nil {
		return nil, err
	}
	if req.IdempotencyKey != "" {
		run, err := s.cfg.Store.Repeated(ctx, req)
		if sparkwright.ErrorCode(err) != sparkwright.CodeNotFound {
			return run, err
		}
	}
	if s.cfg.CheckSpace != nil {
		if err := s.cfg.CheckSpace(); err != nil {
			return nil, err
		}
	}
	run := s.newRun(&req)
	err := s.cfg.Store.CreateRun(ctx, run, req, store.Admission{
		Queue: s.now().Limits.Queue, Session: s.now().Limits.SessionRuns, Step: stepCatalog,
		Then: func(ctx context.Context, t tx) (int64, error) {
			return s.enqueue(ctx, t, store.Lease{RunID: run.ID}, anyServer, 0)
		},
	})
	if req.IdempotencyKey != "" && sparkwright.ErrorCode(err) == sparkwright.CodeConflict {
		return s.cfg.Store.Repeated(ctx, req) // another one was faster
	}
	s.failpoint("submit:accepted")
	if err != nil {
		return nil, err
	}
	return run, nil
}

// Run implements sparkwright.Runs.
func (s *Service) Run(ctx context.Context, id string) (*sparkwright.Run, error) {
	return s.cfg.Store.Run(ctx, id)
}

// List implements sparkwright.Runs.
func (s *Service) List(ctx context.Context, f sparkwright.RunFilter) (sparkwright.RunPage, error) {
	return s.cfg.Store.List(ctx, f)
}

// Events implements sparkwright.Runs.
func (s *Service) Events(ctx context.Context, id string, after int64, limit int) ([]sparkwright.Event, error) {
	return s.cfg.Store.Events(ctx, id, after, limit)
}

// Revisions implements sparkwright.Runs.
func (s *Service) Revisions(ctx context.Context, id string) ([]sparkwright.Revision, error) {
	return s.cfg.Store.Revisions(ctx, id)
}

// Cancel implements sparkwright.Runs.
func (s *Service) Cancel(ctx context.Context, id string) (*sparkwright.Run, error) {
	run, err := s.cfg.Store.Run(ctx, id)
	if err != nil || run.State.Final() {
		return run, err
	}
	if err = s.cfg.Store.RequestCancel(ctx, run.ID, s.into(run.ID)); err != nil {
		return nil, err
	}
	s.active.cancel(run.ID, errCancelWanted)
	if a := len(run.Attempts); a > 0 && !run.Attempts[a-1].State.Final() {
		return run, nil
	}
	// Nothing of it is outside. When nobody has it just now, it ends here.
	held, free, err := s.takeFree(ctx, run.ID, s.cfg.Store.TakeFree)
	if errors.Is(err, store.ErrFenced) {
		if run.State == sparkwright.RunAwaitingApproval { // the job that was asked for has been quicker
			return s.ending(ctx, run)
		}
		return run, nil
	}
	if err != nil {
		return nil, err
	}
	defer free()
	j := s.resume(held)
	j.findReading(ctx)
	n, err := j.cancelStep(ctx)
	if err == nil {
		err = j.commit(ctx, n)
	}
	return j.run, err
}

// endingTime is how long a call waits for a run that nothing keeps from ending.
const endingTime = 5 * time.Second

// ending returns the run as soon as it has ended; as it is, when that takes long.
func (s *Service) ending(ctx context.Context, run *sparkwright.Run) (*sparkwright.Run, error) {
	end := time.NewTimer(endingTime)
	defer end.Stop()
	for {
		select {
		case <-ctx.Done():
			return run, nil // it is asked for
		case <-end.C:
			return run, nil
		case <-time.After(20 * time.Millisecond):
		}
		now, err := s.cfg.Store.Run(ctx, run.ID)
		if err != nil || now.State.Final() {
			return now, err
		}
	}
}

// Decide implements sparkwright.Runs.
func (s *Service) Decide(ctx context.Context, id string, d sparkwright.Decision) (*sparkwright.Run, error) {
	run, err := s.cfg.Store.Run(ctx, id)
	if err != nil {
		return nil, err
	}
	conflict := func(message, because string) error {
		return &sparkwright.Error{
			Code: sparkwright.CodeConflict, Message: message, Because: because, Remedy: "look at it again: sparkwright runs show " + run.ID,
		}
	}
	if run.State != sparkwright.RunAwaitingApproval {
		return nil, conflict("run "+run.ID+" does not wait for approval", "it is "+string(run.State))
	}
	if d.CodeHash != codeHash(run.Analysis) {
		return nil, conflict("the decision is about other code than the run has", "the code has changed, or code_hash is wrong")
	}
	held, free, err := s.takeWaiting(ctx, run.ID)
	if errors.Is(err, store.ErrFenced) {
		return nil, conflict("run "+run.ID+" is being decided by somebody else", "somebody has it, or it is approved and waits for its turn")
	}
	if err != nil {
		return nil, err
	}
	defer free()
	s.failpoint("decide:taken")
	j := s.resume(held)
	if codeHash(j.run.Analysis) != d.CodeHash || j.run.State != sparkwright.RunAwaitingApproval {
		return nil, errors.Join(conflict("the run has changed meanwhile", ""), j.commit(ctx, next{step: j.step, until: true}))
	}
	by := ""
	if d.By != "" {
		by = " by " + d.By
	}
	if !d.Approve {
		j.tell(sparkwright.Event{Type: sparkwright.EventStep, Step: "approval", Text: strings.TrimSpace("rejected" + by + " " + d.Why)})
		err = j.end(ctx, &sparkwright.Fault{
			Kind: sparkwright.FaultCancelled, Class: "REJECTED", Message: "the run was rejected" + by, Because: d.Why,
		})
		return j.run, err
	}
	j.tell(sparkwright.Event{Type: sparkwright.EventStep, Step: "approval", Text: strings.TrimSpace("approved" + by + " " + d.Why)})
	j.work.Approved = d.CodeHash
	err = j.commit(ctx, next{step: stepApproval, yield: true})
	s.failpoint("decide:stored")
	return j.run, err
}

// takeFree takes a run that nobody has, so that the reconcile loop leaves it
// alone until free is called. ErrFenced when somebody has it.
func (s *Service) takeFree(
	ctx context.Context, id string, take func(ctx context.Context, server, runID string) (*store.Held, error),
) (held *store.Held, free func(), err error) {
	if !s.active.begin(id) {
		return nil, nil, store.ErrFenced
	}
	held, err = take(ctx, s.id, id)
	if err != nil {
		s.active.end(id)
		return nil, nil, err
	}
	return held, func() { s.active.end(id) }, nil
}

// takeWaiting takes a run that waits for approval. A job of the queue may just
// be looking at it, and leaves it as it is. One that has been approved, and
// waits for its job, is not taken away from it.
func (s *Service) takeWaiting(ctx context.Context, id string) (held *store.Held, free func(), err error) {
	for end := time.Now().Add(endingTime); ; {
		held, free, err = s.takeFree(ctx, id, s.cfg.Store.TakeIdle)
		if !errors.Is(err, store.ErrFenced) || time.Now().After(end) {
			return held, free, err
		}
		run, failed := s.cfg.Store.Run(ctx, id)
		if failed != nil || run.State != sparkwright.RunAwaitingApproval {
			return nil, nil, errors.Join(err, failed)
		}
		select {
		case <-ctx.Done():
			return nil, nil, err
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Pin implements sparkwright.Runs.
func (s *Service) Pin(ctx context.Context, id string, pinned bool) (*sparkwright.Run, error) {
	run, err := s.cfg.Store.Run(ctx, id)
	if err != nil {
		return nil, err
	}
	if err = s.cfg.Store.Pin(ctx, run.ID, pinned); err != nil {
		return nil, err
	}
	run.Pinned = pinned
	return run, nil
}

// Delete implements sparkwright.Runs.
func (s *Service) Delete(ctx context.Context, id string) error {
	run, err := s.cfg.Store.Run(ctx, id)
	if err != nil {
		return err
	}
	return s.delete(ctx, run)
}

// removeFiles removes what the attempts of a run have written here.
func (s *Service) removeFiles(runID string) error {
	if err := os.RemoveAll(filepath.Join(s.cfg.ResultsDir, runID)); err != nil {
		return sparkwright.Errorf(sparkwright.CodeResource, "the run is deleted, its files are not all: %w", err)
	}
	return nil
}
