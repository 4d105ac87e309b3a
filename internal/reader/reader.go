// Package reader is what a run on this machine reads PostgreSQL through: the
// broker's ways, on one snapshot of each database, with a receipt of what was
// read and a cross-check of the answer on the same snapshot.
package reader

import (
	"context"
	"log/slog"
	"time"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/crosscheck"
	"github.com/sparkwright/sparkwright/internal/direct"
	"github.com/sparkwright/sparkwright/internal/jobscript"
	"github.com/sparkwright/sparkwright/internal/readplan"
	"github.com/sparkwright/sparkwright/internal/receipt"
	"github.com/sparkwright/sparkwright/internal/supervisor"
)

// Config is what a Reader works with.
type Config struct {
	Ways  sparkwright.Ways
	Local map[string]bool // executors whose Spark runs on this machine
	// Translate turns an analysis into one statement of PostgreSQL.
	Translate func(ctx context.Context, runID, code string, views []crosscheck.View) (crosscheck.Translation, error)
	// Sandbox says for each place whether generated code is locked in there.
	Sandbox map[string]sparkwright.SandboxState
	// Plan is Spark's formatted plan of an analysis over the views of a prologue.
	Plan func(ctx context.Context, runID, code, prologue string, env map[string]string, files []string) (string, error)
	// Direct turns an analysis into one statement with Spark's very answer; nil =
	// PostgreSQL answers nothing by itself.
	Direct func(ctx context.Context, runID, code string, views []direct.View) (direct.Statement, error)
	Rows   crosscheck.Rows
	Limits func() crosscheck.Limits // nil = the defaults
	Cores  int
	Log    *slog.Logger
}

// Reader implements supervisor.Reader. It is safe for concurrent use.
type Reader struct{ cfg Config }

var _ supervisor.Reader = (*Reader)(nil)

// New returns a Reader.
func New(cfg Config) *Reader { return &Reader{cfg: cfg} }

// Begin implements supervisor.Reader.
func (r *Reader) Begin(ctx context.Context, o supervisor.Opening) (supervisor.Reading, error) {
	run, a, reads := o.Run, o.Attempt, o.Reads
	goesOn := a.Handle != nil && run.Receipt != nil // its script is written
	if !goesOn {
		var earlier []sparkwright.Statement // of attempts before
		if run.Receipt != nil {
			earlier = run.Receipt.Statements
		}
		run.Receipt = receipt.Expect(reads, r.cfg.Cores, nil)
		run.Receipt.Statements = earlier
	}
	run.Receipt.Sandbox = r.cfg.Sandbox[run.Placement.Executor]
	if !r.cfg.Local[run.Placement.Executor] {
		return &elsewhere{runID: run.ID, dbs: o.Databases, reads: reads, code: a.Analysis}, nil
	}
	b := &brokered{r: r, runID: run.ID, reads: reads, began: a.StartedAt, ways: map[string]sparkwright.Way{}}
	for _, name := range jobscript.ConnectionsOf(reads) {
		way, err := r.cfg.Ways.Begin(ctx, run.ID, name, relations(reads, name))
		if err != nil {
			b.close(ctx, run)
			return nil, err
		}
		b.ways[name] = way
		b.names = append(b.names, name)
		if !goesOn {
			for _, note := range way.Notes {
				run.Findings = append(run.Findings, sparkwright.Finding{Rule: "database", Message: name + ": " + note})
			}
		}
	}
	b.known = r.withEnds(ctx, run.ID, a.Analysis, reads)
	if !goesOn && o.Direct != nil {
		b.answer(ctx, run, a.Analysis, o.Direct)
	}
	if !goesOn && b.query == nil {
		b.plan(ctx, run, a.Analysis)
	}
	if b.query != nil {
		b.translation = crosscheck.Translation{Why: "PostgreSQL itself gave the answer"}
	} else {
		b.translation = r.translate(ctx, run.ID, a.Analysis, b.known, b.names)
	}
	if second := secondOf(run); second != nil {
		b.second = r.translateSecond(ctx, run.ID, second, b.names)
	}
	b.early = crosscheck.Begin(ctx, b.translation, o.Schema, b.ask, r.limits())
	return b, nil
}

// relations are the tables of a connection.
func relations(reads []readplan.Read, connection string) []sparkwright.Relation {
	var out []sparkwright.Relation
	for i := range reads {
		if t := &reads[i].Table; t.Connection == connection {
			out = append(out, sparkwright.Relation{Schema: t.Schema, Name: t.Name})
		}
	}
	return out
}

// brokered reads through the broker.
type brokered struct {
	r           *Reader
	runID       string
	reads       []readplan.Read
	known       []readplan.Read // the reads, with the ends of their dates
	began       time.Time
	names       []string
	ways        map[string]sparkwright.Way
	guards      map[string]readplan.Guard
	translation crosscheck.Translation
	early       *crosscheck.Early      // asks while Spark is at work
	second      crosscheck.Translation // of the planner's reading
	query       *sparkwright.Query     // when PostgreSQL answers by itself
	reason      string
}

// URL implements supervisor.Reading.
func (b *brokered) URL(connection string) (string, error) { return b.ways[connection].JDBCURL, nil }

// Credentials implements supervisor.Reading: a login that is worth nothing
// elsewhere and afterwards.
func (b *brokered) Credentials(connection string) sparkwright.Credentials {
	return b.ways[connection].Login
}

// Snapshots implements supervisor.Reading.
func (b *brokered) Snapshots() []sparkwright.Snapshot {
	out := make([]sparkwright.Snapshot, 0, len(b.names))
	for _, name := range b.names {
		out = append(out, b.ways[name].Snapshot)
	}
	return out
}

// Guard implements supervisor.Reading.
func (b *brokered) Guard(connection string) readplan.Guard { return b.guards[connection] }

// Query implements supervisor.Reading.
func (b *brokered) Query() (q *sparkwright.Query, reason string) { return b.query, b.reason }

// Cancel implements supervisor.Reading.
func (b *brokered) Cancel() { b.r.cfg.Ways.Cancel(b.runID) }

// endTime bounds the cross-check and the closing of the ways.
const endTime = time.Minute

// End implements supervisor.Reading.
func (b *brokered) End(ctx context.Context, run *sparkwright.Run) {
	ctx, cancel := context.WithTimeout(ctx, endTime)
	defer cancel()
	if run.Result != nil {
		second := secondOf(run)
		run.Crosscheck = b.early.Check(ctx, run.Result, b.ask, b.r.cfg.Rows, b.r.limits())
		if second != nil {
			run.Crosscheck.Second = crosscheck.Compare(ctx, *second, b.second, run.Result, b.ask, b.r.cfg.Rows, b.r.limits())
		}
	}
	b.close(ctx, run)
}

func (b *brokered) ask(ctx context.Context, sql string, limit time.Duration) ([][]*string, error) {
	return b.r.cfg.Ways.Query(ctx, b.runID, b.names[0], sql, limit)
}

func (b *brokered) close(ctx context.Context, run *sparkwright.Run) {
	if b.early != nil {
		b.early.Cancel()
	}
	statements, err := b.r.cfg.Ways.End(ctx, b.runID)
	if err != nil {
		b.r.cfg.Log.WarnContext(ctx, "backends are left", "run_id", b.runID, "error", err)
	}
	receipt.Settle(run.Receipt, b.reads, statements, time.Since(b.began).Seconds())
}

// translate asks for the analysis as PostgreSQL would carry it out by itself.
func (r *Reader) translate(ctx context.Context, runID, code string, reads []readplan.Read, names []string) crosscheck.Translation {
	if len(names) != 1 {
		return crosscheck.Translation{Why: "it does not read exactly one database"}
	}
	reads = r.withEnds(ctx, runID, code, reads) // nothing is asked that is known
	var views []crosscheck.View
	for i := range reads {
		read := &reads[i]
		v := crosscheck.View{Name: read.View}
		if readplan.FromPostgres(&read.Table) {
			v.Schema, v.Table = read.Table.Schema, read.Table.Name
		}
		for _, c := range read.Kept() {
			kind := c.Type
			if col := read.Table.Column(c.Name); v.Table != "" && !readplan.Comparable(col) {
				kind = ""
			}
			v.Columns = append(v.Columns, sparkwright.ResultColumn{Name: c.Name, Type: kind})
		}
		views = append(views, v)
	}
	t, err := r.cfg.Translate(ctx, runID, code, views)
	if err != nil {
		return crosscheck.Translation{Why: "the translation failed: " + err.Error()}
	}
	return t
}

// limits are those of the cross-check at this moment.
func (r *Reader) limits() crosscheck.Limits {
	if r.cfg.Limits == nil {
		return crosscheck.Limits{}
	}
	return r.cfg.Limits()
}

// elsewhere has jobs on other machines reach the databases by themselves.
type elsewhere struct {
	runID string
	dbs   map[string]supervisor.Database
	reads []readplan.Read
	code  string
}

// URL implements supervisor.Reading.
func (d *elsewhere) URL(connection string) (string, error) { return d.dbs[connection].JDBCURL(d.runID) }

// Credentials implements supervisor.Reading.
func (d *elsewhere) Credentials(connection string) sparkwright.Credentials {
	return d.dbs[connection].Credentials()
}

// Snapshots implements supervisor.Reading.
func (d *elsewhere) Snapshots() []sparkwright.Snapshot { return nil }

// Guard implements supervisor.Reading: elsewhere the plan is not known before.
func (d *elsewhere) Guard(connection string) readplan.Guard {
	return readplan.AllGuards(d.reads, d.code)[connection]
}

// Query implements supervisor.Reading.
func (d *elsewhere) Query() (*sparkwright.Query, string) { return nil, "" }

// Cancel implements supervisor.Reading.
func (d *elsewhere) Cancel() {}

// End implements supervisor.Reading.
func (d *elsewhere) End(_ context.Context, run *sparkwright.Run) {
	if run.Result != nil {
		run.Crosscheck = notChecked("its snapshot is not held here", secondOf(run))
	}
}

// notChecked is an answer that nothing is held against, nor the second reading.
func notChecked(why string, second *sparkwright.SecondReading) *sparkwright.Crosscheck {
	if second != nil {
		second.Why = why
	}
	return &sparkwright.Crosscheck{State: sparkwright.CrosscheckNotChecked, Why: why, Second: second}
}
