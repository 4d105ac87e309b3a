package reader

import (
	"context"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/crosscheck"
	"github.com/sparkwright/sparkwright/internal/direct"
	"github.com/sparkwright/sparkwright/internal/placement"
	"github.com/sparkwright/sparkwright/internal/receipt"
	"github.com/sparkwright/sparkwright/internal/supervisor"
)

// answer finds out whether PostgreSQL answers by itself: the analysis is one
// statement with Spark's very answer, and EXPLAIN says on the run's snapshot
// that it is cheap.
func (b *brokered) answer(ctx context.Context, run *sparkwright.Run, code string, want *supervisor.Direct) {
	s := b.statement(ctx, code)
	p := placement.Promise{Why: s.Fits(want.Schema), MaxCost: want.Cost, MaxRows: direct.MaxRows}
	if p.Why == "" {
		var err error
		if p.Cost, p.Rows, err = crosscheck.Explain(ctx, b.ask, s.SQL, want.Time); err != nil {
			p.Why = "PostgreSQL does not take the statement: " + err.Error()
		}
	}
	yes, reason := placement.Answer(p)
	if !yes {
		b.r.cfg.Log.DebugContext(ctx, "spark answers", "run_id", b.runID, "why", reason)
		return
	}
	b.reason = reason
	b.query = &sparkwright.Query{
		Connection: b.names[0], SQL: s.SQL, Schema: s.Schema, Limit: s.Limit, Time: want.Time, Snapshots: b.Snapshots(),
	}
	before := run.Receipt
	run.Receipt = receipt.Expect(b.reads, b.r.cfg.Cores, func(string) bool { return true })
	run.Receipt.Statements, run.Receipt.Sandbox = before.Statements, before.Sandbox
}

func (b *brokered) statement(ctx context.Context, code string) direct.Statement {
	if len(b.names) != 1 || b.r.cfg.Direct == nil {
		return direct.Statement{Why: "it does not read exactly one database"}
	}
	s, err := b.r.cfg.Direct(ctx, b.runID, code, direct.Views(b.known))
	if err != nil {
		return direct.Statement{Why: "the translation failed: " + err.Error()}
	}
	return s
}
