package lambda_test

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/google/go-cmp/cmp"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/executor/lambda"
	"github.com/sparkwright/sparkwright/internal/executortest"
)

const location = "s3://data/output/s1/r_l/1"

// function is a Lambda of one function, and an S3, in their wire shapes.
type function struct {
	*httptest.Server

	mu      sync.Mutex
	objects map[string][]byte
	invoked []map[string]any
	refuse  []int                                              // statuses of the first calls
	do      func(f *function) (functionError string, body any) // what the function does
	hold    chan struct{}                                      // closed = the function may answer; nil = at once
}

func newFunction(t *testing.T, do func(f *function) (string, any)) *function {
	t.Helper()
	f := &function{objects: map[string][]byte{}, do: do}
	f.Server = httptest.NewServer(http.HandlerFunc(f.serve))
	t.Cleanup(f.Close)
	return f
}

func (f *function) put(name, content string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.objects[strings.TrimPrefix(location, "s3://")+"/"+name] = []byte(content)
}

// result leaves what a job that succeeds leaves.
func (f *function) result() {
	part := "PAR1"
	sum, tag := sha256.Sum256([]byte(part)), md5.Sum([]byte(part))
	f.put("data/part-0.parquet", part)
	f.put("manifest.json", fmt.Sprintf(`{"version":1,"run_id":"r_l","attempt_id":"r_l-1","location":%q,"schema":[{"name":"a","type":"int"}],"row_count":1,`+
		`"truncated":false,"preview":[[1]],"parts":[{"path":"data/part-0.parquet","rows":1,"bytes":4,"sha256":%q,"etag":%q}]}`,
		location, hex.EncodeToString(sum[:]), hex.EncodeToString(tag[:])))
}

func (f *function) serve(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	if strings.HasSuffix(r.URL.Path, "/invocations") {
		f.invocation(w, body)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	path := strings.Trim(r.URL.Path, "/")
	switch {
	case strings.HasSuffix(path, "/configuration"):
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"State":"Active"}`)
	case r.Method == http.MethodPut:
		f.objects[path] = body
	case r.URL.Query().Get("list-type") == "2":
		w.Header().Set("Content-Type", "application/xml")
		_, _ = io.WriteString(w, "<ListBucketResult>")
		for k, v := range f.objects {
			if key := strings.TrimPrefix(k, "data/"); strings.HasPrefix(key, r.URL.Query().Get("prefix")) {
				sum := md5.Sum(v)
				_, _ = fmt.Fprintf(w, `<Contents><Key>%s</Key><Size>%d</Size><ETag>"%x"</ETag></Contents>`, key, len(v), sum)
			}
		}
		_, _ = io.WriteString(w, "</ListBucketResult>")
	default:
		content, ok := f.objects[path]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, `<Error><Code>NoSuchKey</Code></Error>`)
			return
		}
		_, _ = w.Write(content)
	}
}

func (f *function) invocation(w http.ResponseWriter, body []byte) {
	f.mu.Lock()
	if len(f.refuse) > 0 {
		status := f.refuse[0]
		f.refuse = f.refuse[1:]
		f.mu.Unlock()
		w.Header().Set("X-Amzn-ErrorType", "TooManyRequestsException")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, `{"message":"Rate Exceeded."}`)
		return
	}
	var in map[string]any
	_ = json.Unmarshal(body, &in)
	f.invoked = append(f.invoked, in)
	hold := f.hold
	f.mu.Unlock()
	if hold != nil {
		<-hold
	}
	functionError, answer := f.do(f)
	if functionError != "" {
		w.Header().Set("X-Amz-Function-Error", functionError)
	}
	_ = json.NewEncoder(w).Encode(answer)
}

func (f *function) executor() *lambda.Executor {
	return lambda.New(lambda.Config{
		AWS: aws.Config{
			Region: "us-east-1", BaseEndpoint: &f.URL, RetryMaxAttempts: 1, Credentials: credentials.NewStaticCredentialsProvider("a", "b", ""),
		},
		Timeout: 5 * time.Minute, Every: 10 * time.Millisecond, Log: slog.New(slog.DiscardHandler),
	})
}

func job() sparkwright.Job {
	return sparkwright.Job{
		Attempt:   sparkwright.Attempt{ID: "r_l-1", RunID: "r_l", Number: 1, Script: "print(1)\n", StartedAt: time.Now().UTC()},
		Location:  location,
		Placement: sparkwright.Placement{Executor: lambda.Name, Application: "sparkOnLambda"},
	}
}

func submit(t *testing.T, e *lambda.Executor, j sparkwright.Job) sparkwright.Handle {
	t.Helper()
	h, err := e.Submit(t.Context(), j)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func answer(status, message string) map[string]any {
	return map[string]any{"status": status, "message": message, "log": "last words\n"}
}

func TestOutcomes(t *testing.T) {
	t.Parallel()
	thrown := func(kind, message string) func(*function) (string, any) {
		return func(*function) (string, any) {
			return "Unhandled", map[string]string{"errorType": kind, "errorMessage": message}
		}
	}
	for _, tt := range []struct {
		name  string
		do    func(f *function) (string, any)
		want  sparkwright.AttemptState
		class string
	}{
		{name: "success", want: "succeeded", do: func(f *function) (string, any) { f.result(); return "", answer("success", "") }},
		{name: "the result counts, not the answer", want: "succeeded", do: func(f *function) (string, any) { f.result(); return "", answer("error", "?") }},
		{name: "success without a result", want: "failed", class: "JOB_LOST", do: func(*function) (string, any) { return "", answer("success", "") }},
		{name: "a part is missing", want: "failed", class: "JOB_LOST", do: func(f *function) (string, any) {
			f.result()
			f.mu.Lock()
			defer f.mu.Unlock()
			delete(f.objects, strings.TrimPrefix(location, "s3://")+"/data/part-0.parquet")
			return "", answer("success", "")
		}},
		{name: "a fault of the code", want: "failed", class: "UNRESOLVED_COLUMN", do: func(f *function) (string, any) {
			f.put("fault.json", `{"class":"UNRESOLVED_COLUMN","message":"no such column","line":2}`)
			return "", answer("error", "exit code 1")
		}},
		{name: "a job cannot have been cancelled by itself", want: "failed", class: "CANCELLED", do: func(f *function) (string, any) {
			f.put("cancelled", "")
			f.put("fault.json", `{"kind":"cancelled","class":"CANCELLED","message":"the run was cancelled"}`)
			return "", answer("error", "exit code 1")
		}},
		{name: "function error", want: "failed", class: "LAMBDA_FUNCTION_ERROR", do: thrown("KeyError", "'body'")},
		{name: "timed out", want: "failed", class: lambda.ResourceClass, do: thrown("Sandbox.Timedout", "RequestId: x Error: Task timed out after 300.00 seconds")},
		{name: "killed", want: "failed", class: lambda.ResourceClass, do: thrown("Runtime.ExitError", "RequestId: x Error: Runtime exited with error: signal: killed")},
		{name: "disk full", want: "failed", class: lambda.ResourceClass, do: func(*function) (string, any) { return "", answer("error", "No space left on device") }},
		{name: "out of memory in Spark", want: "failed", class: lambda.ResourceClass, do: func(f *function) (string, any) {
			f.put("fault.json", `{"class":"Py4JJavaError","message":"java.lang.OutOfMemoryError: Java heap space"}`)
			return "", answer("error", "exit code 1")
		}},
		{name: "an old function", want: "failed", class: "LAMBDA_JOB_FAILED", do: func(*function) (string, any) {
			return "", map[string]any{"statusCode": 500, "body": "'body'"}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFunction(t, tt.do)
			f.refuse = []int{429} // throttled first
			e := f.executor()
			out := executortest.Finish(t, e, submit(t, e, job()), &executortest.Sink{})
			if out.State != tt.want || tt.class != "" && (out.Fault == nil || out.Fault.Class != tt.class) {
				t.Errorf("%+v, fault %+v; want %s %s", out, out.Fault, tt.want, tt.class)
			}
			want := []map[string]any{{
				"spark_code": "print(1)\n", "s3_output_path": location, "run_id": "r_l", "attempt_id": "r_l-1", "timeout_seconds": 300.0,
			}}
			if diff := cmp.Diff(want, f.invoked); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// One invocation for one attempt, also by another process, which follows it by
// what lies in S3.
func TestAfterARestart(t *testing.T) {
	t.Parallel()
	f := newFunction(t, func(f *function) (string, any) { f.result(); return "", answer("success", "") })
	f.hold = make(chan struct{})
	first := f.executor()
	h := submit(t, first, job())
	submit(t, first, job())
	f.put("claim.json", "{}")
	other := f.executor()
	again := submit(t, other, job())
	if out, err := other.Poll(t.Context(), again, &executortest.Sink{}); err != nil || out.State != sparkwright.AttemptRunning {
		t.Errorf("while it runs: %+v, %v", out, err)
	}
	close(f.hold)
	if out := executortest.Finish(t, first, h, &executortest.Sink{}); out.State != sparkwright.AttemptSucceeded {
		t.Errorf("%+v", out)
	}
	if out := executortest.Finish(t, other, again, &executortest.Sink{}); out.State != sparkwright.AttemptSucceeded {
		t.Errorf("the other process: %+v", out)
	}
	if len(f.invoked) != 1 {
		t.Errorf("invoked %d times", len(f.invoked))
	}
	// A claim without a result, long after its time: the function was killed.
	dead := job()
	dead.Attempt.StartedAt = time.Now().Add(-time.Hour)
	f.mu.Lock()
	delete(f.objects, strings.TrimPrefix(location, "s3://")+"/manifest.json")
	f.mu.Unlock()
	out, err := other.Poll(t.Context(), submit(t, f.executor(), dead), &executortest.Sink{})
	if err != nil || out.State != sparkwright.AttemptFailed || out.Fault.Class != lambda.ResourceClass {
		t.Errorf("a dead function: %+v, %v", out, err)
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	f := newFunction(t, func(*function) (string, any) { return "", answer("success", "") })
	f.hold = make(chan struct{})
	defer close(f.hold)
	e := f.executor()
	h := submit(t, e, job())
	for range 2 {
		if err := e.Cancel(t.Context(), h); err != nil {
			t.Fatal(err)
		}
	}
	for _, who := range []*lambda.Executor{e, f.executor()} {
		if out, err := who.Poll(t.Context(), h, &executortest.Sink{}); err != nil || out.State != sparkwright.AttemptCancelled {
			t.Errorf("%+v, %v", out, err)
		}
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	f := newFunction(t, nil)
	e := f.executor()
	postgres := job()
	postgres.Access.Secrets = []string{"arn:x"}
	if _, err := e.Submit(t.Context(), postgres); err == nil {
		t.Error("PostgreSQL was taken")
	}
	if _, err := e.Poll(t.Context(), sparkwright.Handle{Version: 1, Executor: "other"}, &executortest.Sink{}); sparkwright.ErrorCode(err) != sparkwright.CodeInvalid {
		t.Errorf("a foreign handle: %v", err)
	}
	f.Close()
	var later *sparkwright.LaterError
	if _, err := e.Submit(t.Context(), job()); !errors.As(err, &later) {
		t.Errorf("AWS does not answer: %v; want to be asked again", err)
	}
	if len(f.invoked) != 0 {
		t.Errorf("invoked %d times", len(f.invoked))
	}
}
