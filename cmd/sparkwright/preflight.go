package main

import (
	"context"
	"slices"
	"time"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/doctor"
	"github.com/sparkwright/sparkwright/internal/placement"
)

const (
	// preflightAge is how long a good look is believed.
	preflightAge = 5 * time.Minute
	// preflightTime bounds one look.
	preflightTime = 10 * time.Second
)

// preflight looks, before a run goes to EMR Serverless with PostgreSQL tables,
// at what would make it fail there: a job that cannot work is not paid for.
func (a *app) preflight(place func(placement.Input) (sparkwright.Placement, error)) func(placement.Input) (sparkwright.Placement, error) {
	cache := &doctor.Cache{Age: preflightAge, Now: time.Now, Checks: a.remoteChecks}
	return func(in placement.Input) (sparkwright.Placement, error) {
		p, err := place(in)
		if err != nil || p.Executor != placement.EMR || p.Application != in.AWS.PostgresApplication {
			return p, err
		}
		ctx, cancel := context.WithTimeout(context.Background(), preflightTime)
		defer cancel()
		report, err := cache.Report(ctx)
		if err != nil {
			return p, err
		}
		return p, report.Err()
	}
}

// remoteChecks are the quick checks of what a job in AWS needs. What this
// machine can reach does not matter there.
func (a *app) remoteChecks(ctx context.Context) ([]doctor.Check, error) {
	cfg, err := a.doctorConfig(ctx)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(doctor.Cheap(doctor.Checks(cfg)), func(c doctor.Check) bool {
		return c.Group == "local" || c.Group == "postgres"
	}), nil
}
