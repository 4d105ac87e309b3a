package sparkwright

import (
	"encoding/json"
	"time"
)

// Question is what a person asks, and of which tables.
type Question struct {
	Text       string   `json:"text"`
	Connection string   `json:"connection,omitempty"` // all its tables, when Tables is empty
	Tables     []string `json:"tables,omitempty"`     // connection.schema.table
}

// RunState is the state of a Run.
type RunState string

// The states of a Run. The last four are final.
const (
	RunQueued           RunState = "queued"
	RunGenerating       RunState = "generating"
	RunChecking         RunState = "checking"
	RunAwaitingApproval RunState = "awaiting_approval"
	RunRunning          RunState = "running"
	RunSucceeded        RunState = "succeeded"
	RunFailed           RunState = "failed"
	RunDeclined         RunState = "declined"
	RunCancelled        RunState = "cancelled"
)

// Final reports whether the state can no longer change.
func (s RunState) Final() bool {
	switch s {
	case RunSucceeded, RunFailed, RunDeclined, RunCancelled:
		return true
	default:
		return false
	}
}

// Run is the durable request: one question or one piece of analysis code,
// with everything that came of it.
type Run struct {
	ID         string   `json:"id"`
	Session    string   `json:"session,omitempty"` // conversation it belongs to
	User       string   `json:"user,omitempty"`    // who asked; "" = the local user
	Parent     string   `json:"parent,omitempty"`  // run that it follows up or runs again
	Question   Question `json:"question"`
	State      RunState `json:"state"`
	Pinned     bool     `json:"pinned,omitempty"`     // kept by retention
	Understood string   `json:"understood,omitempty"` // restatement of the question, one sentence
	// Assumptions say how terms were read, which columns, filters, date range
	// and joins were taken; Findings what the lint warns of.
	Assumptions []string    `json:"assumptions,omitempty"`
	Findings    []Finding   `json:"findings,omitempty"`
	Generator   string      `json:"generator,omitempty"` // "planner", "model openai:NAME", "user", GeneratorVerified
	Verified    bool        `json:"verified,omitempty"`  // a verified answer, used as it is
	Placement   Placement   `json:"placement"`
	Views       []TableUse  `json:"views,omitempty"`
	Analysis    string      `json:"analysis,omitempty"`
	Declined    *Declined   `json:"declined,omitempty"`
	Fault       *Fault      `json:"fault,omitempty"`
	Result      *Manifest   `json:"result,omitempty"`
	Attempts    []Attempt   `json:"attempts,omitempty"`
	Timings     []Timing    `json:"timings,omitempty"`
	Usage       Usage       `json:"usage"`
	Repairs     int         `json:"repairs,omitempty"` // revisions that replaced a faulty analysis
	Receipt     *Receipt    `json:"receipt,omitempty"`
	Crosscheck  *Crosscheck `json:"crosscheck,omitempty"`
	Owner       string      `json:"-"` // host, pid and start time of the process that carries it out
	CreatedAt   time.Time   `json:"created_at"`
	FinishedAt  *time.Time  `json:"finished_at,omitempty"`
}

// TableUse names a table of a run, the temp view over it and its size.
type TableUse struct {
	Table       string `json:"table"` // connection.schema.table
	View        string `json:"view"`
	RowEstimate int64  `json:"row_estimate"`
	Bytes       int64  `json:"bytes"`
	Partitions  int    `json:"partitions"` // parallel reads; 1 = a single one
}

// Timing is how long one step took.
type Timing struct {
	Step      string    `json:"step"`
	StartedAt time.Time `json:"started_at,omitzero"` // unknown in runs of before
	Seconds   float64   `json:"seconds"`
}

// Placement is where an attempt runs, and why there.
type Placement struct {
	Executor string `json:"executor"` // "connect", "batch", "emrserverless", "lambda", "postgres"
	Reason   string `json:"reason"`
	// Application is the EMR Serverless application, or the Lambda function.
	Application string `json:"application,omitempty"`
	Driver      string `json:"driver,omitempty"`      // S3 URL of the JDBC driver that the job is given
	Bytes       int64  `json:"bytes,omitempty"`       // estimate of what is read
	OutputPath  string `json:"output_path,omitempty"` // where results go, when the request or the place says
}

// DeclineReason says why a question got no answer.
type DeclineReason string

// The reasons for declining.
const (
	DeclineUnanswerable  DeclineReason = "unanswerable"   // the selected tables cannot answer it
	DeclineNotUnderstood DeclineReason = "not_understood" // the planner does not fully understand it
	DeclineAmbiguous     DeclineReason = "ambiguous"      // readings differ; Choices are given
)

// Declined is the answer to a question that is not answered.
type Declined struct {
	Reason   DeclineReason `json:"reason"`
	Message  string        `json:"message"`            // one sentence
	Unplaced []string      `json:"unplaced,omitempty"` // words that could not be linked
	Near     []string      `json:"near,omitempty"`     // nearest tables and columns
	Could    []string      `json:"could,omitempty"`    // questions that could be answered
	Choices  []string      `json:"choices,omitempty"`
}

// Analysis is the PySpark body that answers a question: it sees `spark` and
// the temp views by name and ends by assigning a DataFrame to `result`.
type Analysis struct {
	Code        string   `json:"code"`
	Understood  string   `json:"understood"`            // one sentence
	Assumptions []string `json:"assumptions,omitempty"` // how terms were read
	Views       []string `json:"views,omitempty"`       // the views that the code reads
	Generator   string   `json:"generator"`
	Tokens      int      `json:"tokens"` // 0 for the planner
	// Second is the planner's reading of the same question, when it has one.
	Second *SecondReading `json:"second,omitempty"`
}

// Revision is one version of a run's analysis. All are kept.
type Revision struct {
	RunID     string    `json:"run_id"`
	Number    int       `json:"number"` // from 1
	Code      string    `json:"code"`
	Generator string    `json:"generator"`
	Why       string    `json:"why,omitempty"`   // why it took the place of the one before
	Fault     *Fault    `json:"fault,omitempty"` // what was wrong with it, when something was
	CreatedAt time.Time `json:"created_at"`
}

// AttemptState is the state of an Attempt.
type AttemptState string

// The states of an Attempt.
const (
	AttemptSubmitting AttemptState = "submitting"
	AttemptSubmitted  AttemptState = "submitted"
	AttemptRunning    AttemptState = "running"
	AttemptSucceeded  AttemptState = "succeeded"
	AttemptFailed     AttemptState = "failed"
	AttemptCancelling AttemptState = "cancelling"
	AttemptCancelled  AttemptState = "cancelled"
	AttemptLost       AttemptState = "lost"
)

// Final reports whether the state can no longer change.
func (s AttemptState) Final() bool {
	switch s {
	case AttemptSucceeded, AttemptFailed, AttemptCancelled, AttemptLost:
		return true
	default:
		return false
	}
}

// Attempt is one submission of one script.
type Attempt struct {
	ID         string       `json:"id"` // <run>-<number>
	RunID      string       `json:"run_id"`
	Number     int          `json:"number"` // from 1
	State      AttemptState `json:"state"`
	Analysis   string       `json:"analysis"`
	Script     string       `json:"-"` // the whole file
	Handle     *Handle      `json:"handle,omitempty"`
	Fault      *Fault       `json:"fault,omitempty"`
	StartedAt  time.Time    `json:"started_at"`
	FinishedAt *time.Time   `json:"finished_at,omitempty"`
}

// Handle finds work outside the process again. It is stored at once.
type Handle struct {
	Version  int             `json:"version"`
	Executor string          `json:"executor"`
	Data     json.RawMessage `json:"data"`
}

// FaultKind says whose fault a Fault is, and so what can be done.
type FaultKind string

// The kinds of faults.
const (
	FaultCode           FaultKind = "code"           // the analysis; may be repaired by the generator
	FaultInfrastructure FaultKind = "infrastructure" // set-up, network, permissions; needs a person
	FaultTransient      FaultKind = "transient"      // may work on a second try
	FaultTimeout        FaultKind = "timeout"
	FaultLost           FaultKind = "lost" // the outcome is unknown: never success
	FaultCancelled      FaultKind = "cancelled"
)

// Fault is a failure inside the job.
type Fault struct {
	Kind     FaultKind `json:"kind"`
	Class    string    `json:"class"` // Spark error class, or the exception's type
	SQLState string    `json:"sql_state,omitempty"`
	Message  string    `json:"message"`
	Line     int       `json:"line,omitempty"` // of the analysis, from 1; 0 = unknown
	Because  string    `json:"because,omitempty"`
	Remedy   string    `json:"remedy,omitempty"`
	Log      string    `json:"log,omitempty"` // last lines of what the job printed
	// Diagnosis is the known way of failing that Because and Remedy are from.
	Diagnosis *Diagnosis `json:"diagnosis,omitempty"`
}

// Diagnosis says which known failure a Fault is, and what shows it.
type Diagnosis struct {
	Class    string   `json:"class"`           // group.name, see docs/troubleshooting.md
	Evidence []string `json:"evidence"`        // lines of the logs
	Check    string   `json:"check,omitempty"` // the doctor's item that finds it before a run
}

// Violation is a finding of the policy on an analysis.
type Violation struct {
	Rule    string `json:"rule"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Message string `json:"message"`
}

// Manifest is what the job says of its own result, written last. A run is
// succeeded only when it exists and matches the files.
type Manifest struct {
	Version   int              `json:"version"`
	RunID     string           `json:"run_id"`
	AttemptID string           `json:"attempt_id"`
	Schema    []ResultColumn   `json:"schema"`
	RowCount  int64            `json:"row_count"`
	Parts     []Part           `json:"parts"`
	Preview   [][]PreviewValue `json:"preview"`
	Truncated bool             `json:"truncated"`           // Preview holds fewer rows than RowCount
	Snapshot  *Snapshot        `json:"snapshot,omitempty"`  // of the one database that was read; of several see Snapshots
	Snapshots []Snapshot       `json:"snapshots,omitempty"` // one of each database, when several were read
	Spark     string           `json:"spark"`               // version that ran the job
	Location  string           `json:"location"`            // directory that holds the parts
}

// PreviewValue is one cell as the job wrote it: JSON null, bool, string,
// number (all digits kept), array or object.
type PreviewValue = json.RawMessage

// ResultColumn is a column of a result, with Spark's name for its type.
type ResultColumn struct {
	Name string `json:"name"`
	Type string `json:"type"`
}

// Part is one file of a result.
type Part struct {
	Path   string `json:"path"` // relative to Location
	Rows   int64  `json:"rows"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
	ETag   string `json:"etag,omitempty"` // of the object, for results in S3
}

// EventType names what an Event tells.
type EventType string

// The events of a run.
const (
	EventState    EventType = "state"    // the run changed its state
	EventStep     EventType = "step"     // a step began or ended, with a text for people
	EventProgress EventType = "progress" // Spark's own progress
	EventLog      EventType = "log"      // output of the job
	EventModel    EventType = "model"    // a piece of what the model writes, as it arrives
)

// Event is one numbered line of a Run's history.
type Event struct {
	Seq      int64     `json:"seq"`
	RunID    string    `json:"run_id"`
	At       time.Time `json:"at"`
	Type     EventType `json:"type"`
	State    RunState  `json:"state,omitempty"`
	Step     string    `json:"step,omitempty"`
	Text     string    `json:"text,omitempty"`
	Stream   string    `json:"stream,omitempty"` // stdout or stderr, for logs
	Progress *Progress `json:"progress,omitempty"`
}

// Progress is how far Spark is with the query that runs.
type Progress struct {
	Stages        int     `json:"stages"`
	StagesDone    int     `json:"stages_done"`
	Tasks         int     `json:"tasks"`
	TasksDone     int     `json:"tasks_done"`
	TasksInFlight int     `json:"tasks_in_flight"`
	BytesRead     int64   `json:"bytes_read"`
	Seconds       float64 `json:"seconds"`
}

// EmptyView is a view of a run without rows, for the dry run.
type EmptyView struct {
	Name    string         `json:"name"`
	Columns []ResultColumn `json:"columns"`
}
