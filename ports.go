package sparkwright

import (
	"context"
	"time"
)

// Generator turns a question into an analysis. Implementations are safe for
// concurrent use. A question that is not answered is a *Declined in the
// reply, never an error and never a guess; an error means that the generator
// itself failed. It never sees rows or credentials.
type Generator interface {
	// Generate answers for the views of catalog (every Table has View set).
	// Exactly one of Analysis and Declined is set when the error is nil. With an
	// error the reply may be there all the same, to tell what was used.
	Generate(ctx context.Context, req GenerateRequest) (*GenerateReply, error)
}

// GenerateRequest is what a Generator gets.
type GenerateRequest struct {
	Question     string
	Instructions string // glossary entries of the user: how terms are to be read; may be empty
	Catalog      *Catalog
	Definitions  *Definitions `json:",omitempty"` // of the catalog's connections, for its tables; may be nil
	Repair       *Repair      // set when an earlier analysis failed
	Previous     *Previous    // set when the question may follow up earlier ones
	// Clarifies is set when the question answers one that was asked back: no
	// second one is asked.
	Clarifies *Clarified `json:",omitempty"`
	// OnText gets what a model writes, piece by piece, from the goroutine that
	// called Generate; may be nil.
	OnText func(text string) `json:"-"`
}

// Previous is what a follow-up refers to: "per month instead", "only the ones
// from Germany".
type Previous struct {
	Questions  []string // of the conversation, oldest first; the last one was answered by Code
	Code       string
	Understood string // restatement of the last one
}

// Clarified is a question that could be read in several ways, and what was
// asked back.
type Clarified struct {
	Question string
	Asked    string
	Choices  []string
}

// Repair is an analysis that failed and why.
type Repair struct {
	Code  string
	Fault Fault
}

// GenerateReply is what a Generator answers.
type GenerateReply struct {
	Analysis *Analysis
	Declined *Declined
	Usage    Usage // what the answer cost; zero without a model
}

// VersionedGenerator is a Generator whose answers may be kept and given again
// for the same request, as long as its version is the same.
type VersionedGenerator interface {
	Generator
	// Version changes with everything beside the request that an answer
	// depends on: prompts, model, settings.
	Version() string
}

// Model is a text model. Implementations are safe for concurrent use, and
// return an *Error: CodeUnauthorized (key refused), CodeUnavailable (not
// reachable or overloaded after the retries), CodeTimeout, CodeInvalid (request
// refused), CodeResource (reply over the size limit).
type Model interface {
	// Name is provider and model, for people: "openai:gpt-4.1-mini".
	Name() string
	// Complete sends one conversation and returns the whole reply. Every piece
	// of text is handed to onText as it arrives, when onText is not nil.
	Complete(ctx context.Context, req ModelRequest, onText func(string)) (*ModelReply, error)
}

// ModelRequest is a system text and a user text.
type ModelRequest struct {
	System    string
	User      string
	MaxTokens int
}

// ModelReply is the text a model wrote and what it counted.
type ModelReply struct {
	Text         string
	InputTokens  int
	OutputTokens int
}

// Executor carries out Attempts somewhere. Implementations are safe for
// concurrent use; one conformance suite holds for all.
type Executor interface {
	// Submit starts the attempt and returns as soon as it is accepted. It is
	// idempotent on the attempt's ID. Its row is stored before, its handle right
	// after it. An error means that nothing was accepted.
	Submit(ctx context.Context, job Job) (Handle, error)
	// Poll tells the attempt's state, without waiting. AttemptLost when nothing
	// is known of the handle. Output and progress since the last call go to sink.
	Poll(ctx context.Context, h Handle, sink Sink) (Outcome, error)
	// Wait blocks until the attempt may have changed or ctx ends.
	Wait(ctx context.Context, h Handle)
	// Cancel stops the attempt and everything it started, and returns when it
	// is stopped. Safe to call twice and on a finished attempt.
	Cancel(ctx context.Context, h Handle) error
}

// DurableExecutor is an Executor whose attempts outlive this process and can
// be followed by any other through their Handle. The others lose their
// attempts with the process; those are made once more.
type DurableExecutor interface {
	Executor
	// PollEvery is how long to leave between two polls. Wait is not called.
	// Poll returns CodeUnavailable when it should be asked again.
	PollEvery() time.Duration
}

// Job is what an Executor needs to carry out an Attempt.
type Job struct {
	Attempt Attempt
	// Again says that the same attempt may have been accepted before, by a
	// process that died before it could store the handle (DurableExecutor
	// only). Submit then finds that one, by its idempotency token or by name
	// (Attempt.ID; not older than Attempt.StartedAt), and submits only when there
	// is none. The request is the same one, byte for byte, but for Secrets.
	Again    bool
	Location string            // directory or URL where the job writes its result
	Secrets  map[string]string // environment variables for the script; never stored
	Files    []string          // paths of this machine that the job reads, for places on it

	// Query is the analysis as one statement, where PostgreSQL answers by itself.
	Query *Query

	Placement Placement // where it goes
	Access    Access    // what it reads there; for places that grant it job by job
	Modules   string    // s3:// URL of an archive of Python modules that the script imports; "" = none
}

// Query is one statement of PostgreSQL that gives the answer of an analysis.
type Query struct {
	Connection string
	SQL        string
	Schema     []ResultColumn // of its rows, with Spark's types
	Limit      int            // more rows say that the last ones are not certain; 0 = any number
	Time       time.Duration  // at the server
	Snapshots  []Snapshot     // for the manifest
}

// Access is what a job in AWS reads, and no more.
type Access struct {
	Secrets  []string    // ARNs
	Logins   []RDSLogin  // by IAM
	Glue     []GlueTable // of the Glue catalog
	Prefixes []string    // s3:// URLs
}

// RDSLogin is a database user that logs in with an RDS IAM token.
type RDSLogin struct{ Region, User string }

// GlueTable names a table of the Glue catalog.
type GlueTable struct{ Database, Table string }

// LaterError is an error that says that nothing has failed: the same call is to be
// made again. The run waits meanwhile, and Why tells a person for what.
type LaterError struct {
	Why   string
	After time.Duration // when to call again; 0 = soon
	Err   error
}

// Error implements error.
func (l *LaterError) Error() string { return l.Why }

// Unwrap returns the wrapped error.
func (l *LaterError) Unwrap() error { return l.Err }

// Sink takes what a running job tells. Methods are called from one goroutine.
type Sink interface {
	Log(stream, text string)
	Progress(p Progress)
}

// Outcome is what Poll found.
type Outcome struct {
	State AttemptState
	Fault *Fault // set when State is failed, lost or cancelled
	// Billed is what the place has counted of a job that is over, without USD;
	// nil = it does not say.
	Billed *Cost
}

// Ways are how jobs on this machine reach databases. Implementations are safe
// for concurrent use.
type Ways interface {
	// Begin opens the run's way to the database of a connection, or returns the
	// one that is open. Only these relations can be read by it, and those that
	// earlier calls named. Errors are *Error.
	Begin(ctx context.Context, runID, connection string, tables []Relation) (Way, error)
	// Query carries out one reading query on the run's snapshot, within a time
	// limit at the server. Cells are text as PostgreSQL writes it; nil is NULL.
	Query(ctx context.Context, runID, connection, sql string, limit time.Duration) ([][]*string, error)
	// Cancel stops at once what the run does in its databases and refuses the
	// rest. Safe for any run.
	Cancel(runID string)
	// End closes the run's ways, leaves nothing of it in any database, and
	// returns what PostgreSQL ran for it. Safe for a run without ways.
	End(ctx context.Context, runID string) ([]Statement, error)
}

// Relation names a table or view of a database.
type Relation struct{ Schema, Name string }

// Way is one run's way to one database.
type Way struct {
	JDBCURL  string
	Login    Credentials // worth nothing elsewhere and afterwards
	Snapshot Snapshot
	// Connections is how many the run may have at once; Pages says that ranges
	// of pages can be read in parallel: PostgreSQL 14 and one snapshot.
	Connections int
	Pages       bool
	Notes       []string // what is to be known of the server, in sentences
}
