package server_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/sparkwright/sparkwright"
)

// runs carries out requests by a script and remembers what it was asked. Runs
// end at once, unless wait is set.
type runs struct {
	carry func(req sparkwright.Request) (*sparkwright.Run, error)
	wait  chan struct{} // runs end when it is closed; nil = at once

	mu    sync.Mutex
	asked []sparkwright.Request
	kept  []*sparkwright.Run // oldest first
}

func (r *runs) Submit(_ context.Context, req sparkwright.Request) (*sparkwright.Run, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = append(r.asked, req)
	if r.carry == nil {
		return nil, errors.New("nothing was to be asked")
	}
	run, err := r.carry(req)
	if err != nil {
		return nil, err
	}
	kept := *run
	for _, other := range r.kept {
		if other.ID == kept.ID {
			kept.ID += "+"
		}
	}
	kept.Session, kept.User, kept.Parent = req.Session, req.User, req.Parent
	if kept.Question.Text == "" {
		kept.Question.Text = req.Question
	}
	r.kept = append(r.kept, &kept)
	return &sparkwright.Run{ID: kept.ID, State: sparkwright.RunQueued}, nil
}

func (r *runs) Run(_ context.Context, id string) (*sparkwright.Run, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, run := range slices.Backward(r.kept) {
		if run.ID == id {
			out := *run
			if r.waiting() {
				out.State = sparkwright.RunRunning
			}
			return &out, nil
		}
	}
	return nil, sparkwright.Errorf(sparkwright.CodeNotFound, "there is no run %s", id)
}

func (r *runs) waiting() bool {
	if r.wait == nil {
		return false
	}
	select {
	case <-r.wait:
		return false
	default:
		return true
	}
}

func (r *runs) List(_ context.Context, f sparkwright.RunFilter) (sparkwright.RunPage, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var page sparkwright.RunPage
	for _, run := range slices.Backward(r.kept) {
		if run.Session == f.Session && run.User == f.User && len(page.Runs) < f.Limit {
			page.Runs = append(page.Runs, *run)
		}
	}
	return page, nil
}

func (r *runs) Events(ctx context.Context, id string, after int64, _ int) ([]sparkwright.Event, error) {
	run, err := r.Run(ctx, id)
	if err != nil || after >= 2 || !run.State.Final() {
		return nil, err
	}
	all := []sparkwright.Event{
		{Seq: 1, RunID: id, Type: sparkwright.EventLog, Stream: "stdout", Text: "a line of the job\n"},
		{Seq: 2, RunID: id, Type: sparkwright.EventState, State: run.State},
	}
	return all[after:], nil
}

func (r *runs) Changed(ctx context.Context, _ string, _ int64) error {
	if r.wait != nil {
		select {
		case <-r.wait:
		case <-ctx.Done():
		}
	}
	return nil
}

func (r *runs) Revisions(context.Context, string) ([]sparkwright.Revision, error) {
	return nil, errors.New("not of this edge")
}

func (r *runs) Cancel(context.Context, string) (*sparkwright.Run, error) {
	return nil, errors.New("not of this edge")
}

func (r *runs) Decide(context.Context, string, sparkwright.Decision) (*sparkwright.Run, error) {
	return nil, errors.New("not of this edge")
}

func (r *runs) Pin(context.Context, string, bool) (*sparkwright.Run, error) {
	return nil, errors.New("not of this edge")
}

func (r *runs) Delete(context.Context, string) error { return errors.New("not of this edge") }

// only returns the one request that there was.
func (r *runs) only(t *testing.T) sparkwright.Request {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.asked) != 1 {
		t.Fatalf("asked %d times, want once", len(r.asked))
	}
	return r.asked[0]
}

// databases is one PostgreSQL server, "shop", as the edge sees it. The real
// one is asked in the end-to-end test.
type databases struct {
	settings *configured
	mu       sync.Mutex
	tested   []sparkwright.Connection
}

func (d *databases) Names(context.Context) ([]string, error) {
	set, err := d.settings.Load()
	if err != nil {
		return nil, err
	}
	var names []string
	for _, c := range set.Connections() {
		names = append(names, c.Name)
	}
	return names, nil
}

func (d *databases) Connection(_ context.Context, name string) (sparkwright.Connection, error) {
	set, err := d.settings.Load()
	if err != nil {
		return sparkwright.Connection{}, err
	}
	base, database, other := strings.Cut(name, "/")
	conn, err := set.Connection(base)
	if other {
		conn.Name, conn.Database = name, database
	}
	return conn, err
}

func (d *databases) Version(_ context.Context, conn sparkwright.Connection, cred *sparkwright.Credentials) (string, error) {
	d.mu.Lock()
	d.tested = append(d.tested, conn)
	d.mu.Unlock()
	if cred != nil && cred.Password != "right" {
		return "", &sparkwright.Error{Code: sparkwright.CodeUnauthorized, Message: "the login was refused", Remedy: "check user and password"}
	}
	return "PostgreSQL 17.1 on x86_64-pc-linux-gnu, compiled by gcc", nil
}

func (d *databases) Databases(context.Context, string) ([]string, error) {
	return []string{"archive", "shop"}, nil
}

func (d *databases) Schemas(context.Context, string) ([]string, error) {
	return []string{"public", "sales"}, nil
}

func (d *databases) Catalog(_ context.Context, name string) (*sparkwright.Catalog, error) {
	if strings.HasSuffix(name, "/nowhere") {
		return nil, sparkwright.Errorf(sparkwright.CodeNotFound, `there is no database "nowhere"`)
	}
	return &sparkwright.Catalog{Tables: []sparkwright.Table{
		{
			Connection: name, Database: "shop", Schema: "sales", Name: "orders", Kind: sparkwright.KindTable, RowEstimate: 1000, Readable: true,
			Columns: []sparkwright.Column{
				{Name: "id", Type: "integer"},
				{Name: "amount", Type: "numeric(12,2)", Nullable: true},
				{Name: "at", Type: "timestamp(3) with time zone"},
				{Name: "tags", Type: "text[]"},
				{Name: "state", Type: "order_state", Enum: []string{"open", "paid"}},
				{Name: "note", Type: "character varying(40)"},
			},
		},
		{Connection: name, Database: "shop", Schema: "sales", Name: "recent", Kind: sparkwright.KindView, RowEstimate: -1, Readable: true, Columns: []sparkwright.Column{{Name: "id", Type: "integer"}}},
		{Connection: name, Database: "shop", Schema: "sales", Name: "salaries", Kind: sparkwright.KindTable, Columns: []sparkwright.Column{{Name: "id", Type: "integer"}}},
		{Connection: name, Database: "shop", Schema: "public", Name: "log", Kind: sparkwright.KindTable, Readable: true},
	}}, nil
}
