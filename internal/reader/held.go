package reader

import (
	"context"
	"time"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/crosscheck"
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
	names     []string // of the connections
	snapshots []sparkwright.Snapshot
	second    []sparkwright.Table // of the second reading: a stored run has lost them
}

// Hold implements supervisor.Reader.
func (r *Reader) Hold(ctx context.Context, o supervisor.Opening) supervisor.Reading {
	h := &held{
		elsewhere: elsewhere{runID: o.Run.ID, dbs: o.Databases, reads: o.Reads, code: o.Attempt.Analysis}, r: r, began: o.Attempt.StartedAt,
		id: o.Run.ID + "-held", // what is closed here ends no session of the job's
	}
	if second := secondOf(o.Run); second != nil {
		h.second = second.Tables
	}
	h.names = jobscript.ConnectionsOf(o.Reads)
	for _, name := range h.names {
		s := sparkwright.Snapshot{Connection: name, Time: o.Attempt.StartedAt, None: "Sparkwright does not reach the database"}
		if !o.Distant[name] {
			look, cancel := context.WithTimeout(ctx, holdTime)
			way, err := r.cfg.Ways.Begin(look, h.id, name, relations(o.Reads, name))
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
	if run.Result != nil {
		h.check(ctx, run)
	}
	if _, err := h.r.cfg.Ways.End(ctx, h.id); err != nil {
		h.r.cfg.Log.WarnContext(ctx, "backends are left", "run_id", h.runID, "error", err)
	}
	if run.Receipt != nil {
		receipt.Took(run.Receipt, time.Since(h.began).Seconds())
	}
}

// check compares the answer with PostgreSQL's own, on the state that is held.
func (h *held) check(ctx context.Context, run *sparkwright.Run) {
	second := secondOf(run)
	if why := h.other(run.Result); why != "" {
		run.Crosscheck = notChecked(why, second)
		return
	}
	t := h.r.translate(ctx, h.id, h.code, h.reads, h.names)
	run.Crosscheck = crosscheck.Check(ctx, t, run.Result, h.ask, h.r.cfg.Rows, h.r.limits())
	if second != nil {
		second.Tables = h.second
		t = h.r.translateSecond(ctx, h.id, second, h.names)
		run.Crosscheck.Second = crosscheck.Compare(ctx, *second, t, run.Result, h.ask, h.r.cfg.Rows, h.r.limits())
	}
}

// other says why the answer is of another state than one that is held here; ""
// when it is of that. The manifest has what is held here only when the job has
// adopted it.
func (h *held) other(m *sparkwright.Manifest) string {
	switch {
	case len(h.names) != 1:
		return "it does not read exactly one database"
	case h.snapshots[0].ID == "":
		return "no snapshot is held here: " + h.snapshots[0].None
	case m.Snapshot == nil:
		return "the job does not say which snapshot it read"
	case m.Snapshot.ID == "":
		return "the job read no snapshot: " + m.Snapshot.None
	case m.Snapshot.ID != h.snapshots[0].ID || m.Snapshot.LSN != h.snapshots[0].LSN:
		return "the job could not adopt the snapshot that is held here, and read one of its own"
	default:
		return ""
	}
}

func (h *held) ask(ctx context.Context, sql string, limit time.Duration) ([][]*string, error) {
	return h.r.cfg.Ways.Query(ctx, h.id, h.names[0], sql, limit)
}
