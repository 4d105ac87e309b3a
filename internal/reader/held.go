package reader

import (
	"context"
	"time"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/jobscript"
	"github.com/sparkwright/sparkwright/internal/receipt"
	"github.com/sparkwright/sparkwright/internal/supervisor"
)

// holdTime bounds how long it is tried to export a state of one database.
const holdTime = 12 * time.Second

// held exports a state of each database for a job that reaches them by itself.
// PostgreSQL ends the session that holds it when it is too old (broker.Limits).
type held struct {
	elsewhere
	r         *Reader
	id        string // of the ways
	began     time.Time
	snapshots []sparkwright.Snapshot
}

// Hold implements supervisor.Reader.
func (r *Reader) Hold(ctx context.Context, o supervisor.Opening) supervisor.Reading {
	h := &held{
		elsewhere: elsewhere{runID: o.Run.ID, dbs: o.Databases, reads: o.Reads, code: o.Attempt.Analysis}, r: r, began: o.Attempt.StartedAt,
		id: o.Run.ID + "-held", // what is closed here ends no session of the job's
	}
	for _, name := range jobscript.ConnectionsOf(o.Reads) {
		s := sparkwright.Snapshot{Connection: name, Time: o.Attempt.StartedAt, None: "Sparkwright does not reach the database"}
		if !o.Distant[name] {
			look, cancel := context.WithTimeout(ctx, holdTime)
			way, err := r.cfg.Ways.Begin(look, h.id, name, nil)
			cancel()
			if s.None = "Sparkwright has no session that could hold a snapshot"; err == nil {
				s = way.Snapshot
			} else {
				r.cfg.Log.WarnContext(ctx, "no snapshot is held", "run_id", o.Run.ID, "connection", name, "error", err)
				s.None += ": " + err.Error()
			}
		}
		h.snapshots = append(h.snapshots, s)
	}
	return h
}

// Snapshots implements supervisor.Reading.
func (h *held) Snapshots() []sparkwright.Snapshot { return h.snapshots }

// Cancel implements supervisor.Reading.
func (h *held) Cancel() { h.r.cfg.Ways.Cancel(h.id) }

// End implements supervisor.Reading.
func (h *held) End(ctx context.Context, run *sparkwright.Run) {
	ctx, cancel := context.WithTimeout(ctx, endTime)
	defer cancel()
	if _, err := h.r.cfg.Ways.End(ctx, h.id); err != nil {
		h.r.cfg.Log.WarnContext(ctx, "backends are left", "run_id", h.runID, "error", err)
	}
	if run.Receipt != nil {
		receipt.Took(run.Receipt, time.Since(h.began).Seconds())
	}
}
