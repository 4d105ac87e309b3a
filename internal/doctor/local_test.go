package doctor_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/doctor"
	"github.com/sparkwright/sparkwright/internal/localruntime"
	"github.com/sparkwright/sparkwright/internal/model/modeltest"
	"github.com/sparkwright/sparkwright/internal/model/openai/openaitest"
	"github.com/sparkwright/sparkwright/internal/settings"
	"github.com/sparkwright/sparkwright/internal/testkit"
)

// local is a machine that is well: the tests' runtime, one connection, a port
// that is free.
func local(t *testing.T) doctor.Config {
	t.Helper()
	c, password := owner(t, server, "postgres")
	cfg := config(t, c, password)
	cfg.Login = nil                                         // this is about the machine
	cfg.Settings.Runtime.Python = testkit.Runtime(t).Python // starts sooner than one behind a version manager
	if err := os.Symlink(filepath.Join(testkit.Home(t), "runtime"), filepath.Join(cfg.Home, "runtime")); err != nil {
		t.Fatal(err)
	}
	inspect(&cfg, os.Getenv)
	cfg.Port = closedPort(t)
	return cfg
}

func inspect(cfg *doctor.Config, getenv func(string) string) {
	opt := localruntime.Options{Home: cfg.Home, Getenv: getenv}
	cfg.Inspect = func(ctx context.Context) (*localruntime.Status, error) { return localruntime.Inspect(ctx, opt) }
}

// program writes a shell script.
func program(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

// The table of seeded faults of this machine, of the settings and of the model.
func TestFaultsHere(t *testing.T) { //nolint:tparallel // each starts Java and Python
	t.Parallel()
	testkit.Runtime(t)
	well := local(t)
	r := doctor.Run(t.Context(), doctor.Checks(well))
	for _, f := range r.Findings {
		if f.Level != doctor.OK && f.ID != "local.memory" && f.ID != "local.sandbox" { // both depend on the machine of the tests
			t.Errorf("%s is %s: %s (%s)", f.ID, f.Level, f.Message, f.Because)
		}
	}
	tests := []struct {
		id    string
		level doctor.Level
		says  string // in the fixes
		brk   func(t *testing.T, cfg *doctor.Config)
	}{
		{"settings.file", doctor.Fail, "correct the key", func(t *testing.T, cfg *doctor.Config) {
			write(t, cfg.Home, `{"spark": {"pool_size": "many"}}`)
			if _, cfg.Error = settings.Load(cfg.Home); cfg.Error == nil {
				t.Error("the settings are read")
			}
		}},
		{"settings.file", doctor.Warn, "correct or remove", func(t *testing.T, cfg *doctor.Config) {
			write(t, cfg.Home, `{"spark": {"pool_sise": 2}}`)
			kept := cfg.Settings.Connections()[0]
			cfg.Settings = load(t, cfg.Home)
			if err := cfg.Settings.PutConnection(kept); err != nil {
				t.Error(err)
			}
		}},
		{"settings.connections", doctor.Warn, "connections add", func(t *testing.T, cfg *doctor.Config) { cfg.Settings = load(t, t.TempDir()) }},
		{"local.java", doctor.Fail, "Java 17", func(t *testing.T, cfg *doctor.Config) {
			home := t.TempDir()
			program(t, filepath.Join(home, "bin", "java"), `echo 'openjdk version "11.0.2" 2019-01-15' >&2`)
			inspect(cfg, func(name string) string {
				if name == "JAVA_HOME" {
					return home
				}
				return os.Getenv(name)
			})
		}},
		{"local.python", doctor.Fail, "runtime.python", func(t *testing.T, cfg *doctor.Config) {
			cfg.Settings.Runtime.Python = program(t, filepath.Join(t.TempDir(), "python3"), "echo 3.9")
		}},
		{"local.runtime", doctor.Warn, "runtime install", func(t *testing.T, cfg *doctor.Config) {
			cfg.Home = t.TempDir()
			inspect(cfg, os.Getenv)
		}},
		{"local.disk", doctor.Fail, "results.dir", func(_ *testing.T, cfg *doctor.Config) { cfg.Settings.Results.MinFreeMB = 1 << 40 }},
		{"local.memory", doctor.Warn, "driver_memory", func(t *testing.T, cfg *doctor.Config) {
			if runtime.GOOS != "linux" {
				t.Skip("only Linux tells its free memory")
			}
			cfg.Settings.Spark.DriverMemory = "100000g"
		}},
		{"local.port", doctor.Warn, "--port", func(t *testing.T, cfg *doctor.Config) {
			l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", cfg.Port))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = l.Close() })
		}},
		{"model.answers", doctor.Fail, "OPENAI_API_KEY", func(t *testing.T, cfg *doctor.Config) {
			var err error
			if cfg.Model, err = adapters["openai"].open(modeltest.New(t, openaitest.Dialect{}, modeltest.Status(401, nil, "no")).URL); err != nil {
				t.Error(err)
			}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.id+" "+string(tt.level), func(t *testing.T) {
			cfg := local(t)
			tt.brk(t, &cfg)
			f := wantOnly(t, doctor.Run(t.Context(), doctor.Checks(cfg)), tt.id, tt.level)
			var fixes strings.Builder
			for _, fix := range f.Fixes {
				fixes.WriteString(fix.Text + "\n")
			}
			if !strings.Contains(fixes.String(), tt.says) {
				t.Errorf("no %q in the fixes:\n%s", tt.says, fixes.String())
			}
		})
	}
}

func write(t *testing.T, home, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(home, settings.FileName), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// --fix installs the local runtime: here by a link to the one of the tests,
// that Inspect then looks at as at any other.
func TestInstallRepair(t *testing.T) {
	t.Parallel()
	testkit.Runtime(t)
	cfg := local(t)
	cfg.Home = t.TempDir()
	inspect(&cfg, os.Getenv)
	cfg.Install = func(context.Context) error {
		return os.Symlink(filepath.Join(testkit.Home(t), "runtime"), filepath.Join(cfg.Home, "runtime"))
	}
	before := doctor.Run(t.Context(), doctor.Checks(cfg))
	wantOnly(t, before, "local.runtime", doctor.Warn)
	if _, err := doctor.Mend(t.Context(), doctor.Checks(cfg), before, func(f doctor.Finding, _ string) bool { return f.ID == "local.runtime" }); err != nil {
		t.Fatal(err)
	}
	if f := finding(t, doctor.Run(t.Context(), doctor.Checks(cfg)), "local.runtime"); f.Level != doctor.OK {
		t.Errorf("after its repair: %+v", f)
	}
}

// A good look is believed while it is young; a bad one only where nothing
// depends on it. What runs take of PostgreSQL's connections is given back.
func TestCache(t *testing.T) {
	t.Parallel()
	now, looks, level := time.Now(), 0, doctor.OK
	check := doctor.Check{Info: doctor.Info{ID: "x", Cheap: true}, Run: func(context.Context) doctor.Finding {
		looks++
		return doctor.Finding{Level: level}
	}}
	cache := &doctor.Cache{Age: time.Minute, Now: func() time.Time { return now }, Checks: func(context.Context) ([]doctor.Check, error) { return []doctor.Check{check}, nil }}
	look := func(want int, what string) {
		t.Helper()
		if _, err := cache.Report(t.Context()); err != nil || looks != want {
			t.Errorf("%s: %d looks, want %d (%v)", what, looks, want, err)
		}
	}
	look(1, "the first")
	look(1, "a young good one")
	now = now.Add(2 * time.Minute)
	level = doctor.Fail
	look(2, "an old one")
	look(3, "a bad one")
	cache.Bad = true
	look(3, "a bad one that is believed")

	c, _ := shop(t, "sessions", "")
	cfg := config(t, c, "reader")
	for range 3 {
		doctor.Run(t.Context(), doctor.Only(doctor.Cheap(doctor.Checks(cfg)), "postgres.write"))
	}
	admin, password := owner(t, server, c.Database)
	waitFor(t, func() bool { return backends(t, admin, password, c.User) == 0 })
}

func backends(t *testing.T, c sparkwright.Connection, password, user string) (n int) {
	t.Helper()
	conn := open(t, c, password)
	if err := conn.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE usename = $1", user).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
