// Package postgres answers without Spark: the run's one statement is carried
// out by PostgreSQL on the run's snapshot, through the run's own way, and its
// rows are left as a job leaves them. The rendered Spark script lies beside them.
package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/artifact"
	"github.com/sparkwright/sparkwright/internal/attempts"
)

// Name is the executor's name in placements and handles.
const Name = "postgres"

// Config says how the executor works.
type Config struct {
	// Ways is where runs have their ways, which are open when an attempt begins.
	Ways        sparkwright.Ways
	Timeout     time.Duration // of one attempt
	PreviewRows int
}

// Executor implements sparkwright.Executor.
type Executor struct {
	*attempts.Set
	cfg Config
}

var _ sparkwright.Executor = (*Executor)(nil)

// New returns an executor.
func New(cfg Config) *Executor {
	e := &Executor{cfg: cfg}
	e.Set = attempts.NewSet(Name, cfg.Timeout, e.carryOut)
	return e
}

// carryOut implements attempts.CarryOut.
func (e *Executor) carryOut(ctx context.Context, a *attempts.Attempt) *sparkwright.Fault {
	q := a.Query
	if q == nil {
		return fault("NO_STATEMENT", "the attempt has no statement", nil)
	}
	a.Running()
	rows, err := e.cfg.Ways.Query(ctx, a.RunID, q.Connection, q.SQL, q.Time)
	if err != nil {
		return fault("STATEMENT_FAILED", "PostgreSQL could not carry out the statement", err)
	}
	if q.Limit > 0 && len(rows) > q.Limit {
		return fault("ROWS_NOT_CERTAIN", "which rows are the last ones is open: some are equal", nil)
	}
	m := sparkwright.Manifest{RunID: a.RunID, AttemptID: a.Attempt, Location: a.Location, Schema: q.Schema}
	switch len(q.Snapshots) {
	case 0:
	case 1:
		m.Snapshot = &q.Snapshots[0]
	default:
		m.Snapshots = q.Snapshots
	}
	if err = artifact.Write(ctx, &m, rows, e.cfg.PreviewRows); err != nil {
		return fault("ROWS_NOT_WRITTEN", "the rows of PostgreSQL could not be written as Spark would write them", err)
	}
	return nil
}

// fault is why Spark has to answer.
func fault(class, message string, err error) *sparkwright.Fault {
	f := &sparkwright.Fault{Kind: sparkwright.FaultInfrastructure, Class: class, Message: message}
	if err != nil {
		f.Because = fmt.Sprint(err)
	}
	return f
}
