package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/artifact"
	"github.com/sparkwright/sparkwright/internal/check"
	"github.com/sparkwright/sparkwright/internal/codegen"
	"github.com/sparkwright/sparkwright/internal/diagnose"
	"github.com/sparkwright/sparkwright/internal/executor/batch"
	"github.com/sparkwright/sparkwright/internal/executor/connect"
	"github.com/sparkwright/sparkwright/internal/localruntime"
	"github.com/sparkwright/sparkwright/internal/model/openai"
	"github.com/sparkwright/sparkwright/internal/planner"
	"github.com/sparkwright/sparkwright/internal/secret"
	"github.com/sparkwright/sparkwright/internal/settings"
	"github.com/sparkwright/sparkwright/internal/source/postgres"
	"github.com/sparkwright/sparkwright/internal/store"
	"github.com/sparkwright/sparkwright/internal/supervisor"
)

// app holds what the commands share. Everything in it is made at first use
// and closed at the end.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	out            *printer
	json, quiet    bool
	log            *slog.Logger

	mu        sync.Mutex
	home      string
	settings  *settings.Settings
	store     *store.Store
	databases *databases
	connect   *connect.Executor
}

func newApp(stdin io.Reader, stdout, stderr io.Writer) *app {
	return &app{
		stdin: stdin, stdout: stdout, stderr: stderr, out: newPrinter(stderr),
		log: slog.New(slog.NewJSONHandler(stderr, &slog.HandlerOptions{Level: slog.LevelError})),
	}
}

// close stops what was started, also after a cancel.
func (a *app) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if a.connect != nil {
		a.connect.Close(ctx)
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
	s, err := store.Open(ctx, filepath.Join(a.home, "sparkwright.db"))
	if err != nil {
		return nil, err
	}
	a.store = s
	return s, nil
}

func (a *app) openDatabases() (*databases, error) {
	if a.databases != nil {
		return a.databases, nil
	}
	s, err := a.loadSettings()
	if err != nil {
		return nil, err
	}
	a.databases = &databases{
		home: a.home, settings: s, say: func(text string) { a.say("demo", text) },
		open: map[string]*database{}, extra: map[string]login{},
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
	dbs, err := a.openDatabases()
	if err != nil {
		return nil, err
	}
	rt, err := a.installRuntime(ctx)
	if err != nil {
		return nil, err
	}
	generator, name, err := a.generator(ctx)
	if err != nil {
		return nil, err
	}
	if err := checkLocation(s); err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	timeout := time.Duration(s.Spark.AttemptTimeoutSeconds) * time.Second
	a.connect = connect.New(connect.Config{
		Runtime: rt, Master: s.Spark.Master, Remote: s.Spark.Remote, DriverMemory: s.Spark.DriverMemory,
		ClientMemory: int64(s.Spark.ClientMemoryMB) << 20, PoolSize: s.Spark.PoolSize, Timeout: timeout,
	})
	submit := batch.New(batch.Config{Runtime: rt, Master: s.Spark.Master, DriverMemory: s.Spark.DriverMemory, Timeout: timeout})
	svc := supervisor.New(supervisor.Config{
		Store: st, Databases: dbs, Generator: generator, GeneratorName: name,
		Executors:   map[string]sparkwright.Executor{connect.Name: a.connect, batch.Name: submit},
		Warm:        func(ctx context.Context) { _ = a.connect.Warm(ctx) },
		CheckClient: func(ctx context.Context, runID string) (check.Client, error) { return a.connect.Client(ctx, runID) },
		ViewsOf:     codegen.Views, NewID: store.NewRunID,
		CheckSpace: func() error { return artifact.CheckSpace(s.ResultsDir(), int64(s.Results.MinFreeMB)<<20) },
		LoadResult: artifact.Load, Explain: diagnose.Explain, Nearest: postgres.Nearest,
		ResultsDir: s.ResultsDir(), PreviewRows: s.Spark.ResultPreviewRows, QuestionChars: s.Limits.QuestionChars,
		Cores: runtime.NumCPU(), PlaceReason: placeReason(s), Log: a.log,
	})
	return svc, svc.Reconcile(ctx)
}

// generator is the configured model, else the built-in planner.
func (a *app) generator(ctx context.Context) (sparkwright.Generator, string, error) {
	m := a.settings.Model
	if !m.Configured() {
		return planner.New(), "planner", nil
	}
	key := ""
	if m.APIKey != "" {
		cred, err := secret.Resolve(ctx, sparkwright.Connection{Name: "model", Secret: m.APIKey})
		if err != nil {
			return nil, "", err
		}
		key = cred.Password
	}
	model, err := openai.New(openai.Config{
		BaseURL: m.BaseURL, Model: m.Name, APIKey: key, Timeout: time.Duration(m.TimeoutSeconds) * time.Second,
	})
	if err != nil {
		return nil, "", err
	}
	return codegen.New(model), "model " + model.Name(), nil
}

// placeReason says why local Spark is the place, before the size is known.
func placeReason(s *settings.Settings) string {
	switch {
	case s.Spark.Remote != "":
		return "the Spark server of spark.remote, " + s.Spark.Remote
	case s.Spark.Master != "local[*]":
		return "spark.master " + s.Spark.Master
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

func isLocal(master string) bool {
	return master == "local" || len(master) > 6 && master[:6] == "local["
}
