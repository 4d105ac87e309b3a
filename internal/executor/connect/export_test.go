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

// ServerPort is the port of the server that is in use.
func (e *Executor) ServerPort() int {
	e.engine.mu.Lock()
	defer e.engine.mu.Unlock()
	return e.engine.cur.port
}

// Keeps reports whether servers outlive the process.
func (e *Executor) Keeps() bool { return e.cfg.KeepDir != "" }

// CloseInherited closes the files of the caller's caller.
func CloseInherited() { closeInherited() }

// SetToken gives the server that will be started a token of the test's.
func (e *Executor) SetToken(token string) { e.engine.token, e.pool.token = token, token }
