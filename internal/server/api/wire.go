package api

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/result"
)

// Run is a run as clients see it: without handles, places on disk, or who
// carries it out.
type Run struct {
	ID          string                  `json:"id"`
	Session     string                  `json:"session,omitempty" doc:"The conversation it belongs to"`
	User        string                  `json:"user,omitempty"`
	Parent      string                  `json:"parent,omitempty" doc:"The run that it follows up or runs again"`
	Question    sparkwright.Question    `json:"question"`
	State       sparkwright.RunState    `json:"state" enum:"queued,generating,checking,awaiting_approval,running,succeeded,failed,declined,cancelled"`
	Final       bool                    `json:"final" doc:"The state can no longer change"`
	Pinned      bool                    `json:"pinned" doc:"Kept by retention"`
	Understood  string                  `json:"understood,omitempty" doc:"The question as it was understood, one sentence"`
	Assumptions []string                `json:"assumptions,omitempty"`
	Findings    []sparkwright.Finding   `json:"findings,omitempty"`
	Generator   string                  `json:"generator,omitempty"`
	Verified    bool                    `json:"verified,omitempty" doc:"A verified answer of the definitions, used as it is"`
	Placement   sparkwright.Placement   `json:"placement"`
	Views       []sparkwright.TableUse  `json:"views,omitempty"`
	Analysis    string                  `json:"analysis,omitempty" doc:"The PySpark that answers the question"`
	CodeHash    string                  `json:"code_hash,omitempty" doc:"Hex SHA-256 of the analysis; approvals name it"`
	Declined    *sparkwright.Declined   `json:"declined,omitempty"`
	Fault       *sparkwright.Fault      `json:"fault,omitempty"`
	Result      *ResultHead             `json:"result,omitempty"`
	Attempts    []Attempt               `json:"attempts,omitempty"`
	Timings     []sparkwright.Timing    `json:"timings,omitempty"`
	Usage       sparkwright.Usage       `json:"usage"`
	Repairs     int                     `json:"repairs"`
	Receipt     *sparkwright.Receipt    `json:"receipt,omitempty"`
	Crosscheck  *sparkwright.Crosscheck `json:"crosscheck,omitempty"`
	Confidence  sparkwright.Confidence  `json:"confidence,omitempty" enum:"high,medium,low" doc:"How far the answer can be trusted; low: another reading or PostgreSQL's own totals differ"`
	CreatedAt   time.Time               `json:"created_at"`
	FinishedAt  *time.Time              `json:"finished_at,omitempty"`
}

// ResultHead is what a run says of its result; the rows are at /result.
type ResultHead struct {
	Columns   []sparkwright.ResultColumn `json:"columns"`
	RowCount  int64                      `json:"row_count"`
	Bytes     int64                      `json:"bytes" doc:"Of the Parquet files"`
	Preview   []json.RawMessage          `json:"preview" doc:"The first rows, each a list of cells"`
	Truncated bool                       `json:"truncated" doc:"The preview has fewer rows than the result"`
	Snapshot  *sparkwright.Snapshot      `json:"snapshot,omitempty"`
	Spark     string                     `json:"spark" doc:"The version that ran the job"`
}

// Attempt is one submission of a run's script.
type Attempt struct {
	ID         string                   `json:"id"`
	Number     int                      `json:"number"`
	State      sparkwright.AttemptState `json:"state"`
	Fault      *sparkwright.Fault       `json:"fault,omitempty"`
	StartedAt  time.Time                `json:"started_at"`
	FinishedAt *time.Time               `json:"finished_at,omitempty"`
}

// Summary is a run in a list.
type Summary struct {
	ID         string                    `json:"id"`
	Session    string                    `json:"session,omitempty"`
	User       string                    `json:"user,omitempty"`
	Parent     string                    `json:"parent,omitempty"`
	Question   sparkwright.Question      `json:"question"`
	State      sparkwright.RunState      `json:"state"`
	Final      bool                      `json:"final"`
	Pinned     bool                      `json:"pinned"`
	Understood string                    `json:"understood,omitempty"`
	Generator  string                    `json:"generator,omitempty"`
	Executor   string                    `json:"executor,omitempty"`
	Declined   sparkwright.DeclineReason `json:"declined,omitempty"`
	Fault      string                    `json:"fault,omitempty" doc:"Message of the fault"`
	RowCount   *int64                    `json:"row_count,omitempty"`
	Repairs    int                       `json:"repairs"`
	CreatedAt  time.Time                 `json:"created_at"`
	FinishedAt *time.Time                `json:"finished_at,omitempty"`
}

// Revision is one version of a run's analysis.
type Revision struct {
	Number    int                `json:"number"`
	Code      string             `json:"code"`
	CodeHash  string             `json:"code_hash"`
	Generator string             `json:"generator"`
	Why       string             `json:"why,omitempty" doc:"Why it took the place of the one before"`
	Fault     *sparkwright.Fault `json:"fault,omitempty" doc:"What was wrong with it"`
	CreatedAt time.Time          `json:"created_at"`
}

func hash(code string) string {
	if code == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(code))
	return hex.EncodeToString(sum[:])
}

func wireRun(r *sparkwright.Run) Run {
	out := Run{
		ID: r.ID, Session: r.Session, User: r.User, Parent: r.Parent, Question: r.Question, State: r.State, Final: r.State.Final(),
		Pinned: r.Pinned, Understood: r.Understood, Assumptions: r.Assumptions, Findings: r.Findings, Generator: r.Generator, Verified: r.Verified,
		Placement: r.Placement, Views: r.Views, Analysis: r.Analysis, CodeHash: hash(r.Analysis), Declined: r.Declined, Fault: r.Fault,
		Timings: r.Timings, Usage: r.Usage, Repairs: r.Repairs, Receipt: r.Receipt, Crosscheck: r.Crosscheck, Confidence: r.Confidence(),
		CreatedAt: r.CreatedAt, FinishedAt: r.FinishedAt,
	}
	for i := range r.Attempts {
		a := &r.Attempts[i]
		out.Attempts = append(out.Attempts, Attempt{
			ID: a.ID, Number: a.Number, State: a.State, Fault: a.Fault, StartedAt: a.StartedAt, FinishedAt: a.FinishedAt,
		})
	}
	if m := r.Result; m != nil {
		head := &ResultHead{Columns: m.Schema, RowCount: m.RowCount, Truncated: m.Truncated, Snapshot: m.Snapshot, Spark: m.Spark, Preview: []json.RawMessage{}}
		for _, p := range m.Parts {
			head.Bytes += p.Bytes
		}
		for _, row := range m.Preview {
			head.Preview = append(head.Preview, result.Preview(row))
		}
		out.Result = head
	}
	return out
}

func summary(r *sparkwright.Run) Summary {
	out := Summary{
		ID: r.ID, Session: r.Session, User: r.User, Parent: r.Parent, Question: r.Question, State: r.State, Final: r.State.Final(),
		Pinned: r.Pinned, Understood: r.Understood, Generator: r.Generator, Executor: r.Placement.Executor, Repairs: r.Repairs,
		CreatedAt: r.CreatedAt, FinishedAt: r.FinishedAt,
	}
	if r.Declined != nil {
		out.Declined = r.Declined.Reason
	}
	if r.Fault != nil {
		out.Fault = r.Fault.Message
	}
	if r.Result != nil {
		out.RowCount = &r.Result.RowCount
	}
	return out
}
