package emrserverless_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/executortest"
)

// One job for one attempt, whatever happens to the answer of StartJobRun.
func TestOneJobForOneAttempt(t *testing.T) {
	t.Parallel()
	for _, forgets := range []bool{false, true} {
		t.Run(fmt.Sprintf("tokens forgotten %v", forgets), func(t *testing.T) {
			t.Parallel()
			c := newCloud(t)
			c.forgets = forgets
			c.after = func(op string, n int) bool { return op == "StartJobRun" && n == 1 } // accepted, the answer is lost
			job := newJob("r_once")
			var later *sparkwright.LaterError
			if _, err := newExecutor(c).Submit(t.Context(), job); !errors.As(err, &later) {
				t.Fatalf("error %v; want to be asked again", err)
			}
			job.Again = true
			first := mustSubmit(t, newExecutor(c), job) // another process
			again := mustSubmit(t, newExecutor(c), job)
			if string(first.Data) != string(again.Data) || len(c.jobs) != 1 {
				t.Errorf("%d jobs; handles %s, %s", len(c.jobs), first.Data, again.Data)
			}
		})
	}
}

// Another process finds the job by its handle alone.
func TestAdoption(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	job := newJob("r_adopt")
	h := mustSubmit(t, newExecutor(c), job)
	c.change(func() {
		c.jobs[0].set("RUNNING", "")
		c.jobs[0].created = time.Now().Add(-20 * 24 * time.Hour) // older than the list goes back
	})
	other := newExecutor(c)
	if out := poll(t, other, h, &executortest.Sink{}); out.State != sparkwright.AttemptRunning {
		t.Errorf("%+v", out)
	}
	gone := h
	gone.Data = json.RawMessage(strings.ReplaceAll(string(h.Data), "00job1", "00job9"))
	if out := poll(t, other, gone, &executortest.Sink{}); out.State != sparkwright.AttemptLost {
		t.Errorf("an unknown job: %+v", out)
	}
	if err := other.Cancel(t.Context(), gone); err != nil {
		t.Errorf("cancel of an unknown job: %v", err)
	}
	if _, err := other.Poll(t.Context(), sparkwright.Handle{Version: 1, Executor: "other"}, &executortest.Sink{}); sparkwright.ErrorCode(err) != sparkwright.CodeInvalid {
		t.Errorf("a foreign handle: %v", err)
	}
}

// What will pass does not fail a run, neither at the start nor on the way.
func TestWaitsForWhatPasses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		status     int
		kind, says string
	}{
		{http.StatusTooManyRequests, "ThrottlingException", "accepts no more requests"},
		{http.StatusPaymentRequired, "ServiceQuotaExceededException", "accepts no more requests"},
		{http.StatusForbidden, "ExpiredTokenException", "credentials have expired"},
		{http.StatusServiceUnavailable, "InternalServerException", "does not answer"},
	} {
		t.Run(tt.kind, func(t *testing.T) {
			t.Parallel()
			c := newCloud(t)
			c.before = func(op string, w http.ResponseWriter, n int) bool {
				return op == "StartJobRun" && n == 1 && fail(w, tt.status, tt.kind)
			}
			e, job := newExecutor(c), newJob("r_wait")
			_, err := e.Submit(t.Context(), job)
			var later *sparkwright.LaterError
			if !errors.As(err, &later) || !strings.Contains(later.Why, tt.says) {
				t.Fatalf("Submit: %v", err)
			}
			h := mustSubmit(t, e, job)
			c.change(func() { c.jobs[0].set("RUNNING", "") })
			sink := &executortest.Sink{}
			if out := poll(t, e, h, sink); out.State != sparkwright.AttemptRunning {
				t.Fatalf("%+v", out)
			}
			c.change(func() {
				c.before = func(op string, w http.ResponseWriter, _ int) bool {
					return op == "ListJobRuns" && fail(w, tt.status, tt.kind)
				}
			})
			if out := poll(t, e, h, sink); out.State != sparkwright.AttemptRunning || !strings.Contains(sink.Text(), tt.says) {
				t.Errorf("%+v, told %q", out, sink.Text())
			}
			c.finish(job)
			c.change(func() { c.before = nil; c.jobs[0].set("SUCCESS", "") })
			if out := poll(t, e, h, sink); out.State != sparkwright.AttemptSucceeded {
				t.Errorf("after it has passed: %+v", out)
			}
		})
	}
}

func TestApplicationStates(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, state string
		autoStart   bool
		later       bool
		starts      int
		says        string
	}{
		{name: "starting", state: "STARTING", autoStart: true, later: true, says: "is STARTING"},
		{name: "stopped, starts by hand", state: "STOPPED", later: true, starts: 1, says: "is being started"},
		{name: "terminated", state: "TERMINATED", says: "is TERMINATED"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := newCloud(t)
			c.app["state"], c.app["autoStartConfiguration"] = tt.state, map[string]any{"enabled": tt.autoStart}
			c.before = func(op string, w http.ResponseWriter, _ int) bool {
				return op == "StartJobRun" && c.app["state"] != "STARTED" && fail(w, http.StatusBadRequest, "ValidationException")
			}
			e := newExecutor(c)
			_, err := e.Submit(t.Context(), newJob("r_app"))
			var later *sparkwright.LaterError
			if err == nil || errors.As(err, &later) != tt.later || !strings.Contains(err.Error(), tt.says) || c.calls["StartApplication"] != tt.starts {
				t.Errorf("error %v, %d starts", err, c.calls["StartApplication"])
			}
			if app, err := e.State(t.Context(), appID); err != nil || app.Ready() != (tt.name != "terminated") {
				t.Errorf("%+v, %v", app, err)
			}
		})
	}
}
