package crashtest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/artifact"
	"github.com/sparkwright/sparkwright/internal/attempts"
	"github.com/sparkwright/sparkwright/internal/supervisor"
)

// World is everything outside of the server, in a directory that outlives it.
type World struct {
	Dir     string
	Server  string        // name of the server process in the ledger
	JobTime time.Duration // of every job
}

// Entry is one line of the ledger.
type Entry struct {
	Server  string `json:"server"`
	What    string `json:"what"` // see the constants
	Subject string `json:"subject"`
	Again   bool   `json:"again,omitempty"`
}

// What the ledger knows.
const (
	ModelCalled = "model called" // subject: question and number of the revision
	Submitted   = "submitted"    // to the durable executor; subject: attempt
	Accepted    = "accepted"     // by it, as new
	Cancelled   = "cancelled"
	Started     = "started" // in the server's process
	Finished    = "finished"
)

// Note adds to the ledger. One write of one line is not torn by a kill.
func (w *World) Note(what, subject string, again bool) {
	line, err := json.Marshal(Entry{Server: w.Server, What: what, Subject: subject, Again: again})
	if err != nil {
		panic(err) // plain data
	}
	f, err := os.OpenFile(filepath.Join(w.Dir, "ledger"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err) // without a ledger the test says nothing
	}
	if _, err = f.Write(append(line, '\n')); err != nil {
		panic(err)
	}
	_ = f.Close()
}

// Ledger reads everything that was noted.
func (w *World) Ledger() ([]Entry, error) {
	text, err := os.ReadFile(filepath.Join(w.Dir, "ledger"))
	if err != nil {
		return nil, fmt.Errorf("read the ledger: %w", err)
	}
	var list []Entry
	for line := range strings.Lines(string(text)) {
		var e Entry
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			return nil, fmt.Errorf("read the ledger: %w", err)
		}
		list = append(list, e)
	}
	return list, nil
}

// writeResult leaves what a real job leaves: a part, and last the manifest.
func writeResult(location, runID, attemptID string) error {
	part := []byte("rows of " + runID)
	sum := sha256.Sum256(part)
	m := sparkwright.Manifest{
		Version: 1, RunID: runID, AttemptID: attemptID, Schema: []sparkwright.ResultColumn{{Name: "run", Type: "string"}}, RowCount: 1,
		Parts:   []sparkwright.Part{{Path: "part-0", Rows: 1, Bytes: int64(len(part)), SHA256: hex.EncodeToString(sum[:])}},
		Preview: [][]sparkwright.PreviewValue{{json.RawMessage(`"` + runID + `"`)}}, Location: location,
	}
	text, err := json.Marshal(m)
	if err == nil {
		err = artifact.WriteFile(filepath.Join(location, "part-0"), part)
	}
	if err == nil {
		err = artifact.WriteFile(filepath.Join(location, "manifest.tmp"), text)
	}
	if err == nil {
		err = os.Rename(filepath.Join(location, "manifest.tmp"), filepath.Join(location, "manifest.json"))
	}
	return err
}

// cloudName is Cloud's name in placements.
const cloudName = "cloud"

// Cloud is an executor whose jobs outlive the server: a job is a directory, and
// time alone finishes it.
type Cloud struct{ *World }

var _ sparkwright.DurableExecutor = Cloud{}

type cloudHandle struct {
	Attempt, Run, Location string
}

func (c Cloud) job(attempt string) string { return filepath.Join(c.Dir, "jobs", attempt) }

// Submit implements sparkwright.Executor.
func (c Cloud) Submit(_ context.Context, job sparkwright.Job) (sparkwright.Handle, error) {
	id := job.Attempt.ID
	c.Note(Submitted, id, job.Again)
	if err := os.MkdirAll(filepath.Join(c.Dir, "jobs"), 0o700); err != nil {
		return sparkwright.Handle{}, err
	}
	switch err := os.Mkdir(c.job(id), 0o700); {
	case err == nil:
		c.Note(Accepted, id, job.Again)
	case !errors.Is(err, fs.ErrExist):
		return sparkwright.Handle{}, err
	}
	data, err := json.Marshal(cloudHandle{Attempt: id, Run: job.Attempt.RunID, Location: job.Location})
	return sparkwright.Handle{Version: 1, Executor: cloudName, Data: data}, err
}

// Poll implements sparkwright.Executor.
func (c Cloud) Poll(_ context.Context, h sparkwright.Handle, sink sparkwright.Sink) (sparkwright.Outcome, error) {
	var d cloudHandle
	if err := json.Unmarshal(h.Data, &d); err != nil {
		return sparkwright.Outcome{}, err
	}
	info, err := os.Stat(c.job(d.Attempt))
	if err != nil {
		return sparkwright.Outcome{State: sparkwright.AttemptLost}, nil //nolint:nilerr // nothing is known of it
	}
	if _, err := os.Stat(filepath.Join(c.job(d.Attempt), "cancelled")); err == nil {
		f := &sparkwright.Fault{Kind: sparkwright.FaultCancelled, Class: "CANCELLED", Message: "cancelled"}
		return sparkwright.Outcome{State: sparkwright.AttemptCancelled, Fault: f}, nil
	}
	if time.Since(info.ModTime()) < c.JobTime {
		sink.Log("stdout", "working\n")
		return sparkwright.Outcome{State: sparkwright.AttemptRunning}, nil
	}
	return sparkwright.Outcome{State: sparkwright.AttemptSucceeded}, writeResult(d.Location, d.Run, d.Attempt)
}

// Wait implements sparkwright.Executor.
func (c Cloud) Wait(context.Context, sparkwright.Handle) {}

// Cancel implements sparkwright.Executor.
func (c Cloud) Cancel(_ context.Context, h sparkwright.Handle) error {
	var d cloudHandle
	if err := json.Unmarshal(h.Data, &d); err != nil {
		return err
	}
	c.Note(Cancelled, d.Attempt, false)
	return artifact.WriteFile(filepath.Join(c.job(d.Attempt), "cancelled"), nil)
}

// PollEvery implements sparkwright.DurableExecutor.
func (c Cloud) PollEvery() time.Duration { return 50 * time.Millisecond }

// Local is an executor whose jobs die with the server.
func (w *World) Local() sparkwright.Executor {
	return attempts.NewSet("connect", time.Minute, func(ctx context.Context, a *attempts.Attempt) *sparkwright.Fault {
		w.Note(Started, a.Attempt, false)
		a.Running()
		timer := time.NewTimer(w.JobTime)
		defer timer.Stop()
		select {
		case <-ctx.Done():
			return &sparkwright.Fault{Kind: sparkwright.FaultCancelled, Class: "CANCELLED", Message: "cancelled"}
		case <-timer.C:
		}
		if err := writeResult(a.Location, a.RunID, a.Attempt); err != nil {
			return &sparkwright.Fault{Kind: sparkwright.FaultInfrastructure, Class: "DISK", Message: err.Error()}
		}
		w.Note(Finished, a.Attempt, false)
		return nil
	})
}

// Generate implements sparkwright.Generator. A question with "faulty" in it
// gets code that does not pass its check at first.
func (w *World) Generate(_ context.Context, req sparkwright.GenerateRequest) (*sparkwright.GenerateReply, error) {
	code, number := "result = spark.table('t') # "+req.Question, 1
	if req.Repair != nil {
		number = 2
	} else if strings.Contains(req.Question, "faulty") {
		code += " FAULT"
	}
	w.Note(ModelCalled, fmt.Sprintf("%s/%d", req.Question, number), false)
	return &sparkwright.GenerateReply{
		Analysis: &sparkwright.Analysis{Code: code, Understood: req.Question, Views: []string{"t"}, Generator: "played"},
		Usage:    sparkwright.Usage{Calls: 1, InputTokens: 10, OutputTokens: 5},
	}, nil
}

// Checker finds the fault of the played generator.
type Checker struct{}

// Policy implements check.Client.
func (Checker) Policy(context.Context, string, []string) ([]sparkwright.Violation, error) {
	return nil, nil
}

// DryRun implements check.Client.
func (Checker) DryRun(_ context.Context, code string, _ []sparkwright.EmptyView) ([]sparkwright.ResultColumn, *sparkwright.Fault, error) {
	if strings.Contains(code, "FAULT") {
		return nil, &sparkwright.Fault{Kind: sparkwright.FaultCode, Class: "UNRESOLVED_COLUMN", Message: "no such column", Line: 1}, nil
	}
	return []sparkwright.ResultColumn{{Name: "run", Type: "string"}}, nil, nil
}

// Close implements check.Client.
func (Checker) Close(context.Context) {}

// Names implements supervisor.Databases.
func (w *World) Names(context.Context) ([]string, error) { return []string{"c"}, nil }

// Open implements supervisor.Databases.
func (w *World) Open(context.Context, string) (supervisor.Database, error) { return database{}, nil }

// database is one table of one column.
type database struct{}

// Catalog implements supervisor.Database.
func (database) Catalog(context.Context) (*sparkwright.Catalog, error) {
	return &sparkwright.Catalog{Tables: []sparkwright.Table{{
		Connection: "c", Database: "d", Schema: "public", Name: "t", Kind: sparkwright.KindTable, Readable: true, RowEstimate: 1, Bytes: 8192,
		Columns: []sparkwright.Column{{Name: "run", Type: "text", BaseType: "text"}},
	}}}, nil
}

// JDBCURL implements supervisor.Database.
func (database) JDBCURL(string) (string, error) { return "jdbc:postgresql://127.0.0.1:1/d", nil }

// Credentials implements supervisor.Database.
func (database) Credentials() sparkwright.Credentials { return sparkwright.Credentials{User: "u"} }

// CancelRun implements supervisor.Database.
func (database) CancelRun(context.Context, string) error { return nil }

// ProcessState is the state of a process on Linux: "T" when a signal has
// stopped it.
func ProcessState(pid int) string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	state, _, _ := strings.Cut(rest, " ")
	return state
}
