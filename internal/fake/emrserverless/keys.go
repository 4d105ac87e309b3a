package emrserverless

import "sync"

// gates are those of the jobs that run, by access key id.
type gates struct {
	mu   sync.Mutex
	open map[string]*gate
}

func (g *gates) add(one *gate) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.open == nil {
		g.open = map[string]*gate{}
	}
	g.open[one.key] = one
}

func (g *gates) remove(one *gate) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.open, one.key)
}

// JobKeys finds the keys of a job that runs: what signs its calls, and what its
// role and its own policy do not let it do. refusal returns "" for what is
// allowed. Services that look at signatures themselves need it.
func (s *Server) JobKeys(accessKeyID string) (keys Credential, refusal func(action, resource string) string, ok bool) {
	s.gates.mu.Lock()
	defer s.gates.mu.Unlock()
	g, ok := s.gates.open[accessKeyID]
	if !ok {
		return Credential{}, nil, false
	}
	return g.keys, func(action, resource string) string { return g.refusal(call{action, resource}) }, true
}
