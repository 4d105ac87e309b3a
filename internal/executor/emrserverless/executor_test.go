package emrserverless_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/google/go-cmp/cmp"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/executor/emrserverless"
	"github.com/sparkwright/sparkwright/internal/executortest"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const (
	appID  = "00g0oddl52n83r09"
	bucket = "spark-data-123456789012-us-east-1"
	driver = "s3://" + bucket + "/jars/postgresql-42.7.8.jar"
	secret = "arn:aws:secretsmanager:us-east-1:123456789012:secret:spark/postgres/aurora-1f2e3d4c-AbCdEf"
)

func newExecutor(c *cloud, change ...func(*emrserverless.Config)) *emrserverless.Executor {
	cfg := emrserverless.Config{
		AWS: aws.Config{
			Region: "us-east-1", BaseEndpoint: &c.URL, RetryMaxAttempts: 1,
			Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
		},
		Instance: "swtest", Bucket: bucket, ExecutorMemory: "4g", ExecutorCores: 2, TimeoutMinutes: 10,
		LogGroup: "/aws/emr-serverless", Interval: time.Millisecond, Log: slog.New(slog.DiscardHandler),
	}
	for _, f := range change {
		f(&cfg)
	}
	return emrserverless.New(cfg)
}

func newJob(id string) sparkwright.Job {
	return sparkwright.Job{
		Attempt:   sparkwright.Attempt{ID: id + "-1", RunID: id, Number: 1, Script: "print('" + id + "')\n", StartedAt: time.Now().UTC()},
		Location:  "s3://" + bucket + "/output/s1/" + id + "/1",
		Placement: sparkwright.Placement{Executor: emrserverless.Name, Application: appID, Driver: driver},
		Access:    sparkwright.Access{Secrets: []string{secret}},
	}
}

func mustSubmit(t *testing.T, e *emrserverless.Executor, job sparkwright.Job) sparkwright.Handle {
	t.Helper()
	h, err := e.Submit(t.Context(), job)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// poll asks until the state is as fresh as the cloud's.
func poll(t *testing.T, e *emrserverless.Executor, h sparkwright.Handle, sink *executortest.Sink) sparkwright.Outcome {
	t.Helper()
	e.Wait(t.Context(), h)
	out, err := e.Poll(t.Context(), h, sink)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (c *cloud) job(n int) *job {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.jobs[n]
}

func (c *cloud) change(do func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	do()
}

// finish leaves what a job that succeeds leaves.
func (c *cloud) finish(job sparkwright.Job) {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := strings.TrimPrefix(job.Location, "s3://")
	part := []byte("PAR1 not really PAR1")
	sum := sha256.Sum256(part)
	c.objects[key+"/data/part-00000.parquet"] = part
	c.objects[key+"/data/_SUCCESS"] = nil
	c.objects[key+"/manifest.json"] = []byte(fmt.Sprintf(
		`{"version":1,"run_id":%q,"attempt_id":%q,"location":%q,"schema":[{"name":"a","type":"int"}],"row_count":1,"truncated":false,"preview":[[1]],`+
			`"parts":[{"path":"data/part-00000.parquet","rows":1,"bytes":%d,"sha256":%q,"etag":%q}]}`,
		job.Attempt.RunID, job.Attempt.ID, job.Location, len(part), hex.EncodeToString(sum[:]), etag(part)))
}

// The requests, whole: what is started, as whom, with what and what it may do.
func TestStartJobRunGolden(t *testing.T) {
	t.Parallel()
	sized := func(cfg *emrserverless.Config) {
		cfg.DriverMemory, cfg.DriverCores, cfg.ExecutorMemory, cfg.ExecutorCores = "8g", 4, "16g", 8
		cfg.RoleARN, cfg.LogGroup = "arn:aws-us-gov:iam::123456789012:role/own", ""
	}
	// Jobs that read PostgreSQL keep the role that may read its secret.
	roles := func(cfg *emrserverless.Config) {
		cfg.StandardRoleARN = "arn:aws:iam::123456789012:role/EMRServerlessStandardRole"
	}
	standard := newJob("r_glue")
	standard.Placement.Application, standard.Placement.Driver = "00fv6g7rptsov009", ""
	standard.Access = sparkwright.Access{
		Glue: []sparkwright.GlueTable{{Database: "lake", Table: "clicks"}}, Prefixes: []string{"s3://lake/clicks/"},
	}
	mixed := newJob("r_mixed")
	mixed.Access.Glue, mixed.Access.Prefixes = standard.Access.Glue, []string{"s3://lake/clicks/", "s3://other/rates.csv"}
	postgres := newJob("r_pg")
	postgres.Modules = "s3://" + bucket + "/scripts/0f1e2d3c.zip"
	iam := newJob("r_iam")
	iam.Access = sparkwright.Access{Logins: []sparkwright.RDSLogin{{Region: "us-east-1", User: "reporter"}}}
	many := newJob("r_many")
	many.Access = sparkwright.Access{}
	for i := range 60 {
		name := fmt.Sprintf("table_with_a_long_name_%02d", i)
		many.Access.Glue = append(many.Access.Glue, sparkwright.GlueTable{Database: "lake", Table: name})
		many.Access.Prefixes = append(many.Access.Prefixes, "s3://lake/"+name+"/")
	}
	for _, tt := range []struct {
		name   string
		job    sparkwright.Job
		change func(*emrserverless.Config)
	}{
		{"postgres", postgres, roles},
		{"standard", standard, func(*emrserverless.Config) {}},
		{"standard_role", standard, roles},
		{"mixed", mixed, roles},
		{"iam", iam, func(*emrserverless.Config) {}},
		{"many_tables", many, func(*emrserverless.Config) {}},
		{"sized", newJob("r_sized"), sized},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := newCloud(t)
			mustSubmit(t, newExecutor(c, tt.change), tt.job)
			request := c.started[0]
			policy := request["executionIamPolicy"].(map[string]any)
			if n := len(policy["policy"].(string)); n > 2048 {
				t.Errorf("the policy has %d characters; AWS takes 2048", n)
			}
			var readable any
			if err := json.Unmarshal([]byte(policy["policy"].(string)), &readable); err != nil {
				t.Fatal(err)
			}
			policy["policy"] = readable
			got, err := json.MarshalIndent(request, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, '\n')
			path := filepath.Join("testdata", tt.name+".json.golden")
			if *update {
				if err = os.WriteFile(path, got, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Error(diff)
			}
			key := strings.TrimPrefix(request["jobDriver"].(map[string]any)["sparkSubmit"].(map[string]any)["entryPoint"].(string), "s3://")
			if string(c.objects[key]) != tt.job.Attempt.Script {
				t.Errorf("the script is not at %s", key)
			}
		})
	}
}

func TestStates(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	e := newExecutor(c)
	job := newJob("r_states")
	h := mustSubmit(t, e, job)
	sink := &executortest.Sink{}
	for _, tt := range []struct {
		state string
		want  sparkwright.AttemptState
	}{
		{"SUBMITTED", sparkwright.AttemptSubmitted},
		{"PENDING", sparkwright.AttemptSubmitted},
		{"QUEUED", sparkwright.AttemptSubmitted},
		{"SCHEDULED", sparkwright.AttemptSubmitted},
		{"RUNNING", sparkwright.AttemptRunning},
		{"CANCELLING", sparkwright.AttemptCancelling},
		{"SOMETHING_NEW", sparkwright.AttemptRunning},
	} {
		c.change(func() { c.jobs[0].set(tt.state, "because "+tt.state) })
		if out := poll(t, e, h, sink); out.State != tt.want || out.Fault != nil {
			t.Errorf("%s: %+v, want %s", tt.state, out, tt.want)
		}
		if !strings.Contains(sink.Text(), tt.state+": because "+tt.state) {
			t.Errorf("%s and its details are not told: %s", tt.state, sink.Text())
		}
	}
	c.finish(job)
	c.change(func() { c.jobs[0].set("SUCCESS", "") })
	if out := poll(t, e, h, sink); out.State != sparkwright.AttemptSucceeded {
		t.Errorf("SUCCESS with a manifest: %+v", out)
	} else if diff := cmp.Diff(&sparkwright.Cost{Seconds: 42, VCPUHours: 0.5, MemoryHours: 2}, out.Billed); diff != "" {
		t.Errorf("billed: %s", diff)
	}
}

func TestOutcomes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, state, details string
		leave                func(c *cloud, job sparkwright.Job)
		want                 sparkwright.AttemptState
		kind                 sparkwright.FaultKind
		class, because       string
	}{
		{name: "success without a manifest", state: "SUCCESS", want: "failed", kind: "lost", class: "JOB_LOST"},
		{
			name: "success, and a part was changed", state: "SUCCESS", want: "failed", kind: "lost", class: "JOB_LOST",
			leave: func(c *cloud, job sparkwright.Job) {
				c.finish(job)
				c.change(func() {
					c.objects[strings.TrimPrefix(job.Location, "s3://")+"/data/part-00000.parquet"] = []byte("PAR1 not really PAR2")
				})
			},
		},
		{
			name: "success, and a part too many", state: "SUCCESS", want: "failed", kind: "lost", class: "JOB_LOST",
			leave: func(c *cloud, job sparkwright.Job) {
				c.finish(job)
				c.change(func() { c.objects[strings.TrimPrefix(job.Location, "s3://")+"/data/part-00001.parquet"] = []byte("x") })
			},
		},
		{
			name: "a fault of the code", state: "FAILED", details: "Job failed, please check complete logs", want: "failed", class: "UNRESOLVED_COLUMN",
			because: "Job failed, please check complete logs",
			leave: func(c *cloud, job sparkwright.Job) {
				c.change(func() {
					c.objects[strings.TrimPrefix(job.Location, "s3://")+"/fault.json"] = []byte(`{"class":"UNRESOLVED_COLUMN","message":"no such column","line":2}`)
				})
			},
		},
		{name: "no fault", state: "FAILED", details: "ExitCode: 137", want: "failed", kind: "infrastructure", class: "EMR_JOB_FAILED", because: "ExitCode: 137"},
		{name: "timeout", state: "FAILED", details: "Job execution timed out after 10 minutes", want: "failed", kind: "timeout", class: "ATTEMPT_TIMEOUT"},
		{name: "cancelled by its limit", state: "CANCELLED", details: "Job timeout", want: "failed", kind: "timeout", class: "ATTEMPT_TIMEOUT"},
		{name: "a connection that timed out is no time limit", state: "FAILED", details: "Connect to logs.us-east-1.amazonaws.com:443 failed: connect timed out", want: "failed", kind: "infrastructure", class: "EMR_JOB_FAILED"},
		{name: "cancelled", state: "CANCELLED", details: "by customer", want: "cancelled", kind: "cancelled", class: "CANCELLED"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := newCloud(t)
			e, job := newExecutor(c), newJob("r_out")
			h := mustSubmit(t, e, job)
			if tt.leave != nil {
				tt.leave(c, job)
			}
			c.change(func() {
				c.jobs[0].set(tt.state, tt.details)
				c.streams["applications/"+appID+"/jobs/00job1/SPARK_DRIVER/stderr"] = []string{"Traceback", "last words"}
			})
			out := poll(t, e, h, &executortest.Sink{})
			if out.State != tt.want || out.Fault == nil {
				t.Fatalf("%+v, want %s", out, tt.want)
			}
			if out.Fault.Kind != tt.kind || out.Fault.Class != tt.class || tt.because != "" && out.Fault.Because != tt.because {
				t.Errorf("fault %+v", out.Fault)
			}
			if !strings.Contains(out.Fault.Log, "last words") {
				t.Errorf("the fault has no log: %q", out.Fault.Log)
			}
		})
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	e, job := newExecutor(c), newJob("r_cancel")
	h := mustSubmit(t, e, job)
	c.change(func() {
		c.jobs[0].set("RUNNING", "")
		c.before = func(op string, w http.ResponseWriter, n int) bool { // the first wish is lost
			return op == "CancelJobRun" && n == 1 && fail(w, http.StatusTooManyRequests, "ThrottlingException")
		}
	})
	for range 2 { // safe twice
		if err := e.Cancel(t.Context(), h); err != nil {
			t.Fatal(err)
		}
	}
	if out := poll(t, e, h, &executortest.Sink{}); out.State != sparkwright.AttemptCancelled {
		t.Errorf("%+v", out)
	}
	// A job that does not stop: the wish has to be repeated.
	h = mustSubmit(t, e, newJob("r_stubborn"))
	c.change(func() {
		c.jobs[1].set("CANCELLING", "")
		c.before = func(op string, w http.ResponseWriter, _ int) bool {
			return op == "CancelJobRun" && fail(w, http.StatusConflict, "ConflictException")
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	var later *sparkwright.LaterError
	if err := e.Cancel(ctx, h); !errors.As(err, &later) {
		t.Errorf("error %v; want to be asked again", err)
	}
}

// The states of many runs cost one list, not one request each.
func TestPollsAreBatched(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	e := newExecutor(c, func(cfg *emrserverless.Config) { cfg.Interval = time.Hour })
	const runs = 30
	handles := make([]sparkwright.Handle, runs)
	for i := range handles {
		handles[i] = mustSubmit(t, e, newJob(fmt.Sprintf("r_many%d", i)))
	}
	c.change(func() { c.calls = map[string]int{} })
	var wg sync.WaitGroup
	for _, h := range handles {
		wg.Go(func() {
			if _, err := e.Poll(t.Context(), h, &executortest.Sink{}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if c.calls["ListJobRuns"] != runs/2 || c.calls["GetJobRun"] != 0 { // pages of two
		t.Errorf("%d lists, %d single requests for %d runs", c.calls["ListJobRuns"], c.calls["GetJobRun"], runs)
	}
}

// Only what bears this installation's name and nobody claims is cancelled.
func TestSweep(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	e := newExecutor(c)
	for _, id := range []string{"r_mine", "r_orphan", "r_young"} {
		mustSubmit(t, e, newJob(id))
	}
	c.change(func() {
		for i, j := range c.jobs {
			j.set("RUNNING", "")
			if i < 2 {
				j.created = time.Now().Add(-time.Hour)
			}
		}
		c.jobs = append(c.jobs, &job{id: "00other", name: "somebody-else", state: "RUNNING", created: time.Now().Add(-time.Hour)})
	})
	got, err := e.Sweep(t.Context(), []string{appID}, func(_ context.Context, attempt string) (bool, error) { return attempt == "r_mine-1", nil })
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"swtest-r_orphan-1"}, got); diff != "" {
		t.Error(diff)
	}
	for i, want := range []string{"RUNNING", "CANCELLED", "RUNNING", "RUNNING"} {
		if s := c.job(i).state; s != want {
			t.Errorf("%s is %s, want %s", c.job(i).name, s, want)
		}
	}
}
