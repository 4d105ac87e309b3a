package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/artifact"
	"github.com/sparkwright/sparkwright/internal/server/api"
)

// call sends a request and wants that status.
func (s *testServer) call(t *testing.T, status int, method, path string, body any, header ...string) []byte {
	t.Helper()
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			t.Fatal(err)
		}
	}
	req, err := http.NewRequestWithContext(t.Context(), method, s.url+path, bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := new(http.Client).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // read only
	got, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != status {
		t.Fatalf("%s %s: HTTP %d, want %d, %v: %s", method, path, resp.StatusCode, status, err, got)
	}
	return got
}

func read[T any](t *testing.T, text []byte) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return v
}

// api sends one question through /api/v1; the result is the same in every form.
func (s *testServer) api(t *testing.T, conn sparkwright.Connection) {
	connection := map[string]any{
		"name": "t", "host": conn.Host, "port": conn.Port, "database": conn.Database, "user": "reader", "password": readerPassword, "tls": "disable",
	}
	s.call(t, http.StatusCreated, http.MethodPost, "/api/v1/connections", connection)
	s.call(t, http.StatusConflict, http.MethodPost, "/api/v1/connections", connection)
	s.call(t, http.StatusForbidden, http.MethodPut, "/api/v1/connections/x", map[string]any{"name": "x", "host": "attacker.example", "secret": "env:HOME"})
	if got := read[api.ConnectionTest](t, s.call(t, http.StatusOK, http.MethodPost, "/api/v1/connections/t/test", nil)); !got.OK {
		t.Errorf("%+v", got.Problem)
	}
	if got := read[api.TableList](t, s.call(t, http.StatusOK, http.MethodGet, "/api/v1/connections/t/tables?q=bought", nil)); got.Total != 1 || got.Tables[0].Qualified != "t.public.orders" {
		t.Errorf("%+v", got)
	}
	table := read[sparkwright.Table](t, s.call(t, http.StatusOK, http.MethodGet, "/api/v1/connections/t/tables/public/orders", nil))
	if len(table.Columns) != 5 || table.PrimaryKey[0] != "id" || table.Columns[0].Stats == nil {
		t.Errorf("%+v", table)
	}
	tried := maps.Clone(connection)
	delete(tried, "password") // the saved one is taken
	if got := read[api.ConnectionTest](t, s.call(t, http.StatusOK, http.MethodPost, "/api/v1/connections/test", tried)); !got.OK || got.CanWrite || got.Tables != 2 || got.Readable != 2 {
		t.Errorf("%+v, %+v", got, got.Problem)
	}
	tried["password"] = "wrong"
	if got := read[api.ConnectionTest](t, s.call(t, http.StatusOK, http.MethodPost, "/api/v1/connections/test", tried)); got.OK || got.Problem == nil || got.Problem.Code != sparkwright.CodeUnauthorized {
		t.Errorf("%+v", got)
	}
	profile := read[api.TableProfile](t, s.call(t, http.StatusOK, http.MethodGet, "/api/v1/connections/t/tables/public/orders/profile", nil))
	if !profile.Analysed || profile.Columns[0].Low == "" || !profile.Columns[0].Unique || *profile.Columns[1].NullShare < 0.15 {
		t.Errorf("%+v", profile)
	}
	if got := read[api.Suggestions](t, s.call(t, http.StatusOK, http.MethodGet, "/api/v1/connections/t/suggestions?limit=3", nil)); len(got.Suggestions) != 3 || len(got.Suggestions[0].Tables) == 0 {
		t.Errorf("%+v", got)
	}
	if got := read[api.SettingKeys](t, s.call(t, http.StatusOK, http.MethodGet, "/api/v1/settings/reference", nil)); !slices.ContainsFunc(got.Keys, func(k api.SettingKey) bool { return k.Key == "spark.master" && k.Environment }) {
		t.Error("spark.master is set by the environment, and that is not told")
	}
	if got := read[api.DemoState](t, s.call(t, http.StatusOK, http.MethodGet, "/api/v1/demo", nil)); got.State != "absent" {
		t.Errorf("%+v", got)
	}
	if got := read[api.DoctorReport](t, s.call(t, http.StatusOK, http.MethodGet, "/api/v1/doctor", nil)); len(got.Findings) == 0 || got.Level == "" {
		t.Errorf("the doctor says %+v", got)
	}
	if plan := read[api.Plan](t, s.call(t, http.StatusOK, http.MethodPost, "/api/v1/plan", map[string]any{"question": "q", "tables": []string{"t.public.orders"}})); plan.Rows != apiRows || plan.Placement.Executor != "connect" || plan.Expected.Seconds <= 0 || !plan.Direct {
		t.Errorf("%+v", plan)
	}

	ask := map[string]any{
		"tables": []string{"t.public.orders"}, "session": "s", "code": "result = spark.table('orders').repartition(3).orderBy('id')",
	}
	run := read[api.Run](t, s.call(t, http.StatusOK, http.MethodPost, "/api/v1/runs", ask, "Prefer", "wait=280", "Idempotency-Key", "k"))
	if run.State != sparkwright.RunSucceeded || run.Result == nil || run.Result.RowCount != apiRows {
		t.Fatalf("%+v, fault %+v", run, run.Fault)
	}
	path := "/api/v1/runs/" + run.ID
	same := read[api.Run](t, s.call(t, http.StatusOK, http.MethodPost, "/api/v1/runs", ask, "Idempotency-Key", "k"))
	if same.ID != run.ID {
		t.Errorf("the same key made %s", same.ID)
	}
	rows := s.rows(t, path+"/result?limit=300")
	for i, row := range rows {
		if want := fmt.Sprintf(`[%d,`, i+1); !strings.HasPrefix(row, want) {
			t.Fatalf("row %d is %s", i, row)
		}
	}
	if len(rows) != apiRows || rows[0] != `[1,"=1+1",12345678901234567890.0000000001,"2025-01-01T01:00:00Z",["a",null,"b1"]]` || string(run.Result.Preview[0]) != rows[0] {
		t.Errorf("%d rows, the first %s, previewed %s", len(rows), rows[0], run.Result.Preview[0])
	}
	backwards := s.rows(t, path+"/result?limit=400&sort=amount:desc&filter=id:gt:100")
	for i, row := range backwards {
		if row != rows[apiRows-1-i] {
			t.Fatalf("sorted row %d is %s", i, row)
		}
	}
	if len(backwards) != 900 {
		t.Errorf("%d sorted rows", len(backwards))
	}
	s.wholeFiles(t, path, rows)

	first := s.call(t, http.StatusOK, http.MethodGet, path+"/events", nil)
	if again := s.call(t, http.StatusOK, http.MethodGet, path+"/events", nil, "Last-Event-ID", "0"); !bytes.Equal(first, again) || !bytes.Contains(first, []byte(`"state":"succeeded"`)) {
		t.Errorf("replay differs:\n%s\n%s", first, again)
	}
	s.call(t, http.StatusNoContent, http.MethodGet, path+"/events", nil, "Last-Event-ID", "100000")
	if got := read[api.Revisions](t, s.call(t, http.StatusOK, http.MethodGet, path+"/revisions", nil)); len(got.Revisions) != 1 || got.Revisions[0].CodeHash != run.CodeHash {
		t.Errorf("%+v", got)
	}
	edited := read[api.Run](t, s.call(t, http.StatusOK, http.MethodPost, path+"/rerun", map[string]any{"code": "result = spark.table('orders').limit(1).select('id')"}, "Prefer", "wait=280"))
	if edited.Parent != run.ID || edited.Result == nil || edited.Result.RowCount != 1 {
		t.Errorf("%+v, fault %+v", edited, edited.Fault)
	}
	compared := read[api.Comparison](t, s.call(t, http.StatusOK, http.MethodGet, path+"/compare/"+edited.ID, nil))
	if compared.Same != 1 || compared.OnlyA != apiRows-1 || compared.OnlyB != 0 || compared.SameCode || len(compared.MissingB) != 4 || string(compared.RowsA[0]) != "[2]" {
		t.Errorf("%+v", compared)
	}
	s.call(t, http.StatusNoContent, http.MethodDelete, path, nil)
	s.call(t, http.StatusNotFound, http.MethodGet, path+"/result", nil)

	for _, probe := range []string{"/healthz", "/readyz"} {
		s.call(t, http.StatusOK, http.MethodGet, probe, nil)
	}
	changed := read[api.SettingsBody](t, s.call(t, http.StatusOK, http.MethodPut, "/api/v1/settings", map[string]any{
		"values": map[string]any{"spark.result_preview_rows": 7}, "secrets": map[string]any{"model.api_key": readerPassword},
	}))
	if changed.Values["spark.result_preview_rows"] != 7.0 || !changed.Secrets["model.api_key"] {
		t.Errorf("%+v", changed)
	}
	if elsewhere := read[api.SettingsBody](t, s.call(t, http.StatusOK, http.MethodPut, "/api/v1/settings", map[string]any{
		"values": map[string]any{"model.base_url": "http://other.example/v1"},
	})); elsewhere.Secrets["model.api_key"] {
		t.Error("the key would go to another server")
	}
	s.metrics(t)
	if log := s.said(); strings.Contains(log, readerPassword) || strings.Contains(log, "repartition") || !strings.Contains(log, `"run_id":"`+run.ID+`"`) {
		t.Error("the log tells too much, or too little")
	}
}

// rows reads all pages.
func (s *testServer) rows(t *testing.T, path string) (rows []string) {
	t.Helper()
	for offset := int64(0); ; {
		page := read[api.ResultPage](t, s.call(t, http.StatusOK, http.MethodGet, fmt.Sprintf("%s&offset=%d", path, offset), nil))
		for _, row := range page.Rows {
			rows = append(rows, string(row))
		}
		if page.NextOffset == nil {
			return rows
		}
		offset = *page.NextOffset
	}
}

// wholeFiles compares CSV, Parquet and Arrow with the rows of the pages.
func (s *testServer) wholeFiles(t *testing.T, path string, rows []string) {
	t.Helper()
	lines, err := csv.NewReader(bytes.NewReader(s.call(t, http.StatusOK, http.MethodGet, path+"/result?format=csv&raw=1", nil))).ReadAll()
	if err != nil || len(lines) != len(rows)+1 {
		t.Fatalf("CSV of %d lines, %v", len(lines), err)
	}
	for i, row := range rows {
		for c, cell := range read[[]json.RawMessage](t, []byte(row)) {
			text := string(cell)
			if text == "null" {
				text = ""
			} else if cell[0] == '"' {
				text = read[string](t, cell)
			}
			// Spaces inside lists are written as Spark's job does.
			if got := lines[i+1][c]; got != text && strings.ReplaceAll(got, ", ", ",") != text {
				t.Fatalf("CSV row %d: %q, want %q", i, got, text)
			}
		}
	}
	parquet, err := file.NewParquetReader(bytes.NewReader(s.call(t, http.StatusOK, http.MethodGet, path+"/export?format=parquet", nil)))
	if err != nil {
		t.Fatal(err)
	}
	rd, err := pqarrow.NewFileReader(parquet, pqarrow.ArrowReadProperties{BatchSize: 512}, memory.DefaultAllocator)
	if err != nil {
		t.Fatal(err)
	}
	batches, err := rd.GetRecordReader(t.Context(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "Parquet", batches, rows)
	stream, err := ipc.NewReader(bytes.NewReader(s.call(t, http.StatusOK, http.MethodGet, path+"/result", nil, "Accept", "application/vnd.apache.arrow.stream")))
	if err != nil {
		t.Fatal(err)
	}
	same(t, "Arrow", stream, rows)
	if script := s.call(t, http.StatusOK, http.MethodGet, path+"/export?format=py", nil); !bytes.Contains(script, []byte("repartition(3)")) || bytes.Contains(script, []byte(readerPassword)) {
		t.Errorf("script %s", script)
	}
	read[map[string]any](t, s.call(t, http.StatusOK, http.MethodGet, path+"/export?format=ipynb", nil))
}

func same(t *testing.T, what string, r interface {
	Next() bool
	RecordBatch() arrow.RecordBatch
}, rows []string,
) {
	t.Helper()
	n := 0
	for r.Next() {
		rec := r.RecordBatch()
		for i := range int(rec.NumRows()) {
			var cells []string
			for c := range int(rec.NumCols()) {
				cell, err := artifact.Cell(rec.Column(c), i)
				if err != nil {
					t.Fatal(err)
				}
				cells = append(cells, string(cell))
			}
			var compact bytes.Buffer
			if err := json.Compact(&compact, []byte("["+strings.Join(cells, ",")+"]")); err != nil {
				t.Fatal(err)
			}
			if n >= len(rows) || compact.String() != rows[n] {
				t.Fatalf("%s row %d: %s", what, n, compact.String())
			}
			n++
		}
	}
	if n != len(rows) {
		t.Errorf("%s has %d rows", what, n)
	}
}

// metrics waits until the ended runs are counted.
func (s *testServer) metrics(t *testing.T) {
	t.Helper()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	text := ""
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); <-tick.C {
		text = string(s.call(t, http.StatusOK, http.MethodGet, "/metrics", nil))
		if strings.Contains(text, `sparkwright_runs_total{executor="connect",state="succeeded"}`) && strings.Contains(text, `sparkwright_attempt_seconds_count{executor="connect",state="succeeded"}`) {
			if strings.Contains(text, readerPassword) {
				t.Error("the metrics tell the password")
			}
			return
		}
	}
	t.Errorf("the runs are not counted: %s", text)
}
