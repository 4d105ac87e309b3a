package connect

import (
	"context"

	"github.com/sparkwright/sparkwright"
)

// Client is a client process for checks: the policy, which executes nothing,
// and the dry run, which executes the analysis on empty frames. Close it.
type Client struct {
	e *Executor
	c *client
}

// Client takes a process out of the pool.
func (e *Executor) Client(ctx context.Context) (*Client, error) {
	c, err := e.pool.take(ctx)
	if err != nil {
		return nil, err
	}
	return &Client{e: e, c: c}, nil
}

// Close ends the process.
func (c *Client) Close(ctx context.Context) { c.e.pool.done(context.WithoutCancel(ctx), c.c) }

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
