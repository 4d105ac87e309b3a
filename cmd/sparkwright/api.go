package main

import (
	"context"
	"errors"
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
	"github.com/sparkwright/sparkwright/internal/secret"
	"github.com/sparkwright/sparkwright/internal/server/api"
	"github.com/sparkwright/sparkwright/internal/settings"
	"github.com/sparkwright/sparkwright/internal/source/postgres"
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

// Connections implements api.Connections.
func (d *desk) Connections(ctx context.Context) ([]api.Connection, error) {
	s, err := d.app.databases.configuration.Load() //nolint:contextcheck // it has a time limit of its own
	if err != nil {
		return nil, err
	}
	var out []api.Connection
	seen := map[string]bool{}
	for i := range s.Postgres.Connections {
		c := &s.Postgres.Connections[i]
		if !seen[c.Name] {
			seen[c.Name] = true
			if !access.MayUse(ctx, c.Owner) && !access.MayChange(ctx, c.Owner) {
				continue
			}
			out = append(out, wireConnection(c))
		}
	}
	if !seen[demoName] && demoInstalled(d.app.home) {
		out = append(out, api.Connection{Name: demoName, Description: "the demo data; its PostgreSQL starts when it is asked", Enabled: true, HasSecret: true, Demo: true})
	}
	return out, nil
}

func wireConnection(c *settings.Connection) api.Connection {
	w := c.Domain()
	return api.Connection{
		Name: c.Name, Description: c.Description, Enabled: c.Enabled, Host: w.Host, Port: w.Port, Database: w.Database, User: w.User,
		AuthMethod: w.AuthMethod, TLS: w.TLS, RootCert: w.RootCert, HasSecret: w.Secret != "",
	}
}

// meant is the connection that a client describes. References to this
// machine's environment and files are for those who can log in to it: a client
// of the API could have their content sent to a host of its own.
func meant(ctx context.Context, change *api.ConnectionChange, private bool) (sparkwright.Connection, error) {
	c := sparkwright.Connection{
		Name: change.Name, Host: change.Host, Port: change.Port, Database: change.Database, User: change.User, Secret: change.Secret,
		AuthMethod: sparkwright.AuthMethod(change.AuthMethod), TLS: sparkwright.TLSMode(change.TLS), RootCert: change.RootCert,
	}
	if c.Secret != "" && !strings.HasPrefix(c.Secret, "aws-sm:") {
		return c, &sparkwright.Error{
			Code: sparkwright.CodeUnauthorized, Message: "a secret of this machine cannot be named over HTTP",
			Remedy: "send the password itself, or aws-sm:ARN, or use sparkwright connections add on the machine",
		}
	}
	if !access.MayChange(ctx, "") {
		// A path of this machine, or a login of this server that would be sent to a
		// host of the client's: only what the client brings along is taken.
		if c.RootCert != "" || c.Secret != "" || c.AuthMethod != sparkwright.AuthUserPassword {
			return c, access.Denied(access.Admin)
		}
		c.Outside = !private
	}
	return c, postgres.Validate(c)
}

// PutConnection implements api.Connections.
func (d *desk) PutConnection(ctx context.Context, change api.ConnectionChange, mustBeNew bool) (*api.Connection, error) {
	c, err := meant(ctx, &change, false)
	if err != nil {
		return nil, err
	}
	access.Add(ctx, "connection "+c.Name)
	a := d.app
	var out api.Connection
	err = a.databases.configuration.Update(func(s *settings.Settings) error { //nolint:contextcheck // it has a time limit of its own
		old, unknown := s.Connection(c.Name)
		known := unknown == nil
		owner, denied := access.Ownership(ctx, c.Name, known, s.OwnerOf(c.Name))
		if denied != nil {
			return denied
		}
		if known && mustBeNew {
			return &sparkwright.Error{Code: sparkwright.CodeConflict, Message: "there is a connection named " + c.Name, Remedy: "replace it with PUT"}
		}
		switch {
		case change.Password != "":
			var failed error
			if c.Secret, failed = a.writeSecret(c.Name, change.Password); failed != nil {
				return failed
			}
		case c.Secret == "" && known && samePlace(old, c):
			c.Secret = old.Secret
		}
		if failed := s.PutConnection(c); failed != nil {
			return failed
		}
		s.Own(c.Name, owner)
		for i := range s.Postgres.Connections {
			if s.Postgres.Connections[i].Name == c.Name {
				out = wireConnection(&s.Postgres.Connections[i])
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}

// writeSecret keeps a secret in a file of its own and returns the reference.
func (a *app) writeSecret(name, value string) (string, error) {
	path := filepath.Join(a.home, "secrets", name)
	if err := secret.Write(path, []byte(value+"\n")); err != nil {
		return "", err
	}
	return "file:" + path, nil
}

// forgetSecret removes a file that writeSecret has made; any other reference
// is left alone.
func (a *app) forgetSecret(reference string) error {
	own := filepath.Join(a.home, "secrets") + string(filepath.Separator)
	path, ok := strings.CutPrefix(reference, "file:")
	if !ok || !strings.HasPrefix(path, own) {
		return nil
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return sparkwright.Errorf(sparkwright.CodeInternal, "a kept secret could not be removed: %w", err)
	}
	return nil
}

// DeleteConnection implements api.Connections.
func (d *desk) DeleteConnection(ctx context.Context, name string) error {
	reference := ""
	err := d.app.databases.configuration.Update(func(s *settings.Settings) error { //nolint:contextcheck // it has a time limit of its own
		c, err := s.Connection(name)
		if err != nil || !access.MayUse(ctx, s.OwnerOf(name)) && !access.MayChange(ctx, s.OwnerOf(name)) {
			return d.app.databases.absent(ctx, name)
		}
		if !access.MayChange(ctx, s.OwnerOf(name)) {
			return access.Denied(access.Admin)
		}
		reference = c.Secret
		return s.RemoveConnection(name)
	})
	if err != nil {
		return err
	}
	return d.app.forgetSecret(reference)
}

// TestConnection implements api.Connections.
func (d *desk) TestConnection(ctx context.Context, name string) (*api.ConnectionTest, error) {
	dbs := d.app.databases
	base, _, _ := strings.Cut(name, "/")
	if owner := dbs.conf().OwnerOf(base); !access.MayUse(ctx, owner) && !access.MayChange(ctx, owner) { //nolint:contextcheck // it has a time limit of its own
		return nil, dbs.absent(ctx, name)
	}
	dbs.mu.Lock()
	l, err := dbs.login(ctx, name)
	dbs.mu.Unlock()
	if err != nil {
		return nil, err
	}
	rep, err := postgres.Test(ctx, l.conn, l.cred)
	if err != nil {
		return nil, err
	}
	return connectionTest(rep), nil
}

func connectionTest(r *postgres.Report) *api.ConnectionTest {
	return &api.ConnectionTest{OK: true, Saw: r.Saw, Warnings: r.Warnings, CanWrite: r.CanWrite, Tables: r.Tables, Readable: r.Readable}
}

// samePlace reports whether a password goes to the same place as before.
func samePlace(old, now sparkwright.Connection) bool {
	return old.Host == now.Host && old.Port == now.Port
}

// TryConnection implements api.Connections.
func (d *desk) TryConnection(ctx context.Context, change api.ConnectionChange) (*api.ConnectionTest, error) {
	dbs := d.app.databases
	c, err := meant(ctx, &change, dbs.conf().Network.PrivateAddresses) //nolint:contextcheck // it has a time limit of its own
	if err != nil {
		return nil, err
	}
	cred := sparkwright.Credentials{User: c.User, Password: change.Password}
	if change.Password == "" {
		conf := dbs.conf() //nolint:contextcheck // it has a time limit of its own
		// A kept password is tried by those who may replace the connection.
		if old, e := conf.Connection(c.Name); e == nil && c.Secret == "" && samePlace(old, c) && access.MayChange(ctx, conf.OwnerOf(c.Name)) {
			c.Secret = old.Secret
		}
		if c, cred, err = dbs.secrets.Complete(ctx, c); err != nil {
			return nil, err
		}
	}
	rep, err := postgres.Test(ctx, c, cred)
	if err != nil {
		return nil, err
	}
	return connectionTest(rep), nil
}
