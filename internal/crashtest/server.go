package crashtest

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/artifact"
	"github.com/sparkwright/sparkwright/internal/check"
	"github.com/sparkwright/sparkwright/internal/codegen"
	"github.com/sparkwright/sparkwright/internal/failpoint"
	"github.com/sparkwright/sparkwright/internal/placement"
	"github.com/sparkwright/sparkwright/internal/store"
	"github.com/sparkwright/sparkwright/internal/supervisor"
)

// Setup says what a server process works on.
type Setup struct {
	Dir      string        `json:"dir"`      // of the world
	Database string        `json:"database"` // path or URL
	Name     string        `json:"name"`     // of this process, in the ledger
	JobTime  time.Duration `json:"job_time"`
}

// Ask is one request to a server process, and Reply its answer.
type (
	// Ask submits a request under its idempotency key, cancels a run, or
	// approves the code of one.
	Ask struct {
		Request  sparkwright.Request `json:"request"`
		Cancel   string              `json:"cancel,omitempty"`
		Approve  string              `json:"approve,omitempty"`
		CodeHash string              `json:"code_hash,omitempty"`
	}
	// Reply acknowledges an Ask.
	Reply struct {
		Key   string `json:"key"`
		RunID string `json:"run_id"`
		Error string `json:"error,omitempty"`
	}
)

// Config is that of the real service over a played world.
func Config(st *store.Store, w *World) supervisor.Config {
	return supervisor.Config{
		Varying: supervisor.Varying{
			Generator: w, GeneratorName: "played", LoadResult: artifact.Load, Place: place,
			Executors: map[string]sparkwright.Executor{cloudName: Cloud{w}, placement.Connect: w.Local()},
			Limits:    supervisor.Limits{Repairs: 3, Losses: 1000, Retries: 2},
		},
		Store: st, Databases: w,
		CheckClient: func(context.Context, string) (check.Client, error) { return Checker{}, nil },
		ViewsOf:     codegen.Views, NewID: store.NewRunID,
		Explain: func(*sparkwright.Fault) {}, Nearest: func(string, []string, int) []string { return nil },
		ResultsDir: filepath.Join(w.Dir, "results"), PreviewRows: 10, Cores: 2, PlaceReason: "here",
		Timing: supervisor.Timing{
			Beat: 300 * time.Millisecond, Silence: 3 * time.Second, Look: 500 * time.Millisecond,
			Fetch: 50 * time.Millisecond, Slice: 200 * time.Millisecond, Backoff: 20 * time.Millisecond,
		},
		Failpoint: failpoint.FromEnv(), Log: slog.New(slog.DiscardHandler),
	}
}

// place takes the request at its word.
func place(in placement.Input) (sparkwright.Placement, error) {
	p := sparkwright.Placement{Executor: placement.Connect, Reason: "here"}
	if in.Asked == "cloud" {
		p.Executor = cloudName
	}
	return p, nil
}

// Serve is a server process: it reads an Ask a line and writes a Reply a line,
// after a first line that says that it is ready.
func Serve(ctx context.Context, setup Setup, in io.Reader, out io.Writer) error {
	st, err := store.Open(ctx, setup.Database)
	if err != nil {
		return err
	}
	defer st.Close() //nolint:errcheck // nothing is lost
	svc := supervisor.New(Config(st, &World{Dir: setup.Dir, Server: setup.Name, JobTime: setup.JobTime}))
	if err = svc.Start(ctx); err != nil {
		return err
	}
	if _, err = fmt.Fprintln(out, `{"key":"ready"}`); err != nil {
		return err
	}
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		var ask Ask
		if err = json.Unmarshal(lines.Bytes(), &ask); err != nil {
			return err
		}
		reply := Reply{Key: ask.Request.IdempotencyKey}
		var run *sparkwright.Run
		switch {
		case ask.Cancel != "":
			reply.Key = "cancel " + ask.Cancel
			run, err = svc.Cancel(ctx, ask.Cancel)
		case ask.Approve != "":
			reply.Key = "approve " + ask.Approve
			run, err = svc.Decide(ctx, ask.Approve, sparkwright.Decision{Approve: true, CodeHash: ask.CodeHash})
		default:
			run, err = svc.Submit(ctx, ask.Request)
		}
		if err != nil {
			reply.Error = err.Error()
		} else {
			reply.RunID = run.ID
		}
		text, err := json.Marshal(reply)
		if err != nil {
			return err
		}
		if _, err = fmt.Fprintf(out, "%s\n", text); err != nil {
			return err
		}
	}
	return svc.Close(ctx)
}
