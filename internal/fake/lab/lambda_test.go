package lab_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sparkwright/sparkwright/internal/childproc"
	"github.com/sparkwright/sparkwright/internal/fake/awsemu"
	emr "github.com/sparkwright/sparkwright/internal/fake/emrserverless"
	"github.com/sparkwright/sparkwright/internal/localruntime"
)

// function is deploy/lambda's handler in a process of its own, driven through
// AWS's runtime interface client by a Runtime API that the test plays.
type function struct {
	events  chan string
	answers chan string
}

const runtimeAPI = "/2018-06-01/runtime/"

// startFunction starts the handler. sparkHome is Spark's, env the function's.
func startFunction(t *testing.T, sparkHome string, seconds int, env []string) *function {
	t.Helper()
	source, err := filepath.Abs(filepath.Join("..", "..", "..", "deploy", "lambda"))
	if err != nil {
		t.Fatal(err)
	}
	requirements, err := os.ReadFile(filepath.Join(source, "requirements.txt"))
	if err != nil {
		t.Fatal(err)
	}
	dir, _, err := localruntime.Venv(t.Context(), install(t), "lambda", requirements, "import awslambdaric, boto3; print(1)")
	if err != nil {
		t.Fatal(err)
	}
	f := &function{events: make(chan string), answers: make(chan string, 1)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+runtimeAPI+"invocation/next", func(w http.ResponseWriter, r *http.Request) {
		select {
		case event := <-f.events:
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Lambda-Runtime-Aws-Request-Id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd")
			w.Header().Set("Lambda-Runtime-Deadline-Ms", fmt.Sprint(time.Now().Add(time.Duration(seconds)*time.Second).UnixMilli()))
			w.Header().Set("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:123456789012:function:spark")
			_, _ = io.WriteString(w, event)
		case <-r.Context().Done():
		}
	})
	take := func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, `{"status":"OK"}`)
		f.answers <- string(text)
	}
	mux.HandleFunc("POST "+runtimeAPI+"invocation/{id}/response", take)
	mux.HandleFunc("POST "+runtimeAPI+"invocation/{id}/error", take)
	mux.HandleFunc("POST "+runtimeAPI+"init/error", take)
	api := httptest.NewServer(mux)
	python := filepath.Join(dir, "venv", "bin", "python")
	cmd := exec.Command(python, "-m", "awslambdaric", "handler.handler")
	cmd.Dir = source
	cmd.Env = append(append(os.Environ(), env...), "AWS_LAMBDA_RUNTIME_API="+strings.TrimPrefix(api.URL, "http://"), "SPARK_HOME="+sparkHome,
		"AWS_LAMBDA_FUNCTION_NAME=spark", "AWS_LAMBDA_FUNCTION_VERSION=1", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=3008", "SPARK_LOCAL_IP=127.0.0.1",
		"PYTHONDONTWRITEBYTECODE=1", "SPARK_DRIVER_MEMORY=1g")
	child, err := childproc.Start(cmd, syscall.SIGKILL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		child.Kill()
		api.CloseClientConnections()
		api.Close()
	})
	return f
}

// invoke sends an event and returns the function's answer.
func (f *function) invoke(t *testing.T, event any) (status, message, log string) {
	t.Helper()
	text, err := json.Marshal(event)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	select {
	case f.events <- string(text):
	case answer := <-f.answers:
		t.Fatalf("the function did not start: %s", answer)
	case <-ctx.Done():
		t.Fatal("the function takes no event")
	}
	select {
	case answer := <-f.answers:
		var out struct{ Status, Message, Log string }
		if decode(t, answer, &out); out.Status == "" {
			t.Fatalf("the function answered %s", answer)
		}
		return out.Status, out.Message, out.Log
	case <-ctx.Done():
		t.Fatal("the function does not answer")
	}
	return "", "", ""
}

// pythonForSpark is a Spark home whose spark-submit runs the job's file as it
// is: for what the handler does around a job.
func pythonForSpark(t *testing.T) string {
	t.Helper()
	home := t.TempDir()
	if err := os.MkdirAll(filepath.Join(home, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	script := "#!/bin/sh\nfor file; do :; done\nexec python3 \"$file\"\n"
	if err := os.WriteFile(filepath.Join(home, "bin", "spark-submit"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return home
}

func TestLambdaHandler(t *testing.T) {
	t.Parallel()
	l := plainLab(t, emr.ResultRunner{})
	f := startFunction(t, pythonForSpark(t), 60, l.Env())
	event := func(name, code string, seconds int) map[string]any {
		return map[string]any{"spark_code": code, "s3_output_path": "s3://" + awsemu.Bucket + "/output/" + name, "timeout_seconds": seconds}
	}
	for _, test := range []struct {
		name                 string
		event                map[string]any
		status, message, log string
	}{
		{"success", event("ok", "print('done')", 30), "success", "", "done"},
		{"the same once more", event("ok", "print('done')", 30), "claimed", "another invocation", ""},
		{"exit code", event("bad", "print('no'); raise SystemExit(3)", 30), "error", "the job ended with exit code 3", "no"},
		{"memory", event("mem", "print('java.lang.OutOfMemoryError: Java heap space'); raise SystemExit(1)", 30), "error", "resources: OutOfMemoryError", ""},
		{"time", event("slow", "import time; print('begun', flush=True); time.sleep(100)", 2), "error", "resources: task timed out after 2 s", "begun"},
		{"no code", map[string]any{"s3_output_path": "s3://b/k"}, "error", "no spark_code", ""},
		{"no place", map[string]any{"spark_code": "1", "s3_output_path": "s3://b"}, "error", "must be s3://", ""},
		{"the reference's payload of another handler", map[string]any{"body": map[string]any{"code": "1"}}, "error", "no spark_code", ""},
	} {
		status, message, log := f.invoke(t, test.event)
		if status != test.status || !strings.Contains(message, test.message) || !strings.Contains(log, test.log) {
			t.Errorf("%s: %s, %q, %q", test.name, status, message, log)
		}
	}
}
