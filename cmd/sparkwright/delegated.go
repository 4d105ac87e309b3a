package main

import (
	"bytes"
	"context"
	"encoding/json"
	"path"
	"strings"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/agentcore"
	"github.com/sparkwright/sparkwright/internal/artifact"
	"github.com/sparkwright/sparkwright/internal/jobscript"
	"github.com/sparkwright/sparkwright/internal/session"
	"github.com/sparkwright/sparkwright/internal/supervisor"
)

// agentPlace is the place of runs that an agent carries out.
const agentPlace = "agentcore"

// delegations has the runs of the agent of spark.supervisor_arn among this
// server's own.
type delegations struct {
	runs     *supervisor.Service
	sessions *session.Service
	load     func(location, runID, attemptID string) (*sparkwright.Manifest, error) // of results in S3
	arn      string
}

var _ agentcore.History = (*delegations)(nil)

// delegatedResult is the result object of an agent: the reference's, with what an agent
// of ours adds.
type delegatedResult struct {
	Code       string                `json:"spark_code"`
	Outcome    string                `json:"execution_result"`
	Message    string                `json:"execution_message"`
	Output     []string              `json:"execution_output"`
	Rows       []json.RawMessage     `json:"actual_results"`
	Location   string                `json:"s3_output_path"`
	RunID      string                `json:"run_id"`
	RowCount   int64                 `json:"row_count"`
	Understood string                `json:"understood"`
	Declined   *sparkwright.Declined `json:"declined"`
	Fault      *sparkwright.Fault    `json:"fault"`
}

// Carry implements agentcore.History.
func (d *delegations) Carry(ctx context.Context, h agentcore.Handed, carry func(ctx context.Context) (json.RawMessage, error)) (json.RawMessage, error) {
	sess, err := d.sessions.Open(ctx, "", h.Session)
	if err != nil {
		return nil, err
	}
	req := sparkwright.Request{Question: h.Question, Session: sess.ID, User: sess.User, Tables: h.Tables, OutputPath: h.OutputPath}
	if req.Code = h.Code; h.Code != "" {
		if analysis, ours := jobscript.Extract(h.Code); ours {
			req.Code, req.Tables = analysis, jobscript.Tables(h.Code)
		}
	}
	to := sparkwright.Placement{Executor: agentPlace, Application: d.arn, OutputPath: h.OutputPath, Reason: "handed to the agent of spark.supervisor_arn"}
	type outcome struct {
		result json.RawMessage
		err    error
	}
	done := make(chan outcome, 1)
	go func() { // the run outlives a client that leaves
		var out outcome
		run, err := d.runs.Delegate(ctx, req, to, func(ctx context.Context, run *sparkwright.Run) (*supervisor.Delegated, error) {
			if out.result, out.err = carry(ctx); out.err != nil {
				return nil, out.err
			}
			return d.told(run, out.result)
		})
		if out.err == nil {
			out.err = err
		}
		if out.err == nil {
			out.result, out.err = renamed(out.result, run.ID)
		}
		done <- out
	}()
	select {
	case out := <-done:
		return out.result, out.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// told is what the agent's result says.
func (d *delegations) told(run *sparkwright.Run, result json.RawMessage) (*supervisor.Delegated, error) {
	var r delegatedResult
	if err := json.Unmarshal(result, &r); err != nil {
		return nil, sparkwright.Errorf(sparkwright.CodeJobFailed, "the agent's result cannot be read: %w", err)
	}
	out := &supervisor.Delegated{Script: r.Code, Analysis: r.Code, Understood: r.Understood, Output: strings.Join(r.Output, "\n"), Declined: r.Declined}
	if analysis, ours := jobscript.Extract(r.Code); ours {
		out.Analysis = analysis
	}
	if run.Placement.OutputPath == "" {
		run.Placement.OutputPath = r.Location
	}
	switch {
	case r.Outcome == "success":
		out.Result = d.manifest(&r)
	case r.Declined != nil:
	case r.Fault != nil:
		out.Fault = r.Fault
	default:
		out.Fault = &sparkwright.Fault{Kind: sparkwright.FaultInfrastructure, Class: "AGENT_FAILED", Message: "the agent has not carried out the run", Because: r.Message}
	}
	return out, nil
}

// manifest is that of the agent's run where S3 shows it, else what the result
// object has of it: the first rows and where all are.
func (d *delegations) manifest(r *delegatedResult) *sparkwright.Manifest {
	attempt := r.RunID + "-" + path.Base(r.Location)
	if artifact.IsS3(r.Location) && r.RunID != "" {
		if m, err := d.load(r.Location, r.RunID, attempt); err == nil {
			return m
		}
	}
	m := &sparkwright.Manifest{Version: 1, RunID: r.RunID, AttemptID: attempt, Location: r.Location, RowCount: max(r.RowCount, int64(len(r.Rows)))}
	for _, row := range r.Rows {
		names, values, err := ordered(row)
		if err != nil {
			return m
		}
		if len(m.Schema) == 0 {
			for _, name := range names {
				m.Schema = append(m.Schema, sparkwright.ResultColumn{Name: name})
			}
		}
		m.Preview = append(m.Preview, values)
	}
	m.Truncated = m.RowCount > int64(len(m.Preview))
	return m
}

// ordered takes a JSON object apart in the order in which it is written.
func ordered(row json.RawMessage) (names []string, values []sparkwright.PreviewValue, err error) {
	dec := json.NewDecoder(bytes.NewReader(row))
	if _, err = dec.Token(); err != nil {
		return nil, nil, err
	}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return nil, nil, err
		}
		var value json.RawMessage
		if err = dec.Decode(&value); err != nil {
			return nil, nil, err
		}
		text, _ := name.(string)
		names, values = append(names, text), append(values, value)
	}
	return names, values, nil
}

// renamed is a result object with the run as this server knows it; the agent's
// own id stays beside it.
func renamed(result json.RawMessage, runID string) (json.RawMessage, error) {
	var object map[string]json.RawMessage
	if err := json.Unmarshal(result, &object); err != nil {
		return nil, err
	}
	id, err := json.Marshal(runID)
	if err != nil {
		return nil, err
	}
	if own := object["run_id"]; own != nil {
		object["agent_run_id"] = own
	}
	object["run_id"] = id
	return json.Marshal(object)
}
