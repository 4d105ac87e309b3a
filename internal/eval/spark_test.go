package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/artifact"
	"github.com/sparkwright/sparkwright/internal/diagnose"
	"github.com/sparkwright/sparkwright/internal/executor/connect"
	"github.com/sparkwright/sparkwright/internal/jobscript"
	"github.com/sparkwright/sparkwright/internal/localruntime"
	"github.com/sparkwright/sparkwright/internal/readplan"
	"github.com/sparkwright/sparkwright/internal/settings"
	"github.com/sparkwright/sparkwright/internal/source/postgres"
)

// spark is a Runner that does what a run does: the rendered script on the
// managed Spark, reading PostgreSQL over JDBC.
type spark struct {
	server *server
	exec   *connect.Executor
	dir    string
	count  atomic.Int64
}

var _ Runner = (*spark)(nil)

// startSpark finds or installs the local runtime. Spark itself starts with the
// first question.
func startSpark(ctx context.Context, srv *server, dir string, progress func(string)) (*spark, error) {
	home, err := settings.Home()
	if err != nil {
		return nil, err
	}
	s, err := settings.Load(home)
	if err != nil {
		return nil, err
	}
	rt, err := localruntime.Install(ctx, localruntime.Options{
		Home: home, Python: s.Runtime.Python, MavenURL: s.Runtime.MavenURL, Progress: progress,
	})
	if err != nil {
		return nil, err
	}
	exec := connect.New(connect.Config{Runtime: rt, Master: "local[*]", DriverMemory: s.Spark.DriverMemory, PoolSize: 2})
	return &spark{server: srv, exec: exec, dir: dir}, nil
}

// Run implements Runner.
func (r *spark) Run(ctx context.Context, database string, catalog *sparkwright.Catalog, analysis *sparkwright.Analysis) ([]string, [][]any, error) {
	id := fmt.Sprintf("r_eval%d", r.count.Add(1))
	conn := r.server.srv.Connection()
	conn.Database = database
	url, err := postgres.JDBCURL(conn, "sparkwright/"+id)
	if err != nil {
		return nil, nil, err
	}
	reads := readplan.Plan(catalog, analysis.Views, readplan.Options{Cores: 2})
	spec := jobscript.Spec{
		RunID: id, AttemptID: id + "-1", Location: filepath.Join(r.dir, id), Analysis: analysis.Code, Reads: reads, PreviewRows: 100,
	}
	for _, name := range jobscript.ConnectionsOf(reads) {
		spec.Connections = append(spec.Connections, jobscript.Connection{Name: name, URL: url})
	}
	script, err := jobscript.Render(spec)
	if err != nil {
		return nil, nil, err
	}
	h, err := r.exec.Submit(ctx, sparkwright.Job{
		Attempt:  sparkwright.Attempt{ID: spec.AttemptID, RunID: id, Number: 1, Script: script},
		Location: spec.Location,
		Secrets:  map[string]string{jobscript.UserEnv(0): conn.User, jobscript.PasswordEnv(0): r.server.password},
	})
	if err != nil {
		return nil, nil, err
	}
	if err := r.await(ctx, h); err != nil {
		return nil, nil, err
	}
	return rowsOf(ctx, spec)
}

func (r *spark) await(ctx context.Context, h sparkwright.Handle) error {
	for {
		r.exec.Wait(ctx, h)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		out, err := r.exec.Poll(ctx, h, silent{})
		switch {
		case err != nil:
			return err
		case out.State == sparkwright.AttemptSucceeded:
			return nil
		case out.State.Final():
			diagnose.Explain(out.Fault)
			return sparkwright.Errorf(sparkwright.CodeJobFailed, "%s: %s", out.Fault.Class, out.Fault.Message)
		}
	}
}

// rowsOf reads every row of a result; numbers keep their digits.
func rowsOf(ctx context.Context, spec jobscript.Spec) (columns []string, rows [][]any, err error) {
	m, err := artifact.Load(spec.Location, spec.RunID, spec.AttemptID)
	if err != nil {
		return nil, nil, err
	}
	for _, c := range m.Schema {
		columns = append(columns, c.Name)
	}
	err = artifact.Rows(ctx, m, func(cells []json.RawMessage) error {
		row := make([]any, len(cells))
		for i, c := range cells {
			dec := json.NewDecoder(bytes.NewReader(c))
			dec.UseNumber()
			if e := dec.Decode(&row[i]); e != nil {
				return fmt.Errorf("decode a cell: %w", e)
			}
		}
		rows = append(rows, row)
		return nil
	})
	return columns, rows, err
}

func (r *spark) close(ctx context.Context) {
	r.exec.Close(ctx)
	_ = os.RemoveAll(r.dir)
}

// silent is a Sink for output that nobody reads.
type silent struct{}

func (silent) Log(string, string)            {}
func (silent) Progress(sparkwright.Progress) {}
