package connect

// ServerPID is the process of the running server.
func (e *Executor) ServerPID() int {
	e.engine.mu.Lock()
	defer e.engine.mu.Unlock()
	return e.engine.cur.child.PID()
}

// PIDs are the processes that the executor has started and not ended.
func (e *Executor) PIDs() []int {
	pids := []int{e.ServerPID()}
	e.pool.mu.Lock()
	defer e.pool.mu.Unlock()
	for _, c := range e.pool.idle {
		pids = append(pids, c.child.PID())
	}
	return pids
}
