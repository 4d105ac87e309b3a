package supervisor

import (
	"context"
	"sync"
)

// Changed implements sparkwright.Runs.
func (s *Service) Changed(ctx context.Context, id string, after int64) error {
	s.watchElsewhere()
	for {
		news, done := s.changed.listen(id, after)
		seq, final, err := s.cfg.Store.LastEvent(ctx, id)
		if err != nil && ctx.Err() == nil {
			done()
			return err
		}
		if seq > after || final || ctx.Err() != nil {
			done()
			return nil //nolint:nilerr // the caller has gone
		}
		select {
		case <-news:
		case <-ctx.Done():
		}
		done()
	}
}

// watchElsewhere looks for events of other processes' runs as soon as somebody
// waits, also when this process carries out nothing.
func (s *Service) watchElsewhere() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.watching || s.ctx.Err() != nil {
		return
	}
	s.watching = true
	s.worked.Go(func() { s.every(watchEvery, "events not looked for", s.lookElsewhere) })
}

// lookElsewhere wakes those who wait for runs that other processes carry out,
// with one query for all of them.
func (s *Service) lookElsewhere(ctx context.Context) error {
	waiting := s.changed.waits(s.active.is)
	if len(waiting) == 0 {
		return nil
	}
	ids := make([]string, 0, len(waiting))
	for id := range waiting {
		ids = append(ids, id)
	}
	tails, err := s.cfg.Store.Tails(ctx, ids)
	if err != nil {
		return err
	}
	for id, after := range waiting {
		if t, is := tails[id]; !is || t.Final || t.Seq > after {
			s.changed.tell(id)
		}
	}
	return nil
}

// broadcast tells whoever waits for a run that something of it has changed. It
// is safe for concurrent use.
type broadcast struct {
	mu      sync.Mutex
	waiting map[string]*listeners
}

type listeners struct {
	news  chan struct{} // closed at the next change
	after int64         // the smallest number that somebody has seen
	count int
}

func newBroadcast() *broadcast { return &broadcast{waiting: map[string]*listeners{}} }

// listen returns a channel that is closed at the next change of the run, and
// what to call when it is no longer listened to. after is the number of the
// last event that the caller has seen.
func (b *broadcast) listen(runID string, after int64) (news <-chan struct{}, done func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := b.waiting[runID]
	if l == nil {
		l = &listeners{news: make(chan struct{}), after: after}
		b.waiting[runID] = l
	}
	l.count++
	l.after = min(l.after, after)
	return l.news, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if l.count--; l.count == 0 && b.waiting[runID] == l {
			delete(b.waiting, runID)
		}
	}
}

// tell wakes those who listen to the run.
func (b *broadcast) tell(runID string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if l := b.waiting[runID]; l != nil {
		close(l.news)
		delete(b.waiting, runID)
	}
}

// waits are the runs that are listened to, but for those that skip names.
func (b *broadcast) waits(skip func(string) bool) map[string]int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := map[string]int64{}
	for id, l := range b.waiting {
		if !skip(id) {
			out[id] = l.after
		}
	}
	return out
}
