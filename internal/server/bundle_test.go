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
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/server"
	"github.com/sparkwright/sparkwright/internal/supervisor"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// service answers by a script and remembers what it was asked.
type service struct {
	ask func(ctx context.Context, req supervisor.Request) (*sparkwright.Run, error)

	mu    sync.Mutex
	asked []supervisor.Request
}

var _ server.Service = (*service)(nil)

func (s *service) Ask(ctx context.Context, req supervisor.Request) (*sparkwright.Run, error) {
	s.mu.Lock()
	s.asked = append(s.asked, req)
	s.mu.Unlock()
	if s.ask == nil {
		return nil, errors.New("nothing was to be asked")
	}
	return s.ask(ctx, req)
}

// only returns the one request that the service got.
func (s *service) only(t *testing.T) supervisor.Request {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.asked) != 1 {
		t.Fatalf("asked %d times, want once", len(s.asked))
	}
	return s.asked[0]
}

// testBundle is a listening server over a scripted service.
type testBundle struct {
	service *service
	log     *bytes.Buffer // read after the replies
	url     string
	healthy error
}

func setup(t *testing.T) *testBundle {
	t.Helper()
	b := &testBundle{service: &service{}, log: &bytes.Buffer{}}
	srv := httptest.NewServer(server.New(server.Config{
		Service: b.service, Log: slog.New(slog.NewTextHandler(b.log, nil)), Hosts: []string{"127.0.0.1", "localhost", "::1"},
		Healthy: func(context.Context) error { return b.healthy },
	}))
	t.Cleanup(srv.Close)
	b.url = srv.URL
	return b
}

// answers makes the service answer so, whatever it is asked.
func (b *testBundle) answers(run *sparkwright.Run, err error) {
	b.service.ask = func(context.Context, supervisor.Request) (*sparkwright.Run, error) { return run, err }
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
	if got := resp.Header.Get("Content-Type"); got != "application/json" {
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

// session is long enough to be kept.
const session = "0b8f6a52-92a7-4f0e-9a6b-0c5f2b7e1d11"

// question is a whole request; with adds or replaces fields.
func question(with map[string]any) map[string]any {
	body := map[string]any{
		"prompt": "revenue per month", "session_id": session,
		"selected_postgres_tables": []any{map[string]any{
			"connection_name": "shop", "database": "", "schema": "sales", "table": "orders",
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
