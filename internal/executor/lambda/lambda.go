// Package lambda carries out attempts in a Spark on Lambda function: for Glue
// tables and S3, never for PostgreSQL, which the function does not reach.
//
// What goes to the function, and what it does:
//
//		{"spark_code": SCRIPT, "s3_output_path": LOCATION, "run_id": …, "attempt_id": …, "timeout_seconds": …}
//
//	  - It claims the attempt by writing LOCATION/claim.json with
//	    If-None-Match: *. When that is taken it does nothing and answers
//	    {"status": "claimed"}: Lambda may deliver an invocation twice.
//	  - It runs the script by spark-submit. The script leaves its result, and
//	    last of all manifest.json, or fault.json, in LOCATION.
//	  - It answers {"status": "success" | "error", "message": …, "log": …}.
//
// The answer is never trusted for the outcome: only a manifest that matches
// the objects is success. The claim outlives this process: an attempt of an
// earlier one is followed by what lies in S3.
package lambda

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/artifact"
	"github.com/sparkwright/sparkwright/internal/awscloud"
)

// Name is the executor's name in placements and handles.
const Name = "lambda"

// ResourceClass is the class of faults that a larger place may not have: the
// function's memory, disk or time was not enough.
const ResourceClass = "LAMBDA_RESOURCES"

// Config says which function is called, and how.
type Config struct {
	AWS     aws.Config
	Timeout time.Duration // of one attempt
	// Every is how often S3 is looked at for attempts of earlier processes.
	// 0 = 5 s.
	Every time.Duration
	Log   *slog.Logger
}

// Executor implements sparkwright.DurableExecutor. It is safe for concurrent use.
type Executor struct {
	cfg     Config
	client  *lambda.Client
	s3      *s3.Client
	results *artifact.S3

	mu    sync.Mutex
	calls map[string]*call // by attempt
}

var _ sparkwright.DurableExecutor = (*Executor)(nil)

// New returns an executor.
func New(cfg Config) *Executor {
	if cfg.Every == 0 {
		cfg.Every = 5 * time.Second
	}
	client := awscloud.NewS3(cfg.AWS)
	return &Executor{
		cfg: cfg, s3: client, results: artifact.NewS3(client), calls: map[string]*call{},
		client: lambda.NewFromConfig(cfg.AWS, func(o *lambda.Options) {
			// An invocation answers when the job is over; its claim makes repeating it safe,
			// but waiting for a second one would hide the first.
			o.RetryMaxAttempts = 1
			o.HTTPClient = awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) { t.ResponseHeaderTimeout = cfg.Timeout + grace })
		}),
	}
}

// grace is how long after its time limit an answer of the function may come.
const grace = 30 * time.Second

// call is an invocation that this process waits for.
type call struct {
	over   chan struct{}
	answer answer // set when over
}

// answer is what came of an invocation.
type answer struct {
	Status  string `json:"status"`
	Message string `json:"message"`
	Log     string `json:"log"`

	functionError string // Handled, Unhandled; "" = the function came to its end
	err           error  // of the call
}

// data is what a Handle holds.
type data struct {
	Function string    `json:"function"`
	RunID    string    `json:"run"`
	Attempt  string    `json:"attempt"`
	Location string    `json:"location"`
	Until    time.Time `json:"until"` // an attempt without a result has failed by then
	// Token is what only servers know: with it the attempt is marked as cancelled.
	Token string `json:"token"`
}

// PollEvery implements sparkwright.DurableExecutor.
func (e *Executor) PollEvery() time.Duration { return e.cfg.Every }

// Submit implements sparkwright.Executor.
func (e *Executor) Submit(ctx context.Context, job sparkwright.Job) (sparkwright.Handle, error) {
	if job.Placement.Application == "" || !artifact.IsS3(job.Location) {
		return sparkwright.Handle{}, sparkwright.Errorf(sparkwright.CodeInternal, "an attempt on Lambda needs a function and an s3:// location")
	}
	if len(job.Access.Secrets) > 0 || len(job.Access.Logins) > 0 {
		return sparkwright.Handle{}, sparkwright.Errorf(sparkwright.CodeInternal, "PostgreSQL is never read on Lambda")
	}
	d := data{
		Function: job.Placement.Application, RunID: job.Attempt.RunID, Attempt: job.Attempt.ID, Location: strings.TrimRight(job.Location, "/"),
		Until: job.Attempt.StartedAt.Add(e.cfg.Timeout + 2*grace), Token: rand.Text(),
	}
	raw, err := json.Marshal(d)
	if err != nil {
		return sparkwright.Handle{}, sparkwright.Errorf(sparkwright.CodeInternal, "encode the handle: %w", err)
	}
	payload, err := json.Marshal(map[string]any{
		"spark_code": job.Attempt.Script, "s3_output_path": d.Location, "run_id": d.RunID, "attempt_id": d.Attempt,
		"timeout_seconds": int(e.cfg.Timeout.Seconds()),
	})
	if err != nil {
		return sparkwright.Handle{}, sparkwright.Errorf(sparkwright.CodeInternal, "encode the payload: %w", err)
	}
	h := sparkwright.Handle{Version: 1, Executor: Name, Data: raw}
	claimed, err := e.exists(ctx, d.Location, "claim.json")
	if err != nil {
		return sparkwright.Handle{}, later("the result's place "+d.Location+" cannot be read", err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if claimed || e.calls[d.Attempt] != nil { // of this process or an earlier one
		return h, nil
	}
	c := &call{over: make(chan struct{})}
	e.calls[d.Attempt] = c
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), e.cfg.Timeout+grace)
	go func() {
		defer cancel()
		defer close(c.over)
		c.answer = e.invoke(ctx, d.Function, payload)
	}()
	return h, nil
}

// invoke calls the function and waits for its answer. What passes by itself
// before the function has begun is waited for.
func (e *Executor) invoke(ctx context.Context, function string, payload []byte) answer {
	for wait := 500 * time.Millisecond; ; wait = min(2*wait, 20*time.Second) {
		out, err := e.client.Invoke(ctx, &lambda.InvokeInput{
			FunctionName: &function, InvocationType: types.InvocationTypeRequestResponse, Payload: payload,
		})
		if err == nil {
			a := answer{functionError: aws.ToString(out.FunctionError)}
			if a.functionError != "" {
				var thrown struct{ ErrorType, ErrorMessage string }
				_ = json.Unmarshal(out.Payload, &thrown)
				a.Status, a.Message = "error", strings.TrimSpace(thrown.ErrorType+" "+thrown.ErrorMessage)
				return a
			}
			if json.Unmarshal(out.Payload, &a) != nil {
				a.Status, a.Message = "error", "the function answered something else than JSON"
			}
			return a
		}
		class := awscloud.Classify(err)
		if class != awscloud.Throttled && class != awscloud.Credentials {
			return answer{Status: "error", err: err}
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return answer{Status: "error", err: err}
		}
	}
}

// Wait implements sparkwright.Executor.
func (e *Executor) Wait(ctx context.Context, h sparkwright.Handle) {
	d, err := parse(h)
	if err != nil {
		return
	}
	var over chan struct{}
	if c := e.call(d.Attempt); c != nil {
		over = c.over
	}
	timer := time.NewTimer(e.cfg.Every)
	defer timer.Stop()
	select {
	case <-over:
	case <-timer.C:
	case <-ctx.Done():
	}
}

func (e *Executor) call(attempt string) *call {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.calls[attempt]
}

func parse(h sparkwright.Handle) (*data, error) {
	d := &data{}
	if h.Version != 1 || h.Executor != Name {
		return nil, sparkwright.Errorf(sparkwright.CodeInvalid, "not a handle of the %s executor", Name)
	}
	if err := json.Unmarshal(h.Data, d); err != nil {
		return nil, sparkwright.Errorf(sparkwright.CodeInvalid, "a broken handle: %w", err)
	}
	return d, nil
}

func later(what string, err error) error {
	if awscloud.Passing(err) {
		return &sparkwright.LaterError{Why: "waiting: " + what, After: 5 * time.Second, Err: err}
	}
	return awscloud.Error(what, err)
}
