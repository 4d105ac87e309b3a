package supervisor

import (
	"context"
	"errors"
	"sync"
	"time"
)

// heartbeat knows, by the clock of this process alone, how long the others
// still believe that it lives.
type heartbeat struct {
	silence time.Duration

	mu   sync.Mutex
	last time.Time // with the monotonic clock; when the last beat that was stored began
}

func (h *heartbeat) at(began time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.last = began
}

// fresh reports whether the leases of this server still hold for sure. After a
// pause of the process it does not, until the next beat; then the store tells.
func (h *heartbeat) fresh() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return time.Since(h.last) < h.silence/2
}

// confirmed notes that the store took a write under the run's lease, in a
// transaction that began then.
func (j *job) confirmed(began time.Time) {
	if j.held = began; !j.s.beat.fresh() {
		j.held = time.Time{}
	}
}

// certain reports whether nobody can have taken the run over since the store
// last took a write of it: that is less ago than others wait for a sign of life.
// A beat alone does not tell, since after a pause it may be the first thing to
// wake up.
func (j *job) certain() bool {
	return j.s.beat.fresh() && time.Since(j.held) < j.s.beat.silence/2
}

// active are the runs that this process carries out just now.
type active struct {
	mu   sync.Mutex
	runs map[string]context.CancelCauseFunc // nil until there is something to cancel
}

func newActive() *active { return &active{runs: map[string]context.CancelCauseFunc{}} }

// begin reports false when the run is under way already.
func (a *active) begin(runID string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, is := a.runs[runID]; is {
		return false
	}
	a.runs[runID] = nil
	return true
}

func (a *active) end(runID string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.runs, runID)
}

func (a *active) is(runID string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	_, is := a.runs[runID]
	return is
}

// cancellable lets a cancel of the run reach its context.
func (a *active) cancellable(runID string, cancel context.CancelCauseFunc) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.runs[runID] = cancel
}

func (a *active) cancel(runID string, cause error) {
	a.mu.Lock()
	cancel := a.runs[runID]
	a.mu.Unlock()
	if cancel != nil {
		cancel(cause)
	}
}

// watchEvery is how often a server looks for cancels, and for events of runs
// that others carry out.
const watchEvery = 400 * time.Millisecond

var errCancelWanted = errors.New("somebody wants the run to end")

// passCancels ends the contexts of the runs that somebody wants to end.
func (s *Service) passCancels(ctx context.Context) error {
	ids, err := s.cfg.Store.CancelWanted(ctx, s.id)
	for _, id := range ids {
		s.active.cancel(id, errCancelWanted)
	}
	return err
}
