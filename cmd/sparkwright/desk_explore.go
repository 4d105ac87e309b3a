package main

import (
	"context"
	"sync"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/planner"
	"github.com/sparkwright/sparkwright/internal/server/api"
)

// Suggest implements api.Suggester.
func (d *desk) Suggest(ctx context.Context, req sparkwright.Request, n int) ([]api.Suggestion, error) {
	catalog, err := d.svc.Catalog(ctx, req.Connection, req.Tables)
	if err != nil {
		return nil, err
	}
	names := map[string]string{}
	for i := range catalog.Tables {
		names[catalog.Tables[i].View] = catalog.Tables[i].QualifiedName()
	}
	found := planner.Suggest(ctx, catalog, n)
	out := make([]api.Suggestion, 0, len(found))
	for _, s := range found {
		one := api.Suggestion{Question: s.Question, Tables: []string{}}
		for _, view := range s.Views {
			one.Tables = append(one.Tables, names[view])
		}
		out = append(out, one)
	}
	return out, nil
}

// demoWatch is how far the demo data are.
type demoWatch struct {
	mu       sync.Mutex
	starting bool
	step     string
	failed   error
}

// Demo implements api.Demo.
func (d *desk) Demo(context.Context) (*api.DemoState, error) {
	w := &d.demo
	w.mu.Lock()
	defer w.mu.Unlock()
	out := &api.DemoState{State: "absent", Connection: demoName}
	switch {
	case w.starting:
		out.State, out.Step = "starting", w.step
	case w.failed != nil:
		out.State, out.Err = "failed", w.failed
	case demoInstalled(d.app.home):
		out.State = "ready"
	}
	return out, nil
}

// StartDemo implements api.Demo.
func (d *desk) StartDemo(ctx context.Context) (*api.DemoState, error) {
	dbs := d.app.databases
	if _, err := dbs.conf().Connection(demoName); err == nil { //nolint:contextcheck // it has a time limit of its own
		return nil, &sparkwright.Error{
			Code: sparkwright.CodeConflict, Message: "the demo data cannot be asked", Because: "there is a connection of your own named " + demoName,
			Remedy: "remove that connection, or ask it",
		}
	}
	w := &d.demo
	w.mu.Lock()
	if !w.starting {
		w.starting, w.failed, w.step = true, nil, "Starting PostgreSQL"
		d.spawn(func(ctx context.Context) {
			err := dbs.prepareDemo(ctx, func(step string) {
				w.mu.Lock()
				defer w.mu.Unlock()
				w.step = step
			})
			w.mu.Lock()
			defer w.mu.Unlock()
			w.starting, w.failed = false, err
		})
	}
	w.mu.Unlock()
	return d.Demo(ctx)
}
