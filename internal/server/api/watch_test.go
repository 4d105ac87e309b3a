package api_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/telemetry"
)

// Every run that ends is told of once, also one that was there before and one
// that ends between two looks.
func TestWatcher(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	ended := b.ask(t, nil).ID
	b.engine.bring(t, ended, sparkwright.RunFailed, nil)
	before := b.ask(t, nil).ID
	var mu sync.Mutex
	told := map[string]int{}
	w := &telemetry.Watcher{
		Runs: b.engine, Log: slog.New(slog.DiscardHandler), Every: 5 * time.Millisecond,
		Finished: func(r *sparkwright.Run) {
			mu.Lock()
			defer mu.Unlock()
			told[r.ID]++
		},
	}
	ctx, stop := context.WithCancel(t.Context())
	over := make(chan struct{})
	go func() { defer close(over); w.Watch(ctx) }()
	eventually(t, "the old run is counted", func() bool {
		active, err := w.Active(t.Context())
		return err == nil && active[sparkwright.RunQueued] == 1
	})
	want := map[string]int{before: 1}
	b.engine.bring(t, before, sparkwright.RunSucceeded, nil)
	for range 120 { // more than a page
		id := b.ask(t, nil).ID
		b.engine.bring(t, id, sparkwright.RunCancelled, nil)
		want[id] = 1
	}
	deleted := b.ask(t, nil).ID
	eventually(t, "all are told of", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(told) == len(want)
	})
	b.engine.bring(t, deleted, sparkwright.RunFailed, nil)
	want[deleted] = 1
	eventually(t, "the last one is told of", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(told) == len(want)
	})
	stop()
	<-over
	if diff := cmp.Diff(want, told); diff != "" {
		t.Error(diff)
	}
}
