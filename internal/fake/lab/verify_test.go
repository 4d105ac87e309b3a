package lab_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/fake/awsemu"
	emr "github.com/sparkwright/sparkwright/internal/fake/emrserverless"
	"github.com/sparkwright/sparkwright/internal/jobscript"
	"github.com/sparkwright/sparkwright/internal/verify"
)

// The check believes AWS, not the answer: each thing that is missing there is
// a line that fails.
func TestVerifyLooksAtAWS(t *testing.T) {
	t.Parallel()
	l := plainLab(t, emr.ResultRunner{})
	job := awsJob(t, "r-verify", awsemu.PostgresApp, awsemu.DriverURL, jobscript.AWSSpec{Analysis: "result = spark.range(1)"})
	if out, told := run(t, executor(l), job); out.State != sparkwright.AttemptSucceeded {
		t.Fatalf("%+v\n%s", out.Fault, told.text.String())
	}
	good := map[string]any{
		"spark_code": "jdbc:postgresql://h get_secret_value", "execution_result": "success", "run_id": "r-verify", "s3_output_path": job.Location,
	}
	with := func(key, value string) map[string]any {
		out := map[string]any{}
		maps.Copy(out, good)
		out[key] = value
		return out
	}
	for _, test := range []struct {
		name   string
		status int
		result map[string]any
		app    string
		failed []string // beginnings of the lines that fail
	}{
		{"all is there", 200, good, awsemu.PostgresApp, nil},
		{"a status", 500, good, awsemu.PostgresApp, []string{"Status: 500"}},
		{"no secret in the code", 200, with("spark_code", "jdbc:postgresql"), awsemu.PostgresApp, []string{"JDBC: ✓, Secrets: ✗"}},
		{"a failure", 200, with("execution_result", "failed"), awsemu.PostgresApp, []string{"Result: failed", "Message"}},
		{"a run without a job", 200, with("run_id", "r-none"), awsemu.PostgresApp, []string{"Job run: none"}},
		{"no result objects", 200, with("s3_output_path", "s3://"+awsemu.Bucket+"/none"), awsemu.PostgresApp, []string{"Result objects"}},
		{"a local result", 200, with("s3_output_path", "file:///tmp/x"), awsemu.PostgresApp, []string{"Result objects"}},
		{"another application", 200, good, awsemu.StandardApp, []string{"Application", "Job run: none"}},
	} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(test.status)
			_ = json.NewEncoder(w).Encode(map[string]any{"success": true, "result": test.result})
		}))
		lines, err := verify.Postgres(t.Context(), l.Config(), verify.Request{URL: srv.URL, Application: test.app, Question: "q"})
		srv.Close()
		if err != nil {
			t.Fatal(err)
		}
		var failed []string
		for _, line := range lines {
			if !line.OK {
				failed = append(failed, line.Text)
			}
		}
		ok := len(failed) == len(test.failed)
		for i := range test.failed {
			ok = ok && strings.HasPrefix(failed[i], test.failed[i])
		}
		if !ok {
			t.Errorf("%s: failed are %q, want %q; all: %+v", test.name, failed, test.failed, lines)
		}
	}
	_, err := verify.Postgres(t.Context(), l.Config(), verify.Request{URL: "http://127.0.0.1:1", Application: awsemu.PostgresApp})
	if sparkwright.ErrorCode(err) != sparkwright.CodeUnavailable {
		t.Errorf("no server: %v", err)
	}
}
