package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/doctor"
	"github.com/sparkwright/sparkwright/internal/placement"
	"github.com/sparkwright/sparkwright/internal/settings"
	"github.com/sparkwright/sparkwright/internal/supervisor"
)

const (
	// preflightAge is how long a good look is believed.
	preflightAge = 5 * time.Minute
	// preflightTime bounds one look.
	preflightTime = 10 * time.Second
	// preflights is how many different sites are remembered.
	preflights = 64
)

// preflight looks, before a model is paid, at what would make a run fail at its
// place: the quick checks of the doctor that concern it, for the connections
// that it reads. A job in AWS that cannot work is refused. On this machine the
// broker lets reading statements through only: there a role that can write is
// a warning.
func (a *app) preflight(s *settings.Settings) func(context.Context, supervisor.Site) ([]string, error) {
	var mu sync.Mutex
	caches := map[string]*doctor.Cache{}
	return func(ctx context.Context, site supervisor.Site) ([]string, error) {
		mu.Lock()
		key := siteKey(site)
		cache := caches[key]
		if cache == nil {
			if len(caches) == preflights {
				clear(caches)
			}
			cache = &doctor.Cache{
				Age: preflightAge, Now: time.Now, Bad: !inAWS(site.Placement),
				Checks: func(ctx context.Context) ([]doctor.Check, error) { return siteChecks(ctx, s, site) },
			}
			caches[key] = cache
		}
		mu.Unlock()
		ctx, cancel := context.WithTimeout(ctx, preflightTime)
		defer cancel()
		report, err := cache.Report(ctx)
		if err != nil || inAWS(site.Placement) {
			return nil, cmp.Or(err, refusal(report))
		}
		var warnings []string
		for _, f := range report.Findings {
			if f.Level == doctor.Fail {
				warnings = append(warnings, fmt.Sprintf("%s: %s (sparkwright doctor --only %s)", f.Message, f.Because, f.ID))
			}
		}
		return warnings, nil
	}
}

// refusal is the error of a report; nil when nothing fails.
func refusal(r *doctor.Report) error {
	if r == nil || r.First() == nil {
		return nil
	}
	err := &sparkwright.Error{Code: sparkwright.CodeUnavailable, Message: r.First().Message, Because: r.First().Because}
	if fixes := r.First().Fixes; len(fixes) > 0 {
		err.Remedy = fixes[0].Text + "\n"
	}
	err.Remedy += "see sparkwright doctor --only " + r.First().ID
	return err
}

func inAWS(p sparkwright.Placement) bool {
	return p.Executor == placement.EMR || p.Executor == placement.Lambda
}

// siteKey is what a look depends on beside the settings.
func siteKey(site supervisor.Site) string {
	parts := []string{site.Placement.Executor, site.Placement.Application}
	for _, d := range site.Databases {
		c := d.Connection
		parts = append(parts, fmt.Sprintf("%q %q %d %q %q %q %t", c.Name, c.Host, c.Port, c.Database, c.User, c.Secret, d.Distant))
	}
	slices.Sort(parts[2:])
	return strings.Join(parts, "\n")
}

// concerning are the checks that concern a run, by the beginnings of their
// ids. What a secret holds is no matter here: the catalog has been read with
// it, or it is read in AWS.
func concerning(s *settings.Settings, p sparkwright.Placement) []string {
	switch {
	case p.Executor == placement.EMR && p.Application == s.Spark.EMRPostgresApplicationID:
		return []string{"settings.", "aws.", "emr.", "network.", "storage.", "iam.", "postgres."}
	case p.Executor == placement.EMR: // no VPC, no driver, no secrets
		return []string{"aws.", "emr.application", "iam.trust"}
	case p.Executor == placement.Lambda:
		return []string{"aws."}
	}
	return []string{"postgres."}
}

// siteChecks are the quick checks of a site.
func siteChecks(ctx context.Context, s *settings.Settings, site supervisor.Site) ([]doctor.Check, error) {
	look := *s
	if site.Placement.Executor == placement.EMR { // the checks look at one application
		look.Spark.EMRPostgresApplicationID = site.Placement.Application
	}
	cfg := doctor.Config{Settings: &look, Now: time.Now, Only: []sparkwright.Connection{}, Distant: map[string]bool{}}
	logins := map[string]supervisor.Database{}
	for _, d := range site.Databases {
		cfg.Only = append(cfg.Only, d.Connection)
		cfg.Distant[d.Connection.Name], logins[d.Connection.Name] = d.Distant, d.Database
	}
	cfg.Login = func(_ context.Context, c sparkwright.Connection) (sparkwright.Connection, sparkwright.Credentials, error) {
		cred := logins[c.Name].Credentials()
		c.User = cmp.Or(cred.User, c.User)
		return c, cred, nil
	}
	if inAWS(site.Placement) {
		var err error
		if cfg.AWS, err = doctorAWS(ctx, s, nil); err != nil {
			return nil, err
		}
	}
	ids := concerning(s, site.Placement)
	return slices.DeleteFunc(doctor.Cheap(doctor.Checks(cfg)), func(c doctor.Check) bool {
		return !slices.ContainsFunc(ids, func(id string) bool { return strings.HasPrefix(c.ID, id) })
	}), nil
}
