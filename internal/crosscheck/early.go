package crosscheck

import (
	"context"
	"slices"

	"github.com/sparkwright/sparkwright"
)

// earlyShare is the part of the cost limit below which PostgreSQL is asked
// while Spark is at work: it has the other query too then.
const earlyShare = 0.1

// Early is a check that PostgreSQL answers while Spark is still at work.
type Early struct {
	answer answer
	made   bool // the answer is there
	done   chan struct{}
	stop   context.CancelFunc
}

// Begin asks for the totals of an answer that will have this schema, when that
// is cheap and the answer small. It returns at once; the caller ends it by
// Check or Cancel.
func Begin(ctx context.Context, t Translation, schema []sparkwright.ResultColumn, ask Asker, lim Limits) *Early {
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	e := &Early{answer: answer{t: t, schema: schema, columns: totals(t, schema)}, done: make(chan struct{}), stop: stop}
	go func() {
		defer close(e.done)
		e.ask(ctx, ask, lim.withDefaults())
	}()
	return e
}

func (e *Early) ask(ctx context.Context, ask Asker, lim Limits) {
	a := &e.answer
	if a.t.SQL == "" || len(a.schema) == 0 || a.columns == nil {
		return
	}
	cost, count, err := Explain(ctx, ask, a.t.SQL, lim.Time)
	if err != nil || cost > earlyShare*lim.Cost || count > float64(lim.Rows) {
		return
	}
	a.sql = query(a.t.SQL, a.schema, a.columns)
	a.got, a.err = ask(ctx, a.sql, lim.Time)
	e.made = a.err == nil
}

// Check is Check with the answer that was asked for before, where it fits.
func (e *Early) Check(ctx context.Context, m *sparkwright.Manifest, ask Asker, rows Rows, lim Limits) *sparkwright.Crosscheck {
	select {
	case <-e.done:
	case <-ctx.Done():
		e.Cancel()
	}
	if e.made && slices.Equal(e.answer.schema, m.Schema) && m.RowCount <= lim.withDefaults().Rows {
		return e.answer.judge(ctx, m, rows)
	}
	return Check(ctx, e.answer.t, m, ask, rows, lim)
}

// Cancel ends the question, and returns when it has ended.
func (e *Early) Cancel() {
	e.stop()
	<-e.done
}
