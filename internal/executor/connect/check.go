package connect

import (
	"context"

	"github.com/sparkwright/sparkwright"
)

// Client is a client process for checks: the policy, which executes nothing,
// and the dry run, which executes the analysis on empty frames. The attempt of
// the same run goes on in it, so that a question costs one process. Close it.
type Client struct {
	e     *Executor
	runID string
	c     *client
}

// Client takes a process out of the pool and reserves it for the run.
func (e *Executor) Client(ctx context.Context, runID string) (*Client, error) {
	c, err := e.pool.take(ctx)
	if err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.reserved[runID] = c
	return &Client{e: e, runID: runID, c: c}, nil
}

// Close ends the process, unless an attempt has taken it over.
func (c *Client) Close(ctx context.Context) {
	if c.e.takeReserved(c.runID) == c.c {
		c.e.pool.done(context.WithoutCancel(ctx), c.c)
	}
}

// takeReserved returns the process that is reserved for the run, once.
func (e *Executor) takeReserved(runID string) *client {
	e.mu.Lock()
	defer e.mu.Unlock()
	c := e.reserved[runID]
	delete(e.reserved, runID)
	return c
}

// Policy judges code without executing it.
func (c *Client) Policy(ctx context.Context, code string, views []string) ([]sparkwright.Violation, error) {
	rep, err := c.c.ask(ctx, map[string]any{"op": "policy", "code": code, "views": views})
	return rep.Violations, err
}

// DryRun analyses code on empty frames: the result's schema, or the fault.
func (c *Client) DryRun(ctx context.Context, code string, views []sparkwright.EmptyView) ([]sparkwright.ResultColumn, *sparkwright.Fault, error) {
	srv, err := c.e.engine.get(ctx)
	if err != nil {
		return nil, nil, err
	}
	rep, err := c.c.ask(ctx, map[string]any{
		"op": "dryrun", "code": code, "views": views, "remote": srv.session(newID()),
	})
	return rep.Schema, rep.Fault, err
}

// Running are the client processes that carry out attempts now.
func (e *Executor) Running() []int {
	e.mu.Lock()
	defer e.mu.Unlock()
	pids := make([]int, 0, len(e.running))
	for c := range e.running {
		pids = append(pids, c.child.PID())
	}
	return pids
}
