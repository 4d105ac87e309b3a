package api

import (
	"context"
	"net/http"

	"github.com/sparkwright/sparkwright"
)

// Planner says what would run and where. It never runs anything and never asks
// a model.
type Planner interface {
	Plan(ctx context.Context, req sparkwright.Request) (*Plan, error)
}

// Plan is what would run, and where.
type Plan struct {
	Placement sparkwright.Placement  `json:"placement"`
	Tables    []sparkwright.TableUse `json:"tables" doc:"What may be read: the generator may need fewer"`
	Rows      int64                  `json:"rows" doc:"Estimate of what may be read"`
	Bytes     int64                  `json:"bytes" doc:"Estimate of what may be read"`
	Expected  sparkwright.Cost       `json:"expected" doc:"0 where it is not known"`
	Direct    bool                   `json:"direct,omitempty" doc:"PostgreSQL itself may answer in its place: where one cheap statement gives the same values, which is known only when the question has been read"`
	Notes     []string               `json:"notes,omitempty"`
}

func (a *API) registerPlan() {
	register(a, operation("plan-run", http.MethodPost, "/plan", "Say what would run and where, and run nothing", "runs"),
		func(ctx context.Context, in *struct{ Body NewRun }) (*body[Plan], error) {
			if a.cfg.Planner == nil {
				return nil, absent("plans")
			}
			plan, err := a.cfg.Planner.Plan(ctx, in.Body.request(""))
			if err != nil {
				return nil, err
			}
			return reply(*plan, nil)
		})
}
