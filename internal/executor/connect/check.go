package connect

import (
	"context"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/check"
	"github.com/sparkwright/sparkwright/internal/crosscheck"
	"github.com/sparkwright/sparkwright/internal/direct"
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

// Lint looks for ways in which code may be silently wrong. Nothing is executed.
func (c *Client) Lint(ctx context.Context, code string, views []check.Facts) ([]sparkwright.Finding, error) {
	rep, err := c.c.ask(ctx, map[string]any{"op": "lint", "code": code, "views": views})
	return rep.Findings, err
}

// DryRun analyses code on empty frames: the result's schema, or the fault.
func (c *Client) DryRun(ctx context.Context, code string, views []sparkwright.EmptyView) ([]sparkwright.ResultColumn, *sparkwright.Fault, error) {
	srv, err := c.e.engine.get(ctx)
	if err != nil {
		return nil, nil, err
	}
	rep, err := c.c.ask(ctx, map[string]any{
		"op": "dryrun", "code": code, "views": views, "remote": c.c.session(srv, newID()),
	})
	return rep.Schema, rep.Fault, err
}

// Translate turns an analysis into one statement of PostgreSQL, or says why
// there is none. Nothing is executed. The run's own process does it, where one
// is reserved.
func (e *Executor) Translate(ctx context.Context, runID, code string, views []crosscheck.View) (crosscheck.Translation, error) {
	rep, err := e.ask(ctx, runID, nil, map[string]any{"op": "translate", "code": code, "views": views})
	return rep.Translation, err
}

// Direct turns an analysis into one statement of PostgreSQL with Spark's very
// answer, or says why there is none. Nothing is executed.
func (e *Executor) Direct(ctx context.Context, runID, code string, views []direct.View) (direct.Statement, error) {
	rep, err := e.ask(ctx, runID, nil, map[string]any{"op": "direct", "code": code, "views": views})
	return rep.Direct, err
}

// Plan is Spark's formatted plan of an analysis over the views that the
// prologue makes. No rows are read. env holds the logins of the prologue,
// files what it reads of this machine.
func (e *Executor) Plan(ctx context.Context, runID, code, prologue string, env map[string]string, files []string) (string, error) {
	srv, err := e.engine.get(ctx)
	if err != nil {
		return "", err
	}
	hide, err := srv.show("", files)
	if err != nil {
		return "", err
	}
	defer hide()
	rep, err := e.ask(ctx, runID, srv, map[string]any{"op": "explain", "code": code, "prologue": prologue, "env": env})
	if err == nil && rep.Fault != nil {
		err = sparkwright.Errorf(sparkwright.CodeJobFailed, "%s: %s", rep.Fault.Class, rep.Fault.Message)
	}
	return rep.Plan, err
}

// ask has the run's reserved process answer, else one of its own. With a server
// it gets a session there.
func (e *Executor) ask(ctx context.Context, runID string, srv *server, req map[string]any) (reply, error) {
	e.mu.Lock()
	c := e.reserved[runID]
	e.mu.Unlock()
	if c == nil {
		var err error
		if c, err = e.pool.take(ctx); err != nil {
			return reply{}, err
		}
		defer e.pool.done(context.WithoutCancel(ctx), c)
	}
	if srv != nil {
		req["remote"] = c.session(srv, newID())
	}
	return c.ask(ctx, req)
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
