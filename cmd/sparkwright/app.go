package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/agentcore"
	"github.com/sparkwright/sparkwright/internal/artifact"
	"github.com/sparkwright/sparkwright/internal/broker"
	"github.com/sparkwright/sparkwright/internal/check"
	"github.com/sparkwright/sparkwright/internal/codegen"
	"github.com/sparkwright/sparkwright/internal/crosscheck"
	"github.com/sparkwright/sparkwright/internal/diagnose"
	"github.com/sparkwright/sparkwright/internal/executor/batch"
	"github.com/sparkwright/sparkwright/internal/executor/connect"
	direct "github.com/sparkwright/sparkwright/internal/executor/postgres"
	"github.com/sparkwright/sparkwright/internal/failpoint"
	"github.com/sparkwright/sparkwright/internal/localruntime"
	"github.com/sparkwright/sparkwright/internal/placement"
	"github.com/sparkwright/sparkwright/internal/planner"
	"github.com/sparkwright/sparkwright/internal/reader"
	"github.com/sparkwright/sparkwright/internal/secret"
	"github.com/sparkwright/sparkwright/internal/settings"
	"github.com/sparkwright/sparkwright/internal/source/postgres"
	"github.com/sparkwright/sparkwright/internal/store"
	"github.com/sparkwright/sparkwright/internal/supervisor"
	"github.com/sparkwright/sparkwright/internal/upload"
)

// app holds what the commands share. Everything in it is made at first use
// and closed at the end.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	out            *printer
	json, quiet    bool
	rawCSV         bool // formulas in CSV stay as they are
	sandbox        sandboxFlag
	oneRun         bool   // a command that carries out one run, or a few, and ends
	databaseURL    string // --database-url
	log            *slog.Logger

	mu        sync.Mutex
	home      string
	settings  *settings.Settings
	store     *store.Store
	databases *databases
	connect   *connect.Executor
	agentOf   *agentcore.Delegate // of spark.supervisor_arn
	choice    choices             // what writes analyses
	varying   *varying
	broker    *broker.Broker
	reads     *reader.Reader
	ways      *broker.Ways
	runs      *supervisor.Service
	uploads   *upload.Store
	modules   modules

	measured measured // what eval puts between the generator and its model
}

func newApp(stdin io.Reader, stdout, stderr io.Writer) *app {
	return &app{
		stdin: stdin, stdout: stdout, stderr: stderr, out: newPrinter(stderr),
		log: slog.New(slog.NewJSONHandler(plainJSON{stderr}, &slog.HandlerOptions{Level: slog.LevelError, ReplaceAttr: noStack})),
	}
}

// noStack keeps stack traces from people who ask at a terminal; the log of a
// server has them.
func noStack(_ []string, attr slog.Attr) slog.Attr {
	if attr.Key == "stack" {
		return slog.Attr{}
	}
	return attr
}

// close stops what was started, also after a cancel.
func (a *app) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if a.runs != nil {
		_ = a.runs.Close(ctx) // what has not ended is ended with its executor
	}
	if a.connect != nil {
		a.connect.Close(ctx)
	}
	if a.broker != nil {
		a.broker.Close(ctx)
	}
	if a.databases != nil {
		a.databases.close(ctx)
	}
	if a.store != nil {
		_ = a.store.Close()
	}
}

// say tells of progress, unless it is not wanted.
func (a *app) say(label, text string) {
	if !a.quiet && !a.json {
		a.out.field(label, text)
	}
}

func (a *app) loadSettings() (*settings.Settings, error) {
	if a.settings != nil {
		return a.settings, nil
	}
	home, err := settings.Home()
	if err != nil {
		return nil, err
	}
	s, err := settings.Load(home)
	if err != nil {
		return nil, err
	}
	for _, w := range s.Warnings {
		a.say("warning", w)
	}
	a.home, a.settings = home, s
	return s, nil
}

func (a *app) openStore(ctx context.Context) (*store.Store, error) {
	if a.store != nil {
		return a.store, nil
	}
	if _, err := a.loadSettings(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(a.home, 0o700); err != nil {
		return nil, &sparkwright.Error{
			Code: sparkwright.CodeResource, Message: "the data directory cannot be made", Because: err.Error(),
			Remedy: "set SPARKWRIGHT_HOME to a directory that can be written", Err: err,
		}
	}
	where, err := a.database(ctx)
	if err != nil {
		return nil, err
	}
	s, err := store.Open(ctx, where)
	if err != nil {
		return nil, err
	}
	a.store = s
	return s, nil
}

// database is where runs are kept: a file of the data directory, or the
// PostgreSQL of --database-url or database.url.
func (a *app) database(ctx context.Context) (string, error) {
	where := a.databaseURL
	if where == "" {
		where = a.settings.Database.URL
	}
	if where == "" {
		return filepath.Join(a.home, "sparkwright.db"), nil
	}
	if store.IsURL(where) {
		return where, nil
	}
	cred, err := secret.Resolve(ctx, sparkwright.Connection{Name: "database.url", Secret: where})
	if err != nil {
		return "", err
	}
	if !store.IsURL(cred.Password) {
		return "", &sparkwright.Error{
			Code: sparkwright.CodeInvalid, Message: "the secret of database.url is no postgresql:// URL", Remedy: "store the whole URL in it",
		}
	}
	return cred.Password, nil
}

func (a *app) openDatabases(ctx context.Context) (*databases, error) {
	if a.databases != nil {
		return a.databases, nil
	}
	conf, err := a.configuration(ctx)
	if err != nil {
		return nil, err
	}
	s := a.settings
	if err = conf.apply(s); err != nil { //nolint:contextcheck // it has a time limit of its own
		return nil, err
	}
	a.databases = &databases{
		home: a.home, settings: s, configuration: conf, say: func(text string) { a.say("demo", text) },
		open: map[string]*database{}, extra: map[string]login{},
		secrets: secret.NewCache(time.Duration(s.Postgres.SecretCacheSeconds)*time.Second, nil),
	}
	return a.databases, nil
}

func (a *app) runtimeOptions() (localruntime.Options, error) {
	s, err := a.loadSettings()
	if err != nil {
		return localruntime.Options{}, err
	}
	return localruntime.Options{
		Home: a.home, Python: s.Runtime.Python, MavenURL: s.Runtime.MavenURL,
		Progress: func(text string) { a.say("runtime", text) },
	}, nil
}

// installRuntime makes the local runtime complete.
func (a *app) installRuntime(ctx context.Context) (*localruntime.Runtime, error) {
	opt, err := a.runtimeOptions()
	if err != nil {
		return nil, err
	}
	return localruntime.Install(ctx, opt)
}

// service wires the supervisor. The Spark server starts with its first use.
func (a *app) service(ctx context.Context) (*supervisor.Service, error) {
	s, err := a.loadSettings()
	if err != nil {
		return nil, err
	}
	st, err := a.openStore(ctx)
	if err != nil {
		return nil, err
	}
	dbs, err := a.openDatabases(ctx)
	if err != nil {
		return nil, err
	}
	rt, err := a.installRuntime(ctx)
	if err != nil {
		return nil, err
	}
	generator, name, err := a.generator(ctx, s)
	if err != nil {
		return nil, err
	}
	if err = checkLocation(s); err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.uploads = newUploads(a.home, s, dbs)
	timeout := time.Duration(s.Spark.AttemptTimeoutSeconds) * time.Second
	cfg := connect.Config{
		Runtime: rt, Master: s.Spark.Master, Remote: s.Spark.Remote, DriverMemory: s.Spark.DriverMemory,
		ClientMemory: int64(s.Spark.ClientMemoryMB) << 20, PoolSize: s.Spark.PoolSize, Timeout: timeout,
		Unconfined: a.sandbox.off, ResultsDir: s.ResultsDir(),
	}
	if cfg.Sockets, err = a.sockets(ctx, s); err != nil {
		return nil, err
	}
	if a.oneRun && s.Spark.KeepWarmSeconds > 0 { // commands share a server; serve has its own
		cfg.KeepDir, cfg.KeepIdle = sparkDir(a.home), time.Duration(s.Spark.KeepWarmSeconds)*time.Second
	}
	if a.oneRun {
		cfg.PoolSize, cfg.NoRefill = min(1, cfg.PoolSize), true
	}
	a.connect = connect.New(cfg)
	submit := batch.New(batch.Config{
		Runtime: rt, Master: s.Spark.Master, DriverMemory: s.Spark.DriverMemory, Timeout: timeout, Unconfined: a.sandbox.off, Sockets: cfg.Sockets,
	})
	reads := a.reader(s, dbs, cfg.Sockets)
	a.varying, err = a.newVarying(ctx, s, st, a.uploads, supervisor.Varying{
		Generator: generator, GeneratorName: name,
		Executors: map[string]sparkwright.Executor{
			connect.Name: a.connect, batch.Name: submit,
			direct.Name: direct.New(direct.Config{Ways: a.ways, Timeout: timeout, PreviewRows: s.Spark.ResultPreviewRows}),
		},
	})
	if err != nil {
		return nil, err
	}
	svc := supervisor.New(supervisor.Config{
		Varying: *a.varying.now(), Now: a.varying.now, Store: st, Databases: dbs, Reaped: dbs.saved, Definitions: a.defined, //nolint:contextcheck // it looks with a context of its own
		CheckClient: func(ctx context.Context, runID string) (check.Client, error) { return a.connect.Client(ctx, runID) },
		Reader:      reads, Readings: planner.New(),
		ViewsOf: codegen.Views, NewID: store.NewRunID,
		CheckSpace: func() error { return artifact.CheckSpace(s.ResultsDir(), int64(s.Results.MinFreeMB)<<20) },
		Explain:    diagnose.Explain, Nearest: postgres.Nearest,
		ResultsDir: s.ResultsDir(), PreviewRows: s.Spark.ResultPreviewRows,
		Failpoint: failpoint.FromEnv(),

		Cores: runtime.NumCPU(), PlaceReason: placeReason(s), Log: a.log,
	})
	a.runs = svc
	return svc, svc.Reconcile(ctx)
}

// house is what is kept, and for how long. Sessions and uploads of which no
// run is left go with the runs.
func house(home string, s *settings.Settings, st *store.Store, uploads *upload.Store) supervisor.House {
	age := time.Duration(s.Results.KeepDays) * 24 * time.Hour
	h := supervisor.House{Age: age, Bytes: int64(s.Results.KeepMB) << 20}
	h.Also = func(ctx context.Context) error {
		err := copies(home, s).Sweep(24 * time.Hour)
		if age == 0 {
			return err
		}
		_, failed := st.ForgetSessions(ctx, time.Now().Add(-age))
		return errors.Join(err, failed, uploads.Sweep(ctx, 24*time.Hour, st.Handles))
	}
	return h
}

// limits are those of the settings.
func limits(s *settings.Settings) supervisor.Limits {
	return supervisor.Limits{
		QuestionChars: s.Limits.QuestionChars, Queue: s.Limits.QueueLength, SessionRuns: s.Limits.SessionRuns,
		Attempts: map[string]int{
			placement.Connect: s.Limits.ConnectRuns, placement.Batch: s.Limits.BatchRuns, placement.Postgres: s.Limits.ConnectRuns,
			placement.EMR: s.Limits.EMRRuns, placement.Lambda: s.Limits.LambdaRuns,
		},
		ResultBytes: int64(s.Limits.ResultMB) << 20, Repairs: s.Spark.MaxRetries, Retries: 2, Losses: 3,
		RunTokens: s.Limits.RunTokens, RunTime: time.Duration(s.Limits.RunSeconds) * time.Second,
		RunCents: s.Limits.RunCents, DayTokens: s.Limits.DayTokens,
	}
}

// reader goes through the broker, which Spark on other machines cannot reach.
func (a *app) reader(s *settings.Settings, dbs *databases, sockets string) *reader.Reader {
	local := s.Spark.Remote == "" && isLocal(s.Spark.Master)
	a.broker = broker.NewInside(a.log, sockets)
	go broker.Warm()
	a.ways = &broker.Ways{Broker: a.broker, Login: dbs.config, Explain: dbs.explain, Limits: broker.Limits{
		Rows: int64(s.Limits.RunReadRows), Bytes: int64(s.Limits.RunReadMB) << 20, StatementTimeout: time.Duration(s.Limits.StatementTime) * time.Second,
		Guard: broker.Guard{
			Refuse: s.Limits.Guard == "refuse", Lag: time.Duration(s.Limits.GuardLag) * time.Second,
			Transaction: time.Duration(s.Limits.GuardOpen) * time.Minute, Active: s.Limits.GuardActive,
		},
	}}
	a.reads = reader.New(reader.Config{
		Ways:  a.ways,
		Local: map[string]bool{placement.Connect: local, placement.Batch: local}, Translate: a.connect.Translate, Direct: a.connect.Direct, Plan: a.connect.Plan,
		Sandbox: map[string]sparkwright.SandboxState{placement.Connect: a.sandbox.state(), placement.Batch: a.sandbox.state()},
		Rows: func(ctx context.Context, m *sparkwright.Manifest, each func([]json.RawMessage) error) error {
			return artifact.RowsFrom(ctx, m, a.openPart, each)
		}, Limits: a.checkLimits, Cores: runtime.NumCPU(), Log: a.log,
	})
	return a.reads
}

// checkLimits are those of the cross-check, by the settings that are in force.
func (a *app) checkLimits() crosscheck.Limits {
	s := a.varying.settingsNow()
	return crosscheck.Limits{Cost: float64(s.Limits.CheckCost), Time: time.Duration(s.Limits.CheckSeconds) * time.Second}
}

// placeReason says why local Spark is the place, before the size is known.
func placeReason(s *settings.Settings) string {
	switch {
	case s.Spark.Remote != "":
		return "the Spark server of spark.remote, " + s.Spark.Remote
	case s.Spark.Master != "local[*]":
		return "spark.master " + s.Spark.Master
	case placementSettings(s).Configured():
		return "local Spark"
	default:
		return "local Spark: nothing of AWS is configured"
	}
}

// checkLocation refuses result locations that the cluster and this process do
// not both see.
func checkLocation(s *settings.Settings) error {
	elsewhere := s.Spark.Remote != "" || (s.Spark.Master != "" && !isLocal(s.Spark.Master))
	if elsewhere && s.Results.Dir == "" {
		return &sparkwright.Error{
			Code: sparkwright.CodeInvalid, Message: "a Spark cluster needs a result location that it shares with this machine",
			Because: fmt.Sprintf("spark.master is %q, spark.remote is %q, and results.dir is not set", s.Spark.Master, s.Spark.Remote),
			Remedy:  "set results.dir to a directory that is mounted at the same path here and on every worker; PostgreSQL must be reachable from the workers too",
		}
	}
	return nil
}

// sparkDir is where commands find the Spark server that they share.
func sparkDir(home string) string { return filepath.Join(home, "spark") }

func isLocal(master string) bool {
	return master == "local" || len(master) > 6 && master[:6] == "local["
}
