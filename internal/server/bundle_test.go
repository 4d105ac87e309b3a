package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/secret"
	"github.com/sparkwright/sparkwright/internal/server"
	"github.com/sparkwright/sparkwright/internal/session"
	"github.com/sparkwright/sparkwright/internal/settings"
	"github.com/sparkwright/sparkwright/internal/store"
	"github.com/sparkwright/sparkwright/internal/upload"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// runs carries out requests by a script and remembers what it was asked. Runs
// end at once, unless wait is set.
type runs struct {
	carry func(req sparkwright.Request) (*sparkwright.Run, error)
	wait  chan struct{} // runs end when it is closed; nil = at once

	mu    sync.Mutex
	asked []sparkwright.Request
	kept  []*sparkwright.Run // oldest first
}

var _ sparkwright.Runs = (*runs)(nil)

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

// configured is settings.json in a directory.
type configured struct{ home string }

func (c *configured) Load() (*settings.Settings, error) {
	return settings.LoadEnv(c.home, func(string) string { return "" })
}

func (c *configured) Update(change func(*settings.Settings) error) error {
	return settings.Update(c.home, change)
}

// glue is a Glue catalog with one database.
type glue struct{}

func (glue) Databases(context.Context) ([]string, error) { return []string{"lake"}, nil }

func (glue) Tables(_ context.Context, database string) ([]sparkwright.Table, error) {
	if database != "lake" {
		return nil, sparkwright.Errorf(sparkwright.CodeNotFound, "there is no Glue database %q", database)
	}
	t := sparkwright.Table{Source: sparkwright.SourceGlue, Database: "lake", Name: "clicks", Location: "s3://lake/clicks/"}
	for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
		t.Columns = append(t.Columns, sparkwright.Column{Name: name, Type: "string"})
	}
	return []sparkwright.Table{t}, nil
}

func (g glue) Table(ctx context.Context, database, name string) (*sparkwright.Table, error) {
	tables, err := g.Tables(ctx, database)
	if err != nil {
		return nil, err
	}
	if name != tables[0].Name {
		return nil, sparkwright.Errorf(sparkwright.CodeNotFound, "there is no Glue table %s.%s", database, name)
	}
	return &tables[0], nil
}

// testBundle is a listening server over scripted runs; sessions, settings,
// secrets and uploads are the real ones.
type testBundle struct {
	runs     *runs
	settings *configured
	pg       *databases
	sessions *session.Service
	log      *bytes.Buffer // read after the replies
	home     string
	url      string
	healthy  error
}

func setup(t *testing.T, change ...func(*server.Config)) *testBundle {
	t.Helper()
	b := &testBundle{runs: &runs{}, log: &bytes.Buffer{}, home: t.TempDir()}
	st, err := store.Open(t.Context(), filepath.Join(b.home, "sparkwright.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	b.settings = &configured{home: b.home}
	b.pg = &databases{settings: b.settings}
	b.sessions = session.New(st, b.runs)
	err = b.settings.Update(func(set *settings.Settings) error {
		return set.PutConnection(sparkwright.Connection{
			Name: "shop", Host: "db", Port: 5432, Database: "shop", User: "reader", AuthMethod: sparkwright.AuthUserPassword, Secret: "env:SHOP",
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	cfg := server.Config{
		Runs: b.runs, Sessions: b.sessions, Settings: b.settings, Postgres: b.pg,
		Secrets: secret.Files{Dir: filepath.Join(b.home, "secrets")},
		Uploads: &upload.Store{Dir: filepath.Join(b.home, "uploads"), Max: 3 << 20, Table: func(_ context.Context, _ *sparkwright.Session, up sparkwright.Upload, _ string) (string, error) {
			return "files." + up.Name, nil
		}},
		Log: slog.New(slog.NewTextHandler(b.log, nil)), Hosts: []string{"127.0.0.1", "localhost", "::1"},
		Healthy: func(context.Context) error { return b.healthy },
	}
	for _, c := range change {
		c(&cfg)
	}
	srv := httptest.NewServer(server.New(cfg))
	t.Cleanup(srv.Close)
	b.url = srv.URL
	return b
}

// withGlue makes AWS configured.
func withGlue(cfg *server.Config) { cfg.Glue = glue{} }

// answers makes every request end so.
func (b *testBundle) answers(run *sparkwright.Run, err error) {
	b.runs.carry = func(sparkwright.Request) (*sparkwright.Run, error) { return run, err }
}

// call sends a request; edit may change it.
func (b *testBundle) call(t *testing.T, method, path, body string, edit func(*http.Request)) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, b.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if edit != nil {
		edit(req)
	}
	resp, err := new(http.Client).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // read only
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if got := resp.Header.Get("Content-Type"); got != "application/json" && method != http.MethodOptions {
		t.Errorf("content type %q of %s", got, text)
	}
	return resp, string(text)
}

// post sends an object and wants HTTP 200 and an object.
func (b *testBundle) post(t *testing.T, path string, body any) map[string]any {
	t.Helper()
	resp, reply := b.call(t, http.MethodPost, path, encode(t, body), nil) //nolint:bodyclose // call has read and closed it
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("HTTP %d: %s", resp.StatusCode, reply)
	}
	return decode[map[string]any](t, reply)
}

// get wants HTTP 200 and an object.
func (b *testBundle) get(t *testing.T, path string) map[string]any {
	t.Helper()
	resp, reply := b.call(t, http.MethodGet, path, "", nil) //nolint:bodyclose // call has read and closed it
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("HTTP %d: %s", resp.StatusCode, reply)
	}
	return decode[map[string]any](t, reply)
}

func encode(t *testing.T, body any) string {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func decode[T any](t *testing.T, text string) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return v
}

// checkGolden compares text with a file of testdata.
func checkGolden(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), text); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// longID is long enough to be kept.
const longID = "0b8f6a52-92a7-4f0e-9a6b-0c5f2b7e1d11"

// question is a whole request; with adds or replaces fields.
func question(with map[string]any) map[string]any {
	body := map[string]any{
		"prompt": "revenue per month", "session_id": longID,
		"selected_postgres_tables": []any{map[string]any{
			"connection_name": "shop", "database": "shop", "schema": "sales", "table": "orders",
			"jdbc_url": "jdbc:postgresql://db:5432/shop", "secret_arn": "arn:x",
		}},
	}
	maps.Copy(body, with)
	return body
}

// succeeded is a run with a result that shows what can go wrong on the way:
// digits of decimals, the order of columns, HTML.
func succeeded() *sparkwright.Run {
	return &sparkwright.Run{
		ID: "r_1", State: sparkwright.RunSucceeded, Understood: "Revenue per month.", Analysis: "result = spark.table('orders')",
		Placement: sparkwright.Placement{Executor: "connect", Reason: "fits on this machine"},
		Attempts:  []sparkwright.Attempt{{Script: "# first"}, {Script: "# second\nresult = 1 < 2"}},
		Result: &sparkwright.Manifest{
			Schema:   []sparkwright.ResultColumn{{Name: "month", Type: "date"}, {Name: "a<b", Type: "decimal(38,18)"}, {Name: "Amount", Type: "array<int>"}},
			RowCount: 1234567, Truncated: true, Location: "/results/r_1/2",
			Preview: [][]json.RawMessage{
				{json.RawMessage(`"2026-01"`), json.RawMessage(`12345678901234567890.100000000000000000`), json.RawMessage(`[1,null]`)},
				{json.RawMessage(`null`), json.RawMessage(`-0.0`), json.RawMessage(`{"k":"<b>&"}`)},
				{json.RawMessage(`"2026-03"`), json.RawMessage(`0.10`), json.RawMessage(`[]`)},
			},
		},
	}
}
