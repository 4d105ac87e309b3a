package server

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/sparkwright/sparkwright"
)

// result is the reference's result object; what stands after s3_output_path is
// ours.
type result struct {
	SparkCode        string                `json:"spark_code"`
	ExecutionResult  string                `json:"execution_result"`
	ExecutionMessage string                `json:"execution_message"`
	ExecutionOutput  []string              `json:"execution_output"`
	ActualResults    []orderedRecord       `json:"actual_results"`
	S3OutputPath     string                `json:"s3_output_path"`
	RunID            string                `json:"run_id"`
	RowCount         int64                 `json:"row_count"`
	Truncated        bool                  `json:"truncated"`
	Understood       string                `json:"understood,omitempty"`
	Assumptions      []string              `json:"assumptions,omitempty"`
	Declined         *sparkwright.Declined `json:"declined,omitempty"`
	Fault            *sparkwright.Fault    `json:"fault,omitempty"`
	JobRunID         string                `json:"job_run_id,omitempty"`    // of EMR Serverless
	PresignedURL     string                `json:"presigned_url,omitempty"` // all rows as CSV, for results in S3
}

// result describes a run that is final. execution_result is "success" only
// when there is a verified manifest; its rows are the job's own.
func (s *server) result(run *sparkwright.Run, output []string) result {
	res := result{
		SparkCode: codeOf(run), ExecutionResult: "failed", ExecutionOutput: listed(output), ActualResults: []orderedRecord{},
		S3OutputPath: run.Placement.OutputPath, RunID: run.ID, Understood: run.Understood, Assumptions: run.Assumptions,
		Declined: run.Declined, Fault: run.Fault, JobRunID: jobOf(run),
	}
	switch {
	case run.State == sparkwright.RunSucceeded && run.Result != nil:
		res.ExecutionResult = "success"
		res.ExecutionMessage = run.Understood
		res.RowCount, res.Truncated = run.Result.RowCount, run.Result.Truncated
		res.S3OutputPath = uri(run.Result.Location)
		for _, row := range run.Result.Preview {
			res.ActualResults = append(res.ActualResults, orderedRecord{run.Result.Schema, row})
		}
		res.ExecutionOutput = append(res.ExecutionOutput, rows(run.Result.RowCount))
	case run.Declined != nil:
		res.ExecutionMessage = declined(run.Declined)
	case run.Fault != nil:
		res.ExecutionMessage = faulted(run.Fault)
	case run.State == sparkwright.RunCancelled:
		res.ExecutionMessage = "the run was cancelled"
	case run.State == sparkwright.RunSucceeded:
		res.ExecutionMessage = "the run has no result"
	default:
		res.ExecutionMessage = "the run is " + string(run.State)
	}
	return res
}

// jobOf is the id of the run's last job on EMR Serverless.
func jobOf(run *sparkwright.Run) string {
	for _, a := range slices.Backward(run.Attempts) {
		var data struct {
			Job string `json:"job"`
		}
		if a.Handle != nil && a.Handle.Executor == "emrserverless" && json.Unmarshal(a.Handle.Data, &data) == nil {
			return data.Job
		}
	}
	return ""
}

func rows(n int64) string {
	if n == 1 {
		return "1 row"
	}
	return fmt.Sprintf("%d rows", n)
}

// declined is why a question was not answered, with the ways out.
func declined(d *sparkwright.Declined) string {
	text := []string{d.Message}
	for _, more := range []struct {
		label string
		list  []string
	}{{"Did you mean", d.Choices}, {"Nearest", d.Near}, {"You could ask", d.Could}} {
		if len(more.list) > 0 {
			text = append(text, more.label+": "+strings.Join(more.list, "; ")+".")
		}
	}
	return strings.Join(text, " ")
}

func faulted(f *sparkwright.Fault) string {
	text := f.Message
	for _, more := range []string{f.Because, f.Remedy} {
		if more != "" {
			text = strings.TrimSuffix(text, ".") + ". " + more
		}
	}
	return text
}

// codeOf is the whole script of the last attempt, else the analysis.
func codeOf(run *sparkwright.Run) string {
	for _, a := range slices.Backward(run.Attempts) {
		if a.Script != "" {
			return a.Script
		}
	}
	return run.Analysis
}

func finished(run *sparkwright.Run) time.Time {
	if run.FinishedAt != nil {
		return *run.FinishedAt
	}
	return run.CreatedAt
}

// reply writes the outcome of a run. One that failed before there was any
// code, and was not declined, is success:false.
func (s *server) reply(w http.ResponseWriter, run *sparkwright.Run, output []string, id, platform, link string, generated bool) {
	if run.Analysis == "" && run.Declined == nil {
		more := map[string]any{"session_id": id, "run_id": run.ID}
		text := "the run is " + string(run.State)
		if run.Fault != nil {
			text = faulted(run.Fault)
			more["remedy"] = run.Fault.Remedy
		}
		more["success"], more["error"] = false, text
		s.write(w, http.StatusOK, more)
		return
	}
	res := s.result(run, output)
	res.PresignedURL = link
	body := map[string]any{
		"result": res, "framework": framework, "session_id": id, "placement_reason": reason(run, platform),
	}
	if generated {
		body["execution_platform"] = platformOf(run)
	}
	s.ok(w, body)
}

// platformOf is the place of a run in the reference's words.
func platformOf(run *sparkwright.Run) string {
	switch run.Placement.Executor {
	case "emrserverless":
		return "emr"
	case "lambda":
		return "lambda"
	default:
		return "local"
	}
}

// reason is why the run is where it is. That a wish could not be met is said
// first.
func reason(run *sparkwright.Run, platform string) string {
	why := run.Placement.Reason
	if platform != "" && platform != platformOf(run) && platform != run.Placement.Executor && !strings.Contains(why, platform) {
		why = strings.TrimSuffix(platform+" is not configured; "+why, "; ")
	}
	return why
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
