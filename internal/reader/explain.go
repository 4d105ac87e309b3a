package reader

import (
	"context"
	"time"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/jobscript"
	"github.com/sparkwright/sparkwright/internal/readplan"
	"github.com/sparkwright/sparkwright/internal/receipt"
)

// Explained is how an analysis would be read.
type Explained struct {
	Reads    []readplan.Read
	Scans    []readplan.Scan // over views that are read whole; nil when Spark's plan is not understood
	Guards   map[string]readplan.Guard
	Receipt  *sparkwright.Receipt
	Snapshot []sparkwright.Snapshot
}

// Explain tells how the analysis of a run would be read, and reads no rows.
func (r *Reader) Explain(ctx context.Context, run *sparkwright.Run, catalog *sparkwright.Catalog) (*Explained, error) {
	used := make([]string, 0, len(run.Views))
	for _, v := range run.Views {
		used = append(used, v.View)
	}
	reads := readplan.Plan(catalog, used, readplan.Options{Cores: r.cfg.Cores})
	id := run.ID + "-explain"
	b := &brokered{r: r, runID: id, reads: reads, began: time.Now(), ways: map[string]sparkwright.Way{}}
	defer func() { _, _ = r.cfg.Ways.End(context.WithoutCancel(ctx), id) }()
	for _, name := range jobscript.ConnectionsOf(reads) {
		way, err := r.cfg.Ways.Begin(ctx, id, name, relations(reads, name))
		if err != nil {
			return nil, err
		}
		b.ways[name] = way
		b.names = append(b.names, name)
	}
	b.known = r.withEnds(ctx, id, run.Analysis, reads)
	out := &Explained{Snapshot: b.Snapshots(), Receipt: receipt.Expect(reads, r.cfg.Cores, nil), Guards: readplan.AllGuards(reads, run.Analysis)}
	if scans, ok := b.scans(ctx, run.Analysis); ok {
		run.Receipt = out.Receipt
		b.decide(ctx, run, scans)
		out.Scans, out.Guards, out.Receipt = scans, b.guards, run.Receipt
	}
	out.Reads = b.reads
	return out, nil
}
