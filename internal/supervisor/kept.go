package supervisor

import (
	"context"
	"sync"

	"github.com/sparkwright/sparkwright/internal/redact"
)

// kept is what this process still reads through, for runs that wait between
// two jobs of its own queue: the attempt goes on meanwhile.
type kept struct {
	mu   sync.Mutex
	runs map[string]keptReading
}

type keptReading struct {
	attempt string
	reading Reading
	hidden  *redact.Secrets
	streams map[string]*redact.Stream
}

func newKept() *kept { return &kept{runs: map[string]keptReading{}} }

func (k *kept) put(runID string, r keptReading) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.runs[runID] = r
}

func (k *kept) take(runID string) (keptReading, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	r, is := k.runs[runID]
	delete(k.runs, runID)
	return r, is
}

// keepReading leaves what the attempt reads through to the next job of this
// process; after what does not come back here it is let go of.
func (j *job) keepReading(ctx context.Context, comesBack bool) {
	if j.reading == nil {
		return
	}
	if a := j.attempt(); comesBack && a != nil && j.s.ctx.Err() == nil {
		j.s.kept.put(j.run.ID, keptReading{a.ID, j.reading, j.hidden, j.streams})
		j.reading = nil
		return
	}
	j.endReading(ctx)
}

// findReading takes over what an earlier job of this process has kept.
func (j *job) findReading(ctx context.Context) {
	r, is := j.s.kept.take(j.run.ID)
	if !is {
		return
	}
	j.reading, j.hidden, j.streams = r.reading, r.hidden, r.streams
	if a := j.attempt(); a == nil || a.ID != r.attempt || a.State.Final() {
		j.endReading(ctx) // of an attempt that is over
	}
}
