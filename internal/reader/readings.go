package reader

import (
	"context"
	"slices"
	"time"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/crosscheck"
	"github.com/sparkwright/sparkwright/internal/jobscript"
	"github.com/sparkwright/sparkwright/internal/readplan"
)

// Compare implements supervisor.Reader: PostgreSQL answers the readings, all on
// one snapshot that ends with this.
func (r *Reader) Compare(ctx context.Context, run *sparkwright.Run, catalog *sparkwright.Catalog, readings []*sparkwright.Analysis) (state sparkwright.SecondState, why string, asked []sparkwright.Statement) {
	if !r.cfg.Local[run.Placement.Executor] {
		return sparkwright.SecondNotCompared, "its snapshot is not held here", nil
	}
	plan := func(views []string) []readplan.Read {
		return readplan.Plan(catalog, views, readplan.Options{Cores: r.cfg.Cores})
	}
	var views []string
	for _, reading := range readings {
		views = append(views, reading.Views...)
	}
	slices.Sort(views)
	reads := plan(slices.Compact(views))
	names := jobscript.ConnectionsOf(reads)
	if len(names) != 1 {
		return sparkwright.SecondNotCompared, "they do not read exactly one database", nil
	}
	id := run.ID + "-readings"
	if _, err := r.cfg.Ways.Begin(ctx, id, names[0], relations(reads, names[0])); err != nil {
		return sparkwright.SecondNotCompared, "the database cannot be asked: " + err.Error(), nil
	}
	defer func() {
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTime)
		defer cancel()
		var err error
		if asked, err = r.cfg.Ways.End(ending, id); err != nil {
			r.cfg.Log.WarnContext(ctx, "backends are left", "run_id", id, "error", err)
		}
	}()
	translations := make([]crosscheck.Translation, len(readings))
	for i, reading := range readings {
		translations[i] = r.translate(ctx, id, reading.Code, plan(reading.Views), names)
	}
	state, why = crosscheck.Agree(ctx, translations, func(ctx context.Context, sql string, limit time.Duration) ([][]*string, error) {
		return r.cfg.Ways.Query(ctx, id, names[0], sql, limit)
	}, r.limits())
	return state, why, nil
}
