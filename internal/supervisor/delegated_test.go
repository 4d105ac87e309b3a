package supervisor_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/supervisor"
)

// A run that somebody else carries out ends as that one says, or with its
// cancel; it lasts as long as it is carried out, also when its client leaves.
func TestDelegate(t *testing.T) {
	t.Parallel()
	b := newAWS(t, nil)
	to := sparkwright.Placement{Executor: "agentcore", Application: "arn", Reason: "handed over"}
	req := sparkwright.Request{Question: "how many?", Tables: []string{"aurora.public.orders"}}
	for _, tt := range []struct {
		name  string
		got   *supervisor.Delegated
		err   error
		state sparkwright.RunState
		fault string
	}{
		{"success", &supervisor.Delegated{Script: "whole", Analysis: "result = 1", Output: "printed", Result: &sparkwright.Manifest{Version: 1, RowCount: 7, Location: "s3://b/k"}}, nil, sparkwright.RunSucceeded, ""},
		{"declined", &supervisor.Delegated{Declined: &sparkwright.Declined{Reason: sparkwright.DeclineAmbiguous, Message: "which?"}}, nil, sparkwright.RunDeclined, ""},
		{"failed there", &supervisor.Delegated{Script: "whole", Fault: &sparkwright.Fault{Kind: sparkwright.FaultCode, Message: "no"}}, nil, sparkwright.RunFailed, "no"},
		{"not reached", nil, errors.New("no route"), sparkwright.RunFailed, "no route"},
	} {
		ctx, leave := context.WithCancel(t.Context())
		run, err := b.svc.Delegate(ctx, req, to, func(ctx context.Context, run *sparkwright.Run) (*supervisor.Delegated, error) {
			leave() // the client
			if now, err := b.svc.Run(ctx, run.ID); err != nil || now.State != sparkwright.RunRunning {
				t.Errorf("%s: while it is carried out: %+v, %v", tt.name, now, err)
			}
			return tt.got, tt.err
		})
		if err != nil {
			t.Fatal(err)
		}
		if run, err = b.svc.Run(t.Context(), run.ID); err != nil || run.State != tt.state || (run.Fault != nil) != (tt.fault != "") || run.Fault != nil && !strings.Contains(run.Fault.Message, tt.fault) {
			t.Errorf("%s: %s, %+v, %v", tt.name, run.State, run.Fault, err)
		}
		if tt.name != "success" {
			continue
		}
		events, err := b.svc.Events(t.Context(), run.ID, 0, 100)
		logged := false
		for _, e := range events {
			logged = logged || e.Type == sparkwright.EventLog && e.Text == "printed\n"
		}
		if err != nil || !logged || run.Analysis != "result = 1" || len(run.Attempts) != 1 || run.Attempts[0].Script != "whole" || run.Result.RowCount != 7 {
			t.Errorf("%+v, %+v, %v", run, events, err)
		}
	}

	begun := make(chan string, 1)
	ended := make(chan error, 1)
	go func() {
		_, err := b.svc.Delegate(t.Context(), req, to, func(ctx context.Context, run *sparkwright.Run) (*supervisor.Delegated, error) {
			begun <- run.ID
			<-ctx.Done()
			return nil, ctx.Err()
		})
		ended <- err
	}()
	id := <-begun
	if _, err := b.svc.Cancel(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if run, failed := b.svc.Run(t.Context(), id); err != nil || failed != nil || run.State != sparkwright.RunCancelled {
			t.Errorf("%v, %+v, %v", err, run, failed)
		}
	case <-time.After(30 * time.Second):
		t.Error("a cancelled run goes on")
	}
}
