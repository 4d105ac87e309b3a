package supervisor_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/readplan"
	"github.com/sparkwright/sparkwright/internal/supervisor"
)

// reading counts what is begun and ended.
type reading struct {
	mu           sync.Mutex
	begun, ended map[string]int // by attempt
	snapshots    []sparkwright.Snapshot
}

type oneReading struct {
	supervisor.Reading
	of        *reading
	attempt   string
	snapshots []sparkwright.Snapshot
}

func (r *reading) Begin(_ context.Context, o supervisor.Opening) (supervisor.Reading, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.begun[o.Attempt.ID]++
	return &oneReading{of: r, attempt: o.Attempt.ID}, nil
}

func (*reading) Compare(context.Context, *sparkwright.Run, *sparkwright.Catalog, []*sparkwright.Analysis) (sparkwright.SecondState, string, []sparkwright.Statement) {
	return sparkwright.SecondNotCompared, "there is no database", nil
}

// Hold implements supervisor.Reader for jobs in AWS.
func (r *reading) Hold(_ context.Context, o supervisor.Opening) supervisor.Reading {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.begun[o.Attempt.ID]++
	return &oneReading{of: r, attempt: o.Attempt.ID, snapshots: r.snapshots}
}

func (*oneReading) URL(string) (string, error) { return "jdbc:postgresql://h/d", nil }

func (*oneReading) Credentials(string) sparkwright.Credentials { return sparkwright.Credentials{} }

func (o *oneReading) Snapshots() []sparkwright.Snapshot { return o.snapshots }

func (*oneReading) Guard(string) readplan.Guard { return readplan.Guard{} }

func (*oneReading) Query() (*sparkwright.Query, string) { return nil, "" }

func (*oneReading) Cancel() {}

func (o *oneReading) End(_ context.Context, run *sparkwright.Run) {
	o.of.mu.Lock()
	defer o.of.mu.Unlock()
	o.of.ended[o.attempt]++
	run.Receipt = &sparkwright.Receipt{Actual: sparkwright.Cost{Connections: 7}}
}

// What an attempt reads through is begun and ended once, also when the attempt
// takes longer than one job of the queue follows it, and when it is cancelled.
func TestReadingOfALongAttempt(t *testing.T) {
	t.Parallel()
	r := &reading{begun: map[string]int{}, ended: map[string]int{}}
	p := play(t, []string{"a"}, func(c *supervisor.Config) {
		c.Reader = r
		c.Timing.Slice = time.Millisecond
	})
	p.world.JobTime = 2 * time.Second
	long := p.end(t, p.submit(t, sparkwright.Request{Question: "q"}))
	if long.State != sparkwright.RunSucceeded || long.Receipt == nil || long.Receipt.Actual.Connections != 7 {
		t.Fatalf("%s, fault %+v, receipt %+v", long.State, long.Fault, long.Receipt)
	}
	cancelled := p.submit(t, sparkwright.Request{Question: "q"})
	eventually(t, "the attempt goes on", func() bool {
		run, err := p.Run(t.Context(), cancelled)
		return err == nil && run.State == sparkwright.RunRunning
	})
	if _, err := p.Cancel(t.Context(), cancelled); err != nil {
		t.Fatal(err)
	}
	p.end(t, cancelled)
	eventually(t, "everything is ended once", func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return len(r.begun) > 0 && cmp.Equal(r.begun, r.ended)
	})
}
