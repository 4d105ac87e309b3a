package emrserverless_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/emrserverless"
	"github.com/aws/aws-sdk-go-v2/service/emrserverless/types"
	"github.com/google/go-cmp/cmp"

	emr "github.com/sparkwright/sparkwright/internal/fake/emrserverless"
)

func TestJobRunsToItsEnd(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		runner  emr.Runner
		state   types.JobRunState
		details string
	}{
		{"success", emr.ResultRunner{}, types.JobRunStateSuccess, ""},
		{"failure", emr.ResultRunner{Code: 3}, types.JobRunStateFailed, "ExitCode: 3. Last few exceptions: java.lang.IllegalStateException"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, func(c *emr.Config) { c.Runner = test.runner })
			id := b.start(t, job("t1"))
			got := b.wait(t, id)
			if got.State != test.state || !strings.Contains(aws.ToString(got.StateDetails), test.details) {
				t.Errorf("%s, %q", got.State, aws.ToString(got.StateDetails))
			}
			if aws.ToString(got.ExecutionRole) != roleARN || aws.ToString(got.Name) != "run-t1" || got.CreatedAt == nil || got.EndedAt == nil {
				t.Errorf("incomplete: %+v", got)
			}
			if diff := cmp.Diff(map[string]string{"sparkwright:run": "t1"}, got.Tags); diff != "" {
				t.Error(diff)
			}
			if aws.ToInt64(got.ExecutionTimeoutMinutes) != 720 || aws.ToInt32(got.Attempt) != 1 {
				t.Errorf("timeout %v, attempt %v", got.ExecutionTimeoutMinutes, got.Attempt)
			}
		})
	}
}

// All nine states of the model are reached.
func TestNineStates(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *emr.Config) {
		c.Runner = emr.ResultRunner{Takes: 50 * time.Millisecond}
		c.Timing.Step = 100 * time.Millisecond
	})
	if err := b.server.AddApplication("00limited", json.RawMessage(
		`{"releaseLabel":"emr-7.9.0","type":"SPARK","schedulerConfiguration":{"maxConcurrentRuns":1}}`)); err != nil {
		t.Fatal(err)
	}
	seen := map[types.JobRunState]bool{}
	watch := func(application, token string, cancel bool) {
		in := job(token)
		in.ApplicationId = &application
		id := b.start(t, in)
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		for end := time.Now().Add(patient); time.Now().Before(end); <-tick.C {
			out, err := b.client.GetJobRun(t.Context(), &emrserverless.GetJobRunInput{ApplicationId: &application, JobRunId: &id})
			if err != nil {
				t.Fatal(err)
			}
			seen[out.JobRun.State] = true
			switch out.JobRun.State {
			case types.JobRunStateRunning:
				if cancel {
					cancel = false
					if _, err := b.client.CancelJobRun(t.Context(), &emrserverless.CancelJobRunInput{ApplicationId: &application, JobRunId: &id}); err != nil {
						t.Fatal(err)
					}
				}
			case types.JobRunStateSuccess, types.JobRunStateFailed, types.JobRunStateCancelled:
				return
			default:
			}
		}
	}
	watch(app, "a", false)
	first := job("b")
	first.ApplicationId = aws.String("00limited")
	b.start(t, first)
	watch("00limited", "c", false)
	for i := range 20 { // CANCELLING is short
		watch(app, fmt.Sprintf("d%d", i), true)
		if seen[types.JobRunStateCancelling] {
			break
		}
	}
	f := setup(t, func(c *emr.Config) { c.Runner = emr.ResultRunner{Code: 1} })
	seen[f.wait(t, f.start(t, job("f"))).State] = true
	for _, s := range types.JobRunState("").Values() {
		if !seen[s] {
			t.Errorf("%s was never seen", s)
		}
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *emr.Config) { c.Runner = emr.ResultRunner{Takes: time.Hour} })
	id := b.start(t, job("c"))
	b.until(t, id, types.JobRunStateRunning)
	cancel := func() error {
		_, err := b.client.CancelJobRun(t.Context(), &emrserverless.CancelJobRunInput{ApplicationId: aws.String(app), JobRunId: &id})
		return err
	}
	if err := cancel(); err != nil {
		t.Fatal(err)
	}
	if got := b.wait(t, id); got.State != types.JobRunStateCancelled {
		t.Errorf("%s after the cancel", got.State)
	}
	if got := errorCode(cancel()); got != "ValidationException" {
		t.Errorf("cancel of a cancelled job: %q", got)
	}
}

func TestTimeout(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *emr.Config) {
		c.Runner, c.Timing.Minute = emr.ResultRunner{Takes: time.Hour}, 20*time.Millisecond
	})
	in := job("slow")
	in.ExecutionTimeoutMinutes = aws.Int64(1)
	got := b.wait(t, b.start(t, in))
	if got.State != types.JobRunStateCancelled || !strings.Contains(aws.ToString(got.StateDetails), "executionTimeoutMinutes") {
		t.Errorf("%s, %q", got.State, aws.ToString(got.StateDetails))
	}
}

func TestRetries(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *emr.Config) { c.Runner = emr.ResultRunner{Code: 1} })
	in := job("again")
	in.RetryPolicy = &types.RetryPolicy{MaxAttempts: aws.Int32(3)}
	id := b.start(t, in)
	if got := b.wait(t, id); got.State != types.JobRunStateFailed || aws.ToInt32(got.Attempt) != 3 {
		t.Errorf("%s, attempt %d", got.State, aws.ToInt32(got.Attempt))
	}
	out, err := b.client.ListJobRunAttempts(t.Context(), &emrserverless.ListJobRunAttemptsInput{ApplicationId: aws.String(app), JobRunId: &id})
	if err != nil || len(out.JobRunAttempts) != 3 {
		t.Fatalf("attempts: %+v, %v", out, err)
	}
	for i, a := range out.JobRunAttempts {
		if aws.ToInt32(a.Attempt) != int32(i+1) || a.State != types.JobRunStateFailed {
			t.Errorf("attempt %d: %+v", i+1, a)
		}
	}
}
