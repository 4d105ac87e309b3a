package main

import (
	"context"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/access"
	"github.com/sparkwright/sparkwright/internal/artifact"
	"github.com/sparkwright/sparkwright/internal/doctor"
	"github.com/sparkwright/sparkwright/internal/localruntime"
	"github.com/sparkwright/sparkwright/internal/model/pick"
	"github.com/sparkwright/sparkwright/internal/placement"
	"github.com/sparkwright/sparkwright/internal/readplan"
	"github.com/sparkwright/sparkwright/internal/receipt"
	"github.com/sparkwright/sparkwright/internal/result"
	"github.com/sparkwright/sparkwright/internal/server/api"
	"github.com/sparkwright/sparkwright/internal/supervisor"
	"github.com/sparkwright/sparkwright/internal/telemetry"
)

// serverLog makes the log of a server: JSON lines with the ids of request and
// run.
func (a *app) serverLog(level string) error {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return &sparkwright.Error{Code: sparkwright.CodeInvalid, Message: "there is no log level " + level, Remedy: "use debug, info, warn or error"}
	}
	a.log = slog.New(telemetry.NewHandler(slog.NewJSONHandler(plainJSON{a.stderr}, &slog.HandlerOptions{Level: l})))
	return nil
}

// observed is what surrounds a server's handlers.
type observed struct {
	mounts  map[string]http.Handler // beside the reference contract
	http    telemetry.HTTP
	watch   func(ctx context.Context) // until ctx ends
	refused func(limit string)
	traces  *telemetry.Traces
}

// api wires /api/v1, /metrics, /healthz and /readyz. service must have been
// called.
func (a *app) api(ctx context.Context, svc *supervisor.Service) (*observed, error) {
	s := a.settings
	traces, err := telemetry.NewTraces(ctx, version, os.Getenv)
	if err != nil {
		return nil, err
	}
	watcher := &telemetry.Watcher{Runs: svc, Log: a.log}
	metrics := telemetry.NewMetrics(watcher.Active)
	watcher.Finished = func(run *sparkwright.Run) { metrics.Finished(run); traces.Finished(run) }
	space := func(context.Context) error {
		return artifact.CheckSpace(s.ResultsDir(), int64(s.Results.MinFreeMB)<<20)
	}
	desk := &desk{app: a, svc: svc, looking: make(chan struct{}, 1), spawn: func(do func(context.Context)) { go do(ctx) }}
	v1 := api.New(api.Config{
		Runs: access.NewRuns(svc), Connections: desk, Catalog: desk, Settings: desk, Planner: desk, Suggester: desk, Demo: desk, ShowValues: desk.showValues, Doctor: desk, Meta: desk.meta, Admit: space, Counter: metrics, Log: a.log,
		Results: result.New(result.Config{Files: resultFiles{a}, CacheDir: filepath.Join(a.home, "cache", "results"), CacheBytes: int64(s.Limits.ResultCacheMB) << 20}),
		Limits: api.Limits{
			QuestionChars: s.Limits.QuestionChars, BodyBytes: int64(s.Limits.BodyKB) << 10, Requests: s.Limits.Requests,
			Readers: s.Limits.Readers, ReadersPerClient: s.Limits.ClientReaders, PageRows: s.Limits.PageRows,
		},
	})
	return &observed{
		mounts: map[string]http.Handler{
			api.Prefix + "/": v1, "GET /metrics": metrics.Handler(), "GET /healthz": telemetry.Healthz(),
			"GET /readyz": telemetry.Readyz(a.log, a.checks(svc, space)...),
		},
		http: telemetry.HTTP{Log: a.log, Metrics: metrics, Tracer: traces.Tracer()}, watch: watcher.Watch, traces: traces, refused: metrics.Refused,
	}, nil
}

// checks are what a server needs to carry out runs.
func (a *app) checks(svc *supervisor.Service, space func(context.Context) error) []telemetry.Check {
	return []telemetry.Check{
		{Name: "store", Do: a.store.Ping},
		{Name: "disk", Do: space},
		{Name: "runtime", Do: func(ctx context.Context) error {
			opt, err := a.runtimeOptions()
			if err != nil {
				return err
			}
			st, err := localruntime.Inspect(ctx, opt)
			if err == nil && !st.Complete {
				err = &sparkwright.Error{Code: sparkwright.CodeMissing, Message: "the local runtime is not whole", Remedy: "sparkwright runtime install"}
			}
			return err
		}},
		{Name: "queue", Do: func(ctx context.Context) error {
			_, err := svc.List(ctx, sparkwright.RunFilter{State: sparkwright.RunQueued, Limit: 1})
			return err
		}},
	}
}

// desk implements the API's resources on the settings and the databases.
type desk struct {
	app     *app
	svc     *supervisor.Service
	looking chan struct{}                  // holds one: the doctor looks for one client at a time
	spawn   func(do func(context.Context)) // does something until the server ends

	demo demoWatch
}

// Examine implements api.Doctor.
func (d *desk) Examine(ctx context.Context, full bool) (*doctor.Report, error) {
	select {
	case d.looking <- struct{}{}:
		defer func() { <-d.looking }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	cfg, err := d.app.doctorConfig(ctx)
	if err != nil {
		return nil, err
	}
	checks := doctor.Checks(cfg)
	if !full {
		checks = doctor.Cheap(checks)
	}
	return doctor.Run(ctx, checks), nil
}

func (d *desk) meta(ctx context.Context) api.Meta {
	a := d.app
	c := a.chosen(ctx)
	generator := c.ID()
	if c.Provider != pick.Planner {
		generator = "model " + generator
	}
	away := func(key, value string) api.ExecutorInfo {
		name := map[string]string{"spark.emr_application_id": "emr", "spark.lambda_function": "lambda"}[key]
		if value == "" {
			return api.ExecutorInfo{Name: name, Reason: key + " is not set"}
		}
		return api.ExecutorInfo{Name: name, Available: true, Reason: key + " is set"}
	}
	sp := a.settings.Spark
	emr := away("spark.emr_application_id", sp.EMRApplicationID+sp.EMRPostgresApplicationID)
	return api.Meta{
		Version: version, Generator: generator, Models: c.infos(),
		Limits: api.LimitsInfo{SessionRuns: a.settings.Limits.SessionRuns, QueuedRuns: a.settings.Limits.QueueLength},
		Executors: []api.ExecutorInfo{
			{Name: "local", Available: true, Reason: placeReason(a.settings)},
			{Name: "batch", Available: true, Reason: "spark-submit with the local runtime"},
			emr, away("spark.lambda_function", sp.LambdaFunction),
		},
	}
}

// Plan implements api.Planner.
func (d *desk) Plan(ctx context.Context, req sparkwright.Request) (*api.Plan, error) {
	catalog, err := d.svc.Catalog(ctx, req.Connection, req.Tables)
	if err != nil {
		return nil, err
	}
	s := d.app.varying.settingsNow() //nolint:contextcheck // it looks with a context of its own
	out, logins := &api.Plan{Tables: []sparkwright.TableUse{}}, map[string]sparkwright.Connection{}
	in := placement.Input{
		Asked: req.Executor, AWS: placementSettings(s), Local: placeReason(s), OutputPath: req.OutputPath, Session: req.Session,
	}
	for i := range catalog.Tables {
		t := &catalog.Tables[i]
		out.Tables = append(out.Tables, sparkwright.TableUse{Table: t.QualifiedName(), View: t.View, RowEstimate: t.RowEstimate, Bytes: t.Bytes, Partitions: 1})
		place := placement.Table{Name: t.QualifiedName(), Source: t.Source, Location: t.Location, Bytes: placement.Estimate(t, nil)}
		if _, known := logins[t.Connection]; !known {
			logins[t.Connection] = d.located(ctx, t.Connection)
		}
		c := logins[t.Connection]
		place.Host, place.Remote = c.Host, strings.HasPrefix(c.Secret, "aws-sm:") || c.AuthMethod == sparkwright.AuthIAM
		in.Tables = append(in.Tables, place)
		out.Bytes += max(0, t.Bytes)
		out.Rows += max(0, t.RowEstimate)
		if t.RowEstimate < 0 {
			out.Notes = append(out.Notes, t.QualifiedName()+" was never analysed: its rows are not counted")
		}
	}
	if out.Placement, err = placement.Decide(in); err != nil {
		return out, err
	}
	out.Expected = expected(catalog, out.Placement.Executor, out.Bytes, rates(s))
	postgres := func(t sparkwright.Table) bool { return readplan.FromPostgres(&t) }
	out.Direct = slices.ContainsFunc(catalog.Tables, postgres) && placement.MayAnswer(placement.EngineInput{
		Asked: req.Engine, Setting: s.Spark.Engine, Place: req.Executor, Code: req.Code != "", Executor: out.Placement.Executor,
	})
	return out, nil
}

// expected is what it takes at most to read all of the tables at a place: in
// AWS what the receipt of such a run would expect.
func expected(catalog *sparkwright.Catalog, executor string, bytes int64, rates map[string]receipt.Rate) sparkwright.Cost {
	if rate, paid := rates[executor]; paid {
		return receipt.ExpectAWS(readplan.Plan(catalog, nil, readplan.Options{Cores: max(1, rate.Cores)}), rate).Expected
	}
	if executor == placement.Connect {
		return sparkwright.Cost{Seconds: receipt.Whole(bytes)}
	}
	return sparkwright.Cost{}
}

// located is how a connection logs in; the zero value for what needs no login.
func (d *desk) located(ctx context.Context, connection string) sparkwright.Connection {
	if db, err := d.app.databases.Open(ctx, connection); err == nil {
		if at, ok := db.(supervisor.Located); ok {
			return at.Connection()
		}
	}
	return sparkwright.Connection{}
}

// Catalog implements api.Catalog.
func (d *desk) Catalog(ctx context.Context, connection string) (*sparkwright.Catalog, error) {
	db, err := d.app.databases.Open(ctx, connection)
	if err != nil {
		return nil, err
	}
	return db.Catalog(ctx)
}
