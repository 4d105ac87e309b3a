package access

import (
	"context"
	"sync"

	"github.com/sparkwright/sparkwright"
)

// Runs gives everybody their own runs only. A run of somebody else is not
// there: the error is that of an id that never was. Handlers get nothing but
// this, so that none can forget to ask.
type Runs struct {
	all sparkwright.Runs

	mu     sync.Mutex
	owners map[string]string // by run: it never changes
}

var _ sparkwright.Runs = (*Runs)(nil)

// NewRuns returns the runs of whoever asks.
func NewRuns(all sparkwright.Runs) *Runs { return &Runs{all: all, owners: map[string]string{}} }

// maxOwners bounds what is remembered; what is not is read again.
const maxOwners = 10_000

// check refuses a run that is not for the one who asks.
func (r *Runs) check(ctx context.Context, id string) error {
	if who, ok := From(ctx); !ok || who.Role.Allows(Admin) {
		return nil
	}
	r.mu.Lock()
	owner, known := r.owners[id]
	r.mu.Unlock()
	if !known {
		run, err := r.Run(ctx, id)
		if err != nil {
			return err
		}
		owner = run.User
		r.mu.Lock()
		if len(r.owners) >= maxOwners {
			clear(r.owners)
		}
		r.owners[id] = owner
		r.mu.Unlock()
	}
	if !MaySee(ctx, owner) {
		return absent(id)
	}
	return nil
}

// absent is what the store says of an id that never was.
func absent(id string) error {
	return sparkwright.Errorf(sparkwright.CodeNotFound, "there is no run %s", id)
}

// Submit implements sparkwright.Runs. The run belongs to the one who asks,
// whatever the request says.
func (r *Runs) Submit(ctx context.Context, req sparkwright.Request) (*sparkwright.Run, error) {
	who, ok := From(ctx)
	if !ok {
		return r.all.Submit(ctx, req)
	}
	req.User = who.User
	if req.Parent != "" { // its question and its code are shown to the generator
		if err := r.check(ctx, req.Parent); err != nil {
			return nil, err
		}
	}
	return r.all.Submit(ctx, req)
}

// Run implements sparkwright.Runs. A part of an id, which the command line
// takes, is none for others: what fits it may be somebody else's.
func (r *Runs) Run(ctx context.Context, id string) (*sparkwright.Run, error) {
	run, err := r.all.Run(ctx, id)
	if _, ok := From(ctx); !ok {
		return run, err
	}
	switch sparkwright.ErrorCode(err) {
	case "":
	case sparkwright.CodeNotFound, sparkwright.CodeInvalid:
		return nil, absent(id)
	default:
		return nil, err
	}
	if run.ID != id || !MaySee(ctx, run.User) {
		return nil, absent(id)
	}
	return run, nil
}

// List implements sparkwright.Runs: admins see everybody's runs, everybody
// else their own.
func (r *Runs) List(ctx context.Context, f sparkwright.RunFilter) (sparkwright.RunPage, error) {
	if who, ok := From(ctx); ok && !who.Role.Allows(Admin) {
		if f.User != "" && f.User != who.User {
			return sparkwright.RunPage{}, nil
		}
		f.User = who.User
		if f.Cursor != "" {
			if err := r.check(ctx, f.Cursor); err != nil {
				return sparkwright.RunPage{}, err
			}
		}
	}
	return r.all.List(ctx, f)
}

// Events implements sparkwright.Runs.
func (r *Runs) Events(ctx context.Context, id string, after int64, limit int) ([]sparkwright.Event, error) {
	if err := r.check(ctx, id); err != nil {
		return nil, err
	}
	return r.all.Events(ctx, id, after, limit)
}

// Revisions implements sparkwright.Runs.
func (r *Runs) Revisions(ctx context.Context, id string) ([]sparkwright.Revision, error) {
	if err := r.check(ctx, id); err != nil {
		return nil, err
	}
	return r.all.Revisions(ctx, id)
}

// Changed implements sparkwright.Runs.
func (r *Runs) Changed(ctx context.Context, id string, after int64) error {
	if err := r.check(ctx, id); err != nil {
		return err
	}
	return r.all.Changed(ctx, id, after)
}

// Cancel implements sparkwright.Runs.
func (r *Runs) Cancel(ctx context.Context, id string) (*sparkwright.Run, error) {
	if err := r.check(ctx, id); err != nil {
		return nil, err
	}
	return r.all.Cancel(ctx, id)
}

// Decide implements sparkwright.Runs. Who decides is the one who asks.
func (r *Runs) Decide(ctx context.Context, id string, d sparkwright.Decision) (*sparkwright.Run, error) {
	if err := r.check(ctx, id); err != nil {
		return nil, err
	}
	if who, ok := From(ctx); ok && who.User != "" {
		d.By = who.Name
	}
	return r.all.Decide(ctx, id, d)
}

// Pin implements sparkwright.Runs.
func (r *Runs) Pin(ctx context.Context, id string, pinned bool) (*sparkwright.Run, error) {
	if err := r.check(ctx, id); err != nil {
		return nil, err
	}
	return r.all.Pin(ctx, id, pinned)
}

// Delete implements sparkwright.Runs.
func (r *Runs) Delete(ctx context.Context, id string) error {
	if err := r.check(ctx, id); err != nil {
		return err
	}
	return r.all.Delete(ctx, id)
}
