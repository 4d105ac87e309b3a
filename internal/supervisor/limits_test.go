package supervisor_test

import (
	"strings"
	"testing"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/crashtest"
	"github.com/sparkwright/sparkwright/internal/supervisor"
)

func TestLimits(t *testing.T) {
	t.Parallel()
	p := play(t, []string{"a"}, func(c *supervisor.Config) {
		c.Limits.Queue, c.Limits.SessionRuns = 3, 2
	})
	hold := sparkwright.Request{Question: "q", Review: true, Session: "s"}
	p.submit(t, hold)
	id := p.submit(t, hold)
	_, err := p.Submit(t.Context(), hold)
	if sparkwright.ErrorCode(err) != sparkwright.CodeBusy || !strings.Contains(err.Error(), "limits.session_runs") {
		t.Errorf("a third run of the session: %v", err)
	}
	p.submit(t, sparkwright.Request{Question: "q", Review: true})
	_, err = p.Submit(t.Context(), sparkwright.Request{Question: "q", Session: "other"})
	if sparkwright.ErrorCode(err) != sparkwright.CodeBusy || !strings.Contains(err.Error(), "limits.queue_length") {
		t.Errorf("a fourth run: %v", err)
	}
	if _, err = p.Cancel(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	p.end(t, id)
	p.submit(t, hold)
}

func TestFullDiskCostsNothing(t *testing.T) {
	t.Parallel()
	full := sparkwright.Errorf(sparkwright.CodeResource, "the disk is full")
	p := play(t, []string{"a"}, func(c *supervisor.Config) { c.CheckSpace = func() error { return full } })
	_, err := p.Submit(t.Context(), sparkwright.Request{Question: "q"})
	if sparkwright.ErrorCode(err) != sparkwright.CodeResource || p.model.calls() != 0 {
		t.Errorf("error %v, %d calls", err, p.model.calls())
	}
	run, err := p.Ask(t.Context(), supervisor.Request{Question: "q"})
	if sparkwright.ErrorCode(err) != sparkwright.CodeResource || run.State != sparkwright.RunFailed || p.model.calls() != 0 {
		t.Errorf("error %v, run %+v, %d calls", err, run, p.model.calls())
	}
}

func TestResultTooLarge(t *testing.T) {
	t.Parallel()
	p := play(t, []string{"a"}, func(c *supervisor.Config) { c.Limits.ResultBytes = 1 })
	run := p.end(t, p.submit(t, sparkwright.Request{Question: "q"}))
	if run.State != sparkwright.RunFailed || run.Result != nil || !strings.Contains(run.Fault.Because, "limits.result_mb") {
		t.Errorf("%s, result %+v, fault %+v", run.State, run.Result, run.Fault)
	}
}

// Three runs want one place: they take it one after the other.
func TestPlaces(t *testing.T) {
	t.Parallel()
	p := play(t, []string{"a"}, func(c *supervisor.Config) { c.Limits.Attempts = map[string]int{"connect": 1} })
	var ids []string
	for range 3 {
		ids = append(ids, p.submit(t, sparkwright.Request{Question: "q"}))
	}
	for _, id := range ids {
		if run := p.end(t, id); run.State != sparkwright.RunSucceeded || len(run.Attempts) != 1 {
			t.Fatalf("%s, %+v", run.State, run.Fault)
		}
	}
	ledger, err := p.world.Ledger()
	if err != nil {
		t.Fatal(err)
	}
	at, started := "", 0
	for _, e := range ledger {
		switch {
		case e.What == crashtest.Started && at != "":
			t.Errorf("%s started while %s ran", e.Subject, at)
		case e.What == crashtest.Started:
			at = e.Subject
			started++
		case e.What == crashtest.Finished:
			at = ""
		}
	}
	if started != 3 {
		t.Errorf("%d jobs were started", started)
	}
}
