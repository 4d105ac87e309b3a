package emrserverless_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/emrserverless"
	"github.com/google/go-cmp/cmp"

	emr "github.com/sparkwright/sparkwright/internal/fake/emrserverless"
)

// Each fault is seen by the client as what it is, and the ledger knows what
// was really done.
func TestFaults(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		kind     emr.FaultKind
		want     string // error code; "*" = any error
		accepted int    // by the first call
	}{
		{emr.Throttle, "ThrottlingException", 0},
		{emr.Error500, "InternalServerException", 0},
		{emr.Error503, "ServiceUnavailableException", 0},
		{emr.LoseRequest, "*", 0},
		{emr.LoseResponse, "*", 1},
		{emr.Stall, "", 1},
		{emr.Trickle, "", 1},
		{emr.Forget, "", 1},
	} {
		t.Run(string(test.kind), func(t *testing.T) {
			t.Parallel()
			b := setup(t, nil)
			b.server.SetFaults(emr.Fault{Operation: "StartJobRun", Kind: test.kind, Times: 1, Delay: 20 * time.Millisecond})
			_, err := b.client.StartJobRun(t.Context(), job("f"))
			got := errorCode(err)
			if test.want == "*" && err == nil || test.want != "*" && got != test.want {
				t.Errorf("error %q (%v), want %q", got, err, test.want)
			}
			entries, err := emr.ReadLedger(b.ledger)
			if err != nil || len(entries) != test.accepted {
				t.Errorf("the ledger has %d lines, want %d (%v)", len(entries), test.accepted, err)
			}
			// The very same call again is the same job, whatever happened.
			id := b.start(t, job("f"))
			b.wait(t, id)
			if entries, err = emr.ReadLedger(b.ledger); err != nil || len(emr.Duplicates(entries)) != 0 {
				t.Errorf("duplicates %v, %v", emr.Duplicates(entries), err)
			}
			if n := b.server.Calls("StartJobRun"); n != 2 {
				t.Errorf("%d calls were counted", n)
			}
		})
	}
}

// Faults are taken in order: some calls go well, some do not, then all do.
func TestFaultsSkipAndEnd(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.server.SetFaults(emr.Fault{Operation: "ListApplications", Kind: emr.Throttle, Skip: 1, Times: 2})
	var got []string
	for range 5 {
		_, err := b.client.ListApplications(t.Context(), &emrserverless.ListApplicationsInput{})
		got = append(got, errorCode(err))
	}
	if diff := cmp.Diff([]string{"", "ThrottlingException", "ThrottlingException", "", ""}, got); diff != "" {
		t.Error(diff)
	}
	b.server.SetFaults(emr.Fault{Kind: emr.Error500})
	for range 3 {
		if _, err := b.client.ListApplications(t.Context(), &emrserverless.ListApplicationsInput{}); errorCode(err) != "InternalServerException" {
			t.Errorf("a fault without an end has ended: %v", err)
		}
	}
	b.server.SetFaults()
	if _, err := b.client.GetApplication(t.Context(), &emrserverless.GetApplicationInput{ApplicationId: aws.String(app)}); err != nil {
		t.Error(err)
	}
}

// TestSettle: what a client has sent before it went away is carried out, and
// one that is still there is waited for.
func TestSettle(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.server.SetFaults(emr.Fault{Operation: "StartJobRun", Kind: emr.Stall, Times: 1, Delay: time.Hour})
	dead, kill := context.WithCancel(t.Context())
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_, _ = b.client.StartJobRun(dead, job("of-the-dead"))
	}()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for b.server.Calls("StartJobRun") == 0 {
		<-tick.C
	}
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := b.server.Settle(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a client is there: %v", err)
	}
	kill()
	<-gone
	long, cancel := context.WithTimeout(t.Context(), patient)
	defer cancel()
	if err := b.server.Settle(long); err != nil {
		t.Fatal(err)
	}
	entries, err := emr.ReadLedger(b.ledger)
	if err != nil || len(entries) != 1 || entries[0].Outcome != emr.OutcomeAccepted {
		t.Errorf("%+v, %v", entries, err)
	}
}
