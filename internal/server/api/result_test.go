package api_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/server/api"
)

// rows are what the job of these tests has written.
var rows = []string{
	`[1,"=HYPERLINK(1)",12345678901234567890.1234]`, `[2,"plain",-0.0001]`, `[3,"",null]`, `[4,null,10.0000]`, `[5,"a:b,\"c\"",2.5000]`,
}

// succeed gives a run a real Parquet result.
func (b *bundle) succeed(t *testing.T, id string) {
	t.Helper()
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "id", Type: arrow.PrimitiveTypes.Int64},
		{Name: "na:me", Type: arrow.BinaryTypes.String, Nullable: true},
		{Name: "amount", Type: &arrow.Decimal128Type{Precision: 38, Scale: 4}, Nullable: true},
	}, nil)
	rb := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	names, amounts := rb.Field(1).(*array.StringBuilder), rb.Field(2).(*array.Decimal128Builder)
	for i, row := range rows {
		var cells []json.RawMessage
		if err := json.Unmarshal([]byte(row), &cells); err != nil {
			t.Fatal(err)
		}
		rb.Field(0).(*array.Int64Builder).Append(int64(i + 1))
		var name string
		if string(cells[1]) == "null" {
			names.AppendNull()
		} else if err := json.Unmarshal(cells[1], &name); err != nil {
			t.Fatal(err)
		} else {
			names.Append(name)
		}
		if string(cells[2]) == "null" {
			amounts.AppendNull()
			continue
		}
		n, err := decimal128.FromString(string(cells[2]), 38, 4)
		if err != nil {
			t.Fatal(err)
		}
		amounts.Append(n)
	}
	var file bytes.Buffer
	w, err := pqarrow.NewFileWriter(schema, &file, nil, pqarrow.DefaultWriterProps())
	if err != nil {
		t.Fatal(err)
	}
	if err = w.Write(rb.NewRecordBatch()); err != nil {
		t.Fatal(err)
	}
	if err = w.Close(); err != nil {
		t.Fatal(err)
	}
	m := &sparkwright.Manifest{Version: 1, RunID: id, AttemptID: id + "-1", RowCount: int64(len(rows)), Location: t.TempDir(), Truncated: true}
	for _, f := range schema.Fields() {
		m.Schema = append(m.Schema, sparkwright.ResultColumn{Name: f.Name, Type: f.Type.String()})
	}
	m.Preview = [][]sparkwright.PreviewValue{{json.RawMessage("1"), json.RawMessage(`"=HYPERLINK(1)"`), json.RawMessage("12345678901234567890.1234")}}
	sum := sha256.Sum256(file.Bytes())
	m.Parts = []sparkwright.Part{{Path: "p.parquet", Rows: m.RowCount, Bytes: int64(file.Len()), SHA256: hex.EncodeToString(sum[:])}}
	if err = os.WriteFile(filepath.Join(m.Location, "p.parquet"), file.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	analysis := "result = spark.table('orders')"
	if err = b.engine.PutAttempt(t.Context(), &sparkwright.Attempt{
		ID: id + "-1", RunID: id, Number: 1, State: sparkwright.AttemptSucceeded, Analysis: analysis,
		Script: "# prologue\n" + analysis + "\n# epilogue\n",
	}); err != nil {
		t.Fatal(err)
	}
	b.engine.bring(t, id, sparkwright.RunSucceeded, func(r *sparkwright.Run) { r.Result, r.Analysis = m, analysis })
}

func TestResultPages(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *api.Config) { c.Limits.PageRows = 4 })
	id := b.ask(t, nil).ID
	b.succeed(t, id)
	for _, tt := range []struct {
		query string
		rows  string // their ids
		total int64
		next  int64
	}{
		{"", "1234", 5, 4},
		{"offset=3", "45", 5, 0},
		{"limit=2", "12", 5, 2},
		{"limit=99999", "1234", 5, 4},
		{"offset=77", "", 5, 0},
		{"sort=amount", "2541", 5, 4},
		{"sort=amount:desc&offset=1", "4523", 5, 0},
		{"sort=na:me&limit=1", "3", 5, 1},
		{"sort=na:me:desc&limit=2", "25", 5, 2},
		{"filter=amount:gt:2.5", "14", 2, 0},
		{"filter=na:me:null", "4", 1, 0},
		{"filter=na:me:eq:" + url.QueryEscape(`a:b,"c"`), "5", 1, 0},
		{"filter=amount:notnull&filter=id:le:2&sort=id:desc", "21", 2, 0},
		{"filter=na:me:contains:HYPER", "1", 1, 0},
	} {
		r := b.call(t, http.MethodGet, "/api/v1/runs/"+id+"/result?"+tt.query, nil)
		page := want[api.ResultPage](t, r, http.StatusOK)
		ids := ""
		for _, row := range page.Rows {
			n := string(row[1])
			ids += n
			if string(row) != rows[row[1]-'1'] {
				t.Errorf("%s: row %s, want %s", tt.query, row, rows[row[1]-'1'])
			}
		}
		next := int64(0)
		if page.NextOffset != nil {
			next = *page.NextOffset
		}
		if ids != tt.rows || page.Total != tt.total || next != tt.next || len(page.Columns) != 3 {
			t.Errorf("%s: rows %s of %d, next %d", tt.query, ids, page.Total, next)
		}
		if len(page.Rows) > 0 && !strings.Contains(r.text, string(page.Rows[0])) {
			t.Errorf("%s: the bytes differ: %s", tt.query, r.text)
		}
	}
	for query, says := range map[string]string{
		"sort=nope": "na:me", "filter=id:eq:x": "number", "filter=id": "COLUMN:OP:VALUE", "format=csv&sort=id": "JSON pages",
	} {
		wantProblem(t, b.call(t, http.MethodGet, "/api/v1/runs/"+id+"/result?"+query, nil), http.StatusBadRequest, sparkwright.CodeInvalid, says)
	}
	wantProblem(t, b.call(t, http.MethodGet, "/api/v1/runs/"+id+"/result?format=xlsx", nil), http.StatusUnprocessableEntity, sparkwright.CodeInvalid, "format")
	head := want[api.Run](t, b.call(t, http.MethodGet, "/api/v1/runs/"+id, nil), http.StatusOK)
	if head.Result == nil || string(head.Result.Preview[0]) != rows[0] || head.Result.Bytes == 0 {
		t.Errorf("head %+v", head.Result)
	}
	if r := b.call(t, http.MethodDelete, "/api/v1/runs/"+id, nil); r.StatusCode != http.StatusNoContent {
		t.Errorf("delete: HTTP %d", r.StatusCode)
	}
}

func TestWholeResults(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	id := b.ask(t, nil).ID
	b.succeed(t, id)
	get := func(path string, header ...string) reply {
		r := b.call(t, http.MethodGet, "/api/v1/runs/"+id+path, nil, header...)
		if r.StatusCode != http.StatusOK {
			t.Fatalf("%s: HTTP %d: %s", path, r.StatusCode, r.text)
		}
		return r
	}
	const raw = "id,na:me,amount\n1,=HYPERLINK(1),12345678901234567890.1234\n2,plain,-0.0001\n3,\"\",\n4,,10.0000\n5,\"a:b,\"\"c\"\"\",2.5000\n"
	neutral := strings.Replace(raw, "=HYPER", "'=HYPER", 1)
	for path, text := range map[string]string{
		"/result?format=csv": neutral, "/result?format=csv&raw=1": raw, "/export?format=csv": neutral, "/export?format=csv&raw=true": raw,
	} {
		if r := get(path); r.text != text || !strings.HasPrefix(r.Header.Get("Content-Type"), "text/csv; charset=utf-8") {
			t.Errorf("%s: %q %s", path, r.text, r.Header.Get("Content-Type"))
		}
	}
	if r := get("/result", "Accept", "text/csv"); r.text != neutral {
		t.Errorf("accepted: %q", r.text)
	}
	for _, path := range []string{"/result?format=parquet", "/export?format=parquet"} {
		if r := get(path); !strings.HasPrefix(r.text, "PAR1") || r.Header.Get("Content-Type") != "application/vnd.apache.parquet" {
			t.Errorf("%s: %s", path, r.Header.Get("Content-Type"))
		}
	}
	if r := get("/export?format=parquet"); r.Header.Get("Content-Disposition") != `attachment; filename="`+id+`.parquet"` {
		t.Errorf("disposition %q", r.Header.Get("Content-Disposition"))
	}
	stream, err := ipc.NewReader(strings.NewReader(get("/result?format=arrow").text))
	if err != nil {
		t.Fatal(err)
	}
	n := int64(0)
	for stream.Next() {
		n += stream.RecordBatch().NumRows()
	}
	if err = stream.Err(); (err != nil && err != io.EOF) || n != 5 { //nolint:errorlint // a bare value
		t.Errorf("%d rows, %v", n, err)
	}
	if script := get("/export?format=py").text; script != "# prologue\nresult = spark.table('orders')\n# epilogue\n" {
		t.Errorf("script %q", script)
	}
	var book struct {
		NBFormat int `json:"nbformat"`
		Cells    []struct {
			Type   string   `json:"cell_type"`
			Source []string `json:"source"`
		} `json:"cells"`
	}
	if err := json.Unmarshal([]byte(get("/export?format=ipynb").text), &book); err != nil {
		t.Fatal(err)
	}
	if book.NBFormat != 4 || len(book.Cells) != 4 || strings.Join(book.Cells[2].Source, "") != "result = spark.table('orders')" || book.Cells[0].Source[0] != "# how many orders are there\n" {
		t.Errorf("notebook %+v", book)
	}
}

func TestNoResult(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	id := b.ask(t, nil).ID
	for _, path := range []string{"/result", "/export?format=csv", "/export?format=py"} {
		wantProblem(t, b.call(t, http.MethodGet, "/api/v1/runs/"+id+path, nil), http.StatusConflict, sparkwright.CodeConflict, "queued")
	}
	b.engine.bring(t, id, sparkwright.RunFailed, func(r *sparkwright.Run) {
		r.Fault = &sparkwright.Fault{Message: "the driver is missing", Remedy: "install it"}
	})
	wantProblem(t, b.call(t, http.MethodGet, "/api/v1/runs/"+id+"/result", nil), http.StatusConflict, sparkwright.CodeConflict, "the driver is missing")
}

// What is found broken while it is sent is cut, never ended as if whole.
func TestDamagedResultIsCut(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	id := b.ask(t, nil).ID
	b.succeed(t, id)
	run, err := b.engine.Run(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(run.Result.Location, "p.parquet")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text[10] ^= 1
	if err = os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.url+"/api/v1/runs/"+id+"/result?format=parquet", nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp, failed := b.server.Client().Do(req); failed == nil {
		_, failed = io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if failed == nil {
			t.Error("a changed file was sent whole")
		}
	}
	if err = os.Remove(path); err != nil {
		t.Fatal(err)
	}
	for _, format := range []string{"json", "csv", "parquet", "arrow"} {
		r := b.call(t, http.MethodGet, "/api/v1/runs/"+id+"/result?format="+format, nil)
		wantProblem(t, r, http.StatusNotFound, sparkwright.CodeNotFound, "again")
	}
}
