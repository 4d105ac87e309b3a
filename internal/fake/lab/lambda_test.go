package lab_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/sparkwright/sparkwright/internal/fake/awsemu"
	emr "github.com/sparkwright/sparkwright/internal/fake/emrserverless"
	"github.com/sparkwright/sparkwright/internal/fake/lab"
	fakelambda "github.com/sparkwright/sparkwright/internal/fake/lambda"
)

// function is deploy/lambda's handler on an emulated Lambda.
type function struct{ client *lambda.Client }

// startFunction starts the handler. sparkHome is Spark's, env the function's.
func startFunction(t *testing.T, l *lab.Lab, sparkHome string, limit time.Duration, env []string) *function {
	t.Helper()
	source, err := filepath.Abs(filepath.Join("..", "..", "..", "deploy", "lambda"))
	if err != nil {
		t.Fatal(err)
	}
	f, err := fakelambda.Start(t.Context(), fakelambda.Config{
		Install: install(t), Source: source, SparkHome: sparkHome, Env: append(env, "SPARK_DRIVER_MEMORY=1g"), Timeout: limit,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	cfg := l.Config()
	cfg.BaseEndpoint = aws.String(f.URL())
	return &function{lambda.NewFromConfig(cfg)}
}

// invoke sends an event and returns the function's answer.
func (f *function) invoke(t *testing.T, event any) (status, message, log string) {
	t.Helper()
	text, err := json.Marshal(event)
	if err != nil {
		t.Fatal(err)
	}
	got, err := f.client.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String(fakelambda.Function), Payload: text})
	if err != nil {
		t.Fatal(err)
	}
	var out struct{ Status, Message, Log string }
	if decode(t, string(got.Payload), &out); out.Status == "" || got.FunctionError != nil {
		t.Fatalf("the function answered %s", got.Payload)
	}
	return out.Status, out.Message, out.Log
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
	f := startFunction(t, l, pythonForSpark(t), time.Minute, l.Env())
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
