package result_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"github.com/google/go-cmp/cmp"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/artifact"
	"github.com/sparkwright/sparkwright/internal/result"
)

// A file that is not what the job wrote is never served as its result.
func TestDamagedFiles(t *testing.T) {
	t.Parallel()
	m := write(t, 100)
	r := reader(t, 0)
	path := filepath.Join(m.Location, m.Parts[0].Path)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text[len(text)/2] ^= 1
	if err = os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err = r.Parquet(t.Context(), m, io.Discard); err == nil {
		t.Error("a changed file was copied")
	}
	if err = os.WriteFile(path, text[:100], 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err = r.Page(t.Context(), m, result.Query{Limit: 1}); sparkwright.ErrorCode(err) != sparkwright.CodeNotFound {
		t.Errorf("a cut file: %v", err)
	}
	m.Parts[0].Path = "../../etc/passwd"
	if _, err = r.Page(t.Context(), m, result.Query{Limit: 1}); sparkwright.ErrorCode(err) != sparkwright.CodeNotFound {
		t.Errorf("a file outside: %v", err)
	}
}

func TestWholeFiles(t *testing.T) {
	t.Parallel()
	r := reader(t, 0)
	for name, sizes := range map[string][]int{"one part": {3000}, "several": {3000, 0, 2500}, "no rows": {0, 0}} {
		m := write(t, sizes...)
		want := all(t, m)
		var pq bytes.Buffer
		if err := r.Parquet(t.Context(), m, &pq); err != nil {
			t.Fatal(name, err)
		}
		pf, err := file.NewParquetReader(bytes.NewReader(pq.Bytes()))
		if err != nil {
			t.Fatal(name, err)
		}
		rd, err := pqarrow.NewFileReader(pf, pqarrow.ArrowReadProperties{BatchSize: 1000}, memory.DefaultAllocator)
		if err != nil {
			t.Fatal(err)
		}
		batches, err := rd.GetRecordReader(t.Context(), nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, cells(t, batches)); diff != "" {
			t.Errorf("%s, Parquet: %s", name, diff[:min(1000, len(diff))])
		}
		var arrows bytes.Buffer
		if err = r.Arrow(t.Context(), m, &arrows); err != nil {
			t.Fatal(name, err)
		}
		stream, err := ipc.NewReader(&arrows)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, cells(t, stream)); diff != "" {
			t.Errorf("%s, Arrow: %s", name, diff[:min(1000, len(diff))])
		}
	}
}

func cells(t *testing.T, r interface {
	Next() bool
	RecordBatch() arrow.RecordBatch
},
) [][]string {
	t.Helper()
	var rows [][]string
	for r.Next() {
		rec := r.RecordBatch()
		for i := range int(rec.NumRows()) {
			var row []string
			for c := range int(rec.NumCols()) {
				cell, err := artifact.Cell(rec.Column(c), i)
				if err != nil {
					t.Fatal(err)
				}
				row = append(row, string(cell))
			}
			rows = append(rows, row)
		}
	}
	return rows
}

func TestCSV(t *testing.T) {
	t.Parallel()
	m := write(t, 400, 300)
	rows := all(t, m)
	for _, neutral := range []bool{false, true} {
		var text bytes.Buffer
		if err := reader(t, 0).CSV(t.Context(), m, &text, neutral); err != nil {
			t.Fatal(err)
		}
		got, err := csv.NewReader(&text).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != len(rows)+1 || strings.Join(got[0], " ") != "id name amount ratio day at ok tags" {
			t.Fatalf("%d lines, header %v", len(got), got[0])
		}
		for i, row := range rows {
			for c, cell := range row {
				want := cell
				var s string
				if cell == "null" {
					want = ""
				} else if json.Unmarshal([]byte(cell), &s) == nil {
					want = s
				}
				if neutral && c == 1 && want != "" && strings.ContainsAny(want[:1], "=+-@") {
					want = "'" + want
				}
				if got[i+1][c] != want {
					t.Fatalf("row %d, column %d: %q, want %q", i, c, got[i+1][c], want)
				}
			}
		}
	}
}
