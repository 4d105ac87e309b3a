package result_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/sparkwright/sparkwright"
	"github.com/sparkwright/sparkwright/internal/artifact"
	"github.com/sparkwright/sparkwright/internal/result"
)

var schema = arrow.NewSchema([]arrow.Field{
	{Name: "id", Type: arrow.PrimitiveTypes.Int64},
	{Name: "name", Type: arrow.BinaryTypes.String, Nullable: true},
	{Name: "amount", Type: &arrow.Decimal128Type{Precision: 38, Scale: 4}, Nullable: true},
	{Name: "ratio", Type: arrow.PrimitiveTypes.Float64, Nullable: true},
	{Name: "day", Type: arrow.FixedWidthTypes.Date32, Nullable: true},
	{Name: "at", Type: &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}, Nullable: true},
	{Name: "ok", Type: arrow.FixedWidthTypes.Boolean, Nullable: true},
	{Name: "tags", Type: arrow.ListOf(arrow.BinaryTypes.String), Nullable: true},
}, nil)

// names hold what a comparison or a CSV may stumble over.
var names = []string{"", "a", "a\x00", "a\x00b", "B", "é", "=1+1", "-x", `quo"te`, "com,ma", "new\nline", " space", "Zürich", "@x"}

// fill adds n rows from number from on; every seventh value is null.
func fill(b *array.RecordBuilder, from, n int, random *rand.Rand) {
	null := func(i int) bool {
		if random.IntN(7) == 0 {
			b.Field(i).AppendNull()
			return true
		}
		return false
	}
	for i := range n {
		b.Field(0).(*array.Int64Builder).Append(int64(from + i))
		if !null(1) {
			b.Field(1).(*array.StringBuilder).Append(names[random.IntN(len(names))])
		}
		if !null(2) {
			b.Field(2).(*array.Decimal128Builder).Append(decimal128.New(int64(random.IntN(3))-1, random.Uint64()))
		}
		if !null(3) {
			f := []float64{math.NaN(), math.Inf(1), math.Inf(-1), 0, math.Copysign(0, -1), 1e300, -1e-300, random.NormFloat64()}[random.IntN(8)]
			b.Field(3).(*array.Float64Builder).Append(f)
		}
		if !null(4) {
			b.Field(4).(*array.Date32Builder).Append(arrow.Date32(random.IntN(40000) - 20000))
		}
		if !null(5) {
			b.Field(5).(*array.TimestampBuilder).Append(arrow.Timestamp(random.Int64N(4e15) - 2e15))
		}
		if !null(6) {
			b.Field(6).(*array.BooleanBuilder).Append(random.IntN(2) == 0)
		}
		if !null(7) {
			l := b.Field(7).(*array.ListBuilder)
			l.Append(true)
			for range random.IntN(3) {
				l.ValueBuilder().(*array.StringBuilder).Append(names[random.IntN(len(names))])
			}
		}
	}
}

// write makes a result with parts of these sizes, as a job leaves it.
func write(tb testing.TB, sizes ...int) *sparkwright.Manifest {
	tb.Helper()
	m := &sparkwright.Manifest{Version: 1, RunID: "r_1", AttemptID: "r_1-1", Location: tb.TempDir()}
	for _, f := range schema.Fields() {
		m.Schema = append(m.Schema, sparkwright.ResultColumn{Name: f.Name, Type: f.Type.String()})
	}
	random := rand.New(rand.NewPCG(1, 2)) // the same rows every time
	for i, size := range sizes {
		path := filepath.Join(m.Location, fmt.Sprintf("part-%d.parquet", i))
		f, err := os.Create(path)
		if err != nil {
			tb.Fatal(err)
		}
		w, err := pqarrow.NewFileWriter(schema, f, parquet.NewWriterProperties(parquet.WithMaxRowGroupLength(20000), parquet.WithDataPageSize(16<<10)), pqarrow.DefaultWriterProps())
		if err != nil {
			tb.Fatal(err)
		}
		b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
		for done := 0; done < size; done += 5000 {
			fill(b, int(m.RowCount)+done, min(5000, size-done), random)
			rec := b.NewRecordBatch()
			if err = w.WriteBuffered(rec); err != nil {
				tb.Fatal(err)
			}
			rec.Release()
		}
		if err = w.Close(); err != nil {
			tb.Fatal(err)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			tb.Fatal(err)
		}
		sum := sha256.Sum256(text)
		m.Parts = append(m.Parts, sparkwright.Part{Path: filepath.Base(path), Rows: int64(size), Bytes: int64(len(text)), SHA256: hex.EncodeToString(sum[:])})
		m.RowCount += int64(size)
	}
	return m
}

// all reads every row by the simplest way there is.
func all(t *testing.T, m *sparkwright.Manifest) [][]string {
	t.Helper()
	var rows [][]string
	err := artifact.Rows(t.Context(), m, func(cells []json.RawMessage) error {
		row := make([]string, len(cells))
		for i, c := range cells {
			row[i] = string(c)
		}
		rows = append(rows, row)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func reader(tb testing.TB, memory int64) *result.Reader {
	tb.Helper()
	return result.New(result.Config{CacheDir: filepath.Join(tb.TempDir(), "views"), MemoryBytes: memory})
}

// read reads all pages of a query.
func read(t *testing.T, r *result.Reader, m *sparkwright.Manifest, q result.Query) [][]string {
	t.Helper()
	var rows [][]string
	for q.Offset = 0; ; {
		page, err := r.Page(t.Context(), m, q)
		if err != nil {
			t.Fatal(err)
		}
		for _, raw := range page.Rows {
			var cells []json.RawMessage
			if err := json.Unmarshal(raw, &cells); err != nil {
				t.Fatalf("%v: %s", err, raw)
			}
			row := make([]string, len(cells))
			for i, c := range cells {
				row[i] = string(c)
			}
			rows = append(rows, row)
		}
		if page.Next < 0 {
			if int64(len(rows)) != page.Total {
				t.Errorf("%d rows, total %d", len(rows), page.Total)
			}
			return rows
		}
		q.Offset = page.Next
	}
}

func TestPagesInTheJobsOrder(t *testing.T) {
	t.Parallel()
	m := write(t, 30000, 0, 1, 25000)
	want := all(t, m)
	r := reader(t, 0)
	if diff := cmp.Diff(want, read(t, r, m, result.Query{Limit: 7919})); diff != "" {
		t.Error(diff[:min(2000, len(diff))])
	}
	for _, offset := range []int64{0, 1, 4095, 4096, 19999, 20000, 29999, 30000, 30001, 54999, 55001, 1 << 40} {
		page, err := r.Page(t.Context(), m, result.Query{Offset: offset, Limit: 3})
		if err != nil {
			t.Fatal(err)
		}
		n := max(0, min(3, int64(len(want))-offset))
		if int64(len(page.Rows)) != n {
			t.Fatalf("offset %d: %d rows, want %d", offset, len(page.Rows), n)
		}
		for i, row := range page.Rows {
			if got := "[" + strings.Join(want[offset+int64(i)], ",") + "]"; string(row) != got {
				t.Errorf("offset %d: %s, want %s", offset, row, got)
			}
		}
	}
}

// rank orders cells as the reader should, from their JSON alone.
func rank(t *testing.T, column string, a, b string) int {
	t.Helper()
	switch {
	case a == b:
		return 0
	case a == "null":
		return 2 // whatever the direction
	case b == "null":
		return -2
	}
	switch column {
	case "name":
		var x, y string
		if json.Unmarshal([]byte(a), &x) != nil || json.Unmarshal([]byte(b), &y) != nil {
			t.Fatal(a, b)
		}
		return strings.Compare(x, y)
	case "ok":
		return strings.Compare(a, b)
	case "day", "at": // ISO texts of the years 1900 to 2100, fractions aside
		pad := func(s string) string { return strings.TrimSuffix(strings.Trim(s, `"`), "Z") }
		return strings.Compare(pad(a), pad(b))
	case "amount":
		x, errX := decimal128.FromString(a, 38, 4)
		y, errY := decimal128.FromString(b, 38, 4)
		if errX != nil || errY != nil {
			t.Fatal(errX, errY)
		}
		return x.Cmp(y)
	default:
		order := func(s string) float64 {
			var f float64
			if s == `"NaN"` {
				return math.Inf(1)
			}
			if s = strings.Trim(s, `"`); s == "Infinity" {
				return math.MaxFloat64
			}
			if s == "-Infinity" {
				return math.Inf(-1)
			}
			if _, err := fmt.Sscan(s, &f); err != nil {
				t.Fatal(err)
			}
			return f
		}
		x, y := order(a), order(b)
		switch {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	}
}

func TestSortedPages(t *testing.T) {
	t.Parallel()
	m := write(t, 2500, 1500)
	rows := all(t, m)
	for _, memory := range []int64{16 << 10, 0} { // many spilled runs, and none
		r := reader(t, memory)
		for col, f := range schema.Fields()[:7] {
			for _, desc := range []bool{false, true} {
				want := slices.Clone(rows)
				slices.SortStableFunc(want, func(a, b []string) int {
					c := rank(t, f.Name, a[col], b[col])
					if desc && c != 2 && c != -2 {
						return -c
					}
					return c
				})
				got := read(t, r, m, result.Query{Limit: 4000, Sort: []result.Order{{Column: f.Name, Descending: desc}}})
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("by %s, descending %t: %s", f.Name, desc, diff[:min(1500, len(diff))])
				}
			}
		}
	}
}

func TestSortBySeveralAndFilter(t *testing.T) {
	t.Parallel()
	m := write(t, 5000)
	rows := all(t, m)
	want := slices.DeleteFunc(slices.Clone(rows), func(r []string) bool { return r[6] != "true" || r[1] == "null" })
	slices.SortStableFunc(want, func(a, b []string) int {
		if c := rank(t, "name", a[1], b[1]); c != 0 {
			return -c
		}
		return rank(t, "amount", a[2], b[2])
	})
	got := read(t, reader(t, 32<<10), m, result.Query{
		Limit: 777, Sort: []result.Order{{Column: "name", Descending: true}, {Column: "amount"}},
		Filters: []result.Filter{{Column: "ok", Op: result.OpEqual, Value: "true"}, {Column: "name", Op: result.OpNotNull}},
	})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff[:min(1500, len(diff))])
	}
}

func TestFilters(t *testing.T) {
	t.Parallel()
	m := write(t, 3000)
	rows := all(t, m)
	r := reader(t, 0)
	tests := []struct {
		column string
		op     result.Op
		value  string
		keeps  func(cell string) bool
	}{
		{"id", result.OpLess, "10", func(c string) bool { return len(c) == 1 }},
		{"id", result.OpAtMost, "9.5", func(c string) bool { return len(c) == 1 }},
		{"id", result.OpMore, "-0.5", func(string) bool { return true }},
		{"id", result.OpAtLeast, "2999.0", func(c string) bool { return c == "2999" }},
		{"id", result.OpEqual, "9.5", func(string) bool { return false }},
		{"id", result.OpMore, "99999999999999999999", func(string) bool { return false }},
		{"id", result.OpMore, "-99999999999999999999", func(string) bool { return true }},
		{"name", result.OpEqual, "a\x00", func(c string) bool { return c == `"a\u0000"` }},
		{"name", result.OpEqual, "", func(c string) bool { return c == `""` }},
		{"name", result.OpNot, "a", func(c string) bool { return c != "null" && c != `"a"` }},
		{"name", result.OpContains, "ZÜR", func(c string) bool { return c == `"Zürich"` }},
		{"name", result.OpNull, "", func(c string) bool { return c == "null" }},
		{"ratio", result.OpEqual, "NaN", func(c string) bool { return c == `"NaN"` }},
		{"ratio", result.OpEqual, "0", func(c string) bool { return c == "0.0" || c == "-0.0" }},
		{"ratio", result.OpAtLeast, "1e300", func(c string) bool { return c == "1e+300" || c == `"Infinity"` || c == `"NaN"` }},
		{"amount", result.OpLess, "0", func(c string) bool { return c[0] == '-' }},
		{"amount", result.OpMore, "-0.00001", func(c string) bool { return c != "null" && c[0] != '-' }},
		{"day", result.OpLess, "1970-01-01", func(c string) bool { return c != "null" && c < `"1970` }},
		{"at", result.OpAtLeast, "1970-01-01T00:00:00Z", func(c string) bool { return c != "null" && c >= `"1970` }},
		{"ok", result.OpEqual, "false", func(c string) bool { return c == "false" }},
		{"tags", result.OpContains, "quo", func(c string) bool { return strings.Contains(c, "quo") }},
		{"tags", result.OpNotNull, "", func(c string) bool { return c != "null" }},
	}
	for _, tt := range tests {
		col := schema.FieldIndices(tt.column)[0]
		want := slices.DeleteFunc(slices.Clone(rows), func(r []string) bool { return !tt.keeps(r[col]) })
		got := read(t, r, m, result.Query{Limit: 10000, Filters: []result.Filter{{Column: tt.column, Op: tt.op, Value: tt.value}}})
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s %s %q: %s", tt.column, tt.op, tt.value, diff[:min(1000, len(diff))])
		}
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	m := write(t, 10)
	r := reader(t, 0)
	order := func(c string) result.Query { return result.Query{Limit: 1, Sort: []result.Order{{Column: c}}} }
	filter := func(c string, op result.Op, v string) result.Query {
		return result.Query{Limit: 1, Filters: []result.Filter{{Column: c, Op: op, Value: v}}}
	}
	for name, q := range map[string]result.Query{
		"no such column": order("nope"), "a list": order("tags"), "no limit": {}, "before the first": {Offset: -1, Limit: 1},
		"a word for a number": filter("id", result.OpEqual, "many"), "no such comparison": filter("id", "like", "1"),
		"not a date": filter("day", result.OpLess, "tomorrow"), "not a time": filter("at", result.OpLess, "noon"),
		"not a truth": filter("ok", result.OpEqual, "perhaps"), "a list compared": filter("tags", result.OpEqual, "a"),
	} {
		if _, err := r.Page(t.Context(), m, q); sparkwright.ErrorCode(err) != sparkwright.CodeInvalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	empty := write(t, 0)
	if _, err := r.Page(t.Context(), empty, order("nope")); sparkwright.ErrorCode(err) != sparkwright.CodeInvalid {
		t.Errorf("an empty result sorted by what it does not have: %v", err)
	}
	if page, err := r.Page(t.Context(), empty, order("id")); err != nil || page.Total != 0 || page.Next != -1 {
		t.Errorf("an empty result: %+v, %v", page, err)
	}
	small := result.New(result.Config{CacheDir: t.TempDir(), ViewBytes: 100})
	if _, err := small.Page(t.Context(), m, order("id")); sparkwright.ErrorCode(err) != sparkwright.CodeLimited {
		t.Errorf("a view that is too large: %v", err)
	}
}
