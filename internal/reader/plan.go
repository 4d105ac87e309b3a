package reader

import (
	"context"
	"time"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/jobscript"
	"github.com/sparkwright/sparkwright/internal/readplan"
	"github.com/sparkwright/sparkwright/internal/receipt"
)

// plan looks at what Spark would hand to PostgreSQL, where that matters: for a
// large table, and where PostgreSQL may answer differently than Spark. Then it
// decides for each table how its rows travel, and what stays with Spark.
func (b *brokered) plan(ctx context.Context, run *sparkwright.Run, code string) {
	b.guards = readplan.AllGuards(b.reads, code)
	if len(b.guards) == 0 && !readplan.Large(b.reads) {
		return
	}
	scans, ok := b.scans(ctx, code)
	if !ok {
		return // all guards stay, and the reads as they were planned without
	}
	b.decide(ctx, run, scans)
}

// decide plans the reads again, now that it is known what travels.
func (b *brokered) decide(ctx context.Context, run *sparkwright.Run, scans []readplan.Scan) {
	b.guards = readplan.Guards(scans, b.known)
	scanned := readplan.Scanned(scans)
	leaves := b.leaves(ctx, scans)
	pages := true
	for _, way := range b.ways {
		pages = pages && way.Pages
	}
	connections := 0
	for _, way := range b.ways {
		connections = max(connections, way.Connections)
	}
	catalog := &sparkwright.Catalog{}
	for i := range b.reads {
		catalog.Tables = append(catalog.Tables, b.reads[i].Table)
	}
	again := readplan.Plan(catalog, nil, readplan.Options{Cores: b.r.cfg.Cores, MaxConnections: connections, Scanned: scanned, Pages: pages, Leaves: leaves})
	copy(b.reads, again)
	statements, state := run.Receipt.Statements, run.Receipt.Sandbox
	run.Receipt = receipt.Expect(b.reads, b.r.cfg.Cores, func(view string) bool { return !scanned[view] })
	run.Receipt.Statements, run.Receipt.Sandbox = statements, state
	for i := range run.Views {
		for k := range b.reads {
			if run.Views[i].View == b.reads[k].View {
				run.Views[i].Partitions = b.reads[k].Partitions
			}
		}
	}
}

// leaves are the partitions of the large partitioned tables whose rows travel,
// on the run's snapshot. A table that cannot be looked into is read in another
// way.
func (b *brokered) leaves(ctx context.Context, scans []readplan.Scan) map[string][]readplan.Leaf {
	leaves, err := readplan.FindLeaves(b.reads, scans, b.guards, func(connection, sql string) ([][]*string, error) {
		return b.r.cfg.Ways.Query(ctx, b.runID, connection, sql, leafTime)
	})
	if err != nil {
		b.r.cfg.Log.WarnContext(ctx, "partitions not known", "run_id", b.runID, "error", err)
	}
	return leaves
}

// withEnds are the reads with the ends of dates that code speaks of and only
// PostgreSQL knows, asked for by the ways of that id.
func (r *Reader) withEnds(ctx context.Context, id, code string, reads []readplan.Read) []readplan.Read {
	out, err := readplan.WithEnds(reads, readplan.Mentioned(code), func(connection, sql string) ([][]*string, error) {
		return r.cfg.Ways.Query(ctx, id, connection, sql, endsTime)
	})
	if err != nil {
		r.cfg.Log.WarnContext(ctx, "ends of dates not known", "run_id", id, "error", err)
	}
	return out
}

// leafTime bounds one look at the partitions of a table, endsTime one at the
// first and the last of its dates.
const leafTime, endsTime = 5 * time.Second, 3 * time.Second

// scans is Spark's plan over views that are read whole.
func (b *brokered) scans(ctx context.Context, code string) ([]readplan.Scan, bool) {
	spec := jobscript.Spec{RunID: b.runID}
	env := map[string]string{}
	for i, name := range b.names {
		spec.Connections = append(spec.Connections, jobscript.Connection{Name: name, URL: b.ways[name].JDBCURL})
		env[jobscript.UserEnv(i)], env[jobscript.PasswordEnv(i)] = b.ways[name].Login.User, b.ways[name].Login.Password
	}
	spec.Reads = readplan.WholeReads(b.reads)
	prologue, err := jobscript.Views(spec)
	if err != nil {
		return nil, false
	}
	plan, err := b.r.cfg.Plan(ctx, b.runID, code, prologue, env, readplan.Files(b.reads))
	if err != nil {
		b.r.cfg.Log.WarnContext(ctx, "plan not known", "run_id", b.runID, "error", err)
		return nil, false
	}
	return readplan.Explained(plan, b.reads)
}
