package lambda

import (
	"context"
	"io"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/awscloud"
)

// Poll implements sparkwright.Executor.
func (e *Executor) Poll(ctx context.Context, h sparkwright.Handle, sink sparkwright.Sink) (sparkwright.Outcome, error) {
	d, err := parse(h)
	if err != nil {
		return sparkwright.Outcome{}, err
	}
	running := sparkwright.Outcome{State: sparkwright.AttemptRunning}
	c := e.call(d.Attempt)
	if c == nil {
		return e.look(ctx, d)
	}
	select {
	case <-c.over:
	default:
		return running, nil
	}
	if c.answer.Status == "claimed" { // another invocation carries it out
		return e.look(ctx, d)
	}
	if c.answer.Log != "" {
		sink.Log("stdout", c.answer.Log)
	}
	out, known := e.result(ctx, d)
	switch {
	case !known:
		return running, nil
	case out.State == "": // no trace in S3
		out = sparkwright.Outcome{State: sparkwright.AttemptFailed, Fault: e.fault(&c.answer)}
	}
	if out.State == sparkwright.AttemptFailed && out.Fault.Class != ResourceClass && strings.HasPrefix(c.answer.Message, "resources:") {
		out.Fault = resources(c.answer.Message) // the job itself has seen only what followed from it
	}
	if out.Fault != nil && c.answer.Log != "" { // else what the job said of its causes
		out.Fault.Log = c.answer.Log
	}
	e.mu.Lock()
	delete(e.calls, d.Attempt)
	e.mu.Unlock()
	return out, nil
}

// look judges an attempt that another process has begun by what lies in S3.
func (e *Executor) look(ctx context.Context, d *data) (sparkwright.Outcome, error) {
	out, known := e.result(ctx, d)
	if !known {
		return sparkwright.Outcome{State: sparkwright.AttemptRunning}, nil
	}
	if out.State != "" {
		return out, nil
	}
	claimed, err := e.exists(ctx, d.Location, "claim.json")
	switch {
	case err != nil && awscloud.Passing(err):
		return sparkwright.Outcome{State: sparkwright.AttemptRunning}, nil
	case err != nil:
		return sparkwright.Outcome{}, awscloud.Error("the result's place "+d.Location+" cannot be read", err)
	case !claimed && time.Now().After(d.Until):
		return lost("the function " + d.Function + " has never begun"), nil
	case !claimed: // the invocation may be on its way
		return sparkwright.Outcome{State: sparkwright.AttemptSubmitted}, nil
	case time.Now().After(d.Until):
		return sparkwright.Outcome{State: sparkwright.AttemptFailed, Fault: resources("the function ended without a result and without a word")}, nil
	default:
		return sparkwright.Outcome{State: sparkwright.AttemptRunning}, nil
	}
}

func lost(why string) sparkwright.Outcome {
	return sparkwright.Outcome{State: sparkwright.AttemptLost, Fault: &sparkwright.Fault{
		Kind: sparkwright.FaultLost, Class: "JOB_LOST", Message: why, Remedy: "ask again",
	}}
}

// result is what the job has left. State is "" when that is nothing; known is
// false when S3 does not say.
func (e *Executor) result(ctx context.Context, d *data) (out sparkwright.Outcome, known bool) {
	_, err := e.results.Load(ctx, d.Location, d.RunID, d.Attempt)
	switch {
	case err == nil:
		return sparkwright.Outcome{State: sparkwright.AttemptSucceeded}, true
	case awscloud.Passing(err):
		return out, false
	case sparkwright.ErrorCode(err) != sparkwright.CodeNotFound:
		return sparkwright.Outcome{State: sparkwright.AttemptFailed, Fault: &sparkwright.Fault{
			Kind: sparkwright.FaultLost, Class: "JOB_LOST", Message: "the result on S3 is not whole (" + err.Error() + ")", Remedy: "ask again",
		}}, true
	}
	cancelled, err := e.cancelled(ctx, d)
	switch {
	case err != nil:
		return out, !awscloud.Passing(err)
	case cancelled:
		return sparkwright.Outcome{State: sparkwright.AttemptCancelled, Fault: &sparkwright.Fault{
			Kind: sparkwright.FaultCancelled, Class: "CANCELLED", Message: "the run was cancelled",
		}}, true
	}
	fault, err := e.results.LoadFault(ctx, d.Location)
	if err != nil {
		return out, !awscloud.Passing(err)
	}
	if fault == nil {
		return out, true
	}
	if exhausted(fault.Class + " " + fault.Message) {
		fault.Kind, fault.Because, fault.Class = sparkwright.FaultInfrastructure, fault.Class, ResourceClass
	}
	return sparkwright.Outcome{State: sparkwright.AttemptFailed, Fault: fault}, true
}

// fault is what an answer without a result says.
func (e *Executor) fault(a *answer) *sparkwright.Fault {
	switch {
	case a.err != nil && awscloud.Classify(a.err) == awscloud.Invalid && strings.Contains(a.err.Error(), "RequestTooLarge"):
		return resources("the script is larger than Lambda takes")
	case a.err != nil:
		err := awscloud.Error("the function could not be called", a.err)
		return &sparkwright.Fault{
			Kind: sparkwright.FaultInfrastructure, Class: "LAMBDA_NOT_CALLED", Message: err.Error(), Remedy: "check spark.lambda_function in the settings",
		}
	case exhausted(a.Message):
		return resources(a.Message)
	case a.functionError != "":
		return &sparkwright.Fault{
			Kind: sparkwright.FaultInfrastructure, Class: "LAMBDA_FUNCTION_ERROR", Message: "the function failed before it could say why",
			Because: a.Message, Remedy: "look at the function's log in CloudWatch",
		}
	case a.Status == "success":
		return &sparkwright.Fault{
			Kind: sparkwright.FaultLost, Class: "JOB_LOST", Message: "the function says success, but there is no result",
			Remedy: "deploy the function of deploy/lambda: it knows the manifest",
		}
	default:
		return &sparkwright.Fault{
			Kind: sparkwright.FaultInfrastructure, Class: "LAMBDA_JOB_FAILED", Message: "the job failed on Lambda before it could say why",
			Because: a.Message, Remedy: "look at the function's log in CloudWatch",
		}
	}
}

func resources(because string) *sparkwright.Fault {
	return &sparkwright.Fault{
		Kind: sparkwright.FaultInfrastructure, Class: ResourceClass, Message: "the run needs more than Lambda has", Because: because,
		Remedy: "ask for the platform emr, or lower spark.file_size_threshold_mb",
	}
}

// signs of memory, disk or time that was not enough.
var signs = []string{
	"task timed out", "signal: killed", "runtime.exiterror", "out of memory", "outofmemory", "java heap space", "no space left on device",
	"exit code 137", "exitcode: 137", "memory limit",
}

func exhausted(text string) bool {
	text = strings.ToLower(text)
	for _, s := range signs {
		if strings.Contains(text, s) {
			return true
		}
	}
	return false
}

// Cancel implements sparkwright.Executor. An invocation cannot be ended from
// outside; the attempt is over for us, and its function ends with its time
// limit. What it still writes belongs to a cancelled attempt.
func (e *Executor) Cancel(ctx context.Context, h sparkwright.Handle) error {
	d, err := parse(h)
	if err != nil {
		return err
	}
	out, err := e.look(ctx, d)
	if err == nil && out.State.Final() {
		return nil
	}
	bucket, key := markOf(d)
	_, err = e.s3.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &bucket, Key: &key, ContentType: aws.String("text/plain"), Body: strings.NewReader(d.Token),
	})
	if err != nil {
		return later("the end of the attempt cannot be written to "+d.Location, err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.calls, d.Attempt) // from now on its files tell
	return nil
}

// markOf is the object that says that an attempt was cancelled. The job may
// write it too: it counts only with the token.
func markOf(d *data) (bucket, key string) {
	bucket, key, _ = awscloud.SplitS3(d.Location)
	return bucket, key + "/cancelled"
}

// cancelled reports whether a server has cancelled the attempt.
func (e *Executor) cancelled(ctx context.Context, d *data) (bool, error) {
	bucket, key := markOf(d)
	out, err := e.s3.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	if awscloud.Classify(err) == awscloud.NotFound {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer out.Body.Close() //nolint:errcheck // read only
	text, err := io.ReadAll(io.LimitReader(out.Body, int64(len(d.Token))+1))
	return err == nil && d.Token != "" && string(text) == d.Token, err
}

func (e *Executor) exists(ctx context.Context, location, name string) (bool, error) {
	bucket, key, _ := awscloud.SplitS3(location)
	key += "/" + name
	_, err := e.s3.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &bucket, Key: &key})
	if awscloud.Classify(err) == awscloud.NotFound {
		return false, nil
	}
	return err == nil, err
}

// State is the state of the function: Active when it can be called.
func (e *Executor) State(ctx context.Context, function string) (string, error) {
	out, err := e.client.GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: &function})
	if err != nil {
		return "", awscloud.Error("the state of the function "+function+" cannot be read", err)
	}
	return string(out.State), nil
}
