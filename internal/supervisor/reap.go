package supervisor

import (
	"context"
	"time"

	"github.com/sparkwright/sparkwright"
)

// Reapable is a Database that finds what dead processes have left in it. It
// sees the backends of its own login only.
type Reapable interface {
	// Runs are the ids of the runs that have backends there.
	Runs(ctx context.Context) ([]string, error)
	// EndRun ends the backends of a run, and returns how many there were.
	EndRun(ctx context.Context, runID string) (int, error)
}

// reapTime bounds the looks at one database.
const reapTime = 15 * time.Second

// Reap ends the backends of runs that are over: those of processes that died
// with their machine, which PostgreSQL may notice hours later. Runs that are
// not over are looked after by whoever takes them over, and ids that are not
// ours are others'.
func (s *Service) Reap(ctx context.Context) {
	if s.cfg.Reaped == nil {
		return
	}
	for _, name := range s.cfg.Reaped(ctx) {
		if n, err := s.reap(ctx, name); err != nil {
			s.cfg.Log.DebugContext(ctx, "backends not looked for", "connection", name, "error", err)
		} else if n > 0 {
			s.cfg.Log.InfoContext(ctx, "backends of dead runs ended", "connection", name, "backends", n)
		}
	}
}

func (s *Service) reap(ctx context.Context, name string) (ended int, err error) {
	ctx, cancel := context.WithTimeout(ctx, reapTime)
	defer cancel()
	db, err := s.cfg.Databases.Open(ctx, name)
	if err != nil {
		return 0, err
	}
	r, ok := db.(Reapable)
	if !ok {
		return 0, nil
	}
	ids, err := r.Runs(ctx)
	for _, id := range ids {
		run, e := s.cfg.Store.Run(ctx, id)
		switch {
		case sparkwright.ErrorCode(e) == sparkwright.CodeNotFound, e == nil && (!run.State.Final() || run.ID != id || s.active.is(id)):
			continue
		case e != nil:
			return ended, e
		}
		n, e := r.EndRun(ctx, id)
		if ended += n; e != nil {
			return ended, e
		}
	}
	return ended, err
}
