package eval

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/artifact"
	"github.com/sparkwright/sparkwright/internal/executor/connect"
	"github.com/sparkwright/sparkwright/internal/jobscript"
	"github.com/sparkwright/sparkwright/internal/readplan"
	"github.com/sparkwright/sparkwright/internal/source/postgres"
	"github.com/sparkwright/sparkwright/internal/testkit"
)

// spark is an Asker that carries out the generator's analysis as a run does:
// the rendered script on the managed Spark, reading PostgreSQL over JDBC.
type spark struct {
	server *Server
	exec   *connect.Executor
	direct *Direct // for the catalog
	gen    sparkwright.Generator
	dir    string
	count  atomic.Int64
}

func startSpark(t *testing.T, srv *Server, gen sparkwright.Generator) *spark {
	t.Helper()
	exec := connect.New(connect.Config{Runtime: testkit.Runtime(t), Master: "local[*]", DriverMemory: "2g", PoolSize: 2, Unconfined: true}) // reads PostgreSQL directly
	t.Cleanup(func() { exec.Close(context.Background()) })
	return &spark{server: srv, exec: exec, gen: gen, direct: &Direct{DB: srv.Databases}, dir: t.TempDir()}
}

// Ask implements Asker.
func (r *spark) Ask(ctx context.Context, q *Question) (*Reply, error) {
	catalog, err := r.direct.Catalog(ctx, q.Database)
	if err != nil {
		return nil, err
	}
	req := sparkwright.GenerateRequest{Question: q.Question, Instructions: q.Glossary(), Catalog: catalog}
	if len(q.Previous) > 0 {
		req.Previous = &sparkwright.Previous{Questions: slices.Clone(q.Previous)}
	}
	g, err := r.gen.Generate(ctx, req)
	if err != nil {
		return nil, err
	}
	out := &Reply{Declined: g.Declined}
	if g.Declined != nil {
		return out, nil
	}
	out.Understood, out.Code = g.Analysis.Understood, g.Analysis.Code
	m, err := r.run(ctx, q.Database, catalog, g.Analysis)
	if err == nil {
		out.Rows, err = rowsOf(ctx, m)
	}
	if sparkwright.ErrorCode(err) == sparkwright.CodeJobFailed {
		out.Failed, err = err.Error(), nil
	}
	return out, err
}

func (r *spark) run(ctx context.Context, database string, catalog *sparkwright.Catalog, analysis *sparkwright.Analysis) (*sparkwright.Manifest, error) {
	id := fmt.Sprintf("r_eval%d", r.count.Add(1))
	conn, cred, err := r.server.Login(ctx, database)
	if err != nil {
		return nil, err
	}
	url, err := postgres.JDBCURL(conn, "sparkwright/"+id)
	if err != nil {
		return nil, err
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
		return nil, err
	}
	h, err := r.exec.Submit(ctx, sparkwright.Job{
		Attempt:  sparkwright.Attempt{ID: spec.AttemptID, RunID: id, Number: 1, Script: script},
		Location: spec.Location,
		Secrets:  map[string]string{jobscript.UserEnv(0): cred.User, jobscript.PasswordEnv(0): cred.Password},
	})
	if err != nil {
		return nil, err
	}
	for {
		r.exec.Wait(ctx, h)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		outcome, err := r.exec.Poll(ctx, h, silent{})
		switch {
		case err != nil:
			return nil, err
		case outcome.State == sparkwright.AttemptSucceeded:
			return artifact.Load(spec.Location, spec.RunID, spec.AttemptID)
		case outcome.State.Final():
			return nil, sparkwright.Errorf(sparkwright.CodeJobFailed, "%s: %s", outcome.Fault.Class, outcome.Fault.Message)
		}
	}
}

// rowsOf reads every row of a result; numbers keep their digits.
func rowsOf(ctx context.Context, m *sparkwright.Manifest) (rows [][]any, err error) {
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
	return rows, err
}

// silent is a Sink for output that nobody reads.
type silent struct{}

func (silent) Log(string, string)            {}
func (silent) Progress(sparkwright.Progress) {}
