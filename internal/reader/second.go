package reader

import (
	"context"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/crosscheck"
	"github.com/sparkwright/sparkwright/internal/readplan"
)

// secondOf is the planner's reading of a run that a model answered; nil when
// there is none.
func secondOf(run *sparkwright.Run) *sparkwright.SecondReading {
	if run.Crosscheck == nil {
		return nil
	}
	return run.Crosscheck.Second
}

// translateSecond asks for the planner's reading as PostgreSQL would carry it
// out. It must read the database that the run has opened, and no other.
func (r *Reader) translateSecond(ctx context.Context, runID string, second *sparkwright.SecondReading, names []string) crosscheck.Translation {
	if len(second.Tables) == 0 {
		return crosscheck.Translation{Why: "its tables are not known here"}
	}
	for i := range second.Tables {
		if len(names) != 1 || second.Tables[i].Connection != names[0] {
			return crosscheck.Translation{Why: "it does not read the answer's database alone"}
		}
	}
	reads := readplan.Plan(&sparkwright.Catalog{Tables: second.Tables}, nil, readplan.Options{Cores: r.cfg.Cores})
	return r.translate(ctx, runID, second.Code, reads, names)
}
