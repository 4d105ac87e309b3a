package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
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

var _ sparkwright.Runs = (*runs)(nil)

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
