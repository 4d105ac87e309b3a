package server

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/jobscript"
	"github.com/sparkwright/sparkwright/internal/supervisor"
)

// generate is POST /spark/generate: a question about PostgreSQL tables.
func (s *server) generate(w http.ResponseWriter, r *http.Request) {
	b, ok := s.readBody(w, r)
	if !ok {
		return
	}
	prompt := b.text("prompt")
	session := sessionID(b.text("session_id"), "spark-session-")
	// In the order of the reference: problems are reported in it.
	_ = b.defaulted("framework", "spark")
	b.optional("s3_input_path")
	b.optional("s3_output_path")
	glue := b.records("selected_tables", "database", "table")
	selected := b.objects("selected_postgres_tables")
	platform := wanted(b.defaulted("execution_platform", "lambda"), b.defaulted("execution_engine", "auto"))
	if len(b.problems) > 0 {
		s.unprocessable(w, b.problems...)
		return
	}
	tables, err := tableNames(selected)
	if err == nil && glue > 0 {
		err = &sparkwright.Error{
			Code: sparkwright.CodeInvalid, Message: "Glue tables cannot be read here", Because: "nothing of AWS is configured",
			Remedy: "select PostgreSQL tables only",
		}
	}
	if err != nil {
		s.fail(w, err)
		return
	}
	run, err := s.cfg.Service.Ask(r.Context(), supervisor.Request{Question: prompt, Tables: tables})
	s.reply(w, run, err, session, platform)
}

// execute is POST /spark/execute: an analysis, or a script that we rendered.
func (s *server) execute(w http.ResponseWriter, r *http.Request) {
	b, ok := s.readBody(w, r)
	if !ok {
		return
	}
	code := b.text("spark_code")
	session := sessionID(b.text("session_id"), "spark-exec-")
	b.optional("s3_output_path")
	platform := wanted(b.defaulted("execution_platform", "lambda"), b.defaulted("execution_engine", "auto"))
	selected := b.objects("selected_postgres_tables")
	if len(b.problems) > 0 {
		s.unprocessable(w, b.problems...)
		return
	}
	tables, err := tableNames(selected)
	if err != nil && len(selected) > 0 {
		s.fail(w, err)
		return
	}
	if analysis, ours := jobscript.Extract(code); ours {
		if len(selected) == 0 {
			tables = jobscript.Tables(code)
		}
		code = analysis
	} else if err = foreign(code); err != nil {
		s.fail(w, err)
		return
	}
	run, err := s.cfg.Service.Ask(r.Context(), supervisor.Request{Code: code, Tables: tables})
	s.reply(w, run, err, session, platform)
}

// foreign refuses whole programs: only an analysis is run, with a prologue and
// an epilogue of ours.
func foreign(code string) error {
	for _, sign := range []string{"SparkSession", "get_secret_value", "jdbc:"} {
		if strings.Contains(code, sign) {
			return &sparkwright.Error{
				Code: sparkwright.CodeInvalid, Message: "this is a whole program, not an analysis", Because: "it contains " + sign,
				Remedy: "send the analysis alone (it sees spark and one view per table, and assigns result), or a script that this server rendered",
			}
		}
	}
	return nil
}

// tableNames turns the reference's table dicts into connection.schema.table.
func tableNames(selected []map[string]any) ([]string, error) {
	if len(selected) == 0 {
		return nil, &sparkwright.Error{
			Code: sparkwright.CodeInvalid, Message: "no PostgreSQL table is selected",
			Remedy: "send selected_postgres_tables with connection_name, database, schema and table",
		}
	}
	var names []string
	for i, t := range selected {
		get := func(key string) string { v, _ := t[key].(string); return v }
		for _, key := range []string{"connection_name", "schema", "table"} {
			if get(key) == "" {
				return nil, sparkwright.Errorf(sparkwright.CodeInvalid, "selected_postgres_tables[%d] has no %s", i, key)
			}
		}
		connection := get("connection_name")
		if db := get("database"); db != "" {
			connection += "/" + db
		}
		names = append(names, fmt.Sprintf("%s.%s.%s", connection, get("schema"), get("table")))
	}
	return names, nil
}

// wanted is the platform that the client asks for; "" = no preference. The
// request's defaults are none.
func wanted(platform, engine string) string {
	if engine != "auto" && engine != "" {
		return engine
	}
	if platform == "lambda" || platform == "auto" {
		return ""
	}
	return platform
}

// result is the reference's result object.
type result struct {
	SparkCode        string             `json:"spark_code"`
	ExecutionResult  string             `json:"execution_result"`
	ExecutionMessage string             `json:"execution_message"`
	ExecutionOutput  []string           `json:"execution_output"`
	ActualResults    []orderedRecord    `json:"actual_results"`
	S3OutputPath     string             `json:"s3_output_path"`
	RunID            string             `json:"run_id"`
	RowCount         int64              `json:"row_count"`
	Truncated        bool               `json:"truncated"`
	Declined         any                `json:"declined,omitempty"`
	Fault            *sparkwright.Fault `json:"fault,omitempty"`
}

// reply writes the outcome of a run. A request that never became a run, or
// that failed before its job, is success:false.
func (s *server) reply(w http.ResponseWriter, run *sparkwright.Run, err error, session, platform string) {
	if run == nil || err != nil && run.Analysis == "" {
		s.fail(w, err)
		return
	}
	res := result{
		SparkCode: run.Analysis, ExecutionResult: "failed", ExecutionOutput: []string{}, ActualResults: []orderedRecord{},
		RunID: run.ID, Fault: run.Fault,
	}
	if n := len(run.Attempts); n > 0 {
		res.SparkCode = run.Attempts[n-1].Script
	}
	switch {
	case run.State == sparkwright.RunSucceeded && run.Result != nil:
		res.ExecutionResult = "success"
		res.ExecutionMessage = run.Understood
		res.RowCount, res.Truncated = run.Result.RowCount, run.Result.Truncated
		res.S3OutputPath = "file://" + run.Result.Location
		for _, row := range run.Result.Preview {
			res.ActualResults = append(res.ActualResults, orderedRecord{run.Result.Schema, row})
		}
		res.ExecutionOutput = append(res.ExecutionOutput, fmt.Sprintf("%d rows", run.Result.RowCount))
	case run.Declined != nil:
		res.Declined = run.Declined
		res.ExecutionMessage = run.Declined.Message
	case run.Fault != nil:
		res.ExecutionMessage = run.Fault.Message
		for _, more := range []string{run.Fault.Because, run.Fault.Remedy} {
			if more != "" {
				res.ExecutionMessage += ". " + more
			}
		}
	case err != nil:
		res.ExecutionMessage = err.Error()
	}
	reason := run.Placement.Reason
	if platform != "" && platform != "local" {
		reason = strings.TrimSuffix(platform+" is not configured; "+reason, "; ")
	}
	s.write(w, http.StatusOK, map[string]any{
		"success": true, "result": res, "framework": "spark", "execution_platform": "local",
		"placement_reason": reason, "session_id": session,
	})
}

// orderedRecord is one row as an object, columns in the result's order, values
// as the job wrote them.
type orderedRecord struct {
	schema []sparkwright.ResultColumn
	cells  []json.RawMessage
}

// MarshalJSON implements json.Marshaler.
func (r orderedRecord) MarshalJSON() ([]byte, error) {
	out := []byte{'{'}
	for i, c := range r.schema {
		if i > 0 {
			out = append(out, ',')
		}
		key, err := json.Marshal(c.Name)
		if err != nil {
			return nil, fmt.Errorf("encode a column name: %w", err)
		}
		cell := json.RawMessage("null")
		if i < len(r.cells) && len(r.cells[i]) > 0 {
			cell = r.cells[i]
		}
		out = append(append(append(out, key...), ':'), cell...)
	}
	return append(out, '}'), nil
}
