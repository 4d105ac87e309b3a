package sparkwright

import "context"

// Generator turns a question into an analysis. Implementations are safe for
// concurrent use. A question that is not answered is a *Declined in the
// reply, never an error and never a guess; an error means that the generator
// itself failed. It never sees rows or credentials.
type Generator interface {
	// Generate answers for the views of catalog (every Table has View set).
	// Exactly one of Analysis and Declined is set when the error is nil.
	Generate(ctx context.Context, req GenerateRequest) (*GenerateReply, error)
}

// GenerateRequest is what a Generator gets.
type GenerateRequest struct {
	Question     string
	Instructions string // glossary entries of the user: how terms are to be read; may be empty
	Catalog      *Catalog
	Repair       *Repair // set when an earlier analysis failed
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
	// idempotent on the attempt's ID.
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

// Job is what an Executor needs to carry out an Attempt.
type Job struct {
	Attempt  Attempt
	Location string            // directory or URL where the job writes its result
	Secrets  map[string]string // environment variables for the script; never stored
}

// Sink takes what a running job tells. Methods are called from one goroutine.
type Sink interface {
	Log(stream, text string)
	Progress(p Progress)
}

// Outcome is what Poll found.
type Outcome struct {
	State AttemptState
	Fault *Fault // set when State is failed, lost or cancelled
}
