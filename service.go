package sparkwright

import (
	"context"
	"strings"
	"time"
)

// Runs is the service behind every edge: the command line, the HTTP API and
// the reference contract. It is safe for concurrent use. Errors are *Error.
type Runs interface {
	// Submit accepts a request. When it returns nil the run is on disk and will
	// be carried to a final state, whatever happens to this process. The same
	// IdempotencyKey of the same User returns the run that was made first.
	Submit(ctx context.Context, req Request) (*Run, error)
	// Run returns a run with its attempts. CodeNotFound.
	Run(ctx context.Context, id string) (*Run, error)
	// List lists runs, newest first, without attempts.
	List(ctx context.Context, f RunFilter) (RunPage, error)
	// Events returns the events after that number, at most limit, in order.
	Events(ctx context.Context, id string, after int64, limit int) ([]Event, error)
	// Revisions returns every analysis that the run has had, in order.
	Revisions(ctx context.Context, id string) ([]Revision, error)
	// Changed returns when there may be events after that number, or the run
	// is final and has none, or ctx ends.
	Changed(ctx context.Context, id string, after int64) error
	// Cancel asks for the end of a run. The wish is durable; it is safe to
	// repeat. A final run stays as it is.
	Cancel(ctx context.Context, id string) (*Run, error)
	// Decide approves or rejects a run that awaits approval. CodeConflict when
	// the hash is not that of the code it awaits approval for.
	Decide(ctx context.Context, id string, d Decision) (*Run, error)
	// Pin keeps a run from retention, or no longer.
	Pin(ctx context.Context, id string, pinned bool) (*Run, error)
	// Delete removes a final run with everything it wrote.
	Delete(ctx context.Context, id string) error
}

// Request is a question, or analysis code, to be carried out as a Run.
type Request struct {
	Question     string   `json:"question,omitempty"`
	Instructions string   `json:"instructions,omitempty"` // glossary entries for the generator
	Connection   string   `json:"connection,omitempty"`   // all its tables, when Tables is empty
	Tables       []string `json:"tables,omitempty"`       // connection.schema.table, schema.table or table
	Code         string   `json:"code,omitempty"`         // analysis to run as it is
	Session      string   `json:"session,omitempty"`
	User         string   `json:"user,omitempty"`
	Parent       string   `json:"parent,omitempty"`
	Review       bool     `json:"review,omitempty"`    // wait for approval before anything runs
	CodeOnly     bool     `json:"code_only,omitempty"` // stop after the check
	// Executor is where it should run, when possible: "", "local", "batch",
	// "emr", "lambda". "" = no preference.
	Executor       string `json:"executor,omitempty"`
	Engine         string `json:"engine,omitempty"` // "auto", "spark"; "" = the setting
	OutputPath     string `json:"output_path,omitempty"`
	IdempotencyKey string `json:"idempotency_key,omitempty"`
	// Given describes tables that are named by the request itself instead of a
	// saved connection (the reference contract's dicts).
	Given []GivenTable `json:"given,omitempty"`
}

// GivenTable is a table that a request describes whole. Its login is the
// secret; the job reads it, this process only where it can.
type GivenTable struct {
	Connection string     `json:"connection"`
	JDBCURL    string     `json:"jdbc_url"`
	SecretARN  string     `json:"secret_arn"`
	AuthMethod AuthMethod `json:"auth_method,omitempty"`
	Database   string     `json:"database"`
	Schema     string     `json:"schema"`
	Table      string     `json:"table"`
	Columns    []Column   `json:"columns,omitempty"`
}

// Decision approves or rejects the code of a run.
type Decision struct {
	Approve  bool   `json:"approve"`
	CodeHash string `json:"code_hash"` // hex SHA-256 of the analysis that was seen
	By       string `json:"by,omitempty"`
	Why      string `json:"why,omitempty"`
}

// RunFilter says which runs to list. The zero value lists the newest 50.
type RunFilter struct {
	State   RunState
	Session string
	User    string
	Text    string // words of the question, of how it was understood, or of the id
	Pinned  bool
	Limit   int    // at most 1000
	Cursor  string // RunPage.Next of the page before
}

// RunPage is one page of a list.
type RunPage struct {
	Runs []Run  `json:"runs"`
	Next string `json:"next,omitempty"` // "" = the last page
}

// Finding is what the lint before a run says of the analysis: a way in which
// the answer may be silently wrong.
type Finding struct {
	Rule    string `json:"rule"`
	Line    int    `json:"line,omitempty"`
	Message string `json:"message"`
	Repair  bool   `json:"repair"` // true: goes back to the generator; false: told with the answer
}

// Usage counts what a run cost at the model.
type Usage struct {
	InputTokens  int     `json:"input_tokens"`
	OutputTokens int     `json:"output_tokens"`
	Calls        int     `json:"calls"`
	Cached       bool    `json:"cached,omitempty"`
	USD          float64 `json:"usd,omitempty"` // from the price table of the settings; 0 = unknown
}

// SandboxState says whether generated code was locked in.
type SandboxState string

// The states of the sandbox. "" is a place that is not on this machine.
const (
	SandboxOn  SandboxState = "on"
	SandboxOff SandboxState = "off" // --sandbox=off: with all that the user can read and reach
)

// Receipt is what a run was expected to read and cost, and what it did.
type Receipt struct {
	Sandbox    SandboxState   `json:"sandbox,omitempty"`
	Tables     []ReceiptTable `json:"tables,omitempty"`
	Statements []Statement    `json:"statements,omitempty"` // what PostgreSQL ran
	Expected   Cost           `json:"expected"`
	Actual     Cost           `json:"actual"`
	// Off is by how much it took longer than expected: 0.5 = half as long again,
	// -0.5 = half as long. 0 before the end.
	Off float64 `json:"off,omitempty"`
}

// ReceiptTable is one table's share of a receipt. Actual values are -1 where
// they are not known.
type ReceiptTable struct {
	Table          string `json:"table"`
	Partitions     int    `json:"partitions"`
	EstimatedRows  int64  `json:"estimated_rows"`
	EstimatedBytes int64  `json:"estimated_bytes"`
	ActualRows     int64  `json:"actual_rows"`
	ActualBytes    int64  `json:"actual_bytes"`
}

// Statement is one SQL statement that PostgreSQL ran for a run.
type Statement struct {
	Connection string    `json:"connection"`
	SQL        string    `json:"sql"`
	Rows       int64     `json:"rows"`
	Bytes      int64     `json:"bytes"`
	At         time.Time `json:"at"`
	Seconds    float64   `json:"seconds"`
	Error      string    `json:"error,omitempty"`
}

// IsPlan reports whether a statement only asked how PostgreSQL would carry out
// another one: its rows are none of a table.
func (s *Statement) IsPlan() bool { return strings.HasPrefix(s.SQL, "EXPLAIN ") }

// Cost is time and money. USD is 0 where no price is known.
type Cost struct {
	Seconds     float64 `json:"seconds"`
	Connections int     `json:"connections,omitempty"`
	VCPUHours   float64 `json:"vcpu_hours,omitempty"`
	MemoryHours float64 `json:"memory_gb_hours,omitempty"`
	USD         float64 `json:"usd,omitempty"`
}

// CrosscheckState says what an independent query found.
type CrosscheckState string

// The outcomes of a cross-check.
const (
	CrosscheckVerified   CrosscheckState = "verified"
	CrosscheckNotChecked CrosscheckState = "not_checked"
	CrosscheckMismatch   CrosscheckState = "mismatch"
)

// SecondState says how an answer compares with another reading of its
// question.
type SecondState string

// The outcomes of a comparison.
const (
	SecondAgrees      SecondState = "agrees"
	SecondDiffers     SecondState = "differs"
	SecondNotCompared SecondState = "not_compared"
)

// SecondReading is what the built-in planner makes of a question that a model
// has answered and that it fully understands, and whether it gives the same
// rows.
type SecondReading struct {
	State      SecondState `json:"state"`
	Understood string      `json:"understood"`
	Code       string      `json:"code"`
	Why        string      `json:"why,omitempty"`
	Views      []string    `json:"views,omitempty"`
	Tables     []Table     `json:"-"` // of the views, while the run goes on
}

// Confidence is how far an answer can be trusted.
type Confidence string

// The labels. "" where there is no answer.
const (
	ConfidenceHigh   Confidence = "high"   // read twice, with the same rows; verified by a person; or by the planner, which never guesses
	ConfidenceMedium Confidence = "medium" // read once, by a model or a person
	ConfidenceLow    Confidence = "low"    // another reading or PostgreSQL's own totals differ
)

// Confidence is the label of the run's answer.
func (r *Run) Confidence() Confidence {
	c := r.Crosscheck
	switch {
	case r.State != RunSucceeded || r.Result == nil:
		return ""
	case c != nil && (c.State == CrosscheckMismatch || c.Second != nil && c.Second.State == SecondDiffers):
		return ConfidenceLow
	case r.Verified, r.Generator == "planner", c != nil && c.Second != nil && c.Second.State == SecondAgrees:
		return ConfidenceHigh
	default:
		return ConfidenceMedium
	}
}

// Crosscheck is the badge of an answer: an independent PostgreSQL query's view
// of totals or row counts.
type Crosscheck struct {
	State    CrosscheckState `json:"state"`
	Why      string          `json:"why,omitempty"`
	SQL      string          `json:"sql,omitempty"`
	Expected string          `json:"expected,omitempty"`
	Got      string          `json:"got,omitempty"`
	// Second is the planner's reading, where a model answered and the planner
	// understood the question too.
	Second *SecondReading `json:"second,omitempty"`
}
