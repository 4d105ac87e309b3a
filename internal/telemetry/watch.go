package telemetry

import (
	"context"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/sparkwright/sparkwright"
)

// Watcher follows the runs of a store from outside: it counts those that have
// not ended and tells of each that ends, once, whoever carries it out. Servers
// that share a store see the same runs.
type Watcher struct {
	Runs     sparkwright.Runs
	Finished func(run *sparkwright.Run)
	Log      *slog.Logger
	Every    time.Duration // 0 = 2 s

	open  map[string]bool      // runs that have not ended
	known map[string]time.Time // young runs, by creation; all of them have been open
	from  time.Time            // runs created before are known, or ended before the start

	mu     sync.Mutex
	active map[sparkwright.RunState]int
}

// slack is how far the clocks of servers may be apart.
const slack = 2 * time.Minute

// Active counts the runs that had not ended at the last look.
func (w *Watcher) Active(context.Context) (map[sparkwright.RunState]int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.active), nil
}

// Watch looks until ctx ends.
func (w *Watcher) Watch(ctx context.Context) {
	every := w.Every
	if every <= 0 {
		every = 2 * time.Second
	}
	w.open, w.known, w.from = map[string]bool{}, map[string]time.Time{}, time.Now()
	tick := time.NewTicker(every)
	defer tick.Stop()
	began := false
	for {
		var err error
		if !began {
			if err = w.begin(ctx); err == nil {
				began = true
			}
		}
		if began {
			err = w.look(ctx)
		}
		if err != nil && ctx.Err() == nil {
			w.Log.WarnContext(ctx, "runs cannot be counted", "error", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// begin finds the runs that have not ended yet. Those that end from now on
// are told of.
func (w *Watcher) begin(ctx context.Context) error {
	for _, state := range []sparkwright.RunState{
		sparkwright.RunQueued, sparkwright.RunGenerating, sparkwright.RunChecking, sparkwright.RunAwaitingApproval, sparkwright.RunRunning,
	} {
		err := w.pages(ctx, sparkwright.RunFilter{State: state}, func(r *sparkwright.Run) bool {
			w.open[r.ID], w.known[r.ID] = true, r.CreatedAt
			return true
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// look finds new runs and those that have ended.
func (w *Watcher) look(ctx context.Context) error {
	now := time.Now()
	err := w.pages(ctx, sparkwright.RunFilter{}, func(r *sparkwright.Run) bool {
		if r.CreatedAt.Before(w.from) {
			return false
		}
		if _, ok := w.known[r.ID]; !ok {
			w.open[r.ID], w.known[r.ID] = true, r.CreatedAt
		}
		return true
	})
	if err != nil {
		return err
	}
	active := map[sparkwright.RunState]int{}
	for id := range w.open {
		run, err := w.Runs.Run(ctx, id)
		switch {
		case sparkwright.ErrorCode(err) == sparkwright.CodeNotFound:
			delete(w.open, id)
		case err != nil:
			return err
		case run.State.Final():
			delete(w.open, id)
			w.Finished(run)
		default:
			active[run.State]++
		}
	}
	w.mu.Lock()
	w.active = active
	w.mu.Unlock()
	if from := now.Add(-slack); from.After(w.from) {
		w.from = from
	}
	maps.DeleteFunc(w.known, func(id string, at time.Time) bool { return at.Before(w.from) && !w.open[id] })
	return nil
}

// pages hands runs to each, newest first, until it returns false.
func (w *Watcher) pages(ctx context.Context, f sparkwright.RunFilter, each func(*sparkwright.Run) bool) error {
	f.Limit = 50
	for {
		page, err := w.Runs.List(ctx, f)
		if err != nil {
			return err
		}
		for i := range page.Runs {
			if !each(&page.Runs[i]) {
				return nil
			}
		}
		if f.Cursor = page.Next; f.Cursor == "" {
			return nil
		}
	}
}
