package supervisor

import (
	"context"
	"strings"
	"time"

	"github.com/sparkwright/sparkwright"
)

// What a model writes is told in pieces that are neither too many for the
// store nor too late for a reader.
const (
	penEvery = 250 * time.Millisecond
	penBytes = 4 << 10
)

// pen turns what a model writes into events of the run.
type pen struct {
	job  *job
	text strings.Builder
	told time.Time
}

// write takes a piece, and tells what has gathered when it is time.
func (p *pen) write(ctx context.Context, text string) {
	p.text.WriteString(text)
	if p.text.Len() < penBytes && time.Since(p.told) < penEvery {
		return
	}
	p.rest()
	p.told = time.Now()
	if err := p.job.flush(ctx); err != nil { // the step's own transaction fails too, and says so
		p.job.s.cfg.Log.DebugContext(ctx, "model text not told", "run_id", p.job.run.ID, "error", err)
	}
}

// rest leaves what has gathered for the next transaction.
func (p *pen) rest() {
	if p.text.Len() > 0 {
		p.job.tell(sparkwright.Event{Type: sparkwright.EventModel, Step: "generate", Text: p.text.String()})
		p.text.Reset()
	}
}
