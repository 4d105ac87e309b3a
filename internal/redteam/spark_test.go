package redteam_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/artifact"
	"github.com/sparkwright/sparkwright/internal/broker"
	"github.com/sparkwright/sparkwright/internal/executor/connect"
	"github.com/sparkwright/sparkwright/internal/executortest"
	"github.com/sparkwright/sparkwright/internal/jobscript"
	"github.com/sparkwright/sparkwright/internal/readplan"
	"github.com/sparkwright/sparkwright/internal/sandbox"
	"github.com/sparkwright/sparkwright/internal/source/files"
	"github.com/sparkwright/sparkwright/internal/source/postgres"
	"github.com/sparkwright/sparkwright/internal/testkit"
)

const fewestSparkAttacks = 35

// Whatever an analysis asks Spark for, with the policy out of the way and by a
// database role that may do everything: nothing gets out, nothing is changed,
// and the run's own answer is right all the same.
func TestSpark(t *testing.T) {
	w, v := outside(t), newVictim(t)
	cfg, err := postgres.Config(v.conn, sparkwright.Credentials{User: v.conn.User, Password: v.password})
	if err != nil {
		t.Fatal(err)
	}
	sockets, err := sandbox.SocketDir(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	b := broker.NewInside(slog.New(slog.DiscardHandler), sockets)
	s, err := b.Begin(t.Context(), "r_red", "victim", &cfg.Config, broker.Limits{Tables: []sparkwright.Relation{{Schema: "public", Name: "orders"}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, e := b.End(context.WithoutCancel(t.Context()), "r_red"); e != nil {
			t.Error(e)
		}
	})
	before := v.state(t)
	e := connect.New(connect.Config{
		Runtime: testkit.Runtime(t), Master: "local[2]", DriverMemory: "1g", ClientMemory: 1 << 30, ResultsDir: filepath.Dir(w.Results), Sockets: sockets,
	})
	t.Cleanup(func() { e.Close(context.WithoutCancel(t.Context())) })
	h, err := e.Submit(t.Context(), sparkJob(t, w, v, s))
	if err != nil {
		t.Fatal(err)
	}
	sink := &executortest.Sink{}
	if out := executortest.Finish(t, e, h, sink); out.State != sparkwright.AttemptSucceeded {
		t.Fatalf("the run ended as %s: %+v\n%s", out.State, out.Fault, sink.Text())
	}
	m, err := artifact.Load(w.Results, "r_red", "r_red-1")
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Preview) < fewestSparkAttacks {
		t.Errorf("%d attacks were carried out, want %d", len(m.Preview), fewestSparkAttacks)
	}
	for _, row := range m.Preview {
		var name, got string
		if json.Unmarshal(row[0], &name) != nil || json.Unmarshal(row[1], &got) != nil {
			t.Fatalf("an unreadable row: %s", row)
		}
		if want, ok := map[string]string{"a plain read": "[Row(n=100)]", "a pickle that is real": "True"}[name]; ok {
			if got != want {
				t.Errorf("%s gives %s", name, got)
			}
			continue
		}
		if got != "" {
			t.Errorf("%s escapes: %s", name, got)
		}
	}
	if n := w.hits.Load(); n != 0 {
		t.Errorf("%d connections or packets came out", n)
	}
	if after := v.state(t); after != before {
		t.Errorf("changed:\n%s\n%s", before, after)
	}
	if text, err := os.ReadFile(filepath.Join(w.Other, "manifest.json")); err != nil || string(text) != canary {
		t.Errorf("the results of another run are %q, %v", text, err)
	}
}

// sparkJob carries out testdata/spark.py as the analysis of a run.
func sparkJob(t *testing.T, w *world, v *victim, s *broker.Session) sparkwright.Job {
	t.Helper()
	code, err := os.ReadFile("testdata/spark.py")
	if err != nil {
		t.Fatal(err)
	}
	// A file of the run's whose metadata has a pickle, for the client to load.
	const unpickled = "/tmp/unpickled"
	evil := filepath.Join(t.TempDir(), "evil.parquet")
	if err = os.WriteFile(evil, parquetOf(t, pickled(unpickled), "x"), 0o600); err != nil {
		t.Fatal(err)
	}
	table, err := files.Inspect(t.Context(), evil, files.Options{Name: "pickled"})
	if err != nil {
		t.Fatal(err)
	}
	catalog := &sparkwright.Catalog{Tables: []sparkwright.Table{table}}
	readplan.NameViews(catalog)
	facts, err := json.Marshal(map[string]any{
		"secret": w.Secret, "other": w.Other, "results": w.Results, "runtime": w.Runtime, "canary": canaryName, "tcp": w.TCP, "pid": w.PID,
		"url": s.JDBCURL(), "user": s.Login().User, "password": s.Login().Password,
		"real":  fmt.Sprintf("jdbc:postgresql://127.0.0.1:%d/postgres?user=%s&password=%s&sslmode=disable&connectTimeout=3", v.conn.Port, v.conn.User, v.password),
		"owned": canary, "evil": evil, "unpickled": unpickled, "pickle": string(pickled(unpickled)),
	})
	if err != nil {
		t.Fatal(err)
	}
	analysis := "WORLD = __import__('json').loads(" + strconv.Quote(string(facts)) + ")\n" + strings.TrimSpace(string(code))
	script, err := jobscript.Render(jobscript.Spec{RunID: "r_red", AttemptID: "r_red-1", Location: w.Results, Analysis: analysis, PreviewRows: 1000, Reads: readplan.Plan(catalog, nil, readplan.Options{})})
	if err != nil {
		t.Fatal(err)
	}
	return sparkwright.Job{Attempt: sparkwright.Attempt{ID: "r_red-1", RunID: "r_red", Number: 1, Script: script}, Location: w.Results, Files: []string{evil}}
}
