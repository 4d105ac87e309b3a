package api

import (
	"context"
	"net/http"

	"github.com/sparkwright/sparkwright"
)

// Rerun runs a run again.
type Rerun struct {
	Code       string `json:"code,omitempty" doc:"An edited analysis; without it the run's own is run again"`
	Regenerate bool   `json:"regenerate,omitempty" doc:"Ask the question anew instead of running the analysis again"`
	Review     bool   `json:"review,omitempty" doc:"Wait for approval before anything runs"`
}

// Decision approves or rejects.
type Decision struct {
	CodeHash string `json:"code_hash" doc:"Hex SHA-256 of the analysis that was seen" minLength:"64" maxLength:"64"`
	Why      string `json:"why,omitempty" maxLength:"1000"`
}

// Pin keeps a run.
type Pin struct {
	Pinned bool `json:"pinned"`
}

// decided is a decision on a run.
type decided struct {
	RunPath
	Body Decision
}

func (a *API) registerDecisions() {
	cancel := operation("cancel-run", http.MethodPost, "/runs/{id}/cancel", "Ask for the end of a run", "runs")
	cancel.DefaultStatus = http.StatusAccepted
	cancel.Description = "The wish is kept; safe to repeat. A run that has ended stays as it is."
	register(a, cancel, func(ctx context.Context, in *RunPath) (*body[Run], error) {
		return a.changed(ctx, in.ID, a.cfg.Runs.Cancel)
	})
	register(a, operation("approve-run", http.MethodPost, "/runs/{id}/approve", "Approve the code of a run that awaits approval", "runs"),
		func(ctx context.Context, in *decided) (*body[Run], error) { return a.decide(ctx, in, true) })
	register(a, operation("reject-run", http.MethodPost, "/runs/{id}/reject", "Reject the code of a run that awaits approval", "runs"),
		func(ctx context.Context, in *decided) (*body[Run], error) { return a.decide(ctx, in, false) })
	register(a, operation("pin-run", http.MethodPut, "/runs/{id}/pin", "Keep a run from retention, or no longer", "runs"),
		func(ctx context.Context, in *struct {
			RunPath
			Body Pin
		},
		) (*body[Run], error) {
			return a.changed(ctx, in.ID, func(ctx context.Context, id string) (*sparkwright.Run, error) {
				return a.cfg.Runs.Pin(ctx, id, in.Body.Pinned)
			})
		})
	rerun := operation("rerun-run", http.MethodPost, "/runs/{id}/rerun", "Run a run again, with edited code or not", "runs")
	rerun.DefaultStatus = http.StatusAccepted
	rerun.Description = "Makes a new run whose parent is this one, about the same tables and on the same route."
	register(a, rerun, a.rerun)
}

// changed does something to a run and returns it whole.
func (a *API) changed(ctx context.Context, id string, do func(context.Context, string) (*sparkwright.Run, error)) (*body[Run], error) {
	run, err := a.run(ctx, id)
	if err == nil {
		run, err = do(ctx, run.ID)
	}
	if err != nil {
		return nil, err
	}
	return reply(wireRun(run), nil)
}

func (a *API) decide(ctx context.Context, in *decided, approve bool) (*body[Run], error) {
	return a.changed(ctx, in.ID, func(ctx context.Context, id string) (*sparkwright.Run, error) {
		return a.cfg.Runs.Decide(ctx, id, sparkwright.Decision{Approve: approve, CodeHash: in.Body.CodeHash, Why: in.Body.Why})
	})
}

// route is the request's word for the executor that a run was placed on.
func route(executor string) string {
	return map[string]string{"connect": "local", "batch": "batch", "emrserverless": "emr", "lambda": "lambda"}[executor]
}

func (a *API) rerun(ctx context.Context, in *struct {
	RunPath
	WaitHeaders
	Body Rerun
},
) (*accepted, error) {
	parent, err := a.run(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	req := sparkwright.Request{
		Question: parent.Question.Text, Connection: parent.Question.Connection, Tables: parent.Question.Tables, Parent: parent.ID,
		Session: parent.Session, Review: in.Body.Review, Executor: route(parent.Placement.Executor), OutputPath: parent.Placement.OutputPath,
		IdempotencyKey: in.Key,
	}
	switch {
	case in.Body.Code != "":
		req.Code = in.Body.Code
	case !in.Body.Regenerate:
		req.Code = parent.Analysis
	}
	if req.Code == "" && req.Question == "" {
		return nil, &sparkwright.Error{
			Code: sparkwright.CodeConflict, Message: "the run has neither a question nor an analysis to run again", Remedy: "send code",
		}
	}
	return a.create(ctx, req, in.WaitHeaders)
}
