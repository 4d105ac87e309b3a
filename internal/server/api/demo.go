package api

import (
	"context"
	"net/http"
)

// Demo starts the built-in demo data. Errors are *sparkwright.Error.
type Demo interface {
	// Demo says how far it is.
	Demo(ctx context.Context) (*DemoState, error)
	// StartDemo begins to install and start it, and returns at once. Safe to
	// repeat.
	StartDemo(ctx context.Context) (*DemoState, error)
}

// DemoState is how far the demo data are.
type DemoState struct {
	State      string   `json:"state" enum:"absent,starting,ready,failed"`
	Connection string   `json:"connection" doc:"The name by which they can be asked, once they are ready"`
	Step       string   `json:"step,omitempty" doc:"What is being done"`
	Problem    *Problem `json:"problem,omitempty" doc:"Why it failed"`

	// Err becomes the problem.
	Err error `json:"-"`
}

func (a *API) registerDemo() {
	register(a, operation("get-demo", http.MethodGet, "/demo", "How far the demo data are", "connections"),
		func(ctx context.Context, _ *struct{}) (*body[DemoState], error) { return a.demo(ctx, Demo.Demo) })
	start := operation("start-demo", http.MethodPost, "/demo", "Install and start the demo data", "connections")
	start.DefaultStatus = http.StatusAccepted
	start.Description = "Answers at once; it takes some seconds, or minutes when PostgreSQL must be downloaded first. Safe to repeat."
	register(a, start, func(ctx context.Context, _ *struct{}) (*body[DemoState], error) { return a.demo(ctx, Demo.StartDemo) })
}

func (a *API) demo(ctx context.Context, do func(Demo, context.Context) (*DemoState, error)) (*body[DemoState], error) {
	if a.cfg.Demo == nil {
		return nil, absent("demo data")
	}
	state, err := do(a.cfg.Demo, ctx)
	if err != nil {
		return nil, err
	}
	if state.Err != nil {
		state.Problem = problemOf(ctx, a.cfg.Log, state.Err)
	}
	return reply(*state, nil)
}
