package supervisor

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/store"
)

// stepDelegated is the one step of a run that somebody else carries out.
const stepDelegated = "delegated"

// Delegated is what came of a run that somebody else has carried out.
type Delegated struct {
	Script     string // the whole file; "" = not told
	Analysis   string
	Understood string
	Output     string // what the job printed
	Declined   *sparkwright.Declined
	Fault      *sparkwright.Fault
	Result     *sparkwright.Manifest // of the other's run; nil unless it succeeded
}

// Delegate keeps a run among this service's own while carry has somebody else
// carry it out. The run lasts as long as carry does, whatever becomes of ctx; its
// end by a cancel leaves the other one to itself, as does the end of this
// process, after which the run has failed with OWNER_LOST.
func (s *Service) Delegate(ctx context.Context, req sparkwright.Request, to sparkwright.Placement, carry func(ctx context.Context, run *sparkwright.Run) (*Delegated, error)) (*sparkwright.Run, error) {
	if err := s.validate(&req); err != nil {
		return nil, err
	}
	if err := s.live(ctx); err != nil {
		return nil, err
	}
	run := s.newRun(&req)
	run.Owner, run.State, run.Placement = s.id, sparkwright.RunRunning, to
	if req.Code == "" {
		run.Generator = "agent " + to.Application
	}
	if !s.active.begin(run.ID) {
		return nil, sparkwright.Errorf(sparkwright.CodeInternal, "the run %s exists", run.ID)
	}
	defer s.active.end(run.ID)
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	defer context.AfterFunc(s.ctx, func() { cancel(errStopping) })() //nolint:contextcheck // the service's own end
	if err := s.cfg.Store.CreateRun(ctx, run, req, store.Admission{Step: stepDelegated, Foreground: true}); err != nil {
		return nil, err
	}
	s.active.cancellable(run.ID, cancel)
	j := s.resume(&store.Held{Lease: store.Lease{RunID: run.ID}, Run: run, Request: req, Step: stepDelegated})
	j.alone = true
	j.tell(sparkwright.Event{Type: sparkwright.EventState, State: run.State})
	j.tell(sparkwright.Event{Type: sparkwright.EventStep, Step: stepDelegated, Text: to.Reason})
	if err := j.flush(ctx); err != nil {
		return run, err
	}
	began := time.Now()
	got, err := carry(ctx, run)
	if cause := context.Cause(ctx); err != nil && errors.Is(cause, errStopping) {
		return run, errors.Join(err, cause) // the next server says that it is lost
	} else if err != nil && cause != nil {
		got = &Delegated{Fault: &sparkwright.Fault{
			Kind: sparkwright.FaultCancelled, Class: "CANCELLED", Message: "the run was cancelled", Because: "who carries it out cannot be told, and may go on with it",
		}}
		err = nil
	}
	if err != nil {
		got = &Delegated{Fault: asFault(err)}
	}
	j.took(stepDelegated, began, err)
	return run, j.delegated(context.WithoutCancel(ctx), got, began)
}

// delegated ends the run with what came of it.
func (j *job) delegated(ctx context.Context, d *Delegated, began time.Time) error {
	j.run.Understood, j.run.Declined, j.run.Result = d.Understood, d.Declined, d.Result
	if d.Analysis != "" {
		j.run.Analysis = d.Analysis
		j.revise("")
	}
	if d.Output != "" {
		j.tell(sparkwright.Event{Type: sparkwright.EventLog, Stream: "stdout", Text: strings.TrimRight(d.Output, "\n") + "\n"})
	}
	if d.Script != "" {
		now := time.Now().UTC().Truncate(time.Microsecond)
		a := &sparkwright.Attempt{
			ID: j.run.ID + "-1", RunID: j.run.ID, Number: 1, State: sparkwright.AttemptSucceeded, Analysis: d.Analysis, Script: d.Script,
			Fault: d.Fault, StartedAt: began.UTC().Truncate(time.Microsecond), FinishedAt: &now,
		}
		switch {
		case d.Fault != nil && d.Fault.Kind == sparkwright.FaultCancelled:
			a.State = sparkwright.AttemptCancelled
		case d.Fault != nil:
			a.State = sparkwright.AttemptFailed
		}
		j.run.Attempts, j.put = []sparkwright.Attempt{*a}, a
	}
	return j.end(ctx, d.Fault)
}
